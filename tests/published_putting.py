"""How the small published home of published_fixture.py is filled: rows, and steps with events and links."""

from datetime import UTC, datetime, timedelta

import duckdb
from published_columns import COLUMNS

DAY = datetime(2026, 10, 5, tzinfo=UTC)
TRACE, CHAIN, KEY_CHAIN, ASK_CHAIN = "a1b2c3d4e5f60718", "ch_ticket", "ch_static_key", "ch_request"
FINDING, KEY_FINDING = "fi_outside_approval", "fi_static_key"
ROLES = [
    f"arn:aws:iam::{account}:role/{name}"
    for account, name in ((111111111111, "invoice"), (111111111111, "reader"), (222222222222, "archive"))
]
EVENT_COLUMN = {"approval": "approval_uid", "decision": "decision_uid", "tool_call": "tool_call_uid"}


def at(clock: str) -> datetime:
    """'09:05' or '09:05:10' on the day of the fixture."""
    parts = [int(part) for part in clock.split(":")]
    return DAY + timedelta(hours=parts[0], minutes=parts[1], seconds=parts[2] if len(parts) > 2 else 0)


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("set timezone = 'UTC'")
    for table, columns in COLUMNS.items():
        con.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")


def put(con: duckdb.DuckDBPyConnection, table: str, **row: object) -> None:
    unknown = set(row) - set(COLUMNS[table])
    assert not unknown, f"{table} has no column {unknown}"
    places = ", ".join("?" for _ in row)
    con.execute(f"insert into {table} ({', '.join(row)}) values ({places})", list(row.values()))


def put_step(
    con: duckdb.DuckDBPyConnection,
    step_id: str,
    clock: str,
    parent: str | None = None,
    *,
    chain: str = CHAIN,
    root: str = "approval:APR-1",
    spine: str = "intent",
    method: str = "exact_key",
    key: tuple[str, str] = ("approval", "APR-1"),
    confidence: float = 1.0,
    n_candidates: int = 1,
    also: str | None = None,
    event_id: str | None = None,
    **more: object,
) -> None:
    """A step, its event and its primary links: `parent` on `spine`, and `also` on the authority spine."""
    kind, uid = step_id.split(":", 1)
    event_id = event_id or (uid if kind == "activity" else f"ev-{uid}")
    step = {
        "label": more.get("action", uid),
        "action": "",
        "outcome": "success",
        "actor_uid": "agent-invoice",
        "gaps": [],
        "identity_id": "agent-invoice",
        "resource_uids": [],
        "is_privileged": False,
        "is_counted": True,
    } | more
    put(
        con,
        "chain_steps",
        chain_id=chain,
        step_id=step_id,
        node_kind=kind,
        step_at=at(clock),
        event_id=event_id,
        root_id=root,
        root_kind=root.partition(":")[0],
        slice="",
        spine=spine,
        parent_id=parent,
        confidence=confidence,
        is_accounted=root.startswith("approval"),
        authority_parent_id=also,
        event_hour=at(clock[:2] + ":00"),
        **step,
    )
    for parent_id, on in ((parent, spine), (also, "authority")):
        if parent_id:
            put_link(
                con,
                step_id,
                parent_id,
                on,
                method=method,
                key=key,
                confidence=confidence,
                n_candidates=n_candidates,
            )
    if kind != "credential":
        put(
            con,
            "events",
            event_id=event_id,
            native_id=f"native-{uid}",
            log=_log(kind),
            kind=kind,
            event_at=at(clock),
            file_id=f"file-{kind}",
            record_no=1,
            account_uid="222222222222",
            src_ip="198.51.100.7",
            keys=_keys(kind, uid),
            **{EVENT_COLUMN[kind]: uid} if kind in EVENT_COLUMN else {},
            **{name: step[name] for name in ("actor_uid", "action", "resource_uids", "outcome")},
        )


def put_link(
    con: duckdb.DuckDBPyConnection,
    child: str,
    parent: str,
    spine: str,
    *,
    method: str,
    key: tuple[str, str],
    confidence: float,
    n_candidates: int,
    is_primary: bool = True,
) -> None:
    put(
        con,
        "links",
        link_id=f"{child}|{parent}|{spine}",
        child_id=child,
        parent_id=parent,
        spine=spine,
        kind=f"{child.partition(':')[0]}>{parent.partition(':')[0]}",
        method=method,
        key_kind=key[0],
        key_value=key[1],
        confidence=confidence,
        n_candidates=n_candidates,
        is_primary=is_primary,
    )


def _keys(kind: str, uid: str) -> list[dict[str, str]]:
    trace_id = uid.partition("/")[0] if kind == "tool_call" else TRACE
    return [{"kind": "trace", "value": trace_id, "role": "carries"}] if kind in ("decision", "tool_call") else []


def _log(kind: str) -> str:
    return {"approval": "approvals", "decision": "opa_decisions", "tool_call": "otel_genai"}.get(kind, "aws_cloudtrail")
