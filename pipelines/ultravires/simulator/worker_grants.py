"""Approvals of pipelines, batch users and workloads."""

from ultravires.simulator.agent_plans import approved_actions
from ultravires.simulator.aws_calls import resource_patterns
from ultravires.simulator.cast import Call, Role, Worker
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import DAY, HOUR, MINUTE
from ultravires.simulator.stage import Stage


def standing_grant(stage: Stage, worker: Worker) -> Grant:
    """An approval for ninety days, given before the world begins."""
    approved_at = stage.scribe.extent.first_day - stage.rng.randrange(2, 40) * DAY + stage.rng.randrange(8, 17) * HOUR
    return _grant(stage, worker, approved_at, stage.scribe.extent.standing_until(approved_at))


def deployment_grant(stage: Stage, worker: Worker, at: int) -> Grant:
    """An approval of one deployment, for two hours."""
    return _grant(stage, worker, at - stage.rng.randrange(3, 15) * MINUTE, at + 2 * HOUR)


def approved_resources(worker: Worker) -> tuple[str, ...]:
    """ARN patterns of all that the worker's job touches."""
    patterns = {p for call in worker.calls for p in resource_patterns(_account_of(worker, call), call)}
    return tuple(sorted(patterns))


def _grant(stage: Stage, worker: Worker, approved_at: int, until: int) -> Grant:
    (uid, ticket), (asked, answered) = stage.scribe.next_grant(), stage.people()
    return Grant(
        uid=uid,
        ticket=ticket,
        task=worker.task,
        subject=worker.roles[0].arn if worker.kind == "ci" else worker.subject,
        requested_by=asked,
        approved_by=answered,
        requested_at=approved_at - stage.rng.randrange(4, 60) * MINUTE,
        approved_at=approved_at,
        valid_until=until,
        actions=approved_actions(worker.calls),
        resources=approved_resources(worker),
        roles=tuple(role.arn for role in worker.roles),
    )


def _account_of(worker: Worker, call: Call) -> str:
    return role_for(worker, call).account if worker.roles else worker.account


def role_for(worker: Worker, call: Call) -> Role:
    """A pipeline pushes its image with its first role and changes the service with its last."""
    return worker.roles[0] if call.action.startswith("ecr:") else worker.roles[-1]
