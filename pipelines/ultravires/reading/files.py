"""Reads one file with one source into Arrow batches; what cannot be read goes to quarantine, and the file
goes on.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from ultravires.formats.decompressing import FileBytes
from ultravires.reading.by_column import ColumnReader, Text, reads_by_column
from ultravires.reading.framing import is_spread_over_lines, peek, whole_lines
from ultravires.reading.head import HEAD_BYTES, Head
from ultravires.reading.mixing import row_builder
from ultravires.reading.rows import MAX_ROWS, Batch, Quarantined, RowBuilder, Rows
from ultravires.reading.source import Frame, Options, Source
from ultravires.reading.splitting import BLANK

__all__ = ["Batch", "Quarantined", "batches", "read", "recognise"]

MAX_RAW_BYTES = 32 << 20
PIECE_BYTES = 16 << 20
"""What is read by the column at once."""
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
    return next((source for source in sources if source.recognise(beginning)), None)


def read(path: Path, source: Source, options: Options) -> Iterator[Batch]:
    """Batches of at most 20,000 events or about 32 MB of records. Raises OSError where the file cannot be
    read.
    """
    yield from read_bytes(FileBytes(path, options), source, options)


def read_bytes(file: FileBytes, source: Source, options: Options) -> Iterator[Batch]:
    """As `read`, of a file whose beginning may have been looked at already."""
    if reads_by_column(source, options) and _is_in_lines(file.head(HEAD_BYTES)):
        yield from _read_by_column(file, source, options)
        return
    frames = source.records(file.chunks(), options)
    yield from batches(chain(frames, _damage(file)), source, options)


def _is_in_lines(head: bytes) -> bool:
    """Whether each line of the file that begins so is read for itself."""
    return head.lstrip(BLANK)[:1] in (b"{", b"[") and not is_spread_over_lines(head)


def _read_by_column(file: FileBytes, source: Source, options: Options) -> Iterator[Batch]:
    """The lines of a file in pieces; a piece that is not plain, and all from a line on that is larger than a piece, as
    any other source's.
    """
    builder = row_builder(source, options)
    reader, number = ColumnReader(source, options, builder), 1
    for piece in whole_lines(file.chunks(), PIECE_BYTES):
        damage = file.damage if piece.is_last else None
        read = reader.read([Text(piece.data, damage, piece.offset)] if piece.rest is None else [])
        if piece.rest is None and read.is_plain(0):
            number = read.number(0, number)
            for events in read.events():
                yield Batch(events, [], events.num_rows)
            if builder.rows.n_records:
                yield builder.batch()
            continue
        frames = _moved(source.records(chain([piece.data], piece.rest or ()), options), piece.offset)
        is_end = piece.is_last or piece.rest is not None
        for batch in _batches(chain(frames, _damage(file)) if is_end else frames, builder, number):
            number += batch.n_records
            yield batch


def _moved(frames: Iterator[Frame], offset: int) -> Iterator[Frame]:
    return (frame._replace(offset=offset + frame.offset) for frame in frames)


def _damage(file: FileBytes) -> Iterator[Frame]:
    """One more frame for what ended the file early; evaluated when all others are through."""
    if file.damage:
        yield Frame(file.size, b"", None, file.damage)


def batches(frames: Iterable[Frame], source: Source, options: Options) -> Iterator[Batch]:
    """Frames of one file to batches; record numbers start at 1."""
    return _batches(frames, row_builder(source, options), 1)


def _batches(frames: Iterable[Frame], builder: RowBuilder, first_no: int) -> Iterator[Batch]:
    for record_no, frame in enumerate(frames, first_no):
        if builder.rows.n_records and _is_full(builder.rows, len(frame.data)):
            yield builder.batch()
        builder.add(record_no, frame)
    if builder.rows.n_records:
        yield builder.batch()


def _is_full(rows: Rows, next_bytes: int) -> bool:
    n_rows = max(len(rows.events), rows.n_records)
    return n_rows >= MAX_ROWS or rows.n_raw_bytes + next_bytes > MAX_RAW_BYTES
