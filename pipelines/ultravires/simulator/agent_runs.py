"""One agent run as all logs see it: sessions, decisions, spans and API calls, each with its true links."""

from dataclasses import dataclass, field, replace
from random import Random

from ultravires.simulator import aws, ids, opa, otlp
from ultravires.simulator.agent_plans import Plan, Step, role_of
from ultravires.simulator.aws_calls import Json, region_of, split_action
from ultravires.simulator.cast import Agent, Call, Role
from ultravires.simulator.moments import SECOND
from ultravires.simulator.scribe import Scribe

# The widest two clocks may differ is 110 s, inside the 2 minutes that Ultravires allows.
_CLOCK_SPREAD = 55
_THROTTLED, _REFUSED = 0.04, 0.015


@dataclass(frozen=True)
class Made:
    """What one tool call left behind: its own node, its decision's, and the nodes below it."""

    tool_call: str
    decision: str | None
    below: tuple[str, ...]
    activities: tuple[str, ...]


@dataclass
class Run:
    """A run under way. Everything it makes is written to the scribe at once; what stays is its nodes."""

    scribe: Scribe
    rng: Random
    plan: Plan
    trace: str
    root: str
    conversation: str
    sessions: list[aws.Session] = field(default_factory=list)
    spans: list[Json] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)

    @property
    def agent(self) -> Agent:
        return self.plan.agent

    @property
    def clock(self) -> int:
        """How far the agent's host is ahead of AWS, in milliseconds."""
        return ids.stream("clock", self.agent.uid).randrange(-_CLOCK_SPREAD, _CLOCK_SPREAD) * SECOND

    @property
    def root_node(self) -> str:
        kind = "approval" if self.plan.human else "tool_call"
        return f"{kind}:{self.trace}/{self.root}"

    @property
    def approval_node(self) -> str:
        return self.plan.grant.node if self.plan.grant else self.root_node

    def node(self, span: str) -> str:
        return f"tool_call:{self.trace}/{span}"

    def nodes(self) -> tuple[str, ...]:
        """Every node of the run, its approval first."""
        calls = [
            node
            for made in self.made
            for node in (made.tool_call, made.decision, *made.below, *made.activities)
        ]
        held = [session.node for session in self.sessions]
        return tuple(node for node in (self.approval_node, *held, *calls) if node)


def begin(scribe: Scribe, rng: Random, plan: Plan) -> Run:
    """Announce the grant, and take the first role where the runner takes it before the agent starts."""
    run = Run(
        scribe,
        rng,
        plan,
        ids.hexadecimal(rng, 32),
        ids.hexadecimal(rng, 16),
        f"conv_{ids.hexadecimal(rng, 24)}",
    )
    if plan.grant:
        scribe.grant(plan.grant)
        take_role(run, plan.agent.roles[0], plan.starts_at - 2 * SECOND)
    return run


def perform(scribe: Scribe, rng: Random, plan: Plan) -> Run:
    """The whole run, start to end."""
    run = begin(scribe, rng, plan)
    for number, step in enumerate(plan.steps, start=1):
        take_step(run, step, f"call_{number}")
    finish(run)
    return run


def finish(run: Run) -> None:
    """The root span ends last, and then everything is exported."""
    plan, ticket = run.plan, run.plan.grant.ticket if run.plan.grant else None
    attributes = otlp.run_attributes(run.agent, run.conversation, plan.human, ticket)
    name = f"invoke_agent {run.agent.uid}"
    started, ended = plan.starts_at + run.clock, plan.ends_at + run.clock
    run.spans.append(otlp.span(run.trace, run.root, "", name, started, ended, attributes))
    if run.agent.states_ticket and plan.grant:
        run.scribe.link(run.root_node, plan.grant.node, "tool_call>approval", "caller_chosen")
    run.scribe.export(run.agent, run.spans)


