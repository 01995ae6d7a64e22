"""Agent A asks agent B, and B acts on its own ticket: A stays in sight; only what is beyond A's approval is found."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ultravires
from agent_world import ACCOUNT, World, engine, otlp, put_policy, request, span, take, tool
from small_logs import RUNNER, approval, session
from ultravires.tracing.trace import trace

DEPUTY = "ultravires_confused_deputy"
ASKING, ASKED = ACCOUNT + "asking", ACCOUNT + "asked"
CONFIG = {
    "identities": [
        {"id": "asking", "kind": "agent", "owner": "ana@example.org", "aliases": ["agent:asking", ASKING]},
        {"id": "asked", "kind": "agent", "owner": "bo@example.org", "aliases": ["agent:asked", ASKED]},
    ]
}
AROUND = [approval("APR-0", -30), approval("APR-9", 230)]
of_asking = partial(approval, "APR-A", -10, subject="asking", roles=[ASKING], ticket="OPS-A")
of_asked = partial(approval, "APR-B", -10, subject="asked", roles=[ASKED], ticket="OPS-B")


def invoke(number: int, minutes: float, agent: str, **named: Any) -> dict[str, Any]:
    return span(number, minutes, gen_ai__operation__name="invoke_agent", gen_ai__agent__name=agent, **named)


def story(
    folder: Path, *, allows: list[str], is_decided: bool, asked: str = "asked", asked_states: str | None = "OPS-B"
) -> World:
    """A works under APR-A, which allows it `allows`, and asks B; B changes a policy with a session under APR-B."""
    stated = {"ticket__id": asked_states} if asked_states else {}
    spans = [
        invoke(1, 0, "asking", ticket__id="OPS-A"),
        tool(2, 0, "asking", "ask", parent=1),
        invoke(3, 1, asked, parent=2, **stated),
        tool(4, 2, asked, "put", parent=3, gen_ai__tool__call__id="call_2"),
        request(5, 2, asked, "e2", 4),
    ]
    decided = [engine("D-1", 2, "asked", "put", call_id="call_2", approval_id="APR-B")] if is_decided else []
    trail = [
        take("e1", 1, session(RUNNER, "ASIARUNNER"), ASKED, "ASIAASKED", sourceIdentity="APR-B"),
        put_policy("e2", 2, ASKED, "ASIAASKED", source_identity="APR-B"),
    ]
    approvals = [*AROUND, of_asking(actions=allows), of_asked()]
    return World(folder, config=CONFIG, spans=otlp(spans), trail=trail, approvals=approvals, decisions=decided)


@pytest.mark.parametrize("is_decided", [True, False])
@pytest.mark.parametrize("allows", [["iam:Put*"], []], ids=["listed", "in plain words"])
def test_what_the_callers_approval_covers(tmp_path: Path, allows: list[str], is_decided: bool) -> None:
    """A's call and B's ticket are one delegation: nothing of it is a confused deputy, and A is named beside the act."""
    world = story(tmp_path, allows=allows, is_decided=is_decided)
    assert DEPUTY not in world.findings() and world.is_accounted("e2")
    act = "from step_facts join events using (event_id) where native_id = 'e2'"
    assert world.ask(f"select caller_uid, caller_approval_id, is_confused_deputy {act}") == [
        ("agent:asking", "approval:APR-A", False)
    ]


@pytest.mark.parametrize("is_decided", [True, False])
def test_beyond_the_callers_approval(tmp_path: Path, is_decided: bool) -> None:
    """A may read a bucket, and has B change a policy with B's own ticket."""
    assert DEPUTY in story(tmp_path, allows=["s3:Get*"], is_decided=is_decided).findings()


@pytest.mark.parametrize("states", [None, "OPS-A"], ids=["no ticket", "the caller's ticket"])
def test_the_asked_agent_does_not_say_whose_ticket_it_uses(tmp_path: Path, states: str | None) -> None:
    """Intent leads to A's approval and authority to B's, and nothing says that B works on the latter."""
    assert DEPUTY in story(tmp_path, allows=["iam:Put*"], is_decided=False, asked_states=states).findings()


def test_one_agent_with_two_tickets_delegates_nothing(tmp_path: Path) -> None:
    """A task of one ticket with a session of another stays a confused deputy, however many spans of itself it calls."""
    world = story(tmp_path, allows=["iam:Put*"], is_decided=False, asked="asking", asked_states=None)
    assert DEPUTY in world.findings() and world.ask("select count(*) from delegations") == [(0,)]


@pytest.mark.parametrize("is_decided", [True, False])
def test_the_caller_is_shown_by_trace_and_in_the_report(tmp_path: Path, is_decided: bool) -> None:
    """From the act up to the caller's run and approval, from the asked agent's ticket down with the caller's name."""
    world = story(tmp_path, allows=["iam:Put*"], is_decided=is_decided)
    with ultravires.open(world.home) as con:
        up, down = trace(con, "e2"), trace(con, "APR-B")
    assert {"approval:APR-A", "approval:APR-B"} <= set(up.nodes)
    asked_by = {node.facts.get("asked by") for node in down.nodes.values() if node.kind == "activity"}
    assert "agent:asking" in asked_by
    report = (world.home / "report.html").read_text(encoding="utf-8")
    assert "asked by <bdi>agent:asking</bdi> under" in report
