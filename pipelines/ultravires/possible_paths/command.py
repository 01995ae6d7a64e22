"""`ultravires paths`: whom a name means, and which ways to more power are open to it at a moment."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from ultravires.build.escalation_paths import escalation_paths
from ultravires.build.pipeline import sql_tables
from ultravires.build.reference import reference_tables
from ultravires.build.table_schemas import table_schemas
from ultravires.errors import UsageError
from ultravires.lineage.command import home_moment
from ultravires.lineage.entitlement import AT
from ultravires.lineage.lineage import plain_values
from ultravires.lineage.who import Who, find_who, not_known
from ultravires.settings import Settings
from ultravires.store.queries import fetch_row
from ultravires.tracing.rows import fetch_rows

_COLUMNS = """path_id, name, kind, system, permissions, needs, holder_uid, target_uid, gives, reaches, way, n_hops,
    valid_from, cause_event_id, cause_actor_uid, approval_uid, is_certain, is_way_certain, is_taken, taken_event_id,
    taken_at, n_more, sentence"""
_NOT_PUBLISHED = ("stg_activities", "int_steps__in_scope")
"""What tells whether somebody has set out; a home publishes it only of its own moment."""
_HANDS_OVER = ("iam:PassRole", "iam.serviceAccounts.actAs")
"""Permissions that hand power over and that few need for other work."""


@dataclass(frozen=True)
class OpenPath:
    """One way that is open; the columns are those of `escalation_paths`. `closed_by` is the least that ends it.

    Whether its first step was taken (`is_taken`) is None of a moment of which that is not published.
    """

    path_id: str
    name: str
    kind: str
    system: str
    permissions: list[str]
    needs: str | None
    holder_uid: str
    target_uid: str | None
    gives: str | None
    reaches: str | None
    way: list[str]
    n_hops: int
    valid_from: datetime | None
    cause_event_id: str | None
    cause_actor_uid: str | None
    approval_uid: str | None
    is_certain: bool
    is_way_certain: bool
    is_taken: bool | None
    taken_event_id: str | None
    taken_at: datetime | None
    n_more: int
    sentence: str
    closed_by: str


@dataclass(frozen=True)
class OpenPaths:
    """What is open to an identity at a moment. `holds_granted` is False where no log shows what it holds."""

    who: Who
    at: datetime
    to: str | None
    holds_granted: bool
    holds_everything: bool
    n_known: int
    paths: list[OpenPath]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values; times are ISO 8601 in UTC."""
        return plain_values(asdict(self))


def look_up(con: duckdb.DuckDBPyConnection, asked: str, *, to: str | None, at: datetime | None) -> OpenPaths:
    """The ways that are open to an identity; the home's own moment where none is asked for.

    Raises NotKnown where nothing has this name, UsageError where several have.
    """
    for given, name in ((asked, "IDENTITY"), (to, "--to")):
        if given is not None and not given.strip():
            raise UsageError(f"{name} is empty; name one, or leave it out")
    who = find_who(con, asked)
    if who is None:
        raise not_known(con, asked)
    moment = at or home_moment(con)
    names = {"names": sorted({who.identity_id, *who.names}), "at": moment}
    mine = "(identity_id in (select unnest($names)) or holder_uid in (select unnest($names)))"
    held = fetch_row(
        con,
        f"""select count(*), coalesce(bool_or(power = 'admin' and not is_conditional), false)
        from entitlements where layer = 'granted' and {mine} and {AT}""",
        names,
    )
    table = "escalation_paths" if at is None else _made_at(con, moment)
    order = "order by is_taken desc, reaches is distinct from 'admin', not is_way_certain, n_hops, path_id, target_uid"
    rows = fetch_rows(con, f"select {_COLUMNS} from {table} where {mine} {order}", {"names": names["names"]})
    paths = [OpenPath(**row, closed_by=_closed_by(row["permissions"], row["target_uid"])) for row in rows]
    if table != "escalation_paths":
        paths = [replace(path, is_taken=None) for path in paths]
    return OpenPaths(
        who=who,
        at=moment,
        to=to,
        holds_granted=bool(held and held[0]),
        holds_everything=bool(held and held[1]),
        n_known=len(escalation_paths()),
        paths=[path for path in paths if to is None or _leads_to(path, to)],
    )


def _leads_to(path: OpenPath, to: str) -> bool:
    """By its end, or by whom it reaches on the way."""
    if to == "admin":
        return path.reaches == "admin"
    wanted = to.lower()
    return any(wanted in hop.lower() for hop in path.way) or (path.target_uid or "").lower() == wanted


def _closed_by(permissions: list[str], target: str | None) -> str:
    """Any one permission closes it; the one that few need for other work is named, which is what hands power over."""
    named = next((each for each in permissions if each in _HANDS_OVER), permissions[0])
    return f"take {named}{f' on {target}' if target else ''} away"


def _made_at(con: duckdb.DuckDBPyConnection, moment: datetime) -> str:
    """The table as of a moment, made by the SQL of a run over what stood then."""
    tables = sql_tables()
    con.execute(tables["int_escalations"].macros)
    con.execute("create temp table run_context as select $1::timestamptz as as_of", [moment])
    for name, rows in reference_tables(Settings(), ()).items():
        if name in tables["int_escalations"].inputs and isinstance(rows, pa.Table):
            con.register(f"packaged_{name}", rows)
            con.execute(f"create temp table {name} as from packaged_{name}")
    for name in _NOT_PUBLISHED:
        columns = ", ".join(f"{column} {kind}" for column, kind in table_schemas()[name].types().items())
        con.execute(f"create temp table {name} ({columns})")
    for name in ("int_escalations", "escalation_paths"):
        con.execute(f"create temp table {name} as {tables[name].sql}")
    return "temp.escalation_paths"
