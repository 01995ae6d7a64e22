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
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from ultravires import registry
from ultravires.formats.charsets import charset_of, in_utf8
from ultravires.formats.csv_rows import csv_records, header_of
from ultravires.reading.companions import SERVER_LINES, is_server_line, is_server_object
from ultravires.reading.dotted_names import DOTTED_NAMES, nested
from ultravires.reading.events import Frame, Ignored
from ultravires.reading.exports import CONTAINER, Members, elements_of, kept_in, members_of
from ultravires.reading.framing import json_records, lines, peek, skip_line
from ultravires.reading.growing import Lines
from ultravires.reading.head import HEAD_BYTES, Head
from ultravires.reading.line_prefixes import JSON, without_prefix
from ultravires.reading.options import Options
from ultravires.reading.origins import LOG_ANALYTICS, joined, stated
from ultravires.reading.source import Source
from ultravires.reading.splitting import BLANK, BOM, TOO_LONG, broken, reason_of
from ultravires.reading.typed_cells import record_of_cells
from ultravires.reading.values import text as text_of

UNWRAPPING_VERSION = 3
"""Grows with what can be unwrapped, so that files which nobody recognised are looked at again."""
OTHER_LOG = "a record of another log"
OTHER_LINE = "a line of another program"
NO_RECORD = "nothing of a log that is read"
_MOST_LAYERS = 5
_TRIED_FRAMES = 200
_MOST_NAMES = 2_000
_MOST_SHAPES = 200
_MAGIC_BYTES = 16
_TRIED_OF_A_HEAD, _TRIED_OF_A_FILE = 10, 1_000
_LEAST_COLUMNS = 2
_TEXT = msgspec.json.Decoder(str)
_VALUE = msgspec.json.Decoder(dict[str, Any])
_WHOLE = msgspec.json.Decoder(msgspec.Raw)
_BYTES = msgspec.json.Decoder(list[int])
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_QUOTED = re.compile(rb'"\s{0,20}[{\[]')
_TEXT_IN_TEXT = "json text"
_NUMBERS = re.compile(rb"\[\s{0,20}\d")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\],"]', re.DOTALL)
_QUOTE = b'"'
_CLOSING = {ord("{"): b"}", ord("["): b"]"}
_RECOGNISING = Options(hash_key=b"recognising")


class Piece(NamedTuple):
    """The JSON text of one record, or of what holds several, and whose it is."""

    data: bytes
    source: Source
    layers: tuple[str, ...]


class Leftover(NamedTuple):
    """What lies in a wrapper and no source recognises, with the members that it has; none where it is no object."""

    data: bytes
    names: frozenset[str]
    reason: str
    layers: tuple[str, ...] = ()


Found = Piece | Leftover


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


@dataclass
class _Parts:
    """Records that a container runtime cut into several lines, as far as they came; by the stream they were on."""

    limit: int
    waiting: dict[bytes, bytearray] = field(default_factory=dict)
    lengths: dict[bytes, int] = field(default_factory=dict)
    """Of the first part of each, which is as long as the runtime lets a line be."""

    def joined(self, stream: bytes, data: bytes, is_part: bool) -> bytes | None:
        """The whole text, None while it goes on."""
        if stream not in self.waiting:
            if not is_part:
                return data
            self.lengths[stream] = len(data)
        held = self.waiting.setdefault(stream, bytearray())
        held += data
        if is_part and len(held) <= self.limit:
            return None
        return bytes(self.waiting.pop(stream))