def take_step(run: Run, step: Step, call_id: str) -> Made | None:
    """Ask the model, ask the policy engine, call the tool; what the tool call left behind, if it ran."""
    _chat(run, step.at - 2 * SECOND)
    decision = _decide(run, step, call_id) if step.verdict != "none" else None
    if not step.is_run:
        return None
    made = _execute(run, step, call_id, decision)
    if step.is_repeated:
        _execute(run, replace(step, at=step.at + (step.seconds + 1) * SECOND), call_id, decision)
    return made


def take_role(run: Run, role: Role, at: int, *, below: str | None = None) -> aws.Session:
    """AssumeRole by the last session, or by the runner; `below` is the tool call inside which it happens."""
    scribe, is_first = run.scribe, not run.sessions
    caller = scribe.runner(at) if is_first else run.sessions[-1]
    issued = _issued(run, role, at)
    record = aws.assume_role_record(run.rng, at, caller, issued, names_source=is_first)
    activity = _store_shared(run, record, at, caller, issued)
    scribe.link(
        issued.node, caller.node, "credential>credential", is_primary=not (is_first and run.plan.grant)
    )
    if run.plan.grant:
        method = "carried" if issued.source_identity else "caller_chosen"
        scribe.link(issued.node, run.plan.grant.node, "credential>approval", method, is_primary=is_first)
        scribe.link(activity, run.plan.grant.node, "activity>approval", method, is_primary=is_first)
    if below:
        _sdk_span(run, below, record, at, "STS", "AssumeRole")
    run.sessions.append(issued)
    return issued


def _issued(run: Run, role: Role, at: int) -> aws.Session:
    grant, agent = run.plan.grant, run.agent
    names = {"trace": run.trace, "ticket": grant.ticket if grant else run.trace}
    source = grant.uid if grant and agent.carries == "source_identity" else None
    return aws.Session(
        key=ids.access_key(run.rng, "ASIA"),
        account=role.account,
        ip=agent.host_ip,
        role=role,
        name=names.get(agent.session) or f"session-{run.rng.randrange(10**9)}",
        issued_at=at,
        source_identity=source,
    )


def _store_shared(run: Run, record: Json, at: int, caller: aws.Session, issued: aws.Session) -> str:
    """Store AssumeRole, in both accounts where they differ; the caller's record is the node."""
    grant, scribe, is_first = run.plan.grant, run.scribe, not run.sessions
    if caller.account == issued.account:
        node = scribe.record(record, at)
    else:
        shared, copy = aws.shared_copy(run.rng, record, caller, issued.account)
        record.update(shared)
        node, twin = scribe.record(record, at), scribe.record(copy, at)
        scribe.link(twin, node, "same_event")
        if grant and issued.source_identity:
            scribe.link(twin, grant.node, "activity>approval", "carried", is_primary=is_first)
    scribe.link(node, caller.node, "activity>credential", is_primary=not (is_first and grant))
    return node


def call_aws(
    run: Run, session: aws.Session, call: Call, at: int, *, below: str | None, error: str | None = None
) -> str:
    """One API call in a session; `below` is the tool call that made it, None when it was none. Returns its node."""
    record = aws.call_record(run.rng, at, session, call, error=error)
    return store_call(run, session, record, call, at, below=below, has_span=error != "ThrottlingException")


def store_call(
    run: Run,
    session: aws.Session,
    record: Json,
    call: Call,
    at: int,
    *,
    below: str | None,
    has_span: bool = True,
) -> str:
    """Store a call's record and its client span, where the agent's SDK is instrumented."""
    node = run.scribe.record(record, at, session)
    if below is None:
        return node
    if run.agent.has_sdk_spans and has_span:
        service, operation = split_action(call)
        _sdk_span(run, below, record, at, service, operation, region=region_of(call))
    else:
        run.scribe.link(node, run.node(below), "activity>tool_call", _guess(run))
    return node


def _guess(run: Run) -> str:
    """How an effect without a request id can be placed: by the session's name, else by the approval's window."""
    return "caller_chosen" if run.agent.session == "trace" and run.plan.grant else "attribute_window"


