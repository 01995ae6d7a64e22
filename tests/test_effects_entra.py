"""What records of Microsoft's directory say of their effects, and sign-ins of a second factor.

Records follow https://learn.microsoft.com/en-us/graph/api/resources/directoryaudit and .../signin, policies
https://learn.microsoft.com/en-us/graph/api/resources/conditionalaccesspolicy.
"""

import json
from typing import Any

import pytest
from source_samples import OPTIONS, source
from ultravires.reading.effects import effect, no_effect

Json = dict[str, Any]
MIRA, AGENT, APPLICATION = "0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22", "91d3e6a4-2b78-4c05", "5e2b9f60-7d14-48ac"
GLOBAL, HELPDESK, READERS = (
    "62e90394-69f5-4237-9190-012177145e10",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8",
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
)
BOTH = ("mfa", "compliantDevice")
WEAKER, NOT_WEAKER = [effect("weakens_guard")], [no_effect("weakens_guard")]


def detail(name: str, *, result: str = "success", kind: str = "User", uid: str = AGENT, **changes: Any) -> Json:
    """An activity of Mira; `changes` are properties with (before, after)."""
    listed = [
        {"displayName": key.replace("_", "."), "oldValue": old, "newValue": new} for key, (old, new) in changes.items()
    ]
    record = {
        "id": "Directory_7a60c2d1",
        "activityDateTime": "2026-10-05T09:00:00Z",
        "activityDisplayName": name,
        "loggedByService": "Core Directory",
        "result": result,
        "initiatedBy": {"user": {"id": MIRA, "userPrincipalName": "mira@fjordline.example"}},
        "additionalDetails": [{"key": "invitedUserEmailAddress", "value": changes.pop("invited", (None, None))[1]}],
        "targetResources": [{"id": uid, "type": kind, "modifiedProperties": listed}],
    }
    (event, *_) = source("entra_audit").events(record, OPTIONS)
    return event.detail


def effects(name: str, **said: Any) -> list[Json]:
    found: list[Json] = detail(name, **said).get("effects", [])
    return found


def policy(state: str = "enabled", controls: Any = ("mfa",), operator: str = "OR", **users: Any) -> str:
    conditions = {"users": {"includeUsers": ["All"], "excludeUsers": ["break-glass"], **users}}
    granted = {"operator": operator, "builtInControls": list(controls)}
    return json.dumps({"state": state, "conditions": conditions, "grantControls": granted})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (policy(), policy("disabled"), WEAKER),
        (policy(), policy("enabledForReportingButNotEnforced"), WEAKER),
        (policy(), policy(excludeUsers=["break-glass", AGENT]), WEAKER),
        (policy(), policy(excludeGroups=["contractors"]), WEAKER),
        (policy(), policy(excludeGuestsOrExternalUsers={"guestOrExternalUserTypes": "b2bCollaborationGuest"}), WEAKER),
        (policy(), policy(includeUsers=[AGENT]), WEAKER),
        (policy(), policy(controls=[]), WEAKER),
        (
            policy(controls=("mfa", "compliantDevice"), operator="AND"),
            policy(controls=("mfa", "compliantDevice")),
            WEAKER,
        ),
        (policy(), policy(), NOT_WEAKER),
        (policy(), policy(excludeUsers=[]), NOT_WEAKER),
        (policy(includeUsers=[AGENT]), policy(), NOT_WEAKER),
        (policy("disabled"), policy(), NOT_WEAKER),
        (policy("disabled"), policy("disabled", controls=[]), NOT_WEAKER),
        (policy(), policy(controls=("mfa", "compliantDevice"), operator="AND"), NOT_WEAKER),
        (None, policy(), []),
        ("{", policy(), []),
        (policy(), '{"state": 1}', WEAKER),
        ('{"conditions": [], "grantControls": 3}', '{"conditions": {"users": 4}}', NOT_WEAKER),
    ],
)
def test_a_changed_policy_of_conditional_access(before: Any, after: Any, expected: list[Json]) -> None:
    changed = {"ConditionalAccessPolicy": (before, after)}
    assert effects("Update conditional access policy", kind="Policy", **changed) == expected


