"""From whatever id an analyst holds to the nodes it means."""

from dataclasses import dataclass

import duckdb

from ultravires.errors import UsageError
from ultravires.tracing.rows import fetch_rows
from ultravires.tracing.visible import visible

KINDS_OF_ID = (
    "an approval or ticket, a decision, a credential, a tool call, a trace, a conversation, an event, "
    "the vendor's own event id, a node, a chain or a finding"
)


@dataclass(frozen=True)
class Match:
    """A node, and what about it the id matched (`ticket`, `credential`, `finding`, the kind of a key ...)."""

    node_id: str
    matched: str


_BY_NAME = """
select approval_id as node_id, 'approval' as matched from approvals where $id in (approval_id, approval_uid)
union select approval_id, 'ticket' from approvals where ticket = $id
union select decision_id, 'decision' from decisions where $id in (decision_id, decision_uid)
union select tool_call_id, 'tool call' from tool_calls where $id in (tool_call_id, tool_call_uid)
union select credential_id, 'credential' from credentials where $id in (credential_id, credential_uid)
union select step_id, 'node' from chain_steps where step_id = $id
"""

_BY_CHAIN = """
with recursive ids(chain_id) as (
    select $id::varchar
    union
    select chain_aliases.new_id from chain_aliases join ids on chain_aliases.old_id = ids.chain_id
)
select chains.root_id as node_id, 'chain' as matched, chains.chain_id from chains join ids using (chain_id)
"""

# Which node an event defines; an event of a kind that has no node of its own stands for the steps it made. What a
# snapshot states is no node.
_NODE_OF_EVENT = """
select distinct coalesce(
    case kind
        when 'approval' then 'approval:' || approval_uid
        when 'decision' then 'decision:' || decision_uid
        when 'tool_call' then 'tool_call:' || tool_call_uid
        when 'credential' then 'credential:' || coalesce(issued_credential_uid, credential_uid)
        else 'activity:' || event_id
    end, 'activity:' || event_id) as node_id, {matched} as matched
from events
where kind <> 'inventory' and {condition}
order by 1
"""

_SUBJECT_KINDS = ("approval", "decision", "tool_call", "credential", "activity")


def find_nodes(con: duckdb.DuckDBPyConnection, any_id: str) -> tuple[list[Match], str | None]:
    """The nodes that `any_id` means and, where it names a chain, that chain's present id.

    Names are tried before events, events before the keys that events carry, because a key is looked for in
    every event. Raises UsageError when nothing has this id.
    """
    chain = fetch_rows(con, _BY_CHAIN, {"id": any_id})
    if chain:
        return [Match(row["node_id"], row["matched"]) for row in chain], str(chain[0]["chain_id"])
    ways = (_by_name, _by_finding, _by_event, _by_key, _by_scoped_event)
    found = next((matches for look in ways if (matches := look(con, any_id))), None)
    if not found:
        raise UsageError(f"nothing here has the id '{visible(any_id, 100)}'; an id can be {KINDS_OF_ID}")
    return found, None


def _matches(con: duckdb.DuckDBPyConnection, sql: str, values: dict[str, object]) -> list[Match]:
    first_reason = {row["node_id"]: row["matched"] for row in reversed(fetch_rows(con, sql, values))}
    return [Match(node_id, matched) for node_id, matched in sorted(first_reason.items())]


def _by_name(con: duckdb.DuckDBPyConnection, any_id: str) -> list[Match]:
    return _matches(con, _BY_NAME, {"id": any_id})


def _by_finding(con: duckdb.DuckDBPyConnection, any_id: str) -> list[Match]:
    found = fetch_rows(
        con,
        "select subject_kind, subject_uid, evidence_event_ids from findings where finding_id = ?",
        [any_id],
    )
    if not found:
        return []
    subject = found[0]
    if subject["subject_kind"] in _SUBJECT_KINDS:
        uid = subject["subject_uid"].removeprefix(f"{subject['subject_kind']}:")
        known = _by_name(con, f"{subject['subject_kind']}:{uid}")
        if known:
            return [Match(match.node_id, "finding") for match in known]
    values: dict[str, object] = {"ids": [subject["subject_uid"], *(subject["evidence_event_ids"] or [])]}
    return _matches(con, _event_query("'finding'", "event_id in (select unnest($ids::varchar[]))"), values)


def _by_event(con: duckdb.DuckDBPyConnection, any_id: str) -> list[Match]:
    matched = "case when event_id = $id then 'event' else 'vendor''s event id' end"
    return _matches(con, _event_query(matched, "$id in (event_id, native_id)"), {"id": any_id})


def _by_key(con: duckdb.DuckDBPyConnection, any_id: str) -> list[Match]:
    """Keys also match on what follows their scope (`<trace>/call_1`): such ids repeat, so all are listed."""
    hits = "list_filter(keys, lambda k: k.value = $id or ends_with(k.value, '/' || $id))"
    return _matches(con, _event_query(f"({hits})[1].kind", f"len({hits}) > 0"), {"id": any_id})


def _by_scoped_event(con: duckdb.DuckDBPyConnection, any_id: str) -> list[Match]:
    """The vendor's id without the scope in which it is unique, as its own console shows it (`<log>/<insertId>`)."""
    condition = "ends_with(native_id, '/' || $id)"
    return _matches(con, _event_query("'vendor''s event id'", condition), {"id": any_id})


def _event_query(matched: str, condition: str) -> str:
    return _NODE_OF_EVENT.format(matched=matched, condition=condition)
