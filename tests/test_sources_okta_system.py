"""Okta System Log: records in, rows out."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, batches, claimed_by, keys, only, quarantined, rows

MIRA = {"id": "00u1", "type": "User", "alternateId": "mira@example.org", "displayName": "Mira Holm"}
AGENT = {"id": "wlp1", "type": "AI Agent", "alternateId": "unknown", "displayName": "agent-invoices"}
SERVICE = {"id": "0oa1", "type": "PublicClientApp", "alternateId": "0oa1", "displayName": "nightly-export"}


def log_event(event_type: str, **members: Any) -> dict[str, Any]:
    own = {
        "uuid": "5b0a0001-c9f1-11f0-8de9-0242ac120002",
        "published": "2026-10-05T08:00:00.250Z",
        "eventType": event_type,
        "version": "0",
        "severity": "INFO",
        "displayMessage": "",
        "actor": MIRA,
        "client": {"ipAddress": "192.0.2.41", "userAgent": {"rawUserAgent": "curl/8"}, "id": None},
        "authenticationContext": {"externalSessionId": "idx1"},
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": None,
        "transaction": {"id": "tx1", "type": "WEB", "detail": {}},
    }
    return {**own, **members}


def read(folder: Path, event_type: str, **members: Any) -> dict[str, Any]:
    return only("okta_system", log_event(event_type, **members), folder)


def token(kind: str, uid: str, **detail: Any) -> dict[str, Any]:
    return {"id": uid, "type": kind, "alternateId": None, "displayName": kind, "detailEntry": detail or None}


def test_a_session_is_issued_used_and_ended(tmp_path: Path) -> None:
    """The start issues the session, later events use it, the end revokes it."""
    start = read(tmp_path, "user.session.start")
    assert (start["credential_uid"], start["issued_credential_uid"]) == (None, "okta:idx1")
    used = read(tmp_path, "user.authentication.sso")
    assert (used["credential_uid"], used["issued_credential_uid"]) == ("okta:idx1", None)
    assert keys(used) == {("request", "tx1", "names")}
    end = read(tmp_path, "user.session.end")
    assert end["revoked_credential_uid"] == "okta:idx1"


def test_a_failed_start_issues_nothing(tmp_path: Path) -> None:
    """Okta writes a session id on failed sign-ins too."""
    row = read(tmp_path, "user.session.start", outcome={"result": "FAILURE", "reason": "INVALID_CREDENTIALS"})
    assert (row["outcome"], row["error_code"]) == ("failure", "INVALID_CREDENTIALS")
    assert row["issued_credential_uid"] is None


def test_an_administrator_who_clears_anothers_sessions_keeps_the_own(tmp_path: Path) -> None:
    """The session id of such an event is the caller's, and the ended ones are not named."""
    row = read(tmp_path, "user.session.clear", target=[{**MIRA, "alternateId": "otto@example.org"}])
    assert (row["credential_uid"], row["revoked_credential_uid"]) == ("okta:idx1", None)


def test_an_api_token_is_the_credential_of_what_it_did(tmp_path: Path) -> None:
    """It wins over the transient session that an API call gets."""
    created = read(tmp_path, "system.api_token.create", target=[token("Token", "00T1")])
    assert (created["credential_uid"], created["issued_credential_uid"]) == ("okta:idx1", "okta:00T1")
    transaction = {"id": "tx2", "type": "WEB", "detail": {"requestApiTokenId": "00T1"}}
    used = read(tmp_path, "user.lifecycle.suspend", transaction=transaction)
    assert used["credential_uid"] == "okta:00T1"
    revoked = read(tmp_path, "system.api_token.revoke", target=[token("Token", "00T1")])
    assert revoked["revoked_credential_uid"] == "okta:00T1"


def test_a_service_gets_a_token_for_itself(tmp_path: Path) -> None:
    """The token's id, its end, and as whom its holder appears; nobody else is behind it."""
    row = read(
        tmp_path,
        "app.oauth2.as.token.grant.access_token",
        actor=SERVICE,
        client={"id": "0oa1"},
        authenticationContext={"externalSessionId": "unknown"},
        target=[token("access_token", "AT.1", expires="2026-10-05T09:00:00.000Z", subject="0oa1", hash="h")],
    )
    assert (row["actor_uid"], row["actor_kind"], row["on_behalf_of_uid"]) == ("0oa1", "service", None)
    assert (row["credential_uid"], row["via_service"]) == (None, None)
    assert row["issued_credential_uid"] == "okta:AT.1"
    assert row["issued_expires_at"].isoformat() == "2026-10-05T09:00:00+00:00"
    assert ("bearer", "0oa1", "names") in keys(row)


def test_an_agent_gets_a_token_for_a_person(tmp_path: Path) -> None:
    """ID-JAG: the agent is the actor, the user among the targets is for whom it acts."""
    row = read(
        tmp_path,
        "app.oauth2.token.grant.id_jag",
        actor=AGENT,
        target=[MIRA, token("id_jag", "IDJAG.1", subject="mira@example.org", actor='{"sub": "wlp1"}')],
    )
    assert (row["actor_uid"], row["actor_kind"]) == ("wlp1", "agent")
    assert row["on_behalf_of_uid"] == "mira@example.org"
    assert row["issued_credential_uid"] == "okta:IDJAG.1"
    assert keys(row) == {("request", "tx1", "names")}


