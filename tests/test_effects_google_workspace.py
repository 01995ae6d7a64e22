"""Google Workspace: given events -> the effects and second factors that only the event shows.

Parameters: https://developers.google.com/workspace/admin/reports/v1/appendix/activity/drive, .../calendar, .../login,
.../admin-security-settings, .../admin-application-settings and .../admin-calendar-settings
"""

from pathlib import Path
from typing import Any

import pytest
from source_samples import only
from ultravires.reading.effects import effect, no_effect
from ultravires.sources.gcp.workspace import workspace_events
from ultravires.sources.google_workspace.effects import SHOWING, effects_of
from ultravires.sources.google_workspace.meanings import Happened, second_factor_of

MIRA, NILS, EVE = "mira@harbor.example", "nils@harbor.example", "eve@elsewhere.example"
WEAKER, AS_STRONG = effect("weakens_guard"), no_effect("weakens_guard")
PUBLIC, NOT_OPEN = effect("exposes", target="public"), no_effect("exposes")


def shown(name: str, **parameters: Any) -> list[dict[str, Any]]:
    return effects_of(Happened(name, None, parameters), MIRA)


@pytest.mark.parametrize("name", ["ENFORCE_STRONG_AUTHENTICATION", "ALLOW_STRONG_AUTHENTICATION"])
def test_a_second_factor_is_no_longer_asked_for(name: str) -> None:
    assert shown(name, NEW_VALUE="false") == [WEAKER]
    assert shown(name, NEW_VALUE=False) == [WEAKER]
    assert shown(name, NEW_VALUE="true") == [AS_STRONG]
    assert shown(name) == []


def test_other_settings_of_security() -> None:
    methods = "CHANGE_ALLOWED_TWO_STEP_VERIFICATION_METHODS"
    assert shown(methods, NEW_VALUE="ANY") == [WEAKER]
    assert shown(methods, NEW_VALUE="ONLY_SECURITY_KEY") == [AS_STRONG]
    assert shown("TOGGLE_SSO_ENABLED", NEW_VALUE="false") == [no_effect("opens_trust")]
    assert shown("TOGGLE_SSO_ENABLED", NEW_VALUE="true") == []
    assert shown("WEAK_PROGRAMMATIC_LOGIN_SETTINGS_CHANGED", NEW_VALUE="DENIED") == [AS_STRONG]
    assert shown("WEAK_PROGRAMMATIC_LOGIN_SETTINGS_CHANGED", NEW_VALUE="ALLOWED") == []


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("Password Management - Enforce strong password", "off", [WEAKER]),
        ("Password Management - Enforce strong password", "on", []),
        ("ContextAwareAccess Enforcement", "DISABLED", [WEAKER]),
        ("SHARING_OUTSIDE_DOMAIN", "SHARING_ALLOWED", [WEAKER]),
        ("SHARING_OUTSIDE_DOMAIN", "SHARING_NOT_ALLOWED", []),
        ("PUBLISHING_TO_WEB", "ALLOWED", [WEAKER]),
        ("Colour of the page", "off", []),
    ],
)
def test_settings_of_applications(setting: str, value: str, expected: list[dict[str, Any]]) -> None:
    assert shown("CHANGE_APPLICATION_SETTING", SETTING_NAME=setting, NEW_VALUE=value) == expected


