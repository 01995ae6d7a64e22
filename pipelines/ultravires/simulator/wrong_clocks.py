"""An agent whose clock is a minute and a half ahead of everybody else's."""

from dataclasses import replace

from ultravires.simulator.agent_plans import moved
from ultravires.simulator.agent_runs import perform
from ultravires.simulator.changed_plans import AFTER_END, plan_of, with_grant
from ultravires.simulator.moments import MINUTE
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

_AGENT = "agent-fleet-watcher"


def clock_ahead(stage: Stage, at: int) -> Situation:
    agent = stage.agent(_AGENT)
    run = perform(stage, plan_of(stage, agent, at))
    return Situation(
        "clock_ahead",
        (),
        agent.uid,
        run.nodes(),
        "An approved run whose spans are dated 95 seconds too late.",
        is_benign=True,
    )


def clock_ahead_after_approval_end(stage: Stage, at: int) -> Situation:
    agent = stage.agent(_AGENT)
    plan = plan_of(stage, agent, at)
    late = tuple(moved(step, 20 * MINUTE) if n else step for n, step in enumerate(plan.steps))
    run = perform(stage, with_grant(replace(plan, steps=late), revoked_at=plan.steps[0].at + 6 * MINUTE))
    return Situation(
        "clock_ahead_after_approval_end",
        (AFTER_END,),
        agent.uid,
        run.nodes(),
        "The approval is revoked, and by the cloud's own clock the agent goes on for a quarter of an hour.",
    )
