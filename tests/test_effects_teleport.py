"""What records of Teleport's audit log do by themselves, beyond their event, and what became of second factors.

Shapes of records: https://goteleport.com/docs/reference/audit-events
"""

from typing import Any

import pytest
from source_samples import OPTIONS
from ultravires.reading.events import Event
from ultravires.sources.teleport.audit import events


def of(event: str, code: str = "T1000I", **members: Any) -> Event:
    own = {"event": event, "code": code, "ei": 0, "uid": "u-1", "time": "2026-10-05T08:00:00Z", "user": "mira"}
    return events({**own, **members}, OPTIONS)[0]


def effects(event: Event) -> list[tuple[str, str | None, Any, str | None]]:
    said = event.detail.get("effects", [])
    return [
        (one["effect"], one.get("target"), one.get("uids"), one.get("power")) for one in said if not one.get("absent")
    ]


def absent(event: Event) -> list[str]:
    return [one["effect"] for one in event.detail.get("effects", []) if one.get("absent")]


def test_who_gets_a_role_that_edits_the_cluster() -> None:
    made = of("user.create", name="tom", connector="local", roles=["access", "editor"])
    assert effects(made) == [("grants_power", "identity", ["tom"], "admin")]
    own = of("user.update", name="mira", connector="local", roles=["editor"])
    assert effects(own) == [("grants_power", "self", ["mira"], "admin")]
    bot = of("bot.create", name="deploy", roles=["admin"])
    assert effects(bot) == [("grants_power", "identity", ["bot-deploy"], "admin")]
    assert "effects" not in of("user.create", name="tom", connector="local", roles=["access"]).detail


def test_a_sign_in_by_an_identity_provider_writes_the_user_and_gives_nothing() -> None:
    written = of("user.create", name="mira", connector="okta", roles=["editor"])
    assert effects(written) == [] and absent(written) == ["grants_power"]
    by_another = of("user.update", name="tom", connector="okta", roles=["editor"])
    assert effects(by_another)[0][1] == "identity"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"verb": "GET", "resource_kind": "secrets"}, "reads_secret"),
        ({"verb": "POST", "resource_kind": "clusterrolebindings"}, "grants_power"),
        ({"verb": "POST", "request_path": "/api/v1/namespaces/a/pods/b/exec?command=sh"}, "runs_code"),
        ({"verb": "GET", "resource_kind": "clusterrolebindings"}, None),
        ({"verb": "GET", "resource_kind": "pods", "request_path": "/api/v1/namespaces/a/pods/exec-1"}, None),
        ({"verb": "DELETE", "resource_kind": "secrets"}, None),
    ],
)
def test_requests_to_a_cluster(members: dict[str, Any], expected: str | None) -> None:
    assert [one[0] for one in effects(of("kube.request", **members))] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("DROP TABLE invoices", "destroys"),
        ("  truncate invoices", "destroys"),
        ("grant all on invoices to tom", "grants_power"),
        ("ALTER  ROLE tom SUPERUSER", "grants_power"),
        ("REVOKE all ON invoices FROM tom", "takes_power"),
        ("copy invoices to program 'curl example.net'", "runs_code"),
        ("copy invoices to stdout", None),
        ("select 'drop table invoices'", None),
        ("dropped", None),
        ("alter table invoices add c int", None),
    ],
)
def test_queries_of_databases(query: str, expected: str | None) -> None:
    assert [one[0] for one in effects(of("db.session.query", db_query=query))] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("event", "members", "expected"),
    [
        ("user.login", {"method": "local", "success": True, "mfa_device": {"mfa_device_type": "TOTP"}}, "passed"),
        ("user.login", {"method": "local", "success": True}, "none"),
        ("user.login", {"method": "saml", "success": True}, None),
        ("user.login", {"method": "local", "success": False, "code": "T1000W"}, None),
        ("mfa_auth_challenge.create", {}, "asked"),
        ("mfa_auth_challenge.validate", {"success": True}, "passed"),
        ("mfa_auth_challenge.validate", {"success": False, "code": "T1016W"}, "failed"),
        ("session.start", {"with_mfa": "m1"}, None),
    ],
)
def test_second_factors(event: str, members: dict[str, Any], expected: str | None) -> None:
    assert of(event, **members).detail.get("second_factor") == expected


ODD: list[Any] = [None, 7, "text", [], [[]], {}, {"a": 3}, [None, 1, {"x": [None]}], True]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("event", ["user.create", "bot.update", "kube.request", "db.session.query", "user.login"])
def test_odd_content_costs_no_event(event: str, odd: Any) -> None:
    names = ("name", "connector", "roles", "verb", "resource_kind", "request_path", "db_query", "user", "mfa_device")
    assert of(event, **dict.fromkeys(names, odd)).action == f"teleport:{event}"
