"""Exports: documents of JSON whose members hold lists of records, `{"UserDetailList": [...], "Policies": [...]}`.

Read as they stream by, one record after the other, whichever list it stands in and whatever stands around the lists.
Documents may follow one another (the pages of an export) and may stand in a list. Where the text breaks, what is left
is handed to `reading.splitting`, which finds the whole records in it.
"""

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from ultravires.reading.splitting import BOM

_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str, strict=False)
_BETWEEN = re.compile(r"[\s,]*+")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_DEPTHS = {"{": 1, "[": 1, "}": -1, "]": -1}
_READ_AT_ONCE = 1 << 20
_NEAR_END = 16
_BOM = BOM.decode("latin-1")
_SELF_ENDED = frozenset('{["')
"""Values that show their own end; a number may go on with what is read next."""


class Member(NamedTuple):
    """A member of a document that holds no records; `data` is its value's JSON text."""

    offset: int
    name: str
    data: bytes


class Element(NamedTuple):
    """A record in one of the lists that are opened."""

    offset: int
    name: str
    data: bytes


class Closed(NamedTuple):
    """The end of a document; `opened` names the lists that were opened, and `data` is its text where none was."""

    start: int
    end: int
    data: bytes
    opened: frozenset[str]


class Rest(NamedTuple):
    """From here on the text is no document: what is left of it."""

    offset: int
    chunks: Iterator[bytes]


Found = Member | Element | Closed | Rest


def documents(chunks: Iterator[bytes], opens: frozenset[str], limit: int) -> Iterator[Found]:
    """What the documents hold, in the order of the text. `opens` names the members whose lists hold records; `limit` is
    how many bytes one value may have.
    """
    return _Reader(chunks, opens, limit).found()


class _Unreadable(Exception):
    """The text is no JSON from here on, ends too early, or one value of it is too long."""


class _Reader:
    def __init__(self, chunks: Iterator[bytes], opens: frozenset[str], limit: int) -> None:
        self._chunks = chunks
        self._opens = opens
        self._limit = limit
        self._text = ""  # one character a byte, so that positions are byte offsets
        self._at = 0
        self._base = 0
        self._is_end = False
        self._held: int | None = None
        """Where the document begins that is being read, while it is kept because no list of it was opened."""

    def found(self) -> Iterator[Found]:
        if self._next().startswith(_BOM[0]) and self._text.startswith(_BOM, self._at):
            self._at += len(_BOM)
        try:
            depth = 0
            while mark := self._next():
                if mark == "{":
                    yield from self._of_document()
                elif mark == "[" or (mark == "]" and depth):
                    depth += 1 if mark == "[" else -1
                    self._at += 1
                else:
                    raise _Unreadable
            if depth:
                raise _Unreadable
        except _Unreadable:
            start = self._at if self._held is None else self._held
            yield Rest(self._base + start, chain([self._text[start:].encode("latin-1")], self._chunks))

    def _of_document(self) -> Iterator[Found]:
        start, opened = self._base + self._at, set[str]()
        self._held = self._at
        self._at += 1
        while (mark := self._next()) != "}":
            if mark != '"' or (not opened and self._base + self._at - start > self._limit):
                raise _Unreadable
            offset, name = self._key()
            if self._next() == "[" and name in self._opens:
                opened.add(name)
                self._held = None
                yield from self._of_list(name)
            else:
                yield Member(offset, name, self._value()[1])
        self._at += 1
        data = b"" if self._held is None else self._text[self._held : self._at].encode("latin-1")
        self._held = None
        yield Closed(start, self._base + self._at, data, frozenset(opened))

    def _of_list(self, name: str) -> Iterator[Found]:
        self._at += 1
        while (mark := self._next()) != "]":
            if not mark:
                raise _Unreadable
            offset, data = self._value()
            yield Element(offset, name, data)
        self._at += 1

    def _key(self) -> tuple[int, str]:
        offset, data = self._value()
        if self._next() != ":":
            raise _Unreadable
        self._at += 1
        return offset, str(json.loads(data.decode("utf-8", "replace"), strict=False))

    def _next(self) -> str:
        """The next character that is neither blank nor a comma; nothing at the end."""
        while True:
            between = _BETWEEN.match(self._text, self._at)
            self._at = between.end() if between else self._at
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def _value(self) -> tuple[int, bytes]:
        """Where the value that begins here lies in the file, and its text."""
        while True:
            end, is_cut = self._end_of_value()
            is_sure = end is not None and (self._text[self._at] in _SELF_ENDED or end < len(self._text))
            if end is not None and (is_sure or not self._more()):
                offset, data = self._base + self._at, self._text[self._at : end].encode("latin-1")
                self._at = end
                return offset, data
            if end is None and (not is_cut or len(self._text) - self._at > self._limit or not self._more()):
                raise _Unreadable

    def _end_of_value(self) -> tuple[int | None, bool]:
        """Where the value ends that begins here; where it does not, whether more of the text could show its end."""
        try:
            return _SCANNER.raw_decode(self._text, self._at)[1], False
        except json.JSONDecodeError as error:
            return None, error.pos >= len(self._text) - _NEAR_END or error.msg.startswith("Unterminated string")
        except RecursionError:
            end = self._end_by_brackets()
            return end, end is None

    def _end_by_brackets(self) -> int | None:
        """Where a value ends that is nested too deeply to be decoded."""
        depth = 0
        for token in _BRACKETS.finditer(self._text, self._at):
            depth += _DEPTHS.get(token.group(), 0)
            if depth == 0:
                return token.end()
        return None

    def _more(self) -> bool:
        """Reads on, at least as much as is waiting, so that a long value is not tried too often."""
        if self._is_end:
            return False
        start = self._at if self._held is None else self._held
        kept = self._text[start:]
        wanted, size, found = max(_READ_AT_ONCE, len(kept)), 0, list[bytes]()
        for chunk in self._chunks:
            found.append(chunk)
            size += len(chunk)
            if size >= wanted:
                break
        else:
            self._is_end = True
        self._base += start
        self._text, self._at = kept + b"".join(found).decode("latin-1"), self._at - start
        self._held = None if self._held is None else 0
        return bool(size)
