"""What an identity holds at a moment, through what, since when, by whom, and how the least of changes takes it back."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import duckdb

from ultravires.lineage.covering import Approved, covering, read_approved
from ultravires.lineage.deciding import Asking, Decision, decide_on
from ultravires.lineage.entitlement import AT, Entitlement, read_entitlements
from ultravires.lineage.held_paths import HeldPath, held_paths, most_power
from ultravires.lineage.judging import account_of
from ultravires.lineage.who import Who


@dataclass(frozen=True)
class Lineage:
    """All of it. `power` is the most that is held, `power_since` the first moment of what gives it (None: before the
    logs); of `n_statements` the approvals cover `n_covered`. `namesake` is an approval of the same name.
    """

    asked: str
    at: datetime
    who: Who
    n_statements: int
    n_paths: int
    n_covered: int
    power: str | None
    power_since: datetime | None
    held: list[HeldPath]
    limits: list[HeldPath]
    approved: list[Approved]
    decision: Decision | None
    namesake: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values; times are ISO 8601 in UTC."""
        return {"kind": "identity", **plain_values(asdict(self))}


def plain_values(value: dict[str, Any]) -> dict[str, Any]:
    """The same with values that JSON has."""
    return {key: _plain(item) for key, item in value.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return plain_values(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def lineage(
    con: duckdb.DuckDBPyConnection,
    asked: str,
    who: Who,
    at: datetime,
    *,
    action: str | None = None,
    resource: str | None = None,
) -> Lineage:
    """What `who` holds at this moment and, where an action is asked for, whether it may do that and what ends it."""
    rows = _rows_of(con, who, at)
    approved = read_approved(con, who.names, at)
    granted = [row for row in rows if row.layer == "granted"]
    held = held_paths(con, granted, approved)
    allowing = [row for row in granted if row.effect == "allow"]
    power, since = most_power(allowing)
    return Lineage(
        asked=asked,
        at=at,
        who=who,
        n_statements=len(allowing),
        n_paths=len({(row.holder_uid, *row.path) for row in allowing}),
        n_covered=sum(bool(covering(row, approved)) for row in allowing),
        power=power,
        power_since=since,
        held=held,
        limits=held_paths(con, [row for row in rows if row.layer == "limit"], []),
        approved=approved,
        decision=decide_on(con, Asking(who, at, action, resource), rows, approved) if action else None,
    )


def _rows_of(con: duckdb.DuckDBPyConnection, who: Who, at: datetime) -> list[Entitlement]:
    """What it holds, and what limits it and its accounts."""
    accounts = sorted({account for name in who.names if (account := account_of(name))})
    own = "(identity_id in (select unnest($names)) or holder_uid in (select unnest($names)))"
    limits = "(layer = 'limit' and holder_uid in (select unnest($accounts)))"
    condition = f"layer <> 'approved' and ({own} or {limits}) and {AT}"
    return read_entitlements(con, condition, {"names": list(who.names), "accounts": accounts, "at": at})
