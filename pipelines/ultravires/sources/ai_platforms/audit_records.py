"""What the audit logs of AI vendors have in common: an activity's type is a noun and a verb in one word.

`api_key.created`, `platform_api_key_created`, `role.assignment.deleted`: the same few verbs decide the OCSF class
(https://schema.ocsf.io/1.8.0) and whether a credential was issued or ended.
"""

from functools import lru_cache
from typing import NamedTuple

from ultravires.sources.ocsf.classes import ACCOUNT_CHANGE, API_ACTIVITY, AUTHENTICATION, GROUP_MANAGEMENT, USER_ACCESS

_OTHER = 99
_ACTIVITIES = {
    "created": 1,
    "added": 1,
    "registered": 1,
    "uploaded": 1,
    "minted": 1,
    "viewed": 2,
    "listed": 2,
    "accessed": 2,
    "downloaded": 2,
    "updated": 3,
    "toggled": 3,
    "activated": 3,
    "deactivated": 3,
    "enabled": 3,
    "disabled": 3,
    "archived": 3,
    "rotated": 3,
    "deleted": 4,
    "removed": 4,
    "revoked": 4,
}
_BEGINS = frozenset({"created", "added", "granted", "assigned", "bound", "minted", "issued", "registered"})
_ENDS = frozenset({"deleted", "removed", "revoked", "unassigned", "unbound", "archived"})
_BINDINGS = frozenset({"granted", "assigned", "unassigned", "bound", "unbound"})
_ACCOUNT = {"created": 1, "added": 1, "deleted": 6, "removed": 6}
_GROUP_MEMBERS = {"added": 3, "removed": 4}
_GROUPS = {"created": 6, "deleted": 5}
_LOGONS = {"login": 1, "logon": 1, "logout": 2}


class Meaning(NamedTuple):
    """A type taken apart: `noun` without its verb, and what the verb does to it."""

    noun: str
    verb: str
    class_uid: int
    activity_id: int
    begins: bool
    ends: bool
    has_failed: bool


@lru_cache(maxsize=4096)
def meaning_of(kind: str) -> Meaning:
    """`api_key.created` or `api_key_created` to what it means; unknown verbs are other API activity."""
    words = kind.replace(".", "_").split("_")
    noun, verb = "_".join(words[:-1]), words[-1]
    class_uid, activity_id = _ocsf_class(words, noun, verb)
    return Meaning(noun, verb, class_uid, activity_id, verb in _BEGINS, verb in _ENDS, verb == "failed")


def _ocsf_class(words: list[str], noun: str, verb: str) -> tuple[int, int]:
    logon = next((_LOGONS[word] for word in words if word in _LOGONS), None)
    if logon is not None:
        return AUTHENTICATION, logon
    if _is_logout(words):
        return AUTHENTICATION, 2
    is_grant = "assignment" in words or verb in _BINDINGS or (noun.endswith("member") and "group" not in words)
    if is_grant and (verb in _BEGINS or verb in _ENDS):
        return USER_ACCESS, 1 if verb in _BEGINS else 2
    if "group" in words:
        of_members = "member" in words or "members" in words
        return GROUP_MANAGEMENT, (_GROUP_MEMBERS if of_members else _GROUPS).get(verb, _OTHER)
    if noun in ("user", "service_account", "org_user", "scim_user", "service", "account"):
        return ACCOUNT_CHANGE, _ACCOUNT.get(verb, _OTHER)
    return API_ACTIVITY, _ACTIVITIES.get(verb, _OTHER)


def _is_logout(words: list[str]) -> bool:
    """`user_logged_out`, `session_revoked`."""
    return words[-2:] == ["logged", "out"] or words == ["session", "revoked"]
