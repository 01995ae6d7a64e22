"""What readers see: immutable Parquet files and one manifest, `published/CURRENT`, replaced by rename.

A reader that opened the manifest sees one consistent snapshot; files it names stay for a day after they were
superseded, or as long as there is room for them. Everything is readable by its owner only.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Required, TypedDict

import msgspec

from ultravires.errors import RunError, UsageError
from ultravires.schema import EVENTS
from ultravires.store.published_files import Seal, holds, seal
from ultravires.store.queries import quoted
from ultravires.store.stretches import Content, Stretch, stretches_of, where
from ultravires.store.warehouse import Warehouse

CURRENT = "CURRENT"
KEEP_SECONDS, KEEP_LEAST_SECONDS = 86_400, 600
KEEP_LEAST_BYTES = 1 << 30
"""Of superseded files as many bytes stay as are published, and at least so many: a run a minute would fill a disk."""
LARGE_ROWS = 10_000
"""From which on a table that has hours is published in stretches of days: a run writes those that changed, not all
history.
"""
EVENT_COLUMNS_APART = {
    "events": ", ".join(name for name in EVENTS.names if name != "raw"),
    "events_raw": "event_id, event_hour, raw",
}
_LAST_HOUR = timedelta(hours=23)
_TABLE = r"[a-z][a-z0-9_]*"
_FILE = rf"{_TABLE}/[0-9a-f]{{20}}\.parquet"
_OURS = re.compile(rf"CURRENT(\.partial)?|{_TABLE}(/parts|/(tmp_)?[0-9a-f]{{20}}\.(parquet|partial))?|(.*/)?\.DS_Store")
"""What a run leaves in the folder, also a killed one, and what macOS does."""


class Entry(TypedDict, total=False):
    """What is published of a table: the version of its content, its files, and the versions of its days."""

    version: str
    files: Required[list[str]]
    rows: int
    days: dict[str, Any]


class Manifest(TypedDict, total=False):
    run_id: Required[str]
    tables: Required[dict[str, Entry]]
    seals: dict[str, Seal]
    """What every file was when it was published; absent in what older versions published."""
    superseded: dict[str, float]
    """Since when files are named no more that readers may still have open; absent in what older versions published."""


class Damaged(RunError):
    """What is published is not whole."""

    def __init__(self, folder: Path, reason: str = "") -> None:
        why = f" ({reason})" if reason else ""
        super().__init__(f"{folder} is damaged{why}; delete it and publish anew: ultravires run --input DIR")


def publish(warehouse: Warehouse, tables: Iterable[str], *, run_id: str) -> dict[str, int]:
    """Write the tables that changed and the manifest that names the files of all; returns rows by table."""
    folder = _folder(warehouse)
    folder.mkdir(mode=0o700, exist_ok=True)
    before, seals = _published_before(folder)
    entries: dict[str, Any] = {}
    for table in sorted(tables):
        known = before.get(table, {})
        entries[table] = _publish_table(warehouse, table, known)
    days = _days_of_events(warehouse)
    for table, columns in EVENT_COLUMNS_APART.items():
        known = before.get(table, {})
        entries[table] = _publish_events(warehouse, table, columns, days, known)
    manifest: Manifest = {"run_id": run_id, "tables": entries}
    files = published_files(manifest)
    manifest["seals"] = {file: seal(folder / file, seals.get(file)) for file in sorted(files)}
    manifest["superseded"], outdated = _split_outdated(folder, files, _superseded(folder, files))
    _replace(folder / CURRENT, msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1))
    for path in outdated:
        path.unlink(missing_ok=True)
    return {name: entry["rows"] for name, entry in manifest["tables"].items()}


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest, or None before the first publication; raises RunError where it cannot be read."""
    path = folder / CURRENT
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); choose another --home") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(folder) from error
    for name in manifest["tables"]:
        if not re.fullmatch(_TABLE, name):
            raise Damaged(folder, "its manifest names a table that is none of ours")
    for file in published_files(manifest):
        if not re.fullmatch(_FILE, file):
            raise Damaged(folder, "its manifest names a file that is none of ours")
    return manifest


def published_files(manifest: Manifest) -> frozenset[str]:
    """The files that the manifest names, relative to its folder."""
    return frozenset(file for entry in manifest["tables"].values() for file in entry["files"])


def foreign_files(folder: Path) -> list[Path]:
    """What no run of ours, a killed one neither, can have left in the folder."""
    return sorted(
        path
        for path in (*folder.glob("*"), *folder.glob("*/*"))
        if not _OURS.fullmatch(str(path.relative_to(folder))) or path.is_symlink()
    )


def _published_before(folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Seal]]:
    """What is published, by table, and the seals of those files that hold.

    A table with a file that does not is written anew, every table where the manifest is damaged.
    """
    try:
        manifest = read_manifest(folder)
    except Damaged:
        return {}, {}
    if not manifest:
        return {}, {}
    seals = {file: sealed for file, sealed in manifest.get("seals", {}).items() if holds(folder / file, sealed)}
    return {table: _standing(entry, seals) for table, entry in manifest["tables"].items()}, seals


def _standing(entry: Entry, seals: Mapping[str, Seal]) -> Entry:
    """The entry without the days of which a file does not hold, and without its version where any does not."""
    standing = entry.copy()
    if "days" in entry:
        standing["days"] = {day: part for day, part in entry["days"].items() if seals.keys() >= _files_of_day(part)}
    if not seals.keys() >= set(entry["files"]):
        standing.pop("version", None)
    return standing


def _files_of_day(part: Mapping[str, Any]) -> set[str]:
    return {part["file"]} if "file" in part else set(part["files"])


