"""Splits lines and documents into records, and finds the whole records in broken ones.

Where a document is whole it is split by msgspec without looking inside the records. Where it is broken, the
standard library's scanner (string-aware, and it says where an object ends) finds one whole object after the
other; what lies between becomes a remainder with a reason.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ultravires.reading.events import Frame
from ultravires.reading.mending import (
    NOTED,
    PYTHON,
    PYTHON_STARTS,
    UNDECODABLE,
    decode_mended,
    noted_marks,
    object_end,
    python_as_json,
)
from ultravires.reading.origins import PLACED, noted_place, place_around
from ultravires.reading.plain_records import Record

KEPT_BYTES = 64 * 1024
TOO_LONG = "record is longer than"
BOM = b"\xef\xbb\xbf"
BLANK = b" \t\r\n"
_BETWEEN = re.compile(rb"[\s,\[\]}]*")
_AROUND = re.compile(rb"[^\[{]{0,1000}")
# possessive repeats: a megabyte of blanks must not be tried in every split
_OBJECT_FOLLOWS = re.compile(r'[}\]]\s*+,?\s*+(?=\{\s*")|\n(?=\{)')
_FIRST_KEY = re.compile(r'\{\s*"(?:[^"\\]|\\.){1,200}"\s*:')
_STRING = rb'"(?:[^"\\]|\\.){0,1000}+"'
_PLAIN = _STRING + rb"|[\w.+-]{1,40}+|\[(?:\s|,|" + _STRING + rb")*+\]"
_PLAIN_MEMBER = _STRING + rb"\s*+:\s*+(?:" + _PLAIN + rb")\s*+,\s*+"
_MOST_BEFORE_ARRAY = 12
_MEMBER_AFTER = rb"\s*+,\s*+" + _STRING + rb"\s*+:\s*+(?:" + _PLAIN + rb")"
_AFTER = re.compile(rb"\s*+\](?:" + _MEMBER_AFTER + rb"){0,%d}+\s*+\}[\s,]*+" % _MOST_BEFORE_ARRAY)
_MOST_BYTES_AFTER = 4000
_WHITE = b" \t\r\n\x0b\x0c"
_MAX_PUNCTUATION = 8
_NEAR_END = 16
_MAX_REMAINDERS = 1000
_MAX_OPENINGS = 16
_MOST_PAGES = 2
"""So deep arrays stand in arrays: pages in pages of pages."""
_KEY_BYTES = 400
_FIRST_SCAN_BYTES = 1 << 16
_SCAN_BYTES = 1 << 20
_BRACKET = ord("[")
_NEXT_OBJECT = b",{"
_LOG_GROUP = re.compile(rb'"logGroup"\s*:\s*("[^"\\]*")')
_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Any])

Decode = Callable[[bytes], Any]


def decode_object(data: bytes) -> Any:
    """A JSON object to a dict; the last of repeated keys counts. Raises what `reason_of` explains."""
    return _OBJECT.decode(data)


def reason_of(error: Exception, data: bytes) -> str:
    """The plain words for why these bytes did not decode."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeError):
        return "invalid UTF-8"
    if isinstance(error, msgspec.ValidationError):
        return "number out of range" if "out of range" in str(error) else "not the JSON object expected here"
    if b"\x00" in data:
        return "NUL bytes"
    return "record ends early" if "truncated" in str(error) else "not JSON"


def broken(offset: int, data: bytes, reason: str) -> Frame:
    """A frame for bytes that are no record; a quarantine row keeps the first 64 KB."""
    return Frame(offset, data[:KEPT_BYTES], None, reason)


def is_spread_over_lines(head: bytes) -> bool:
    """Whether the file starts with a pretty-printed document: its first line stops where JSON must go on."""
    first, newline, _ = head.removeprefix(BOM).lstrip(BLANK).partition(b"\n")
    return bool(newline) and first.rstrip(BLANK)[-1:] in (b"{", b"[", b",", b":") and first[:1] in (b"{", b"[")


def opening_of(arrays: tuple[str, ...]) -> re.Pattern[bytes]:
    """Matches `{ ... "name": [` for one of the names (group 1), behind at most a few plain members."""
    names = b"|".join(re.escape(name).encode() for name in arrays)
    return re.compile(rb'\{\s*+(?:%s){0,%d}?"(%s)"\s*:\s*\[' % (_PLAIN_MEMBER, _MOST_BEFORE_ARRAY, names))


