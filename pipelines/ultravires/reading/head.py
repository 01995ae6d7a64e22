"""The beginning of a file, by which a source recognises its log.

Every source asks the same few questions of it, so the answers are found once: which members the first objects have,
and what the first record says.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from ultravires.reading.mending import PYTHON_STARTS, python_as_json
from ultravires.reading.splitting import BOM, opening_of

HEAD_BYTES = 64 * 1024
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
    """The first 64 KB of a file's decompressed bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data[:HEAD_BYTES].removeprefix(BOM)
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
        return list(islice(self._line_starts(), _TRIED_STARTS))

    def _line_starts(self) -> Iterator[int]:
        """Where the objects are that begin a line."""
        at = 0
        while True:
            if start := _OBJECT.match(self.data, at):
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
        return frozenset(_member_names(head, start))  # cut off, spread over lines, one of several, or no JSON


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


def values_at(head: Head, name: str) -> set[Any]:
    """The string values that stand behind members of this name anywhere in the head, also in an object that is written
    as text.
    """
    wanted = re.escape(name).encode()
    found = re.findall(rb'"%s"\s*:\s*"((?:[^"\\\n]|\\.)*+)"' % wanted, head.data)
    if b'"{' in head.data:
        found += re.findall(rb'\\"%s\\"\s*:\s*\\"([^"\\\n]*)\\"' % wanted, head.data)
    return {value.decode("utf-8", "replace") for value in found}
