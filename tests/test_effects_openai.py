"""What entries of OpenAI's audit log do by themselves, beyond their type.

Shapes of records: https://platform.openai.com/docs/api-reference/audit-logs/object
"""

from typing import Any

import pytest
from source_samples import OPTIONS
from ultravires.reading.events import Event
from ultravires.sources.ai_platforms.openai_audit import events

SESSION = {"type": "session", "session": {"user": {"id": "user-mira", "email": "mira@example.org"}}}
SERVICE = {"type": "api_key", "api_key_used": {"type": "service_account", "service_account": {"id": "svc-1"}}}


def of(kind: str, details: Any = None, **members: Any) -> Event:
    own = {"id": "audit_log-1", "type": kind, "effective_at": 1791187964, "actor": SESSION, kind: details}
    return events({**own, **members}, OPTIONS)[0]


def effects(event: Event) -> list[tuple[str, str | None, Any, str | None]]:
    said = event.detail.get("effects", [])
    return [
        (one["effect"], one.get("target"), one.get("uids"), one.get("power")) for one in said if not one.get("absent")
    ]


def absent(event: Event) -> list[str]:
    return [one["effect"] for one in event.detail.get("effects", []) if one.get("absent")]


@pytest.mark.parametrize(
    ("scopes", "power"),
    [
        (["api.model.request"], "data"),
        (["api.management.read"], "data"),
        (["api.management.write"], "admin"),
        (["models:read", "organization:write"], "admin"),
        (["admin"], "admin"),
        (["all"], "data"),
    ],
)
def test_what_a_key_may_do(scopes: list[str], power: str) -> None:
    made = of("api_key.created", {"id": "key_1", "data": {"scopes": scopes}})
    assert effects(made) == [("issues_credential", "self", None, power)]
    changed = of("api_key.updated", {"id": "key_1", "changes_requested": {"scopes": scopes}})
    assert effects(changed) == [("grants_power", "identity", ["key_1"], power)]


def test_a_key_without_scopes() -> None:
    assert "effects" not in of("api_key.created", {"id": "key_1"}).detail
    assert absent(of("api_key.updated", {"id": "key_1", "data": {"name": "x"}})) == ["grants_power"]
    assert "effects" not in of("api_key.updated", {"id": "key_1"}).detail


def test_owners_of_an_organization_and_of_a_project() -> None:
    added = of("user.added", {"id": "user-tom", "data": {"role": "owner"}})
    assert effects(added) == [("grants_power", "identity", ["user-tom"], "admin")]
    own = of("user.updated", {"id": "user-mira", "changes_requested": {"role": "owner"}}, project={"id": "proj_1"})
    assert effects(own) == [("grants_power", "self", ["user-mira"], "permissions")]
    asked = of("invite.sent", {"id": "inv_1", "data": {"email": "tom@example.net", "role": "owner"}})
    assert effects(asked) == [("grants_power", "identity", ["tom@example.net"], "admin")]
    assert asked.detail["effects"][0]["offer"] is True and "offer" not in added.detail["effects"][0]
    assert "effects" not in of("user.added", {"id": "user-tom", "data": {"role": "reader"}}).detail


def assigned(role: str, **members: Any) -> Event:
    details = {"id": role, "principal_id": "user-tom", "principal_type": "user", "resource_type": "organization"}
    return of("role.assignment.created", {**details, **members})


def test_roles_that_are_assigned() -> None:
    assert effects(assigned("role-owner")) == [("grants_power", "identity", ["user-tom"], "admin")]
    assert effects(assigned("role-owner", resource_type="project"))[0][3] == "permissions"
    assert effects(assigned("role_abc")) == [("grants_power", "identity", ["user-tom"], None)]
    assert effects(assigned("role-owner", principal_id="user-mira"))[0][1] == "self"
    by_service = {"id": "role-owner", "principal_id": "svc-1"}
    assert effects(of("role.assignment.created", by_service, actor=SERVICE))[0][1] == "self"


def test_permissions_of_a_role() -> None:
    added = of("role.updated", {"id": "role_1", "changes_requested": {"permissions_added": ["api.management.write"]}})
    assert effects(added) == [("grants_power", "identity", ["role_1"], "admin")]
    taken = of("role.updated", {"id": "role_1", "changes_requested": {"permissions_removed": ["api.model.read"]}})
    assert effects(taken) == [("takes_power", "identity", ["role_1"], None)] and absent(taken) == ["grants_power"]
    assert "effects" not in of("role.updated", {"id": "role_1"}).detail


@pytest.mark.parametrize("kind", ["ip_allowlist.created", "ip_allowlist.updated"])
def test_a_list_that_lets_everybody_in(kind: str) -> None:
    wide = of(kind, {"id": "ip_1", "allowed_ips": ["192.0.2.0/24", "0.0.0.0/0"]})
    assert effects(wide) == [("weakens_guard", "public", ["0.0.0.0/0"], None)]
    assert "effects" not in of(kind, {"id": "ip_1", "allowed_ips": ["192.0.2.0/24"]}).detail


def test_settings_of_the_organization() -> None:
    off = of("organization.updated", {"id": "org-1", "changes_requested": {"api_call_logging": "disabled"}})
    assert effects(off) == [("weakens_evidence", "resource", None, None)]
    shown = of("organization.updated", {"changes_requested": {"threads_ui_visibility": "ANY_ROLE"}})
    assert effects(shown) == [("weakens_guard", "resource", None, None)]
    named = of("organization.updated", {"changes_requested": {"api_call_logging": "enabled_per_call"}})
    assert "effects" not in named.detail


@pytest.mark.parametrize("odd", [None, 7, "text", [], [[]], {}, {"a": 3}, [None, 1], True])
@pytest.mark.parametrize(
    "kind",
    [
        "api_key.created",
        "api_key.updated",
        "user.added",
        "role.assignment.created",
        "role.updated",
        "ip_allowlist.updated",
        "organization.updated",
    ],
)
def test_odd_content_costs_no_event(kind: str, odd: Any) -> None:
    names = ("id", "data", "changes_requested", "allowed_ips", "principal_id", "resource_type")
    asked = dict.fromkeys(
        ("scopes", "role", "email", "permissions_added", "permissions_removed", "api_call_logging"), odd
    )
    actor = {"type": "session", "session": odd, "api_key_used": odd}
    for details in (odd, dict.fromkeys(names, odd), {"data": asked}, {"changes_requested": asked}):
        assert of(kind, details, actor=actor).action == f"openai:{kind}"
