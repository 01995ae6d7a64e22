"""How a file's bytes fall into records: newline JSON, one array, `{"Records": [...]}`, pretty-printed
documents.

Every byte ends in a record or in a Frame with a reason, except white space and the punctuation between
records.
"""

from collections.abc import Iterator
from itertools import chain

from ultravires.reading.events import Frame
from ultravires.reading.head import HEAD_BYTES
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.splitting import Decode, Splitter, broken, decode_object, is_spread_over_lines


def json_records(
    chunks: Iterator[bytes], options: Options, arrays: tuple[str, ...] = (), decode: Decode = decode_object
) -> Iterator[Frame]:
    """Decompressed chunks of a file to its records in order.

    A record is a line, an element of a top-level array, an element of an array named in `arrays` of a top-level
    object, or a pretty-printed object. `decode` turns a record's bytes into its value.
    """
    splitter = Splitter(arrays, decode, options.max_record_bytes)
    head, chunks = peek(chunks)
    if is_spread_over_lines(head):
        yield from splitter.stream(chunks, 0)
        return
    offset, is_at_end = 0, False
    while not is_at_end:
        is_at_end = True
        for at, line, is_whole in lines(chunks, splitter.limit, offset):
            if is_whole:
                yield from splitter.line(at, line)
            elif splitter.is_document(line):
                yield from splitter.stream(chain([line], chunks), at)
            else:
                yield broken(at, line, splitter.too_long)
                offset, chunks = skip_line(at + len(line), chunks)
                is_at_end = False


def peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first HEAD_BYTES of a file, and all of its chunks again."""
    first, size = [], 0
    for chunk in chunks:
        first.append(chunk)
        size += len(chunk)
        if size >= HEAD_BYTES:
            break
    return b"".join(first)[:HEAD_BYTES], chain(first, chunks)


def lines(chunks: Iterator[bytes], limit: int, offset: int = 0) -> Iterator[tuple[int, bytes, bool]]:
    """(offset, line, is_whole) of each line. A line beyond `limit` bytes comes as far as it was read, and
    ends it.
    """
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            line = b"".join((*waiting, chunk[start:end])) if waiting else chunk[start:end]
            waiting, size = [], 0
            yield offset, line, True
            offset += len(line) + 1
            start = end + 1
        if start < len(chunk):
            waiting.append(chunk[start:])
            size += len(chunk) - start
        if size > limit:
            yield offset, b"".join(waiting), False
            return
    if waiting:
        yield offset, b"".join(waiting), True


def skip_line(offset: int, chunks: Iterator[bytes]) -> tuple[int, Iterator[bytes]]:
    """Drops what is left of a line; returns where the next one starts, and the chunks from there."""
    for chunk in chunks:
        end = chunk.find(b"\n")
        if end >= 0:
            return offset + end + 1, chain([chunk[end + 1 :]], chunks)
        offset += len(chunk)
    return offset, iter(())


def frames_of(data: bytes, damage: str | None, source: Source, options: Options) -> Iterator[Frame]:
    """The records of a whole file in memory, and one more frame for what ended it early."""
    frames = source.records(iter([data]), options)
    return chain(frames, [Frame(len(data), b"", None, damage)]) if damage else frames
