"""Fields that the configuration wants redacted at the edge: by name anywhere, or by their path in a record.

A source sees the record without them, so none of its columns, keys or details can hold what they held; where a join
needs the value it finds the keyed hash, which is the same wherever the same value was. (Secrets' names, by contrast,
are looked for in what was read: `ultravires.reading.redaction`. A reader never puts those into a column.)

`ssn` is every field of that name. What holds a dot or a star is a path from the record's root, without case, in which
`*` stands for anything: `requestParameters.customer.*`, `*.ssn`. Elements of a list have their list's path; the name
of a `{"key": name, "value": ...}` pair and JSON inside a string go on with it.
"""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.events import NotParsed
from ultravires.reading.options import Options
from ultravires.reading.redaction import Redactor

EVERY_SOURCE = "*"
_KNOWN_PATHS = 20_000
_WORD = re.compile(r'"([^"\\]{1,64})\\*"\s*:')


class _Named(dict[str, bool]):
    """Remembers of each path whether it is named; stops remembering before a hostile log fills memory."""

    def __init__(self, fields: Iterable[str]) -> None:
        super().__init__()
        lower = {field.lower() for field in fields}
        globs = {field for field in lower if set(field) & set(".*?[")}
        self.names = lower - globs
        self.patterns = [re.compile(translate(glob)) for glob in sorted(globs)]

    def __missing__(self, path: str) -> bool:
        lower = path.lower()
        answer = lower.rsplit(".", 1)[-1] in self.names or any(glob.match(lower) for glob in self.patterns)
        if len(self) < _KNOWN_PATHS:
            self[path] = answer
        return answer


@lru_cache(maxsize=64)
def _named(fields: frozenset[str]) -> _Named:
    return _Named(fields)


class NamedFields:
    """Hides the named fields of one source's records. Never changes its input."""

    def __init__(self, options: Options, fields: frozenset[str]) -> None:
        self._redactor = Redactor(options)
        self._max_depth = options.max_depth
        self._is_named = _named(fields)

    @classmethod
    def of(cls, options: Options, source: str) -> "NamedFields | None":
        """What is to be hidden in the records of `source`; None where that is nothing."""
        fields = frozenset((*options.fields.get(EVERY_SOURCE, ()), *options.fields.get(source, ())))
        return cls(options, fields) if fields else None

    def hide(self, record: Any) -> Any:
        """The same record, or a copy without the values of its named fields. Raises NotParsed beyond `max_depth`."""
        return self._below("", record, self._max_depth)

    def _below(self, path: str, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is dict:
            return self._object(path, value, depth)
        if kind is list:
            new = [self._below(path, item, self._deeper(depth)) for item in value]
            return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
        return self._text(path, value, depth) if kind is str and '"' in value else value

    def _object(self, path: str, value: dict[str, Any], depth: int) -> dict[str, Any]:
        below = self._deeper(depth)
        changed: dict[str, Any] | None = None
        for name, member in value.items():
            inner = f"{path}.{name}" if path else name
            new = self._redactor.hide(member) if self._is_named[inner] else self._below(inner, member, below)
            if new is not member:
                changed = changed or dict(value)
                changed[name] = new
        pair = value.get("key") or value.get("name")
        if type(pair) is str and "value" in value:
            inner = f"{path}.{pair}" if path else pair
            held = (changed or value)["value"]
            new = self._redactor.hide_any(held) if self._is_named[inner] else self._below(inner, held, below)
            if new is not held:
                changed = changed or dict(value)
                changed["value"] = new
        return value if changed is None else changed

    def _text(self, path: str, value: str, depth: int) -> str:
        """JSON that was written into a string; where it was cut off it cannot be taken apart, and goes whole."""
        if value.lstrip()[:1] not in ("{", "["):
            return value
        try:
            inner = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            is_suspect = any(self._is_named[f"{path}.{match[1]}"] for match in _WORD.finditer(value))
            return str(self._redactor.hide(value)) if is_suspect else value
        new = self._below(path, inner, self._deeper(depth))
        return value if new is inner else msgspec.json.encode(new).decode()

    def _deeper(self, depth: int) -> int:
        if depth <= 0:
            raise NotParsed("nested too deeply")
        return depth - 1
