"""OTLP as JSON in the names of its protobuf files (`resource_spans`, `string_value`), as some libraries write it.

https://protobuf.dev/programming-guides/json/ allows both; OTLP itself asks for lowerCamelCase.
"""

from typing import Any

from ultravires.reading.renaming import Renaming

_EXPORTS = ("resource_spans", "resource_logs")
_DEEPEST = 60


def record_of(export: dict[str, Any]) -> dict[str, Any] | None:
    """An export of spans or log records in OTLP's own names. Names of attributes are values, and stay as they are."""
    if not any(name in export for name in _EXPORTS):
        return None
    found = _in_camel_case(export, _DEEPEST)
    return found if isinstance(found, dict) else None


def _in_camel_case(value: Any, depth: int) -> Any:
    if depth <= 0:
        return value
    if isinstance(value, dict):
        return {_camel(name): _in_camel_case(inner, depth - 1) for name, inner in value.items()}
    return [_in_camel_case(inner, depth - 1) for inner in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


RENAMING = Renaming(
    name="otlp in snake case",
    title="OTLP in the names of its protobuf files",
    sources=("otel_genai",),
    documentation="https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding",
    record_of=record_of,
)
