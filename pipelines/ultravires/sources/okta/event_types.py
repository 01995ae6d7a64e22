"""What the event types of Okta's System Log mean: OCSF class, outcome.

Event types: https://developer.okta.com/docs/reference/api/event-types/
"""

from functools import lru_cache
from typing import Any

from ultravires.reading.lifecycle import Json, account_gone, account_there
from ultravires.reading.values import text
from ultravires.sources.ocsf.classes import (
    ACCOUNT_CHANGE,
    API_ACTIVITY,
    AUTHENTICATION,
    AUTHORIZE_SESSION,
    GROUP_MANAGEMENT,
    USER_ACCESS,
)

_OTHER, _LOGON, _LOGOFF, _TICKET = 99, 1, 2, 3

_EXACT = {
    "user.session.start": (AUTHENTICATION, _LOGON),
    "user.session.access_admin_app": (AUTHENTICATION, _LOGON),
    "user.session.end": (AUTHENTICATION, _LOGOFF),
    "user.session.clear": (AUTHENTICATION, _LOGOFF),
    "user.lifecycle.create": (ACCOUNT_CHANGE, 1),
    "user.lifecycle.activate": (ACCOUNT_CHANGE, 2),
    "user.lifecycle.reactivate": (ACCOUNT_CHANGE, 2),
    "user.lifecycle.unsuspend": (ACCOUNT_CHANGE, 2),
    "user.account.update_password": (ACCOUNT_CHANGE, 3),
    "user.account.reset_password": (ACCOUNT_CHANGE, 4),
    "user.lifecycle.deactivate": (ACCOUNT_CHANGE, 5),
    "user.lifecycle.suspend": (ACCOUNT_CHANGE, 5),
    "user.lifecycle.delete.initiated": (ACCOUNT_CHANGE, 6),
    "user.account.lock": (ACCOUNT_CHANGE, 9),
    "user.mfa.factor.activate": (ACCOUNT_CHANGE, 10),
    "user.mfa.factor.deactivate": (ACCOUNT_CHANGE, 11),
    "user.mfa.factor.suspend": (ACCOUNT_CHANGE, 11),
    "user.mfa.factor.reset_all": (ACCOUNT_CHANGE, 11),
    "user.account.privilege.grant": (USER_ACCESS, 1),
    "user.account.privilege.revoke": (USER_ACCESS, 2),
    "group.privilege.grant": (USER_ACCESS, 1),
    "group.privilege.revoke": (USER_ACCESS, 2),
    "application.user_membership.add": (USER_ACCESS, 1),
    "application.user_membership.remove": (USER_ACCESS, 2),
    "group.user_membership.add": (GROUP_MANAGEMENT, 3),
    "group.user_membership.remove": (GROUP_MANAGEMENT, 4),
    "group.lifecycle.delete": (GROUP_MANAGEMENT, 5),
    "group.lifecycle.create": (GROUP_MANAGEMENT, 6),
}
_VERBS = {"create": 1, "add": 1, "grant": 1, "read": 2, "view": 2, "update": 3, "delete": 4, "remove": 4, "revoke": 4}
_GONE = frozenset(f"user.lifecycle.{end}" for end in ("deactivate", "suspend", "delete.initiated", "delete.completed"))
_THERE = frozenset(f"user.lifecycle.{begin}" for begin in ("create", "activate", "reactivate", "unsuspend"))
_OUTCOMES = {
    "SUCCESS": "success",
    "ALLOW": "success",
    "FAILURE": "failure",
    "DENY": "denied",
    "RATE_LIMIT": "denied",
}
_DENIALS = frozenset({"access_denied", "no_matching_policy"})


def member(record: dict[str, Any], name: str) -> Any:
    """A member by its name; some pipelines write all names in lower case."""
    return record[name] if name in record else record.get(name.lower())


@lru_cache(maxsize=4096)
def ocsf_class(event_type: str) -> tuple[int, int]:
    """(class_uid, activity_id); API Activity with 1 create, 2 read, 3 update, 4 delete, 99 other where nothing fits
    better.
    """
    if known := _EXACT.get(event_type):
        return known
    if ".token.grant" in event_type:
        return AUTHENTICATION, _TICKET
    if event_type.startswith(("user.authentication.", "user.mfa.okta_verify")):
        return AUTHENTICATION, _LOGON
    if event_type.startswith("policy.evaluate"):
        return AUTHORIZE_SESSION, _OTHER
    return API_ACTIVITY, _VERBS.get(event_type.rpartition(".")[2], _OTHER)


def outcome_of(result: Any, reason: Any) -> str:
    """CHALLENGE and whatever else neither allowed nor refused is unknown: the answer is in a later event.

    A grant that no policy allows is written as FAILURE; its reason says that it was a refusal.
    """
    outcome = _OUTCOMES.get(result, "unknown") if type(result) is str else "unknown"
    is_refusal = outcome == "failure" and (text(reason) or "").lower() in _DENIALS
    return "denied" if is_refusal else outcome


def account_words(event_type: str, names: list[str]) -> list[Json]:
    """What an event says of the life of the accounts that have these names."""
    return account_gone(names) if event_type in _GONE else account_there(names) if event_type in _THERE else []
