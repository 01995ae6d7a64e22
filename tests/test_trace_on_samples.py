"""On a real run: from an approval down to every action over several role hops, and back up again."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import ultravires
from ultravires.tracing.trace import trace

_APPROVAL_OVER_MOST_HOPS = """
select approval_uid, chain_id from chains
where approval_uid is not null and max_hops >= 2 and n_tool_calls > 0
order by max_hops desc, n_steps desc, chain_id limit 1
"""


@pytest.fixture(scope="module")
def con(sample_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with ultravires.open(sample_home) as con:
        yield con


def test_approval_lists_every_step_of_its_chains_over_two_role_hops(con: duckdb.DuckDBPyConnection) -> None:
    """What the published chains say stands under the approval is what the trace shows, neither more nor less."""
    approval, _ = con.execute(_APPROVAL_OVER_MOST_HOPS).fetchone() or (None, None)
    assert approval is not None, "the samples hold no approval over two role hops"
    found = trace(con, approval)
    steps = con.execute(
        "select step_id from chain_steps where ? in (intent_root_id, authority_root_id)", [f"approval:{approval}"]
    )
    assert {*found.below, f"approval:{approval}"} == {step for (step,) in steps.fetchall()}
    assert sum(node.kind == "credential" for node in found.nodes.values()) >= 2


def test_last_activity_leads_back_to_the_approval(con: duckdb.DuckDBPyConnection) -> None:
    """By the id that the vendor's own log gives it."""
    approval, chain = con.execute(_APPROVAL_OVER_MOST_HOPS).fetchone() or (None, None)
    (native_id,) = con.execute(
        "select events.native_id from chain_steps join events using (event_id) "
        "where chain_id = ? and node_kind = 'activity' order by step_at desc, step_id limit 1",
        [chain],
    ).fetchone() or (None,)
    assert f"approval:{approval}" in trace(con, str(native_id)).above
