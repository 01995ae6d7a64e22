"""What an operation of Microsoft's directory changes of who may do what: roles, groups, app roles, consents, owners.

Operations: https://learn.microsoft.com/en-us/entra/identity/monitoring-health/reference-audit-activities
Roles: https://learn.microsoft.com/en-us/entra/identity/role-based-access-control/permissions-reference

Everybody and everything is named by object id, as the actors of these logs and of Azure are. A directory role is its
template's GUID, which every tenant has the same; its scope is `/` (the directory) or `/administrativeUnits/<id>`, as
Microsoft Graph writes it. Being eligible for a role, and owning a group or application, is something held, too: its
document says what it lets one do.

The unified audit log of Microsoft 365 has copies of these operations, with a full stop after the name.
"""

from collections.abc import Callable
from functools import lru_cache

from ultravires.reading.grants import Json, given, gone, made, statement, taken, written
from ultravires.reading.values import iso, micros
from ultravires.sources.azure.exports import last_part
from ultravires.sources.azure.iam_changes import elevated
from ultravires.sources.entra.api_permissions import consent, delegated, giving_app_role, taking_app_role
from ultravires.sources.entra.directory_change import HOLDERS, Change

_DIRECTORY = "/"
_OF_DIRECTORY_ROLES = frozenset({"User", "ServicePrincipal", "Role", "Request", "Directory", "Other"})
"""Types of targets that PIM's records of directory roles have; those of other roles have more."""
_PIM, _ROLES_OF_DIRECTORY = "PIM", "RoleManagement"
_ACTIVATE = "entra:Add member to role completed (PIM activation)"
_OWNED = {
    "Group": (
        "entra:Add member to group",
        "entra:Remove member from group",
        "entra:Add owner to group",
        "entra:Remove owner from group",
        "entra:Update group",
        "entra:Delete group",
    ),
    "Application": (
        "entra:Update application*",
        "entra:Add owner to application",
        "entra:Remove owner from application",
        "entra:Delete application",
    ),
    "ServicePrincipal": (
        "entra:Update service principal*",
        "entra:Add service principal credentials",
        "entra:Remove service principal credentials",
        "entra:Add owner to service principal",
        "entra:Remove owner from service principal",
        "entra:Remove service principal",
    ),
}
"""What owners may do to what they own: https://learn.microsoft.com/en-us/entra/fundamentals/users-default-permissions"""


def grants_of(name: str, change: Callable[[], Change]) -> list[Json]:
    """The changes that a successful operation made; `change` is asked for of those few that make any."""
    make = operation_in(name)
    return make(change()) if make else []


@lru_cache(maxsize=8192)
def operation_in(name: str) -> Callable[[Change], list[Json]] | None:
    """What the operation changes, by its name without what stands in brackets behind it."""
    return _CHANGES.get(name.lower().partition(" (")[0].strip(" ."))


def _role_change(change: Change) -> tuple[str, str, str] | None:
    """(principal, role, scope); None where one is not named, and of what PIM tells of roles elsewhere."""
    principal = next(iter(change.ids(*HOLDERS)), None)
    details = change.details
    role = change.said("Role.TemplateId") or details.get("RoleDefinitionOriginId") or details.get("TemplateId")
    role = role or change.said("TemplateId") or change.said("Role.ObjectID") or next(iter(change.ids("Role")), None)
    if principal is None or role is None or _is_of_elsewhere(change):
        return None
    units = change.ids("AdministrativeUnit") or list(filter(None, [change.said("AdministrativeUnit.ObjectID")]))
    return principal, last_part(role), f"/administrativeUnits/{units[0]}" if units else _DIRECTORY


def _is_of_elsewhere(change: Change) -> bool:
    """PIM manages roles of Azure and membership of groups too, in the same words; those systems log the change."""
    if change.service != _PIM:
        return False
    if change.category:
        return change.category != _ROLES_OF_DIRECTORY
    return not _OF_DIRECTORY_ROLES.issuperset(kind for kind, _ in change.targets)


def _expiry(change: Change) -> str | None:
    moment = micros(change.details.get("ExpirationTime"))
    return iso(moment) if moment is not None else None


def _role_given(change: Change) -> list[Json]:
    if (found := _role_change(change)) is None:
        return []
    principal, role, scope = found
    return [given("attached", principal, role, scope=scope, expires_at=_expiry(change))]


def _role_taken(change: Change) -> list[Json]:
    if (found := _role_change(change)) is None:
        return []
    principal, role, scope = found
    return [taken("attached", principal, role, scope=scope)]


def _scoped(make: Callable[[Change], list[Json]]) -> Callable[[Change], list[Json]]:
    """Of a role within an administrative unit: nothing where the record does not say which."""

    def scoped(change: Change) -> list[Json]:
        found = _role_change(change)
        return make(change) if found and found[2] != _DIRECTORY else []

    return scoped


