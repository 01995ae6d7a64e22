"""What an entry of OpenAI's audit log does that its type alone does not say, as `detail["effects"]`.

Types and their details: https://platform.openai.com/docs/api-reference/audit-logs/object. Owners of an organization may
do everything there, owners of a project manage that: https://platform.openai.com/docs/guides/rbac
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ultravires.reading.addresses import is_for_everybody
from ultravires.reading.effects import Effect, Power, TargetKind, effect, no_effect
from ultravires.reading.values import mapping, sequence, text, texts

Json = dict[str, Any]
_MOST = 1_000
_MANAGED = ("admin", "management", "organization", "org")
_CHANGES = ("write", "manage", "all", "admin", "*")
_WHOLE = frozenset({"admin", "api.all", "*"})


def effects_of(record: Json, member: Json, kind: str) -> list[Json] | None:
    """The effects that this entry shows or excludes; `member` has its details. None where its type says all."""
    says = _SAYS.get(kind)
    return (list(says(record, member)) or None) if says else None


def _asked(member: Json) -> Json:
    """What was asked for: `data` of what is new, `changes_requested` of what is another."""
    return {**mapping(member.get("data")), **mapping(member.get("changes_requested"))}


def _power_of_scopes(scopes: list[str]) -> Power:
    """Scopes with which keys, members or the organization itself are changed manage; all others use."""
    return "admin" if any(_manages(scope.lower()) for scope in scopes[:_MOST]) else "data"


def _manages(scope: str) -> bool:
    parts = scope.replace(":", ".").split(".")
    return scope in _WHOLE or (parts[-1] in _CHANGES and any(part in _MANAGED for part in parts[:-1]))


def _key_made(record: Json, member: Json) -> Iterator[Json]:
    scopes = texts(_asked(member).get("scopes"))
    if scopes:
        yield effect("issues_credential", target="self", power=_power_of_scopes(scopes))


def _key_changed(record: Json, member: Json) -> Iterator[Json]:
    """A key that has no scopes in the change was only named otherwise."""
    asked = _asked(member)
    scopes = texts(asked.get("scopes"))
    if scopes:
        yield effect("grants_power", target="identity", uids=_uids(member), power=_power_of_scopes(scopes))
    elif asked:
        yield no_effect("grants_power")


def _role(record: Json, member: Json, is_offer: bool = False) -> Iterator[Json]:
    """An owner of the organization, or of the project in which it happened."""
    asked = _asked(member)
    if (text(asked.get("role")) or "").lower() == "owner":
        power: Power = "permissions" if text(mapping(record.get("project")).get("id")) else "admin"
        yield _to("grants_power", record, text(asked.get("email")) or text(member.get("id")), power, is_offer)


def _assigned(record: Json, member: Json) -> Iterator[Json]:
    """The roles of the vendor have their name in their id."""
    words = (text(member.get("id")) or text(member.get("role_id")) or "").lower().replace("_", "-").split("-")
    power: Power | None = None
    if "owner" in words or "admin" in words:
        power = "permissions" if text(member.get("resource_type")) == "project" else "admin"
    yield _to("grants_power", record, text(member.get("principal_id")), power)


def _to(what: Effect, record: Json, uid: str | None, power: Power | None, is_offer: bool = False) -> Json:
    target: TargetKind = "self" if uid is not None and uid in _own_ids(record) else "identity"
    return effect(what, target=target, uids=[uid] if uid else (), power=power, is_offer=is_offer)


def _own_ids(record: Json) -> set[str]:
    actor = mapping(record.get("actor"))
    key = mapping(actor.get("api_key_used")) or mapping(actor.get("api_key"))
    places = (mapping(actor.get("session")).get("user"), key.get("user"), key.get("service_account"))
    return {uid for place in places for name in ("id", "email") if (uid := text(mapping(place).get(name)))}


def _uids(member: Json) -> list[str]:
    uid = text(member.get("id"))
    return [uid] if uid else []


def _addresses(record: Json, member: Json) -> Iterator[Json]:
    """A list that lets everybody in guards nothing, whether it is new or changed."""
    wide = [address for address in texts(member.get("allowed_ips"))[:_MOST] if is_for_everybody(address)]
    if wide:
        yield effect("weakens_guard", target="public", uids=wide)


def _organization(record: Json, member: Json) -> Iterator[Json]:
    asked = _asked(member)
    logging = (text(asked.get("api_call_logging")) or "").lower()
    if logging == "disabled":
        yield effect("weakens_evidence")
    if (text(asked.get("threads_ui_visibility")) or "").upper() == "ANY_ROLE":
        yield effect("weakens_guard")


def _role_written(record: Json, member: Json) -> Iterator[Json]:
    """A role from which permissions were only taken gives less."""
    asked = _asked(member)
    added = sequence(asked.get("permissions_added")) or sequence(asked.get("permissions"))
    if sequence(asked.get("permissions_removed")) and not added:
        yield no_effect("grants_power")
        yield effect("takes_power", target="identity", uids=_uids(member))
    elif added:
        power = _power_of_scopes(texts(added))
        yield effect("grants_power", target="identity", uids=_uids(member), power=power)


_SAYS: dict[str, Callable[[Json, Json], Iterator[Json]]] = {
    "api_key.created": _key_made,
    "api_key.updated": _key_changed,
    **dict.fromkeys(("user.added", "user.updated", "service_account.created"), _role),
    "invite.sent": partial(_role, is_offer=True),
    "service_account.updated": _role,
    "role.assignment.created": _assigned,
    "role.created": _role_written,
    "role.updated": _role_written,
    **dict.fromkeys(("ip_allowlist.created", "ip_allowlist.updated"), _addresses),
    "organization.updated": _organization,
}
