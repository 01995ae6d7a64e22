"""One file of the input folder, read: what it holds as batches, and how it stood when it was read."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ultravires.reading.files import Batch, Quarantined, read, recognise
from ultravires.reading.source import Options, Source


class LostFile(Exception):
    """A file that vanished, cannot be read or grew while it was read; what it had given so far is rolled back."""

    def __init__(self, path: Path, reason: str, is_growing: bool = False) -> None:
        super().__init__(path, reason, is_growing)
        self.path = path
        self.reason = reason
        self.is_growing = is_growing

    def __str__(self) -> str:
        return str(self.path) if self.is_growing else f"{self.path}: {self.reason}"


@dataclass
class InputFile:
    """One file while it is read, and then its line in the manifest."""

    path: Path
    size: int
    modified_ns: int
    file_id: str
    sha256: str
    source: str | None = None
    log: str | None = None
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


def read_file(path: Path, sources: Sequence[Source], options: Options) -> Iterator[InputFile]:
    """The file after each of its batches, so that a large one can be stored in parts; always at least once.

    Raises LostFile when it cannot be read, or stands otherwise at the end than at the beginning.
    """
    file = open_file(path)
    source = recognise(path, sources)
    if source is None:
        file.state, file.message = "unrecognised", "no source recognises its content"
        yield file
        return
    file.source, file.log = source.name, source.log
    try:
        for batch in read(path, source, options):
            file.take(batch)
            yield file
    except OSError as error:
        raise LostFile(path, error.strerror or str(error)) from error
    if _has_changed(file):
        raise LostFile(path, "still being written", is_growing=True)
    yield file


def open_file(path: Path) -> InputFile:
    """How the file stands now; its id depends on its path and its content."""
    try:
        status = path.stat()
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise LostFile(path, error.strerror or str(error)) from error
    file_id = hashlib.sha256(f"{path.absolute()}\x1f{sha256}".encode(errors="surrogateescape")).hexdigest()[:32]
    return InputFile(path, status.st_size, status.st_mtime_ns, file_id, sha256)


def stat_or_none(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _has_changed(file: InputFile) -> bool:
    now = stat_or_none(file.path)
    return now is None or (now.st_size, now.st_mtime_ns) != (file.size, file.modified_ns)
