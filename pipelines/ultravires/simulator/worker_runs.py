"""Pipelines, batch users and workloads at work, with the true links of what they leave behind."""

from ultravires.simulator import aws, aws_sessions, ids
from ultravires.simulator.aws_calls import Json
from ultravires.simulator.cast import Call, Role, Worker
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import SECOND
from ultravires.simulator.scribe import Scribe
from ultravires.simulator.stage import Stage
from ultravires.simulator.worker_grants import role_for

_THROTTLED = 0.03
_CI_PROGRAM = "Terraform/1.13.3 (+https://www.terraform.io) aws-sdk-go-v2/1.36.3"
COMMAND_LINE = "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux md/arch#x86_64 cfg/retry-mode#standard"


def announce_key(scribe: Scribe, worker: Worker, grant: Grant) -> None:
    """Nothing travels with a static key; only subject and window lead to its approval.

    Whoever made the key is its parent where a log has the making.
    """
    key = static_session(scribe, worker).node
    scribe.link(key, grant.node, "credential>approval", "attribute_window", is_primary=not worker.maker)


def static_session(scribe: Scribe, worker: Worker) -> aws.Session:
    """The long-lived key of a batch user."""
    rng = ids.stream(scribe.seed, "static key", worker.name)
    return aws.Session(
        key=ids.access_key(rng, "AKIA"),
        account=worker.account,
        ip=worker.ip,
        user_arn=worker.subject,
        user_agent=COMMAND_LINE,
    )


def run_batch(stage: Stage, worker: Worker, grant: Grant | None, at: int) -> list[str]:
    """A nightly job with a static key, direct or through the one role it may take; the nodes it left behind.

    Without a grant, no log has an approval of it.
    """
    session = static_session(stage.scribe, worker)
    nodes: list[str] = []
    if worker.roles:
        issued = _issue(stage, worker, worker.roles[0], at, f"{worker.name}-{stage.rng.randrange(10**6)}")
        record = aws_sessions.assume_role_record(stage.rng, at, session, issued, names_source=False)
        nodes += [_store_hop(stage, record, at, session, issued, grant=grant, is_carried=False), issued.node]
        session = issued
    return nodes + _work(stage, worker, [session], at + 2 * SECOND)


def run_web_identity(stage: Stage, worker: Worker, grant: Grant | None, at: int) -> list[str]:
    """A CI job or a workload trades its token for a role, and a CI job perhaps that role for another.

    Returns the nodes it left behind. Without a grant, there is no approval of it.
    """
    nodes, sessions = enter_roles(stage, worker, grant, at)
    at += 3 * SECOND * len(worker.roles[1:])
    return nodes + _work(stage, worker, sessions, at + 2 * SECOND)


def enter_roles(stage: Stage, worker: Worker, grant: Grant | None, at: int) -> tuple[list[str], list[aws.Session]]:
    """The nodes of its way into its roles, one after the other, and its session of each."""
    tags = {"ApprovalId": grant.uid} if grant and worker.carries != "window" else {}
    entry, first = _enter(stage, worker, grant, tags, at)
    nodes, sessions = [entry], [first]
    inherited = tags if worker.carries == "transitive_tag" else {}
    for role in worker.roles[1:]:
        at += 3 * SECOND
        issued = _issue(stage, worker, role, at, sessions[0].name)
        record = aws_sessions.assume_role_record(
            stage.rng, at, sessions[-1], issued, names_source=False, incoming_tags=inherited
        )
        nodes.append(_store_hop(stage, record, at, sessions[-1], issued, grant=grant, is_carried=bool(inherited)))
        sessions.append(issued)
    return nodes + [session.node for session in sessions], sessions


def _enter(stage: Stage, worker: Worker, grant: Grant | None, tags: Json, at: int) -> tuple[str, aws.Session]:
    """The event by which the token became a role's session, and that session."""
    scribe, is_transitive = stage.scribe, worker.carries == "transitive_tag"
    first = _issue(stage, worker, worker.roles[0], at, f"{worker.kind}-{stage.rng.randrange(10**9)}")
    record = aws_sessions.web_identity_record(stage.rng, at, first, worker.subject, tags, is_transitive=is_transitive)
    activity = scribe.record(record, at)
    methods = {"transitive_tag": "carried", "session_tag": "caller_chosen"}
    method = methods.get(worker.carries, "attribute_window")
    if grant:
        scribe.link(first.node, grant.node, "credential>approval", method)
        scribe.link(activity, grant.node, "activity>approval", method)
    return activity, first


def _issue(stage: Stage, worker: Worker, role: Role, at: int, name: str) -> aws.Session:
    return aws.Session(
        key=ids.access_key(stage.rng, "ASIA"),
        account=role.account,
        ip=worker.ip,
        role=role,
        name=name,
        issued_at=at,
        user_agent=_CI_PROGRAM if worker.kind == "ci" else aws.SDK_AGENT,
    )


def _store_hop(
    stage: Stage,
    record: Json,
    at: int,
    caller: aws.Session,
    issued: aws.Session,
    *,
    grant: Grant | None,
    is_carried: bool,
) -> str:
    """Store AssumeRole and its copy, and return its node; is_carried: the approval's id travels as a transitive tag."""
    scribe = stage.scribe
    method = "carried" if is_carried else "attribute_window"
    records = [record]
    if caller.account != issued.account:
        records = list(aws_sessions.shared_copy(stage.rng, record, caller, issued.account))
    node, *twins = [scribe.record(entry, at) for entry in records]
    scribe.link(node, caller.node, "activity>credential")
    scribe.link(issued.node, caller.node, "credential>credential")
    if grant:
        scribe.link(issued.node, grant.node, "credential>approval", method, is_primary=False)
    if grant and is_carried:
        scribe.link(node, grant.node, "activity>approval", method, is_primary=False)
    for twin in twins:
        # The copy does not know the caller's credential: the approval is all that it can hang on.
        scribe.link(twin, node, "same_event")
        if grant:
            scribe.link(twin, grant.node, "activity>approval", method)
    return node


def _work(stage: Stage, worker: Worker, sessions: list[aws.Session], at: int) -> list[str]:
    rng, scribe = stage.rng, stage.scribe
    nodes = []
    by_role = {session.role.arn: session for session in sessions if session.role}
    for call in rng.sample(worker.calls, worker.picks) if worker.picks else worker.calls:
        session = by_role[role_for(worker, call).arn] if by_role else sessions[0]
        aimed = Call(call.action, call.target.replace("{n}", f"{rng.randrange(100_000):05d}"))
        if rng.random() < _THROTTLED:
            record = aws.call_record(rng, at, session, aimed, error="ThrottlingException")
            nodes.append(scribe.record(record, at, session))
            at += 900
        nodes.append(scribe.record(aws.call_record(rng, at, session, aimed), at, session))
        at += rng.randrange(1, 40) * SECOND
    return nodes