@pytest.mark.parametrize("actor", ['{"sub": "wlp1"}', {"sub": "wlp1"}, "wlp1"])
def test_a_token_of_a_person_says_which_agent_acts(actor: Any, tmp_path: Path) -> None:
    """`act.sub` stands between the person and the resource, however it is written."""
    tokens = [token("access_token", "AT.1", subject="mira@example.org", actor=actor)]
    row = read(tmp_path, "app.oauth2.as.token.grant.access_token", target=tokens)
    assert (row["actor_uid"], row["via_service"]) == ("mira@example.org", "wlp1")


def test_a_token_ends_by_its_id(tmp_path: Path) -> None:
    """Whatever server issued it, and whoever ended it."""
    for event_type in ("app.oauth2.token.revoke", "app.oauth2.as.token.revoke.implicit.user"):
        row = read(tmp_path, event_type, target=[MIRA, token("access_token", "AT.1")])
        assert row["revoked_credential_uid"] == "okta:AT.1"


@pytest.mark.parametrize(
    ("result", "reason", "outcome"),
    [
        ("SUCCESS", None, "success"),
        ("ALLOW", None, "success"),
        ("FAILURE", "LOCKED_OUT", "failure"),
        ("FAILURE", "no_matching_policy", "denied"),
        ("DENY", None, "denied"),
        ("CHALLENGE", None, "unknown"),
        ("SKIPPED", None, "unknown"),
        (None, None, "unknown"),
        (["SUCCESS"], None, "unknown"),
    ],
)
def test_results_are_ours(result: Any, reason: Any, outcome: str, tmp_path: Path) -> None:
    """A challenge is neither: its answer is in a later event. A refused grant is a refusal."""
    row = read(tmp_path, "app.oauth2.as.token.grant", outcome={"result": result, "reason": reason})
    assert row["outcome"] == outcome


def test_eventbridge_and_pages_of_the_api_hold_the_same_events(tmp_path: Path) -> None:
    """An envelope, an array and a line give one id."""
    event = log_event("user.session.start")
    envelope = {"detail-type": "SystemLog", "source": "aws.partner/okta.com/example-org/auditlogs", "detail": event}
    forms = [json.dumps(form).encode() for form in (event, [event], envelope)] + [
        json.dumps([event], indent=2).encode()
    ]
    assert len({rows("okta_system", form, tmp_path)[0]["event_id"] for form in forms}) == 1
    assert [claimed_by(form) for form in forms] == [["okta_system"]] * 4


def test_other_deliveries_of_eventbridge_are_not_oktas(tmp_path: Path) -> None:
    """Neither another partner's nor a record that only mentions Okta."""
    other = {"detail-type": "SystemLog", "source": "aws.partner/example.org", "detail": {"a": "b"}}
    assert claimed_by(json.dumps(other).encode()) == []
    (row,) = quarantined("okta_system", b'{"published": "2026-10-05T08:00:00Z", "actor": {}}', tmp_path)
    assert row.reason == "no eventType: not an Okta event"


def test_names_in_lower_case_are_read_too(tmp_path: Path) -> None:
    """Some pipelines lower the names of members."""
    event = {name.lower(): value for name, value in log_event("user.session.start").items()}
    assert only("okta_system", event, tmp_path)["issued_credential_uid"] == "okta:idx1"
    assert claimed_by(json.dumps(event).encode()) == ["okta_system"]


def test_no_column_holds_a_hash_of_a_token() -> None:
    """Ids name tokens; what the vendor derived from the value stays in the record."""
    expected = (Path(__file__).parent.parent / "data/sources/okta_system/expected.jsonl").read_text()
    assert b"example0hash" in SAMPLES["okta_system"] and "example0hash" not in expected


def real_events(folder: Path) -> list[dict[str, Any]]:
    with gzip.open(folder / "panther_tests.jsonl.gz") as file:
        lines = [json.loads(line) for line in file]
    return [line["event"] for line in lines if line["log_type"] == "Okta.SystemLog"]


def test_every_real_event_with_a_time_is_read(third_party: Path, tmp_path: Path) -> None:
    """Read without the reader's help: who, what, how it ended, on what, in which session."""
    found = real_events(third_party)
    data = "\n".join(map(json.dumps, found)).encode()
    assert Counter(row.reason for row in quarantined("okta_system", data, tmp_path)) == {"no time": 8}
    timed = [event for event in found if event.get("published")]
    read_ = [row for batch in batches("okta_system", data, tmp_path) for row in batch.events.to_pylist()]
    assert len(read_) == len(timed) == 39
    lowered = [{name.lower(): value for name, value in event.items()} for event in timed]
    for event, row in zip(lowered, read_, strict=True):
        actor = event["actor"]
        assert row["actor_uid"] == (actor["id"] if actor["alternateId"] == "unknown" else actor["alternateId"])
        assert row["actor_kind"] == "human"
        assert row["action"] == "okta:" + event["eventtype"]
        expected = {"SUCCESS": "success", "FAILURE": "failure", "DENY": "denied"}
        assert row["outcome"] == expected.get(event.get("outcome", {}).get("result"), "unknown")
        assert len(row["resource_uids"]) == len(event.get("target") or [])
        assert row["src_ip"] == event["client"]["ipAddress"]
        assert row["event_at"].strftime("%Y-%m-%d %H:%M:%S") == event["published"][:19]
        session = event.get("authenticationcontext", {}).get("externalSessionId")
        if session and not event.get("transaction", {}).get("detail", {}).get("requestApiTokenId"):
            assert f"okta:{session}" in (row["credential_uid"], row["issued_credential_uid"]) or row["outcome"] == (
                "failure"
            )
