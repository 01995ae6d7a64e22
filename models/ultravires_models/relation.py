"""A relation: what the rules of one log source read, and how its rows become HITS."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ultravires_models.errors import RuleError

ColumnKind = Literal["text", "list", "bool", "number", "time", "other"]

RUN_TIME = "coalesce((SELECT as_of FROM run_context), now())"
"""The time of a hit whose row has none: as of which the run judges, and the clock's in a home without events."""
NO_TEXT = "NULL::VARCHAR"
NO_LIST = "[]::VARCHAR[]"
_KINDS: Mapping[str, ColumnKind] = {
    "varchar": "text",
    "varchar[]": "list",
    "boolean": "bool",
    "integer": "number",
    "bigint": "number",
    "double": "number",
    "timestamptz": "time",
    "date": "time",
}
_RECORDED_OUTCOME = "CASE WHEN voice IS DISTINCT FROM 'reported' THEN outcome END"
_EVIDENCE = ("evidence_event_ids", "event_ids", "event_id")


@dataclass(frozen=True)
class Relation:
    """One table with the SQL that maps a row of it to HITS.

    `columns` are the columns that a rule may name, with DuckDB's types in lower case. Where `raw_column` is set, the
    fields of detections are dot paths into that JSON text instead, and `columns` serve subjects, evidence and messages;
    `read_fields` are what the log's reader made of several paths, as names that no record has and SQL for the text;
    `field_paths` say for other names of a field, and of all within it, where in the record it is. `log` is whose raw
    records these are.
    The `*_sql` attributes are expressions over the columns. `row_kind` and `row_uid_sql` name the subject of a row
    whose own subject is null. If `is_by_hour`, only hours in touched_hours are read.
    """

    product: str
    service: str
    table: str
    columns: Mapping[str, str]
    hit_at_sql: str
    event_hour_sql: str
    row_kind: str
    row_uid_sql: str
    evidence_sql: str
    identity_sql: str = NO_TEXT
    actor_sql: str = NO_TEXT
    chain_sql: str = NO_TEXT
    gaps_sql: str = NO_LIST
    outcome_sql: str = NO_TEXT
    acts_sql: str = NO_LIST
    where_sql: str = "true"
    raw_column: str | None = None
    read_fields: Mapping[str, str] = field(default_factory=dict)
    field_paths: Mapping[str, str] = field(default_factory=dict)
    is_by_hour: bool = False
    log: str | None = None

    @property
    def name(self) -> str:
        """As a rule's `logsource` names it."""
        return f"{self.product}/{self.service}"

    @property
    def table_name(self) -> str:
        """The same as part of the name of a table."""
        return re.sub(r"\W", "_", f"{self.product}_{self.service}")


def kind_of(sql_type: str) -> ColumnKind:
    """How the values of a column of this type are compared and shown."""
    return _KINDS.get(sql_type, "other")


def table_relation(
    table: str,
    columns: Mapping[str, str],
    *,
    key: Sequence[str] = (),
    is_by_hour: bool = False,
    time: str | None = None,
    hour: str | None = None,
    row_kind: str | None = None,
    row_uid: str | None = None,
    identity: str | None = None,
    actor: str | None = None,
    chain: str | None = None,
    gaps: str | None = None,
    evidence: str | None = None,
    acts: str | None = None,
    where: str | None = None,
) -> Relation:
    """The relation `ultravires/<table>`. What is not given follows from the columns:

    time: the first column that is a time and not event_hour, and the run's where that is null; hour: event_hour, else
    that of the time; row_uid: the columns of the key, else all; evidence: evidence_event_ids, else event_ids, else
    event_id; identity, actor, chain and gaps: the columns of these names; outcome: the column of this name where
    a voice stands beside it that is not the subject's own; acts, which a row tells of: event_id; where: all rows.
    An expression for evidence or acts gives a list, or names a column.
    """
    times = [name for name, kind in columns.items() if kind == "timestamptz" and name != "event_hour"]
    hit_at = time or (times[0] if times else "NULL")
    if not is_by_hour:  # a touched hour has a time of its own, and none may become stale with the run's
        hit_at = f"coalesce({hit_at}, {RUN_TIME})"
    proof = evidence or next((name for name in _EVIDENCE if name in columns), NO_LIST)
    told = acts or ("event_id" if "event_id" in columns else NO_LIST)

    def column(name: str, otherwise: str) -> str:
        return name if name in columns else otherwise

    return Relation(
        product="ultravires",
        service=table,
        table=table,
        columns=columns,
        hit_at_sql=hit_at,
        event_hour_sql=hour or column("event_hour", f"date_trunc('hour', {hit_at})"),
        row_kind=row_kind or table,
        row_uid_sql=row_uid or f"concat_ws(' ', {', '.join(key or columns)})",
        evidence_sql=f"[{proof}]" if columns.get(proof) == "varchar" else proof,
        identity_sql=identity or column("identity_id", NO_TEXT),
        actor_sql=actor or column("actor_uid", NO_TEXT),
        chain_sql=chain or column("chain_id", NO_TEXT),
        gaps_sql=f"coalesce({gaps or column('gaps', NO_LIST)}, [])",
        outcome_sql=_RECORDED_OUTCOME if {"outcome", "voice"} <= set(columns) else NO_TEXT,
        acts_sql=f"[{told}]" if columns.get(told) == "varchar" else told,
        where_sql=where or "true",
        is_by_hour=is_by_hour,
    )


def find_relation(relations: Sequence[Relation], product: str | None, service: str | None) -> Relation:
    """The relation of a log source. RuleError, listing the known ones of its product, else all, where there is none."""
    for relation in relations:
        if (relation.product, relation.service) == (product, service):
            return relation
    of_product = [relation for relation in relations if relation.product == product]
    ours = [] if of_product else ["ultravires/<table>"]
    known = of_product or [relation for relation in relations if relation.product != "ultravires"]
    names = ", ".join([*sorted(relation.name for relation in known), *ours])
    raise RuleError(f"no table for logsource {product}/{service}; known: {names}")
