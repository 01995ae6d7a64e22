"""What became of a second factor in an event of Okta's System Log, in the words of `reading/sign_ins.py`.

https://developer.okta.com/docs/reference/api/event-types/ says of `user.authentication.auth_via_mfa` that Identity
Engine writes it for the first factor too, and that a push which its owner rejected is there a failure for invalid
credentials. Which factor it was stands in `debugData`, what the rule of a sign-on policy asks for in `detailEntry`.
"""

from typing import Any

from ultravires.reading.sign_ins import SecondFactor
from ultravires.reading.values import mapping, text
from ultravires.sources.okta.event_types import member

Json = dict[str, Any]
_VERIFIED = "user.authentication.auth_via_mfa"
_EVALUATED = "policy.evaluate_sign_on"
_SENT = frozenset(
    {
        "system.push.send_factor_verify_push",
        "system.sms.send_factor_verify_message",
        "system.voice.send_mfa_challenge_call",
        "system.email.send_factor_verify_message",
    }
)
_FIXED: dict[str, SecondFactor] = {
    "user.mfa.okta_verify.deny_push": "denied",
    "user.mfa.okta_verify.deny_push_upgrade_needed": "failed",
}
_OF_RULE: dict[tuple[str, str], SecondFactor] = {
    ("ALLOW", "1FA"): "none",
    ("ALLOW", "2FA"): "passed",
    ("CHALLENGE", "2FA"): "asked",
}
_FIRST = frozenset({"PASSWORD", "PASSWORD_AS_FACTOR"})


def second_factor_of(event_type: str, record: Json, outcome: str, targets: list[Json]) -> SecondFactor | None:
    """None where the event is about no second factor, or does not tell."""
    if event_type in _FIXED:
        return _FIXED[event_type]
    if event_type in _SENT:
        return "asked" if outcome == "success" else None
    if event_type == "user.mfa.okta_verify":
        return "passed" if outcome == "success" else "failed" if outcome in ("failure", "denied") else None
    if event_type == _VERIFIED:
        return _verified(record, outcome)
    return _of_rule(record, targets) if event_type == _EVALUATED else None


def _verified(record: Json, outcome: str) -> SecondFactor | None:
    debug = mapping(mapping(member(record, "debugContext")).get("debugData"))
    factor = (text(debug.get("factor")) or "").upper()
    if factor in _FIRST:
        return None
    if outcome == "success":
        return "passed"
    if outcome not in ("failure", "denied"):
        return None
    reason = (text(mapping(record.get("outcome")).get("reason")) or "").upper()
    return "denied" if "PUSH" in factor and reason == "INVALID_CREDENTIALS" else "failed"


def _of_rule(record: Json, targets: list[Json]) -> SecondFactor | None:
    """What the rule asks for that decided; of several none can be said."""
    modes = {
        mode for target in targets if (mode := text(mapping(target.get("detailEntry")).get("policyRuleFactorMode")))
    }
    result = text(mapping(record.get("outcome")).get("result"))
    return _OF_RULE.get((result, next(iter(modes)).upper())) if result and len(modes) == 1 else None
