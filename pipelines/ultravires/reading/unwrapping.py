"""Files whose records came through another system: what is around them is taken off before a source sees them.

Only asked of a file that no source recognises as it is. Its head is unwrapped, and where a source recognises what comes
out the whole file is read so: another charset, headers before each line, an object or a text in an object, the rows of
a table, and any of these in one another. Each record goes to the source that recognises it, so that an export of many
logs is read by all of them; what stands in quarantine, `raw` and every id is the record inside.

What the layers were is the file's `wrapper` in the manifest: a record that applications can write into a wrapper is not
what the vendor delivered itself.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import msgspec

from ultravires.formats.charsets import charset_of, in_utf8
from ultravires.formats.csv_rows import csv_records, header_of
from ultravires.reading.companions import SERVER_LINES, is_server_line
from ultravires.reading.events import Frame, Ignored
from ultravires.reading.exports import members_of
from ultravires.reading.framing import json_records, lines, peek, skip_line
from ultravires.reading.growing import Lines
from ultravires.reading.head import HEAD_BYTES, Head
from ultravires.reading.line_prefixes import JSON
from ultravires.reading.opening import Found, Leftover, Opener, Piece
from ultravires.reading.options import Options
from ultravires.reading.origins import joined
from ultravires.reading.source import Source
from ultravires.reading.splitting import BLANK, BOM, TOO_LONG, broken

UNWRAPPING_VERSION = 3
"""Grows with what can be unwrapped, so that files which nobody recognised are looked at again."""
_TRIED_FRAMES = 200
_MAGIC_BYTES = 16
_LEAST_COLUMNS = 2
_WHOLE = msgspec.json.Decoder(msgspec.Raw)
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\],"]', re.DOTALL)
_QUOTE = b'"'
_CLOSING = {ord("{"): b"}", ord("["): b"]"}
_RECOGNISING = Options(hash_key=b"recognising")


@dataclass(frozen=True)
class Wrapping:
    """How a file is wrapped: the source of its first record, the charset, and the layers in words. There are no layers
    where only so many other lines came first that the head of the file was not enough to recognise it.
    """

    source: Source
    charset: str | None
    wrapper: str

    def records(
        self, chunks: Iterator[bytes], sources: Sequence[Source], options: Options, lines: Lines | None = None
    ) -> Iterator[Frame]:
        """The file's records; offsets are those of what is around a record, in UTF-8. `lines` is how the chunks of a
        file come that may go on.
        """
        if self.charset is not None:
            chunks = in_utf8(chunks, self.charset)
        if self.wrapper == self.charset:
            return self.source.records(chunks, options)
        return _Unwrapper(sources, options, self.source, lines).frames(chunks)


def find_wrapping(head: bytes, sources: Sequence[Source]) -> Wrapping | None:
    """How a file that begins so is wrapped; None where no source recognises anything inside."""
    charset = charset_of(head)
    if charset is not None:
        is_whole = len(head) < HEAD_BYTES
        head = b"".join(in_utf8(iter([head if is_whole else head[:-4]]), charset))
        plain = Head(head)
        if source := next((source for source in sources if source.begins(plain)), None):
            return Wrapping(source, charset, charset)
    first = _first_piece(head, sources)
    if first is None:
        return None
    layers = (*((charset,) if charset else ()), *(layer.partition(":")[0] for layer in first.layers))
    return Wrapping(first.source, charset, " > ".join(dict.fromkeys(layers)))


def _first_piece(head: bytes, sources: Sequence[Source]) -> Piece | None:
    """The first record inside a head, which may be cut off anywhere."""
    start = head.removeprefix(BOM).lstrip(BLANK)
    if not start or b"\x00" in start[:_MAGIC_BYTES]:
        return None
    tried = [start]
    is_cut = len(head) >= HEAD_BYTES - len(BOM) and start[:1] in (b"{", b"[")
    if is_cut and members_of(start.partition(b"\n")[0]) is None:
        tried.append(_closed(start))
    for data in tried:
        found = _Unwrapper(sources, _RECOGNISING, None).found(iter([data]))
        pieces = (piece for _, piece in islice(found, _TRIED_FRAMES) if type(piece) is Piece)
        if piece := next(pieces, None):
            return piece
    return None


def _closed(head: bytes) -> bytes:
    """A cut-off document, ended behind its last whole value."""
    open_at: list[int] = []
    still_open: tuple[int, ...] = ()
    end = 0
    for token in _TOKEN.finditer(head):
        mark = head[token.start()]
        if token.group() == _QUOTE:
            break
        if mark in _CLOSING:
            open_at.append(mark)
        elif mark in b"}]":
            if not open_at:
                break
            open_at.pop()
        elif mark == ord(","):
            end, still_open = token.start(), tuple(open_at)
    return head[:end] + b"".join(_CLOSING[mark] for mark in reversed(still_open))


class _Unwrapper:
    """Takes one file's wrappers off. `main` is the source of its first record, None while that is looked for."""

    def __init__(
        self, sources: Sequence[Source], options: Options, main: Source | None, lines: Lines | None = None
    ) -> None:
        self._opener = Opener(sources, main, options.max_record_bytes)
        self._options = options
        self._main = main
        self._lines = lines

    def frames(self, chunks: Iterator[bytes]) -> Iterator[Frame]:
        """The records of all sources in the order of the file; what is none of them comes between."""
        aside: list[Frame] = []
        pieces = self._pieces(chunks, aside)
        piece = next(pieces, None)
        while piece is not None:
            run = _Run(piece, pieces)
            for frame in run.source.records(run.lines(), self._options):
                offset, outer = run.origin_of(frame.offset)
                place = joined(outer, frame.place)
                yield frame._replace(offset=offset, reader=run.source.name, place=place)
                yield from _drained(aside)
            piece = run.next_piece()
        yield from aside

    def _pieces(self, chunks: Iterator[bytes], aside: list[Frame]) -> "Iterator[tuple[int, Piece]]":
        for offset, found in self.found(chunks):
            if type(found) is Piece:
                yield offset, found
                continue
            left: Leftover = found  # type: ignore[assignment]
            if self._main is not None and left.names and self._is_for(self._main, left):
                yield offset, Piece(left.data, self._main, left.layers)
            else:
                aside.append(broken(offset, left.data, left.reason))

    def _is_for(self, source: Source, left: Leftover) -> bool:
        """Whether something that no source recognises by itself belongs to the file's source all the same: because that
        reads it, or because it has most of its members in common with the records before, and is to be refused.
        """
        if 2 * len(left.names & self._opener.known) >= len(left.names):
            return True
        frames = source.records(iter([left.data]), self._options)
        try:
            return any(frame.reason is None and any(source.read(frame.value, self._options)) for frame in frames)
        except Exception:  # as in reading: what stumbles over it does not read it
            return False

    def found(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, Found]]:
        """Everything in the file with its offset, opened as far as it goes."""
        head, chunks = peek(chunks)
        start = head.removeprefix(BOM).lstrip(BLANK)
        if JSON.match(start):
            of_file = self._of_json
        else:
            of_file = self._of_table if len(header_of(start)) >= _LEAST_COLUMNS else self._of_lines
        end = 0
        for end, one in of_file(chunks):
            yield end, one
        if self._lines is not None and self._opener.parts.waiting:
            self._lines.is_unfinished = not self._lines.is_ended
            if self._lines.is_unfinished:
                return
            end = self._lines.n_bytes
        for parts in self._opener.parts.waiting.values():
            yield end, Leftover(bytes(parts), frozenset(), "record ends early")

    def _of_json(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, Found]]:
        for frame in json_records(chunks, self._options, decode=_identity):
            if frame.reason is not None:
                yield frame.offset, self._refused(frame)
            else:
                for one in self._opener.opened(frame.data):
                    yield frame.offset, one

    def _refused(self, frame: Frame) -> Leftover:
        if is_server_line(frame.data):
            return Leftover(frame.data, frozenset(), Ignored(SERVER_LINES))
        return Leftover(frame.data, frozenset(), frame.reason or "")

    def _of_table(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, Found]]:
        for frame in csv_records(chunks, self._options):
            if frame.reason is not None:
                yield frame.offset, self._refused(frame)
                continue
            cells = {name: value for name, value in frame.value.items() if value != ""}
            for one in self._opener.of_cells(cells):
                yield frame.offset, one

    def _of_lines(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, Found]]:
        limit, offset, is_at_end = self._options.max_record_bytes, 0, False
        while not is_at_end:
            is_at_end = True
            for at, line, is_whole in lines(chunks, limit, offset):
                if is_whole:
                    for one in self._opener.of_line(line.removeprefix(BOM).rstrip(BLANK)):
                        yield at, one
                    continue
                yield at, Leftover(line, frozenset(), f"{TOO_LONG} {limit} bytes")
                offset, chunks = skip_line(at + len(line), chunks)
                is_at_end = False


