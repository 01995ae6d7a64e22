"""Which nodes a finding is shown on: its subject, else the tool calls and activities of its evidence."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from ultravires.tracing.rows import Row, fetch_rows

_EFFECTS = ("activity:", "tool_call:")


@dataclass(frozen=True)
class Mark:
    finding_id: str
    severity: str
    title: str


_TOUCHING = """
select distinct finding_id, severity, title, subject_kind, subject_uid, evidence_event_ids, risk_score
from findings
where state = 'open' and (
    list_has_any(evidence_event_ids, $events::varchar[])
    or subject_uid in (select unnest($subjects::varchar[])))
order by risk_score desc, finding_id
"""


def marks_on(con: duckdb.DuckDBPyConnection, event_of_node: Mapping[str, str | None]) -> dict[str, list[Mark]]:
    """Node id -> the open findings to mark it with, highest risk first.

    The approval that was overstepped is evidence too, but it is the act that is marked.
    """
    events = [event for event in event_of_node.values() if event]
    subjects = [*event_of_node, *(node.partition(":")[2] for node in event_of_node), *events]
    found = fetch_rows(con, _TOUCHING, {"events": events, "subjects": subjects})
    marks: dict[str, list[Mark]] = defaultdict(list)
    nodes_of_event = _invert(event_of_node)
    for finding in found:
        for node in nodes_of_finding(finding, event_of_node, nodes_of_event):
            marks[node].append(Mark(finding["finding_id"], finding["severity"], finding["title"]))
    return dict(marks)


def nodes_of_finding(
    finding: Row, event_of_node: Mapping[str, str | None], nodes_of_event: Mapping[str, list[str]]
) -> list[str]:
    """The shown nodes that `finding` is about."""
    uid = finding["subject_uid"] or ""
    native = [node for node in (uid, f"{finding['subject_kind']}:{uid}") if node in event_of_node]
    if native:
        return native[:1]
    about = _acts(nodes_of_event.get(uid, []))
    if about:
        return about
    evidence = dict.fromkeys(
        node for event in finding["evidence_event_ids"] or [] for node in nodes_of_event.get(event, [])
    )
    return _acts(list(evidence))


def _acts(nodes: list[str]) -> list[str]:
    return [node for node in nodes if node.startswith(_EFFECTS)]


def _invert(event_of_node: Mapping[str, str | None]) -> dict[str, list[str]]:
    nodes: dict[str, list[str]] = defaultdict(list)
    for node, event in event_of_node.items():
        if event:
            nodes[event].append(node)
    return nodes
