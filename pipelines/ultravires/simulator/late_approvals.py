"""Approvals that come after the act, and approvals that are only written down after it."""

from ultravires.simulator.agent_runs import perform
from ultravires.simulator.changed_plans import AFTERWARDS, grant_of, plan_of, with_grant
from ultravires.simulator.moments import HOUR, MINUTE
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation


def approved_afterwards(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-access-broker")
    plan = plan_of(stage, agent, at)
    asked = grant_of(plan).requested_at
    run = perform(stage, with_grant(plan, approved_at=plan.ends_at + 50 * MINUTE, valid_from=asked))
    return Situation(
        "approved_afterwards",
        (AFTERWARDS,),
        agent.uid,
        run.nodes(),
        "The approval is given an hour after the agent changed the role, and dated back to before it.",
    )


def approval_recorded_late(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-bucket-steward")
    run = perform(stage, with_grant(plan_of(stage, agent, at), recorded_after=3 * HOUR))
    return Situation(
        "approval_recorded_late",
        (),
        agent.uid,
        run.nodes(),
        "The approval was given before the run, and its system wrote it down three hours later.",
        is_benign=True,
    )
