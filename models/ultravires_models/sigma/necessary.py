"""What every row has that a rule matches: less than the rule asks, and cheap to ask first."""

from collections.abc import Sequence
from typing import cast

from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionItem, ConditionOR
from sigma.conversion.state import ConversionState
from sigma.types import SigmaString

from ultravires_models.rule import Rule
from ultravires_models.sigma.backend import DuckDbBackend
from ultravires_models.sigma.fields import FieldReader


def necessary_condition(rule: Rule, reader: FieldReader) -> str | None:
    """SQL that is true of every row that the rule matches; None where only the rule itself says which these are."""
    backend = DuckDbBackend(reader)
    return _joined([_of(condition.parsed, backend) for condition in rule.sigma.detection.parsed_condition], "OR")


def _of(item: object, backend: DuckDbBackend) -> str | None:
    if isinstance(item, ConditionAND):
        known = [part for part in (_of(argument, backend) for argument in item.args) if part is not None]
        return _joined(known, "AND") if known else None
    if isinstance(item, ConditionOR):
        return _joined([_of(argument, backend) for argument in item.args], "OR")
    if isinstance(item, ConditionFieldEqualsValueExpression) and _is_cheap(item, backend.reader):
        return str(backend.convert_condition(cast(ConditionItem, item), ConversionState()))
    return None  # a negation, a keyword, a field deep in a record


def _joined(parts: Sequence[str | None], word: str) -> str | None:
    known = [part for part in parts if part is not None]
    return f"({f' {word} '.join(known)})" if known and len(known) == len(parts) else None


def _is_cheap(item: ConditionFieldEqualsValueExpression, reader: FieldReader) -> bool:
    """Of a record only texts at its top, where it says what it is about: the way to any other is long SQL."""
    return reader.relation.raw_column is None or (isinstance(item.value, SigmaString) and "." not in item.field)
