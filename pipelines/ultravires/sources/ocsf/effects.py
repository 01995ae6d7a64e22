"""What an OCSF event does by its class and activity, as `detail["effects"]`, where these say it themselves.

Classes and their activities: https://schema.ocsf.io/1.8.0/classes. An event that names an operation of an API has that
as its action, and what the operation does is known better by that name.
"""

from typing import Any

from ultravires.reading.effects import Effect, Power, TargetKind, effect
from ultravires.reading.sign_ins import SecondFactor
from ultravires.reading.values import text, texts
from ultravires.sources.ocsf.classes import (
    ACCOUNT_CHANGE,
    AUTHENTICATION,
    AUTHORIZE_SESSION,
    GROUP_MANAGEMENT,
    USER_ACCESS,
)
from ultravires.sources.ocsf.fields import at

Json = dict[str, Any]
_WEB_RESOURCES, _DATASTORE, _FILES = 6001, 6005, 6006
_LOGON = 1
_MOST = 1_000
_EVERYTHING = frozenset({"*", "admin", "administrator", "administratoraccess", "owner", "root", "superuser"})
_SAYS: dict[int, dict[int, tuple[Effect, TargetKind]]] = {
    ACCOUNT_CHANGE: {
        2: ("grants_power", "identity"),
        3: ("issues_credential", "identity"),
        4: ("issues_credential", "identity"),
        5: ("takes_power", "identity"),
        6: ("takes_power", "identity"),
        7: ("grants_power", "identity"),
        8: ("takes_power", "identity"),
        9: ("takes_power", "identity"),
        10: ("issues_credential", "identity"),
        11: ("weakens_guard", "identity"),
    },
    AUTHORIZE_SESSION: {1: ("grants_power", "identity"), 2: ("grants_power", "identity")},
    USER_ACCESS: {1: ("grants_power", "identity"), 2: ("takes_power", "identity")},
    GROUP_MANAGEMENT: {
        1: ("grants_power", "identity"),
        2: ("takes_power", "identity"),
        3: ("grants_power", "identity"),
        4: ("takes_power", "identity"),
        5: ("takes_power", "identity"),
        7: ("grants_power", "identity"),
        8: ("takes_power", "identity"),
    },
    _WEB_RESOURCES: {4: ("destroys", "resource"), 8: ("exposes", "resource")},
    _DATASTORE: {7: ("destroys", "resource")},
    _FILES: {12: ("exposes", "resource")},
}
"""Class -> activity -> what it does, and to what. Creating an account or a group gives nobody anything."""


def effects_of(
    record: Json, class_uid: int, activity_id: int, actor: str | None, named: list[str]
) -> list[Json] | None:
    """The effect of this class and activity; `named` are the targets, of which the first is whom it is done to."""
    said = _SAYS.get(class_uid, {}).get(activity_id)
    if said is None or text(at(record, "api", "operation")):
        return None
    what, target = said
    if target == "identity" and named and named[0] == actor:
        target = "self"
    power = _power_of(record) if what == "grants_power" else None
    return [effect(what, target=target, uids=named[:1], power=power)]


def _power_of(record: Json) -> Power | None:
    """Privileges are written in the words of the product; these say it in any."""
    given = texts(record.get("privileges"))[:_MOST]
    return "admin" if any(name.lower() in _EVERYTHING for name in given) else None


def second_factor_of(class_uid: int, activity_id: int, outcome: str, is_mfa: bool | None) -> SecondFactor | None:
    """A sign-in says only whether there was a second factor; of one that failed, not which of the two was wrong."""
    is_logon = class_uid == AUTHENTICATION and activity_id == _LOGON and outcome == "success"
    if not is_logon or is_mfa is None:
        return None
    return "passed" if is_mfa else "none"
