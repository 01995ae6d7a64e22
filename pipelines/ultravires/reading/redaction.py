"""Takes secrets out of a decoded record before it is stored.

What stands beside a secret's name becomes `redacted:<keyed hash>`, so that equal secrets stay comparable and none can
be read. Names are those of `Options.redact`, without case and by the last part of a dotted name, and all that tell as
much (`secret_names`). They stand in front of a value, in pairs (`{"key": name, "value": ...}`: OTLP attributes, AWS
tags, HTTP headers, environments, patches), before the next element of a list, and inside of strings: there JSON is
taken apart, and in any other text what is a secret is found in its place (`secret_text`), also without a name, by its
format.

All this costs too much for every record. Two searches over all texts of a batch at once find those that may hold a
secret at all, and of these the few in which one may stand inside of a string; a third finds these strings, and
only they are looked into.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.events import NotParsed
from ultravires.reading.options import Options, keyed_hash
from ultravires.reading.secret_names import LISTED, NOT_SECRET, PASSWORD, kind_of, words_of
from ultravires.reading.secret_text import (
    SEARCHED_IN_TEXT,
    Span,
    as_text,
    searched_at_all,
    spans_in,
)
from ultravires.reading.secret_values import MARKER, is_secret, looks_random
from ultravires.reading.values import canonical

_ALREADY = re.compile(MARKER)
_QUOTED_WORD = re.compile(r'"([\w.-]{1,64})\\*"')
_NAME_IN_TEXT = re.compile(r'"([\w.-]{1,64})\\*"\s*:')
_KNOWN_NAMES = 20_000
_LEAST_TEXT = 8
"""Characters of a text in which a secret could be found."""
_LONGEST_LABEL = 128

_NAMES_PAIR, _HOLDS_VALUE = 8, 9
"""Of the members of a pair; beside the kinds of `secret_names`."""
_LABELS = frozenset((
    "key", "name", "parametername", "parameterkey", "header", "headername", "variable", "attribute",
    "attributename", "path", "displayname", "k",
))  # fmt: skip
_VALUES = frozenset(["value", "values", "parametervalue", "newvalue", "oldvalue", "headervalue", "attributevalue", "v"])
_WRAPPERS = frozenset((
    "value", "values", "stringvalue", "string", "s", "plaintext", "plain", "text", "raw", "data", "new", "old",
    "current", "previous", "clear", "$value",
))  # fmt: skip
"""Members that only hold what the name of their object says."""

_SEARCHED_AT_ALL = searched_at_all(_LABELS)

LookedInto = bool | frozenset[str]
"""Of the strings of a value: all, none, or those that are equal to one of these."""


class _SecretNames(dict[str, int]):
    """Remembers for each field name whether it is a secret's (`secret_names`) or a pair's; stops remembering before a
    hostile log fills memory.
    """

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self.names = frozenset(name.lower() for name in names)

    def __missing__(self, name: str) -> int:
        answer = self._of(name)
        if len(self) < _KNOWN_NAMES:
            self[name] = answer
        return answer

    def _of(self, name: str) -> int:
        lower = name.lower()
        if lower.rsplit(".", 1)[-1] in self.names:
            return LISTED
        if lower in _LABELS:
            return _NAMES_PAIR
        return _HOLDS_VALUE if lower in _VALUES else kind_of(name)

    def label(self, text: str) -> int:
        """The kind of a name that is itself a value; prose is none."""
        kind = self[text] if 1 < len(text) <= _LONGEST_LABEL and " " not in text else NOT_SECRET
        return kind if kind < _NAMES_PAIR else NOT_SECRET


@lru_cache(maxsize=8)
def _secret_names(names: frozenset[str]) -> _SecretNames:
    """One memory for all records that are redacted under the same names."""
    return _SecretNames(names)


class _Patterns(NamedTuple):
    """Where JSON text may hold a secret at all: behind a name that ends between quotes (escaped ones too), or in a
    string; and where it may hold one inside of a string. That may be JSON with escapes, which may spell anything.
    """

    at_all: str
    in_text: str


@lru_cache(maxsize=8)
def _patterns_of(names: frozenset[str]) -> _Patterns:
    others = _not_searched(sorted(names))
    if not others:
        return _Patterns(_SEARCHED_AT_ALL, SEARCHED_IN_TEXT)
    known = "|".join(map(_re2_escaped, others))
    listed = rf'(?i:[".](?:{known}))'
    return _Patterns(rf'{listed}\\*"|{_SEARCHED_AT_ALL}', rf'{listed}\\+"|{SEARCHED_IN_TEXT}')


def _found(texts: pa.Array, pattern: str) -> list[int]:
    """The places of texts in which the pattern is found, in ascending order."""
    return list(pc.indices_nonzero(pc.match_substring_regex(texts, pattern)).to_pylist())


def _not_searched(names: list[str]) -> list[str]:
    """The names that the search for all secrets' names does not find, however they are written."""
    spellings = [f'"{spelled}":1' for name in names for spelled in (name, name.upper(), name.title())]
    found = pc.match_substring_regex(pa.array(spellings, pa.string()), _SEARCHED_AT_ALL).to_pylist()
    return [name for at, name in enumerate(names) if not (name.islower() and all(found[3 * at : 3 * at + 3]))]


