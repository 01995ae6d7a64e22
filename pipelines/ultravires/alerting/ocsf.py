"""A finding as OCSF 1.8.0 JSON: Detection Finding (2004), or IAM Analysis Finding (2008) for drift.

Source of every attribute: https://schema.ocsf.io/1.8.0. Times are milliseconds since 1970 in UTC. The
vendor's raw record never leaves with an alert: evidence names the event, who, what, on what, from where
and how it ended.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from ultravires import __version__

OCSF_VERSION = "1.8.0"
DETECTION_FINDING = 2004
IAM_ANALYSIS_FINDING = 2008
CREATE, UPDATE, CLOSE = 1, 2, 3

# A receiver takes about a megabyte a request: what a log could make endless is cut.
MAX_TEXT = 500
MAX_EVIDENCES = 20
MAX_RESOURCES = 50
MAX_RESOURCES_OF_EVIDENCE = 10

_CLASS_NAMES = {DETECTION_FINDING: "Detection Finding", IAM_ANALYSIS_FINDING: "IAM Analysis Finding"}
_ACTIVITY_NAMES = {CREATE: "Create", UPDATE: "Update", CLOSE: "Close"}
_STATUS = {CREATE: (1, "New"), UPDATE: (2, "In Progress"), CLOSE: (4, "Resolved")}
_SEVERITY = {
    "informational": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
_ANALYTIC = {"rule": (1, "Rule"), "model": (2, "Behavioral")}
_USER_TYPE = {"human": 1, "agent": 4, "role": 4, "service": 4, "workload": 4}


@dataclass(frozen=True)
class Finding:
    """A row of the table `findings`, with the detector's description."""

    finding_id: str
    detector_id: str
    detector_kind: str
    title: str
    message: str
    subject_kind: str
    subject_uid: str
    identity_id: str | None
    actor_uid: str | None
    chain_id: str | None
    severity: str
    risk_score: int
    risk_parts: Mapping[str, int]
    confidence: float | None
    n_evidence: int
    evidence_classes: Sequence[str]
    first_at: datetime
    last_at: datetime
    is_historic: bool
    gaps: Sequence[str]
    frameworks: Sequence[str]
    remediation: str | None
    rule_version: str
    class_uid: int
    revision: int
    description: str | None
    facts: Sequence[str] = ()


@dataclass(frozen=True)
class Evidence:
    """An event that a finding rests on, in its columns."""

    event_id: str
    event_at: datetime
    log: str
    kind: str
    actor_uid: str | None
    actor_kind: str | None
    action: str | None
    resource_uids: Sequence[str]
    outcome: str | None
    src_ip: str | None


@dataclass(frozen=True)
class Other:
    """A finding that tells of the same act as another one."""

    finding_id: str
    detector_id: str
    detector_kind: str
    title: str
    severity: str
    rule_version: str


def finding_as_ocsf(
    finding: Finding,
    evidence: Sequence[Evidence],
    *,
    alert_id: str,
    activity_id: int,
    at: datetime,
    titles: Mapping[str, str],
    others: Sequence[Other] = (),
    news: str = "",
) -> dict[str, Any]:
    """The alert as a JSON-able dict that is valid against the published schema of its class.

    `evidence` in order of time, `at` the moment of the logs (`as_of`) at which the finding became so,
    `titles` the names of framework references, `others` who else tells of its acts, the worst first, `news` the
    sentence with which an update begins.
    """
    body = {
        **_classification(finding.class_uid, activity_id),
        **_status(finding.severity, activity_id),
        **_confidence(finding.confidence),
        "time": millis(at),
        "message": cut(f"{news} {finding.message}".strip()),
        "count": max(finding.n_evidence, 1),
        "start_time": millis(finding.first_at),
        "end_time": millis(finding.last_at),
        "finding_info": _finding_info(finding, evidence, at=at, titles=titles) | _related_analytics(others),
        "metadata": _metadata(alert_id, finding.detector_id, finding.chain_id, finding.revision),
        "unmapped": _unmapped(finding, evidence) | _also_told_by(others),
    }
    if finding.remediation:
        body["remediation"] = {"desc": cut(finding.remediation)}
    if resources := _resources(evidence):
        body["resources"] = resources
    if finding.class_uid == IAM_ANALYSIS_FINDING:
        return body | _iam_analysis(finding)
    return body | _detection(finding, evidence)