def test_how_far_calendars_may_be_shared() -> None:
    name, setting = "CHANGE_CALENDAR_SETTING", "SHARING_OUTSIDE_DOMAIN"
    assert shown(name, SETTING_NAME=setting, NEW_VALUE="READ_WRITE_ACCESS") == [WEAKER]
    assert shown(name, SETTING_NAME=setting, NEW_VALUE="SHOW_ONLY_FREE_BUSY_INFORMATION") == [AS_STRONG]
    assert shown(name, SETTING_NAME="ENABLE_EVENT_REMINDERS", NEW_VALUE="true") == [AS_STRONG]
    assert shown(name, SETTING_NAME=setting) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"visibility": "people_with_link", "visibility_change": "external"}, [PUBLIC]),
        ({"visibility": "people_with_link", "new_value": ["people_with_link"]}, [PUBLIC]),
        ({"visibility": "private", "new_value": ["private"]}, [NOT_OPEN]),
        ({"visibility": "shared_externally", "visibility_change": "external"}, [effect("exposes", target="outside")]),
        ({"visibility": "shared_internally", "visibility_change": "internal"}, [NOT_OPEN]),
        ({"visibility": "shared_internally"}, [NOT_OPEN]),
        ({"new_value": "public_on_the_web"}, [PUBLIC]),
        ({}, []),
    ],
)
def test_who_may_see_a_document(parameters: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert shown("change_document_visibility", owner=MIRA, **parameters) == expected


def test_a_document_is_shared_with_somebody() -> None:
    outside = effect("exposes", target="outside", uids=[EVE])
    assert shown("change_user_access", owner=MIRA, target_user=EVE, new_value="can_view") == [outside]
    assert shown("change_user_access", owner=MIRA, target_user=NILS, new_value="can_view") == [NOT_OPEN]
    assert shown("change_user_access", owner=MIRA, target_user=EVE, new_value="none") == [NOT_OPEN]


def test_a_calendar_is_shared() -> None:
    everybody = "__public_principal__@public.calendar.google.com"
    name = "change_calendar_acls"
    assert shown(name, grantee_email=everybody, access_level="freebusy") == [PUBLIC]
    assert shown(name, grantee_email=everybody, access_level="none") == [NOT_OPEN]
    assert shown(name, grantee_email=EVE, access_level="read") == [effect("exposes", target="outside", uids=[EVE])]
    assert shown(name, grantee_email=NILS, access_level="read") == [NOT_OPEN]


def test_a_shared_drive_for_the_domain_alone() -> None:
    assert shown("shared_drive_settings_change", new_value="true") == [NOT_OPEN]
    assert shown("shared_drive_settings_change", new_value="false") == []


@pytest.mark.parametrize(
    ("scopes", "power"),
    [
        (["https://www.googleapis.com/auth/gmail.readonly"], "data"),
        (["https://www.googleapis.com/auth/gmail.readonly", "https://mail.google.com/"], "admin"),
        ([], "admin"),
    ],
)
def test_a_client_that_acts_as_everybody(scopes: list[str], power: Any) -> None:
    """https://developers.google.com/workspace/admin/reports/v1/appendix/activity/admin-domain-settings"""
    given = shown("AUTHORIZE_API_CLIENT_ACCESS", API_CLIENT_NAME="1234", API_SCOPES=scopes)
    assert given == [effect("grants_power", target="identity", uids=["1234"], power=power)]
    assert shown("AUTHORIZE_API_CLIENT_ACCESS", API_SCOPES=scopes) == []


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("login_success", {"is_second_factor": True, "login_challenge_method": ["google_prompt"]}, "passed"),
        ("login_success", {"login_challenge_method": ["password"]}, "none"),
        ("login_success", {"login_challenge_method": ["password", "google_prompt"]}, None),
        ("login_success", {}, None),
        ("login_challenge", {"is_second_factor": "true", "login_challenge_status": "Challenge Passed"}, "passed"),
        ("login_challenge", {"is_second_factor": True, "login_challenge_status": "Challenge Failed."}, "failed"),
        ("login_challenge", {"login_challenge_status": "Challenge Failed"}, None),
        ("login_failure", {"login_challenge_method": ["password"]}, None),
        ("login_success", {"login_challenge_method": [None, 7, ["password"]]}, None),
    ],
)
def test_what_became_of_a_second_factor(name: str, parameters: dict[str, Any], expected: str | None) -> None:
    """https://developers.google.com/workspace/admin/reports/v1/appendix/activity/login"""
    assert second_factor_of(Happened(name, None, parameters)) == expected


@pytest.mark.parametrize("odd", [None, 7, "", "x", [], [None, {}], {}, {"a": []}, True], ids=repr)
def test_odd_parameters_never_raise(odd: Any) -> None:
    names = [
        "API_CLIENT_NAME",
        "API_SCOPES",
        "NEW_VALUE",
        "new_value",
        "SETTING_NAME",
        "visibility",
        "visibility_change",
        "target_user",
        "owner",
        "grantee_email",
    ]
    for name in SHOWING:
        assert isinstance(effects_of(Happened(name, None, dict.fromkeys(names, odd)), None), list)
    parameters = dict.fromkeys(("is_second_factor", "login_challenge_method", "login_challenge_status"), odd)
    assert second_factor_of(Happened("login_success", None, parameters)) in (None, "passed", "none")


def test_both_logs_carry_the_effects(tmp_path: Path) -> None:
    """https://cloud.google.com/logging/docs/audit/gsuite-audit-logging"""
    event = {
        "type": "SECURITY_SETTINGS",
        "name": "ENFORCE_STRONG_AUTHENTICATION",
        "parameters": [{"name": "NEW_VALUE", "value": "false"}],
    }
    activity = {
        "id": {"time": "2026-10-05T10:00:00Z", "uniqueQualifier": "1", "applicationName": "admin", "customerId": "C"},
        "actor": {"email": MIRA},
        "events": [event],
    }
    assert only("google_workspace_audit", activity, tmp_path)["detail"]["effects"] == [WEAKER]
    told = {"event": [{"eventName": event["name"], "parameter": event["parameters"]}]}
    found = workspace_events({"serviceName": "admin.googleapis.com", "metadata": told}, MIRA)
    assert found is not None and found.effects == [WEAKER] and found.second_factor is None
    sign_in = {"eventName": "login_success", "parameter": [{"name": "is_second_factor", "boolValue": True}]}
    found = workspace_events({"serviceName": "login.googleapis.com", "metadata": {"event": [sign_in]}}, MIRA)
    assert found is not None and found.second_factor == "passed"