class _Unwrapper:
    """Takes one file's wrappers off. `main` is the source of its first record, None while that is looked for."""

    def __init__(
        self, sources: Sequence[Source], options: Options, main: Source | None, lines: Lines | None = None
    ) -> None:
        self._lines = lines
        self._sources = sources
        self._options = options
        self._main = main
        self._last = main
        self._known: set[str] = set()
        self._parts = _Parts(options.max_record_bytes)
        self._wrappers: set[frozenset[str]] = set()
        """The members of objects in which records were found."""
        self._unknown: Counter[frozenset[str]] = Counter()
        """How often objects with these members were of no source. Asking all sources takes longer than reading."""
        self._most_tries = _TRIED_OF_A_FILE if main is not None else _TRIED_OF_A_HEAD
        self._renamings = tuple(registry.renamings().values())

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
        if 2 * len(left.names & self._known) >= len(left.names):
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
        if self._lines is not None and self._parts.waiting:
            self._lines.is_unfinished = not self._lines.is_ended
            if self._lines.is_unfinished:
                return
            end = self._lines.n_bytes
        for parts in self._parts.waiting.values():
            yield end, Leftover(bytes(parts), frozenset(), "record ends early")

    def _of_json(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, Found]]:
        for frame in json_records(chunks, self._options, decode=_identity):
            if frame.reason is not None:
                yield frame.offset, self._refused(frame)
            else:
                for one in self._opened(frame.data, (), 0):
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
            for one in self._of_cells(cells):
                yield frame.offset, one

    def _of_cells(self, cells: dict[str, str]) -> list[Found]:
        row = msgspec.json.encode(cells)
        in_cell = self._kept(members_of(row) or {}, ("csv",), 1)
        if in_cell and _holds_piece(in_cell):
            return in_cell
        if piece := self._renamed(row, ("csv",)):
            return [piece]
        return self._object(msgspec.json.encode(record_of_cells(cells)), ("csv",), 1)

    def _of_lines(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, Found]]:
        limit, offset, is_at_end = self._options.max_record_bytes, 0, False
        while not is_at_end:
            is_at_end = True
            for at, line, is_whole in lines(chunks, limit, offset):
                if is_whole:
                    for one in self._of_line(line.removeprefix(BOM).rstrip(BLANK)):
                        yield at, one
                    continue
                yield at, Leftover(line, frozenset(), f"{TOO_LONG} {limit} bytes")
                offset, chunks = skip_line(at + len(line), chunks)
                is_at_end = False

    def _of_line(self, line: bytes) -> list[Found]:
        if not line:
            return []
        prefix = without_prefix(line)
        text = self._parts.joined(prefix.stream, line[prefix.start :], prefix.is_part)
        return [] if text is None else self._text(text, prefix.names, 0)

    def _opened(self, data: bytes, layers: tuple[str, ...], depth: int) -> list[Found]:
        """What a JSON value holds: an object, a text with an object, or several of them."""
        start = data[:1]
        if start == b"{":
            return self._object(data, layers, depth)
        if start == b'"':
            try:
                return self._text(_TEXT.decode(data).encode(), layers, depth)
            except _UNDECODABLE as error:
                return [Leftover(data, frozenset(), reason_of(error, data))]
        if _NUMBERS.match(data):
            return self._text(_text_of_numbers(data), layers, depth)
        elements = elements_of(data) if start == b"[" else None
        if elements is None or depth >= _MOST_LAYERS:
            return [Leftover(data, frozenset(), Ignored(NO_RECORD))]
        return [one for element in elements for one in self._opened(bytes(element), layers, depth + 1)]

    def _text(self, text: bytes, layers: tuple[str, ...], depth: int) -> list[Found]:
        """A text that was the message of something: a record, perhaps behind the headers of its line."""
        text = text.strip(BLANK)
        if not JSON.match(text):
            prefix = without_prefix(text)
            text, layers = text[prefix.start :], (*layers, *prefix.names)
            if depth < _MOST_LAYERS and (inside := _text_in_text(text)):
                return self._text(inside, (*layers, _TEXT_IN_TEXT), depth + 1)
            if not JSON.match(text):
                reason = SERVER_LINES if is_server_line(text) else OTHER_LINE
                return [Leftover(text, frozenset(), Ignored(reason))]
        if b"\n" in text or b"\r" in text:
            try:
                text = msgspec.json.format(text, indent=-1)
            except _UNDECODABLE as error:
                several = text.splitlines()
                if len(several) == 1 or depth >= _MOST_LAYERS:
                    return [Leftover(text, frozenset(), reason_of(error, text))]
                return [one for line in several for one in self._text(line, layers, _MOST_LAYERS)]
        if text[:1] == b"[" and not _is_json(text):
            return [Leftover(text, frozenset(), _why_broken(text))]
        return self._opened(text, layers, depth)

    def _object(self, data: bytes, layers: tuple[str, ...], depth: int) -> list[Found]:
        members = members_of(data)
        if members is None:
            return [Leftover(data, frozenset(), _why_broken(data))]
        names = frozenset(members)
        is_wrapper = names in self._wrappers and depth < _MOST_LAYERS
        inside = self._kept(members, layers, depth) if is_wrapper else None
        if inside is not None and (not inside or _holds_piece(inside)):
            return inside
        is_unknown = self._unknown[names] >= self._most_tries
        if not is_unknown and (source := self._source_of(data)):
            if len(self._known) < _MOST_NAMES:
                self._known.update(names)
            return [Piece(data, source, layers)]
        if not is_wrapper and depth < _MOST_LAYERS:
            inside = self._kept(members, layers, depth)
            if inside is not None and (not inside or _holds_piece(inside)):
                if len(self._wrappers) < _MOST_SHAPES:
                    self._wrappers.add(names)
                return inside
        if not is_unknown:
            if piece := self._renamed(data, layers) or self._put_together(data, names, layers):
                return [piece]
            if len(self._unknown) < _MOST_SHAPES:
                self._unknown[names] += 1
        return inside or [self._of_nobody(data, names, layers)]

    def _of_nobody(self, data: bytes, names: frozenset[str], layers: tuple[str, ...]) -> Leftover:
        try:
            is_of_server = is_server_object(_VALUE.decode(data))
        except _UNDECODABLE as error:
            return Leftover(data, names, reason_of(error, data), layers)
        reason = OTHER_LOG if layers else NO_RECORD
        return Leftover(data, names, Ignored(SERVER_LINES if is_of_server else reason), layers)

    def _source_of(self, data: bytes) -> Source | None:
        """Most records are of the log of the record before; no record is recognised by two sources."""
        head = Head(data, len(data))
        if self._last is not None and self._last.begins(head):
            return self._last
        found = next((source for source in self._sources if source.begins(head)), None)
        self._last = found or self._last
        return found

    def _renamed(self, data: bytes, layers: tuple[str, ...]) -> Piece | None:
        """The vendor's record, where an export wrote it in its own words."""
        try:
            value = _VALUE.decode(data)
        except _UNDECODABLE:
            return None
        for renaming in self._renamings:
            record = renaming.record_of(value)
            if record is not None:
                written = msgspec.json.encode(record)
                source = self._source_of(written)
                if source is not None:
                    layer = stated(
                        renaming.name, text_of(value.get("Type")) if renaming.name == LOG_ANALYTICS else None
                    )
                    return Piece(written, source, (*layers, layer))
        return None

    def _put_together(self, data: bytes, names: frozenset[str], layers: tuple[str, ...]) -> Piece | None:
        """The record whose objects were taken apart into names with dots."""
        if not any("." in name for name in names):
            return None
        try:
            written = msgspec.json.encode(nested(_VALUE.decode(data)))
        except _UNDECODABLE:
            return None
        source = self._source_of(written)
        return None if source is None else Piece(written, source, (*layers, DOTTED_NAMES))

    def _kept(self, members: Members, layers: tuple[str, ...], depth: int) -> list[Found] | None:
        """What lies in the first place of an object that holds a record, else in its first place of all. None where it
        has no such place; nothing where a record goes on in the next object.
        """
        first: list[Found] | None = None
        for kept in kept_in(members):
            within = (*layers, stated(kept.name, kept.stated))
            if kept.name == CONTAINER and depth == 0:
                whole = self._container_text(members)
                if whole is None:
                    return []
                inside = self._text(whole, within, depth + 1)
            else:
                inside = [one for text in kept.texts for one in self._opened(text, within, depth + 1)]
            if _holds_piece(inside):
                return inside
            first = inside if first is None else first
        return first

    def _container_text(self, members: Members) -> bytes | None:
        """A line of a container, which a runtime cuts after 16 KB; None while it goes on. Its end is a line break, but
        collectors take that away; then only a line that is as long as the first part of its record goes on.
        """
        try:
            text = _TEXT.decode(members["log"]).encode()
        except _UNDECODABLE:
            return bytes(members["log"])
        stream = bytes(members.get("stream", b""))
        if stream in self._parts.waiting:
            is_part = not text.endswith(b"\n") and len(text) == self._parts.lengths[stream]
        else:
            is_part = not text.endswith(b"\n") and JSON.match(text) is not None and not _is_json(text)
        return self._parts.joined(stream, text, is_part)


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


def _holds_piece(found: list[Found]) -> bool:
    return any(type(one) is Piece for one in found)


def _drained(aside: list[Frame]) -> list[Frame]:
    found = aside.copy()
    aside.clear()
    return found


def _is_json(text: bytes) -> bool:
    return _why_broken(text) == ""


def _why_broken(text: bytes) -> str:
    try:
        _WHOLE.decode(text)
    except _UNDECODABLE as error:
        return reason_of(error, text)
    return ""


def _text_of_numbers(data: bytes) -> bytes:
    """journald writes a message with odd characters as a list of its bytes."""
    try:
        return bytes(_BYTES.decode(data))
    except (*_UNDECODABLE, ValueError):
        return b""


def _text_in_text(text: bytes) -> bytes | None:
    """What is written as a JSON text, where that is a record or several: `jq` prints members so."""
    if not _QUOTED.match(text):
        return None
    try:
        return _TEXT.decode(text).encode()
    except _UNDECODABLE:
        return None


def _identity(data: bytes) -> bytes:
    """What is opened here stays text, but has to be JSON."""
    _WHOLE.decode(data)
    return data