class Splitter:
    """Splits one file's lines and documents into frames. `arrays` names the wrapping arrays, as in `{"Records": [`."""

    def __init__(self, arrays: tuple[str, ...], decode: Decode, limit: int) -> None:
        self.decode = decode
        self.limit = limit
        self._openings: set[str] = set()
        self.too_long = f"{TOO_LONG} {limit} bytes"
        self._wrapper = opening_of(arrays)
        self._names = [b'"' + name.encode() + b'"' for name in arrays]
        self._place: str | None = None
        """Where the records of the array lay that is being read, as what stands around it says."""

    def frame(self, offset: int, data: bytes) -> Frame:
        """Decodes one record; what fails becomes a frame with the reason."""
        if len(data) > self.limit:
            return broken(offset, data, self.too_long)
        try:
            value = self.decode(data)
            written = data if isinstance(value, Record) else None
            taken_off = noted_place() if PLACED else None
            place = self._place or taken_off
            return Frame(offset, data, value, None, written, noted_marks() if NOTED else (), None, place)
        except UNDECODABLE as error:
            return self._mended(offset, data) or Frame(offset, data, None, reason_of(error, data))

    def _mended(self, offset: int, data: bytes) -> Frame | None:
        """The record, where its text was broken in a way that can be mended."""
        NOTED.clear()
        PLACED.clear()
        found = decode_mended(data, self.decode)
        inside = noted_marks()
        if found is None:
            return None
        value, (written, marks) = found
        taken_off = noted_place()
        place = self._place or taken_off
        kept = written if isinstance(value, Record) else None
        return Frame(offset, data, value, None, kept, (*marks, *inside), None, place)

    def is_document(self, data: bytes) -> bool:
        """Whether these bytes start an array of records, bare or wrapped."""
        start = data[:_FIRST_SCAN_BYTES].removeprefix(BOM).lstrip(BLANK)
        return start[:1] == b"[" or self._opening(start) is not None

    def _opening(self, data: bytes, at: int = 0) -> re.Match[bytes] | None:
        """The beginning of a wrapping array; most records hold no such name, which is soon seen."""
        end = at + _FIRST_SCAN_BYTES
        is_named = any(data.find(name, at, end) >= 0 for name in self._names)
        return self._wrapper.match(data, at) if is_named else None

    def line(self, offset: int, line: bytes) -> Iterator[Frame]:
        """The records of one whole line."""
        data = line.lstrip(BLANK).removeprefix(BOM).lstrip(BLANK)
        offset += len(line) - len(data)
        data = data.rstrip(BLANK)
        if not data:
            return
        if data.startswith(PYTHON_STARTS) and (as_json := python_as_json(data)) and self.is_document(as_json):
            yield from (frame._replace(mended=(PYTHON, *frame.mended)) for frame in self.document(offset, as_json))
            return
        if data[0] == _BRACKET or (self._names and self._opening(data) is not None):
            yield from self.document(offset, data)
            return
        whole = self.frame(offset, data)
        if whole.reason is None:
            if not self._openings:
                self._remember(data[:_KEY_BYTES].decode("latin-1"), 0)
            yield whole
        elif not _is_between(data):
            yield from self.pieces(whole)

    def document(self, offset: int, data: bytes, depth: int = 0) -> Iterator[Frame]:
        """The elements of a whole array in memory, and of the arrays that these are or wrap, as where pages were put
        together; a broken one is searched for whole records.
        """
        opening = self._opening(data)
        try:
            members = _MEMBERS.decode(data) if opening else {}
            elements = _ELEMENTS.decode(members[opening[1].decode()] if opening else data)
        except UNDECODABLE:
            found = self.scan(data, offset, is_end=True)[0]
            yield from found or [broken(offset, data, "not JSON")]
            return
        end = opening.end() if opening else 1
        self._place = place_around(bytes(members.get("logGroup", b""))) if "logEvents" in members else None
        for count, element in enumerate(elements):
            raw = bytes(element)
            # behind a comma without a blank the next one begins; else it is looked for
            start = end + 1 if data[end : end + 2] == _NEXT_OBJECT else data.find(raw, end)
            if count == 0:
                yield from _outside(offset + end, data[end:start])
            end = start + len(raw)
            if opening is None and depth < _MOST_PAGES and self._is_page(raw):
                yield from self.document(offset + start, raw, depth + 1)
            else:
                yield self.frame(offset + start, raw)
        yield from _outside(offset + end, data[end:])
        self._place = None

    def _is_page(self, element: bytes) -> bool:
        return element[:1] == b"[" or (bool(self._names) and self._opening(element) is not None)

    def pieces(self, whole: Frame) -> Iterator[Frame]:
        """A line that is not one JSON object may still hold whole ones: two glued together, or one cut off
        before.
        """
        found, _ = self.scan(whole.data, whole.offset, is_end=True, is_line=True)
        is_better = any(piece.reason is None for piece in found)
        yield from found if is_better else (broken(whole.offset, whole.data, whole.reason or ""),)

    def stream(self, chunks: Iterator[bytes], offset: int) -> Iterator[Frame]:
        """The records of a document that spans lines or is too large for memory, one after the other."""
        waiting: list[bytes] = []
        size, goal = 0, _FIRST_SCAN_BYTES
        for chunk in chunks:
            waiting.append(chunk)
            size += len(chunk)
            if size >= goal:
                data = b"".join(waiting)
                found, used = self.scan(data, offset, is_end=False)
                if size - used > self.limit:
                    more, left = self.scan(data[used:], offset + used, is_end=True)
                    found, used = found + more, used + left
                yield from found
                offset += used
                waiting, size = [data[used:]], len(data) - used
                goal = max(2 * size, _SCAN_BYTES)
        yield from self.scan(b"".join(waiting), offset, is_end=True)[0]

    def scan(self, data: bytes, offset: int, *, is_end: bool, is_line: bool = False) -> tuple[list[Frame], int]:
        """Frames of the objects in `data`, and how many bytes they took; the rest waits for more unless
        `is_end`.
        """
        text = data.decode("latin-1")  # one character a byte, so that positions are byte offsets
        found: list[Frame] = []
        position = n_broken = 0
        while (start := data.find(b"{", position)) >= 0 and n_broken < _MAX_REMAINDERS:
            found += _remainder(data, offset, position, start)
            position = start
            if opening := self._opening(data, start):
                position = opening.end()
                self._place = _place_in(opening)
                continue
            end, failed_at, is_cut = _object_end(text, start)
            if end is None and (whole := self._mended_object(data, start, offset)):
                found.append(whole)
                position = start + len(whole.data)
                continue
            if end is None:
                n_broken += 1
                end = self._resume(text, start, failed_at, is_line=is_line)
                if not is_end and (is_cut or end is None):
                    return found, start
                end = len(data) if end is None else end
            else:
                self._remember(text, start)
            position = end
            piece = self.frame(offset + start, data[start:end].rstrip(BLANK + b","))
            found.append(piece if piece.reason is None else piece._replace(data=piece.data[:KEPT_BYTES]))
        if is_end:
            found += _remainder(data, offset, position, len(data))
            position = len(data)
        return found, position

    def _mended_object(self, data: bytes, start: int, offset: int) -> Frame | None:
        """The object that starts there, where only the text in it is broken."""
        end = object_end(data, start)
        return None if end is None or end - start > self.limit else self._mended(offset + start, data[start:end])

    def _remember(self, text: str, start: int) -> None:
        if len(self._openings) < _MAX_OPENINGS and (opening := _FIRST_KEY.match(text, start)):
            self._openings.add(opening.group())

    def _resume(self, text: str, start: int, failed_at: int, *, is_line: bool) -> int | None:
        """Where to go on behind a broken object; what precedes the failure is inside it, and no record.

        A log starts its records with the same few keys, so those show the next one; objects inside the broken
        one seldom do. Where no key is known, any object behind a closed one may be the next of a document.
        Of an object that is nested too deeply nothing is known but its start (`failed_at` is `start`).
        """
        openings = set(self._openings)
        if opening := _FIRST_KEY.match(text, start):
            openings.add(opening.group())
        if openings:
            known = "|".join(map(re.escape, sorted(openings)))
            behind = rf"[}}\]]\s*+,?\s*+(?={known})" if failed_at == start else rf"(?={known})"
            if again := re.compile(rf"{behind}|\n(?=\{{)").search(text, max(failed_at, start + 1)):
                return again.end()
            if failed_at > start:
                return None
        following = None if is_line else _OBJECT_FOLLOWS.search(text, max(failed_at, start + 1))
        return following.end() if following else None


