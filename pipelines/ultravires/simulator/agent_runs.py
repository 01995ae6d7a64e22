"""One agent run as all logs see it: sessions, decisions, spans and API calls, each with its true links."""

from dataclasses import dataclass, field, replace
from random import Random

from ultravires.simulator import aws, aws_sessions, ids, opa, otlp
from ultravires.simulator.agent_grants import standing_node
from ultravires.simulator.agent_plans import Plan, Step, role_of
from ultravires.simulator.aws_calls import Json
from ultravires.simulator.cast import Agent, Call, Role
from ultravires.simulator.moments import SECOND
from ultravires.simulator.scribe import Scribe
from ultravires.simulator.stage import Stage

# The widest two clocks may differ is 110 s, inside the 2 minutes that Ultravires allows.
_CLOCK_SPREAD = 55
_THROTTLED, _REFUSED, _TOO_WIDE = 0.04, 0.015, 0.03


@dataclass(frozen=True)
class Made:
    """What one tool call left behind: its own node, its decision's, and the nodes below it."""

    tool_call: str
    decision: str | None
    below: tuple[str, ...]
    activities: tuple[str, ...]

    def nodes(self) -> tuple[str, ...]:
        decided = (self.decision,) if self.decision else ()
        return (self.tool_call, *decided, *self.below, *self.activities)


@dataclass
class Run:
    """A run under way. Everything it makes is written to the scribe at once; what stays is its nodes."""

    scribe: Scribe
    rng: Random
    plan: Plan
    trace: str
    root: str
    conversation: str
    parent: str = ""
    """The span of another agent's call that began this run."""
    sessions: list[aws.Session] = field(default_factory=list)
    spans: list[Json] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    takings: list[str] = field(default_factory=list)
    """The events by which it took its roles."""

    @property
    def agent(self) -> Agent:
        return self.plan.agent

    @property
    def clock(self) -> int:
        """How far the agent's host is ahead of AWS, in milliseconds."""
        ahead = self.agent.seconds_ahead
        return skew_of(self.agent.uid) if ahead is None else ahead * SECOND

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
        held = [session.node for session in self.sessions]
        return (self.approval_node, *held, *(node for made in self.made for node in made.nodes()))


def skew_of(host: str) -> int:
    """The error of one host's clock, in milliseconds; always the same for one host."""
    return ids.stream("clock", host).randrange(-_CLOCK_SPREAD, _CLOCK_SPREAD) * SECOND


def begin(stage: Stage, plan: Plan, *, below: str | None = None) -> Run:
    """Announce the grant, and take the first role where the runner takes it before the agent starts.

    Where nothing of the approval travels, the runner does not know it: the role is then taken inside the first call.
    below: the node of another agent's tool call that asks for this run, in whose trace it goes on.
    """
    trace, root, conversation = (ids.hexadecimal(stage.rng, digits) for digits in (32, 16, 24))
    parent = ""
    if below:
        trace, _, parent = below.removeprefix("tool_call:").partition("/")
    run = Run(stage.scribe, stage.rng, plan, trace, root, f"conv_{conversation}", parent)
    if plan.grant and not plan.is_announced:
        run.scribe.grant(plan.grant)
    if plan.grant and plan.agent.carries != "window":
        take_role(run, plan.agent.roles[0], plan.starts_at - 2 * SECOND)
    return run


def perform(stage: Stage, plan: Plan, *, below: str | None = None) -> Run:
    """The whole run, start to end."""
    run = begin(stage, plan, below=below)
    # The ids of calls are one's own within a trace, also where two agents are at work in it.
    for number, step in enumerate(plan.steps, start=101 if below else 1):
        take_step(run, step, f"call_{number}")
    finish(run)
    return run


def finish(run: Run) -> None:
    """The root span ends last, and then everything is exported."""
    plan, grant = run.plan, run.plan.grant
    ticket = grant.ticket if grant else None
    run.spans.append(
        otlp.span(
            run.trace,
            run.root,
            run.parent,
            f"invoke_agent {run.agent.uid}",
            started=plan.starts_at + run.clock,
            ended=plan.ends_at + run.clock,
            attributes=otlp.run_attributes(run.agent, run.conversation, plan.human, ticket),
        )
    )
    if run.parent:
        run.scribe.link(run.root_node, run.node(run.parent), "tool_call>tool_call")
    if run.agent.states_ticket and grant:
        kind = "approval>approval" if plan.human else "tool_call>approval"
        run.scribe.link(run.root_node, grant.node, kind, "caller_chosen", is_primary=not run.parent)
    if plan.human and not grant:
        run.scribe.link(run.root_node, standing_node(run.agent), "approval>approval", "standing")
    run.scribe.export(run.agent, run.spans)


