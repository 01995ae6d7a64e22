"""What an event of Okta's System Log does that its type alone does not say, as `detail["effects"]`.

Event types: https://developer.okta.com/docs/reference/api/event-types/. What an update left stands in `changeDetails`
of a target (`from` and `to`, in the words of the object's own API), what a policy asks for in `detailEntry`:
https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/. People are named as `subject_of`
names them, so that who acts on the own account is told from who acts on another's.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from ultravires.reading.effects import Effect, Power, effect, no_effect
from ultravires.reading.values import label, mapping, text
from ultravires.sources.okta.event_types import member

Json = dict[str, Any]
_MOST, _DEEPEST, _MOST_MEMBERS = 2_000, 8, 2_000
_SEPARATOR = re.compile(r"\s*,\s*(?![^()]*\))")
_ORDER: tuple[Power, ...] = ("admin", "permissions", "data")
_SUPER = "super administrator"
_LOOKING = ("read only administrator", "read-only administrator", "report administrator")
_CLIENTS = ("app", "appinstance", "client")
_ROUTING = frozenset({"idpdiscovery"})


class Happening(msgspec.Struct, frozen=True, gc=False):
    """One event: its record, its targets, the name of who acts and Okta's id of that, and the people among targets as
    (name, id).
    """

    record: Json
    targets: list[Json]
    actor: str | None
    actor_id: str | None
    people: list[tuple[str, str | None]]


def effects_of(
    event_type: str,
    record: Json,
    actor: str | None,
    targets: list[Json],
    subject_of: Callable[[Json], str | None],
) -> list[Json] | None:
    """The effects that this event shows or excludes, whatever its outcome; None where the type says all."""
    says = _SAYS.get(event_type)
    if says is None:
        return None
    few = targets[:_MOST]
    # the name of an account in an application may be another
    people = _people(few, "user", subject_of) or _people(few, "appuser", subject_of)
    happening = Happening(record, few, actor, label(mapping(record.get("actor")).get("id")), people)
    return list(says(happening)) or None


def _people(targets: list[Json], kind: str, subject_of: Callable[[Json], str | None]) -> list[tuple[str, str | None]]:
    found = (target for target in targets if _plain(target.get("type")) == kind)
    return [(name, label(target.get("id"))) for target in found if (name := subject_of(target))]


def _plain(value: Any) -> str:
    """A word without case, spaces and separators, as Okta writes the same one in several ways."""
    return "".join(char for char in value.lower() if char.isalnum()) if type(value) is str else ""


def _of_people(what: Effect, power: Power | None, happening: Happening) -> Iterator[Json]:
    """The same effect on the own account and on those of others."""
    own = [name for name, uid in happening.people if _is_own(happening, name, uid)]
    others = [name for name, uid in happening.people if not _is_own(happening, name, uid)]
    if own:
        yield effect(what, target="self", uids=own, power=power)
    if others:
        yield effect(what, target="identity", uids=others, power=power)


def _is_own(happening: Happening, name: str, uid: str | None) -> bool:
    return name == happening.actor or (uid is not None and uid == happening.actor_id)


def _administrators(happening: Happening) -> Iterator[Json]:
    """Roles by the names of Okta's own: https://help.okta.com/en-us/content/topics/security/administrators-admin-comparison.htm"""
    debug = mapping(mapping(member(happening.record, "debugContext")).get("debugData"))
    said = text(debug.get("privilegeGranted"))
    names = _SEPARATOR.split(said)[:_MOST] if said else []
    for target in happening.targets:
        names += _names(target) if _is_role(target) else []
    powers = {_power_of(name) for name in names}
    given: Power | None = next((one for one in _ORDER if one in powers), None)
    if given is None:
        return
    if happening.people:
        yield from _of_people("grants_power", given, happening)
    elif holders := _uids(happening):
        yield effect("grants_power", target="identity", uids=holders, power=given)


def _consented(happening: Happening) -> Iterator[Json]:
    """Scopes of Okta's own API: https://developer.okta.com/docs/api/oauth2/"""
    scopes = [name for target in happening.targets if "scope" in _plain(target.get("type")) for name in _names(target)]
    powers = {_power_of_scope(scope) for scope in scopes}
    given: Power | None = next((one for one in _ORDER if one in powers), None)
    apps = [target for target in happening.targets if _plain(target.get("type")).endswith(_CLIENTS)]
    if given:
        holders = [name for target in apps if (name := _named(target))]
        yield effect("grants_power", target="identity", uids=holders, power=given)


def _power_of_scope(scope: str) -> Power | None:
    if not scope.startswith("okta."):
        return None
    return "admin" if scope == "okta.roles.manage" else "permissions" if scope.endswith(".manage") else "data"


def _power_of(role: str) -> Power | None:
    """None of a role that somebody made: only its permissions say it."""
    name = " ".join(role.lower().replace("_", " ").split())
    if name.startswith((_SUPER, "super admin")):
        return "admin"
    if name.startswith(_LOOKING):
        return "data"
    return "permissions" if " admin" in name else None


