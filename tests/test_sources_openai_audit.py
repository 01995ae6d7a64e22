"""OpenAI's organization audit logs: records in, rows out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import claimed_by, only, quarantined, rows

NAME = "openai_audit"
SESSION = {
    "type": "session",
    "session": {"user": {"id": "user-1", "email": "mira@example.org"}, "ip_address": "192.0.2.7"},
}


def entry(kind: str, actor: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    own = {"id": "audit_log-1", "type": kind, "effective_at": 1791194400, "object": "organization.audit_log"}
    return {**own, "actor": SESSION if actor is None else actor, **members}


def key_actor(**members: Any) -> dict[str, Any]:
    return {"type": "api_key", "api_key": {"id": "key_1", **members}}


@pytest.mark.parametrize("name", ["api_key.created", "api_key_created"])
def test_a_key_is_issued_used_and_revoked(name: str, tmp_path: Path) -> None:
    """By its tracking id, whichever way the details are named."""
    created = only(NAME, entry("api_key.created", **{name: {"id": "key_1", "data": {"scopes": ["all"]}}}), tmp_path)
    used = only(
        NAME, entry("project.created", key_actor(type="service_account", service_account={"id": "svc"})), tmp_path
    )
    deleted = only(NAME, entry("api_key.deleted", **{name.replace("created", "deleted"): {"id": "key_1"}}), tmp_path)
    assert created["issued_credential_uid"] == used["credential_uid"] == deleted["revoked_credential_uid"] == "key_1"
    assert (used["actor_uid"], used["actor_kind"]) == ("svc", "service")


def test_a_changed_key_is_neither_issued_nor_revoked(tmp_path: Path) -> None:
    """Its scopes change; it stays the same credential."""
    row = only(NAME, entry("api_key.updated", **{"api_key.updated": {"id": "key_1"}}), tmp_path)
    assert (row["issued_credential_uid"], row["revoked_credential_uid"]) == (None, None)
    assert row["resource_uids"] == ["key_1"]


def test_a_users_key_acts_for_its_user(tmp_path: Path) -> None:
    """The key is the credential, the person the actor."""
    row = only(
        NAME, entry("invite.sent", key_actor(type="user", user={"id": "u", "email": "jon@example.org"})), tmp_path
    )
    assert (row["actor_uid"], row["actor_kind"], row["credential_uid"]) == ("jon@example.org", "human", "key_1")


def test_which_key_acted_is_still_known_from_raw(tmp_path: Path) -> None:
    """`api_key` is a secret's name, and the object behind it would be hidden whole."""
    row = only(NAME, entry("project.archived", key_actor(type="user", user={"email": "jon@example.org"})), tmp_path)
    assert "redacted" not in row["raw"] and "key_1" in row["raw"]


@pytest.mark.parametrize(
    ("kind", "classes", "outcome"),
    [
        ("login.succeeded", (3002, 1), "success"),
        ("login.failed", (3002, 1), "failure"),
        ("logout.failed", (3002, 2), "failure"),
        ("role.assignment.created", (3005, 1), "success"),
        ("role.assignment.deleted", (3005, 2), "success"),
        ("service_account.deleted", (3001, 6), "success"),
        ("ip_allowlist.config.deactivated", (6003, 3), "success"),
    ],
)
def test_classes_and_outcomes_follow_the_type(
    kind: str, classes: tuple[int, int], outcome: str, tmp_path: Path
) -> None:
    """A type is a noun and a verb."""
    row = only(NAME, entry(kind, **{kind: {"error_code": "nope"}}), tmp_path)
    assert ((row["class_uid"], row["activity_id"]), row["outcome"]) == (classes, outcome)
    assert row["error_code"] == ("nope" if outcome == "failure" else None)


@pytest.mark.parametrize("moment", [1791194400, 1791194400.0, "1791194400", "2026-10-05T10:00:00Z"])
def test_the_time_in_seconds_or_words(moment: Any, tmp_path: Path) -> None:
    """Shippers rewrite it."""
    row = only(NAME, entry("login.succeeded", effective_at=moment), tmp_path)
    assert row["event_at"].isoformat() == "2026-10-05T10:00:00+00:00"


def test_a_page_is_read_like_lines(tmp_path: Path) -> None:
    """As the API answers."""
    page = {
        "object": "list",
        "data": [entry("login.succeeded", id=f"audit_log-{n}") for n in range(3)],
        "has_more": True,
    }
    data = json.dumps(page).encode()
    assert claimed_by(data) == [NAME]
    assert len(rows(NAME, data, tmp_path)) == 3


def test_other_records_are_put_aside(tmp_path: Path) -> None:
    """Each with its reason."""
    data = b"\n".join(
        json.dumps(record).encode()
        for record in (entry("login.succeeded", effective_at=None), entry("login.succeeded", actor=[]))  # type: ignore[arg-type]
    )
    reasons = [row.reason for row in quarantined(NAME, data, tmp_path)]
    assert reasons == ["no time", "no type and actor: not an entry of the audit log"]


def test_real_events_are_read_whole(third_party: Path, tmp_path: Path) -> None:
    """Every recorded entry has who, what, when and with what result; its target where it names one."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        found = [line["event"] for line in map(json.loads, file) if line["log_type"] == "OpenAI.Audit"]
    data = b"\n".join(json.dumps(event).encode() for event in found)
    assert claimed_by(data) == [NAME] and all(claimed_by(json.dumps(event).encode()) == [NAME] for event in found)
    read = rows(NAME, data, tmp_path)
    assert (len(found), len(read), quarantined(NAME, data, tmp_path)) == (16, 16, [])
    for event, row in zip(found, read, strict=True):
        said = event["actor"].get("session") or event["actor"]["api_key"]
        assert row["actor_uid"] == said["user"]["email"]
        assert row["action"] == "openai:" + event["type"]
        assert row["event_at"].timestamp() == event["effective_at"]
        assert row["outcome"] == ("failure" if event["type"] == "login.failed" else "success")
        details = event.get(event["type"].replace(".", "_"), {})
        named = [details["id"]] if "id" in details else [item["id"] for item in details.get("configs", [])]
        assert row["resource_uids"] == named
    issued = [row["issued_credential_uid"] for row in read if row["action"] == "openai:api_key.created"]
    assert len(issued) == 4 and all(issued)
