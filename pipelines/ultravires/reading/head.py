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

from ultravires.reading.splitting import BOM, opening_of

HEAD_BYTES = 64 * 1024
_TRIED_STARTS = 50
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_TOKEN = re.compile(rb'"((?:[^"\\\n]|\\.)*+)"(\s*:)?|[{}\[\]]')
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\\n]|\\.)*+")*+([{}\[\]])')
"""Over everything up to the next bracket in one step: what lies deeper than the members is passed over fast."""
_OBJECT = re.compile(rb"[ \t\r\[]*+(?=\{)")


class Head:
    """The first 64 KB of a file's decompressed bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data[:HEAD_BYTES].removeprefix(BOM)
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
    depth, at = 0, start
    while True:
        token = _TO_BRACKET.match(head, at) if depth > 1 else None
        mark = token[1] if token else b""
        if token is None:
            token = _TOKEN.search(head, at)
            if token is None:
                return
            mark = token[0]
        at = token.end()
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1 and token[2]:
            yield token[1].decode("utf-8", "replace")


def values_at(head: Head, name: str) -> set[Any]:
    """The string values that stand behind members of this name anywhere in the head."""
    found = re.findall(rb'"%s"\s*:\s*"((?:[^"\\\n]|\\.)*+)"' % re.escape(name).encode(), head.data)
    return {value.decode("utf-8", "replace") for value in found}
