"""What goes wrong in the world: each situation is a benign run with one thing changed, at a known place.

A function here takes the stage and the moment, lets it happen, and returns the label.
"""

from dataclasses import dataclass, replace
from random import Random

from ultravires.simulator import aws, ids
from ultravires.simulator.agent_plans import Plan, grant_for, moved, people, plan_steps
from ultravires.simulator.agent_runs import (
    Run,
    begin,
    call_aws,
    finish,
    perform,
    store_call,
    take_role,
    take_step,
)
from ultravires.simulator.cast import ADMIN, CLEANER, LEGACY, Agent, Call, Cast, Tool
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import HOUR, MINUTE, SECOND
from ultravires.simulator.scribe import Scribe
from ultravires.simulator.truth import Situation
from ultravires.simulator.worker_runs import instance_session

_OUTSIDE = "ultravires_activity_outside_approval"
_OVERREACH = "ultravires_entitlement_overreach"
_ENDED = "ultravires_activity_after_approval_end"
_RARE = "rare_action"
_THIEF_IP = "203.0.113.77"


@dataclass(frozen=True)
class Stage:
    """Where a situation plays. `copy` says which copy of an agent plays it in a larger world."""

    scribe: Scribe
    rng: Random
    cast: Cast
    copy: int = 0

    def agent(self, uid: str) -> Agent:
        same = [
            a
            for a in self.cast.agents
            if a.uid == uid or a.uid.startswith(f"{uid}-0") or a.uid.startswith(f"{uid}-1")
        ]
        return same[self.copy % len(same)]


def _plan(stage: Stage, agent: Agent, at: int, tools: tuple[Tool, ...] | None = None) -> Plan:
    chosen = tools or agent.tools
    steps = tuple(replace(step, is_repeated=False) for step in plan_steps(stage.rng, agent, at, chosen))
    who = people(stage.rng, stage.cast.humans)
    return Plan(agent, steps, grant_for(stage.rng, agent, stage.scribe.next_grant(), who, at, chosen))


def _grant(plan: Plan) -> Grant:
    if plan.grant is None:
        raise ValueError("the situation needs a run under a grant")
    return plan.grant


def _with_grant(plan: Plan, **changes: object) -> Plan:
    return replace(plan, grant=replace(_grant(plan), **changes))  # type: ignore[arg-type]


def unapproved_privileged_activity(stage: Stage, at: int) -> Situation:
    session = instance_session(stage.scribe, LEGACY, at)
    call = Call("iam:PutRolePolicy", "oncall-reader")
    node = stage.scribe.record(aws.call_record(stage.rng, at, session, call), at, session)
    return Situation(
        "unapproved_privileged_activity",
        ("ultravires_unapproved_privileged_activity",),
        LEGACY.arn,
        (node, session.node),
        "An old deployment role changes another role's policy, and no approval covers it.",
        (_RARE,),
    )


