"""What is known of a node, in one row: its step, and the facts of its kind worth a glance."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from ultravires.tracing.rows import Row, fetch_rows


@dataclass(frozen=True)
class Node:
    """One approval, decision, credential, tool call or activity; `facts` are shown after its label.

    `at` is its log's own time, `corrected_at` the same by the clocks of recorded logs, which is where it stands in the
    order. `parent_id` is its parent on the spine its root was found on, `confidence` the least on the way there.
    """

    node_id: str
    kind: str
    log: str | None
    at: datetime | None
    corrected_at: datetime | None
    label: str
    action: str | None
    actor_uid: str | None
    identity_id: str | None
    resource_uids: list[str]
    outcome: str | None
    is_privileged: bool
    chain_id: str | None
    event_id: str | None
    parent_id: str | None
    confidence: float | None
    is_accounted: bool
    gaps: list[str]
    facts: dict[str, str] = field(default_factory=dict)


_STEPS = """
select step_id as node_id, node_kind as kind, log, step_at as at, coalesce(corrected_at, step_at) as corrected_at,
    label, action, actor_uid, identity_id,
    coalesce(resource_uids, []) as resource_uids, outcome, coalesce(is_privileged, false) as is_privileged,
    chain_id, event_id, parent_id, confidence, coalesce(is_accounted, false) as is_accounted,
    coalesce(gaps, []) as gaps
from chain_steps
where step_id in (select unnest($ids::varchar[]))
order by coalesce(corrected_at, step_at), step_id
"""

_FACTS = {
    "approvals": """
        select approval_id as node_id, ticket,
            case when origin = 'human_request' then 'a request, which grants nothing' else origin end as origin,
            status, approved_by as "approved by", risk, valid_from as "valid from", ends_at as "until"
        from approvals where approval_id in (select unnest($ids::varchar[]))""",
    "decisions": """
        select decision_id as node_id, approver as "answered by"
        from decisions where decision_id in (select unnest($ids::varchar[]))""",
    "tool_calls": """
        select tool_call_id as node_id, agent_name as agent, operation
        from tool_calls where tool_call_id in (select unnest($ids::varchar[]))""",
    "delegations": """
        select step_id as node_id, caller_uid as "asked by", caller_root_id as "who is under"
        from delegations where step_id in (select unnest($ids::varchar[]))""",
    "credentials": """
        select credential_id as node_id, credential_kind as kind, account_uid as account,
            expires_at as expires, revoked_at as revoked, n_uses as uses
        from credentials where credential_id in (select unnest($ids::varchar[]))""",
}


def read_nodes(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, Node]:
    """Nodes by id in the order of corrected time; an id that stands in no chain still gets a node of its own."""
    wanted = list(dict.fromkeys(ids))
    facts = _read_facts(con, wanted)
    nodes = {
        row["node_id"]: Node(**_with_label(row), facts=facts.get(row["node_id"], {}))
        for row in fetch_rows(con, _STEPS, {"ids": wanted})
    }
    for node_id in wanted:
        if node_id not in nodes:
            nodes[node_id] = _bare_node(node_id, facts.get(node_id, {}))
    return nodes


def _with_label(row: Row) -> Row:
    return row | {"label": row["label"] or row["action"] or row["node_id"]}


def _bare_node(node_id: str, facts: dict[str, str]) -> Node:
    kind, _, uid = node_id.partition(":")
    return Node(
        node_id=node_id, kind=kind, log=None, at=None, corrected_at=None, label=uid, action=None, actor_uid=None,
        identity_id=None, resource_uids=[], outcome=None, is_privileged=False, chain_id=None, event_id=None,
        parent_id=None, confidence=None, is_accounted=False, gaps=[], facts=facts,
    )  # fmt: skip


def _read_facts(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    facts: dict[str, dict[str, str]] = defaultdict(dict)
    for sql in _FACTS.values():
        for row in fetch_rows(con, sql, {"ids": list(ids)}):
            node_id = row.pop("node_id")
            facts[node_id] |= {name: _shown(value) for name, value in row.items() if value is not None}
    return facts


def _shown(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
