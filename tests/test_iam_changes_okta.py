"""Events of Okta's System Log that change who may do what.

Event types: https://developer.okta.com/docs/reference/api/event-types/; LogEvent and its targets:
https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/; the target of a consent (types of
targets are assumed from their names and were not seen in real records):
https://help.okta.com/en/prod/Content/Topics/Workflows/connector-reference/okta/events/oauth2appconsentgranted.htm
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import only, rows
from ultravires.reading.grants import given, gone, made, taken, whole

NORA = {"id": "00u2", "type": "User", "alternateId": "nora@example.org", "displayName": "Nora Sand"}
NORA_IN_APP = {"id": "0ua2", "type": "AppUser", "alternateId": "nsand", "displayName": "Nora Sand"}
GROUP = {"id": "00g1", "type": "UserGroup", "alternateId": "unknown", "displayName": "Finance"}
APP = {"id": "0oa1", "type": "AppInstance", "alternateId": "Ledger", "displayName": "Ledger"}
CLIENT = {"id": "0oa2", "type": "PublicClientApp", "alternateId": "0oa2", "displayName": "nightly-export"}
ROLE = {"id": "irb1", "type": "ROLE", "alternateId": "unknown", "displayName": "Help Desk Administrator"}
SET = {"id": "iam1", "type": "RESOURCE_SET", "alternateId": "unknown", "displayName": "Finance apps"}
SCOPE = {"id": "scp1", "type": "scope", "alternateId": None, "displayName": "okta.users.manage"}
NORA_UID, ADMIN = "nora@example.org", "administrator/nora@example.org"


def log_event(event_type: str, targets: Any, privileges: Any = None, **members: Any) -> dict[str, Any]:
    own = {
        "uuid": "5b0a0001-c9f1-11f0-8de9-0242ac120002",
        "published": "2026-10-05T08:00:00.250Z",
        "eventType": event_type,
        "version": "0",
        "severity": "INFO",
        "displayMessage": "",
        "actor": {"id": "00u1", "type": "User", "alternateId": "mira@example.org", "displayName": "Mira Holm"},
        "client": {"ipAddress": "192.0.2.41", "id": None},
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": targets,
        "transaction": {"id": "tx1", "type": "WEB", "detail": {}},
        "debugContext": {"debugData": {"privilegeGranted": privileges} if privileges else {}},
    }
    return {**own, **members}


def grants(folder: Path, *args: Any, **members: Any) -> Any:
    return only("okta_system", log_event(*args, **members), folder)["detail"].get("grants")


FIRING: list[tuple[str, list[Any], Any, list[Any]]] = [
    ("group.user_membership.add", [NORA, GROUP], None, [given("member", NORA_UID, "00g1")]),
    ("group.user_membership.remove", [NORA, GROUP], None, [taken("member", NORA_UID, "00g1")]),
    (
        "application.user_membership.add",
        [NORA_IN_APP, APP, NORA],
        None,
        [given("attached", NORA_UID, "okta_app/0oa1")],
    ),
    ("application.user_membership.remove", [NORA, APP], None, [taken("attached", NORA_UID, "okta_app/0oa1")]),
    ("group.application_assignment.add", [GROUP, APP], None, [given("attached", "00g1", "okta_app/0oa1")]),
    ("group.application_assignment.remove", [GROUP, APP], None, [taken("attached", "00g1", "okta_app/0oa1")]),
    (
        "user.account.privilege.grant",
        [NORA],
        "Super administrator, Group administrator (Finance, Sales)",
        [
            whole("attached", binding=ADMIN),
            given("attached", NORA_UID, "okta_role/Super administrator", binding=ADMIN),
            given("attached", NORA_UID, "okta_role/Group administrator (Finance, Sales)", binding=ADMIN),
        ],
    ),
    (
        "user.account.privilege.grant",
        [NORA, ROLE],
        None,
        [given("attached", NORA_UID, "okta_role/Help Desk Administrator", binding=ADMIN)],
    ),
    ("user.account.privilege.revoke", [NORA], None, [taken("attached", binding=ADMIN)]),
    (
        "user.account.privilege.revoke",
        [NORA, ROLE],
        None,
        [taken("attached", NORA_UID, "okta_role/Help Desk Administrator", binding=ADMIN)],
    ),
    (
        "group.privilege.grant",
        [GROUP],
        "Application administrator",
        [
            whole("attached", binding="administrator/00g1"),
            given("attached", "00g1", "okta_role/Application administrator", binding="administrator/00g1"),
        ],
    ),
    ("group.privilege.revoke", [GROUP], None, [taken("attached", binding="administrator/00g1")]),
    (
        "iam.resourceset.bindings.add",
        [SET, ROLE, GROUP],
        None,
        [given("attached", "00g1", "okta_role/Help Desk Administrator", scope="okta_resource_set/iam1")],
    ),
    (
        "iam.resourceset.bindings.delete",
        [SET, {**ROLE, "type": "CUSTOM_ROLE"}, CLIENT],
        None,
        [taken("attached", "0oa2", "okta_role/Help Desk Administrator", scope="okta_resource_set/iam1")],
    ),
    ("iam.role.create", [ROLE], None, [made("okta_role/Help Desk Administrator")]),
    ("iam.role.delete", [ROLE], None, [gone("okta_role/Help Desk Administrator")]),
    (
        "app.oauth2.as.consent.grant",
        [SCOPE, CLIENT],
        None,
        [given("attached", "0oa2", "okta_scope/okta.users.manage", scope="mira@example.org")],
    ),
    (
        "app.oauth2.as.consent.revoke",
        [SCOPE, CLIENT],
        None,
        [taken("attached", "0oa2", "okta_scope/okta.users.manage", scope="mira@example.org")],
    ),
    ("app.oauth2.admin.consent.grant", [SCOPE, APP], None, [given("attached", "0oa1", "okta_scope/okta.users.manage")]),
    (
        "app.oauth2.admin.consent.revoke",
        [SCOPE, APP],
        None,
        [taken("attached", "0oa1", "okta_scope/okta.users.manage")],
    ),
    ("user.lifecycle.create", [NORA], None, [made(NORA_UID)]),
    ("user.lifecycle.delete.completed", [NORA], None, [gone(NORA_UID)]),
    ("group.lifecycle.create", [GROUP], None, [made("00g1")]),
    ("group.lifecycle.delete", [GROUP], None, [gone("00g1")]),
    ("application.lifecycle.delete", [APP], None, [gone("0oa1"), gone("okta_app/0oa1")]),
]


@pytest.mark.parametrize(("event_type", "targets", "privileges", "said"), FIRING)
def test_an_event_says_what_it_changes(
    tmp_path: Path, event_type: str, targets: list[Any], privileges: Any, said: list[Any]
) -> None:
    assert grants(tmp_path, event_type, targets, privileges) == said


@pytest.mark.parametrize("event_type", sorted({event_type for event_type, *_ in FIRING}))
def test_what_failed_or_names_nobody_says_nothing(tmp_path: Path, event_type: str) -> None:
    targets = next(targets for name, targets, *_ in FIRING if name == event_type)
    failed = {"result": "FAILURE", "reason": "Insufficient permission"}
    assert grants(tmp_path, event_type, targets, "Super administrator", outcome=failed) is None
    assert grants(tmp_path, event_type, targets, outcome=None) is None
    odd: Any
    for odd in (None, {}, [None, 7, {}], [{"type": []}], [{"type": "User"}, {"type": "ROLE"}, {"type": "UserGroup"}]):
        assert grants(tmp_path, event_type, odd, {"a": 1}) is None


SILENT: list[tuple[str, list[Any]]] = [
    ("group.user_membership.add", [NORA]),
    ("application.user_membership.add", [APP]),
    ("user.account.privilege.grant", [NORA]),
    ("iam.resourceset.bindings.add", [SET, NORA]),
    ("iam.resourceset.bindings.add", [ROLE, NORA]),
    ("app.oauth2.as.consent.grant", [SCOPE]),
    ("app.oauth2.admin.consent.grant", [APP]),
    ("user.lifecycle.deactivate", [NORA]),
    ("user.session.start", [NORA]),
]


@pytest.mark.parametrize(("event_type", "targets"), SILENT)
def test_what_an_event_does_not_say_is_left_out(tmp_path: Path, event_type: str, targets: list[Any]) -> None:
    assert grants(tmp_path, event_type, targets) is None


def test_the_client_of_a_consent_may_be_told_beside_the_targets(tmp_path: Path) -> None:
    (found,) = grants(tmp_path, "app.oauth2.as.consent.grant", [SCOPE], client={"id": "0oa9"})
    assert found["holder"] == "0oa9"


def test_an_account_of_an_application_stands_for_a_user_who_is_not_told(tmp_path: Path) -> None:
    (found,) = grants(tmp_path, "application.user_membership.add", [NORA_IN_APP, APP])
    assert found["holder"] == "nsand"


def test_real_events_are_read(third_party: Path, tmp_path: Path) -> None:
    """None was lost for what it might have changed."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [line["event"] for line in map(json.loads, file) if line["log_type"] == "Okta.SystemLog"]
    lines = [{**each, "published": "2026-10-05T08:00:00Z"} for each in lines if each.get("eventType")]
    found = rows("okta_system", "\n".join(map(json.dumps, lines)).encode(), tmp_path)
    assert len(found) == len(lines) > 0
    assert [row for row in found if "grants" in row["detail"]] == []