def held_notice_as_ocsf(*, alert_id: str, sink: str, n_held: int, max_per_hour: int, at: datetime) -> dict[str, Any]:
    """The one alert that says how many others a sink's hourly bound held back; `at` is the hour."""
    title = "Alerts held back by the hourly bound"
    message = (
        f"{n_held} alerts for the sink {sink} are held: it takes {max_per_hour} an hour. They follow in "
        "later runs, the most severe first; all of them stand in alerts.jsonl."
    )
    return {
        **_classification(DETECTION_FINDING, CREATE),
        **_status("medium", CREATE),
        "time": millis(at),
        "message": message,
        "count": n_held,
        "is_alert": True,
        "finding_info": {
            "uid": f"held_{alert_id[:24]}",
            "title": title,
            "desc": message,
            "types": ["Delivery notice"],
            "analytic": {"uid": "alerts_held", "name": title, "type_id": 1, "type": "Rule"},
        },
        "metadata": _metadata(alert_id, "alerts_held", None, 1),
        "unmapped": {"sink": sink, "n_held": n_held, "max_per_hour": max_per_hour},
    }


def millis(at: datetime) -> int:
    """Milliseconds since 1970; OCSF's timestamp_t."""
    return int(at.timestamp() * 1000)


def cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _classification(class_uid: int, activity_id: int) -> dict[str, Any]:
    return {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": class_uid,
        "class_name": _CLASS_NAMES[class_uid],
        "activity_id": activity_id,
        "activity_name": _ACTIVITY_NAMES[activity_id],
        "type_uid": class_uid * 100 + activity_id,
        "type_name": f"{_CLASS_NAMES[class_uid]}: {_ACTIVITY_NAMES[activity_id]}",
    }


def _status(severity: str, activity_id: int) -> dict[str, Any]:
    severity_id, severity_name = _SEVERITY[severity]
    status_id, status = _STATUS[activity_id]
    return {"severity_id": severity_id, "severity": severity_name, "status_id": status_id, "status": status}


def _confidence(confidence: float | None) -> dict[str, Any]:
    if confidence is None:
        return {"confidence_id": 0, "confidence": "Unknown"}
    if confidence >= 0.5:
        confidence_id, name = (3, "High") if confidence >= 0.8 else (2, "Medium")
    else:
        confidence_id, name = 1, "Low"
    return {"confidence_id": confidence_id, "confidence": name, "confidence_score": round(confidence * 100)}


def _metadata(alert_id: str, detector_id: str, chain_id: str | None, revision: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "version": OCSF_VERSION,
        "product": {"name": "Ultravires", "vendor_name": "Ultravires", "version": __version__},
        "uid": alert_id,
        "event_code": detector_id,
        "sequence": revision,
    }
    return metadata | ({"correlation_uid": chain_id} if chain_id else {})


def _finding_info(
    finding: Finding, evidence: Sequence[Evidence], *, at: datetime, titles: Mapping[str, str]
) -> dict[str, Any]:
    kind = "Entitlement drift" if finding.class_uid == IAM_ANALYSIS_FINDING else _ANALYTIC[finding.detector_kind][1]
    info: dict[str, Any] = {
        "uid": finding.finding_id,
        "title": cut(finding.title),
        "desc": cut(finding.description or finding.message),
        "types": [kind],
        "analytic": _analytic(finding),
        "data_sources": sorted({name.split("/")[0] for name in finding.evidence_classes}),
        "first_seen_time": millis(finding.first_at),
        "last_seen_time": millis(finding.last_at),
        "modified_time": millis(at),
        "related_events": [_related_event(event) for event in evidence],
        "related_events_count": finding.n_evidence,
    }
    attacks = [attack for reference in finding.frameworks if (attack := attack_of(reference, titles))]
    return info | ({"attacks": attacks} if attacks else {})


def _related_analytics(others: Sequence[Other]) -> dict[str, Any]:
    """Who else speaks of the act, each detector once."""
    by_detector = {other.detector_id: other for other in others}
    return {"related_analytics": [_analytic(one) for one in by_detector.values()]} if by_detector else {}


def _also_told_by(others: Sequence[Other]) -> dict[str, Any]:
    told = [
        {
            "finding_id": other.finding_id,
            "detector_id": other.detector_id,
            "title": cut(other.title),
            "severity": other.severity,
        }
        for other in others[:MAX_RESOURCES]
    ]
    return {"also_told_by": told} if told else {}


def _analytic(finding: Finding | Other) -> dict[str, Any]:
    type_id, name = _ANALYTIC[finding.detector_kind]
    return {
        "uid": finding.detector_id,
        "name": cut(finding.title),
        "type_id": type_id,
        "type": name,
        "version": finding.rule_version,
    }


