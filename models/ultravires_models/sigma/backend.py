"""The Sigma backend: one rule's detection becomes one boolean expression of DuckDB SQL.

Semantics follow the Sigma specification 2.1 (rules, modifiers): values ignore case, * and ? are wildcards, a
condition on a list holds when any element meets it, and null (a missing field, an empty list) meets only
`null` and `exists: false`. A negation is true of whatever is not known to meet the condition.
"""

from collections.abc import Callable
from typing import Any, ClassVar, cast

from sigma.conditions import ConditionFieldEqualsValueExpression as FieldCondition
from sigma.conditions import ConditionItem, ConditionNOT, ConditionValueExpression
from sigma.conversion.base import TextQueryBackend
from sigma.conversion.state import ConversionState
from sigma.types import (
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
)

from ultravires_models.errors import RuleError
from ultravires_models.sigma import conditions
from ultravires_models.sigma.fields import Field, FieldReader
from ultravires_models.sigma.networks import is_in_network
from ultravires_models.sigma.sqltext import json_like_pattern, like_pattern


class DuckDbBackend(TextQueryBackend):
    """Converts the conditions of rules whose fields `reader` resolves; the runner makes the statement."""

    name: ClassVar[str] = "Ultravires DuckDB"
    formats: ClassVar[dict[str, str]] = {"default": "a boolean SQL expression"}
    parenthesize = True
    group_expression = "({expr})"
    or_token = "OR"  # noqa: S105 - a token of the language
    and_token = "AND"  # noqa: S105
    not_token = "NOT"  # noqa: S105
    eq_token = "="  # noqa: S105

    def __init__(self, reader: FieldReader) -> None:
        super().__init__()
        self.reader = reader

    def convert_condition_not(self, cond: ConditionNOT, state: ConversionState) -> str:
        """Unknown is no match, so its negation is one: else a null in a filter would hide the event."""
        return f"NOT coalesce(({self.convert_condition(cast(ConditionItem, cond.args[0]), state)}), false)"

    def convert_condition_field_eq_expansion(self, cond: FieldCondition, state: ConversionState) -> str:
        """Alternatives that a modifier makes of one value. One without any text, as `base64offset` makes of a letter or
        two, would be found in everything.
        """
        for value in cast(SigmaExpansion, cond.value).values:
            if isinstance(value, SigmaString) and not any(isinstance(part, str) and part for part in value.s):
                raise RuleError(f"{cond.field}: too short a value for base64offset; give it at least three characters")
        return f"({super().convert_condition_field_eq_expansion(cond, state)})"

    def convert_condition_field_eq_val_str(self, cond: FieldCondition, state: ConversionState) -> str:
        pattern = like_pattern(cast(SigmaString, cond.value))
        return self._any(cond, lambda text: conditions.is_like(text, pattern, is_cased=False))

    def convert_condition_field_eq_val_str_case_sensitive(self, cond: FieldCondition, state: ConversionState) -> str:
        pattern = like_pattern(cast(SigmaCasedString, cond.value))
        return self._any(cond, lambda text: conditions.is_like(text, pattern, is_cased=True))

    def convert_condition_field_eq_val_num(self, cond: FieldCondition, state: ConversionState) -> str:
        number = cast(SigmaNumber, cond.value).number
        return self._any(cond, lambda text: conditions.equals_number(text, number))

    def convert_condition_field_eq_val_bool(self, cond: FieldCondition, state: ConversionState) -> str:
        expected = "true" if cond.value else "false"
        return self._any(cond, lambda text: f"lower({text}) = '{expected}'")

    def convert_condition_field_eq_val_re(self, cond: FieldCondition, state: ConversionState) -> str:
        regex = cast(SigmaRegularExpression, cond.value)
        return self._any(cond, lambda text: conditions.matches_regex(text, regex))

    def convert_condition_field_eq_val_cidr(self, cond: FieldCondition, state: ConversionState) -> str:
        network = cast(SigmaCIDRExpression, cond.value).network
        return self._any(cond, lambda text: is_in_network(text, network))

    def convert_condition_field_compare_op_val(self, cond: FieldCondition, state: ConversionState) -> str:
        value = cast(SigmaCompareExpression, cond.value)
        number = value.number
        if isinstance(number, SigmaTimestampPart):
            part = number.timestamp_part
            return self._any(cond, lambda t: conditions.compares_date_part(t, part, value.op, number.number))
        return self._any(cond, lambda text: conditions.compares(text, value.op, number.number))

    def convert_condition_field_eq_val_timestamp_part(self, cond: FieldCondition, state: ConversionState) -> str:
        value = cast(SigmaTimestampPart, cond.value)
        return self._any(cond, lambda t: conditions.equals_date_part(t, value.timestamp_part, value.number))

    def convert_condition_field_eq_field(self, cond: FieldCondition, state: ConversionState) -> str:
        """Some value of one field equals (or starts, ends, holds) some value of the other, ignoring case."""
        reference = cast(SigmaFieldReference, cond.value)
        other = self.reader.resolve(reference.field)
        return self._any(cond, lambda text: _any_value(other, "w", _relate(text, reference)))

    def convert_condition_field_eq_val_null(self, cond: FieldCondition, state: ConversionState) -> str:
        return f"NOT {self._is_present(cond.field)}"

    def convert_condition_field_exists(self, cond: FieldCondition, state: ConversionState) -> str:
        return self._is_present(cond.field)

    def convert_condition_val_str(self, cond: ConditionValueExpression, state: ConversionState) -> str:
        """A keyword: anywhere in the raw record, as written or as JSON writes it."""
        value = cast(SigmaString, cond.value)
        patterns = dict.fromkeys((like_pattern(value), json_like_pattern(value)))
        raw = self._raw()
        is_cased = isinstance(value, SigmaCasedString)
        return "(" + " OR ".join(conditions.is_like(raw, f"%{p}%", is_cased=is_cased) for p in patterns) + ")"

    def convert_condition_val_num(self, cond: ConditionValueExpression, state: ConversionState) -> str:
        return conditions.is_like(self._raw(), f"%{cond.value}%", is_cased=False)

    def convert_condition_val_re(self, cond: ConditionValueExpression, state: ConversionState) -> str:
        return conditions.matches_regex(self._raw(), cast(SigmaRegularExpression, cond.value))

    def convert_correlation_rule(self, rule: Any, *args: Any, **kwargs: Any) -> list[Any]:
        raise RuleError("correlations are not supported yet; write a rule of one event")

    def _any(self, cond: FieldCondition, condition: Callable[[str], str]) -> str:
        return _any_value(self.reader.resolve(cond.field), "v", condition)

    def _is_present(self, name: str) -> str:
        field = self.reader.resolve(name)
        return f"(coalesce(len({field.sql}), 0) > 0)" if field.kind == "list" else f"({field.sql} IS NOT NULL)"

    def _raw(self) -> str:
        if self.reader.relation.raw_column is None:
            raise RuleError(f"keywords need a raw record, which {self.reader.relation.table} has not; name a column")
        return self.reader.relation.raw_column


def _any_value(field: Field, name: str, condition: Callable[[str], str]) -> str:
    """The condition on a scalar's text, or on any element of a list (`name` is the lambda's parameter)."""
    if field.kind == "list":
        return f"(len(list_filter({field.sql}, lambda {name}: {condition(name)})) > 0)"
    return f"({condition(field.sql if field.kind == 'text' else f'CAST({field.sql} AS VARCHAR)')})"


def _relate(text: str, reference: SigmaFieldReference) -> Callable[[str], str]:
    def condition(other: str) -> str:
        if reference.starts_with and reference.ends_with:
            return f"contains(lower({text}), lower({other}))"
        if reference.starts_with:
            return f"starts_with(lower({text}), lower({other}))"
        if reference.ends_with:
            return f"ends_with(lower({text}), lower({other}))"
        return f"lower({text}) = lower({other})"

    return condition
