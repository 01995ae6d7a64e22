"""What an event of Okta's System Log changes of who may do what, as `detail["grants"]`.

Event types: https://developer.okta.com/docs/reference/api/event-types/. Targets are known by their type, in whatever
spelling. Users are named as `subject_of` names them, groups by their id; an application is `okta_app/<id>` as what
somebody has, and its id alone as who holds scopes, so that nobody inherits what the application itself may do.
Administrators' roles are `okta_role/<name>`: built-in ones are told by name alone.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import msgspec

from ultravires.reading.grants import Json, given, gone, made, taken, whole
from ultravires.reading.values import label, mapping, text

_MOST = 2_000
_BETWEEN_NAMES = re.compile(r"\s*,\s*(?![^()]*\))")
"""Not the commas inside of parentheses, which say for what a role was given."""


class Told(msgspec.Struct, frozen=True, gc=False):
    """Who and what an event names: each by the kind of its target, in the order of the log; `privileges` all that an
    administrator has now, None where it does not say.
    """

    actor: str | None
    client: str | None
    users: list[str]
    groups: list[str]
    apps: list[str]
    roles: list[str]
    sets: list[str]
    scopes: list[str]
    privileges: list[str] | None

    @property
    def members(self) -> list[str]:
        return [*self.users, *self.groups]


def grants_of(
    event_type: str,
    record: Json,
    actor: str | None,
    targets: list[Json],
    subject_of: Callable[[Json], str | None],
) -> list[Json] | None:
    """What this event, which tells of a success, changed; None where that is nothing that is known."""
    change = _CHANGES.get(event_type)
    return (list(change(_what_record_tells(record, actor, targets[:_MOST], subject_of))) or None) if change else None


def _what_record_tells(
    record: Json, actor: str | None, targets: list[Json], subject_of: Callable[[Json], str | None]
) -> Told:
    found: dict[str, list[str]] = {}
    for target in targets:
        kind = _kind_of(text(target.get("type")) or "")
        name = subject_of(target) if kind in ("user", "app_user") else _name_of(target, kind)
        if kind and name:
            found.setdefault(kind, []).append(name)
    said = text(mapping(mapping(record.get("debugContext")).get("debugData")).get("privilegeGranted"))
    return Told(
        actor=actor,
        client=label(mapping(record.get("client")).get("id")),
        # the name of an account in an application may be another
        users=found.get("user") or found.get("app_user") or [],
        groups=found.get("group", []),
        apps=found.get("app", []),
        roles=found.get("role", []),
        sets=found.get("set", []),
        scopes=found.get("scope", []),
        privileges=[name for name in _BETWEEN_NAMES.split(said)[:_MOST] if name] if said else None,
    )


def _name_of(target: Json, kind: str | None) -> str | None:
    uid, name = label(target.get("id")), text(target.get("displayName"))
    return (name or uid) if kind in ("role", "scope") else (uid or name)


@lru_cache(maxsize=1024)
def _kind_of(target_type: str) -> str | None:
    """Okta's word for a target to ours; None for those of which nothing depends."""
    name = "".join(char for char in target_type.lower() if char.isalnum())
    exact = {"user": "user", "appuser": "app_user", "usergroup": "group", "group": "group"}
    if name in exact:
        return exact[name]
    if "scope" in name:
        return "scope"
    if name.endswith("resourceset"):
        return "set"
    if name.endswith("role"):
        return "role"
    return "app" if name.endswith(("app", "appinstance", "client")) else None


def _group_joined(told: Told) -> Iterator[Json]:
    for user in told.users:
        for group in told.groups:
            yield given("member", user, group)


def _group_left(told: Told) -> Iterator[Json]:
    for user in told.users:
        for group in told.groups:
            yield taken("member", user, group)


def _app_given(told: Told) -> Iterator[Json]:
    for holder in told.members:
        for app in told.apps:
            yield given("attached", holder, f"okta_app/{app}")


def _app_taken(told: Told) -> Iterator[Json]:
    for holder in told.members:
        for app in told.apps:
            yield taken("attached", holder, f"okta_app/{app}")


