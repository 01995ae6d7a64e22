"""Long ways of privilege in `trace` and the report: fifteen nodes, the step that crossed, how many are folded."""

import io
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from published_fixture import published_world
from published_putting import CHAIN, put, put_step
from rich.console import Console
from ultravires.report.chains import read_top_chains
from ultravires.report.report import render_report
from ultravires.tracing.chain_tree import Branch
from ultravires.tracing.folding import Fold, fold_ways
from ultravires.tracing.nodes import Node
from ultravires.tracing.trace import trace
from ultravires.tracing.trace_drawing import draw

SAID = "alpha, under APR-1 (data), reached the power admin as R100 by assume role"


def put_way(con: duckdb.DuckDBPyConnection, n_hops: int) -> None:
    """A way of so many credentials below the approval, each with the act that issued the next one."""
    parent = "approval:APR-1"
    for nth in range(1, n_hops + 1):
        clock = f"12:{nth // 60:02}:{nth % 60:02}"
        put_step(con, f"credential:HOP{nth}", clock, parent, spine="authority")
        put_step(con, f"activity:hop-{nth}", clock, f"credential:HOP{nth}", spine="authority", action="sts:AssumeRole")
        parent = f"credential:HOP{nth}"


def put_crossing(con: duckdb.DuckDBPyConnection, nth: int, *, is_proven: bool = True) -> None:
    put(con, "privilege_paths", chain_id=CHAIN, is_crossing=True, crossing_step_id=f"activity:hop-{nth}",
        crossing_hop_id=f"credential:HOP{nth + 1}", sentence=SAID, is_proven=is_proven, path_rank=1)  # fmt: skip


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with published_world() as con:
        yield con


def drawn(con: duckdb.DuckDBPyConnection, asked: str) -> str:
    buffer = io.StringIO()
    draw(trace(con, asked), Console(file=buffer, width=400, color_system=None))
    return buffer.getvalue()


def node(node_id: str) -> Node:
    return Node(
        node_id=node_id, kind=node_id.partition(":")[0], log=None, at=None, corrected_at=None, label=node_id,
        action=None, actor_uid=None, identity_id=None, resource_uids=[], outcome=None, is_privileged=False,
        chain_id=None, event_id=None, parent_id=None, confidence=None, is_accounted=False, gaps=[],
    )  # fmt: skip


def straight(n_hops: int) -> list[Branch]:
    """A way of credentials in reading order."""
    ids = [f"credential:{nth}" for nth in range(1, n_hops + 1)]
    return [Branch(own, ids[at - 1] if at else None, (False,) * at) for at, own in enumerate(ids)]


def told(branches: list[Branch], kept: set[str] | None = None) -> list[str]:
    nodes = {branch.node_id: node(branch.node_id) for branch in branches}
    return [
        each.words if isinstance(each, Fold) else each.node_id for each in fold_ways(branches, nodes, kept or set())
    ]


def test_a_way_of_fifteen_is_told_whole() -> None:
    """And one of sixteen with its first and last seven."""
    assert told(straight(15)) == [f"credential:{nth}" for nth in range(1, 16)]
    assert told(straight(16))[6:9] == ["credential:7", "… 2 more hops", "credential:10"]


def test_what_is_kept_stands_between_two_folds() -> None:
    """A hundred hops and a crossing in their middle are fifteen nodes."""
    lines = told(straight(100), {"credential:50"})
    assert lines[6:11] == ["credential:7", "… 42 more hops", "credential:50", "… 43 more hops", "credential:94"]
    assert len([line for line in lines if line.startswith("credential:")]) == 15


def test_acts_of_folded_hops_are_folded_with_them() -> None:
    """Those that are kept and those of hops that are shown stay."""
    branches: list[Branch] = []
    for branch in straight(30):
        nth = branch.node_id.partition(":")[2]
        branches += [branch, Branch(f"activity:{nth}", branch.node_id, (*branch.rails, False))]
    lines = told(branches, {"activity:12"})
    assert {"activity:7", "activity:12", "activity:24"} <= set(lines)
    assert not {"activity:8", "activity:13", "activity:23"} & set(lines)
    assert [line for line in lines if line.startswith("…")] == ["… 5 more hops", "… 11 more hops"]


def test_short_ways_beside_a_long_one_are_told_whole() -> None:
    """A fan of a hundred credentials below one is no long way."""
    fan = [Branch(f"credential:{nth}", "credential:1" if nth > 1 else None, ()) for nth in range(1, 101)]
    assert len(told(fan)) == 100


def test_trace_marks_the_crossing_and_folds_the_rest(con: duckdb.DuckDBPyConnection) -> None:
    """`… more hops` in the place of the middle, and the sentence at the step that crossed."""
    put_way(con, 100)
    put_crossing(con, 50)
    text = drawn(con, CHAIN)
    assert "… 43 more hops" in text and f"⇑ left its approval: {SAID}" in text
    assert "activity:hop-50" in text and "activity:hop-49" not in text
    assert text.count("credential:HOP") < 60


def test_trace_of_what_crossed_nothing_says_nothing(con: duckdb.DuckDBPyConnection) -> None:
    """And of a way that no id proves that it is possible."""
    put_way(con, 3)
    assert "left its approval" not in drawn(con, CHAIN) and "more hop" not in drawn(con, CHAIN)
    put_crossing(con, 2, is_proven=False)
    assert f"left its approval: possible: {SAID}" in drawn(con, "credential:HOP2")
    assert trace(con, CHAIN).as_dict()["crossings"] == {"activity:hop-2": [f"possible: {SAID}"]}


def test_report_marks_the_crossing_and_folds_the_rest(con: duckdb.DuckDBPyConnection) -> None:
    """A mark in the picture, the sentence below it, and what is folded."""
    put_way(con, 40)
    put_crossing(con, 20)
    view = next(view for view in read_top_chains(con, 20) if view.chain["chain_id"] == CHAIN)
    assert view.crossings == {"activity:hop-20": [SAID]}
    assert len([each for each in view.nodes if each.node_id.startswith("credential:HOP")]) <= 15
    page = render_report(con)
    assert 'class="crossmark"' in page and SAID in page and "more hops</p>" in page


def test_report_without_a_crossing_marks_none(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Neither a mark nor a sentence."""
    page = render_report(con)
    assert 'class="crossmark"' not in page and "Left its approval" not in page
