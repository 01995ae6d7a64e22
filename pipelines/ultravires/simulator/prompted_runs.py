"""Agents that a person prompts under a ticket: one ticket for the day, and each prompt a run of its own."""

from dataclasses import replace

from ultravires.simulator.agent_plans import Plan, grant_for, plan_steps
from ultravires.simulator.agent_runs import Run, perform
from ultravires.simulator.cast import Agent, Tool
from ultravires.simulator.changed_plans import AFTER_END, BORROWED, UNAPPROVED, grant_of
from ultravires.simulator.moments import MINUTE
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

_NOTHING_TRAVELS, _CARRIES_ITS_TICKET = "agent-desk-assistant", "agent-order-clerk"


def prompt(stage: Stage, agent: Agent, at: int, tools: tuple[Tool, ...]) -> Run:
    """One prompt under a ticket of its own."""
    return perform(stage, _plan(stage, agent, at, tools))


def _plan(stage: Stage, agent: Agent, at: int, tools: tuple[Tool, ...]) -> Plan:
    grant = grant_for(stage, agent, at, tools)
    return Plan(agent, plan_steps(stage.rng, agent, at, tools), grant, human=grant.requested_by)


def _again(stage: Stage, plan: Plan, at: int) -> Plan:
    """The next prompt under the same ticket."""
    return replace(plan, steps=plan_steps(stage.rng, plan.agent, at, plan.agent.tools), is_announced=True)


def _two_prompts(stage: Stage, uid: str, at: int) -> Situation:
    agent = stage.agent(uid)
    first = _plan(stage, agent, at, agent.tools)
    runs = [perform(stage, plan) for plan in (first, _again(stage, first, at + 25 * MINUTE))]
    return Situation(
        "prompts_under_one_ticket",
        (),
        agent.uid,
        tuple(node for run in runs for node in (run.root_node, *run.takings, *run.nodes())),
        "A person prompts the agent twice under one ticket, which stands on both runs and in their decisions.",
        is_benign=True,
    )


def prompts_under_one_ticket(stage: Stage, at: int) -> Situation:
    """Nothing of the ticket travels with the session."""
    return _two_prompts(stage, _NOTHING_TRAVELS, at)


def prompts_under_a_carried_ticket(stage: Stage, at: int) -> Situation:
    return replace(_two_prompts(stage, _CARRIES_ITS_TICKET, at), situation="prompts_under_a_carried_ticket")


def _prompt_after_revocation(stage: Stage, uid: str, at: int) -> Situation:
    """The ticket is revoked between two prompts."""
    agent = stage.agent(uid)
    plan = _plan(stage, agent, at, agent.tools)
    plan = replace(plan, grant=replace(grant_of(plan), revoked_at=plan.ends_at + 10 * MINUTE))
    perform(stage, plan)
    late = perform(stage, _again(stage, plan, plan.ends_at + 45 * MINUTE))
    return Situation(
        "prompt_after_ticket_revoked",
        (AFTER_END,),
        agent.uid,
        (late.root_node, *late.takings, *late.nodes()),
        "The ticket was revoked, and a later prompt goes on under it: no prompt renews a ticket.",
        (BORROWED, UNAPPROVED),
    )


def prompt_after_ticket_revoked(stage: Stage, at: int) -> Situation:
    return _prompt_after_revocation(stage, _NOTHING_TRAVELS, at)


def prompt_after_carried_ticket_revoked(stage: Stage, at: int) -> Situation:
    late = _prompt_after_revocation(stage, _CARRIES_ITS_TICKET, at)
    return replace(late, situation="prompt_after_carried_ticket_revoked")
