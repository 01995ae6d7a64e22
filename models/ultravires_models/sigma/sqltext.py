"""Text that is safe inside generated DuckDB SQL: literals, identifiers, LIKE patterns, JSON paths."""

import json
import re

from sigma.types import SigmaString, SpecialChars

from ultravires_models.errors import RuleError

_SEGMENT = re.compile(r"[\w@:/ -]+")
_LIKE_SPECIAL = re.compile(r"([\\%_])")
_WILDCARDS = {SpecialChars.WILDCARD_MULTI: "%", SpecialChars.WILDCARD_SINGLE: "_"}


def literal(text: str) -> str:
    """A SQL string literal; standard strings have no escape but the doubled quote."""
    if "\x00" in text:
        raise RuleError("a value holds a NUL character, which SQL text cannot carry; remove it")
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def split_path(field: str) -> tuple[str, ...]:
    """The segments of a dot path. RuleError for characters that would need quoting inside a JSON path."""
    segments = tuple(field.split("."))
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise RuleError(f"field {field!r} is no dot path of letters, digits and _-@:/")
    return segments


def json_path(segments: tuple[str, ...]) -> str:
    """The JSON path of these segments, each quoted, so that none is read as a wildcard or an index."""
    return "$" + "".join(f'."{segment}"' for segment in segments)


def like_pattern(value: SigmaString) -> str:
    r"""The LIKE pattern (escape character `\`) of a Sigma string: * is any text, ? one character."""
    return "".join(_like_part(part) for part in value.s)


def json_like_pattern(value: SigmaString) -> str:
    """The same for the value as it stands inside JSON text, where quotes and backslashes are escaped."""
    escaped = (json.dumps(part, ensure_ascii=False)[1:-1] if isinstance(part, str) else part for part in value.s)
    return "".join(_like_part(part) for part in escaped)


def _like_part(part: object) -> str:
    if isinstance(part, str):
        return _LIKE_SPECIAL.sub(r"\\\1", part)
    if isinstance(part, SpecialChars):
        return _WILDCARDS[part]
    raise RuleError(f"placeholder {getattr(part, 'name', part)!r} has no value; give it some in the configuration")
