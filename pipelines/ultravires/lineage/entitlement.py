"""One row of `entitlements`, and those that stand at a moment."""

from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache

import duckdb

from ultravires.tracing.rows import fetch_rows


@dataclass(frozen=True)
class Entitlement:
    """A statement that somebody holds by one path over one stretch of time; the columns are those of the table."""

    entitlement_id: str
    identity_id: str | None
    holder_uid: str | None
    layer: str
    effect: str
    action_pattern: str | None
    resource_pattern: str | None
    except_actions: list[str]
    except_resources: list[str]
    scope_uid: str | None
    condition: str | None
    is_conditional: bool
    valid_from: datetime | None
    valid_until: datetime | None
    recorded_at: datetime | None
    path: list[str]
    grant_ids: list[str]
    relations: list[str]
    binding_uids: list[str | None]
    document_uid: str | None
    document_kind: str | None
    principal: str | None
    except_principals: list[str]
    plane: str | None
    start_by: str | None
    event_id: str | None
    cause_actor_uid: str | None
    approval_uid: str | None
    end_event_id: str | None
    is_reported: bool
    is_certain: bool
    power: str | None

    @property
    def limits_as(self) -> str | None:
        """`boundary` or `guardrail` of what limits, None of what gives."""
        return self.relations[-1] if self.layer == "limit" and self.relations else None

    @property
    def resource(self) -> str | None:
        """The resource whose own document says it; a statement that was added by itself has a name after it."""
        if self.document_kind not in ("resource", "trust") or self.document_uid is None:
            return None
        return self.document_uid.partition("#")[0]


AT = "(valid_from is null or valid_from <= $at) and (valid_until is null or valid_until > $at)"
"""Stands at the moment `$at`."""


@cache
def _columns() -> str:
    return ", ".join(field.name for field in fields(Entitlement))


def read_entitlements(con: duckdb.DuckDBPyConnection, condition: str, values: dict[str, object]) -> list[Entitlement]:
    """The rows for which `condition` holds, in an order of their own."""
    sql = f"select {_columns()} from entitlements where {condition} order by all"
    return [Entitlement(**row) for row in fetch_rows(con, sql, values)]
