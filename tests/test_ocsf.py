"""Alerts are valid OCSF 1.8.0, whatever stands in the logs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from findings_world import World, new_world
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from ultravires.alerting.ocsf import (
    CLOSE,
    CREATE,
    MAX_EVIDENCES,
    MAX_TEXT,
    UPDATE,
    Evidence,
    Finding,
    attack_of,
    finding_as_ocsf,
    held_notice_as_ocsf,
)
from ultravires.sinks.alerts_file import FILE_NAME
from ultravires.sinks.splunk_hec import MAX_REQUEST_BYTES

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
TITLES = {
    "attack.t1078.004": "Valid Accounts: Cloud Accounts",
    "attack.t1528": "Steal Application Access Token",
    "attack.persistence": "Persistence",
    "mitre-atlas.aml-t0053": "AI Agent Tool Invocation",
    "owasp-asi.asi03": "Identity and Privilege Abuse",
}
HOSTILE = '<script>alert(1)</script>\u202e"}\n\x00\ud7ff' + "\U0001f600" * 20_000

FULL = Finding(
    finding_id="fi_0123456789abcdef01234567",
    detector_id="ultravires_agent_mints_credential",
    detector_kind="rule",
    title="Agent mints a credential",
    message="deploy-bot made an access key.",
    subject_kind="credential",
    subject_uid="AKIA1",
    identity_id="deploy-bot",
    actor_uid="arn:aws:iam::1:role/bot",
    chain_id="ch_0123456789abcdef0123",
    severity="high",
    risk_score=72,
    risk_parts={"severity": 40, "privilege": 10, "outcome": 5},
    confidence=0.8,
    n_evidence=3,
    evidence_classes=["aws_cloudtrail/activity", "opa_decisions/decision"],
    first_at=AT - timedelta(hours=2),
    last_at=AT - timedelta(hours=1),
    is_historic=False,
    gaps=["no decision"],
    frameworks=list(TITLES),
    remediation="Revoke the key.",
    rule_version="abc",
    class_uid=2004,
    revision=1,
    description="A key outlives the task.",
)
BARE = replace(
    FULL,
    identity_id=None,
    actor_uid=None,
    chain_id=None,
    confidence=None,
    n_evidence=0,
    evidence_classes=[],
    gaps=[],
    frameworks=[],
    remediation=None,
    description=None,
)
EVENT = Evidence(
    event_id="e1",
    event_at=AT,
    log="aws_cloudtrail",
    kind="activity",
    actor_uid="arn:aws:iam::1:role/bot",
    actor_kind="role",
    action="iam:CreateAccessKey",
    resource_uids=["arn:aws:iam::1:user/ops"],
    outcome="success",
    src_ip="198.51.100.7",
)
EMPTY_EVENT = Evidence("e2", AT, "approvals", "approval", None, None, None, [], None, None)
HOSTILE_EVENT = replace(EVENT, actor_uid=HOSTILE, action=HOSTILE, resource_uids=[HOSTILE] * 200, src_ip=HOSTILE)


@cache
def validator(class_uid: int) -> Draft202012Validator:
    name = {2004: "detection_finding", 2008: "iam_analysis_finding"}[class_uid]
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0")).get_class_schema(name, profiles=[])
    return Draft202012Validator(schema)


def assert_valid(body: dict[str, Any]) -> None:
    """Valid against the published schema, as it will be read: after a round trip through JSON."""
    received = json.loads(json.dumps(body))
    assert not [error.message for error in validator(received["class_uid"]).iter_errors(received)]
    assert received["type_uid"] == received["class_uid"] * 100 + received["activity_id"]


def as_ocsf(finding: Finding, evidence: list[Evidence], activity_id: int = CREATE) -> dict[str, Any]:
    return finding_as_ocsf(finding, evidence, alert_id="a" * 64, activity_id=activity_id, at=AT, titles=TITLES)


@pytest.mark.parametrize("activity_id", [CREATE, UPDATE, CLOSE])
@pytest.mark.parametrize("class_uid", [2004, 2008])
@pytest.mark.parametrize("detector_kind", ["rule", "model"])
@pytest.mark.parametrize("severity", ["informational", "low", "medium", "high", "critical"])
@pytest.mark.parametrize("finding", [FULL, BARE], ids=["full", "bare"])
def test_every_kind_of_finding_is_valid(
    finding: Finding, severity: str, detector_kind: str, class_uid: int, activity_id: int
) -> None:
    """Both classes, all severities and activities, with everything known and with next to nothing."""
    case = replace(finding, severity=severity, detector_kind=detector_kind, class_uid=class_uid)
    assert_valid(as_ocsf(case, [EVENT, EMPTY_EVENT], activity_id))
    assert_valid(as_ocsf(case, [], activity_id))


@pytest.mark.parametrize("class_uid", [2004, 2008])
def test_hostile_values_stay_values_and_stay_short(class_uid: int) -> None:
    """What a log could make endless is cut, so that one alert always fits one request."""
    case = replace(FULL, class_uid=class_uid, message=HOSTILE, subject_uid=HOSTILE, identity_id="x")
    body = as_ocsf(case, [HOSTILE_EVENT] * 100)
    assert_valid(body)
    assert len(body["message"]) == MAX_TEXT
    assert len(json.dumps(body, ensure_ascii=False).encode()) < MAX_REQUEST_BYTES


@pytest.mark.parametrize("source", ["AWS Internal", "cloudformation.amazonaws.com", "2001:db8::1"])
def test_a_source_that_is_no_address_is_a_name(source: str) -> None:
    """OCSF checks addresses; the names that clouds write there must not make the alert invalid."""
    body = as_ocsf(FULL, [replace(EVENT, src_ip=source)])
    assert_valid(body)
    assert source in body["evidences"][0]["src_endpoint"].values()


def test_the_alert_says_who_what_where_and_why() -> None:
    """Identifiers, times in milliseconds, evidence, references, risk and remediation stand where OCSF has them."""
    body = as_ocsf(FULL, [EVENT])
    info = body["finding_info"]
    assert (body["time"], info["first_seen_time"]) == (1_795_176_000_000, 1_795_168_800_000)
    assert (body["status"], body["severity_id"], body["risk_score"]) == ("New", 4, 72)
    assert (info["uid"], info["analytic"]["uid"]) == (FULL.finding_id, FULL.detector_id)
    assert info["desc"] == "A key outlives the task." and body["remediation"] == {"desc": "Revoke the key."}
    assert [event["uid"] for event in info["related_events"]] == ["e1"]
    assert body["metadata"]["uid"] == "a" * 64 and body["metadata"]["correlation_uid"] == FULL.chain_id
    evidence = body["evidences"][0]
    assert evidence["api"] == {"operation": "CreateAccessKey", "service": {"name": "iam"}}
    assert evidence["actor"]["user"]["uid"] == EVENT.actor_uid and evidence["data"]["outcome"] == "success"
    assert body["unmapped"]["risk_parts"] == FULL.risk_parts
    assert body["unmapped"]["frameworks"] == FULL.frameworks


def test_closing_is_resolved() -> None:
    """The three activities carry OCSF's status."""
    assert [as_ocsf(FULL, [], activity)["status_id"] for activity in (CREATE, UPDATE, CLOSE)] == [1, 2, 4]


