"""One file of the input, read: what it holds as batches, and how it stood when it was read.

A small file is read into memory once, where it is hashed, recognised and read; a large one is hashed as it streams by.
Each member of a tar archive is a file of its own.
"""

import hashlib
import io
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pyarrow as pa

from ultravires.formats.decompressing import Damage, FileBytes, Openable, Stream
from ultravires.formats.tar_members import EARLY_END, Archive, Member, is_tar
from ultravires.reading.files import Batch, Quarantined, read_bytes, read_wrapped
from ultravires.reading.head import HEAD_BYTES, Head
from ultravires.reading.locations import FileStat, Location, SomeMembers
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.unwrapping import find_wrapping

_MOST_REASONS = 3
HELD_BYTES = 8 << 20
"""A file up to this size is held in memory."""


class LostFile(Exception):
    """A file that vanished, cannot be read or grew while it was read."""

    def __init__(self, location: Location, reason: str, is_growing: bool = False) -> None:
        super().__init__(location, reason, is_growing)
        self.location = location
        self.reason = reason
        self.is_growing = is_growing

    def __str__(self) -> str:
        return str(self.location) if self.is_growing else f"{self.location}: {self.reason}"


@dataclass
class InputFile:
    """One file while it is read, and then its line in the manifest.

    `path` is the name for people. `pending` has the events that nobody has taken yet, as SOURCE_COLUMNS and file_id.
    """

    path: str
    stored_path: str
    stat: FileStat
    file_id: str
    sha256: str | None = None
    source: str | None = None
    wrapper: str | None = None
    state: str = "loaded"
    message: str | None = None
    is_damaged: bool = False
    records: int = 0
    emitted: int = 0
    events: int = 0
    quarantined: int = 0
    ignored: int = 0
    ignored_as: Counter[str] = field(default_factory=Counter)
    pending: list[pa.RecordBatch] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)

    @property
    def gave_nothing(self) -> bool:
        """Whether a source recognised it and nothing came of it: no event, none that is known, nothing refused."""
        return self.source is not None and self.state == "loaded" and not self.emitted and not self.quarantined

    @property
    def instead(self) -> str:
        """What was in a file that gave nothing."""
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in self.ignored_as.most_common(_MOST_REASONS))
        return f"{self.source} recognises it, and it gave no event: {reasons or 'no record in it'}"

    def note_damage(self, damage: str | None) -> None:
        """What ended the file early, if anything did."""
        self.message, self.is_damaged = damage, damage is not None

    def take(self, batch: Batch) -> None:
        self.records += batch.n_records
        self.ignored += batch.n_ignored
        self.ignored_as.update(reason for _, reason in batch.ignored)
        self.quarantined += len(batch.quarantined)
        self.emitted += batch.events.num_rows
        if batch.events.num_rows:
            file_id = pa.repeat(self.file_id, batch.events.num_rows)
            self.pending.append(batch.events.append_column("file_id", file_id))
        self.refused += batch.quarantined


@contextmanager
def _losing(location: Location) -> Iterator[None]:
    """An error of the file system says that the file is lost."""
    try:
        yield
    except OSError as error:
        raise LostFile(location, error.strerror or str(error)) from error


def read_file(location: Location, sources: Sequence[Source], options: Options) -> Iterator[InputFile]:
    """The file after each of its batches, so that a large one can be stored in parts; always at least once.

    An archive gives its members so, one after another, and at last itself. Raises LostFile when the file cannot be
    read, or stands otherwise at the end than it was listed.
    """
    wanted = location.members if isinstance(location, SomeMembers) else None
    if location.listed.size <= HELD_BYTES:
        file, content = hold_file(location)
        yield from _read_content(file, FileBytes(content, options), sources, wanted)
        file.sha256 = content.sha256()
    else:
        with _losing(location), location.open() as stream:
            file, hashed = _input_file(location), _Hashed(stream)
            yield from _read_content(file, FileBytes(hashed, options), sources, wanted)
            file.sha256 = hashed.sha256(location.listed.size, options.max_file_bytes)
            _refuse_changed(location)
    yield file


def hold_file(location: Location) -> "tuple[InputFile, HeldFile]":
    """A file of at most HELD_BYTES, read into memory. Raises LostFile."""
    with _losing(location):
        with location.open() as stream:
            data = _read_whole(stream, location.listed.size + 1)
        _refuse_changed(location)
    if len(data) != location.listed.size:
        raise LostFile(location, "still being written", is_growing=True)
    return _input_file(location), HeldFile(data)


def recognise_log(head: bytes, sources: Sequence[Source]) -> Source | None:
    """The source whose log begins with these decompressed bytes; None for an archive and for junk."""
    if is_tar(head):
        return None
    beginning = Head(head)
    return next((source for source in sources if source.recognise(beginning)), None)


