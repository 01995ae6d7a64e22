"""What events of Okta's System Log do by themselves, beyond their type, and what became of second factors.

Shapes of records: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/
"""

from typing import Any

import pytest
from source_samples import OPTIONS
from ultravires.reading.events import Event
from ultravires.reading.sign_ins import SECOND_FACTORS
from ultravires.sources.okta.system import events

MIRA = {"id": "00u1", "type": "User", "alternateId": "mira@example.org", "displayName": "Mira Holm"}
TOM = {"id": "00u2", "type": "User", "alternateId": "tom@example.org", "displayName": "Tom Berg"}
APP = {"id": "0oa1", "type": "AppInstance", "alternateId": "Payroll", "displayName": "Payroll"}


def of(event_type: str, *targets: Any, result: str = "SUCCESS", reason: str | None = None, **members: Any) -> Event:
    record = {
        "uuid": "u-1",
        "published": "2026-10-05T08:00:00.000Z",
        "eventType": event_type,
        "actor": MIRA,
        "outcome": {"result": result, "reason": reason},
        "target": list(targets),
    }
    return events({**record, **members}, OPTIONS)[0]


def effects(event: Event) -> list[tuple[str, str | None, Any, str | None]]:
    said = event.detail.get("effects", [])
    return [
        (one["effect"], one.get("target"), one.get("uids"), one.get("power")) for one in said if not one.get("absent")
    ]


def absent(event: Event) -> list[str]:
    return [one["effect"] for one in event.detail.get("effects", []) if one.get("absent")]


@pytest.mark.parametrize(
    ("role", "power"),
    [
        ("Super Administrator", "admin"),
        ("Organization Administrator", "permissions"),
        ("Help Desk Administrator", "permissions"),
        ("Read Only Administrator", "data"),
    ],
)
def test_a_role_of_administrators_gives_its_power(role: str, power: str) -> None:
    given = of("user.account.privilege.grant", TOM, debugContext={"debugData": {"privilegeGranted": role}})
    assert effects(given) == [("grants_power", "identity", ["tom@example.org"], power)]


def test_the_greatest_of_several_roles_counts_and_an_attempt_does_too() -> None:
    said = {"debugData": {"privilegeGranted": "User administrator (group A, B), Super administrator"}}
    given = of("user.account.privilege.grant", MIRA, result="FAILURE", debugContext=said)
    assert effects(given) == [("grants_power", "self", ["mira@example.org"], "admin")]


def test_a_role_that_somebody_made_says_no_power() -> None:
    role = {"type": "ROLE", "id": "cr0", "displayName": "Night desk"}
    assert effects(of("user.account.privilege.grant", TOM, role)) == []


def test_a_group_that_administrates() -> None:
    group = {"id": "00g1", "type": "UserGroup", "displayName": "Ops"}
    role = {"id": "r1", "type": "ROLE", "displayName": "Super Administrator"}
    assert effects(of("group.privilege.grant", group, role)) == [("grants_power", "identity", ["00g1"], "admin")]


@pytest.mark.parametrize("event_type", ["user.mfa.factor.deactivate", "user.mfa.factor.reset_all"])
def test_second_factors_of_oneself_and_of_another(event_type: str) -> None:
    assert effects(of(event_type, MIRA)) == [("weakens_guard", "self", ["mira@example.org"], None)]
    assert effects(of(event_type, TOM)) == [("weakens_guard", "identity", ["tom@example.org"], None)]
    assert effects(of("user.mfa.factor.other", TOM)) == []


def test_a_password_of_oneself_and_of_another() -> None:
    own = {**MIRA, "alternateId": "renamed@example.org"}
    assert effects(of("user.account.update_password", own))[0][:2] == ("issues_credential", "self")
    assert effects(of("user.account.update_password", TOM))[0][:2] == ("issues_credential", "identity")
    in_app = {"id": "0ua1", "type": "AppUser", "alternateId": "mira", "displayName": "Mira"}
    assert effects(of("user.account.update_password", MIRA, in_app))[0][1] == "self"


def rule(**members: Any) -> dict[str, Any]:
    return {"id": "0pr1", "type": "PolicyRule", "displayName": "Catch-all", **members}


def test_a_rule_that_asks_for_one_factor_guards_less() -> None:
    asked = {"actions": {"appSignOn": {"verificationMethod": {"factorMode": "1FA"}}}}
    changed = of("policy.rule.update", rule(changeDetails={"from": {}, "to": asked}))
    assert effects(changed) == [("weakens_guard", "resource", ["0pr1"], None)]
    optional = of("policy.rule.add", rule(changeDetails={"to": {"actions": {"signon": {"requireFactor": False}}}}))
    assert effects(optional)[0][0] == "weakens_guard"
    off = of("policy.rule.update", rule(changeDetails={"to": {"status": "INACTIVE"}}))
    assert effects(off)[0][0] == "weakens_guard"


def test_a_rule_that_asks_for_two_factors_guards_and_one_that_says_nothing_is_unknown() -> None:
    two = of("policy.rule.update", rule(detailEntry={"policyRuleFactorMode": "2FA"}))
    assert effects(two) == [] and absent(two) == ["weakens_guard"]
    assert "effects" not in of("policy.rule.update", rule()).detail


