"""Pipelines, batch users, workloads, humans and the provider's own services at work."""

from random import Random

from ultravires.simulator import aws, ids
from ultravires.simulator.agent_plans import approved_actions, people
from ultravires.simulator.aws_calls import resource_patterns
from ultravires.simulator.cast import (
    CLEANER,
    ETL_FUNCTION,
    LEGACY,
    Call,
    Human,
    Role,
    Worker,
)
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import DAY, FIRST_DAY, HOUR, MINUTE, SECOND
from ultravires.simulator.scribe import Scribe

_STANDING_DAYS = 90
_THROTTLED = 0.03
CI_AGENT = "Terraform/1.13.3 (+https://www.terraform.io) aws-sdk-go-v2/1.36.3"
BATCH_AGENT = "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux md/arch#x86_64 cfg/retry-mode#standard"


def standing_grant(scribe: Scribe, rng: Random, worker: Worker, humans: tuple[Human, ...]) -> Grant:
    """An approval for ninety days, given before the world begins."""
    approved_at = FIRST_DAY - rng.randrange(2, 40) * DAY + rng.randrange(8, 17) * HOUR
    return _grant(scribe, rng, worker, humans, approved_at, approved_at + _STANDING_DAYS * DAY)


def deployment_grant(
    scribe: Scribe, rng: Random, worker: Worker, humans: tuple[Human, ...], at: int
) -> Grant:
    """An approval of one deployment, for two hours."""
    return _grant(scribe, rng, worker, humans, at - rng.randrange(3, 15) * MINUTE, at + 2 * HOUR)


def _grant(
    scribe: Scribe, rng: Random, worker: Worker, humans: tuple[Human, ...], approved_at: int, until: int
) -> Grant:
    uid, ticket = scribe.next_grant()
    asked, answered = people(rng, humans)
    patterns = {p for call in worker.calls for p in resource_patterns(account_of(worker, call), call)}
    return Grant(
        uid=uid,
        ticket=ticket,
        task=worker.task,
        subject=worker.roles[0].arn if worker.kind == "ci" else worker.subject,
        requested_by=asked,
        approved_by=answered,
        requested_at=approved_at - rng.randrange(4, 60) * MINUTE,
        approved_at=approved_at,
        valid_until=until,
        actions=approved_actions(worker.calls),
        resources=tuple(sorted(patterns)),
        roles=tuple(role.arn for role in worker.roles),
    )


def account_of(worker: Worker, call: Call) -> str:
    return session_role(worker, call).account if worker.roles else worker.account


def session_role(worker: Worker, call: Call) -> Role:
    """A pipeline pushes its image with its first role and changes the service with its last."""
    return worker.roles[0] if call.action.startswith("ecr:") else worker.roles[-1]


def announce_batch_key(scribe: Scribe, worker: Worker, grant: Grant) -> None:
    """Nothing travels with a static key; only subject and window lead to its approval."""
    scribe.link(static_session(scribe, worker).node, grant.node, "credential>approval", "attribute_window")


def static_session(scribe: Scribe, worker: Worker) -> aws.Session:
    rng = ids.stream(scribe.seed, "static key", worker.name)
    return aws.Session(
        key=ids.access_key(rng, "AKIA"),
        account=worker.account,
        ip=worker.ip,
        user_arn=worker.subject,
        user_agent=BATCH_AGENT,
    )


def run_batch(scribe: Scribe, rng: Random, worker: Worker, grant: Grant, at: int) -> None:
    """A nightly job with a static key, direct or through the one role it may take."""
    session = static_session(scribe, worker)
    if worker.roles:
        issued = _issue(rng, worker, worker.roles[0], at, f"{worker.name}-{rng.randrange(10**6)}")
        record = aws.assume_role_record(rng, at, session, issued, names_source=False)
        _store_hop(scribe, rng, record, at, session, issued)
        scribe.link(issued.node, grant.node, "credential>approval", "attribute_window", is_primary=False)
        session = issued
    _work(scribe, rng, worker, [session], at + 2 * SECOND)


def run_web_identity(scribe: Scribe, rng: Random, worker: Worker, grant: Grant, at: int) -> None:
    """A CI job or a workload trades its token for a role, and a CI job perhaps that role for another."""
    tags = {"ApprovalId": grant.uid} if worker.carries != "window" else {}
    is_transitive = worker.carries == "transitive_tag"
    first = _issue(rng, worker, worker.roles[0], at, f"{worker.kind}-{rng.randrange(10**9)}")
    record = aws.web_identity_record(rng, at, first, worker.subject, tags, is_transitive=is_transitive)
    activity = scribe.record(record, at)
    method = {"transitive_tag": "carried", "session_tag": "caller_chosen"}.get(
        worker.carries, "attribute_window"
    )
    scribe.link(first.node, grant.node, "credential>approval", method)
    scribe.link(activity, grant.node, "activity>approval", method, is_primary=bool(tags))
    sessions = [first]
    for role in worker.roles[1:]:
        at += 3 * SECOND
        issued = _issue(rng, worker, role, at, first.name)
        incoming = tags if is_transitive else None
        record = aws.assume_role_record(
            rng, at, sessions[-1], issued, names_source=False, incoming_tags=incoming
        )
        twin_approval = grant.node if is_transitive else None
        _store_hop(scribe, rng, record, at, sessions[-1], issued, carried=twin_approval)
        sessions.append(issued)
    _work(scribe, rng, worker, sessions, at + 2 * SECOND)


