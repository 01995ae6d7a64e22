"""From a folder of files to `events`, `files`, `quarantine` and `touched`, one transaction a batch of files.

A file's rows, its line in the manifest and the hours it touches commit together, so a crash or a repeat loads
nothing twice. A file is known by its path; one that changed after it was loaded is named, not silently read again.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from ultravires.engines.duckdb import DuckDBEngine
from ultravires.errors import UsageError
from ultravires.reading.input_file import InputFile, LostFile, stat_or_none
from ultravires.reading.pool import ReadFiles
from ultravires.schema import EVENTS, UTC_MICROS
from ultravires.settings import Settings
from ultravires.storing import store_events
from ultravires.tombstones import newest_tombstone, without_pruned

FLUSH_ROWS = 25_000
"""Rows stored at once: storing goes on while other processes read."""
GROUP_BYTES = 16 << 20
GROUP_FILES = 2_000

Progress = Callable[[str, int, int], None]
"""progress(what, done, total)"""


@dataclass
class LoadCounts:
    """What one load did. records emit events stored, duplicates, pruned and quarantined; ignored ones hold no event.

    pruned: from before a tombstone, and not stored.
    """

    files: int = 0
    records: int = 0
    emitted: int = 0
    events: int = 0
    duplicates: int = 0
    pruned: int = 0
    quarantined: int = 0
    ignored: int = 0
    unrecognised: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Loader:
    """Loads the new files of a folder into an open warehouse."""

    def __init__(self, engine: DuckDBEngine, settings: Settings, read: ReadFiles, progress: Progress) -> None:
        """`read` gives the files of some paths in their order, each again after every batch (`reading.pool`)."""
        self.engine = engine
        self.con = engine.con
        self.settings = settings
        self.read = read
        self.progress = progress
        self.ingested_at = datetime.now(UTC)
        self.counts = LoadCounts()
        self.tombstone = newest_tombstone(self.con)
        self.pruned: Counter[str] = Counter()
        """Events that the tombstone keeps out, by file_id, of the open transaction."""

    def load(self, folder: Path) -> LoadCounts:
        """Load what is new under `folder` (or the one file it names); UsageError when there is no such thing."""
        if not folder.exists():
            raise UsageError(f"{folder}: there is no such file or folder; check --input")
        new = self._new_files(folder)
        done = 0
        for group in grouped(new):
            self._load_group(group)
            done += len(group)
            self.progress("reading files", done, len(new))
        return self.counts

    def _new_files(self, folder: Path) -> list[Path]:
        rows = self.con.execute("select path, size, modified_ns from files").fetchall()
        known = {path: (size, modified) for path, size, modified in rows}
        new = []
        for path in list_files(folder):
            status = stat_or_none(path)
            before = known.get(stored_path(path))
            if before is None:
                new.append(path)
            elif status is not None and before != (status.st_size, status.st_mtime_ns):
                self.counts.changed.append(str(path))
        return new

    def _load_group(self, paths: list[Path]) -> None:
        """Load files that commit together; a file that is lost on the way is named, and the others start over."""
        while paths:
            try:
                self._load_together(paths)
                return
            except LostFile as lost:
                (self.counts.waiting if lost.is_growing else self.counts.unreadable).append(str(lost))
                paths = [path for path in paths if path != lost.path]

    def _load_together(self, paths: list[Path]) -> None:
        self.pruned.clear()
        with self.engine.warehouse.transaction():
            files: list[InputFile] = []
            for file in self.read(paths):
                if not files or files[-1] is not file:
                    files.append(file)
                if sum(other.pending_rows() for other in files) >= FLUSH_ROWS:
                    self._flush(files)
            self._flush(files)
            self._write_manifest(files)
        for file in files:
            self._count(file)

    def _flush(self, files: list[InputFile]) -> None:
        """Store the waiting rows of `files` inside the open transaction."""
        self._store_quarantine(files)
        tables = [self._with_provenance(file) for file in files if file.pending]
        by_id = {file.file_id: file for file in files}
        for file in files:
            file.pending, file.refused = [], []
        if not tables:
            return
        incoming, pruned = without_pruned(pa.concat_tables(tables), self.tombstone)
        self.pruned += pruned
        if incoming.num_rows:
            for file_id, n in store_events(self.engine, self.settings, incoming).items():
                by_id[file_id].events += n

    def _with_provenance(self, file: InputFile) -> pa.Table:
        table = pa.Table.from_batches(file.pending)
        table = table.append_column("file_id", pa.array([file.file_id] * table.num_rows, pa.string()))
        stamp = pa.array([self.ingested_at] * table.num_rows, UTC_MICROS)
        return table.append_column("ingested_at", stamp).select(EVENTS.names).cast(EVENTS)

    def _store_quarantine(self, files: list[InputFile]) -> None:
        rows = [
            (
                file.file_id,
                file.log,
                refused.record_no,
                refused.byte_offset,
                refused.reason,
                refused.raw,
            )
            for file in files
            for refused in file.refused
        ]
        if rows:
            self.con.executemany("insert into quarantine values (?, ?, ?, ?, ?, ?)", rows)
            self.engine.warehouse.bump("quarantine")

    def _write_manifest(self, files: list[InputFile]) -> None:
        if not files:
            return
        columns = {
            "file_id": [file.file_id for file in files],
            "path": [stored_path(file.path) for file in files],
            "size": [file.size for file in files],
            "modified_ns": [file.modified_ns for file in files],
            "sha256": [file.sha256 for file in files],
            "source": [file.source for file in files],
            "state": [file.state for file in files],
            "n_records": [file.records for file in files],
            "n_events": [file.events for file in files],
            "n_duplicates": [self._duplicates(file) for file in files],
            "n_pruned": [self.pruned[file.file_id] for file in files],
            "n_quarantined": [file.quarantined for file in files],
            "n_ignored": [file.ignored for file in files],
            "loaded_at": [self.ingested_at] * len(files),
            "message": [file.message for file in files],
        }
        self.con.register("manifest_rows", pa.table(columns))
        self.con.execute("insert into files by name from manifest_rows")
        self.con.unregister("manifest_rows")
        self.engine.warehouse.bump("files")

    def _duplicates(self, file: InputFile) -> int:
        return file.emitted - file.events - self.pruned[file.file_id]

    def _count(self, file: InputFile) -> None:
        self.counts.files += 1
        self.counts.records += file.records
        self.counts.emitted += file.emitted
        self.counts.events += file.events
        self.counts.duplicates += self._duplicates(file)
        self.counts.pruned += self.pruned[file.file_id]
        self.counts.quarantined += file.quarantined
        self.counts.ignored += file.ignored
        if file.state == "unrecognised":
            self.counts.unrecognised.append(str(file.path))


def stored_path(path: Path) -> str:
    """The path as the manifest knows it. A name that is not UTF-8 cannot be stored as it is: its bytes are escaped
    behind `bytes:`, with which no absolute path begins, so that two files never share a line.
    """
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        return "bytes:" + os.fsencode(name).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return name


def grouped(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Files that commit together: small ones by the batch, a large one alone."""
    group: list[Path] = []
    size = 0
    for path in paths:
        status = stat_or_none(path)
        group.append(path)
        size += status.st_size if status else 0
        if size >= GROUP_BYTES or len(group) >= GROUP_FILES:
            yield group
            group, size = [], 0
    if group:
        yield group


def list_files(folder: Path) -> Iterator[Path]:
    """Regular files under `folder` in a fixed order; a folder that links lead back to is entered once."""
    if folder.is_file():
        yield folder
        return
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = str(Path(root).resolve())
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(root) / name
            if path.is_file() and not name.startswith("."):
                yield path
