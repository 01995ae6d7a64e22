"""Which rules may match a record, told by one field of it: hundreds of rules are then asked of few records.

Most rules of a log want certain values of the field that says what was done (`eventName`, `eventType`, `verb`). Which
rules a value of it leaves is found once for each value that occurs; only records that leave some are read further.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionItem, ConditionOR
from sigma.conversion.state import ConversionState
from sigma.types import SigmaString

from ultravires_models.rule import Rule
from ultravires_models.sigma.backend import DuckDbBackend
from ultravires_models.sigma.fields import FieldReader, values_of_node
from ultravires_models.sigma.sqltext import json_path, literal

FEWEST_RULES = 16
"""Fewer are asked of each record sooner than sorted."""


@dataclass(frozen=True)
class Dispatch:
    """The field that tells, and for each rule what its values must be; None of a rule that any value leaves."""

    field: str
    conditions: tuple[str | None, ...]

    def ctes(self, raw: str) -> list[tuple[str, str]]:
        """From `picked` to `left_over`: its rows that leave a rule, with the numbers of these as `candidates`."""
        key = f"json_extract({raw}, {literal(json_path((self.field,)))})::VARCHAR"
        cases = ", ".join(
            f"CASE WHEN {condition} THEN {number} END"
            for number, condition in enumerate(self.conditions)
            if condition is not None
        )
        keeps_all = any(condition is None for condition in self.conditions)
        some = "" if keeps_all else " WHERE len(candidates) > 0"
        values = f"SELECT DISTINCT {key} AS told_by FROM picked"
        candidates = f"list_filter([{cases}], lambda n: n IS NOT NULL) AS candidates"
        return [
            ("keyed", f"SELECT *, {key} AS told_by FROM picked"),
            ("told", f"SELECT told_by, {values_of_node('told_by::JSON')} AS told_values FROM ({values})"),
            ("answers", f"SELECT * FROM (SELECT told_by, {candidates} FROM told){some}"),
            (
                "left_over",
                "SELECT keyed.* EXCLUDE (told_by), candidates FROM keyed JOIN answers "
                "ON keyed.told_by IS NOT DISTINCT FROM answers.told_by",
            ),
        ]


def find_dispatch(rules: Sequence[Rule], reader: FieldReader) -> Dispatch | None:
    """By the field at the top of a record that most rules ask for a text; None where most rules ask for none."""
    if reader.relation.raw_column is None or len(rules) < FEWEST_RULES:
        return None
    trees = [[condition.parsed for condition in rule.sigma.detection.parsed_condition] for rule in rules]
    asked = Counter(field for tree in trees for field in {name for item in tree for name in _asked(item)})
    for field, _ in asked.most_common(1):
        backend = DuckDbBackend(_OneField(reader, field))
        conditions = tuple(_joined([_of(item, field, backend) for item in tree], "OR") for tree in trees)
        if sum(condition is not None for condition in conditions) * 2 >= len(rules):
            return Dispatch(field, conditions)
    return None


class _OneField(FieldReader):
    """Reads one field from where its values stand by themselves."""

    def __init__(self, reader: FieldReader, field: str) -> None:
        super().__init__(reader.relation)
        self.paths = [(field,)]

    def field_name(self, number: int) -> str:
        return "told_values"


def _asked(item: object) -> Iterator[str]:
    if isinstance(item, ConditionAND | ConditionOR):
        for argument in item.args:
            yield from _asked(argument)
    elif isinstance(item, ConditionFieldEqualsValueExpression) and isinstance(item.value, SigmaString):
        yield from [item.field] if "." not in item.field else []


def _of(item: object, field: str, backend: DuckDbBackend) -> str | None:
    """What a match says of the field; None where it says nothing."""
    if isinstance(item, ConditionAND):
        known = [part for part in (_of(argument, field, backend) for argument in item.args) if part is not None]
        return _joined(known, "AND") if known else None
    if isinstance(item, ConditionOR):
        return _joined([_of(argument, field, backend) for argument in item.args], "OR")
    is_asked = isinstance(item, ConditionFieldEqualsValueExpression) and item.field == field
    if is_asked and isinstance(item.value, SigmaString):  # type: ignore[attr-defined]
        return str(backend.convert_condition(cast(ConditionItem, item), ConversionState()))
    return None


def _joined(parts: Sequence[str | None], word: str) -> str | None:
    known = [part for part in parts if part is not None]
    return f"({f' {word} '.join(known)})" if known and len(known) == len(parts) else None
