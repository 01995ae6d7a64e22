"""What an operation of Azure changes of who may do what: role assignments and definitions, deny assignments, and where
management groups and subscriptions lie.

Assignments: https://learn.microsoft.com/en-us/rest/api/authorization/role-assignments/create
Definitions: https://learn.microsoft.com/en-us/azure/role-based-access-control/role-definitions
Deny assignments: https://learn.microsoft.com/en-us/azure/role-based-access-control/deny-assignments
Hierarchy: https://learn.microsoft.com/en-us/rest/api/managementgroups/management-groups/create-or-update

The record of the stage that succeeded holds what was asked for (`requestbody`) or what is now (`responseBody`), as JSON
in a text, whose members are written in any case. A holder is the object id of a user, a group, a service principal or a
managed identity: the actor of the activity log. A role is `/providers/microsoft.authorization/roledefinitions/<GUID>`,
which built-in roles have in every tenant, without the subscription before it; a scope is a resource id in lower case,
for case means nothing there, and `/` all of Azure.
"""

from collections.abc import Callable
from typing import Any

from ultravires.reading.events import present
from ultravires.reading.grants import Effect, Json, given, gone, statement, taken, whole, written
from ultravires.reading.values import mapping, text
from ultravires.sources.azure.bodies import body_now, members_of
from ultravires.sources.azure.exports import filled, last_part

EVERYWHERE = "/"
_EVERYBODY = "00000000-0000-0000-0000-000000000000"
"""How a deny assignment names all principals."""
_MOST = 5_000
_ASSIGNMENTS = "/providers/microsoft.authorization/roleassignments/"
_DEFINITIONS = "/providers/microsoft.authorization/roledefinitions/"
USER_ACCESS_ADMINISTRATOR = _DEFINITIONS + "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
"""The role that an administrator of the directory takes at `/` by elevating access."""
_DENIALS = "/providers/microsoft.authorization/denyassignments/"
_GROUPS = "/providers/microsoft.management/managementgroups/"
_SUBSCRIPTIONS = "/subscriptions/"
_PLANES = (("actions", "notactions", "actions"), ("dataactions", "notdataactions", "dataActions"))
"""What is allowed, what of it is not, and the name of such statements: `*` of the one gives nothing of the other."""


def grants_of(operation: str, properties: Json, resource: str | None, caller: str | None) -> list[Json]:
    """The changes that an operation made which succeeded; `operation` in lower case. None of most operations."""
    if operation == "microsoft.authorization/elevateaccess/action":
        return elevated(caller) if caller else []
    change = _CHANGES.get(operation)
    if change is None:
        return []
    known = members_of(properties)
    body = body_now(known)
    ids = (body.get("id"), known.get("entity"), resource)
    target = next((found for each in ids if (found := filled(each)) and "/" in found), None)
    return change(members_of(mapping(body.get("properties"))), target.lower().rstrip("/")) if target else []


def stated_by(resource: Json) -> tuple[str, list[Json]] | None:
    """The id of a role assignment, role definition or deny assignment as an export holds it, flat as the command line
    prints it or with `properties`, and what it states; None of other resources.
    """
    known = members_of(resource)
    target = (text(known.get("id")) or "").lower().rstrip("/")
    said = {**known, **members_of(mapping(known.get("properties")))}
    for kind, change in ((_ASSIGNMENTS, _assigned), (_DEFINITIONS, _defined), (_DENIALS, _denied)):
        if _place(target, kind) is not None:
            found = change(said, target)
            is_edge = kind == _ASSIGNMENTS and found
            return target, [whole("attached", binding=target), *found] if is_edge else found
    return None


def elevated(caller: str) -> list[Json]:
    """Somebody took the power to give roles in all subscriptions and management groups."""
    return [given("attached", caller, USER_ACCESS_ADMINISTRATOR, scope=EVERYWHERE)]


def _place(target: str, kind: str) -> str | None:
    """The scope before `kind` in a resource id; None of other ids."""
    place, found, name = target.partition(kind)
    return (place or EVERYWHERE) if found and name else None


def _guid(value: Any) -> str | None:
    named = text(value)
    return last_part(named) if named and filled(named) else None


def _role(named: str) -> str:
    return _DEFINITIONS + last_part(named)


def _assigned(said: Json, target: str) -> list[Json]:
    principal, role, scope = _assignment(said, target)
    if principal is None or role is None or scope is None:
        return []
    condition = filled(said.get("condition"))
    kept = present(expression=condition, version=filled(said.get("conditionversion"))) if condition else None
    return [given("attached", principal, role, scope=scope, binding=target, condition=kept)]


def _unassigned(said: Json, target: str) -> list[Json]:
    """By its id, and where the answer tells what it was, by that: a principal has a role at a scope once."""
    principal, role, scope = _assignment(said, target)
    if scope is None:
        return []
    by_id = taken("attached", binding=target)
    return [by_id, taken("attached", principal, role, scope=scope)] if principal and role else [by_id]


