"""A relation: what the rules of one log source read, and how its rows become HITS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal["text", "list", "bool", "number", "time"]


@dataclass(frozen=True)
class Relation:
    """One table with the SQL that maps a row of it to HITS.

    `columns` are the columns that a rule may name, by kind; a list is VARCHAR[]. Where `raw_column` is set,
    the fields of detections are dot paths into that JSON text instead, and `columns` serve subjects, evidence
    and messages. The `*_sql` attributes are expressions over the columns. `row_kind` and `row_uid_sql` name
    the subject of a row whose own subject is null. If `is_by_hour`, only hours in touched_hours are read.
    """

    product: str
    service: str
    table: str
    columns: Mapping[str, ColumnKind]
    hit_at_sql: str
    event_hour_sql: str
    row_kind: str
    row_uid_sql: str
    evidence: str
    identity_sql: str = "identity_id"
    actor_sql: str = "actor_uid"
    chain_sql: str = "chain_id"
    gaps_sql: str = "coalesce(gaps, [])"
    where_sql: str = "true"
    raw_column: str | None = None
    is_by_hour: bool = False
