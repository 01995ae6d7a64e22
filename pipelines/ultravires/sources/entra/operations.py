"""What an operation of the Entra directory is: its OCSF class, and which application keys it adds and removes.

Operations: https://learn.microsoft.com/en-us/entra/identity/monitoring-health/reference-audit-activities
OCSF: https://schema.ocsf.io/1.8.0
"""

import re
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import msgspec
from msgspec.structs import replace

from ultravires.reading.events import Event
from ultravires.reading.lifecycle import Json, account_gone, account_there
from ultravires.reading.mending import decode_inner
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.ocsf.classes import ACCOUNT_CHANGE, API_ACTIVITY, GROUP_MANAGEMENT, USER_ACCESS

_ASSIGN, _REVOKE, _OTHER = 1, 2, 99
_EXACT = {
    "add user": (ACCOUNT_CHANGE, 1),
    "enable account": (ACCOUNT_CHANGE, 2),
    "change user password": (ACCOUNT_CHANGE, 3),
    "change password (self-service)": (ACCOUNT_CHANGE, 3),
    "reset user password": (ACCOUNT_CHANGE, 4),
    "reset password (by admin)": (ACCOUNT_CHANGE, 4),
    "reset password (self-service)": (ACCOUNT_CHANGE, 4),
    "disable account": (ACCOUNT_CHANGE, 5),
    "delete user": (ACCOUNT_CHANGE, 6),
    "hard delete user": (ACCOUNT_CHANGE, 6),
    "add group": (GROUP_MANAGEMENT, 6),
    "delete group": (GROUP_MANAGEMENT, 5),
    "add member to group": (GROUP_MANAGEMENT, 3),
    "remove member from group": (GROUP_MANAGEMENT, 4),
    "consent to application": (USER_ACCESS, _ASSIGN),
}
_GONE = frozenset({"delete user", "hard delete user", "disable account"})
_THERE = frozenset({"add user", "restore user", "enable account"})
_GRANTS = ("member to role", "app role assignment", "delegated permission grant", "elevated their access")
_REMOVES = ("member from role", "remove app role assignment", "remove delegated permission grant")
_BY_TYPE = {
    "Add": (API_ACTIVITY, 1),
    "Create": (API_ACTIVITY, 1),
    "Read": (API_ACTIVITY, 2),
    "Update": (API_ACTIVITY, 3),
    "Delete": (API_ACTIVITY, 4),
    "Assign": (USER_ACCESS, _ASSIGN),
    "Unassign": (USER_ACCESS, _REVOKE),
}
_KEY_IDENTIFIER = re.compile(r"\[KeyIdentifier=([0-9A-Za-z-]{1,64}),")
_MOST_TARGETS = 500
_KEYS, _FEDERATED = "KeyDescription", "FederatedIdentityCredentials"


@lru_cache(maxsize=8192)
def ocsf_class(name: str, operation_type: str | None) -> tuple[int, int]:
    """(class_uid, activity_id) of an activity by its display name, else by its operationType."""
    lowered = name.lower().rstrip(".")
    if found := _EXACT.get(lowered):
        return found
    is_asked = "request" in lowered or "cancel" in lowered
    if any(words in lowered for words in _REMOVES):
        return USER_ACCESS, _OTHER if is_asked else _REVOKE
    if any(words in lowered for words in _GRANTS):
        return USER_ACCESS, _OTHER if is_asked else _ASSIGN
    return _BY_TYPE.get(operation_type or "", (API_ACTIVITY, _OTHER))


def account_words(name: str, targets: list[Any]) -> list[Json]:
    """What an operation says of the life of the users that it names, by their object id and their principal name."""
    operation = name.strip().lower().rstrip(".")
    say = account_gone if operation in _GONE else account_there if operation in _THERE else None
    if say is None:
        return []
    users = [mapping(target) for target in targets[:_MOST_TARGETS]]
    return say([known for user in users if user.get("type") == "User" for known in _names_of(user)])


def _names_of(user: dict[str, Any]) -> list[str]:
    """Of a deleted user the directory writes the object id, without its marks, before the principal name."""
    uid, principal = text(user.get("id")), text(user.get("userPrincipalName"))
    before = uid.replace("-", "").lower() if uid else ""
    if before and principal and principal.lower().startswith(before):
        principal = principal[len(before) :]
    return [name for name in (uid, principal) if name]


def key_changes(targets: list[Any]) -> tuple[list[str], list[str]]:
    """The ids of keys that the record's modified properties added and removed, in the order they are written.

    Keys stand as `["[KeyIdentifier=<id>,KeyType=Password,...]"]` inside a string; federated credentials as objects with
    an id. The id is what a later sign-in names; the secret itself is never logged.
    """
    added: list[str] = []
    removed: list[str] = []
    for target in targets:
        for change in sequence(mapping(target).get("modifiedProperties")):
            name = mapping(change).get("displayName")
            if name in (_KEYS, _FEDERATED):
                find = _keys_in if name == _KEYS else _federated_in
                old, new = find(change.get("oldValue")), find(change.get("newValue"))
                added += [key for key in new if key not in old]
                removed += [key for key in old if key not in new]
    return list(dict.fromkeys(added)), list(dict.fromkeys(removed))


def further_keys(activity: Event, added: list[str], removed: list[str]) -> list[Event]:
    """An event for each key beyond the first that one record adds or removes, so that none comes or goes unseen."""
    return [
        replace(
            activity,
            kind="credential",
            native_id=f"{activity.native_id}/{new or old}" if activity.native_id else None,
            issued_credential_uid=new,
            revoked_credential_uid=old,
        )
        for new, old in zip_longest(added[1:], removed[1:])
    ]


def _keys_in(value: Any) -> list[str]:
    return _KEY_IDENTIFIER.findall(value) if type(value) is str else []


def _federated_in(value: Any) -> list[str]:
    if type(value) is not str or not value:
        return []
    try:
        found = decode_inner(value.encode(), msgspec.json.decode)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    ids = (text(mapping(item).get("Id")) or text(mapping(item).get("id")) for item in sequence(found))
    return [identifier for identifier in ids if identifier]