def _assignment(said: Json, target: str) -> tuple[str | None, str | None, str | None]:
    """(principal, role, scope); no scope where it is no assignment."""
    place = _place(target, _ASSIGNMENTS)
    scope = _scope(said.get("scope")) or place if place else None
    role = _guid(said.get("roledefinitionid"))
    return _guid(said.get("principalid")), _role(role) if role else None, scope


def _scope(value: Any) -> str | None:
    scope = filled(value)
    return scope.lower().rstrip("/") or EVERYWHERE if scope and scope.startswith("/") else None


def _defined(said: Json, target: str) -> list[Json]:
    if _place(target, _DEFINITIONS) is None:
        return []
    return [written(_role(target), _statements(said.get("permissions"), "allow"))]


def _undefined(said: Json, target: str) -> list[Json]:
    return [gone(_role(target))] if _place(target, _DEFINITIONS) else []


def _statements(permissions: Any, effect: Effect, principals: Json | None = None) -> list[Json] | None:
    """A role's permissions: what a block allows less what it leaves out, of management and of data each for itself."""
    if type(permissions) is not list or len(permissions) > _MOST:
        return None
    found: list[Json] = []
    for block in permissions:
        named = members_of(mapping(block))
        for plane, left_out, sid in _PLANES:
            actions, not_actions = _actions(named.get(plane)), _actions(named.get(left_out))
            if actions is None or not_actions is None or not named:
                return None
            if actions:
                found.append(statement(effect, actions, ["*"], not_actions=not_actions, sid=sid, **(principals or {})))
    return found


def _actions(value: Any) -> list[str] | None:
    """Actions as the activity log names operations."""
    listed = [] if value is None else value
    if type(listed) is not list or len(listed) > _MOST or not all(map(text, listed)):
        return None
    return [f"azure:{action.lower()}" for action in listed]


def _denied(said: Json, target: str) -> list[Json]:
    """What a deny assignment denies in its scope. What it does not deny it leaves to others, which it says itself."""
    place = _place(target, _DENIALS)
    if place is None:
        return []
    names = {"principals": _principals(said.get("principals")), "not_principals": _excluded(said)}
    denials = None
    if names["principals"] and names["not_principals"] is not None:
        denials = _statements(said.get("permissions"), "deny", names)
    document = None if denials is None else [statement("allow", ["*"], ["*"]), *denials]
    return [given("guardrail", _scope(said.get("scope")) or place, target), written(target, document)]


def _principals(value: Any) -> list[str] | None:
    listed = [] if value is None else value
    if type(listed) is not list or len(listed) > _MOST:
        return None
    ids = [text(members_of(mapping(each)).get("id")) for each in listed]
    return ["*" if uid == _EVERYBODY else last_part(uid) for uid in ids if uid] if all(ids) else None


def _excluded(said: Json) -> list[str] | None:
    return _principals(said.get("excludeprincipals"))


def _denial_ended(said: Json, target: str) -> list[Json]:
    return [gone(target)] if _place(target, _DENIALS) else []


def _group_placed(said: Json, target: str) -> list[Json]:
    """A management group is made, or has a new parent."""
    parent = _scope(mapping(members_of(mapping(said.get("details"))).get("parent")).get("id"))
    if _place(target, _GROUPS) != EVERYWHERE or parent is None or _place(parent, _GROUPS) != EVERYWHERE:
        return []
    return [] if parent == target else [whole("within", holder=target), given("within", target, parent)]


def _group_deleted(said: Json, target: str) -> list[Json]:
    return [gone(target)] if _place(target, _GROUPS) == EVERYWHERE else []


def _in_group(target: str) -> tuple[str, str] | None:
    """(subscription, management group) of `.../managementGroups/<group>/subscriptions/<subscription>`."""
    group, found, subscription = target.partition(_SUBSCRIPTIONS)
    is_named = found and subscription and "/" not in subscription and _place(group, _GROUPS) == EVERYWHERE
    return (_SUBSCRIPTIONS + subscription, group) if is_named else None


def _subscription_placed(said: Json, target: str) -> list[Json]:
    placed = _in_group(target)
    return [whole("within", holder=placed[0]), given("within", *placed)] if placed else []


def _subscription_taken_out(said: Json, target: str) -> list[Json]:
    placed = _in_group(target)
    return [taken("within", *placed)] if placed else []


_CHANGES: dict[str, Callable[[Json, str], list[Json]]] = {
    "microsoft.authorization/roleassignments/write": _assigned,
    "microsoft.authorization/roleassignments/delete": _unassigned,
    "microsoft.authorization/roledefinitions/write": _defined,
    "microsoft.authorization/roledefinitions/delete": _undefined,
    "microsoft.authorization/denyassignments/write": _denied,
    "microsoft.authorization/denyassignments/delete": _denial_ended,
    "microsoft.management/managementgroups/write": _group_placed,
    "microsoft.management/managementgroups/delete": _group_deleted,
    "microsoft.management/managementgroups/subscriptions/write": _subscription_placed,
    "microsoft.management/managementgroups/subscriptions/delete": _subscription_taken_out,
}
