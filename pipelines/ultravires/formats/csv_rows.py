"""CSV with a header (RFC 4180) as records: each row an object of the header's names, with its bytes and their offset.

What is between the cells the header says: a comma, or what a spreadsheet writes where a comma is in numbers.

Every row ends in a record or in a Frame with a reason; only blank lines and the header are neither. A quote that is
never closed costs the line it stands in, not the rest of the file.
"""

import csv
import re
from collections.abc import Iterable, Iterator

from ultravires.reading.events import Frame
from ultravires.reading.options import Options

_BOM = b"\xef\xbb\xbf"
_KEPT_BYTES = 64 * 1024
_QUOTE = b'"'
_DELIMITERS = ",;\t"
"""None of them is in a name, so one header is told by one of them only."""
_SAID = re.compile(rb'"?sep=[,;\t]"?\s*')
"""The line before the header in which Excel says what is between the cells."""
_NAME = re.compile(r"[A-Za-z_@][\w. @/:()\[\]-]*")

Line = tuple[int, bytes, bool]
"""Offset, bytes with the line break, and whether they are a whole line."""


def csv_records(chunks: Iterable[bytes], options: Options) -> Iterator[Frame]:
    """Decompressed chunks of a CSV file to its rows in order; the first row names the members.

    Where the first row is no header, it and all behind it are put aside: any other row would give wrong names.
    """
    limit = options.max_record_bytes
    names: list[str] | None = None
    delimiter = _DELIMITERS[0]
    for offset, data, reason in _rows(_lines(chunks, limit), limit):
        if names is None:
            if _SAID.fullmatch(data.removeprefix(_BOM)):
                continue
            delimiter = _delimiter_of(data.removeprefix(_BOM))
        cells, problem = ([], reason) if reason else _cells(data if names else data.removeprefix(_BOM), delimiter)
        if names is None:
            names = _names(cells)
            if names:
                continue
        problem = problem or ("no header" if not names else None)
        if problem is None and len(cells) > len(names):
            problem = "more cells than the header has names"
        if problem is None:
            yield Frame(offset, data, dict(zip(names, cells, strict=False)))
        else:
            yield Frame(offset, data[:_KEPT_BYTES], None, problem)


def header_of(head: bytes) -> frozenset[str]:
    """The names in the first line of a CSV file; empty where it is no header."""
    first, _, others = head.removeprefix(_BOM).lstrip().partition(b"\n")
    header = others.partition(b"\n")[0] if _SAID.fullmatch(first) else first
    return frozenset(_names(_cells(header, _delimiter_of(header))[0]))


def _delimiter_of(header: bytes) -> str:
    several = (each for each in _DELIMITERS if len(_names(_cells(header, each)[0])) > 1)
    return next(several, _DELIMITERS[0])


def _names(cells: list[str]) -> list[str]:
    """The names of a header; empty where a cell is none, or one name stands twice."""
    names = [cell.strip() for cell in cells]
    is_header = all(map(_NAME.fullmatch, names)) and len(set(names)) == len(names)
    return names if is_header else []


def _cells(data: bytes, delimiter: str) -> tuple[list[str], str | None]:
    """The cells of one row, or why it has none."""
    if b"\x00" in data:
        return [], "NUL bytes"
    try:
        rows = list(csv.reader([data.decode("utf-8")], delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        return [], "invalid UTF-8"
    except csv.Error:
        return [], "not CSV"
    return (rows[0], None) if len(rows) == 1 else ([], "not CSV")


def _rows(lines: Iterable[Line], limit: int) -> Iterator[tuple[int, bytes, str | None]]:
    """(offset, bytes, reason) of each row: a line, or several where a quoted cell holds line breaks."""
    held: list[Line] = []
    size, is_quoted = 0, False
    for offset, line, is_whole in lines:
        if not held and not line.strip():
            continue
        held.append((offset, line, is_whole))
        size += len(line)
        is_quoted ^= bool(line.count(_QUOTE) % 2)
        if not is_whole or size > limit:
            yield held[0][0], _joined(held), f"record is longer than {limit} bytes"
        elif not is_quoted:
            yield held[0][0], _joined(held), None
        else:
            continue
        held, size, is_quoted = [], 0, False
    if held:
        (offset, line, _), *others = held
        yield offset, line.rstrip(b"\r\n"), "a quote is not closed"
        yield from _rows(others, limit)


def _joined(held: list[Line]) -> bytes:
    return b"".join(line for _, line, _ in held).rstrip(b"\r\n")


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[Line]:
    """The lines of a file; one beyond `limit` comes in pieces."""
    waiting: list[bytes] = []
    offset = size = 0
    is_broken = False
    for piece in _pieces(chunks):
        waiting.append(piece)
        size += len(piece)
        is_end = piece.endswith(b"\n")
        if is_end or size > limit:
            is_broken = is_broken or not is_end
            yield offset, b"".join(waiting), not is_broken
            offset, waiting, size = offset + size, [], 0
            is_broken = is_broken and not is_end
    if waiting:
        yield offset, b"".join(waiting), not is_broken


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut at line feeds alone: a carriage return that stands alone is a part of its cell."""
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            yield piece + b"\n"
        if rest:
            yield rest