def _read_content(
    file: InputFile, bytes_: FileBytes, sources: Sequence[Source], wanted: frozenset[str] | None
) -> Iterator[InputFile]:
    if is_tar(bytes_.head(HEAD_BYTES)):
        yield from _read_archive(file, bytes_, sources, wanted)
    else:
        yield from _read_log(file, bytes_, sources)


def _read_archive(
    archive_file: InputFile, bytes_: FileBytes, sources: Sequence[Source], wanted: frozenset[str] | None
) -> Iterator[InputFile]:
    """The wanted members, all of them where nothing is said."""
    options = bytes_.options
    # A log may be large, an archive of many logs larger; how much it may expand stays limited.
    bytes_.options = replace(options, max_file_bytes=sys.maxsize)
    archive_file.state = "archive"
    archive = Archive(bytes_, options.max_file_bytes)
    for member in archive.members():
        name = f"{archive_file.path}!{member.name}"
        stored = f"{archive_file.stored_path}!{member.name}"
        if wanted is not None and stored not in wanted:
            continue
        file = _file_known_as(name, stored, FileStat(member.size, member.modified_ns))
        yield from _read_member(file, member, sources, options)
        if file.message in (bytes_.damage, EARLY_END):
            file.is_damaged = False  # that is told of the archive
    archive_file.message = archive.damage or f"{archive.n_members} files"
    archive_file.is_damaged = archive.damage is not None


def _read_member(file: InputFile, member: Member, sources: Sequence[Source], options: Options) -> Iterator[InputFile]:
    bytes_ = FileBytes(member, options)
    if member.reason is not None:
        file.state, file.message = "unrecognised", member.reason
    elif is_tar(bytes_.head(HEAD_BYTES)):
        file.state, file.message = "unrecognised", "an archive inside of an archive is not opened"
    else:
        yield from _read_log(file, bytes_, sources)
    try:
        file.sha256 = member.sha256()
    except Damage:
        file.sha256 = None
    yield file


def _read_log(file: InputFile, bytes_: FileBytes, sources: Sequence[Source]) -> Iterator[InputFile]:
    head = bytes_.head(HEAD_BYTES)
    source = recognise_log(head, sources)
    wrapping = find_wrapping(head, sources) if source is None else None
    if source is not None:
        batches = read_bytes(bytes_, source, bytes_.options)
    elif wrapping is not None:
        source, file.wrapper = wrapping.source, wrapping.wrapper or None
        batches = read_wrapped(bytes_, wrapping, sources, bytes_.options)
    else:
        file.state = "unrecognised"
        file.message = bytes_.damage or "no source recognises its content"
        return
    file.source = source.name
    for batch in batches:
        file.take(batch)
        yield file
    file.note_damage(bytes_.damage)


def _input_file(location: Location) -> InputFile:
    return _file_known_as(str(location), location.stored_path, location.listed)


def _file_known_as(path: str, stored_path: str, stat: FileStat) -> InputFile:
    identity = f"{stored_path}\x1f{stat.size}\x1f{stat.modified_ns}"
    file_id = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:32]
    return InputFile(path, stored_path, stat, file_id)


def _read_whole(stream: Stream, most: int) -> bytes:
    data = stream.read(most)
    while len(data) < most and (more := stream.read(most - len(data))):
        data += more
    return data


def _refuse_changed(location: Location) -> None:
    if location.stat() != location.listed:
        raise LostFile(location, "still being written", is_growing=True)


class HeldFile(Openable):
    """A whole file in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self) -> io.BytesIO:
        return io.BytesIO(self._data)

    def sha256(self) -> str:
        return hashlib.sha256(self._data).hexdigest()


class _Hashed(Openable):
    """An open file that is hashed on the way; what is read again after a damage is not hashed again."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._hashed = 0

    def open(self) -> Stream:
        return self

    def read(self, size: int = -1, /) -> bytes:
        at = self._stream.tell()
        data = self._stream.read(size)
        if at + len(data) > self._hashed:
            self._digest.update(memoryview(data)[self._hashed - at :])
            self._hashed = at + len(data)
        return data

    def seek(self, offset: int, /) -> int:
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def __enter__(self) -> "_Hashed":
        return self

    def __exit__(self, *error: object) -> None:
        """Who opened the stream closes it."""

    def sha256(self, size: int, most_unread: int) -> str | None:
        """Of the whole file of `size` bytes, whose end nobody may have read; None where that end is too long to be read
        for this alone, as a hole of a terabyte is, which costs its writer nothing.
        """
        if size - self._hashed > most_unread:
            return None
        self.seek(self._hashed)
        while self.read(1 << 20):
            pass
        return self._digest.hexdigest()