def _eligible(change: Change) -> list[Json]:
    """Who is eligible may activate the role, and has none of its power before."""
    if (found := _role_change(change)) is None:
        return []
    principal, role, scope = found
    held = f"eligible for {role}"
    edge = given("attached", principal, held, scope=scope, expires_at=_expiry(change))
    return [written(held, [statement("allow", [_ACTIVATE], [role])]), edge]


def _not_eligible(change: Change) -> list[Json]:
    if (found := _role_change(change)) is None:
        return []
    principal, role, scope = found
    return [taken("attached", principal, f"eligible for {role}", scope=scope)]


def _pair(change: Change, kind: str, holders: tuple[str, ...] = HOLDERS) -> tuple[str, str] | None:
    """(holder, thing): the thing of this type is named by a property, or is the only target of its type."""
    things = change.ids(kind)
    thing = change.said(f"{kind}.ObjectID") or (things[0] if len(things) == 1 else None)
    holder = next((uid for uid in change.ids(*holders) if uid != thing), None)
    return (holder, thing) if holder and thing else None


def _member_added(change: Change) -> list[Json]:
    found = _pair(change, "Group")
    return [given("member", *found)] if found else []


def _member_removed(change: Change) -> list[Json]:
    found = _pair(change, "Group")
    return [taken("member", *found)] if found else []


def _owner_added(kind: str) -> Callable[[Change], list[Json]]:
    def owner_added(change: Change) -> list[Json]:
        found = _pair(change, kind, ("User", "ServicePrincipal"))
        if found is None:
            return []
        owner, thing = found
        held = f"owner of {thing}"
        return [written(held, [statement("allow", _OWNED[kind], [thing])]), given("attached", owner, held)]

    return owner_added


def _owner_removed(kind: str) -> Callable[[Change], list[Json]]:
    def owner_removed(change: Change) -> list[Json]:
        found = _pair(change, kind, ("User", "ServicePrincipal"))
        return [taken("attached", found[0], f"owner of {found[1]}")] if found else []

    return owner_removed


def _made(kind: str) -> Callable[[Change], list[Json]]:
    return lambda change: [made(uid) for uid in change.ids(kind)]


def _gone(kind: str) -> Callable[[Change], list[Json]]:
    return lambda change: [gone(uid) for uid in change.ids(kind)]


def _service_principal_made(change: Change) -> list[Json]:
    """Who appears by the application's id, as where it acts for a person, has what its service principal has."""
    found = [made(uid) for uid in change.ids("ServicePrincipal")]
    application = change.details.get("AppId")
    return [*found, given("member", application, found[0]["holder"])] if application and len(found) == 1 else found


def _elevated(change: Change) -> list[Json]:
    return elevated(change.initiator) if change.initiator else []


_CHANGES: dict[str, Callable[[Change], list[Json]]] = {
    "add member to role": _role_given,
    "add member to role completed": _role_given,
    "add member to role in pim completed": _role_given,
    "add member to role outside of pim": _role_given,
    "add scoped member to role": _scoped(_role_given),
    "add eligible member to role": _eligible,
    "add eligible member to role completed": _eligible,
    "add eligible member to role in pim completed": _eligible,
    "remove member from role": _role_taken,
    "remove member from role completed": _role_taken,
    "remove member from role in pim completed": _role_taken,
    "remove permanent direct role assignment": _role_taken,
    "remove scoped member from role": _scoped(_role_taken),
    "remove eligible member from role": _not_eligible,
    "remove eligible member from role completed": _not_eligible,
    "remove eligible member from role in pim completed": _not_eligible,
    "remove permanent eligible role assignment": _not_eligible,
    "add member to group": _member_added,
    "remove member from group": _member_removed,
    "add owner to group": _owner_added("Group"),
    "remove owner from group": _owner_removed("Group"),
    "add owner to application": _owner_added("Application"),
    "remove owner from application": _owner_removed("Application"),
    "add owner to service principal": _owner_added("ServicePrincipal"),
    "remove owner from service principal": _owner_removed("ServicePrincipal"),
    "add app role assignment to service principal": giving_app_role("ServicePrincipal"),
    "remove app role assignment from service principal": taking_app_role("ServicePrincipal"),
    "add app role assignment grant to user": giving_app_role("User"),
    "remove app role assignment from user": taking_app_role("User"),
    "add app role assignment to group": giving_app_role("Group"),
    "remove app role assignment from group": taking_app_role("Group"),
    "add delegated permission grant": delegated,
    "remove delegated permission grant": delegated,
    "add oauth2permissiongrant": delegated,
    "remove oauth2permissiongrant": delegated,
    "consent to application": consent,
    "add user": _made("User"),
    "delete user": _gone("User"),
    "hard delete user": _gone("User"),
    "add group": _made("Group"),
    "delete group": _gone("Group"),
    "hard delete group": _gone("Group"),
    "add application": _made("Application"),
    "delete application": _gone("Application"),
    "hard delete application": _gone("Application"),
    "add service principal": _service_principal_made,
    "remove service principal": _gone("ServicePrincipal"),
    "hard delete service principal": _gone("ServicePrincipal"),
    "user has elevated their access to user access administrator for their azure resources": _elevated,
}
