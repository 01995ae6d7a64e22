"""Humans, and what runs without anybody asking: none of it is judged, all of it is in the logs."""

from ultravires.simulator import aws, aws_sessions, ids
from ultravires.simulator.cast import CLEANER, ETL_FUNCTION, LEGACY, Call, Human, Role
from ultravires.simulator.moments import DAY, HOUR, MINUTE, SECOND
from ultravires.simulator.scribe import Scribe
from ultravires.simulator.stage import Stage
from ultravires.simulator.worker_runs import COMMAND_LINE


def run_human(stage: Stage, human: Human, at: int) -> None:
    """A person at the console, or on call at the command line with a session made by a second factor."""
    scribe, rng = stage.scribe, stage.rng
    if human.is_on_call:
        session = _on_call_session(stage, human, at)
    else:
        scribe.record(aws.console_login_record(rng, at, human), at)
        session = human_session(stage, human, at, aws.BROWSER)
    for call in human.calls:
        at += rng.randrange(20, 400) * SECOND
        scribe.record(aws.call_record(rng, at, session, call), at, session)


def _on_call_session(stage: Stage, human: Human, at: int) -> aws.Session:
    scribe = stage.scribe
    key = ids.access_key(ids.stream(scribe.seed, "human key", human.user), "AKIA")
    static = aws.Session(key, human.account, human.ip, user_arn=human.arn)
    session = human_session(stage, human, at, COMMAND_LINE)
    scribe.record(aws_sessions.session_token_record(stage.rng, at, static, session), at, static)
    scribe.link(session.node, static.node, "credential>credential")
    return session


def human_session(stage: Stage, human: Human, at: int, user_agent: str) -> aws.Session:
    return aws.Session(
        key=ids.access_key(stage.rng, "ASIA"),
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


def run_noise(stage: Stage, day: int) -> None:
    """Reads of old roles, the runner's own logs, the start of a function."""
    scribe, rng = stage.scribe, stage.rng
    for role, look in ((LEGACY, "ec2:DescribeInstances"), (CLEANER, "cloudtrail:DescribeTrails")):
        at = day + rng.randrange(2, 22) * HOUR
        session = instance_session(scribe, role, at)
        for n, action in enumerate((look, "sts:GetCallerIdentity")):
            moment = at + n * SECOND
            scribe.record(aws.call_record(rng, moment, session, Call(action)), moment, session)
    at = day + rng.randrange(7, 20) * HOUR
    runner = scribe.runner(at)
    scribe.record(aws.call_record(rng, at, runner, Call("logs:CreateLogStream", "/agents/runs")), at, runner)
    _run_function(stage, day + 2 * HOUR + rng.randrange(40) * MINUTE)


def _run_function(stage: Stage, at: int) -> None:
    scribe, rng = stage.scribe, stage.rng
    session = aws.Session(
        key=ids.access_key(rng, "ASIA"),
        account=ETL_FUNCTION.account,
        ip="10.30.11.31",
        role=ETL_FUNCTION,
        name="nightly-etl",
        issued_at=at,
    )
    scribe.record(aws_sessions.service_assume_record(rng, at, session, "lambda"), at)
    call = Call("logs:CreateLogStream", "/aws/lambda/nightly-etl")
    scribe.record(aws.call_record(rng, at + 2 * SECOND, session, call), at, session)
