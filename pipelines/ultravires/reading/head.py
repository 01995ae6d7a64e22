"""The beginning of a file, by which a source recognises its log.

Every source asks the same few questions of it, so the answers are found once: which members the first objects have,
and what the first record says.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from ultravires.reading.mending import PYTHON_STARTS, python_as_json
from ultravires.reading.splitting import BLANK, BOM, is_spread_over_lines, opening_of

HEAD_BYTES = 64 * 1024
LONG_HEAD_BYTES = 1 << 20
"""How far a file is looked at whose first 64 KB no source recognises: its first record may be long, or stand late."""
_TRIED_STARTS = 50
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_COLON = re.compile(rb"\s*+:")
_BACKSLASHES = re.compile(rb'\\\\*+("?)')
_QUOTE = ord('"')
_DEPTH = np.zeros(256, np.int8)
_DEPTH[list(b"{[")], _DEPTH[list(b"}]")] = 1, -1
_IS_MARK = _DEPTH != 0
_IS_MARK[_QUOTE] = True
_OBJECT = re.compile(rb"[ \t\r\[]*+(?=\{)")


class Head:
    """The first 64 KB of a file's decompressed bytes, or as many as are said."""

    def __init__(self, data: bytes, size: int = HEAD_BYTES) -> None:
        self.data = data[:size].removeprefix(BOM)
        if self.data.startswith(PYTHON_STARTS):
            self.data = b"\n".join(python_as_json(line) or line for line in self.data.split(b"\n"))
        self._keys: dict[tuple[str, ...], tuple[frozenset[str], ...]] = {}

    def first_keys(self, *arrays: str) -> tuple[frozenset[str], ...]:
        """The member names of the first objects, whole or cut off.

        Looks at objects that start a line or the file, and at the first element of an array of one of these names,
        if they have one.
        """
        if arrays not in self._keys:
            self._keys[arrays] = tuple(self._find_keys(arrays))
        return self._keys[arrays]

    def holds(self, *names: str, arrays: tuple[str, ...] = ()) -> bool:
        """Whether one of the first objects has all of these members."""
        return any(keys.issuperset(names) for keys in self.first_keys(*arrays))

    @cached_property
    def is_object(self) -> bool:
        """Whether the file starts as JSON does: with an object or an array."""
        return self.data.lstrip()[:1] in (b"{", b"[")

    def _find_keys(self, arrays: tuple[str, ...]) -> Iterator[frozenset[str]]:
        opening = opening_of(arrays) if arrays else None
        for start in self._starts:
            yield self._keys_at(start)
            wrapper = opening.match(self.data, start) if opening else None
            if wrapper and (first := self.data.find(b"{", wrapper.end())) >= 0:
                yield self._keys_at(first)

    @cached_property
    def _starts(self) -> list[int]:
        starts = self._line_starts()
        first = list(islice(starts, _TRIED_STARTS))
        return first + list(deque(starts, _TRIED_STARTS)) if len(self.data) > HEAD_BYTES else first

    def _line_starts(self) -> Iterator[int]:
        """Where the objects are that begin a line. After the beginning of a document that is spread over lines only
        those that stand where its first one does, or at the margin: the others are somewhere inside of them.
        """
        at, first = 0, None
        is_spread = is_spread_over_lines(self.data)
        while True:
            if start := _OBJECT.match(self.data, at):
                column = start.end() - at
                first = column if first is None else first
                if not is_spread or column in (0, first):
                    yield start.end()
            at = self.data.find(b"\n", at) + 1
            if not at:
                return

    @cached_property
    def _known(self) -> dict[int, frozenset[str]]:
        return {}

    def _keys_at(self, start: int) -> frozenset[str]:
        if start not in self._known:
            self._known[start] = _names_at(self.data, start)
        return self._known[start]


def _names_at(head: bytes, start: int) -> frozenset[str]:
    end = head.find(b"\n", start)
    try:
        return frozenset(_decode_object(memoryview(head)[start : None if end < 0 else end]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # cut off, spread over lines, one of several, or no JSON
        return frozenset(_member_names(head if start < HEAD_BYTES else head[: start + HEAD_BYTES], start))


def _member_names(head: bytes, start: int) -> Iterator[str]:
    """As far as the head goes. All marks are looked at together: one after the other takes longer than the records."""
    data = np.frombuffer(bytearray(head), np.uint8)
    data[_escaped_quotes(head, start)] = 0
    at = start + np.flatnonzero(_IS_MARK[data[start:]])
    marks = data[at]
    is_quote = marks == _QUOTE
    is_inside = np.cumsum(is_quote) % 2 == 1
    depths = np.cumsum(np.where(is_quote | is_inside, 0, _DEPTH[marks]))
    ends = np.flatnonzero(depths <= 0)
    if len(ends):
        is_quote = is_quote[: ends[0]]
    quotes = np.flatnonzero(is_quote)
    openings, closings = quotes[: len(quotes) // 2 * 2].reshape(-1, 2).T
    is_member = depths[openings] == 1
    for opening, closing in zip(at[openings[is_member]].tolist(), at[closings[is_member]].tolist(), strict=True):
        if _COLON.match(head, closing + 1):
            yield head[opening + 1 : closing].decode("utf-8", "replace")


def _escaped_quotes(head: bytes, start: int) -> list[int]:
    """Where quotes are that belong to a string: an odd number of backslashes stands before them."""
    runs = _BACKSLASHES.finditer(head, start)
    return [run.end() - 1 for run in runs if run[1] and (run.end() - run.start()) % 2 == 0]


def long_head(head_of: Callable[[int], bytes], longest_record: int) -> bytes:
    """More of a file that its first 64 KB do not tell: 1 MB, and where that is all one line the beginning of what
    follows it. `head_of` gives as many first bytes as it is asked for.
    """
    head = head_of(LONG_HEAD_BYTES)
    if len(head) < LONG_HEAD_BYTES or b"\n" in head.strip(BLANK):
        return head
    longer = head_of(longest_record + LONG_HEAD_BYTES)
    end = longer.find(b"\n", LONG_HEAD_BYTES)
    return head if end < 0 else head + longer[end : end + HEAD_BYTES]


def values_at(head: Head, name: str) -> set[Any]:
    """The string values that stand behind members of this name anywhere in the head, also in an object that is written
    as text.
    """
    wanted = re.escape(name).encode()
    found = re.findall(rb'"%s"\s*:\s*"((?:[^"\\\n]|\\.)*+)"' % wanted, head.data)
    if b'"{' in head.data:
        found += re.findall(rb'\\"%s\\"\s*:\s*\\"([^"\\\n]*)\\"' % wanted, head.data)
    return {value.decode("utf-8", "replace") for value in found}