def test_a_policy_that_comes_weakens_nothing_and_one_that_goes_does_where_it_was_in_force() -> None:
    added = {"ConditionalAccessPolicy": (None, policy())}
    assert effects("Add conditional access policy", kind="Policy", **added) == NOT_WEAKER
    for before, expected in ((policy(), WEAKER), (policy("disabled"), NOT_WEAKER), (None, [])):
        gone = {"ConditionalAccessPolicy": (before, None)}
        assert effects("Delete conditional access policy", kind="Policy", **gone) == expected


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("Update authorization policy", {"AllowInvitesFrom": ('"adminsAndGuestInviters"', '"everyone"')}, WEAKER),
        ("Update authorization policy", {"AllowInvitesFrom": ('"everyone"', '"none"')}, NOT_WEAKER),
        ("Update authorization policy", {"DisplayName": ('"a"', '"b"')}, []),
        ("Update security defaults", {"IsEnabled": ("true", "false")}, WEAKER),
        ("Update security defaults", {"IsEnabled": ("false", "true")}, NOT_WEAKER),
        ("Update security defaults", {}, []),
        ("Authentication Methods Policy Update", {"Sms": ("false", "true")}, NOT_WEAKER),
        ("Authentication Methods Policy Update", {"Discovery": ('"a"', '"b"')}, []),
        ("Set domain authentication", {"LiveType": ('"Managed"', '"Federated"')}, "trust"),
        ("Set domain authentication", {"LiveType": ('"Federated"', '"Managed"')}, [no_effect("opens_trust")]),
        ("Set domain authentication", {"Other": ('"a"', '"b"')}, []),
        ("Update group", {"MembershipRule": (None, '"user.department -eq 1"')}, "rule"),
        ("Update group", {"Description": (None, '"x"')}, []),
    ],
)
def test_policies_domains_and_groups(name: str, changes: Json, expected: Any) -> None:
    outside = [effect("opens_trust", target="outside", uids=[AGENT])]
    by_rule = [effect("grants_power", uids=[AGENT])]
    wanted = {"trust": outside, "rule": by_rule}[expected] if isinstance(expected, str) else expected
    assert effects(name, kind="Group" if name == "Update group" else "Domain", **changes) == wanted


@pytest.mark.parametrize("name", ["Update user", "Update user."])
def test_a_second_factor_is_taken_from_an_account(name: str) -> None:
    one, two = '[{"MethodType":6}]', '[{"MethodType":6},{"MethodType":7}]'
    taken = [effect("weakens_guard", target="identity", uids=[AGENT])]
    for before, after, expected in (
        (one, "[]", taken),
        (two, one, taken),
        (one, two, []),
        (None, one, []),
        ("[", "[", []),
    ):
        assert effects(name, StrongAuthenticationMethod=(before, after)) == expected
    asked = ('[{"RelyingParty":"*","State":1}]', "[]")
    assert effects(name, StrongAuthenticationRequirement=asked) == taken


def test_an_account_is_shut_or_opened() -> None:
    shut, opened = ("[true]", "[false]"), ("[false]", "[true]")
    assert effects("Update user", AccountEnabled=shut) == [effect("takes_power", target="identity", uids=[AGENT])]
    back = effect("grants_power", target="identity", uids=[AGENT], power="none")
    assert effects("Update user", AccountEnabled=opened) == [back]
    assert effects("Update user", DisplayName=('["a"]', '["b"]')) == []


def test_a_guest_is_of_another_domain() -> None:
    outside = [effect("grants_power", target="outside", uids=["guest@partner.example"])]
    assert effects("Invite external user", invited=(None, "guest@partner.example")) == outside
    assert effects("Invite external user", invited=(None, "noa@fjordline.example")) == [no_effect("grants_power")]
    assert effects("Invite external user") == []


