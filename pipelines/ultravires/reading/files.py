"""Reads one file with one source into Arrow batches; what cannot be read goes to quarantine, and the file
goes on.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from ultravires.formats.decompressing import FileBytes
from ultravires.reading.events import Frame
from ultravires.reading.framing import peek
from ultravires.reading.growing import Lines
from ultravires.reading.head import Head
from ultravires.reading.mixing import row_builder
from ultravires.reading.options import Options
from ultravires.reading.origins import ANYWHERE, FileOrigin
from ultravires.reading.rows import MAX_ROWS, Batch, Quarantined, RowBuilder
from ultravires.reading.source import Source
from ultravires.reading.unwrapping import Wrapping

__all__ = ["Batch", "Quarantined", "batches", "read", "recognise"]

MAX_RAW_BYTES = 32 << 20
_RECOGNISING = Options(hash_key=b"recognising")


def recognise(path: Path, sources: Sequence[Source]) -> Source | None:
    """The source whose log this file holds, judged by its first 64 KB decompressed; None for junk or
    unreadable.
    """
    try:
        head, _ = peek(FileBytes(path, _RECOGNISING).chunks())
    except OSError:
        return None
    beginning = Head(head)
    return next((source for source in sources if source.begins(beginning)), None)


def read(path: Path, source: Source, options: Options) -> Iterator[Batch]:
    """Batches of at most 20,000 events or about 32 MB of records. Raises OSError where the file cannot be
    read.
    """
    yield from read_bytes(FileBytes(path, options), source, options)


def read_bytes(
    file: FileBytes,
    source: Source,
    options: Options,
    origin: FileOrigin = ANYWHERE,
    *,
    lines: Lines | None = None,
    builder: RowBuilder | None = None,
) -> Iterator[Batch]:
    """As `read`, of a file whose beginning may have been looked at already. `lines` says how it is read on, and
    `builder` what the records before were.
    """
    if lines is None:
        frames = source.records(file.chunks(), options)
    else:
        frames = lines.frames(source.records(lines.chunks(file.chunks()), options))
    yield from batches(chain(frames, _damage(file)), source, options, origin, builder=builder)


def read_wrapped(
    file: FileBytes,
    wrapping: Wrapping,
    sources: Sequence[Source],
    options: Options,
    origin: FileOrigin = ANYWHERE,
    *,
    lines: Lines | None = None,
    builder: RowBuilder | None = None,
) -> Iterator[Batch]:
    """As `read_bytes`, of a file whose records came through another system."""
    if lines is None:
        frames = wrapping.records(file.chunks(), sources, options)
    else:
        frames = lines.frames(wrapping.records(lines.chunks(file.chunks()), sources, options, lines))
    yield from batches(chain(frames, _damage(file)), wrapping.source, options, origin, builder=builder, is_wrapped=True)


def _damage(file: FileBytes) -> Iterator[Frame]:
    """One more frame for what ended the file early; evaluated when all others are through."""
    if file.damage:
        yield Frame(file.size, b"", None, file.damage)


def batches(
    frames: Iterable[Frame],
    source: Source,
    options: Options,
    origin: FileOrigin = ANYWHERE,
    *,
    is_wrapped: bool = False,
    builder: RowBuilder | None = None,
) -> Iterator[Batch]:
    """Frames of one file to batches; record numbers start at 1, or where the `builder` says. `origin` is what is bound
    in that file, where there is no builder that knows.
    """
    builder = builder or row_builder(source, options, origin, is_wrapped=is_wrapped)
    for record_no, frame in enumerate(frames, builder.n_before + 1):
        rows = builder.rows
        # a record that begins a batch always fits
        if rows.n_records and (
            rows.n_raw_bytes + len(frame.data) > MAX_RAW_BYTES
            or rows.n_records >= MAX_ROWS
            or len(rows.events) >= MAX_ROWS
        ):
            yield builder.batch()
        builder.add(record_no, frame)
    if builder.rows.n_records:
        yield builder.batch()
