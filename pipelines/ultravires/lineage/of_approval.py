"""What an approval led to in grants, and what of that is still held."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import duckdb

from ultravires.lineage.causes import Cause, read_causes
from ultravires.lineage.entitlement import Entitlement, read_entitlements
from ultravires.lineage.lineage import plain_values
from ultravires.tracing.rows import Row, fetch_rows


@dataclass(frozen=True)
class Led:
    """One right that was given under the approval; `end` is the event that took it, where one did."""

    entitlement: Entitlement
    is_held: bool
    cause: Cause | None
    end: Cause | None


@dataclass(frozen=True)
class OfApproval:
    """The approvals of this id or ticket, and every right whose change was made under one of them."""

    asked: str
    at: datetime
    approvals: list[Row]
    led: list[Led]
    n_held: int

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values; times are ISO 8601 in UTC."""
        return {"kind": "approval", **plain_values(asdict(self))}


_APPROVALS = """
select approval_id, approval_uid, ticket, status, task, identity_id,
    subject_uid, approved_by, granted_at, valid_from, ends_at,
    coalesce(actions, []) as actions, coalesce(resources, []) as resources, coalesce(roles, []) as roles,
    coalesce(tools, []) as tools, coalesce(is_granted, false) as is_granted
from approvals
where $id in (approval_id, approval_uid, ticket)
order by approval_uid
"""


def of_approval(con: duckdb.DuckDBPyConnection, asked: str, at: datetime) -> OfApproval | None:
    """What it led to; None where no approval has this id or ticket."""
    approvals = fetch_rows(con, _APPROVALS, {"id": asked})
    if not approvals:
        return None
    rows = read_entitlements(
        con,
        "layer <> 'approved' and approval_uid in (select unnest($uids::varchar[]))",
        {"uids": [row["approval_uid"] for row in approvals]},
    )
    led = _led(con, rows, at)
    return OfApproval(asked, at, approvals, led, sum(each.is_held for each in led))


def _led(con: duckdb.DuckDBPyConnection, rows: Sequence[Entitlement], at: datetime) -> list[Led]:
    events = read_causes(con, (event for row in rows for event in (row.event_id, row.end_event_id)))
    found = [
        Led(row, _stands(row, at), events.get(row.event_id or ""), events.get(row.end_event_id or "")) for row in rows
    ]
    return sorted(found, key=lambda each: (str(each.entitlement.valid_from or ""), each.entitlement.entitlement_id))


def _stands(row: Entitlement, at: datetime) -> bool:
    has_begun = row.valid_from is None or row.valid_from <= at
    return has_begun and (row.valid_until is None or row.valid_until > at)