def _sdk_span(
    run: Run, parent: str, record: Json, at: int, service: str, operation: str, region: str = ""
) -> None:
    uid, started = ids.hexadecimal(run.rng, 16), at + run.clock - 60
    account, region = record["recipientAccountId"], region or record["awsRegion"]
    attributes = otlp.sdk_attributes(service, operation, record["requestID"], account, region)
    ended = started + run.rng.randrange(20, 55)
    name = f"{service}.{operation}"
    run.spans.append(otlp.span(run.trace, uid, parent, name, started, ended, attributes, is_client=True))
    run.scribe.link(run.node(uid), run.node(parent), "tool_call>tool_call")
    run.scribe.link(f"activity:{record['eventID']}", run.node(uid), "activity>tool_call")


def _chat(run: Run, at: int) -> None:
    uid, started = ids.hexadecimal(run.rng, 16), at + run.clock
    attributes = otlp.chat_attributes(run.agent, run.conversation, run.rng)
    ended = started + run.rng.randrange(400, 1800)
    run.spans.append(
        otlp.span(run.trace, uid, run.root, f"chat {run.agent.model}", started, ended, attributes)
    )
    _link_to_root(run, uid, is_primary=True)


def _link_to_root(run: Run, span: str, *, is_primary: bool) -> None:
    kind = "tool_call>approval" if run.plan.human else "tool_call>tool_call"
    run.scribe.link(run.node(span), run.root_node, kind, is_primary=is_primary)


def _decide(run: Run, step: Step, call_id: str) -> str:
    """The policy engine's answer, on a clock of its own; returns its id."""
    uid, at = opa.decision_id(run.rng), step.at - 90
    request: Json = {"agent": {"id": run.agent.uid}, "tool": step.tool.name, "tool_call_id": call_id}
    if run.plan.grant:
        request["approval_id"] = run.plan.grant.uid
    request |= {"arguments": step.decided_arguments, "resource": step.decided_arguments["target"]}
    skew = ids.stream("clock", "policy engine").randrange(-_CLOCK_SPREAD, _CLOCK_SPREAD) * SECOND
    record = opa.decision_record(
        run.rng,
        at + skew,
        uid,
        request,
        is_allowed=step.verdict == "allow",
        trace=run.trace,
        span=run.root,
        plain=run.agent.risk == "low",
    )
    run.scribe.decide(record, at)
    run.scribe.link(f"decision:{uid}", run.approval_node, "decision>approval")
    return uid


def _execute(run: Run, step: Step, call_id: str, decision: str | None) -> Made:
    uid = ids.hexadecimal(run.rng, 16)
    attributes = otlp.tool_attributes(
        run.agent, run.conversation, step.tool.name, call_id, step.arguments, decision
    )
    name = f"tools/call {step.tool.name}" if run.agent.dialect == "mcp" else f"execute_tool {step.tool.name}"
    started = step.at + run.clock
    ended = started + step.seconds * SECOND
    run.spans.append(otlp.span(run.trace, uid, run.root, name, started, ended, attributes))
    if decision:
        run.scribe.link(run.node(uid), f"decision:{decision}", "tool_call>decision")
    _link_to_root(run, uid, is_primary=decision is None)
    below = len(run.spans)
    activities = _effects(run, step, uid)
    spans = tuple(run.node(span["spanId"]) for span in run.spans[below:])
    made = Made(run.node(uid), f"decision:{decision}" if decision else None, spans, activities)
    run.made.append(made)
    return made


def _effects(run: Run, step: Step, uid: str) -> tuple[str, ...]:
    """The API calls of one tool call, with the roles it must take first."""
    at = step.at + 150
    wanted = role_of(run.agent, step.tool)
    for role in run.agent.roles[len(run.sessions) : run.agent.roles.index(wanted) + 1]:
        take_role(run, role, at, below=uid)
        at += 300
    session = run.sessions[run.agent.roles.index(wanted)]
    nodes = []
    for call in step.calls():
        if run.rng.random() < _THROTTLED:
            nodes.append(call_aws(run, session, call, at, below=uid, error="ThrottlingException"))
            at += 400
        error = "AccessDenied" if run.rng.random() < _REFUSED else None
        nodes.append(call_aws(run, session, call, at, below=uid, error=error))
        at += 500
    return tuple(nodes)
