"""Events of Okta's System Log for an administrator's role that is given to an account.

Shape: https://developer.okta.com/docs/reference/api/system-log/, event types
https://developer.okta.com/docs/reference/api/event-types/. Values are our own.
"""

from collections.abc import Sequence
from random import Random

from ultravires.simulator import ids
from ultravires.simulator.aws import BROWSER
from ultravires.simulator.cast import Human
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import to_micros

LOG = "okta_system"


def role_given(rng: Random, at: int, human: Human, *, login: str, roles: Sequence[str]) -> Json:
    """An account has a further administrator's role from now on; `roles` are all that it has now."""
    return {
        "uuid": ids.uuid(rng),
        "published": to_micros(at),
        "eventType": "user.account.privilege.grant",
        "version": "0",
        "severity": "INFO",
        "legacyEventType": "core.user.admin_privilege.granted",
        "displayMessage": "Grant user privilege",
        "actor": _account(human.email),
        "client": {
            "userAgent": {"rawUserAgent": BROWSER, "os": "Linux", "browser": "FIREFOX"},
            "zone": "null",
            "device": "Computer",
            "id": None,
            "ipAddress": human.ip,
        },
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": [_account(login)],
        "transaction": {"type": "WEB", "id": ids.hexadecimal(rng, 24), "detail": {}},
        "debugContext": {"debugData": {"privilegeGranted": ", ".join(roles)}},
        "authenticationContext": {"authenticationStep": 0, "externalSessionId": f"idx{ids.hexadecimal(rng, 16)}"},
    }


def node_of(event: Json) -> str:
    return f"activity:{event['uuid']}"


def session_of(event: Json) -> str:
    """The session in which it was done; its beginning is in no log."""
    return f"credential:okta:{event['authenticationContext']['externalSessionId']}"


def _account(login: str) -> Json:
    uid = f"00u{ids.hexadecimal(ids.stream('okta', login), 17)}"
    name = login.partition("@")[0].replace(".", " ").title()
    return {"id": uid, "type": "User", "alternateId": login, "displayName": name, "detailEntry": None}
