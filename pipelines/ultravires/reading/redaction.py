"""Takes secrets out of a decoded record before it is stored.

The value of a field with a secret's name becomes `redacted:<keyed hash>`, so that equal secrets stay
comparable and none can be read. Names are compared without case and by the last part of a dotted name. Three
places hide fields: `{"key": name, "value": ...}` pairs (OTLP attributes, AWS tags; `name` in HTTP headers), JSON
written inside a string, and JSON inside a string that was cut off; the last cannot be taken apart, so the whole
string goes.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.events import NotParsed
from ultravires.reading.options import Options, keyed_hash
from ultravires.reading.values import canonical

_ALREADY = re.compile(r"redacted:[0-9a-f]{16}")
_QUOTED_WORD = re.compile(r'"([\w.-]{1,64})\\*"')
_NAME_IN_TEXT = re.compile(r'"([\w.-]{1,64})\\*"\s*:')
_KNOWN_NAMES = 20_000


class _SecretNames(dict[str, bool]):
    """Remembers for each field name whether it is a secret's; stops remembering before a hostile log fills
    memory.
    """

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self.names = frozenset(name.lower() for name in names)

    def __missing__(self, name: str) -> bool:
        answer = name.rsplit(".", 1)[-1].lower() in self.names
        if len(self) < _KNOWN_NAMES:
            self[name] = answer
        return answer


@lru_cache(maxsize=8)
def _secret_names(names: frozenset[str]) -> _SecretNames:
    """One memory for all records that are redacted under the same names."""
    return _SecretNames(names)


@lru_cache(maxsize=8)
def _pattern_of(names: frozenset[str]) -> str:
    """Where JSON text may name a secret: the name between quotes (escaped ones too) or behind a dot; or text that is
    JSON inside a string with escapes, which may spell anything.
    """
    known = "|".join(_re2_escaped(msgspec.json.encode(name).decode()[1:-1]) for name in sorted(names))
    return rf'(?i)[".](?:{known})\\*"|\\\\u' if names else r"\\\\u"


def _re2_escaped(name: str) -> str:
    """As a literal for RE2, which refuses some escapes that `re.escape` makes."""
    return "".join(char if char.isalnum() or char in "_-" or ord(char) > 127 else f"\\{char}" for char in name)


class Redactor:
    """Redacts decoded JSON under one set of options. Never changes its input: shared parts may be in other
    records.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._secret = _secret_names(options.redact)
        self._pattern = _pattern_of(options.redact)

    def redact(self, value: Any, *, within: int = 0) -> Any:
        """The same value, which lies `within` so many objects, or a copy with its secrets replaced. Raises NotParsed
        beyond `max_depth`.
        """
        return self._value(value, self._options.max_depth - within)

    def suspects(self, texts: pa.Array) -> list[int]:
        """The places of those JSON texts that `redact` might change, in ascending order: all that it would, and few
        others. One search over all texts costs a tenth of taking each apart.
        """
        return list(pc.indices_nonzero(pc.match_substring_regex(texts, self._pattern)).to_pylist())

    def hide(self, value: Any) -> Any:
        """What is stored in place of a secret; null and booleans stay, a number or an object goes too."""
        if value is None or type(value) is bool or (type(value) is str and _ALREADY.fullmatch(value)):
            return value
        data = value.encode() if type(value) is str else canonical(value)
        return "redacted:" + keyed_hash(data, self._options, size=8)

    def _value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is dict:
            return self._object(value, depth)
        if kind is list:
            return self._array(value, depth)
        return self._text(value, depth) if kind is str and '"' in value else value

    def _object(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        """The loop that every field of every record goes through; hence no call for a plain value."""
        if depth <= 0:
            raise NotParsed("nested too deeply")
        changed: dict[str, Any] | None = None
        secret = self._secret
        for name, member in value.items():
            kind = type(member)
            if secret[name]:
                new = self.hide(member)
            elif kind is dict or kind is list or (kind is str and '"' in member):
                new = self._value(member, depth - 1)
            else:
                continue
            if new is not member:
                changed = changed or dict(value)
                changed[name] = new
        pair = value.get("key") or value.get("name")
        if type(pair) is str and "value" in value and secret[pair]:
            changed = changed or dict(value)
            changed["value"] = self.hide_any(value["value"])
        return value if changed is None else changed

    def hide_any(self, value: Any) -> Any:
        """OTLP wraps a value in its type: `{"stringValue": ...}`; the wrapper stays readable as OTLP."""
        is_wrapped = type(value) is dict and len(value) == 1 and next(iter(value)).endswith("Value")
        return {"stringValue": self.hide(next(iter(value.values())))} if is_wrapped else self.hide(value)

    def _array(self, value: list[Any], depth: int) -> list[Any]:
        if depth <= 0:
            raise NotParsed("nested too deeply")
        new = [self._value(item, depth - 1) for item in value]
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value

    def _text(self, value: str, depth: int) -> str:
        is_suspect = self._names_secret(_QUOTED_WORD, value)
        if not is_suspect and "\\u" not in value:
            return value
        try:
            inner = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return str(self.hide(value)) if self._names_secret(_NAME_IN_TEXT, value) else value
        new = self._value(inner, depth - 1)
        # a suspect text is always written anew: of repeated keys it may still hold what decoding dropped
        return msgspec.json.encode(new).decode() if is_suspect or new is not inner else value

    def _names_secret(self, pattern: re.Pattern[str], value: str) -> bool:
        return any(self._secret[match[1]] for match in pattern.finditer(value))
