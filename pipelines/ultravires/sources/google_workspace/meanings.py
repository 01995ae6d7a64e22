"""What an event of Google Workspace means: its OCSF class, what it acts on, which grant it makes or ends.

The Reports API and Cloud Logging tell of the same events by the same names and parameters.
Admin events: https://developers.google.com/workspace/admin/reports/v1/appendix/activity/admin-event-names
Token events: https://developers.google.com/workspace/admin/reports/v1/appendix/activity/token
"""

from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.lifecycle import Json, account_gone, account_there
from ultravires.reading.values import label, mapping, sequence, text, texts, truth
from ultravires.sources.ocsf.classes import (
    ACCOUNT_CHANGE,
    API_ACTIVITY,
    AUTHENTICATION,
    GROUP_MANAGEMENT,
    USER_ACCESS,
)

_ASSIGN, _REVOKE, _OTHER = 1, 2, 99
_EXACT = {
    "create_user": (ACCOUNT_CHANGE, 1),
    "undelete_user": (ACCOUNT_CHANGE, 2),
    "unsuspend_user": (ACCOUNT_CHANGE, 2),
    "change_password": (ACCOUNT_CHANGE, 4),
    "suspend_user": (ACCOUNT_CHANGE, 5),
    "delete_user": (ACCOUNT_CHANGE, 6),
    "create_group": (GROUP_MANAGEMENT, 6),
    "delete_group": (GROUP_MANAGEMENT, 5),
    "add_group_member": (GROUP_MANAGEMENT, 3),
    "remove_group_member": (GROUP_MANAGEMENT, 4),
    "assign_role": (USER_ACCESS, _ASSIGN),
    "unassign_role": (USER_ACCESS, _REVOKE),
    "grant_admin_privilege": (USER_ACCESS, _ASSIGN),
    "revoke_admin_privilege": (USER_ACCESS, _REVOKE),
    "grant_delegated_admin_privileges": (USER_ACCESS, _ASSIGN),
    "revoke_delegated_admin_privileges": (USER_ACCESS, _REVOKE),
    "add_privilege": (USER_ACCESS, _ASSIGN),
    "remove_privilege": (USER_ACCESS, _REVOKE),
    "authorize_api_client_access": (USER_ACCESS, _ASSIGN),
    "remove_api_client_access": (USER_ACCESS, _REVOKE),
    "add_to_trusted_oauth2_apps": (USER_ACCESS, _ASSIGN),
    "remove_from_trusted_oauth2_apps": (USER_ACCESS, _REVOKE),
    "authorize": (USER_ACCESS, _ASSIGN),
    "revoke": (USER_ACCESS, _REVOKE),
    "request": (USER_ACCESS, _OTHER),
    "login_success": (AUTHENTICATION, 1),
    "login_failure": (AUTHENTICATION, 1),
    "logout": (AUTHENTICATION, 2),
}
_GONE = frozenset({"DELETE_USER", "SUSPEND_USER", "ARCHIVE_USER"})
_THERE = frozenset({"CREATE_USER", "UNDELETE_USER", "UNSUSPEND_USER", "UNARCHIVE_USER"})
_VERBS = {
    1: ("create", "add", "upload", "insert", "enroll"),
    2: ("view", "download", "list", "get", "search", "read", "preview", "print"),
    3: ("change", "update", "edit", "rename", "move", "toggle", "assign", "enable", "disable"),
    4: ("delete", "remove", "trash", "purge", "wipe"),
}
_TARGETS = (
    "USER_EMAIL",
    "GROUP_EMAIL",
    "ROLE_NAME",
    "API_CLIENT_NAME",
    "OAUTH2_APP_ID",
    "client_id",
    "doc_id",
    "affected_email_address",
    "calendar_id",
    "DEVICE_ID",
    "MOBILE_APP_PACKAGE_ID",
    "APPLICATION_NAME",
    "application_name",
    "SETTING_NAME",
    "doc_title",
    "DOMAIN_NAME",
)
"""Parameters that name what is acted on, in the order in which they count."""
_ELSE = frozenset({"APPLICATION_NAME", "application_name", "SETTING_NAME", "doc_title", "DOMAIN_NAME"})
"""Of them those that only say where or are chosen freely, and count where nothing else is named."""
_FAILED = frozenset({"login_failure", "request_denied", "access_denied"})