def test_evidence_is_bounded_and_counted_whole() -> None:
    """Artifacts are few, related events are all that are listed, the count is the true one."""
    body = as_ocsf(replace(FULL, n_evidence=5000), [EVENT] * 100)
    assert len(body["evidences"]) == MAX_EVIDENCES
    assert len(body["finding_info"]["related_events"]) == 100
    assert body["finding_info"]["related_events_count"] == body["count"] == 5000


def test_references_to_mitre_become_attacks() -> None:
    """Technique, sub-technique, tactic and ATLAS technique; other frameworks are no attacks."""
    assert attack_of("attack.t1078.004", TITLES) == {
        "technique": {"uid": "T1078", "name": "Valid Accounts"},
        "sub_technique": {"uid": "T1078.004", "name": "Cloud Accounts"},
    }
    assert attack_of("attack.t1528", TITLES) == {
        "technique": {"uid": "T1528", "name": "Steal Application Access Token"}
    }
    assert attack_of("attack.t9999", {}) == {"technique": {"uid": "T9999"}}
    assert attack_of("attack.persistence", TITLES) == {"tactic": {"name": "Persistence"}}
    assert attack_of("mitre-atlas.aml-t0053", TITLES) == {
        "technique": {"uid": "AML.T0053", "name": "AI Agent Tool Invocation"}
    }
    assert attack_of("owasp-asi.asi03", TITLES) is None


def test_the_notice_of_held_alerts_is_valid() -> None:
    """The one alert that no detector made is OCSF as well."""
    body = held_notice_as_ocsf(alert_id="b" * 64, sink="splunk_hec", n_held=42, max_per_hour=100, at=AT)
    assert_valid(body)
    assert "42 alerts" in body["message"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(tmp_path / "home") as world:
        yield world


def test_what_the_outbox_holds_is_valid_and_holds_no_raw_record(world: World) -> None:
    """Bodies made from the tables are valid for every class and activity; the raw record stays at home."""
    world.detector("rule_2004", frameworks=["attack.t1098.001", "attack.persistence"])
    world.detector("rule_2008", class_uid=2008)
    world.detector("model_2004", kind="model")
    for n, detector in enumerate(("rule_2004", "rule_2008", "model_2004")):
        world.hit(detector, HOSTILE, [world.event(f"e{n}", action=HOSTILE, actor="a")], chain=f"ch_{n}", score=0.9)
    world.update()
    world.con.execute("create table saved as from hits")
    world.con.execute("delete from hits")
    world.update()
    world.con.execute("insert into hits from saved")
    world.update()
    rows = world.rows("from alerts where sink = 'alerts_file'")
    assert sorted((row["activity_id"], row["revision"]) for row in rows) == [(1, 1)] * 3 + [(2, 3)] * 3 + [(3, 2)] * 3
    for row in rows:
        body = json.loads(row["body"])
        assert_valid(body)
        assert "raw record" not in row["body"] and "\n" not in row["body"]
        assert body["metadata"]["uid"] == row["alert_id"] and body["activity_id"] == row["activity_id"]


def test_every_alert_of_the_samples_is_valid(sample_home: Path) -> None:
    """What a whole run writes to alerts.jsonl is OCSF, line by line, and each id stands there once."""
    bodies = [json.loads(line) for line in (sample_home / FILE_NAME).read_text(encoding="utf-8").splitlines()]
    for body in bodies:
        assert_valid(body)
    assert len({body["metadata"]["uid"] for body in bodies}) == len(bodies) >= 20
    assert {body["class_uid"] for body in bodies} <= {2004, 2008}
