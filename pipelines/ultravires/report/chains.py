"""The chains worth drawing, each with the nodes that fit on a page."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from ultravires.report.drawing import Drawing, draw_chain
from ultravires.tracing.chain_tree import branches
from ultravires.tracing.clocks import clock_lines
from ultravires.tracing.crossings import crossings_on
from ultravires.tracing.finding_marks import Mark, marks_on
from ultravires.tracing.folding import Fold, fold_ways
from ultravires.tracing.nodes import Node, read_nodes
from ultravires.tracing.rows import Row, fetch_rows
from ultravires.tracing.trace import Link, primary_links

MAX_NODES = 120


@dataclass(frozen=True)
class ChainView:
    """One drawn chain: its row, the nodes that are shown in the order of corrected time, and the number of all."""

    chain: Row
    title: str
    old_ids: list[str]
    nodes: list[Node]
    links_of: dict[str, list[Link]]
    marks: dict[str, list[Mark]]
    n_steps: int
    drawing: Drawing
    clocks: list[str]
    """By how much the times of its logs are corrected."""
    crossings: dict[str, list[str]]
    """Of a shown step that power left its approval there."""
    folds: list[str]
    """How many hops of a long way are not shown."""


@dataclass(frozen=True)
class _Read:
    """What was read for all drawn chains at once, by node or chain."""

    nodes: dict[str, Node]
    links: dict[str, list[Link]]
    marks: dict[str, list[Mark]]
    spans: dict[str, tuple[datetime, datetime]]
    old_ids: dict[str, list[str]]
    crossings: dict[str, list[str]]


# One noisy detector must not fill the page: first the riskiest chain of each, then the second of each, and so on.
_TOP = """
with judged as (
    select chain_id, max(risk_score) as top_risk, count(*) as n_findings,
        max_by(detector_id, {'risk': risk_score, 'id': detector_id}) as top_detector
    from findings
    where state = 'open' and not coalesce(is_suppressed, false) and chain_id is not null
    group by chain_id
),
placed as (
    select chains.*, judged.top_risk, coalesce(judged.n_findings, 0) as n_findings,
        row_number() over (
            partition by judged.top_detector
            order by judged.top_risk desc nulls last, judged.n_findings desc, chains.n_steps desc, chains.is_accounted,
                chains.n_privileged desc nulls last, chains.ended_at desc nulls last, chains.chain_id
        ) as nth
    from chains
    left join judged using (chain_id)
)
select * exclude (nth) from placed order by top_risk is null, nth, top_risk desc nulls last, chain_id limit ?
"""

# Each kind of node gets its share of the page, and within its kind first the root, then evidence, gaps and
# privileged acts, then an even sample: a digest says nothing about when or what, so none of that is favoured.
_STEPS = """
with evidence as (
    select distinct unnest(evidence_event_ids) as event_id from findings where state = 'open'
),
ranked as (
    select chain_steps.chain_id, chain_steps.step_id, chain_steps.node_kind,
        coalesce(chain_steps.corrected_at, chain_steps.step_at) as corrected_at,
        row_number() over (
            partition by chain_steps.chain_id, chain_steps.node_kind
            order by chain_steps.step_id = chain_steps.root_id desc, evidence.event_id is not null desc,
                len(coalesce(chain_steps.gaps, [])) > 0 desc, coalesce(chain_steps.is_privileged, false) desc,
                md5(chain_steps.step_id)
        ) as nth
    from chain_steps
    left join evidence using (event_id)
    where chain_steps.chain_id in (select unnest($ids::varchar[]))
),
shared as (
    select *,
        count(*) over (partition by chain_id) as n_steps,
        row_number() over (
            partition by chain_id
            order by nth / case node_kind when 'approval' then 10.0 when 'decision' then 20.0
                when 'tool_call' then 25.0 when 'credential' then 20.0 else 45.0 end, step_id
        ) as place
    from ranked
)
select chain_id, step_id, n_steps from shared where place <= $limit order by chain_id, corrected_at, step_id
"""

_SPANS = """
select approval_id as node_id, valid_from as start_at, ends_at as end_at from approvals
where approval_id in (select unnest($ids::varchar[]))
union all
select credential_id, coalesce(issued_at, first_used_at), least(expires_at, revoked_at) from credentials
where credential_id in (select unnest($ids::varchar[]))
"""


def read_top_chains(con: duckdb.DuckDBPyConnection, top_chains: int) -> list[ChainView]:
    """Up to `top_chains` chains: the riskiest of each detector first, then those without findings."""
    chains = fetch_rows(con, _TOP, [top_chains])
    ids = [chain["chain_id"] for chain in chains]
    steps: dict[str, list[Row]] = defaultdict(list)
    for row in fetch_rows(con, _STEPS, {"ids": ids, "limit": MAX_NODES}):
        steps[row["chain_id"]].append(row)
    wanted = [row["step_id"] for rows in steps.values() for row in rows]
    nodes = read_nodes(con, wanted)
    read = _Read(
        nodes=nodes,
        links=_by_child(primary_links(con, wanted)),
        marks=marks_on(con, {node.node_id: node.event_id for node in nodes.values()}),
        spans=_read_spans(con, wanted),
        old_ids=_read_old_ids(con, ids),
        crossings=crossings_on(con, nodes),
    )
    return [_view(chain, steps[chain["chain_id"]], read) for chain in chains]


def _view(chain: Row, steps: Sequence[Row], read: _Read) -> ChainView:
    shown, folds = _folded([read.nodes[step["step_id"]] for step in steps], read)
    links_of = {node.node_id: read.links.get(node.node_id, []) for node in shown}
    spans = {node.node_id: read.spans[node.node_id] for node in shown if node.node_id in read.spans}
    return ChainView(
        chain=chain,
        title=_title(chain, read.nodes.get(chain["root_id"])),
        old_ids=read.old_ids.get(chain["chain_id"], []),
        nodes=shown,
        links_of=links_of,
        marks=read.marks,
        n_steps=steps[0]["n_steps"] if steps else 0,
        drawing=draw_chain(shown, [link for each in links_of.values() for link in each], read.marks, spans),
        clocks=clock_lines(shown),
        crossings={node.node_id: read.crossings[node.node_id] for node in shown if node.node_id in read.crossings},
        folds=folds,
    )


def _folded(nodes: Sequence[Node], read: _Read) -> tuple[list[Node], list[str]]:
    """The nodes without the middle of long ways, and what that leaves out in words."""
    by_id = {node.node_id: node for node in nodes}
    links = [link for node_id in by_id for link in read.links.get(node_id, [])]
    told = fold_ways(branches(by_id, links), by_id, {*read.crossings, *read.marks})
    stay = {branch.node_id for branch in told if not isinstance(branch, Fold)}
    return [node for node in nodes if node.node_id in stay], [fold.words for fold in told if isinstance(fold, Fold)]


def _title(chain: Row, root: Node | None) -> str:
    """The task in its words, else what the root is."""
    if chain["task"] or root is None:
        return str(chain["task"] or chain["root_id"])
    return f"{root.kind.replace('_', ' ')} {root.label}"


def _by_child(links: Sequence[Link]) -> dict[str, list[Link]]:
    of_child: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        of_child[link.child_id].append(link)
    return of_child


def _read_spans(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, tuple[datetime, datetime]]:
    rows = fetch_rows(con, _SPANS, {"ids": list(ids)})
    return {row["node_id"]: (row["start_at"], row["end_at"]) for row in rows if row["start_at"] and row["end_at"]}


def _read_old_ids(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, list[str]]:
    rows = fetch_rows(
        con,
        """
        with recursive older(chain_id, old_id) as (
            select new_id, old_id from chain_aliases where new_id in (select unnest($ids::varchar[]))
            union
            select older.chain_id, chain_aliases.old_id
            from chain_aliases join older on chain_aliases.new_id = older.old_id
        )
        select chain_id, list_sort(list(distinct old_id)) as old_ids from older
        where old_id <> chain_id group by chain_id""",
        {"ids": list(ids)},
    )
    return {row["chain_id"]: row["old_ids"] for row in rows}
