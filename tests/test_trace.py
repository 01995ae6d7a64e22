"""From any id to the chain above and below it."""

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from published_fixture import empty_world, published_world
from published_putting import CHAIN, FINDING, KEY_FINDING, TRACE, put, put_link, put_step
from rich.console import Console
from ultravires.errors import UsageError
from ultravires.tracing.chain_tree import branches
from ultravires.tracing.trace import Trace, nearest_first, trace
from ultravires.tracing.trace_drawing import draw

SECONDS_FOR_A_MILLION_LINKS = 20


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with published_world() as con:
        yield con


def drawn(found: Trace, encoding: str = "utf-8") -> str:
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    draw(found, Console(file=buffer, width=80, force_terminal=True, color_system=None))
    buffer.seek(0)
    return buffer.read()


@pytest.mark.parametrize(
    ("any_id", "node", "matched"),
    [
        ("APR-1", "approval:APR-1", "approval"),
        ("OPS-7", "approval:APR-1", "ticket"),
        ("DEC-1", "decision:DEC-1", "decision"),
        (f"{TRACE}/01", f"tool_call:{TRACE}/01", "tool call"),
        ("ASIA2", "credential:ASIA2", "credential"),
        ("credential:AKIA9", "credential:AKIA9", "credential"),
        ("activity:e-user", "activity:e-user", "node"),
        ("e-user", "activity:e-user", "event"),
        ("native-e-user", "activity:e-user", "vendor's event id"),
        ("ev-APR-1", "approval:APR-1", "event"),
        (CHAIN, "approval:APR-1", "chain"),
        ("ch_older", "approval:APR-1", "chain"),
        (FINDING, "activity:e-policy", "finding"),
        (KEY_FINDING, "activity:e-secret", "finding"),
    ],
)
def test_every_kind_of_id_finds_its_node(con: duckdb.DuckDBPyConnection, any_id: str, node: str, matched: str) -> None:
    """Whatever an alert, a ticket or a console shows can be typed in."""
    assert [(match.node_id, match.matched) for match in trace(con, any_id).matches] == [(node, matched)]


def test_trace_id_lists_every_node_that_carries_it(con: duckdb.DuckDBPyConnection) -> None:
    """One id may mean several nodes; none is chosen silently."""
    found = trace(con, TRACE)
    assert [match.node_id for match in found.matches] == [
        "decision:DEC-1",
        f"tool_call:{TRACE}/01",
        f"tool_call:{TRACE}/02",
    ]
    assert "3 nodes have this id" in drawn(found)


def test_repeating_call_id_is_found_behind_its_scope(con: duckdb.DuckDBPyConnection) -> None:
    """`call_1` of two runs is two tool calls."""
    for run in ("aaaa", "bbbb"):
        put(
            con,
            "events",
            event_id=f"ev-{run}",
            kind="tool_call",
            tool_call_uid=f"{run}/span",
            keys=[{"kind": "tool_call", "value": f"{run}/call_1", "role": "names"}],
        )
    assert [match.node_id for match in trace(con, "call_1").matches] == [
        "tool_call:aaaa/span",
        "tool_call:bbbb/span",
    ]


def test_approval_leads_down_over_all_role_hops_and_both_spines(con: duckdb.DuckDBPyConnection) -> None:
    """The approval shows the activities of the third account's role and those of the tool calls."""
    found = trace(con, "APR-1")
    assert {"credential:ASIA3", "activity:e-late", "activity:e-user", "activity:e-get"} <= set(found.below)
    assert (found.above, found.n_below, found.n_hidden) == ([], 14, 0)
    assert "activity:e-secret" not in found.nodes


def test_activity_leads_back_to_its_approval_on_both_spines(con: duckdb.DuckDBPyConnection) -> None:
    """Every link of the way is there with method, key and confidence."""
    found = trace(con, "e-policy")
    assert set(found.above) == {
        "approval:APR-1",
        f"tool_call:{TRACE}/02",
        "credential:ASIA1",
        "credential:ASIA2",
        "credential:ASIA3",
    }
    carried = next(link for link in found.links if link.child_id == "credential:ASIA1")
    assert (carried.spine, carried.method, carried.confidence) == ("authority", "carried", 0.8)
    assert (carried.key_kind, carried.key_value, carried.n_candidates) == ("source_identity", "APR-1", 1)
    assert found.nodes[f"tool_call:{TRACE}/02"].gaps == ["no decision"]


