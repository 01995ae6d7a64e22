"""Roles of machines where the company keeps its code: GitHub."""

from ultravires.simulator import github
from ultravires.simulator.cast import Worker
from ultravires.simulator.changed_plans import OVER_GRANT
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import DAY, HOUR
from ultravires.simulator.names_elsewhere import github_login
from ultravires.simulator.rights_elsewhere import Told, approve
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

_MEMBER = "github_role/member"


def _tell(stage: Stage, at: int, user: str, entry: Json) -> Told:
    stage.scribe.tell(github.LOG, [entry], at, stage.rng)
    return Told(github.node_of(entry), at, github_login(user))


def _joins(stage: Stage, at: int, worker: Worker) -> tuple[str, str]:
    """A machine's account becomes a member, as was approved on the day before; the nodes of both."""
    login, human = github_login(worker.name), stage.human("priya.nair")
    grant = approve(stage, login, at - DAY, f"Release {worker.name}", roles=(_MEMBER,))
    return grant.node, _tell(stage, at, human.user, github.member_added(stage.rng, at, human, login=login)).node


def machine_becomes_organization_owner(stage: Stage, at: int) -> Situation:
    worker = stage.worker("web-shop")
    joined = _joins(stage, at - 20 * HOUR, worker)
    login, human = github_login(worker.name), stage.human("ines.falk")
    entry = github.made_owner(stage.rng, at, human, login=login)
    owner = _tell(stage, at, human.user, entry)
    return Situation(
        "machine_becomes_organization_owner",
        (OVER_GRANT,),
        worker.roles[0].arn,
        (*joined, owner.node),
        "An account of a machine in GitHub, which was approved as a member, becomes an owner of the organization.",
        drift=(owner.drift("over_grant", login),),
    )


# What looks like it and is right.


def machine_joins_organization_as_approved(stage: Stage, at: int) -> Situation:
    worker = stage.worker("checkout")
    return Situation(
        "machine_joins_organization_as_approved",
        (),
        worker.roles[0].arn,
        _joins(stage, at, worker),
        "An account of a machine in GitHub becomes a member of the organization, as its approval says.",
        is_benign=True,
    )