def take_step(run: Run, step: Step, call_id: str) -> Made:
    """Ask the model, ask the policy engine, call the tool; what the tool call left behind."""
    _chat(run, step.at - 2 * SECOND)
    if run.rng.random() < _TOO_WIDE:
        _ask_too_much(run, step, call_id)
    decision = _decide(run, step, call_id) if step.verdict != "none" else None
    made = _execute(run, step, call_id, decision)
    if step.is_repeated:
        _execute(run, replace(step, at=step.at + (step.seconds + 1) * SECOND), call_id, decision)
    return made


def _ask_too_much(run: Run, step: Step, call_id: str) -> None:
    """A first try that the policy engine refuses, and that therefore never runs."""
    wider = replace(step, verdict="deny", at=step.at - SECOND, decided_arguments=step.arguments | {"batch": 50_000})
    _decide(run, wider, f"{call_id}_first")


def take_role(run: Run, role: Role, at: int, *, below: str | None = None) -> aws.Session:
    """AssumeRole by the last session, or by the runner; `below` is the span inside which it happens."""
    grant, is_first = run.plan.grant, not run.sessions
    caller = run.scribe.runner(at) if is_first else run.sessions[-1]
    issued = _issued(run, role, at)
    record = aws_sessions.assume_role_record(run.rng, at, caller, issued, names_source=is_first)
    # Where the approval enters, it and not the runner's own credential is what the session stands on.
    is_entry = is_first and grant is not None and run.agent.carries != "window"
    activity = _store_taking(run, record, at, caller, issued)
    run.takings.append(activity)
    run.scribe.link(activity, caller.node, "activity>credential", is_primary=not is_entry)
    run.scribe.link(issued.node, caller.node, "credential>credential", is_primary=not is_entry)
    if grant:
        method = _carrying(run, issued)
        run.scribe.link(issued.node, grant.node, "credential>approval", method, is_primary=is_entry)
        run.scribe.link(activity, grant.node, "activity>approval", method, is_primary=is_entry)
    if below:
        _sdk_span(run, below, record, at)
    run.sessions.append(issued)
    return issued


def _issued(run: Run, role: Role, at: int) -> aws.Session:
    grant, agent = run.plan.grant, run.agent
    names = {"trace": run.trace, "ticket": grant.ticket if grant else run.trace}
    return aws.Session(
        key=ids.access_key(run.rng, "ASIA"),
        account=role.account,
        ip=agent.host_ip,
        role=role,
        name=names.get(agent.session) or f"session-{run.rng.randrange(10**9)}",
        issued_at=at,
        source_identity=grant.uid if grant and agent.carries == "source_identity" else None,
    )


def _carrying(run: Run, issued: aws.Session) -> str:
    """How a session carries its approval: by its source identity, by the name the runner gave it, or not at all."""
    if run.agent.carries == "window":
        return "attribute_window"
    return "carried" if issued.source_identity else "caller_chosen"


def _store_taking(run: Run, record: Json, at: int, caller: aws.Session, issued: aws.Session) -> str:
    """Store AssumeRole, in both accounts where they differ; the caller's record is the node."""
    if caller.account == issued.account:
        return run.scribe.record(record, at)
    original, copy = aws_sessions.shared_copy(run.rng, record, caller, issued.account)
    node, twin = run.scribe.record(original, at), run.scribe.record(copy, at)
    run.scribe.link(twin, node, "same_event")
    if run.plan.grant:
        run.scribe.link(twin, run.plan.grant.node, "activity>approval", _carrying(run, issued))
    return node


def call_aws(
    run: Run, session: aws.Session, call: Call, at: int, *, below: str | None, error: str | None = None
) -> str:
    """One API call in a session; `below` is the span of the tool call that made it. Returns its node."""
    record = aws.call_record(run.rng, at, session, call, error=error)
    return store_call(run, session, record, at, below=below)


def store_call(run: Run, session: aws.Session, record: Json, at: int, *, below: str | None) -> str:
    """Store a call's record, and the client span of it where the agent's SDK is instrumented."""
    node = run.scribe.record(record, at, session)
    if below and run.agent.has_sdk_spans:
        _sdk_span(run, below, record, at)
    elif below:
        run.scribe.link(node, run.node(below), "activity>tool_call", _guess(run))
    return node


def _guess(run: Run) -> str:
    """How an effect without a request id can be placed: by the session's name, else by the window."""
    return "caller_chosen" if run.agent.session == "trace" and run.plan.grant else "attribute_window"


