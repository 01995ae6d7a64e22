"""Work under an approval that stands for months: by whom it names, by somebody else, and beyond its list."""

from dataclasses import replace

from ultravires.simulator.cast import Call
from ultravires.simulator.changed_plans import BORROWED, OUTSIDE, OVERREACH, RARE, UNAPPROVED, WEAK
from ultravires.simulator.moments import HOUR
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation
from ultravires.simulator.worker_runs import run_web_identity

_WORKER = "access-sync"


def standing_grant_all_day(stage: Stage, at: int) -> Situation:
    worker = stage.worker(_WORKER)
    grant = stage.standing[worker.subject]
    nodes = [node for n in range(6) for node in run_web_identity(stage, worker, grant, at + n * HOUR)]
    return Situation(
        "standing_grant_all_day",
        (),
        worker.subject,
        tuple(nodes),
        "A service changes a role's policy all day, as one approval of its subject and role says for months.",
        is_benign=True,
    )


def standing_role_taken_by_another(stage: Stage, at: int) -> Situation:
    worker, other = stage.worker(_WORKER), stage.worker("webhooks")
    taking = replace(other, roles=worker.roles, calls=worker.calls)
    return Situation(
        "standing_role_taken_by_another",
        (),
        other.subject,
        tuple(run_web_identity(stage, taking, None, at)),
        "Another workload of the cluster takes the role, for which only the first one has an approval.",
        (RARE, OVERREACH, OUTSIDE),
        one_of=(UNAPPROVED, WEAK, BORROWED),
    )


def standing_grant_beyond_its_list(stage: Stage, at: int) -> Situation:
    worker = stage.worker(_WORKER)
    more = replace(worker, calls=(*worker.calls, Call("secretsmanager:GetSecretValue", "prod/orders-db-Kx71fQ")))
    return Situation(
        "standing_grant_beyond_its_list",
        (OUTSIDE,),
        worker.subject,
        tuple(run_web_identity(stage, more, stage.standing[worker.subject], at)),
        "The service reads a secret in its role, which its standing approval does not list.",
        (OVERREACH, RARE, WEAK),
    )