def test_candidates_that_were_not_chosen_are_told_apart(con: duckdb.DuckDBPyConnection) -> None:
    """The approval that only fits in time and role is no parent, but it is named."""
    found = trace(con, "ASIA1")
    assert [(link.parent_id, link.n_candidates) for link in found.other_links] == [("approval:APR-0", 2)]
    assert "approval:APR-0" not in found.nodes


def test_chain_id_shows_the_steps_of_that_chain_only(con: duckdb.DuckDBPyConnection) -> None:
    """A standing key has a chain a day; one day's id does not list the others."""
    put_step(con, "activity:e-next-day", "03:00", "credential:AKIA9", chain="ch_next_day", spine="authority")
    assert trace(con, "ch_static_key").below == ["activity:e-secret"]
    assert trace(con, "AKIA9").n_below == 2


def test_finding_marks_the_act_and_not_the_approval_in_its_evidence(con: duckdb.DuckDBPyConnection) -> None:
    """The approval is evidence of what was allowed; the overstep is what is red."""
    assert list(trace(con, "APR-1").findings) == ["activity:e-policy"]


def test_withdrawn_finding_marks_nothing(con: duckdb.DuckDBPyConnection) -> None:
    """What was taken back does not accuse."""
    con.execute("update findings set state = 'withdrawn'")
    assert trace(con, "APR-1").findings == {}


def test_unknown_id_says_which_kinds_there_are(con: duckdb.DuckDBPyConnection) -> None:
    """One line, the id made harmless, the kinds listed."""
    with pytest.raises(UsageError) as error:
        trace(con, "no\x1b[31mpe'; drop table links; --")
    message = str(error.value)
    assert "no\\x1b[31mpe" in message
    assert "ticket" in message and "\n" not in message
    assert con.execute("select count(*) from links").fetchone() != (0,)


def test_empty_home_has_no_id() -> None:
    """Nothing loaded means nothing found, not a failure inside."""
    with empty_world() as con, pytest.raises(UsageError):
        trace(con, "APR-1")


def test_links_in_a_circle_end_and_lose_no_node(con: duckdb.DuckDBPyConnection) -> None:
    """Two credentials that claim to have issued each other are shown once each."""
    for child, parent in (("X", "Y"), ("Y", "X")):
        put_step(con, f"credential:{child}", "10:00", f"credential:{parent}", spine="authority", gaps=["cycle"])
        put(con, "credentials", credential_id=f"credential:{child}", credential_uid=child)
    found = trace(con, "X")
    assert [branch.node_id for branch in branches(found.nodes, found.links)] == [
        "credential:X",
        "credential:Y",
    ]
    assert drawn(found).count("cycle") == 2


def test_no_more_than_the_limit_is_shown_and_the_rest_is_counted(con: duckdb.DuckDBPyConnection) -> None:
    """The nearest descendants come first."""
    found = trace(con, "APR-1", max_below=4)
    assert (len(found.below), found.n_below, found.n_hidden) == (4, 14, 10)
    assert {"decision:DEC-1", "credential:ASIA1", f"tool_call:{TRACE}/02"} <= set(found.below)
    assert "10 of them not shown" in drawn(found)


def test_nearest_come_first_and_once() -> None:
    """A node with two parents is listed at the nearer one."""
    children = {"a": ["b", "c"], "b": ["d"], "c": ["a", "d"], "d": ["e"]}
    assert nearest_first(["a"], children, 10) == ["b", "c", "d", "e"]
    assert nearest_first(["a"], children, 3) == ["b", "c", "d"]