def _re2_escaped(name: str) -> str:
    """As a literal for RE2, which refuses some escapes that `re.escape` makes; with what JSON puts before some
    characters, more the deeper the JSON lies in strings.
    """
    return "".join(
        char if char.isalnum() or char in "_-" or ord(char) > 127 else rf"\\*\{char}" if char in '"\\' else f"\\{char}"
        for char in name
    )


def strings_in(value: Any) -> Iterator[str]:
    """All strings in a decoded value, but for names."""
    open_values = [value]
    while open_values:
        value = open_values.pop()
        if type(value) is str:
            yield value
        elif type(value) is dict:
            open_values.extend(value.values())
        elif type(value) is list:
            open_values.extend(value)


def json_texts(written: list[bytes]) -> pa.LargeStringArray:
    """Strings of UTF-8 bytes."""
    ends = np.zeros(len(written) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, written), np.int64, len(written)), out=ends[1:])
    return pa.LargeStringArray.from_buffers(len(written), pa.py_buffer(ends), pa.py_buffer(b"".join(written)))


class Redactor:
    """Redacts decoded JSON under one set of options. Never changes its input: shared parts may be in other
    records.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._secret = _secret_names(options.redact)
        self._patterns = _patterns_of(options.redact)
        self._looked_into: LookedInto = True
        self.hidden: dict[str, str] = {}
        """Texts that were hidden for another reason than a listed name, and what stands there; whoever wants to know
        clears it before."""

    def redact(self, value: Any, *, within: int = 0, texts: LookedInto = True) -> Any:
        """The same value, which lies `within` so many objects, or a copy with its secrets replaced; strings are looked
        into as `texts` says: all, none, or these. Raises NotParsed beyond `max_depth`.
        """
        self._looked_into = texts
        return self._value(value, self._options.max_depth - within)

    def redact_bytes(self, data: bytes) -> bytes:
        """Bytes that nobody could decode without the secrets that can be found in them as text."""
        text = as_text(data)
        clean = self._without(text, spans_in(text))
        if clean is text:
            return data
        return (
            clean.encode("utf-8", "surrogateescape")
            if text.encode("utf-8", "surrogateescape") == data
            else (clean.encode("utf-16-le", "surrogatepass"))
        )

    def suspects(self, texts: pa.Array) -> list[int]:
        """The places of those JSON texts that `redact` might change, in ascending order: all that it would, and few
        others. One search over all texts costs a tenth of taking each apart.
        """
        return _found(texts, self._patterns.at_all)

    def suspects_in_texts(self, texts: pa.Array) -> list[int]:
        """Of texts without what names alone tell of (`texts=False`) the places of those that `redact` might change
        yet, for something inside of a string.
        """
        return _found(texts, self._patterns.in_text)

    def telling(self, strings: Iterable[str]) -> frozenset[str]:
        """Of strings those that `redact` might change, and few others."""
        known = [string for string in dict.fromkeys(strings) if len(string) >= _LEAST_TEXT]
        found = self.suspects_in_texts(json_texts([msgspec.json.encode(string) for string in known])) if known else []
        return frozenset(known[at] for at in found)

    def is_named(self, name: str) -> bool:
        """Whether the value of a field with this name may be a secret."""
        return self._secret[name] not in (NOT_SECRET, _NAMES_PAIR, _HOLDS_VALUE)

    def hide(self, value: Any) -> Any:
        """What is stored in place of a secret; null and booleans stay, a number or an object goes too."""
        if value is None or type(value) is bool or (type(value) is str and _ALREADY.fullmatch(value)):
            return value
        data = value.encode("utf-8", "surrogatepass") if type(value) is str else canonical(value)
        return "redacted:" + keyed_hash(data, self._options, size=8)

    def _value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is dict:
            return self._object(value, depth)
        if kind is list:
            return self._array(value, depth)
        return self._text(value, depth) if kind is str and self._looked_into is not False else value

    def _object(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        """The loop that every field of every record goes through; hence no call for a plain value."""
        if depth <= 0:
            raise NotParsed("nested too deeply")
        changed: dict[str, Any] | None = None
        labels: tuple[Any, ...] = ()
        holders: tuple[str, ...] = ()
        secret, into_texts = self._secret, self._looked_into is not False
        for name, member in value.items():
            kind, of = type(member), secret[name]
            if of == LISTED:
                new = self.hide(member)
            else:
                if of == _NAMES_PAIR:
                    labels = (*labels, member)
                elif of == _HOLDS_VALUE:
                    holders = (*holders, name)
                new = self._beside(of, name, member) if of and of < _NAMES_PAIR else member
                if kind is dict or kind is list or (kind is str and into_texts):
                    new = self._value(new, depth - 1)
            if new is not member:
                changed = changed or dict(value)
                changed[name] = new
        for label in labels if holders else ():
            if type(label) is str and (of := secret.label(label)):
                changed = self._pair(value, changed, (of, label), holders, depth)
        return value if changed is None else changed

    def _pair(
        self,
        value: dict[str, Any],
        changed: dict[str, Any] | None,
        named: tuple[int, str],
        holders: tuple[str, ...],
        depth: int,
    ) -> dict[str, Any] | None:
        of, label = named
        for name in holders:
            held = value[name]
            new = self.hide_any(held) if of == LISTED else self._beside(of, label, held)
            if new is not held and of != LISTED:
                new = self._value(new, depth - 1)
            if new is not held:
                changed = changed or dict(value)
                changed[name] = new
        return changed

    def hide_any(self, value: Any) -> Any:
        """OTLP wraps a value in its type: `{"stringValue": ...}`; the wrapper stays readable as OTLP."""
        is_wrapped = type(value) is dict and len(value) == 1 and next(iter(value)).endswith("Value")
        return {"stringValue": self.hide(next(iter(value.values())))} if is_wrapped else self.hide(value)

    def _beside(self, of: int, name: str, value: Any) -> Any:
        """What stands beside a telling name: texts that are secrets go, also in a list or in what only wraps them."""
        kind = type(value)
        if kind is str:
            return self._hide_text(value) if is_secret(of, words_of(name), value) else value
        if kind is list:
            new = [self._hide_text(each) if type(each) is str and is_secret(of, words_of(name), each) else each
                   for each in value]  # fmt: skip
            return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
        if kind is dict:
            return self._wrapped(of, name, value)
        return self.hide(value) if of == PASSWORD and kind in (int, float) else value

    def _wrapped(self, of: int, name: str, value: dict[str, Any]) -> dict[str, Any]:
        clean = {
            member: self._hide_text(held)
            if type(held) is str and member.lower() in _WRAPPERS and is_secret(of, words_of(name), held)
            else held
            for member, held in value.items()
        }
        return clean if any(clean[member] is not held for member, held in value.items()) else value

    def _array(self, value: list[Any], depth: int) -> list[Any]:
        if depth <= 0:
            raise NotParsed("nested too deeply")
        beside = value
        for place in range(1, len(value)):
            named, item = value[place - 1], value[place]
            if type(named) is str and type(item) is str and (of := self._secret.label(named)):
                is_argument = named.startswith("-") and not item.startswith("-")
                if is_secret(of, words_of(named), item) if is_argument else looks_random(item):
                    beside = list(value) if beside is value else beside
                    beside[place] = self._hide_text(item)
        new = [self._value(item, depth - 1) for item in beside]
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value

    def _text(self, value: str, depth: int) -> str:
        looked_into = self._looked_into
        if len(value) < _LEAST_TEXT or (type(looked_into) is frozenset and value not in looked_into):
            return value
        if '"' in value:
            self._looked_into = True
            try:
                value = self._json(value, depth)
            except (NotParsed, RecursionError):
                return self._hide_text(value)  # nested too deeply to be looked into: not the whole record's fault
            finally:
                self._looked_into = looked_into
        return self._without(value, spans_in(value))

    def _json(self, value: str, depth: int) -> str:
        """A text that is JSON without its secrets. JSON that was cut cannot be taken apart, so where it names a listed
        secret the whole text goes.
        """
        is_listed = self._names_listed(_QUOTED_WORD, value)
        try:
            inner = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError):
            is_cut = is_listed and self._names_listed(_NAME_IN_TEXT, value)
            return str(self.hide(value)) if is_cut else value
        new = self._value(inner, depth - 1)
        # where it names one the text is always written anew: of repeated keys it may still hold what decoding dropped
        return msgspec.json.encode(new).decode() if is_listed or new is not inner else value

    def _names_listed(self, pattern: re.Pattern[str], value: str) -> bool:
        return any(self._secret[match[1]] == LISTED for match in pattern.finditer(value))

    def _hide_text(self, value: str) -> str:
        if _ALREADY.fullmatch(value):
            return value
        self.hidden[value] = new = str(self.hide(value))
        return new

    def _without(self, text: str, spans: list[Span]) -> str:
        if not spans:
            return text
        parts, at = [], 0
        for start, end in spans:
            parts += [text[at:start], self._hide_text(text[start:end])]
            at = end
        return "".join([*parts, text[at:]])