def _place_in(opening: re.Match[bytes]) -> str | None:
    """What the members before an array say of where its elements lay; those behind it are not known yet."""
    if opening[1] != b"logEvents":
        return None
    group = _LOG_GROUP.search(opening.group())
    return place_around(group[1] if group else b"")


def _outside(offset: int, data: bytes) -> list[Frame]:
    """What surrounds the records: more than a few plain members (a second array of that name!) must not
    vanish.
    """
    is_plain = _AROUND.fullmatch(data) or _is_after(data)
    return [] if is_plain else [broken(offset, data, "bytes outside the records")]


def _is_between(data: bytes) -> bool:
    """White space and the few brackets and commas that stand between records."""
    return bool(_BETWEEN.fullmatch(data)) and len(data.translate(None, _WHITE)) <= _MAX_PUNCTUATION


def _is_after(data: bytes) -> bool:
    """The end of a wrapping array, with a few plain members behind it (`"has_more": false`)."""
    return len(data) <= _MOST_BYTES_AFTER and bool(_AFTER.fullmatch(data))


def _remainder(data: bytes, offset: int, start: int, end: int) -> list[Frame]:
    rest = data[start:end]
    if _is_between(rest) or rest.strip(BLANK) == BOM or _is_after(rest):
        return []
    return [broken(offset + start, rest, "NUL bytes" if b"\x00" in rest else "not JSON")]


def _object_end(text: str, start: int) -> tuple[int | None, int, bool]:
    """Where the object ends, or None; where it failed; and whether it may only be cut off at the end of
    `text`.
    """
    try:
        return _SCANNER.raw_decode(text, start)[1], start, False
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text) - _NEAR_END or error.msg.startswith("Unterminated string")
        return None, error.pos, is_cut
    except RecursionError:
        return None, start, False
