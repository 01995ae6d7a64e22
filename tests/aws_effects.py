"""What a call of AWS in an account says of its effects."""

from typing import Any

from ultravires.sources.aws.changes import Change
from ultravires.sources.aws.effects import EFFECTS

ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"


def effects_of(action: str, request: Any, response: Any = None) -> list[dict[str, Any]]:
    """What a call with these parameters says, in the account."""
    return EFFECTS[action](Change(request, response or {}, {}, {}, None, ACCOUNT, "eu-central-1"))


def said(action: str, request: Any, response: Any = None) -> set[str]:
    """The effects that are said to be there: `<effect>`, and with its target where that is no resource."""
    return {
        each["effect"] if each["target"] == "resource" else f"{each['effect']} {each['target']}"
        for each in effects_of(action, request, response)
        if not each.get("absent")
    }


def denied(action: str, request: Any) -> set[str]:
    """The effects that are said not to be there."""
    return {each["effect"] for each in effects_of(action, request) if each.get("absent")}