def _issue(rng: Random, worker: Worker, role: Role, at: int, name: str) -> aws.Session:
    return aws.Session(
        key=ids.access_key(rng, "ASIA"),
        account=role.account,
        ip=worker.ip,
        role=role,
        name=name,
        issued_at=at,
        user_agent=CI_AGENT if worker.kind == "ci" else aws.SDK_AGENT,
    )


def _store_hop(
    scribe: Scribe,
    rng: Random,
    record: aws.Json,
    at: int,
    caller: aws.Session,
    issued: aws.Session,
    carried: str | None = None,
) -> None:
    if caller.account == issued.account:
        node = scribe.record(record, at, caller)
    else:
        record, copy = aws.shared_copy(rng, record, caller, issued.account)
        node, twin = scribe.record(record, at, caller), scribe.record(copy, at)
        scribe.link(twin, node, "same_event")
        if carried:
            scribe.link(twin, carried, "activity>approval", "carried", is_primary=False)
    if carried:
        scribe.link(node, carried, "activity>approval", "carried", is_primary=False)
        scribe.link(issued.node, carried, "credential>approval", "carried", is_primary=False)
    scribe.link(issued.node, caller.node, "credential>credential")


def _work(scribe: Scribe, rng: Random, worker: Worker, sessions: list[aws.Session], at: int) -> None:
    by_role = {session.role.arn: session for session in sessions if session.role}
    for call in worker.calls:
        session = by_role[session_role(worker, call).arn] if by_role else sessions[0]
        target = Call(call.action, call.target.replace("{n}", f"{rng.randrange(100_000):05d}"))
        if rng.random() < _THROTTLED:
            scribe.record(aws.call_record(rng, at, session, target, error="ThrottlingException"), at, session)
            at += 900
        scribe.record(aws.call_record(rng, at, session, target), at, session)
        at += rng.randrange(1, 40) * SECOND


def run_human(scribe: Scribe, rng: Random, human: Human, at: int) -> None:
    """A person at the console, or on call at the command line with a session made by a second factor."""
    if human.is_on_call:
        session = _on_call_session(scribe, rng, human, at)
    else:
        scribe.record(aws.console_login_record(rng, at, human), at)
        session = _human_session(rng, human, at, aws.BROWSER, "ASIA")
    for call in human.calls:
        at += rng.randrange(20, 400) * SECOND
        scribe.record(aws.call_record(rng, at, session, call), at, session)


def _on_call_session(scribe: Scribe, rng: Random, human: Human, at: int) -> aws.Session:
    keys = ids.stream(scribe.seed, "human key", human.user)
    static = aws.Session(ids.access_key(keys, "AKIA"), human.account, human.ip, user_arn=human.arn)
    session = _human_session(rng, human, at, BATCH_AGENT, "ASIA")
    scribe.record(aws.session_token_record(rng, at, static, session), at, static)
    scribe.link(session.node, static.node, "credential>credential")
    return session


def _human_session(rng: Random, human: Human, at: int, user_agent: str, prefix: str) -> aws.Session:
    return aws.Session(
        key=ids.access_key(rng, prefix),
        account=human.account,
        ip=human.ip,
        user_arn=human.arn,
        issued_at=at,
        has_mfa=True,
        user_agent=user_agent,
    )


def instance_session(scribe: Scribe, role: Role, at: int) -> aws.Session:
    """The credential of a machine's own role on that day; its issue is in no log."""
    rng = ids.stream(scribe.seed, "instance", role.arn, at // DAY)
    return aws.Session(
        key=ids.access_key(rng, "ASIA"),
        account=role.account,
        ip=f"10.30.9.{sum(role.name.encode()) % 200 + 10}",
        role=role,
        name="i-0b7e21d95a4c3f816",
        issued_at=at // DAY * DAY,
    )


def run_noise(scribe: Scribe, rng: Random, day: int) -> None:
    """What nobody asked for and nobody minds: reads of old roles, the runner's own logs, a function's start."""
    for role, call in ((LEGACY, Call("ec2:DescribeInstances")), (CLEANER, Call("cloudtrail:DescribeTrails"))):
        at = day + rng.randrange(2, 22) * HOUR
        session = instance_session(scribe, role, at)
        scribe.record(aws.call_record(rng, at, session, call), at, session)
        scribe.record(aws.call_record(rng, at + SECOND, session, Call("sts:GetCallerIdentity")), at, session)
    at = day + rng.randrange(7, 20) * HOUR
    runner = scribe.runner(at)
    scribe.record(aws.call_record(rng, at, runner, Call("logs:CreateLogStream", "/agents/runs")), at, runner)
    _run_function(scribe, rng, day + 2 * HOUR + rng.randrange(40) * MINUTE)


def _run_function(scribe: Scribe, rng: Random, at: int) -> None:
    session = aws.Session(
        key=ids.access_key(rng, "ASIA"),
        account=ETL_FUNCTION.account,
        ip="10.30.11.31",
        role=ETL_FUNCTION,
        name="nightly-etl",
        issued_at=at,
    )
    scribe.record(aws.service_assume_record(rng, at, session, "lambda"), at)
    call = Call("logs:CreateLogStream", "/aws/lambda/nightly-etl")
    scribe.record(aws.call_record(rng, at + 2 * SECOND, session, call), at, session)
