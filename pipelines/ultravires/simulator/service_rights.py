"""Roles and policies of services that become more than what was approved: Okta and Vault."""

from collections.abc import Sequence

from ultravires.simulator import okta, vault
from ultravires.simulator.cast import Worker
from ultravires.simulator.changed_plans import OVER_GRANT, WIDENED
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import DAY, HOUR
from ultravires.simulator.names_elsewhere import okta_login, vault_entity
from ultravires.simulator.rights_elsewhere import Told, approve
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

_SMALL, _SUPER = "Read-only administrator", "Super administrator"


def _as_administrator(stage: Stage, at: int, user: str, worker: Worker, roles: Sequence[str]) -> Told:
    human = stage.human(user)
    event = okta.role_given(stage.rng, at, human, login=okta_login(worker), roles=roles)
    stage.scribe.tell(okta.LOG, [event], at, stage.rng)
    stage.scribe.link(okta.node_of(event), okta.session_of(event), "activity>credential")
    return Told(okta.node_of(event), at, human.email)


def machine_becomes_super_administrator(stage: Stage, at: int) -> Situation:
    worker = stage.worker("mail-functions")
    login = okta_login(worker)
    grant = approve(stage, login, at - DAY, "Read the directory of Okta", roles=(f"okta_role/{_SMALL}",))
    small = _as_administrator(stage, at - 20 * HOUR, "priya.nair", worker, (_SMALL,))
    every = _as_administrator(stage, at, "ines.falk", worker, (_SMALL, _SUPER))
    return Situation(
        "machine_becomes_super_administrator",
        (OVER_GRANT,),
        worker.roles[0].arn,
        (grant.node, small.node, every.node),
        "An account of a machine in Okta, which was approved to read, becomes a super administrator besides.",
        drift=(every.drift("over_grant", login),),
    )


def _policy_of(worker: Worker) -> str:
    return f"deploy-{worker.name}"


def _policy_says(stage: Stage, at: int, user: str, worker: Worker, paths: vault.Paths) -> Told:
    human = stage.human(user)
    entries = vault.policy_written(stage.rng, at, human, name=_policy_of(worker), paths=paths)
    return Told(_request(stage, at, entries), at + 4, vault_entity(human.user))


def _request(stage: Stage, at: int, entries: tuple[Json, Json]) -> str:
    """The node of what a person asked of Vault."""
    stage.scribe.tell(vault.LOG, entries, at, stage.rng)
    stage.scribe.link(vault.node_of(entries), vault.token_of(entries), "activity>credential")
    return vault.node_of(entries)


def _with_policy(stage: Stage, at: int, worker: Worker) -> tuple[str, ...]:
    """A policy that reads the worker's own secrets, its approval, and the worker's entity that has it; their nodes."""
    written = _policy_says(stage, at - HOUR, "priya.nair", worker, _own_secrets(worker))
    entity, policy = vault_entity(worker.name), _policy_of(worker)
    grant = approve(stage, entity, at, f"Read the secrets of {worker.name}", roles=(f"vault_policy/{policy}",))
    moment, human = at + 2 * HOUR, stage.human("priya.nair")
    entries = vault.policies_set(stage.rng, moment, human, entity=entity, policies=(policy,))
    return written.node, grant.node, _request(stage, moment, entries)


def _own_secrets(worker: Worker) -> dict[str, Sequence[str]]:
    return {f"secret/data/{worker.name}/*": ("read",)}


def _all_secrets(worker: Worker) -> dict[str, Sequence[str]]:
    return {**_own_secrets(worker), "secret/data/*": ("read", "update", "delete")}


def policy_widened_after_approval(stage: Stage, at: int) -> Situation:
    worker = stage.worker("pricing")
    entity = vault_entity(worker.name)
    before = _with_policy(stage, at - DAY, worker)
    wide = _policy_says(stage, at, "tomas.ruiz", worker, _all_secrets(worker))
    return Situation(
        "policy_widened_after_approval",
        (WIDENED,),
        worker.roles[0].arn,
        (*before, wide.node),
        "A person widens a policy of Vault from one path to all secrets after it was approved as it was.",
        drift=(wide.drift("widened_after_approval", entity),),
    )


# What looks like it and is right.


def machine_becomes_administrator_as_approved(stage: Stage, at: int) -> Situation:
    worker = stage.worker("image-functions")
    login = okta_login(worker)
    grant = approve(stage, login, at - DAY, "Read the directory of Okta", roles=(f"okta_role/{_SMALL}",))
    small = _as_administrator(stage, at, "ines.falk", worker, (_SMALL,))
    return Situation(
        "machine_becomes_administrator_as_approved",
        (),
        worker.roles[0].arn,
        (grant.node, small.node),
        "An account of a machine in Okta gets the administrator's role that its approval names.",
        is_benign=True,
    )


def policy_widened_as_approved(stage: Stage, at: int) -> Situation:
    worker = stage.worker("network-stacks")
    entity = vault_entity(worker.name)
    before = _with_policy(stage, at - DAY, worker)
    more = approve(stage, entity, at - 2 * HOUR, "Keep all secrets", actions=("vault:*",), resources=("secret/data/*",))
    wide = _policy_says(stage, at, "tomas.ruiz", worker, _all_secrets(worker))
    return Situation(
        "policy_widened_as_approved",
        (),
        worker.roles[0].arn,
        (*before, more.node, wide.node),
        "A person widens a policy of Vault to all secrets, which a second approval of its holder lists.",
        is_benign=True,
    )
