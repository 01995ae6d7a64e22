"""What activities of Anthropic's feed do by themselves, beyond their type, and what became of second factors.

Shapes of records: https://platform.claude.com/docs/en/api/compliance/activities/list
"""

from typing import Any

import pytest
from source_samples import OPTIONS
from ultravires.reading.events import Event
from ultravires.sources.ai_platforms.anthropic_audit import events

MIRA = {"type": "user_actor", "email_address": "mira@example.org", "user_id": "user_01Mira"}


def of(kind: str, **members: Any) -> Event:
    own = {"id": "activity_1", "created_at": "2026-10-05T08:00:00Z", "organization_id": "org_1", "actor": MIRA}
    return events({**own, "type": kind, **members}, OPTIONS)[0]


def effects(event: Event) -> list[tuple[str, str | None, Any, str | None]]:
    said = event.detail.get("effects", [])
    return [
        (one["effect"], one.get("target"), one.get("uids"), one.get("power")) for one in said if not one.get("absent")
    ]


def absent(event: Event) -> list[str]:
    return [one["effect"] for one in event.detail.get("effects", []) if one.get("absent")]


@pytest.mark.parametrize("kind", ["org_sso_toggled", "org_magic_link_second_factor_toggled"])
def test_a_guard_that_is_switched(kind: str) -> None:
    assert effects(of(kind, is_enabled=False)) == [("weakens_guard", "resource", None, None)]
    assert absent(of(kind, is_enabled=True)) == ["weakens_guard"]
    assert "effects" not in of(kind).detail


def test_evidence_that_is_switched() -> None:
    assert effects(of("org_compliance_api_settings_updated", is_enabled=False))[0][0] == "weakens_evidence"
    assert effects(of("org_compliance_api_settings_updated", state={"type": "disabled"}))[0][0] == "weakens_evidence"
    assert absent(of("org_compliance_api_settings_updated", enabled="true")) == ["weakens_evidence"]
    assert "effects" not in of("org_cowork_otlp_settings_updated", enabled=True).detail
    assert effects(of("org_cowork_otlp_settings_updated", enabled=False))[0][0] == "weakens_evidence"


def test_an_admin_key_that_may_only_read() -> None:
    reading = of("admin_api_key_created", scopes=["read:compliance_activities"])
    assert effects(reading) == [("issues_credential", "self", None, "data")]
    assert "effects" not in of("admin_api_key_created", scopes=["read:a", "write:members"]).detail
    assert "effects" not in of("admin_api_key_created").detail


def test_a_key_that_is_switched_off_or_named_otherwise() -> None:
    off = of("platform_api_key_updated", updates={"status": "inactive"})
    assert effects(off) == [("takes_power", "identity", None, None)] and absent(off) == ["issues_credential"]
    assert absent(of("scoped_api_key_updated", updates={"name": "x"})) == ["issues_credential"]
    assert "effects" not in of("platform_api_key_updated", updates={"status": "active"}).detail


def test_roles_that_manage_others() -> None:
    made = of("claude_user_role_updated", user_email="tom@example.org", previous_role="user", current_role="owner")
    assert effects(made) == [("grants_power", "identity", ["tom@example.org"], "admin")]
    own = of("claude_user_role_updated", user_id="user_01Mira", current_role="Primary Owner")
    assert effects(own) == [("grants_power", "self", ["user_01Mira"], "admin")]
    managing = of("platform_workspace_member_added", user_id="user_01Tom", workspace_role="workspace_admin")
    assert effects(managing) == [("grants_power", "identity", ["user_01Tom"], "permissions")]
    assert "effects" not in of("claude_user_role_updated", user_id="u", current_role="user").detail
    asked = of("org_user_invite_sent", invitee_email="tom@example.org", role="admin")
    assert asked.detail["effects"][0]["offer"] is True and "offer" not in made.detail["effects"][0]


def test_with_whom_something_is_shared() -> None:
    shown = of("claude_project_sharing_updated", current_visibility="public")
    assert effects(shown) == [("exposes", "public", None, "data")]
    assert absent(of("claude_artifact_sharing_updated", visibility="organization")) == ["exposes"]
    assert effects(of("claude_artifact_published", is_public=True))[0][1] == "public"
    assert "effects" not in of("claude_chat_snapshot_created").detail
    kind = "claude_artifact_external_sharing_permission_updated"
    assert effects(of(kind, action="allowed")) == [("exposes", "outside", None, "data")]
    assert absent(of(kind, action="revoked")) == ["exposes"]


def test_a_rule_that_lets_requests_out() -> None:
    assert effects(of("ccr_agent_proxy_rule_created", action="allow"))[0][0] == "weakens_guard"
    assert "effects" not in of("ccr_agent_proxy_rule_created", action="deny").detail


def test_access_that_is_taken_by_an_update() -> None:
    taken = of("claude_code_team_memory_acl_updated", action="removed")
    assert effects(taken) == [("takes_power", "identity", None, None)] and absent(taken) == ["grants_power"]
    assert "effects" not in of("claude_code_team_memory_acl_updated", action="added").detail


def test_second_factors() -> None:
    assert of("step_up_authentication_succeeded").detail["second_factor"] == "passed"
    assert of("step_up_authentication_failed").detail["second_factor"] == "failed"
    assert "second_factor" not in of("sso_login_succeeded").detail


@pytest.mark.parametrize("odd", [None, 7, "text", [], [[]], {}, {"type": 3}, [None, 1], True])
@pytest.mark.parametrize(
    "kind",
    [
        "org_sso_toggled",
        "org_compliance_api_settings_updated",
        "admin_api_key_created",
        "platform_api_key_updated",
        "claude_user_role_updated",
        "claude_project_sharing_updated",
        "claude_artifact_external_sharing_permission_updated",
    ],
)
def test_odd_content_costs_no_event(kind: str, odd: Any) -> None:
    names = ("is_enabled", "state", "scopes", "status", "updates", "current_role", "user_email", "visibility", "action")
    assert of(kind, **dict.fromkeys(names, odd)).action == f"anthropic:{kind}"