def test_keys_of_an_application_come_and_go() -> None:
    key = '["[KeyIdentifier=0d84c6a1-92f7-4e35-8b60-1c7d5e9f2a34,KeyType=Password,KeyUsage=Verify,DisplayName=ci]"]'
    name = "Update application \N{EN DASH} Certificates and secrets management"
    added = [effect("issues_credential", target="identity", uids=[APPLICATION])]
    removed = [no_effect("issues_credential"), effect("takes_power", target="identity", uids=[APPLICATION])]
    of = {"kind": "Application", "uid": APPLICATION}
    assert effects(name, KeyDescription=("[]", key), **of) == added
    assert effects(name, KeyDescription=(key, "[]"), **of) == removed
    assert effects(name, KeyDescription=(key, key), **of) == []
    assert effects("Update application", AppAddress=("[]", '["https://x.example"]'), **of) == []


def role(name: str, template: str, result: str = "success") -> Json:
    return detail(name, result=result, Role_TemplateId=(None, f'"{template}"'))


@pytest.mark.parametrize(("template", "power"), [(GLOBAL, "admin"), (HELPDESK, "permissions")])
def test_a_role_that_the_vendor_lists_as_privileged(template: str, power: Any) -> None:
    """Of a failed attempt too, which has no grant."""
    given = [effect("grants_power", target="identity", uids=[AGENT], power=power)]
    for result in ("success", "failure"):
        said = role("Add member to role", template, result)
        assert said["effects"] == given
        assert ("grants" in said) == (result == "success")
    assert role("Add eligible member to role", template)["effects"] == given


def test_of_another_role_only_an_attempt_is_said_here() -> None:
    assert "effects" not in role("Add member to role", READERS)
    asked = [effect("grants_power", target="identity", uids=[AGENT])]
    assert role("Add member to role", READERS, "failure")["effects"] == asked


@pytest.mark.parametrize(
    "name",
    [
        "Add member to role in PIM requested (permanent)",
        "Add member to role request denied (PIM activation)",
        "Remove member from role requested (PIM deactivate)",
    ],
)
def test_a_request_gives_and_takes_nothing(name: str) -> None:
    assert role(name, GLOBAL)["effects"] == [no_effect("grants_power"), no_effect("takes_power")]


def sign_in(code: Any, *, said: Any = None, required: Any = "multiFactorAuthentication", steps: Any = None) -> Any:
    record = {
        "id": "40a1c7e2-9b35-4f68-8d17-2e6b5a9c0100",
        "createdDateTime": "2026-10-05T09:00:00Z",
        "appId": "1b730954-1685-4b74-9bfd-dac224a7b894",
        "correlationId": "b1e60c14-7a52-4d38-9e01-4f5a6b7c8d00",
        "userId": MIRA,
        "userPrincipalName": "mira@fjordline.example",
        "status": {"errorCode": code, "additionalDetails": said},
        "authenticationRequirement": required,
        "authenticationDetails": steps,
    }
    (event,) = source("entra_signin").events(record, OPTIONS)
    return event.detail.get("second_factor")


SECOND = {"authenticationStepRequirement": "Multifactor authentication", "succeeded": True}
NO = {"authenticationStepResultDetail": "MFA denied; user declined the authentication", "succeeded": False}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"code": 0}, "passed"),
        ({"code": 0, "required": "singleFactorAuthentication"}, "none"),
        ({"code": 0, "required": "singleFactorAuthentication", "steps": [SECOND]}, "passed"),
        ({"code": 0, "required": None}, None),
        ({"code": 500121}, "failed"),
        ({"code": 500121, "said": "MFA denied; user did not respond to mobile app notification"}, "failed"),
        ({"code": 500121, "said": "MFA denied; phone app reported fraud"}, "denied"),
        ({"code": "500121", "steps": [None, NO]}, "denied"),
        ({"code": 50074}, "asked"),
        ({"code": 50076}, "asked"),
        ({"code": 50158}, "asked"),
        ({"code": 50126}, None),
        ({"code": 53003}, None),
        ({"code": None, "said": 7, "steps": "x"}, None),
        ({"code": [500121], "steps": [{"authenticationStepResultDetail": 3}]}, None),
    ],
)
def test_what_became_of_the_second_factor(given: Json, expected: Any) -> None:
    assert sign_in(**given) == expected
