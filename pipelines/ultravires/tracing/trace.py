"""The chain above and below any id: what allowed it, and everything that followed from it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from ultravires.lineage.needed_grants import NeededGrant, needed_by_acts
from ultravires.tracing.crossings import crossings_on
from ultravires.tracing.finding_marks import Mark, marks_on
from ultravires.tracing.nodes import Node, read_nodes
from ultravires.tracing.rows import fetch_rows
from ultravires.tracing.search import Match, find_nodes

MAX_FOCUS = 200
MAX_BELOW = 500
MAX_CANDIDATES = 200


@dataclass(frozen=True)
class Link:
    """One edge child -> parent and the key that proves it; more than one candidate is never proof."""

    child_id: str
    parent_id: str
    kind: str
    spine: str | None
    method: str
    confidence: float
    key_kind: str | None
    key_value: str | None
    n_candidates: int
    is_primary: bool


@dataclass(frozen=True)
class Trace:
    """What an id means, what stands above it on both spines up to the roots, and what stands below it.

    `links` are the primary and the proven links between the shown nodes, `other_links` what else was considered
    for the asked nodes. Of `n_below` descendants `n_hidden` are not shown, of the nodes meant `n_more_matches`.
    `needed` are the grants without which the acts that are shown were not possible, `crossings` say of a shown step
    that power left its approval there.
    """

    asked: str
    chain_id: str | None
    matches: list[Match]
    n_more_matches: int
    nodes: dict[str, Node]
    above: list[str]
    below: list[str]
    n_below: int
    n_hidden: int
    links: list[Link]
    other_links: list[Link]
    findings: dict[str, list[Mark]]
    needed: list[NeededGrant] = field(default_factory=list)
    crossings: dict[str, list[str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON values; times are ISO 8601 in UTC."""
        plain: dict[str, Any] = _jsonable(asdict(self))
        return plain


# The way down is the chain: an issuing event and a second copy of a call are no way.
_PRIMARY = "is_primary and spine is not null"
# Up leads whatever is proven too: how a credential was got is part of the story, also where a ticket outranks it.
_PROVEN = f"({_PRIMARY}) or (confidence >= 0.5 and kind <> 'same_event')"
_EDGES = "edges as (select child_id, parent_id from links where {condition})"

# A day of a key leads down from the key, also where an approval of that day outranks it.
_BELOW = f"({_PRIMARY}) or method = 'same_credential'"

# UNION, not UNION ALL: a node is climbed from once, so links in a circle end by themselves.
_UP = f"""
with recursive {_EDGES.format(condition=_PROVEN)},
reached(node_id) as (
    select unnest($ids::varchar[])
    union
    select edges.parent_id from reached join edges on edges.child_id = reached.node_id
)
select node_id from reached
"""

_DOWN = f"""
with recursive {_EDGES.format(condition=_BELOW)},
reached(node_id) as (
    select unnest($ids::varchar[])
    union
    select edges.child_id from reached join edges on edges.parent_id = reached.node_id
)
select edges.child_id, edges.parent_id
from edges
where edges.parent_id in (select node_id from reached)
  and ($chain_id is null
       or edges.child_id in (select step_id from chain_steps where chain_id = $chain_id))
order by edges.child_id, edges.parent_id
"""

_LINKS = """
select child_id, parent_id, kind, spine, method, confidence, key_kind, key_value, n_candidates, is_primary
from links
where {condition}
order by child_id, spine nulls last, confidence desc, parent_id
"""


def trace(con: duckdb.DuckDBPyConnection, any_id: str, *, max_below: int = MAX_BELOW) -> Trace:
    """Everything above and below the nodes that `any_id` means, read from the published tables.

    At most `max_below` descendants are shown, those nearest to the asked nodes first. Raises UsageError when
    nothing has this id.
    """
    matches, chain_id = find_nodes(con, any_id)
    focus = [match.node_id for match in matches[:MAX_FOCUS]]
    above = _climb(con, focus)
    below, n_below = _descend(con, focus, chain_id, max_below)
    shown = [*focus, *above, *below]
    nodes = read_nodes(con, shown)
    return Trace(
        asked=any_id,
        chain_id=chain_id,
        matches=matches[:MAX_FOCUS],
        n_more_matches=len(matches) - len(focus),
        nodes=nodes,
        above=above,
        below=below,
        n_below=n_below,
        n_hidden=n_below - len(below),
        links=_links_between(con, shown, _PROVEN),
        other_links=_considered_links(con, focus),
        findings=marks_on(con, {node.node_id: node.event_id for node in nodes.values()}),
        needed=needed_by_acts(con, nodes),
        crossings=crossings_on(con, nodes),
    )


def _climb(con: duckdb.DuckDBPyConnection, focus: Sequence[str]) -> list[str]:
    reached = {row["node_id"] for row in fetch_rows(con, _UP, {"ids": list(focus)})}
    return sorted(reached - set(focus))


def _descend(
    con: duckdb.DuckDBPyConnection, focus: Sequence[str], chain_id: str | None, limit: int
) -> tuple[list[str], int]:
    """(the `limit` descendants nearest to `focus`, the number of all of them)"""
    pairs = con.execute(_DOWN, {"ids": list(focus), "chain_id": chain_id}).fetchall()
    children: dict[str, list[str]] = defaultdict(list)
    for child, parent in pairs:
        children[parent].append(child)
    n_below = len({child for child, _ in pairs} - set(focus))
    return nearest_first(focus, children, limit), n_below


def nearest_first(focus: Iterable[str], children: dict[str, list[str]], limit: int) -> list[str]:
    """Up to `limit` descendants of `focus`, level by level, each once even where links run in a circle."""
    level = list(focus)
    seen = set(level)
    found: list[str] = []
    while level and len(found) < limit:
        following = dict.fromkeys(child for node in level for child in children.get(node, ()) if child not in seen)
        level = list(following)
        seen.update(level)
        found.extend(level)
    return found[:limit]


def primary_links(con: duckdb.DuckDBPyConnection, shown: Sequence[str]) -> list[Link]:
    return _links_between(con, shown, _PRIMARY)


def _links_between(con: duckdb.DuckDBPyConnection, shown: Sequence[str], condition: str) -> list[Link]:
    within = "in (select unnest($ids::varchar[]))"
    return _read_links(con, f"({condition}) and child_id {within} and parent_id {within}", shown)


def _considered_links(con: duckdb.DuckDBPyConnection, focus: Sequence[str]) -> list[Link]:
    condition = f"not ({_PROVEN}) and child_id in (select unnest($ids::varchar[]))"
    return _read_links(con, condition, focus)[:MAX_CANDIDATES]


def _read_links(con: duckdb.DuckDBPyConnection, condition: str, ids: Sequence[str]) -> list[Link]:
    rows = fetch_rows(con, _LINKS.format(condition=condition), {"ids": list(ids)})
    return [Link(**row) for row in rows]


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