def attack_of(reference: str, titles: Mapping[str, str]) -> dict[str, Any] | None:
    """The OCSF `attack` of a reference to MITRE ATT&CK or ATLAS, None for other frameworks."""
    title = titles.get(reference, "")
    if found := re.fullmatch(r"attack\.(t\d{4})(\.\d{3})?", reference, re.IGNORECASE):
        technique, _, sub = title.partition(": ")
        attack = {"technique": _named(found[1].upper(), technique)}
        if found[2]:
            attack["sub_technique"] = _named((found[1] + found[2]).upper(), sub)
        return attack
    if found := re.fullmatch(r"mitre-atlas\.aml-(t\d{4})(?:-(\d{3}))?", reference, re.IGNORECASE):
        suffix = f".{found[2]}" if found[2] else ""
        return {"technique": _named(f"AML.{found[1].upper()}{suffix}", title)}
    if reference.startswith("attack.") and title:
        return {"tactic": {"name": title}}
    return None


def _named(uid: str, name: str) -> dict[str, str]:
    return {"uid": uid, "name": name} if name else {"uid": uid}


def _related_event(event: Evidence) -> dict[str, Any]:
    related: dict[str, Any] = {
        "uid": event.event_id,
        "type": f"{event.log}/{event.kind}",
        "first_seen_time": millis(event.event_at),
    }
    return related | ({"title": cut(event.action)} if event.action else {})


def _detection(finding: Finding, evidence: Sequence[Evidence]) -> dict[str, Any]:
    body: dict[str, Any] = {"is_alert": True, "risk_score": finding.risk_score}
    if evidence:
        body["evidences"] = [_evidence(event) for event in evidence[:MAX_EVIDENCES]]
    return body


def _evidence(event: Evidence) -> dict[str, Any]:
    artifact: dict[str, Any] = {"uid": event.event_id, "name": f"{event.log}/{event.kind}"}
    if event.actor_uid:
        artifact["actor"] = {"user": _user(event.actor_uid, event.actor_kind)}
    if event.action:
        service, _, operation = event.action.partition(":")
        artifact["api"] = {"operation": cut(operation or service), "service": {"name": cut(service)}}
    if event.src_ip:
        artifact["src_endpoint"] = _endpoint(event.src_ip)
    if event.resource_uids:
        artifact["resources"] = [{"uid": cut(uid)} for uid in event.resource_uids[:MAX_RESOURCES_OF_EVIDENCE]]
    # The schema wants one artifact; the outcome is said here because `api` has no room for it.
    artifact["data"] = {"outcome": event.outcome or "unknown", "event_time": millis(event.event_at)}
    return artifact


def _endpoint(source: str) -> dict[str, str]:
    """Clouds write names where addresses are meant (`cloudformation.amazonaws.com`, `AWS Internal`)."""
    try:
        return {"ip": str(ip_address(source))}
    except ValueError:
        return {"name": cut(source)}


def _user(uid: str, kind: str | None) -> dict[str, Any]:
    return {"uid": cut(uid), "type_id": _USER_TYPE.get(kind or "", 0)}


def _iam_analysis(finding: Finding) -> dict[str, Any]:
    """What class 2008 has and 2004 has not: the identity, and when it showed the drift."""
    seen = {"first_seen_time": millis(finding.first_at), "last_seen_time": millis(finding.last_at)}
    who = finding.identity_id or finding.actor_uid
    return {"identity_activity_metrics": seen} | ({"user": _user(who, None)} if who else {})


def _resources(evidence: Sequence[Evidence]) -> list[dict[str, str]]:
    uids = dict.fromkeys(uid for event in evidence for uid in event.resource_uids)
    return [{"uid": cut(uid)} for uid in list(uids)[:MAX_RESOURCES]]


def _unmapped(finding: Finding, evidence: Sequence[Evidence]) -> dict[str, Any]:
    return {
        "chain_id": finding.chain_id,
        "identity_id": finding.identity_id,
        "actor_uid": finding.actor_uid,
        "subject_kind": finding.subject_kind,
        "subject_uid": cut(finding.subject_uid),
        "gaps": list(finding.gaps),
        "frameworks": list(finding.frameworks),
        "risk_score": finding.risk_score,
        "risk_parts": dict(finding.risk_parts),
        "actions": sorted({cut(event.action) for event in evidence if event.action})[:MAX_RESOURCES],
        "is_historic": finding.is_historic,
    }