def _privileged(told: Told) -> Iterator[Json]:
    """The event names the role that was given, or all that are held now, or both."""
    for holder in told.members:
        binding = f"administrator/{holder}"
        if told.privileges is not None:
            yield whole("attached", binding=binding)
        for role in dict.fromkeys([*(told.privileges or []), *told.roles]):
            yield given("attached", holder, f"okta_role/{role}", binding=binding)


def _unprivileged(told: Told) -> Iterator[Json]:
    """Where it names no role, no privilege is left."""
    for holder in told.members:
        binding = f"administrator/{holder}"
        for role in told.roles:
            yield taken("attached", holder, f"okta_role/{role}", binding=binding)
        if not told.roles:
            yield taken("attached", binding=binding)


def _bound(told: Told) -> Iterator[Json]:
    for holder in (*told.members, *told.apps):
        for role in told.roles:
            for of_set in told.sets:
                yield given("attached", holder, f"okta_role/{role}", scope=f"okta_resource_set/{of_set}")


def _unbound(told: Told) -> Iterator[Json]:
    for holder in (*told.members, *told.apps):
        for role in told.roles:
            for of_set in told.sets:
                yield taken("attached", holder, f"okta_role/{role}", scope=f"okta_resource_set/{of_set}")


def _clients(told: Told) -> list[str]:
    return told.apps or ([told.client] if told.client else [])


def _consented(told: Told) -> Iterator[Json]:
    """A user lets a client act within scopes, for that user alone."""
    for client in _clients(told) if told.actor else ():
        for scope in told.scopes:
            yield given("attached", client, f"okta_scope/{scope}", scope=told.actor)


def _consent_taken(told: Told) -> Iterator[Json]:
    for client in _clients(told) if told.actor else ():
        for scope in told.scopes:
            yield taken("attached", client, f"okta_scope/{scope}", scope=told.actor)


def _app_allowed(told: Told) -> Iterator[Json]:
    """An administrator lets an application use scopes of Okta's own API."""
    for app in told.apps:
        for scope in told.scopes:
            yield given("attached", app, f"okta_scope/{scope}")


def _app_disallowed(told: Told) -> Iterator[Json]:
    for app in told.apps:
        for scope in told.scopes:
            yield taken("attached", app, f"okta_scope/{scope}")


def _made(told: Told) -> Iterator[Json]:
    for uid in (*told.members, *(f"okta_role/{role}" for role in told.roles)):
        yield made(uid)


def _gone(told: Told) -> Iterator[Json]:
    for uid in (*told.members, *(f"okta_role/{role}" for role in told.roles)):
        yield gone(uid)


def _app_gone(told: Told) -> Iterator[Json]:
    for app in told.apps:
        yield gone(app)
        yield gone(f"okta_app/{app}")


_CHANGES: dict[str, Callable[[Told], Iterator[Json]]] = {
    "group.user_membership.add": _group_joined,
    "group.user_membership.remove": _group_left,
    "application.user_membership.add": _app_given,
    "application.user_membership.remove": _app_taken,
    "group.application_assignment.add": _app_given,
    "group.application_assignment.remove": _app_taken,
    "user.account.privilege.grant": _privileged,
    "user.account.privilege.revoke": _unprivileged,
    "group.privilege.grant": _privileged,
    "group.privilege.revoke": _unprivileged,
    "iam.resourceset.bindings.add": _bound,
    "iam.resourceset.bindings.delete": _unbound,
    "iam.role.create": _made,
    "iam.role.delete": _gone,
    "app.oauth2.as.consent.grant": _consented,
    "app.oauth2.as.consent.revoke": _consent_taken,
    "app.oauth2.consent.grant": _consented,
    "app.oauth2.consent.revoke": _consent_taken,
    "app.oauth2.admin.consent.grant": _app_allowed,
    "app.oauth2.admin.consent.revoke": _app_disallowed,
    "user.lifecycle.create": _made,
    "user.lifecycle.delete.initiated": _gone,
    "user.lifecycle.delete.completed": _gone,
    "group.lifecycle.create": _made,
    "group.lifecycle.delete": _gone,
    "application.lifecycle.delete": _app_gone,
}