class Happened(msgspec.Struct, frozen=True, gc=False):
    """One event of an activity: its name, its type, and its parameters by their names."""

    name: str
    type: str | None
    parameters: dict[str, Any]


def happened(event: dict[str, Any]) -> Happened | None:
    """An event as the Reports API writes it (`name`, `parameters`), as Cloud Logging does (`eventName`, `parameter`) or
    flattened, with `parameters` an object; None without a name.
    """
    name = text(event.get("name")) or text(event.get("eventName"))
    if name is None:
        return None
    kind = text(event.get("type")) or text(event.get("eventType"))
    given = event.get("parameters") or event.get("parameter")
    if type(given) is dict:
        return Happened(name, kind, given)
    named = (item for item in map(mapping, sequence(given)) if text(item.get("name")))
    return Happened(name, kind, {item["name"]: _value(item) for item in named})


def _value(parameter: dict[str, Any]) -> Any:
    """The value of a parameter, whose type is told by the member that holds it."""
    held = (parameter.get(name) for name in ("value", "multiValue", "multiStrValue", "intValue", "boolValue"))
    return next((value for value in held if value is not None), None)


@lru_cache(maxsize=4096)
def ocsf_class(name: str) -> tuple[int, int]:
    """(class_uid, activity_id) of an event; API Activity with 1 create, 2 read, 3 update, 4 delete, 99 other in
    general.
    """
    lowered = name.lower()
    if found := _EXACT.get(lowered):
        return found
    verbs = ((activity, verb) for activity, group in _VERBS.items() for verb in group)
    return API_ACTIVITY, next((activity for activity, verb in verbs if lowered.startswith(verb)), _OTHER)


def outcome_of(name: str) -> str:
    """These logs tell of what was done; a few events say that something was refused."""
    return "denied" if name.lower().endswith("_denied") else "failure" if name.lower() in _FAILED else "success"


def second_factor_of(event: Happened) -> str | None:
    """What became of a second factor in a sign-in: `passed`, `failed`, or `none` where the password was all; None where
    the event does not say. https://developers.google.com/workspace/admin/reports/v1/appendix/activity/login
    """
    name, is_second = event.name.lower(), truth(event.parameters.get("is_second_factor"))
    status = text(event.parameters.get("login_challenge_status")) or ""
    if name in ("login_challenge", "login_verification") and is_second:
        lowered = status.lower()
        return "passed" if "passed" in lowered else "failed" if "failed" in lowered else None
    if name != "login_success":
        return None
    if is_second:
        return "passed"
    methods = event.parameters.get("login_challenge_method")
    used = set(texts(methods if type(methods) is list else [methods]))
    return "none" if used and used <= {"password", "none"} else None


def targets_of(event: Happened) -> list[str]:
    """What the event acts on: users, groups, roles, clients, documents; what a setting is of where nothing else."""
    named = [(name, found) for name in _TARGETS if (found := label(event.parameters.get(name)))]
    things = [found for name, found in named if name not in _ELSE]
    return list(dict.fromkeys(things or [found for _, found in named]))


def account_words(event: Happened) -> list[Json]:
    """What an event of the admin log says of the life of people's accounts."""
    name = event.name.upper()
    user = text(event.parameters.get("USER_EMAIL"))
    if user is None:
        return []
    return account_gone([user]) if name in _GONE else account_there([user]) if name in _THERE else []


def copy_keys(unique: str | None, event: Happened) -> list[tuple[str, str, str]]:
    """What the copies of an event in the Reports API and in Cloud Logging share: the activity's qualifier, and by name
    and targets which of its events it is.
    """
    if unique is None:
        return []
    return [("shared_event", "/".join(("google-workspace", unique, event.name, *targets_of(event))), "carries")]


def client_of(event: Happened) -> str | None:
    """The OAuth client that an event is about."""
    return label(event.parameters.get("client_id"))


def grant_uid(user: str | None, client: str | None) -> str | None:
    """What a person allows an OAuth client is one grant, until the person or an admin takes it back; no log shows the
    ids of its tokens.
    """
    return f"google:grant:{user}/{client}" if user and client else None


def grant_made(event: Happened, user: str | None) -> str | None:
    """The grant that a person made to a client."""
    return grant_uid(user, client_of(event)) if event.name.lower() == "authorize" else None


def grant_ended(event: Happened, user: str | None) -> str | None:
    """The grant that was taken back."""
    return grant_uid(user, client_of(event)) if event.name.lower() == "revoke" else None