def _names(target: Json) -> list[str]:
    return [name for each in ("displayName", "alternateId") if (name := text(target.get(each)))]


def _is_role(target: Json) -> bool:
    return _plain(target.get("type")).endswith("role")


def _named(target: Json) -> str | None:
    return label(target.get("id")) or text(target.get("displayName"))


def _policy(happening: Happening) -> Iterator[Json]:
    """A rule that routes sign-ins says whose word is believed. Of others, what they ask for now: who must show a second
    factor is guarded, and one factor, or a rule that is not active, is less.
    """
    if any(_plain(found) in _ROUTING for found in _members_of_targets(happening, "policyType")):
        yield no_effect("weakens_guard")
        yield effect("opens_trust", uids=_uids(happening))
        return
    modes = {_plain(found) for name in ("factorMode", "policyRuleFactorMode") for found in _after(happening, name)}
    required = {found for found in _after(happening, "requireFactor") if type(found) is bool}
    states = {_plain(found) for found in _after(happening, "status")}
    if "1fa" in modes or False in required or "inactive" in states:
        yield effect("weakens_guard", uids=_uids(happening))
    elif "2fa" in modes or True in required:
        yield no_effect("weakens_guard")


def _threat_insight(happening: Happening) -> Iterator[Json]:
    """ThreatInsight that blocks guards the most; without the new action, the change may have been any."""
    actions = {_plain(found) for found in _after(happening, "action")}
    if actions == {"block"} and not any(_after(happening, "excludeZones")):
        yield no_effect("weakens_guard")


def _application(happening: Happening) -> Iterator[Json]:
    """An application that joins two organisations of Okta, or one to which passwords are pushed."""
    apps = [target for target in happening.targets if "app" in _plain(target.get("type"))]
    joining = [target for target in apps if any("org2org" in _plain(name) for name in _names(target))]
    if joining:
        yield effect("opens_trust", uids=[name for target in joining if (name := _named(target))])
    reason = text(mapping(happening.record.get("outcome")).get("reason")) or ""
    if "pushing user passwords" in reason.lower():
        yield effect("exposes", target="outside", power="permissions", uids=_uids(happening))


def _uids(happening: Happening) -> list[str]:
    return [name for target in happening.targets if not _is_role(target) and (name := _named(target))]


def _members_of_targets(happening: Happening, name: str) -> Iterator[Any]:
    for target in happening.targets:
        yield from _values(target.get("detailEntry"), name)


def _after(happening: Happening, name: str) -> Iterator[Any]:
    """What this member is after the event."""
    for target in happening.targets:
        yield from _values(mapping(target.get("changeDetails")).get("to"), name)
        yield from _values(target.get("detailEntry"), name)


def _values(value: Any, name: str) -> Iterator[Any]:
    """The values of all members of this name, in objects within objects."""
    waiting, seen = [(value, 0)], 0
    while waiting and seen < _MOST_MEMBERS:
        inner, depth = waiting.pop()
        seen += 1
        if type(inner) is dict:
            if name in inner:
                yield inner[name]
            children = list(inner.values())
        else:
            children = inner if type(inner) is list else []
        if depth < _DEEPEST:
            waiting += [(child, depth + 1) for child in children[:_MOST_MEMBERS] if type(child) in (dict, list)]


_POLICIES = (
    *(f"policy.lifecycle.{verb}" for verb in ("add", "create", "update", "activate", "overwrite")),
    *(f"policy.rule.{verb}" for verb in ("add", "create", "update", "activate", "overwrite")),
    "application.policy.sign_on.update",
    "application.policy.sign_on.rule.create",
    "application.policy.sign_on.rule.update",
    "app.policy.sign_on.update",
)
_CREDENTIALS = (
    "user.account.reset_password",
    "user.account.update_password",
    "user.account.unlock_token",
    "user.mfa.factor.activate",
    "user.mfa.factor.update",
    "user.credential.enroll",
    "credential.register",
    "application.user_membership.change_password",
)
_FACTORS = ("user.mfa.factor.deactivate", "user.mfa.factor.reset_all", "user.mfa.factor.suspend")
_PRIVILEGES = ("user.account.privilege.grant", "group.privilege.grant", "app.oauth2.client.privilege.grant")
_SAYS: dict[str, Callable[[Happening], Iterator[Json]]] = {
    **dict.fromkeys(_POLICIES, _policy),
    **dict.fromkeys(_CREDENTIALS, partial(_of_people, "issues_credential", None)),
    **dict.fromkeys(_FACTORS, partial(_of_people, "weakens_guard", None)),
    **dict.fromkeys(_PRIVILEGES, _administrators),
    "app.oauth2.admin.consent.grant": _consented,
    "security.threat.configuration.update": _threat_insight,
    "application.lifecycle.create": _application,
    "application.lifecycle.update": _application,
    "application.lifecycle.activate": _application,
}
