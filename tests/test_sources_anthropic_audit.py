"""The activity feed of Anthropic's Compliance API: records in, rows out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import claimed_by, keys, only, quarantined, rows

NAME = "anthropic_audit"
USER = {"type": "user_actor", "email_address": "mira@example.org", "user_id": "user_01", "ip_address": "192.0.2.7"}


def activity(kind: str, actor: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    own = {"id": "activity_1", "created_at": "2026-10-05T10:00:00Z", "organization_id": "org_1", "type": kind}
    return {**own, "actor": USER if actor is None else actor, **members}


def test_a_key_is_issued_used_and_revoked_under_one_id(tmp_path: Path) -> None:
    """An Admin API key is created under one prefix and acts under another; it is one credential."""
    created = only(NAME, activity("admin_api_key_created", admin_api_key_id="admin_api_key_9"), tmp_path)
    used = only(
        NAME, activity("group_created", {"type": "api_actor", "api_key_id": "apikey_9"}, group_id="g"), tmp_path
    )
    deleted = only(NAME, activity("admin_api_key_deleted", admin_api_key_id="admin_api_key_9"), tmp_path)
    assert created["issued_credential_uid"] == used["credential_uid"] == deleted["revoked_credential_uid"] == "apikey_9"
    assert (used["actor_uid"], used["actor_kind"]) == ("apikey_9", "service")
    assert (created["credential_uid"], created["revoked_credential_uid"]) == (None, None)


@pytest.mark.parametrize(
    ("kind", "members", "column"),
    [
        ("platform_api_key_created", {"api_key_id": "apikey_1"}, "issued_credential_uid"),
        ("service_key_created", {"service_key_id": "apikey_1"}, "issued_credential_uid"),
        ("service_key_revoked", {"service_key_id": "apikey_1"}, "revoked_credential_uid"),
        ("platform_api_key_updated", {"api_key_id": "apikey_1", "status": "inactive"}, "revoked_credential_uid"),
    ],
)
def test_which_activities_begin_and_end_a_key(kind: str, members: dict[str, Any], column: str, tmp_path: Path) -> None:
    """An update ends a key where it leaves it inactive."""
    row = only(NAME, activity(kind, **members), tmp_path)
    assert row[column] == "apikey_1"
    assert {"issued_credential_uid", "revoked_credential_uid"} - {column} == {
        name for name in ("issued_credential_uid", "revoked_credential_uid") if row[name] is None
    }


def test_an_active_key_that_is_renamed_ends_nothing(tmp_path: Path) -> None:
    """Only the status ends it."""
    row = only(NAME, activity("platform_api_key_updated", api_key_id="apikey_1", status="active"), tmp_path)
    assert row["revoked_credential_uid"] is None


@pytest.mark.parametrize(
    ("actor", "uid", "kind"),
    [
        (USER, "mira@example.org", "human"),
        ({"type": "user_actor", "user_id": "user_02"}, "user_02", "human"),
        ({"type": "admin_api_key_actor", "admin_api_key_id": "admin_api_key_3"}, "apikey_3", "service"),
        ({"type": "service_account_actor", "service_account_id": "svac_1"}, "svac_1", "service"),
        ({"type": "unauthenticated_user_actor", "unauthenticated_email_address": None}, None, "unknown"),
        ({"type": "scim_directory_sync_actor", "directory_id": "dir_1"}, "dir_1", "service"),
        ({"type": "system_actor", "service": "retention"}, "retention", "service"),
        ({"type": "anthropic_actor", "email_address": None}, "anthropic", "service"),
    ],
)
def test_every_kind_of_actor(actor: dict[str, Any], uid: str | None, kind: str, tmp_path: Path) -> None:
    """People by their address, keys and service accounts by their ids."""
    row = only(NAME, activity("claude_chat_created", actor, claude_chat_id="chat_1"), tmp_path)
    assert (row["actor_uid"], row["actor_kind"], row["resource_uids"]) == (uid, kind, ["chat_1"])


def test_a_federated_workload_shows_as_whom_it_appeared(tmp_path: Path) -> None:
    """The subject of its token leads to the event that issued it."""
    actor = {"type": "federated_identity_actor", "issuer": "https://i.example", "subject": "system:serviceaccount:a:b"}
    row = only(NAME, activity("platform_file_uploaded", actor), tmp_path)
    assert (row["actor_kind"], keys(row)) == ("workload", {("bearer", "system:serviceaccount:a:b", "uses")})


@pytest.mark.parametrize(
    ("kind", "classes", "outcome"),
    [
        ("sso_login_succeeded", (3002, 1), "success"),
        ("sso_login_failed", (3002, 1), "failure"),
        ("user_logged_out", (3002, 2), "success"),
        ("role_assignment_granted", (3005, 1), "success"),
        ("role_assignment_revoked", (3005, 2), "success"),
        ("group_member_added", (3006, 3), "success"),
        ("rbac_role_created", (6003, 1), "success"),
        ("something_never_heard_of", (6003, 99), "success"),
    ],
)
def test_classes_and_outcomes_follow_the_type(
    kind: str, classes: tuple[int, int], outcome: str, tmp_path: Path
) -> None:
    """A type is a noun and a verb."""
    row = only(NAME, activity(kind), tmp_path)
    assert ((row["class_uid"], row["activity_id"]), row["outcome"]) == (classes, outcome)
    assert row["action"] == f"anthropic:{kind}"


def test_a_page_of_the_feed_is_read_like_lines(tmp_path: Path) -> None:
    """The API answers with pages."""
    records = [activity("group_created", id=f"activity_{n}") for n in range(3)]
    page = {"data": records, "first_id": "activity_0", "has_more": False, "last_id": "activity_2"}
    for data in (json.dumps(page).encode(), json.dumps(page, indent=1).encode()):
        assert claimed_by(data) == [NAME]
        assert [row["native_id"] for row in rows(NAME, data, tmp_path)] == ["activity_0", "activity_1", "activity_2"]


def test_other_records_are_put_aside(tmp_path: Path) -> None:
    """Each with a reason of a few words."""
    data = b"\n".join(
        json.dumps(record).encode()
        for record in (activity("x_created", created_at=None), activity("x_created", {"type": "other_actor"}))
    )
    reasons = [row.reason for row in quarantined(NAME, data, tmp_path)]
    assert reasons == ["no time", "no type and known actor: not an activity of the feed"]


def test_real_events_are_read_whole(third_party: Path, tmp_path: Path) -> None:
    """Every recorded activity has who, what, when and with what result; its target where it names one."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        found = [line["event"] for line in map(json.loads, file) if line["log_type"] == "Anthropic.Activity"]
    data = b"\n".join(json.dumps(event).encode() for event in found)
    assert claimed_by(data) == [NAME] and all(claimed_by(json.dumps(event).encode()) == [NAME] for event in found)
    read = rows(NAME, data, tmp_path)
    assert (len(found), len(read), quarantined(NAME, data, tmp_path)) == (14, 14, [])
    for event, row in zip(found, read, strict=True):
        assert row["actor_uid"] == event["actor"]["email_address"]
        assert row["action"] == "anthropic:" + event["type"]
        assert row["src_ip"] == event["actor"]["ip_address"]
        assert row["outcome"] == "success"
        assert row["resource_uids"] == [event[name] for name in ("mcp_server_id",) if name in event]
