"""Who changes rights, and how: a person at the console, or the pipeline that keeps rights as code."""

from collections.abc import Sequence
from dataclasses import replace

from ultravires.simulator import aws
from ultravires.simulator.aws_rights import Change, Json
from ultravires.simulator.bystanders import human_session
from ultravires.simulator.cast import Human, Role, Worker
from ultravires.simulator.moments import MINUTE, SECOND, to_seconds
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Drifted
from ultravires.simulator.worker_grants import deployment_grant
from ultravires.simulator.worker_runs import enter_roles

PIPELINE = "access-stacks"


def by_hand(stage: Stage, human: Human, at: int, change: Change) -> str:
    """A person signs in, and changes something a minute later, at `changed_at(at)`; the node of the change."""
    stage.scribe.record(aws.console_login_record(stage.rng, at, human), at)
    session = human_session(stage, human, at, aws.BROWSER)
    moment = changed_at(at)
    return stage.scribe.record(_record(stage, moment, session, change), moment, session)


def changed_at(at: int) -> int:
    """When the change of `by_hand` is made."""
    return at + MINUTE


def by_pipeline(stage: Stage, account: str, at: int, changes: Sequence[Change]) -> list[str]:
    """The pipeline makes changes in an account under a ticket that lists them; the nodes it left behind."""
    worker = _in_account(stage.worker(PIPELINE), account)
    worker = replace(worker, calls=tuple(change.call for change in changes))
    grant = deployment_grant(stage, worker, at)
    stage.scribe.grant(grant)
    nodes, sessions = enter_roles(stage, worker, grant, at)
    at += 10 * SECOND
    for change in changes:
        nodes.append(stage.scribe.record(_record(stage, at, sessions[-1], change), at, sessions[-1]))
        at += stage.rng.randrange(2, 9) * SECOND
    return [grant.node, *nodes]


def drifted(kind: str, holder: str, node: str, human: Human, at: int) -> Drifted:
    """What `by_hand` brought about."""
    return Drifted(kind, holder, node, human.arn, to_seconds(changed_at(at)))


def _record(stage: Stage, at: int, session: aws.Session, change: Change) -> Json:
    record = aws.call_record(stage.rng, at, session, change.call)
    asked = record["requestParameters"] | change.parameters
    return record | {"requestParameters": asked, "responseElements": change.answer}


def _in_account(worker: Worker, account: str) -> Worker:
    """The pipeline with its first role, and the one it takes from there in an account that is not its own."""
    first, *others = worker.roles
    there: tuple[Role, ...] = tuple(role for role in others if role.account == account)
    return replace(worker, roles=(first, *there))