def test_as_dict_is_json(con: duckdb.DuckDBPyConnection) -> None:
    """`--json` prints times as ISO 8601 with their zone."""
    plain = json.loads(json.dumps(trace(con, "APR-1").as_dict()))
    assert plain["nodes"]["approval:APR-1"]["at"] == "2026-10-05T09:00:00+00:00"
    assert plain["findings"]["activity:e-policy"][0]["finding_id"] == FINDING


def test_drawing_nests_credentials_and_says_what_is_missing(con: duckdb.DuckDBPyConnection) -> None:
    """Each hop is indented under the one before; gaps, findings and methods stand below their node."""
    lines = drawn(trace(con, "APR-1")).splitlines()
    columns = [
        next(line.index("◈") for line in lines if f"credential:ASIA{n}" in line and "◈" in line) for n in (1, 2, 3)
    ]
    assert columns == [columns[0], columns[0] + 3, columns[0] + 6]
    text = "\n".join(lines)
    assert "carried 0.80 source_identity=APR-1" in text
    assert "gap: no decision" in text
    assert f"high finding: Activity outside the approved actions  {FINDING}" in text
    assert "2026-10-05 09:40:02" in text


def test_drawing_prints_log_values_as_plain_text(con: duckdb.DuckDBPyConnection) -> None:
    """Neither rich markup nor escape sequences of a log act on the terminal."""
    hostile = "[bold red]ok[/]\x1b]0;owned\x07\x1b[2J\u202e"
    con.execute("update chain_steps set label = ?, actor_uid = ?, resource_uids = [?]", [hostile] * 3)
    text = drawn(trace(con, "e-get"))
    assert "[bold red]ok[/]\\x1b]0;owned\\x07\\x1b[2J\\u202e" in text
    assert "\x1b[2J" not in text and "\x07" not in text and "\u202e" not in text


def test_drawing_falls_back_to_ascii_where_the_terminal_has_nothing_else(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """A C locale still shows the tree."""
    con.execute("update chain_steps set gaps = []")
    con.execute("delete from findings")
    text = drawn(trace(con, "APR-1"), encoding="ascii")
    assert "|- D decision" in text
    assert text.isascii()


def test_million_links_are_walked_in_seconds(tmp_path: Path) -> None:
    """No query per node: the whole forest below one approval is counted, and a leaf climbs a deep chain."""
    with empty_world() as con:
        _write_forest(con, tmp_path / "links.parquet", n_links=1_000_000)
        started = time.monotonic()
        found = trace(con, "APR-1")
        assert (found.n_below, len(found.below)) == (1_000_000, 500)
        assert len(trace(con, "activity:999999").above) > 10
        assert time.monotonic() - started < SECONDS_FOR_A_MILLION_LINKS


def _write_forest(con: duckdb.DuckDBPyConnection, path: Path, *, n_links: int) -> None:
    put(con, "approvals", approval_id="approval:APR-1", approval_uid="APR-1")
    put(con, "chain_steps", step_id="activity:999999", node_kind="activity")
    put_link(con, "a", "b", "intent", method="trace", key=("trace", "x"), confidence=0.4, n_candidates=1)
    con.execute(
        """insert into links by name
        select 'activity:' || i as child_id, is_primary, spine, kind, method, confidence, n_candidates,
            case when i < 64 then 'approval:APR-1' else 'activity:' || (i // 2) end as parent_id
        from links, range(?) as numbers(i)""",
        [n_links],
    )
    con.execute("copy links to ? (format parquet)", [str(path)])
    con.execute("drop table links")
    con.execute(f"create view links as select * from read_parquet('{path}')")


def test_branches_put_earlier_nodes_first() -> None:
    """Siblings stand in the order of time, whatever the order of their ids."""
    with published_world() as con:
        found = trace(con, "ASIA3")
    order = [branch.node_id for branch in branches(found.nodes, found.links)]
    times = [found.nodes[node].at for node in order if branch_parent(found, node) == "credential:ASIA3"]
    assert times == sorted(times, key=lambda at: at or datetime.min.replace(tzinfo=UTC))
    assert len(times) == 3


def branch_parent(found: Trace, node: str) -> str | None:
    return found.nodes[node].parent_id
