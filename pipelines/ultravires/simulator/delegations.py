"""An agent that hands a part of its task to another agent, which acts on a ticket of its own."""

from dataclasses import replace

from ultravires.simulator.agent_plans import Plan, approved_actions, grant_for, plan_steps, role_of
from ultravires.simulator.agent_runs import begin, finish, perform, take_step
from ultravires.simulator.aws_calls import resource_patterns
from ultravires.simulator.cast import Agent
from ultravires.simulator.changed_plans import DEPUTY, OUTSIDE, OVERREACH
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import SECOND
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

_AGENT = "agent-month-closer"


def delegate(stage: Stage, agent: Agent, at: int, *, is_approved: bool = True) -> tuple[str, ...]:
    """The agent's run, and inside its last call the other agent's; the nodes of the call and of all below it.

    is_approved: the agent's own approval lists the call, and what the other agent does for it.
    """
    other = stage.asked_by(agent)
    steps = tuple(replace(step, is_repeated=False) for step in plan_steps(stage.rng, agent, at, agent.tools))
    grant = grant_for(stage, agent, at, agent.tools if is_approved else agent.tools[:-1])
    inner = _plan_of(stage, other, steps[-1].at + 6 * SECOND)
    asking = replace(steps[-1], seconds=(inner.ends_at - steps[-1].at) // SECOND + 3)
    plan = Plan(agent, (*steps[:-1], asking), _with_work_of(grant, other) if is_approved else grant)
    run = begin(stage, plan)
    for number, step in enumerate(plan.steps[:-1], start=1):
        take_step(run, step, f"call_{number}")
    call = take_step(run, asking, f"call_{len(steps)}")
    below = perform(stage, inner, below=call.tool_call)
    finish(run)
    return (*call.nodes(), run.approval_node, below.root_node, *below.nodes())


def _plan_of(stage: Stage, agent: Agent, at: int) -> Plan:
    steps = tuple(replace(step, is_repeated=False) for step in plan_steps(stage.rng, agent, at, agent.tools))
    return Plan(agent, steps, grant_for(stage, agent, at, agent.tools))


def _with_work_of(grant: Grant, other: Agent) -> Grant:
    calls = [(role_of(other, tool).account, call) for tool in other.tools for call in tool.calls]
    patterns = {pattern for account, call in calls for pattern in resource_patterns(account, call)}
    return replace(
        grant,
        actions=tuple(sorted({*grant.actions, *approved_actions(tuple(call for _, call in calls))})),
        resources=tuple(sorted({*grant.resources, *patterns})),
        roles=(*grant.roles, *(role.arn for role in other.roles)),
        tools=(*grant.tools, *(tool.name for tool in other.tools)),
    )


def delegation(stage: Stage, at: int) -> Situation:
    agent = stage.agent(_AGENT)
    return Situation(
        "delegation",
        (),
        agent.uid,
        delegate(stage, agent, at),
        "One agent asks another, as its approval says, and the other acts on its own ticket.",
        is_benign=True,
    )


def delegation_beyond_approval(stage: Stage, at: int) -> Situation:
    agent = stage.agent(_AGENT)
    return Situation(
        "delegation_beyond_approval",
        (),
        agent.uid,
        delegate(stage, agent, at, is_approved=False),
        "The agent's approval lists neither the call of the other agent nor what that one does for it.",
        (OVERREACH,),
        one_of=(DEPUTY, OUTSIDE),
    )
