"""One file of the input, read: what it holds as batches, and how it stood when it was read.

A small file is read into memory once, where it is hashed, recognised and read; a large one is hashed as it streams by.
Each member of a tar archive is a file of its own.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pyarrow as pa

from ultravires.formats.decompressing import Damage, FileBytes
from ultravires.formats.tar_members import EARLY_END, Archive, Member, is_tar
from ultravires.reading.file_content import CappedFile, HashedFile, HeldFile, read_whole
from ultravires.reading.files import Batch, Quarantined, read_bytes, read_wrapped
from ultravires.reading.growing import (
    Before,
    Lines,
    LinesRead,
    ReadAnew,
    ReadOn,
    Unlike,
    falls_into_lines,
    is_one_document,
    is_settled,
    packed_counts,
    unpacked_counts,
)
from ultravires.reading.head import HEAD_BYTES, Head, long_head
from ultravires.reading.locations import FileStat, Location, SomeMembers
from ultravires.reading.mixing import row_builder
from ultravires.reading.options import Options
from ultravires.reading.rows import RowBuilder
from ultravires.reading.source import Source
from ultravires.reading.unwrapping import Wrapping, find_wrapping

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
    captured: str | None = None
    """What the file beside it says of when it was taken."""
    lines: LinesRead | None = None
    """How far it was read, where more lines can follow."""
    before: Before | None = None
    """What was read of it in an earlier run; the counts are of what is read now."""
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
    if isinstance(location, ReadOn):
        yield from _read_on(location, sources, options)
        return
    wanted = location.members if isinstance(location, SomeMembers) else None
    if location.listed.size <= HELD_BYTES:
        file, content = hold_file(location)
        yield from _read_content(file, FileBytes(content, options), sources, wanted)
        file.sha256 = content.sha256()
        refuse_unready(location, file, is_changed=content.is_changed)
    else:
        with _losing(location), location.open() as stream:
            file, hashed = _input_file(location), HashedFile(stream, location.listed.size)
            yield from _read_content(file, FileBytes(hashed, options), sources, wanted)
            file.sha256 = hashed.sha256(location.listed.size, options.max_file_bytes)
            refuse_unready(location, file, is_changed=location.stat() != location.listed)
    yield file


def _read_on(location: ReadOn, sources: Sequence[Source], options: Options) -> Iterator[InputFile]:
    """What follows behind what was read before."""
    before, file = location.before, _input_file(location)
    file.file_id, file.before = before.file_id, before
    with _losing(location), location.open() as stream:
        bytes_ = FileBytes(CappedFile(stream, location.listed.size), options)
        source = next(source for source in sources if source.name == before.source)
        wrapping = Wrapping(source, None, before.wrapper or "") if before.lines.is_wrapped else None
        try:
            yield from _read_lines(file, bytes_, source, wrapping, sources)
        except Unlike as error:
            raise _growing(location) from error
    file.sha256 = file.lines.sha256 if file.lines else None
    file.note_damage(bytes_.damage)
    yield file


def hold_file(location: Location) -> "tuple[InputFile, HeldFile]":
    """A file of at most HELD_BYTES, read into memory. Raises LostFile."""
    with _losing(location):
        with location.open() as stream:
            data = read_whole(stream, location.listed.size)
        is_changed = location.stat() != location.listed
    if len(data) != location.listed.size:
        raise _growing(location)
    return _input_file(location), HeldFile(data, is_changed)


def refuse_unready(location: Location, file: InputFile, *, is_changed: bool) -> None:
    """A file may have been written on while it was read, if what follows can be read later and something was there to
    read. Raises LostFile.
    """
    if is_changed if file.lines is None else file.lines.is_unfinished and not file.lines.n_bytes:
        raise _growing(location)


def recognise_log(head: bytes, sources: Sequence[Source], size: int = HEAD_BYTES) -> Source | None:
    """The source whose log begins with these decompressed bytes, of which `size` are looked at; None for an archive and
    for junk.
    """
    if is_tar(head):
        return None
    beginning = Head(head, size)
    return next((source for source in sources if source.begins(beginning)), None)


def _recognised(head: bytes, sources: Sequence[Source]) -> tuple[Source | None, Wrapping | None]:
    """The source of a file that begins so, or how it is wrapped."""
    source = recognise_log(head, sources, max(len(head), HEAD_BYTES))
    return source, find_wrapping(head, sources) if source is None else None


def is_recognised_as(head: bytes, before: Before, sources: Sequence[Source]) -> bool:
    """Whether a file that begins so now is of the source that a shorter beginning of it was recognised as."""
    if before.lines.n_bytes >= HEAD_BYTES:
        return True
    source, wrapping = _recognised(head[:HEAD_BYTES], sources)
    found = wrapping.source if wrapping is not None else source
    return found is not None and (found.name, wrapping is not None) == (before.source, before.lines.is_wrapped)


def _read_content(
    file: InputFile, bytes_: FileBytes, sources: Sequence[Source], wanted: frozenset[str] | None
) -> Iterator[InputFile]:
    if is_tar(bytes_.head(HEAD_BYTES)):
        yield from _read_archive(file, bytes_, sources, wanted)
    else:
        yield from _read_log(file, bytes_, sources, can_grow=True)


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
        file.captured = archive_file.captured
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


def _read_log(
    file: InputFile, bytes_: FileBytes, sources: Sequence[Source], *, can_grow: bool = False
) -> Iterator[InputFile]:
    head = bytes_.head(HEAD_BYTES)
    source, wrapping = _recognised(head, sources)
    if source is None and wrapping is None and len(head) == HEAD_BYTES:
        longer = long_head(bytes_.head, bytes_.options.max_record_bytes)
        source, wrapping = _recognised(longer, sources)
    if wrapping is not None:
        source, file.wrapper = wrapping.source, wrapping.wrapper or None
    if source is None:
        file.state = "unrecognised"
        file.message = bytes_.damage or "no source recognises its content"
        return
    if can_grow and not bytes_.is_packed and falls_into_lines(head, is_wrapped=wrapping is not None):
        yield from _read_lines(file, bytes_, source, wrapping, sources)
    else:
        yield from _read_batches(file, bytes_, source, wrapping, sources)
    file.note_damage(bytes_.damage)


def _read_lines(
    file: InputFile, bytes_: FileBytes, source: Source, wrapping: Wrapping | None, sources: Sequence[Source]
) -> Iterator[InputFile]:
    """A file to which lines are added. Raises Unlike where it does not begin as it did before."""
    head, before = bytes_.head(HEAD_BYTES), file.before.lines if file.before else None
    lines = lines_of(file.stat, head, before, source, bytes_.options, is_wrapped=wrapping is not None)
    origin = bytes_.options.origins.of_file(file.stored_path)
    builder = row_builder(source, bytes_.options, origin, is_wrapped=wrapping is not None)
    if file.before is not None:
        builder.n_before = file.before.n_records - file.before.lines.n_behind
        builder.remember(unpacked_counts(file.before.lines.counts))
    yield from _read_batches(file, bytes_, source, wrapping, sources, lines=lines, builder=builder)
    counts = packed_counts(builder.counts().get(0, {}))
    file.lines = lines.read(head, is_wrapped=wrapping is not None, counts=counts)


def lines_of(
    stat: FileStat, head: bytes, before: LinesRead | None, source: Source, options: Options, *, is_wrapped: bool
) -> Lines:
    """How a file that begins so is read line by line. One that has no whole line, and holds many records in its only
    one, was delivered: what is there of it is read.
    """
    is_ended = is_settled(stat) or (is_one_document(head) and b"\n" not in head)
    reads_all_again = is_wrapped or source.joins_lines
    return Lines(before, is_ended=is_ended, limit=options.max_record_bytes, reads_all_again=reads_all_again)


def _read_batches(
    file: InputFile,
    bytes_: FileBytes,
    source: Source,
    wrapping: Wrapping | None,
    sources: Sequence[Source],
    *,
    lines: Lines | None = None,
    builder: RowBuilder | None = None,
) -> Iterator[InputFile]:
    file.source = source.name
    origin = bytes_.options.origins.of_file(file.stored_path)
    options = dated_by(file, source, bytes_.options)
    if wrapping is None:
        batches = read_bytes(bytes_, source, options, origin, lines=lines, builder=builder)
    else:
        batches = read_wrapped(bytes_, wrapping, sources, options, origin, lines=lines, builder=builder)
    for batch in batches:
        file.take(batch)
        yield file


def dated_by(file: InputFile, source: Source, options: Options) -> Options:
    """The options with what the file itself may say to its source."""
    return replace(options, path=file.stored_path, captured=file.captured) if source.dated_by_file else options


def _input_file(location: Location) -> InputFile:
    generation = location.generation if isinstance(location, ReadAnew) else 0
    file = _file_known_as(str(location), location.stored_path, location.listed, generation)
    file.captured = location.captured
    return file


def _file_known_as(path: str, stored_path: str, stat: FileStat, generation: int = 0) -> InputFile:
    return InputFile(path, stored_path, stat, file_id_of(stored_path, stat, generation))


def file_id_of(stored_path: str, stat: FileStat, generation: int = 0) -> str:
    """The id of what a path holds: the `generation`-th content under it that has this size and time."""
    identity = f"{stored_path}\x1f{stat.size}\x1f{stat.modified_ns}" + (f"\x1f{generation}" if generation else "")
    return hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:32]


def _growing(location: Location) -> LostFile:
    return LostFile(location, "still being written", is_growing=True)
