"""What lies in a line or a JSON value that came through another system: records, and what is none.

Layer after layer is opened as far as it goes, at most five: headers, objects and texts in objects, and any of these in
one another. Where each record was is kept as its `layers`, from outside.
"""

import base64
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from ultravires import registry
from ultravires.reading.companions import SERVER_LINES, is_server_line, is_server_object
from ultravires.reading.dotted_names import DOTTED_NAMES, nested
from ultravires.reading.events import Ignored
from ultravires.reading.exports import A_MEMBER, CONTAINER, Members, elements_of, kept_in, may_hold, members_of
from ultravires.reading.head import Head
from ultravires.reading.line_prefixes import JSON, without_prefix
from ultravires.reading.origins import LOG_ANALYTICS, stated
from ultravires.reading.source import Source
from ultravires.reading.splitting import BLANK, reason_of
from ultravires.reading.typed_cells import record_of_cells
from ultravires.reading.values import text as text_of

OTHER_LOG = "a record of another log"
OTHER_LINE = "a line of another program"
NO_RECORD = "nothing of a log that is read"
BASE64 = "base64"
_MOST_LAYERS = 5
_MOST_NAMES = 2_000
_MOST_SHAPES = 200
_TRIED_OF_A_HEAD, _TRIED_OF_A_FILE = 10, 1_000
_TRIED_MEMBERS = 5_000
"""So many members of unknown objects are looked into in vain; who writes a log may write millions of them."""
_MEMBERS_DEEP = 2
_TEXT = msgspec.json.Decoder(str)
_VALUE = msgspec.json.Decoder(dict[str, Any])
_WHOLE = msgspec.json.Decoder(msgspec.Raw)
_BYTES = msgspec.json.Decoder(list[int])
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_QUOTED = re.compile(rb'"\s{0,20}[{\[]')
_NUMBERS = re.compile(rb"\[\s{0,20}\d")
_OBJECT_IN_BASE64 = b"eyJ"


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


@dataclass
class Parts:
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


class Opener:
    """Opens the lines and values of one file. `main` is the source of its first record, None while that is looked for;
    `known` grows with the names of members that records have.
    """

    def __init__(self, sources: Sequence[Source], main: Source | None, longest_record: int) -> None:
        self.known: set[str] = set()
        self.parts = Parts(longest_record)
        self._sources = sources
        self._last = main
        self._wrappers: set[frozenset[str]] = set()
        """The members of objects in which records were found."""
        self._unknown: Counter[frozenset[str]] = Counter()
        """How often objects with these members were of no source. Asking all sources takes longer than reading."""
        self._most_tries = _TRIED_OF_A_FILE if main is not None else _TRIED_OF_A_HEAD
        self._member_of: dict[frozenset[str], str] = {}
        """By the members of an object of which nothing is known in which of them a record was."""
        self._tries_of_members = _TRIED_MEMBERS
        self._renamings = tuple(registry.renamings().values())

    def of_cells(self, cells: dict[str, str]) -> list[Found]:
        """What the cells of a row hold, or are together."""
        row = msgspec.json.encode(cells)
        in_cell = self._kept(members_of(row) or {}, ("csv",), 1)
        if in_cell and _holds_piece(in_cell):
            return in_cell
        if piece := self._renamed(row, ("csv",)):
            return [piece]
        return self._object(msgspec.json.encode(record_of_cells(cells)), ("csv",), 1)

    def of_line(self, line: bytes) -> list[Found]:
        """What a line holds behind its headers; nothing while its record goes on in the next."""
        if not line:
            return []
        prefix = without_prefix(line)
        text = self.parts.joined(prefix.stream, line[prefix.start :], prefix.is_part)
        return [] if text is None else self._text(text, prefix.names, 0)

    def opened(self, data: bytes, layers: tuple[str, ...] = (), depth: int = 0) -> list[Found]:
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
        return [one for element in elements for one in self.opened(bytes(element), layers, depth + 1)]

    def _text(self, text: bytes, layers: tuple[str, ...], depth: int) -> list[Found]:
        """A text that was the message of something: a record, perhaps behind the headers of its line."""
        text = text.strip(BLANK)
        if not JSON.match(text):
            prefix = without_prefix(text)
            text, layers = text[prefix.start :], (*layers, *prefix.names)
            if depth < _MOST_LAYERS and (written := _written_as_text(text)):
                return self._text(written.data, (*layers, written.layer), depth + 1)
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
        return self.opened(text, layers, depth)

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
            if len(self.known) < _MOST_NAMES:
                self.known.update(names)
            return [Piece(data, source, layers)]
        if not is_wrapper and depth < _MOST_LAYERS:
            inside = self._kept(members, layers, depth)
            if inside is not None and (not inside or _holds_piece(inside)):
                if len(self._wrappers) < _MOST_SHAPES:
                    self._wrappers.add(names)
                return inside
        if not is_unknown:
            if found := self._in_other_words(data, members, layers, depth):
                return found
            if len(self._unknown) < _MOST_SHAPES:
                self._unknown[names] += 1
        return inside or [self._of_nobody(data, names, layers)]

    def _in_other_words(self, data: bytes, members: Members, layers: tuple[str, ...], depth: int) -> list[Found] | None:
        """A record that no source knows by its own members: of an export, taken apart, or in a member of something."""
        piece = self._renamed(data, layers) or self._put_together(data, members, layers)
        return [piece] if piece else self._in_a_member(members, layers, depth)

    def _in_a_member(self, members: Members, layers: tuple[str, ...], depth: int) -> list[Found] | None:
        """A record that lies in a member of an object of which nothing is known, or in a member of that."""
        names = frozenset(members)
        if depth >= _MOST_LAYERS or layers.count(A_MEMBER) >= _MEMBERS_DEEP:
            return None
        known = self._member_of.get(names)
        for name, data in may_hold(members):
            if known in (None, name) and self._tries_of_members:
                inside = self.opened(data, (*layers, A_MEMBER), depth + 1)
                if _holds_piece(inside):
                    if len(self._member_of) < _MOST_SHAPES:
                        self._member_of[names] = name
                    return inside
                self._tries_of_members -= 1
                if known:
                    return inside
        return None

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

    def _put_together(self, data: bytes, members: Members, layers: tuple[str, ...]) -> Piece | None:
        """The record whose objects were taken apart into names with dots."""
        if not any("." in name for name in members):
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
                inside = [one for text in kept.texts for one in self.opened(text, within, depth + 1)]
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
        if stream in self.parts.waiting:
            is_part = not text.endswith(b"\n") and len(text) == self.parts.lengths[stream]
        else:
            is_part = not text.endswith(b"\n") and JSON.match(text) is not None and not _is_json(text)
        return self.parts.joined(stream, text, is_part)


def _holds_piece(found: list[Found]) -> bool:
    return any(type(one) is Piece for one in found)


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


class _Written(NamedTuple):
    """What a text says that is itself written as a text, and how it is written."""

    data: bytes
    layer: str


def _written_as_text(text: bytes) -> _Written | None:
    """A JSON text that holds a record or several, as `jq` prints members; or base64 that begins as an object does, as
    queues carry messages.
    """
    try:
        if _QUOTED.match(text):
            return _Written(_TEXT.decode(text).encode(), "json text")
        if text.startswith(_OBJECT_IN_BASE64):
            return _Written(base64.b64decode(text, validate=True), BASE64)
    except (*_UNDECODABLE, ValueError):
        return None
    return None
