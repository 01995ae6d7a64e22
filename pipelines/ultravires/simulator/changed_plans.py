"""A benign plan with a part of it changed: how every situation begins.

A situation is a function (stage, moment) that lets it happen and returns its label.
"""

from dataclasses import replace
from typing import Any

from ultravires.simulator.agent_plans import Plan, Step, grant_for, plan_steps
from ultravires.simulator.cast import Agent, Call, Tool
from ultravires.simulator.grants import Grant
from ultravires.simulator.stage import Stage

OUTSIDE = "ultravires_activity_outside_approval"
OVERREACH = "ultravires_entitlement_overreach"
RARE = "rare_action"
AFTER_END = "ultravires_activity_after_approval_end"
AFTERWARDS = "ultravires_approved_afterwards"
BORROWED = "ultravires_borrowed_approval"
DEPUTY = "ultravires_confused_deputy"
DORMANT = "ultravires_dormant_identity_woke"
ELSEWHERE = "ultravires_credential_used_elsewhere"
UNAPPROVED = "ultravires_unapproved_privileged_activity"
ADMIN_GRANTED = "aws_cloudtrail_admin_policy_granted"
EXPIRED = "ultravires_expired_but_held"
OVER_GRANT = "ultravires_over_grant"
REVOKED = "ultravires_credential_used_after_revocation"
SHARED = "ultravires_shared_credential"
WIDENED = "ultravires_widened_after_approval"
WEAK = "ultravires_weakly_linked_approval"

THIEF_IP = "203.0.113.77"
THIEF_PROGRAM = "python-requests/2.32.5"


def plan_of(stage: Stage, agent: Agent, at: int, tools: tuple[Tool, ...] | None = None) -> Plan:
    """A run under a fresh grant, with every tool (or those given) called once."""
    chosen = tools or agent.tools
    steps = tuple(replace(step, is_repeated=False) for step in plan_steps(stage.rng, agent, at, chosen))
    return Plan(agent, steps, grant_for(stage, agent, at, chosen))


def grant_of(plan: Plan) -> Grant:
    if plan.grant is None:
        raise ValueError("the situation needs a run under a grant")
    return plan.grant


def with_grant(plan: Plan, **changes: Any) -> Plan:
    """The plan under the same grant, changed."""
    return replace(plan, grant=replace(grant_of(plan), **changes))


def with_step(plan: Plan, number: int, **changes: Any) -> Plan:
    """The plan with one step changed; -1 is the last."""
    steps = list(plan.steps)
    steps[number] = replace(steps[number], **changes)
    return replace(plan, steps=tuple(steps))


def with_calls(step: Step, *calls: Call) -> Tool:
    """The step's tool, doing something else than it says."""
    return replace(step.tool, calls=calls)