def activity_after_approval_end(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-invoice-triage")
    plan = _plan(stage, agent, at)
    late = tuple(moved(step, 25 * MINUTE) if n else step for n, step in enumerate(plan.steps))
    revoked_at = plan.steps[0].at + 8 * MINUTE
    plan = _with_grant(replace(plan, steps=late), revoked_at=revoked_at)
    run = perform(stage.scribe, stage.rng, plan)
    return Situation(
        "activity_after_approval_end",
        (_ENDED,),
        agent.uid,
        run.nodes(),
        "The approval is revoked during the run, and the agent goes on for more than ten minutes.",
    )


def activity_outside_actions(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-log-summarizer")
    plan = _plan(stage, agent, at)
    widened = replace(
        plan.steps[-1].tool, calls=(Call("s3:PutObject", "acme-summaries/logs/{n}.md"), Call("iam:ListRoles"))
    )
    plan = replace(plan, steps=(*plan.steps[:-1], replace(plan.steps[-1], tool=widened)))
    run = perform(stage.scribe, stage.rng, plan)
    return Situation(
        "activity_outside_actions",
        (_OUTSIDE, _OVERREACH),
        agent.uid,
        (*run.made[-1].below, *run.made[-1].activities, run.approval_node),
        "A tool that may only store a summary also lists every role of the account.",
        (_RARE,),
    )


def activity_outside_resources(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-doc-indexer")
    plan = _plan(stage, agent, at)
    first = plan.steps[0]
    elsewhere = replace(first.tool, calls=(Call("s3:GetObject", "acme-payroll/2026/{n}.csv"),))
    plan = replace(plan, steps=(replace(first, tool=elsewhere), *plan.steps[1:]))
    run = perform(stage.scribe, stage.rng, plan)
    return Situation(
        "activity_outside_resources",
        (_OUTSIDE, _OVERREACH),
        agent.uid,
        (*run.made[0].below, *run.made[0].activities, run.approval_node),
        "The indexer of the handbook reads a payroll file.",
    )


def entitlement_overreach(stage: Stage, at: int) -> Situation:
    """Two runs, a day apart, both beyond what was approved: use has drifted from the grant."""
    agent = stage.agent("agent-report-writer")
    nodes: list[str] = []
    for day in range(2):
        plan = _plan(stage, agent, at + day * 24 * HOUR)
        last = plan.steps[-1]
        widened = replace(last.tool, calls=(*last.tool.calls, Call("dynamodb:DescribeTable", "customers")))
        run = perform(
            stage.scribe, stage.rng, replace(plan, steps=(*plan.steps[:-1], replace(last, tool=widened)))
        )
        nodes += [*run.made[-1].below, *run.made[-1].activities, run.approval_node]
    return Situation(
        "entitlement_overreach",
        (_OVERREACH, _OUTSIDE),
        agent.uid,
        tuple(nodes),
        "The report writer looks into the customer table day after day, which no approval names.",
        (_RARE,),
    )


def executed_despite_denial(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-access-broker")
    plan = _plan(stage, agent, at)
    steps = (*plan.steps[:-1], replace(plan.steps[-1], verdict="deny"))
    run = perform(stage.scribe, stage.rng, replace(plan, steps=steps))
    return Situation(
        "executed_despite_denial",
        ("ultravires_executed_despite_denial",),
        agent.uid,
        _last(run),
        "The policy engine says no, and the tool runs all the same.",
    )


def privileged_tool_without_decision(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-bucket-steward")
    plan = _plan(stage, agent, at, agent.tools[:2])
    steps = (plan.steps[0], replace(plan.steps[1], verdict="none"))
    run = perform(stage.scribe, stage.rng, replace(plan, steps=steps))
    return Situation(
        "privileged_tool_without_decision",
        ("ultravires_privileged_tool_without_decision",),
        agent.uid,
        _last(run),
        "The bucket policy is replaced without anybody asking the policy engine.",
    )


def arguments_changed_after_decision(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-data-export")
    plan = _plan(stage, agent, at)
    last = plan.steps[-1]
    changed = replace(last, arguments=last.arguments | {"batch": 99_999})
    run = perform(stage.scribe, stage.rng, replace(plan, steps=(*plan.steps[:-1], changed)))
    return Situation(
        "arguments_changed_after_decision",
        ("ultravires_arguments_changed_after_decision",),
        agent.uid,
        _last(run),
        "The decision was about one batch, the call is about a far larger one.",
    )


def self_approval(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-capacity-planner")
    plan = _plan(stage, agent, at)
    plan = _with_grant(plan, approved_by=_grant(plan).requested_by)
    run = perform(stage.scribe, stage.rng, plan)
    return Situation(
        "self_approval",
        ("ultravires_self_approval",),
        agent.uid,
        (run.approval_node,),
        "The person who asked for the scaling approves it.",
    )


def hasty_high_risk_approval(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-secret-rotator")
    plan = _plan(stage, agent, at)
    plan = _with_grant(plan, requested_at=_grant(plan).approved_at - 6 * SECOND)
    run = perform(stage.scribe, stage.rng, plan)
    return Situation(
        "hasty_high_risk_approval",
        ("ultravires_hasty_high_risk_approval",),
        agent.uid,
        (run.approval_node,),
        "A request of high risk is approved after six seconds.",
    )


def credential_used_after_task(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-cost-optimizer")
    run = perform(stage.scribe, stage.rng, _plan(stage, agent, at))
    session = run.sessions[-1]
    later = run.plan.ends_at + 33 * MINUTE
    nodes = [
        call_aws(run, session, Call("ec2:DescribeInstances"), later + n * 40 * SECOND, below=None)
        for n in range(2)
    ]
    return Situation(
        "credential_used_after_task",
        ("ultravires_credential_used_after_task",),
        agent.uid,
        (*nodes, session.node, run.approval_node),
        "The run is over for half an hour, and its session still makes calls.",
    )


def role_chain_leaves_approval(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-data-export")
    plan = _plan(stage, agent, at)
    run = begin(stage.scribe, stage.rng, plan)
    for number, step in enumerate(plan.steps[:-1], start=1):
        take_step(run, step, f"call_{number}")
    last = plan.steps[-1]
    made = take_step(run, last, f"call_{len(plan.steps)}")
    below = made.tool_call.rpartition("/")[2] if made else run.root
    taken = last.at + 2 * SECOND
    session = take_role(run, ADMIN, taken, below=below)
    call = Call("s3:GetObject", f"acme-usage-lake/monthly/{stage.rng.randrange(10**5):05d}.parquet")
    node = call_aws(run, session, call, taken + SECOND, below=below)
    finish(run)
    # Spans of the hop and the call stand at the end of the run's list, before its root.
    spans = tuple(run.node(span["spanId"]) for span in run.spans[-3:-1])
    return Situation(
        "role_chain_leaves_approval",
        ("ultravires_role_chain_leaves_approval",),
        agent.uid,
        (node, session.node, *spans, run.approval_node),
        "From its approved role the agent hops into the administrator's role, which no approval names.",
        (_RARE, _OUTSIDE, _OVERREACH),
    )


def credential_used_elsewhere(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-invoice-triage")
    plan = _plan(stage, agent, at)
    apart = tuple(moved(step, n * 12 * MINUTE) for n, step in enumerate(plan.steps))
    run = perform(stage.scribe, stage.rng, replace(plan, steps=apart))
    stolen = replace(run.sessions[-1], ip=_THIEF_IP, user_agent="python-requests/2.32.5")
    call = Call("s3:ListObjects", "acme-invoices")
    node = call_aws(run, stolen, call, apart[1].at - 5 * MINUTE, below=None)
    return Situation(
        "credential_used_elsewhere",
        ("ultravires_credential_used_elsewhere",),
        agent.uid,
        (node, stolen.node, run.approval_node),
        "The session's key is used from a network and by a program that the agent never uses.",
    )


def agent_mints_credential(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-access-broker")
    plan = _plan(stage, agent, at)
    run = begin(stage.scribe, stage.rng, plan)
    for number, step in enumerate(plan.steps, start=1):
        made = take_step(run, step, f"call_{number}")
    last, session = plan.steps[-1], run.sessions[-1]
    below = made.tool_call.rpartition("/")[2] if made else run.root
    minted, moment = ids.access_key(stage.rng, "AKIA"), last.at + 2 * SECOND
    record = aws.new_key_record(stage.rng, moment, session, "report-reader", minted)
    node = store_call(run, session, record, Call("iam:CreateAccessKey", "report-reader"), moment, below=below)
    stage.scribe.link(f"credential:{minted}", session.node, "credential>credential")
    finish(run)
    return Situation(
        "agent_mints_credential",
        ("ultravires_agent_mints_credential",),
        agent.uid,
        (node, session.node, f"credential:{minted}", run.node(run.spans[-2]["spanId"]), run.approval_node),
        "Inside its approved run the agent makes a long-lived key for a user.",
        (_OUTSIDE, _OVERREACH, _RARE, "ultravires_role_chain_leaves_approval"),
    )


def audit_logging_weakened(stage: Stage, at: int) -> Situation:
    session = instance_session(stage.scribe, CLEANER, at)
    calls = (Call("cloudtrail:StopLogging", "org-trail"), Call("cloudtrail:PutEventSelectors", "org-trail"))
    nodes = []
    for n, call in enumerate(calls):
        moment = at + n * 3 * MINUTE
        nodes.append(stage.scribe.record(aws.call_record(stage.rng, moment, session, call), moment, session))
    return Situation(
        "audit_logging_weakened",
        ("aws_cloudtrail_audit_logging_weakened",),
        CLEANER.arn,
        (*nodes, session.node),
        "The sandbox cleaner narrows the audit trail and then stops it.",
        (_RARE, "ultravires_unapproved_privileged_activity"),
    )


def confused_deputy(stage: Stage, at: int) -> Situation:
    """The agent has two approved runs open; a call decided under one is made with the other's session."""
    agent = stage.agent("agent-cost-optimizer")
    other = perform(stage.scribe, stage.rng, _plan(stage, agent, at - 12 * MINUTE))
    plan = _plan(stage, agent, at)
    run = begin(stage.scribe, stage.rng, plan)
    take_step(run, plan.steps[0], "call_1")
    own, run.sessions = run.sessions, list(other.sessions)
    made = take_step(run, plan.steps[-1], "call_2")
    run.sessions = own
    finish(run)
    crossed = (made.tool_call, made.decision or "", *made.below, *made.activities) if made else ()
    return Situation(
        "confused_deputy",
        ("ultravires_confused_deputy",),
        agent.uid,
        (*crossed, other.sessions[-1].node, run.approval_node, other.approval_node),
        "A tool call of one approval acts with the session of another.",
    )


def rare_action(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-release-notes")
    tool = Tool("export_changes", (Call("dynamodb:Scan", "change-log"),))
    run = perform(stage.scribe, stage.rng, _plan(stage, agent, at, (agent.tools[0], tool)))
    return Situation(
        "rare_action",
        (_RARE,),
        agent.uid,
        (*_last(run), run.approval_node),
        "Approved, but new: the agent reads a whole table, which neither it nor any peer ever did.",
    )


def _last(run: Run) -> tuple[str, ...]:
    made = run.made[-1]
    return tuple(node for node in (made.tool_call, made.decision, *made.below, *made.activities) if node)
