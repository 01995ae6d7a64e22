"""What became of the second factor of a sign-in to Microsoft's directory, in the words of reading/sign_ins.py.

Codes: https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
Steps: https://learn.microsoft.com/en-us/graph/api/resources/authenticationdetail
Reasons: https://learn.microsoft.com/en-us/entra/identity/authentication/howto-mfa-reporting
"""

from itertools import islice
from typing import Any

from ultravires.reading.sign_ins import SecondFactor
from ultravires.reading.values import mapping, sequence, text, truth

_FAILED = "500121"
_ASKED = frozenset({"50072", "50074", "50076", "50079", "50158"})
"""A second factor, or its registration, is demanded and the sign-in stops until it is given."""
_DENIALS = ("declined", "fraud", "not initiated by", "denied the")
_MOST_STEPS = 50
_SECOND = ("multi", "secondary")


def after_code(code: str | None, reason: str | None = None) -> SecondFactor | None:
    """By the error code and what is written beside it."""
    if code in _ASKED:
        return "asked"
    if code != _FAILED:
        return None
    return "denied" if reason and any(word in reason.lower() for word in _DENIALS) else "failed"


def second_factor_of(sign_in: dict[str, Any], outcome: str, code: str | None) -> SecondFactor | None:
    """Of a `signIn`. A requirement alone says nothing of a sign-in that failed."""
    steps = [mapping(step) for step in islice(sequence(sign_in.get("authenticationDetails")), _MOST_STEPS)]
    results = [text(step.get("authenticationStepResultDetail")) or "" for step in steps]
    noted = text(mapping(sign_in.get("status")).get("additionalDetails")) or ""
    if stopped := after_code(code, " ".join([noted, *results])):
        return stopped
    if outcome != "success":
        return None
    required = sign_in.get("authenticationRequirement")
    if required == "multiFactorAuthentication" or any(map(_is_second, steps)):
        return "passed"
    return "none" if required == "singleFactorAuthentication" else None


def _is_second(step: dict[str, Any]) -> bool:
    kind = (text(step.get("authenticationStepRequirement")) or "").lower()
    return kind.startswith(_SECOND) and truth(step.get("succeeded")) is True
