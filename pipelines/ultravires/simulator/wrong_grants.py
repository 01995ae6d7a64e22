"""Situations of approvals: none, over, too narrow for what was done, from the wrong person, or too fast."""

from dataclasses import replace

from ultravires.simulator import aws
from ultravires.simulator.agent_plans import moved
from ultravires.simulator.agent_runs import perform
from ultravires.simulator.aws_calls import LOOKS
from ultravires.simulator.bystanders import instance_session
from ultravires.simulator.cast import LEGACY, Call, Tool
from ultravires.simulator.changed_plans import (
    OUTSIDE,
    OVERREACH,
    RARE,
    UNAPPROVED,
    grant_of,
    plan_of,
    with_calls,
    with_grant,
    with_step,
)
from ultravires.simulator.moments import DAY, MINUTE, SECOND
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation


def unapproved_privileged_activity(stage: Stage, at: int) -> Situation:
    session = instance_session(stage.scribe, LEGACY, at)
    record = aws.call_record(stage.rng, at, session, Call("iam:PutRolePolicy", "oncall-reader"))
    node = stage.scribe.record(record, at, session)
    return Situation(
        "unapproved_privileged_activity",
        (UNAPPROVED,),
        LEGACY.arn,
        (node, session.node),
        "An old deployment role changes another role's policy, and no approval covers it.",
        (RARE,),
    )


def activity_after_approval_end(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-invoice-triage")
    plan = plan_of(stage, agent, at)
    late = tuple(moved(step, 25 * MINUTE) if n else step for n, step in enumerate(plan.steps))
    plan = with_grant(replace(plan, steps=late), revoked_at=plan.steps[0].at + 8 * MINUTE)
    run = perform(stage, plan)
    return Situation(
        "activity_after_approval_end",
        ("ultravires_activity_after_approval_end",),
        agent.uid,
        run.nodes(),
        "The approval is revoked during the run, and the agent goes on for more than ten minutes.",
    )


def activity_outside_actions(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-log-summarizer")
    plan = plan_of(stage, agent, at)
    last = plan.steps[-1]
    run = perform(stage, with_step(plan, -1, tool=with_calls(last, *last.tool.calls, Call("iam:ListRoles"))))
    return Situation(
        "activity_outside_actions",
        (OUTSIDE, OVERREACH),
        agent.uid,
        (*run.made[-1].nodes(), run.approval_node),
        "A tool that may only store a summary also lists every role of the account.",
        (RARE,),
    )


def activity_outside_resources(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-doc-indexer")
    plan = plan_of(stage, agent, at)
    elsewhere = with_calls(plan.steps[0], Call("s3:GetObject", "acme-payroll/2026/{n}.csv"))
    run = perform(stage, with_step(plan, 0, tool=elsewhere))
    return Situation(
        "activity_outside_resources",
        (OUTSIDE, OVERREACH),
        agent.uid,
        (*run.made[0].nodes(), run.approval_node),
        "The indexer of the handbook reads a payroll file.",
    )


def entitlement_overreach(stage: Stage, at: int) -> Situation:
    """Two runs, a day apart, both beyond what was approved: use has drifted from the grant."""
    agent = stage.agent("agent-report-writer")
    nodes: list[str] = []
    for day in range(2):
        plan = plan_of(stage, agent, at + day * DAY)
        last = plan.steps[-1]
        peek = with_calls(last, *last.tool.calls, Call("dynamodb:DescribeTable", "customers"))
        run = perform(stage, with_step(plan, -1, tool=peek))
        nodes += [*run.made[-1].nodes(), run.approval_node]
    return Situation(
        "entitlement_overreach",
        (OVERREACH, OUTSIDE),
        agent.uid,
        tuple(nodes),
        "The report writer looks into the customer table day after day, which no approval names.",
        (RARE,),
    )


def self_approval(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-capacity-planner")
    plan = plan_of(stage, agent, at)
    run = perform(stage, with_grant(plan, approved_by=grant_of(plan).requested_by))
    return Situation(
        "self_approval",
        ("ultravires_self_approval",),
        agent.uid,
        (run.approval_node,),
        "The person who asked for the scaling approves it.",
    )


def hasty_high_risk_approval(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-secret-rotator")
    plan = plan_of(stage, agent, at)
    run = perform(stage, with_grant(plan, requested_at=grant_of(plan).approved_at - 6 * SECOND))
    return Situation(
        "hasty_high_risk_approval",
        ("ultravires_hasty_high_risk_approval",),
        agent.uid,
        (run.approval_node,),
        "A request of high risk is approved after six seconds.",
    )


def rare_action(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-release-notes")
    # In a larger world each copy does something else: what one copy did is not new to its peers.
    new = Call(LOOKS[(stage.copy - 1) % len(LOOKS)]) if stage.copy else Call("dynamodb:Scan", "change-log")
    tool = Tool("export_changes", (new,))
    run = perform(stage, plan_of(stage, agent, at, (agent.tools[0], tool)))
    return Situation(
        "rare_action",
        (RARE,),
        agent.uid,
        (*run.made[-1].nodes(), run.approval_node),
        "Approved, but new: the agent reads a whole table, which neither it nor any peer ever did."
        if not stage.copy
        else "Approved, but new: the agent reads what neither it nor any peer ever did.",
    )
