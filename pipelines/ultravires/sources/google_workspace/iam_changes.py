"""What an event of Google Workspace changes of who may do what: groups, roles of admins, and what OAuth clients may do.

Groups: https://developers.google.com/workspace/admin/reports/v1/appendix/activity/admin-group-settings
Roles: https://developers.google.com/workspace/admin/reports/v1/appendix/activity/admin-delegated-admin-settings
Clients: https://developers.google.com/workspace/admin/reports/v1/appendix/activity/admin-domain-settings

A group is `group:<address>`, as the policies of Google Cloud name it, which give roles to it. A group that is a member
of another one stands there by its address alone, as a person does: what its members hold, the address holds, and so
they hold what the outer group does. A role is held by the name that the log gives it, a scope of OAuth by its address.
"""

from collections.abc import Callable
from typing import Any

from ultravires.reading.grants import Json, given, gone, made, statement, taken, written
from ultravires.reading.values import label, text
from ultravires.sources.google_workspace.meanings import Happened, client_of, grant_uid

_DELEGATION = "domain-wide delegation"
_MOST_SCOPES = 500


def grants_of(event: Happened, user: str | None) -> list[Json]:
    """The changes that an event made; `user` is who did it. None of most events."""
    change = _CHANGES.get(event.name.lower())
    return change(event, user) if change else []


def _parameter(event: Happened, name: str) -> str | None:
    return label(event.parameters.get(name))


def _group(event: Happened) -> str | None:
    return _parameter(event, "GROUP_EMAIL")


def _member_added(event: Happened, user: str | None) -> list[Json]:
    group, member = _group(event), _parameter(event, "USER_EMAIL")
    if group is None or member is None:
        return []
    return [given("member", f"group:{group}", group), given("member", member, f"group:{group}")]


def _member_removed(event: Happened, user: str | None) -> list[Json]:
    group, member = _group(event), _parameter(event, "USER_EMAIL")
    return [taken("member", member, f"group:{group}")] if group and member else []


def _group_made(event: Happened, user: str | None) -> list[Json]:
    group = _group(event)
    return [made(f"group:{group}"), given("member", f"group:{group}", group)] if group else []


def _group_deleted(event: Happened, user: str | None) -> list[Json]:
    group = _group(event)
    return [gone(f"group:{group}"), gone(group)] if group else []


def _user_made(event: Happened, user: str | None) -> list[Json]:
    address = _parameter(event, "USER_EMAIL")
    return [made(address)] if address else []


def _user_deleted(event: Happened, user: str | None) -> list[Json]:
    address = _parameter(event, "USER_EMAIL")
    return [gone(address)] if address else []


def _role_holder(event: Happened) -> str | None:
    group = _group(event)
    return _parameter(event, "USER_EMAIL") or (f"group:{group}" if group else None)


def _role_given(event: Happened, user: str | None) -> list[Json]:
    holder, role = _role_holder(event), _parameter(event, "ROLE_NAME")
    if holder is None or role is None:
        return []
    return [given("attached", holder, role, scope=_parameter(event, "ORG_UNIT_NAME"))]


def _role_taken(event: Happened, user: str | None) -> list[Json]:
    holder, role = _role_holder(event), _parameter(event, "ROLE_NAME")
    if holder is None or role is None:
        return []
    return [taken("attached", holder, role, scope=_parameter(event, "ORG_UNIT_NAME"))]


def _scopes(value: Any) -> list[str]:
    """Scopes of OAuth, which the events of admins write into one text with commas."""
    listed = value if type(value) is list else (text(value) or "").replace(",", " ").split()
    return list(dict.fromkeys(scope for scope in listed[:_MOST_SCOPES] if type(scope) is str and scope))


def _allowed(client: str, scopes: list[str], *, scope: str | None, binding: str) -> list[Json]:
    found: list[Json] = []
    for each in scopes:
        found.append(written(each, [statement("allow", [each], ["*"])]))
        found.append(given("attached", client, each, scope=scope, binding=binding))
    return found


def _delegation_given(event: Happened, user: str | None) -> list[Json]:
    """A client may act as everybody of the domain."""
    client, scopes = _parameter(event, "API_CLIENT_NAME"), _scopes(event.parameters.get("API_SCOPES"))
    domain = _parameter(event, "DOMAIN_NAME")
    return _allowed(client, scopes, scope=domain, binding=_DELEGATION) if client else []


def _delegation_taken(event: Happened, user: str | None) -> list[Json]:
    client = _parameter(event, "API_CLIENT_NAME")
    return [taken("attached", client, binding=_DELEGATION)] if client else []


def _consent_given(event: Happened, user: str | None) -> list[Json]:
    """A person allows a client to act as that person."""
    client, binding = client_of(event), grant_uid(user, client_of(event))
    if client is None or binding is None:
        return []
    return _allowed(client, _scopes(event.parameters.get("scope")), scope=user, binding=binding)


def _consent_taken(event: Happened, user: str | None) -> list[Json]:
    client, binding = client_of(event), grant_uid(user, client_of(event))
    return [taken("attached", client, binding=binding)] if client and binding else []


_CHANGES: dict[str, Callable[[Happened, str | None], list[Json]]] = {
    "add_group_member": _member_added,
    "remove_group_member": _member_removed,
    "create_group": _group_made,
    "delete_group": _group_deleted,
    "create_user": _user_made,
    "delete_user": _user_deleted,
    "assign_role": _role_given,
    "unassign_role": _role_taken,
    "authorize_api_client_access": _delegation_given,
    "remove_api_client_access": _delegation_taken,
    "authorize": _consent_given,
    "revoke": _consent_taken,
}
