"""How what is found in third-party records compares with what their makers say of them.

A detection test counts by the subject of its rule (third_party_subjects.csv): identity, credential, logging or
escalation, or another with the reason why it is not ours. Where the record of a single test is about something else
than its rule, the test has a line of its own. It is met where a finding of at least low has its record as evidence;
one that must be silent is broken where a finding above low has.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import ultravires
from source_samples import claimed_by
from third_party import detection_tests
from ultravires.runs.run import run_once

SUBJECTS = ("identity", "credential", "logging", "escalation")
_SUBJECTS = Path(__file__).with_name("third_party_subjects.csv")
_IDS = ("eventID", "insertId", "uuid", "_document_id", "uid", "auditID", "id", "Id", "correlationId", "uniqueQualifier")
"""Fields by which a log tells its records apart: tests that were made by hand repeat them."""
_IDS_WITHIN = {"properties": ("id", "correlationId")}
"""Those of a record within a delivery of Azure Monitor."""
OF_A_HISTORY = (
    "rare_action",
    "ultravires_credential_used_elsewhere",
    "ultravires_first_use",
    "ultravires_records_disagree",
    "ultravires_privileged_records_disagree",
)
"""Who compares a record with others: tests are the history of no company, and share names and ids by accident."""
_AUDIT = "audit.k8s.io"
_AT = "2026-05-04T10:00:00Z"
_TIMES: dict[str, dict[str, Any]] = {
    "aws_cloudtrail": {"eventTime": _AT},
    "gcp_audit": {"timestamp": _AT},
    "github_audit": {"@timestamp": 1_777_888_800_000},
    "google_workspace_audit": {"id": {"time": _AT}},
    "kubernetes_audit": {"requestReceivedTimestamp": _AT, "stageTimestamp": _AT},
    "teleport_audit": {"time": _AT},
}
"""The time that each log gives its records, for those from which it was cut."""


@cache
def subjects() -> dict[tuple[str, str], str]:
    """(rule, test; empty for all others of the rule) -> what it is about."""
    with _SUBJECTS.open(encoding="utf-8", newline="") as file:
        return {(row["rule_id"], row["test"]): row["subject"] for row in csv.DictReader(file)}


def subject_of(test: dict[str, Any]) -> str | None:
    """What a test is about; None where nobody said."""
    return subjects().get((test["rule_id"], test["test"])) or subjects().get((test["rule_id"], ""))


def counted_tests(data: Path) -> Iterator[dict[str, Any]]:
    """The tests of a subject of ours whose record some source reads, each with `log`, its source."""
    for test in detection_tests(data):
        claiming = claimed_by(json.dumps(test["event"]).encode())
        if claiming and subject_of(test) in SUBJECTS:
            yield {**test, "log": claiming[0]}


def told_apart(test: dict[str, Any], number: int) -> dict[str, Any]:
    """The record of a test with ids that no other test has, and with a time where it was cut."""
    timed = _with_time(test["event"], _TIMES.get(test["log"], {}))
    return {
        name: _other_id(value, number) if name in _IDS else _within(value, number, _IDS_WITHIN.get(name, ("auditID",)))
        for name, value in timed.items()
    }


def _within(value: Any, number: int, ids: tuple[str, ...]) -> Any:
    """The same for what a delivery holds: an object with ids of its own, or an audit event of Kubernetes as text."""
    if isinstance(value, str) and value.startswith("{") and _AUDIT in value:
        return json.dumps(told_apart({"log": "kubernetes_audit", "event": json.loads(value)}, number))
    if not isinstance(value, dict):
        return value
    return {
        name: _other_id(of, number) if name in ids else _within(of, number, ("auditID",)) for name, of in value.items()
    }


def _with_time(event: dict[str, Any], times: dict[str, Any]) -> dict[str, Any]:
    """The record with each of these members that it lacks, also within the members that it has."""
    missing = {name: value for name, value in times.items() if name not in event}
    within = {
        name: _with_time(event[name], value)
        for name, value in times.items()
        if isinstance(value, dict) and isinstance(event.get(name), dict)
    }
    return {**event, **missing, **within}


def _other_id(value: Any, number: int) -> Any:
    if isinstance(value, str):
        return f"{value}-{number}"
    return {**value, "uniqueQualifier": str(number)} if isinstance(value, dict) else value


def severities_by_event(folder: Path, records: Iterable[tuple[str, dict[str, Any]]]) -> list[list[tuple[str, str]]]:
    """For each (log, record), in order: (severity, detector) of every open finding that has one of its events as
    evidence. All of them are one history, in `folder`.
    """
    logs: dict[str, list[str]] = {}
    places: list[tuple[str, int]] = []
    for log, record in records:
        lines = logs.setdefault(log, [])
        places.append((f"{log}.jsonl", len(lines) + 1))
        lines.append(json.dumps(record))
    inputs = folder / "logs"
    inputs.mkdir(parents=True)
    for log, lines in logs.items():
        (inputs / f"{log}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_once(inputs, folder / "home", config=None, as_of="")
    con = ultravires.open(folder / "home")
    rows = con.execute(
        "select regexp_extract(f.path, '[^/]+$'), e.record_no, list((n.severity, n.detector_id))"
        " from events e join files f using (file_id)"
        " join findings n on list_contains(n.evidence_event_ids, e.event_id) and n.state = 'open' group by 1, 2"
    ).fetchall()
    found = {(name, number): told for name, number, told in rows}
    return [[each for each in map(tuple, found.get(place, [])) if each[1] not in OF_A_HISTORY] for place in places]