def _publish_table(warehouse: Warehouse, table: str, known: dict[str, Any]) -> dict[str, Any]:
    rows, fingerprint = warehouse.published_fingerprint(table)
    columns = [column[:2] for column in warehouse.con.execute(f'describe "{table}"').fetchall()]
    shape = hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:8]
    version = f"{rows}-{fingerprint}-{shape}"
    if known.get("version") == version:
        return known
    if rows >= LARGE_ROWS and any(name == "event_hour" for name, _ in columns):
        before = {day: part for day, part in known.get("days", {}).items() if part["version"].endswith(f"-{shape}")}
        days = _publish_stretches(warehouse, table, Content(rows, int(fingerprint)), shape, before)
        files = [file for day in days.values() for file in day["files"]]
        return {"version": version, "files": files, "rows": rows, "days": days}
    file = _copy(warehouse, table, f'select * from "{table}"', version)
    return {"version": version, "files": [file], "rows": rows}


def _publish_stretches(
    warehouse: Warehouse, table: str, rows: Content, shape: str, known: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Write the stretches that changed; returns version, last day and files of each by its first day."""
    # Older versions of Ultravires published days that are no stretches.
    standing = {day: _known_stretch(part) for day, part in known.items() if "until" in part}
    published: dict[str, dict[str, Any]] = {}
    for day, stretch in stretches_of(warehouse, table, rows, standing).items():
        version = f"{stretch.content.n_rows}-{stretch.content.hashes}-{shape}"
        if day in standing and known[day]["version"] == version:
            files = known[day]["files"]
        else:
            query = f'select * from "{table}" where {where(day, stretch)}'
            files = [_copy(warehouse, table, query, f"{day}-{version}")]
        published[day] = {"version": version, "until": stretch.until, "files": files}
    return published


def _known_stretch(part: Mapping[str, Any]) -> Stretch:
    n_rows, _, others = part["version"].partition("-")
    return Stretch(part["until"], Content(int(n_rows), int(others.rpartition("-")[0])))


def _days_of_events(warehouse: Warehouse) -> list[tuple[str, int, str]]:
    """A day is the unit: small enough to rewrite when an hour of it changes, large enough to scan fast."""
    return warehouse.con.execute(
        "select date_trunc('day', event_hour)::date::varchar as day, count(*), "
        "sum(hash(event_id, raw_hash, source_version, voice)::hugeint)::varchar "
        "from events group by 1 order by 1"
    ).fetchall()


def _publish_events(
    warehouse: Warehouse, table: str, columns: str, days: Sequence[tuple[str, int, str]], known: dict[str, Any]
) -> dict[str, Any]:
    known_days = known.get("days", {})
    entry: dict[str, Any] = {"days": {}, "files": [], "rows": 0}
    for day, rows, fingerprint in days:
        version = f"{rows}-{fingerprint}"
        file = known_days.get(day, {}).get("file")
        if known_days.get(day, {}).get("version") != version:
            midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
            of_day = warehouse.segments.live_rows_between(midnight, midnight + _LAST_HOUR)
            # As they lie in their files: to sort whole records costs as much again as to write them.
            file = _copy(warehouse, table, f"select {columns} from {of_day}", f"{day}-{version}")
        entry["days"][day] = {"version": version, "file": file}
        entry["files"].append(file)
        entry["rows"] += rows
    if not days:
        file = _copy(warehouse, table, f"select {columns} from events", "empty")
        entry["files"] = [file]
    return entry


def _copy(warehouse: Warehouse, table: str, query: str, version: str) -> str:
    folder = _folder(warehouse)
    (folder / table).mkdir(mode=0o700, exist_ok=True)
    name = _file_name(table, version)
    target = folder / name
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    warehouse.con.execute(f"copy ({query}) to '{quoted(partial)}' (format parquet, compression zstd)")
    partial.chmod(0o600)
    partial.replace(target)
    return name


def _folder(warehouse: Warehouse) -> Path:
    return warehouse.home / "published"


def _file_name(table: str, version: str) -> str:
    return f"{table}/{hashlib.sha256(version.encode()).hexdigest()[:20]}.parquet"


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    with partial.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)


def _superseded(folder: Path, wanted: frozenset[str]) -> dict[str, float]:
    """The files that nobody names any more, and since when: now, where the manifest that still stands names them. What
    a killed run left is as old as it is.
    """
    try:
        before = read_manifest(folder)
    except Damaged:
        before = None
    known = before.get("superseded", {}) if before else {}
    named = published_files(before) if before else frozenset()
    now = time.time()
    found = {}
    for path in folder.glob("*/*"):
        file = str(path.relative_to(folder))
        if file not in wanted and path.is_file():
            found[file] = now if file in named else known.get(file, path.stat().st_mtime)
    return found


def _split_outdated(
    folder: Path, wanted: frozenset[str], since: Mapping[str, float]
) -> tuple[dict[str, float], list[Path]]:
    """Of superseded files those that stay, and those that go: after a day, or the first to be superseded where all take
    more room than there is for them; but none of the last minutes.
    """
    room = max(KEEP_LEAST_BYTES, sum((folder / file).stat().st_size for file in wanted))
    now = time.time()
    stay, go = {}, []
    for file, moment in sorted(since.items(), key=lambda item: -item[1]):
        path, age = folder / file, now - moment
        room -= path.stat().st_size
        if age > KEEP_SECONDS or (room < 0 and age > KEEP_LEAST_SECONDS):
            go.append(path)
        else:
            stay[file] = moment
    return stay, go
