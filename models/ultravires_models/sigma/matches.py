"""What the rules match that correlations are made of: one row per rule and matching row, with the fields they need."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from ultravires_models.errors import RuleError
from ultravires_models.hits import UTC_MICROS
from ultravires_models.relation import Relation
from ultravires_models.rule import Rule
from ultravires_models.sigma.fields import FieldReader
from ultravires_models.sigma.runner import compile_condition, field_ctes, row_ctes, rule_ctes, text_of
from ultravires_models.sigma.sqltext import identifier, literal

MATCHES = pa.schema(
    [
        pa.field("detector_id", pa.string(), nullable=False),
        pa.field("row_uid", pa.string(), nullable=False),
        pa.field("hit_at", UTC_MICROS, nullable=False),
        pa.field("event_hour", UTC_MICROS, nullable=False),
        pa.field("identity_id", pa.string()),
        pa.field("actor_uid", pa.string()),
        pa.field("chain_id", pa.string()),
        pa.field("evidence_event_ids", pa.list_(pa.string()), nullable=False),
        pa.field("outcome", pa.string()),
        pa.field("fields", pa.list_(pa.string()), nullable=False),
    ]
)
"""`fields` holds the values of the rule's fields in the order of `fields` of `compile_matches`, null where one is
missing; several values of one field are one text.
"""


def compile_matches(rules: Sequence[Rule], relation: Relation, fields: Mapping[str, Sequence[str]]) -> str:
    """One SELECT with the columns of MATCHES; `fields` says for each rule's name which of its fields are wanted."""
    reader = FieldReader(relation)
    conditions = [compile_condition(rule, reader) for rule in rules]
    values = [
        f"WHEN {number} THEN {_values(rule, fields[rule.detector_id], reader)}" for number, rule in enumerate(rules)
    ]
    names = [f"WHEN {number} THEN {literal(rule.detector_id)}" for number, rule in enumerate(rules)]
    evidence = f"list_filter({relation.evidence_sql}, lambda e: e IS NOT NULL)"
    columns = {
        "detector_id": f"CASE rule_no {' '.join(names)} END",
        "row_uid": relation.row_uid_sql,
        "hit_at": relation.hit_at_sql,
        "event_hour": relation.event_hour_sql,
        "identity_id": relation.identity_sql,
        "actor_uid": relation.actor_sql,
        "chain_id": relation.chain_sql,
        "evidence_event_ids": f"coalesce({evidence}, []::VARCHAR[])",
        "outcome": relation.outcome_sql,
        "fields": f"CASE rule_no {' '.join(values)} END",
    }
    ctes = [*row_ctes(relation), *field_ctes(reader), *rule_ctes(conditions)]
    with_clause = ",\n".join(f"{name} AS ({body})" for name, body in ctes)
    select = ",\n  ".join(f"{columns[name]} AS {identifier(name)}" for name in MATCHES.names)
    return f"WITH {with_clause}\nSELECT\n  {select}\nFROM fired AS {identifier(relation.table)}"


def check_fields(rule: Rule, fields: Sequence[str]) -> None:
    """RuleError where the rule's log has not these fields."""
    _values(rule, fields, FieldReader(rule.relation))


def _values(rule: Rule, fields: Sequence[str], reader: FieldReader) -> str:
    try:
        read = [f"nullif({text_of(reader.resolve(name))}, '')" for name in fields]
    except RuleError as error:
        raise RuleError(f"{rule.detector_id}: {error}") from error
    return f"[{', '.join(read)}]::VARCHAR[]"