def _sdk_span(run: Run, parent: str, record: Json, at: int) -> None:
    uid, started = ids.hexadecimal(run.rng, 16), at + run.clock - 60
    attributes = otlp.sdk_attributes(record)
    name = f"{attributes['rpc.service']}.{attributes['rpc.method']}"
    ended = started + run.rng.randrange(20, 55)
    run.spans.append(
        otlp.span(run.trace, uid, parent, name, started=started, ended=ended, attributes=attributes, is_client=True)
    )
    run.scribe.link(run.node(uid), run.node(parent), "tool_call>tool_call")
    run.scribe.link(f"activity:{record['eventID']}", run.node(uid), "activity>tool_call")


def _link_first_try(run: Run, node: str, tool: str) -> None:
    """A throttled try has no span of its own: the SDK's span shows the request id of the last try only."""
    if run.agent.has_sdk_spans:
        run.scribe.link(node, run.node(run.spans[-1]["spanId"]), "activity>tool_call", "retried")
    else:
        run.scribe.link(node, run.node(tool), "activity>tool_call", _guess(run))


def _chat(run: Run, at: int) -> None:
    uid, started = ids.hexadecimal(run.rng, 16), at + run.clock
    attributes = otlp.chat_attributes(run.agent, run.conversation, run.rng)
    ended, name = started + run.rng.randrange(400, 1800), f"chat {run.agent.model}"
    run.spans.append(otlp.span(run.trace, uid, run.root, name, started=started, ended=ended, attributes=attributes))
    _link_to_root(run, uid, is_primary=True)


def _link_to_root(run: Run, span: str, *, is_primary: bool) -> None:
    kind = "tool_call>approval" if run.plan.human else "tool_call>tool_call"
    run.scribe.link(run.node(span), run.root_node, kind, is_primary=is_primary)


def _decide(run: Run, step: Step, call_id: str) -> str:
    """The policy engine's answer, on a clock of its own; returns its id. It is told the approval or the ticket."""
    uid, at, grant = opa.decision_id(run.rng), step.at - 90, run.plan.grant
    request: Json = {"agent": {"id": run.agent.uid}, "tool": step.tool.name, "tool_call_id": call_id}
    if grant:
        request |= {"ticket": grant.ticket} if run.agent.carries == "window" else {"approval_id": grant.uid}
    request |= {"arguments": step.decided_arguments, "resource": step.decided_arguments["target"]}
    record = opa.decision_record(
        run.rng,
        at + skew_of("policy engine"),
        uid,
        request,
        is_allowed=step.verdict == "allow",
        trace=run.trace,
        span=run.root,
        plain=run.agent.risk == "low",
    )
    run.scribe.decide(record, at)
    # A prompt stands under its ticket: the decision may hang on either, which is one chain.
    approvals = {run.approval_node, run.root_node} if run.plan.human else {run.approval_node}
    for node in sorted(approvals):
        run.scribe.link(f"decision:{uid}", node, "decision>approval", is_primary=len(approvals) == 1)
    return uid


def _execute(run: Run, step: Step, call_id: str, decision: str | None) -> Made:
    uid, tool, started = ids.hexadecimal(run.rng, 16), step.tool.name, step.at + run.clock
    attributes = otlp.tool_attributes(
        run.agent, run.conversation, tool, call_id, arguments=step.arguments, decision_id=decision
    )
    name = f"tools/call {tool}" if run.agent.dialect == "mcp" else f"execute_tool {tool}"
    ended = started + step.seconds * SECOND
    run.spans.append(otlp.span(run.trace, uid, run.root, name, started=started, ended=ended, attributes=attributes))
    if decision:
        run.scribe.link(run.node(uid), f"decision:{decision}", "tool_call>decision")
    _link_to_root(run, uid, is_primary=decision is None)
    n_spans = len(run.spans)
    activities = _effects(run, step, uid)
    below = tuple(run.node(span["spanId"]) for span in run.spans[n_spans:])
    run.made.append(Made(run.node(uid), f"decision:{decision}" if decision else None, below, activities))
    return run.made[-1]


def _effects(run: Run, step: Step, uid: str) -> tuple[str, ...]:
    """The API calls of one tool call, with the roles it must take first."""
    at, roles = step.at + 150, run.agent.roles
    place = roles.index(role_of(run.agent, step.tool))
    for role in roles[len(run.sessions) : place + 1]:
        take_role(run, role, at, below=uid)
        at += 300
    nodes, session = [], run.sessions[place]
    for call in step.calls():
        throttled = None
        if run.rng.random() < _THROTTLED:
            throttled = call_aws(run, session, call, at, below=None, error="ThrottlingException")
            nodes.append(throttled)
            at += 400
        error = "AccessDenied" if run.rng.random() < _REFUSED and not run.agent.gives_back else None
        nodes.append(call_aws(run, session, call, at, below=uid, error=error))
        at += 500
        if throttled:
            _link_first_try(run, throttled, uid)
    return tuple(nodes)
