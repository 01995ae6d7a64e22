"""Situations of tool calls and their decisions."""

from ultravires.simulator.agent_runs import begin, finish, perform, take_step
from ultravires.simulator.changed_plans import plan_of, with_step
from ultravires.simulator.moments import MINUTE
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation


def executed_despite_denial(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-access-broker")
    run = perform(stage, with_step(plan_of(stage, agent, at), -1, verdict="deny"))
    return Situation(
        "executed_despite_denial",
        ("ultravires_executed_despite_denial",),
        agent.uid,
        run.made[-1].nodes(),
        "The policy engine says no, and the tool runs all the same.",
    )


def privileged_tool_without_decision(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-bucket-steward")
    run = perform(stage, with_step(plan_of(stage, agent, at, agent.tools[:2]), -1, verdict="none"))
    return Situation(
        "privileged_tool_without_decision",
        ("ultravires_privileged_tool_without_decision",),
        agent.uid,
        run.made[-1].nodes(),
        "The bucket policy is replaced without anybody asking the policy engine.",
    )


def arguments_changed_after_decision(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-data-export")
    plan = plan_of(stage, agent, at)
    larger = plan.steps[-1].arguments | {"batch": 99_999}
    run = perform(stage, with_step(plan, -1, arguments=larger))
    return Situation(
        "arguments_changed_after_decision",
        ("ultravires_arguments_changed_after_decision",),
        agent.uid,
        run.made[-1].nodes(),
        "The decision was about one batch, the call is about a far larger one.",
    )


def confused_deputy(stage: Stage, at: int) -> Situation:
    """The agent has two approved runs open; a call decided under one is made with the other's session."""
    agent = stage.agent("agent-cost-optimizer")
    other = perform(stage, plan_of(stage, agent, at - 12 * MINUTE))
    plan = plan_of(stage, agent, at)
    run = begin(stage, plan)
    take_step(run, plan.steps[0], "call_1")
    own, run.sessions = run.sessions, list(other.sessions)
    made = take_step(run, plan.steps[-1], "call_2")
    run.sessions = own
    finish(run)
    return Situation(
        "confused_deputy",
        ("ultravires_confused_deputy",),
        agent.uid,
        (*made.nodes(), other.sessions[-1].node, run.approval_node, other.approval_node),
        "A tool call of one approval acts with the session of another.",
    )