def test_a_rule_of_routing_says_whose_word_is_believed() -> None:
    routed = of("policy.rule.update", rule(detailEntry={"policyType": "IDP_DISCOVERY"}))
    assert effects(routed) == [("opens_trust", "resource", ["0pr1"], None)] and absent(routed) == ["weakens_guard"]


def test_threat_insight_that_blocks_guards() -> None:
    def updated(**to: Any) -> Event:
        target = {"id": "t1", "type": "ThreatInsight", "changeDetails": {"to": to}}
        return of("security.threat.configuration.update", target)

    assert absent(updated(action="block")) == ["weakens_guard"]
    assert absent(updated(action="audit")) == []
    assert absent(updated(action="block", excludeZones=["nzo1"])) == []


def test_an_application_that_joins_organisations_or_gets_passwords() -> None:
    joined = {**APP, "displayName": "Okta Org2Org"}
    assert effects(of("application.lifecycle.create", joined)) == [("opens_trust", "resource", ["0oa1"], None)]
    assert effects(of("application.lifecycle.create", APP)) == []
    pushed = of("application.lifecycle.update", APP, reason="Pushing user passwords")
    assert effects(pushed) == [("exposes", "outside", ["0oa1"], "permissions")]


@pytest.mark.parametrize(
    ("scope", "power"),
    [("okta.roles.manage", "admin"), ("okta.users.manage", "permissions"), ("okta.logs.read", "data")],
)
def test_scopes_of_the_api_that_an_application_gets(scope: str, power: str) -> None:
    target = {"id": "s1", "type": "Scope", "displayName": scope}
    app = {"id": "0oa2", "type": "PublicClientApp", "displayName": "sync"}
    consented = of("app.oauth2.admin.consent.grant", target, app)
    assert effects(consented) == [("grants_power", "identity", ["0oa2"], power)]


def test_a_scope_of_another_server_says_no_power() -> None:
    assert effects(of("app.oauth2.admin.consent.grant", {"type": "Scope", "displayName": "orders"}, APP)) == []


def second(event: Event) -> str | None:
    found = event.detail.get("second_factor")
    assert found is None or found in SECOND_FACTORS
    return found


@pytest.mark.parametrize(
    ("factor", "result", "reason", "expected"),
    [
        ("OKTA_VERIFY_PUSH", "SUCCESS", None, "passed"),
        ("OKTA_VERIFY_PUSH", "FAILURE", "INVALID_CREDENTIALS", "denied"),
        ("SMS_FACTOR", "FAILURE", "INVALID_CREDENTIALS", "failed"),
        ("OKTA_VERIFY_PUSH", "FAILURE", "VERIFICATION_ERROR", "failed"),
        ("PASSWORD_AS_FACTOR", "SUCCESS", None, None),
        ("OKTA_VERIFY_PUSH", "UNKNOWN", None, None),
    ],
)
def test_what_became_of_a_challenge(factor: str, result: str, reason: str | None, expected: str | None) -> None:
    verified = of(
        "user.authentication.auth_via_mfa",
        MIRA,
        result=result,
        reason=reason,
        debugContext={"debugData": {"factor": factor}},
    )
    assert second(verified) == expected


@pytest.mark.parametrize(
    ("result", "mode", "expected"),
    [
        ("ALLOW", "1FA", "none"),
        ("ALLOW", "2FA", "passed"),
        ("CHALLENGE", "2FA", "asked"),
        ("CHALLENGE", "1FA", None),
        ("DENY", "2FA", None),
    ],
)
def test_what_a_policy_of_sign_on_asked_for(result: str, mode: str, expected: str | None) -> None:
    target = {"id": "0pr1", "type": "Rule", "detailEntry": {"policyRuleFactorMode": mode}}
    assert second(of("policy.evaluate_sign_on", target, result=result)) == expected


def test_a_push_that_was_sent_and_one_that_was_rejected() -> None:
    assert second(of("system.push.send_factor_verify_push")) == "asked"
    assert second(of("user.mfa.okta_verify.deny_push", result="FAILURE")) == "denied"
    assert second(of("user.mfa.okta_verify", result="SUCCESS")) == "passed"
    assert second(of("user.mfa.okta_verify", result="FAILURE")) == "failed"
    assert second(of("user.session.start")) is None


ODD: list[Any] = [None, 7, "text", [], [[]], {}, {"to": 3}, [None, 1, {"x": [None]}]]


@pytest.mark.parametrize("odd", ODD)
def test_odd_content_costs_no_event(odd: Any) -> None:
    for event_type in (
        "policy.rule.update",
        "user.account.privilege.grant",
        "user.mfa.factor.reset_all",
        "security.threat.configuration.update",
        "application.lifecycle.update",
        "app.oauth2.admin.consent.grant",
        "user.authentication.auth_via_mfa",
        "policy.evaluate_sign_on",
    ):
        for target in (
            odd,
            {"type": odd, "id": odd, "displayName": odd, "alternateId": odd},
            {"type": "PolicyRule", "detailEntry": odd, "changeDetails": odd},
        ):
            found = of(event_type, target, debugContext=odd, actor=odd, outcome=odd)
            assert found.action == f"okta:{event_type}"


def test_what_is_nested_without_end_is_not_read_to_its_end() -> None:
    deep: Any = {"factorMode": "1FA"}
    for _ in range(5_000):
        deep = {"inner": deep}
    assert effects(of("policy.rule.update", rule(changeDetails={"to": deep}))) == []
