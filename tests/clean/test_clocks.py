"""An agent whose clock is wrong and that does nothing wrong: no finding; beside it the twins that are accused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from small_logs import DAY, approval, assume, at, call, session
from source_samples import attributes
from stories import Stories, Story

HELPER = "arn:aws:iam::111122223333:role/helper"
RUNNER = "arn:aws:iam::111122223333:role/runner"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CONFIG = {
    "identities": [{"id": "helper", "kind": "agent", "owner": "ana@example.org", "aliases": ["agent:helper", HELPER]}],
    "privileged_actions": ["tool:put_policy"],
}
AFTER_END = "ultravires_activity_after_approval_end"
AROUND = [approval("APR-0", -60), approval("APR-9", 280)]
"""The log of approvals speaks before and after the story."""


@dataclass(frozen=True)
class Step:
    """One call of a tool: decided, called three seconds later, and in the cloud after two seconds more."""

    minutes: float
    clock: int = 95
    """How many seconds the agent's clock is ahead."""


def told(number: int, step: Step) -> list[dict[str, Any]]:
    """The span of the tool and that of the request below it, by the agent's clock."""
    common = {"gen_ai.agent.name": "helper", "ticket.id": "OPS-1"}
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "put_policy"}
    sent = {"rpc.system": "aws-api", "rpc.service": "IAM", "rpc.method": "PutRolePolicy"}
    ids = {"cloud.account.id": "111122223333", "aws.request_id": f"r-c{number}"}
    outer = span(2 * number, step, 3, 10, {**named, "gen_ai.tool.call.id": f"call_{number}", **common})
    inner = span(2 * number + 1, step, 4, 8, {**sent, **ids, "gen_ai.agent.name": "helper"})
    return [outer, {**inner, "parentSpanId": outer["spanId"]}]


def span(number: int, step: Step, begins: float, ends: float, named: dict[str, Any]) -> dict[str, Any]:
    def nanos(seconds: float) -> str:
        moment = DAY + timedelta(minutes=step.minutes, seconds=step.clock + seconds)
        return str(round(moment.timestamp() * 1000) * 10**6)

    times = {"startTimeUnixNano": nanos(begins), "endTimeUnixNano": nanos(ends)}
    return {
        "traceId": TRACE,
        "spanId": f"{number + 1:016x}",
        "name": "a span",
        **times,
        "attributes": attributes(named),
    }


def decided(number: int, step: Step) -> dict[str, Any]:
    return {
        "decision_id": f"d{number}",
        "labels": {"id": "opa-1"},
        "path": "agents/tools/allow",
        "timestamp": at(step.minutes),
        "trace_id": TRACE,
        "requested_by": "192.0.2.9:40000",
        "input": {
            "agent": {"id": "agent:helper"},
            "tool": "put_policy",
            "tool_call_id": f"call_{number}",
            "approval_id": "APR-1",
        },
        "result": {"allow": True},
    }


def story_of(steps: Sequence[Step], *, valid_until: float = 60) -> dict[str, list[dict[str, Any]]]:
    """An approval, a session under it, and the steps of the agent; all logs but its own are right."""
    given = approval(
        "APR-1",
        0,
        subject="helper",
        roles=[HELPER],
        ticket="OPS-1",
        valid_until=at(valid_until),
        tools=["put_policy"],
    )
    worker = session(HELPER, "ASIAHELPER", source_identity="APR-1")
    taken = assume("e1", 1, session(RUNNER, "ASIARUNNER"), "ASIAHELPER", roleArn=HELPER, sourceIdentity="APR-1")
    done = [call(f"c{n}", step.minutes + 5 / 60, "iam:PutRolePolicy", worker) for n, step in enumerate(steps)]
    spans = [one for n, step in enumerate(steps) for one in told(n, step)]
    return {
        "approvals": [*AROUND, given],
        "decisions": [decided(n, step) for n, step in enumerate(steps)],
        "trail": [taken, *done],
        "spans": [{"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}]}],
    }


def after_end(story: Story) -> list[str]:
    query = "select native_id from step_facts join events using (event_id) where is_after_approval_end order by all"
    return [row[0] for row in story.ask(query)]


def eight(clock: int) -> list[Step]:
    """Steps within the first hour."""
    return [Step(10 + 5 * number, clock) for number in range(8)]


CLOCK = "select seconds_ahead, state from clocks where log = 'otel_genai'"
honest = Stories(config=CONFIG, as_of=at(290), words=("helper",))
accused = Stories(config=CONFIG, as_of=at(290), words=("helper",))


@honest.each({str(clock): story_of([*eight(clock), Step(59, clock)]) for clock in (95, -95, 600, -600)})
def test_an_agent_whose_clock_is_wrong(story: Story) -> None:
    """All it did was approved, decided and recorded, also in the last minute before the approval ended; nothing is
    found, every call is in order, and the log's own times stand."""
    clock = int(story.case)
    assert honest.ask("select detector_id, message from findings where state = 'open'") == []
    assert story.ask("select distinct is_in_order from links where kind = 'tool_call>decision'") == [(True,)]
    assert story.ask("select count(*) from links where is_primary and kind = 'tool_call>decision'") == [(9,)]
    assert story.ask("select distinct is_accounted from chain_steps where node_kind = 'activity'") == [(True,)]
    ((ahead, state),) = story.ask(CLOCK)
    assert state == "corrected" and abs(ahead - clock) <= 5
    off = "select distinct epoch(step_at - corrected_at) from chain_steps where node_kind = 'tool_call'"
    assert story.ask(off) == [(ahead,)]
    moved = "select count(*) from chain_steps where voice <> 'reported' and corrected_at <> step_at"
    assert story.ask(moved) == [(0,)]


@accused.each({str(clock): story_of([*eight(clock), Step(70, clock)]) for clock in (95, -95, -600, -86400)})
def test_a_call_that_was_made_after_the_end(story: Story) -> None:
    """The cloud recorded it ten minutes after the approval ended: it is found, whatever the agent's clock says."""
    assert AFTER_END in {row[0] for row in story.ask("select detector_id from findings where state = 'open'")}
    assert "c8" in after_end(story)


@accused(**story_of([*eight(0), Step(70, -1200)]))
def test_an_agent_dates_one_call_back(story: Story) -> None:
    """Its clock is right but for the call that came too late, which it dates before the end: what the cloud recorded is
    found, and no clock is measured by one call."""
    assert "c8" in after_end(story)
    assert [state for _, state in story.ask(CLOCK)] == ["in time"]


@accused.each({str(clock): story_of([*eight(clock), Step(59, clock), Step(70, clock)]) for clock in (-900, 900)})
def test_an_agent_moves_its_clock_to_be_corrected(story: Story) -> None:
    """However it dates its calls, an act that the cloud recorded after the end stays there, and one before it too."""
    acts = "select native_id from step_facts join events using (event_id) where node_kind = 'activity'"
    assert story.ask(f"{acts} and is_after_approval_end") == [("c9",)]
