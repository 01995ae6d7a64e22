"""Reads the quarantined records again with the present readers: after an upgrade, what parses now becomes events.

All in one transaction. A record keeps its place (file and number) and moves in the manifest from quarantined to
events, duplicates or ignored, so records stay conserved. Only a record that was kept whole can be read again.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ultravires import pipeline, registry
from ultravires.engines.duckdb import DuckDBEngine
from ultravires.home import OpenHome
from ultravires.progress import watcher
from ultravires.published import open_published
from ultravires.reading.files import Batch, batches
from ultravires.reading.locations import LocalPlace
from ultravires.reading.source import Frame, Options, Source
from ultravires.reading.splitting import KEPT_BYTES
from ultravires.running import RunResult, run_once
from ultravires.schema import EVENTS, UTC_MICROS
from ultravires.settings import load_settings
from ultravires.storing import store_events
from ultravires.warehouse import open_warehouse

PAGE_ROWS = 1_000
"""Of at most 64 KB each: what is held in memory at once."""


@dataclass
class Retried:
    """What became of the records in quarantine; n_cut_off (too long, only the beginning kept) are part of n_staying."""

    n_events: int = 0
    n_duplicates: int = 0
    n_ignored: int = 0
    n_staying: int = 0
    n_cut_off: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class _File:
    """One file's records while they are read again."""

    file_id: str
    source: Source
    numbers: list[int] = field(default_factory=list)
    """Record number in the file, by the place among the records that are read again."""
    leaving: list[int] = field(default_factory=list)
    n_done: int = 0
    emitted: int = 0
    stored: int = 0
    ignored: int = 0


def retry_and_run(home: Path, *, config: Path | None) -> tuple[Retried, RunResult]:
    """Retry what is in quarantine in `home`, then run without new files; raises as `run_once` does."""
    open_published(home).close()  # a home that never ran is refused before a warehouse is made in it
    settings = load_settings(config)
    with open_warehouse(home, say=watcher().say) as warehouse:
        engine = DuckDBEngine(warehouse, pipeline.hourly_tables())
        retried = retry(OpenHome(warehouse, engine, settings, LocalPlace(home), "", None))
    with tempfile.TemporaryDirectory(prefix="ultravires-no-logs-") as nothing_new:
        return retried, run_once(Path(nothing_new), home, config=config, as_of="")


def retry(home: OpenHome) -> Retried:
    """Read every record in quarantine again, in one transaction; what still does not parse stays as it is."""
    result = Retried()
    sources = registry.sources()
    with home.warehouse.transaction() as con:
        found = con.execute(
            "select file_id, files.source from files where file_id in (select file_id from quarantine) order by path"
        ).fetchall()
        for file_id, name in found:
            if name in sources:
                _retry_file(home, _File(file_id, sources[name]), result)
        result.n_staying, result.n_cut_off = con.execute(
            "select count(*), count(*) filter (where octet_length(raw) >= ?) from quarantine", [KEPT_BYTES]
        ).fetchall()[0]
    return result


def _retry_file(home: OpenHome, file: _File, result: Retried) -> None:
    options = home.options()
    for batch in batches(_frames(home, file, options), file.source, options):
        _note_leaving(file, batch)
        if batch.events.num_rows:
            stored = store_events(home.engine, home.settings, _with_provenance(file, batch))
            file.stored += sum(stored.values())
    if file.leaving:
        _move_in_manifest(home, file)
    result.n_events += file.stored
    result.n_duplicates += file.emitted - file.stored
    result.n_ignored += file.ignored


def _frames(home: OpenHome, file: _File, options: Options) -> Iterator[Frame]:
    """The records of `file` that fall into exactly themselves; each page is fetched when the last one is through."""
    last = -1
    while page := home.warehouse.con.execute(
        "select record_no, byte_offset, raw from quarantine where file_id = ? and record_no > ? "
        "order by record_no limit ?",
        [file.file_id, last, PAGE_ROWS],
    ).fetchall():
        last = page[-1][0]
        for record_no, offset, raw in page:
            frame = _only_frame(file.source, raw, options)
            if frame is not None:
                file.numbers.append(record_no)
                yield frame._replace(offset=offset)


def _only_frame(source: Source, raw: bytes, options: Options) -> Frame | None:
    """The record that `raw` is; None where it is none, several, or the cut-off beginning of one."""
    if not 0 < len(raw) < KEPT_BYTES:
        return None
    frames = list(source.records(iter([raw]), options))
    if len(frames) != 1 or frames[0].reason is not None or frames[0].data.strip() != raw.strip():
        return None
    return frames[0]


def _note_leaving(file: _File, batch: Batch) -> None:
    refused = {record.record_no for record in batch.quarantined}
    places = range(file.n_done + 1, file.n_done + batch.n_records + 1)
    file.leaving += [file.numbers[place - 1] for place in places if place not in refused]
    file.n_done += batch.n_records
    file.emitted += batch.events.num_rows
    file.ignored += batch.n_ignored


def _with_provenance(file: _File, batch: Batch) -> pa.Table:
    table = pa.Table.from_batches([batch.events])
    count = table.num_rows
    numbers = [file.numbers[place - 1] for place in table["record_no"].to_pylist()]
    # A hash of arguments whose secrets were already redacted equals no hash of the same arguments elsewhere.
    is_redacted = pc.match_substring(table["raw"], "redacted:")
    known = pc.if_else(is_redacted, pa.scalar(None, pa.string()), table["args_hash"])
    columns = {name: table[name] for name in table.column_names} | {
        "record_no": pa.array(numbers, pa.int64()),
        "args_hash": known,
        "file_id": pa.array([file.file_id] * count, pa.string()),
        "ingested_at": pa.array([datetime.now(UTC)] * count, UTC_MICROS),
    }
    return pa.table(columns).select(EVENTS.names).cast(EVENTS)


def _move_in_manifest(home: OpenHome, file: _File) -> None:
    con = home.warehouse.con
    con.execute(
        "delete from quarantine where file_id = ? and record_no in (select unnest(?))", [file.file_id, file.leaving]
    )
    con.execute(
        "update files set n_events = n_events + ?, n_duplicates = n_duplicates + ?, n_ignored = n_ignored + ?, "
        "n_quarantined = n_quarantined - ? where file_id = ?",
        [file.stored, file.emitted - file.stored, file.ignored, len(file.leaving), file.file_id],
    )
    home.warehouse.bump("quarantine")
    home.warehouse.bump("files")
