"""From a folder of files to `events`, `files`, `quarantine` and `touched`, one transaction a batch of files.

A file's rows, its line in the manifest and the hours it touches commit together, so a crash or a repeat loads
nothing twice. A file is known by its path; one that changed after it was loaded is named, not silently read again.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from ultravires.engines.duckdb import DuckDBEngine
from ultravires.errors import UsageError
from ultravires.reading.files import Batch, Quarantined, read, recognise
from ultravires.reading.source import Options, Source
from ultravires.schema import EVENTS, UTC_MICROS
from ultravires.settings import Settings
from ultravires.storing import store_events

FLUSH_ROWS = 100_000
GROUP_BYTES = 16 << 20
GROUP_FILES = 2_000

Progress = Callable[[str, int, int], None]
"""progress(what, done, total)"""


@dataclass
class LoadCounts:
    """What one load did. records emit events stored, duplicates and quarantined; ignored records hold no event."""

    files: int = 0
    records: int = 0
    emitted: int = 0
    events: int = 0
    duplicates: int = 0
    quarantined: int = 0
    ignored: int = 0
    unrecognised: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


@dataclass
class LoadingFile:
    """One file while it is read, and then its line in the manifest."""

    path: Path
    size: int
    modified_ns: int
    file_id: str = ""
    sha256: str = ""
    source: Source | None = None
    state: str = "loaded"
    message: str | None = None
    records: int = 0
    emitted: int = 0
    events: int = 0
    quarantined: int = 0
    ignored: int = 0
    pending: list[pa.RecordBatch] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)

    def take(self, batch: Batch) -> None:
        self.records += batch.n_records
        self.ignored += batch.n_ignored
        self.quarantined += len(batch.quarantined)
        self.emitted += batch.events.num_rows
        self.pending.append(batch.events)
        self.refused += batch.quarantined

    def pending_rows(self) -> int:
        return sum(batch.num_rows for batch in self.pending)


class LostFile(Exception):
    """A file that vanished, cannot be read or grew while it was read; what it had given so far is rolled back."""

    def __init__(self, path: Path, reason: str, *, is_growing: bool = False) -> None:
        super().__init__(str(path) if is_growing else f"{path}: {reason}")
        self.path = path
        self.is_growing = is_growing


class Loader:
    """Loads the new files of a folder into an open warehouse."""

    def __init__(
        self,
        engine: DuckDBEngine,
        settings: Settings,
        sources: Sequence[Source],
        options: Options,
        progress: Progress,
    ) -> None:
        self.engine = engine
        self.con = engine.con
        self.settings = settings
        self.sources = sources
        self.options = options
        self.progress = progress
        self.ingested_at = datetime.now(UTC)
        self.counts = LoadCounts()

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
            before = known.get(str(path.absolute()))
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
        with self.engine.warehouse.transaction():
            files: list[LoadingFile] = []
            for path in paths:
                file = self._open(path)
                files.append(file)
                self._read(file, files)
            self._flush(files)
            self._write_manifest(files)
        for file in files:
            self._count(file)

    def _open(self, path: Path) -> LoadingFile:
        try:
            status = path.stat()
            sha256 = _sha256(path)
        except OSError as error:
            raise LostFile(path, error.strerror or str(error)) from error
        file_id = hashlib.sha256(f"{path.absolute()}\x1f{sha256}".encode(errors="surrogateescape")).hexdigest()[:32]
        return LoadingFile(path, status.st_size, status.st_mtime_ns, file_id, sha256)

    def _read(self, file: LoadingFile, files: list[LoadingFile]) -> None:
        """Read one file; the rows of all `files` are stored as soon as enough wait, so memory follows the batch."""
        file.source = recognise(file.path, self.sources)
        if file.source is None:
            file.state, file.message = "unrecognised", "no source recognises its content"
            return
        try:
            for batch in read(file.path, file.source, self.options):
                file.take(batch)
                if sum(other.pending_rows() for other in files) >= FLUSH_ROWS:
                    self._flush(files)
        except OSError as error:
            raise LostFile(file.path, error.strerror or str(error)) from error
        if _has_changed(file):
            raise LostFile(file.path, "still being written", is_growing=True)

    def _flush(self, files: list[LoadingFile]) -> None:
        """Store the waiting rows of `files` inside the open transaction."""
        self._store_quarantine(files)
        tables = [self._with_provenance(file) for file in files if file.pending]
        by_id = {file.file_id: file for file in files}
        for file in files:
            file.pending, file.refused = [], []
        incoming = pa.concat_tables(tables) if tables else None
        if incoming is not None and incoming.num_rows:
            for file_id, n in store_events(self.engine, self.settings, incoming).items():
                by_id[file_id].events += n

    def _with_provenance(self, file: LoadingFile) -> pa.Table:
        table = pa.Table.from_batches(file.pending)
        table = table.append_column("file_id", pa.array([file.file_id] * table.num_rows, pa.string()))
        stamp = pa.array([self.ingested_at] * table.num_rows, UTC_MICROS)
        return table.append_column("ingested_at", stamp).select(EVENTS.names).cast(EVENTS)

    def _store_quarantine(self, files: list[LoadingFile]) -> None:
        rows = [
            (
                file.file_id,
                file.source.log,
                refused.record_no,
                refused.byte_offset,
                refused.reason,
                refused.raw,
            )
            for file in files
            if file.source is not None
            for refused in file.refused
        ]
        if rows:
            self.con.executemany("insert into quarantine values (?, ?, ?, ?, ?, ?)", rows)
            self.engine.warehouse.bump("quarantine")

    def _write_manifest(self, files: list[LoadingFile]) -> None:
        if not files:
            return
        columns = {
            "file_id": [file.file_id for file in files],
            "path": [str(file.path.absolute()) for file in files],
            "size": [file.size for file in files],
            "modified_ns": [file.modified_ns for file in files],
            "sha256": [file.sha256 for file in files],
            "source": [file.source.name if file.source else None for file in files],
            "state": [file.state for file in files],
            "n_records": [file.records for file in files],
            "n_events": [file.events for file in files],
            "n_duplicates": [file.emitted - file.events for file in files],
            "n_quarantined": [file.quarantined for file in files],
            "n_ignored": [file.ignored for file in files],
            "loaded_at": [self.ingested_at] * len(files),
            "message": [file.message for file in files],
        }
        self.con.register("manifest_rows", pa.table(columns))
        self.con.execute("insert into files by name from manifest_rows")
        self.con.unregister("manifest_rows")
        self.engine.warehouse.bump("files")

    def _count(self, file: LoadingFile) -> None:
        self.counts.files += 1
        self.counts.records += file.records
        self.counts.emitted += file.emitted
        self.counts.events += file.events
        self.counts.duplicates += file.emitted - file.events
        self.counts.quarantined += file.quarantined
        self.counts.ignored += file.ignored
        if file.state == "unrecognised":
            self.counts.unrecognised.append(str(file.path))


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


def stat_or_none(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _has_changed(file: LoadingFile) -> bool:
    now = stat_or_none(file.path)
    return now is None or (now.st_size, now.st_mtime_ns) != (file.size, file.modified_ns)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
