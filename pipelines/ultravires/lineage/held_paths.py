"""What is held, by the path through which it is and the event that brought it about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from ultravires.lineage.causes import Cause, read_causes
from ultravires.lineage.covering import Approved, covering
from ultravires.lineage.entitlement import Entitlement
from ultravires.lineage.judging import Rows


@dataclass(frozen=True)
class Statement:
    """One row of `entitlements`, and the approvals that cover it."""

    entitlement: Entitlement
    covered_by: list[str]


@dataclass(frozen=True)
class HeldPath:
    """What one path gives since one moment. `cause` is None where no event shows it."""

    holder_uid: str
    path: list[str]
    layer: str
    scope_uid: str | None
    since: datetime | None
    start_by: str | None
    cause_event_id: str | None
    cause_actor_uid: str | None
    cause: Cause | None
    approval_uid: str | None
    is_certain: bool
    is_reported: bool
    power: str | None
    statements: list[Statement]


def held_paths(con: duckdb.DuckDBPyConnection, rows: Rows, approved: Sequence[Approved]) -> list[HeldPath]:
    """Rows by path and cause; what gives the most first."""
    causes = read_causes(con, (row.event_id for row in rows))
    grouped: dict[tuple[Any, ...], list[Entitlement]] = {}
    for row in rows:
        key = (row.holder_uid, tuple(row.path), row.layer, row.scope_uid, row.valid_from, row.event_id, row.start_by)
        grouped.setdefault((*key, row.approval_uid), []).append(row)
    found = [_path(of_one, causes, approved) for of_one in grouped.values()]
    return sorted(found, key=lambda each: (_rank(each.power), each.path, str(each.since or ""), each.holder_uid))


def _path(rows: Rows, causes: dict[str, Cause], approved: Sequence[Approved]) -> HeldPath:
    first = rows[0]
    return HeldPath(
        holder_uid=first.holder_uid or "",
        path=list(first.path),
        layer=first.layer,
        scope_uid=first.scope_uid,
        since=first.valid_from,
        start_by=first.start_by,
        cause_event_id=first.event_id,
        cause_actor_uid=first.cause_actor_uid,
        cause=causes.get(first.event_id or ""),
        approval_uid=first.approval_uid,
        is_certain=all(row.is_certain for row in rows),
        is_reported=any(row.is_reported for row in rows),
        power=min((row.power for row in rows), key=_rank),
        statements=[Statement(row, covering(row, approved) if row.effect == "allow" else []) for row in rows],
    )


def _rank(power: str | None) -> int:
    return {"admin": 0, "permissions": 1, "data": 2}.get(power or "", 3)


def most_power(rows: Rows) -> tuple[str | None, datetime | None]:
    power = min((row.power for row in rows), key=_rank, default=None)
    since = [row.valid_from for row in rows if row.power == power]
    return power, None if None in since else min((each for each in since if each), default=None)