class _Run:
    """Pieces of one source that follow one another, read by it as if they were the lines of a file."""

    def __init__(self, first: tuple[int, Piece], pieces: Iterator[tuple[int, Piece]]) -> None:
        self.source = first[1].source
        self._next: tuple[int, Piece] | None = first
        self._pieces = pieces
        self._starts = array("q")
        self._offsets = array("q")
        self._places: list[str | None] = []
        self._size = 0

    def lines(self) -> Iterator[bytes]:
        while self._next is not None and self._next[1].source is self.source:
            offset, piece = self._next
            self._starts.append(self._size)
            self._offsets.append(offset)
            self._places.append(_place_of(piece.layers))
            self._size += len(piece.data) + 1
            yield piece.data + b"\n"
            self._next = next(self._pieces, None)

    def origin_of(self, start: int) -> tuple[int, str | None]:
        """Where in the file the line is that starts here or before, and in which layers."""
        nth = max(bisect_right(self._starts, start) - 1, 0)
        return self._offsets[nth], self._places[nth]

    def next_piece(self) -> tuple[int, Piece] | None:
        """The first piece of the next run. What the source did not ask for is passed over, as its records end there."""
        for _ in self.lines():
            continue
        return self._next


@lru_cache(maxsize=4096)
def _place_of(layers: tuple[str, ...]) -> str | None:
    return joined(*layers)


def _drained(aside: list[Frame]) -> list[Frame]:
    found = aside.copy()
    aside.clear()
    return found


def _identity(data: bytes) -> bytes:
    """What is opened here stays text, but has to be JSON."""
    _WHOLE.decode(data)
    return data
