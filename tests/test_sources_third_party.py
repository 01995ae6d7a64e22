"""Real events that nobody of this project wrote; skipped where the folder of third-party data is absent."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, batches, claimed_by, rows, source
from ultravires.reading.files import Batch, read, recognise

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of third-party data is absent")


def lines_of(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / name) as file:
        return [json.loads(line) for line in file]


def test_all_events_of_the_recorded_attacks_are_read() -> None:
    """142 events in 18 files, each recognised by content; none is put aside."""
    n_events = n_quarantined = 0
    files = sorted((DATA / "stratus_cloudtrail").glob("*.json"))
    for path in files:
        found = recognise(path, [source("approvals"), source("aws_cloudtrail")])
        assert found is not None and found.name == "aws_cloudtrail"
        for batch in read(path, found, OPTIONS):
            n_events += batch.events.num_rows
            n_quarantined += len(batch.quarantined)
    assert (len(files), n_events, n_quarantined) == (18, 142, 0)


@pytest.mark.parametrize("name", ["traildiscover_cloudtrail.jsonl.gz", "panther_tests.jsonl.gz"])
def test_every_event_with_a_vendor_time_is_read(name: str, tmp_path: Path) -> None:
    """Those without are put aside for that reason and no other."""
    found = [line["event"] for line in lines_of(name) if line.get("log_type", "AWS.CloudTrail") == "AWS.CloudTrail"]
    data = "\n".join(map(json.dumps, found)).encode()
    n_timed = sum(bool(event.get("eventTime")) for event in found)
    read_ = batches("aws_cloudtrail", data, tmp_path)
    assert sum(batch.events.num_rows for batch in read_) == n_timed > 200
    assert {row.reason for batch in read_ for row in batch.quarantined} <= {"no time"}


def test_errors_and_actions_are_those_of_the_events(tmp_path: Path) -> None:
    """Every columned value agrees with the event it came from."""
    found = [line["event"] for line in lines_of("traildiscover_cloudtrail.jsonl.gz")]
    timed = [event for event in found if event.get("eventTime")]
    read_ = rows("aws_cloudtrail", "\n".join(map(json.dumps, timed)).encode(), tmp_path)
    for event, row in zip(timed, read_, strict=True):
        assert row["action"].endswith(":" + event["eventName"])
        assert row["error_code"] == event.get("errorCode")
        assert (row["outcome"] == "success") == (not event.get("errorCode"))


def test_of_recorded_calls_target_and_kind_of_actor_are_known(tmp_path: Path) -> None:
    """Of the calls with parameters a target, but for one operation that IAM does not know; and whom they are of, but
    for an event without an identity and 234 calls of an IAM user with a key, which may be in anybody's hands.
    """
    found = [line["event"] for line in lines_of("traildiscover_cloudtrail.jsonl.gz")]
    read_ = rows("aws_cloudtrail", "\n".join(map(json.dumps, found)).encode(), tmp_path)
    asked = [row for event, row in zip(found, read_, strict=True) if event.get("requestParameters")]
    assert (len(asked), sum(bool(row["resource_uids"]) for row in asked)) == (148, 147)
    assert (len(read_), sum(row["actor_kind"] != "unknown" for row in read_)) == (314, 79)


CLAIMS: dict[str, dict[str, int]] = {
    "AWS.BedrockModelInvocation": {"bedrock_invocations": 4},
    "AWS.CloudTrail": {"aws_cloudtrail": 239},
    "Amazon.EKS.Audit": {"kubernetes_audit": 26},
    "Anthropic.Activity": {"anthropic_audit": 14},
    "Azure.Audit": {"entra_audit": 18, "entra_signin": 20},
    "Azure.MonitorActivity": {"azure_activity": 90, "azure_storage": 5, "kubernetes_audit": 16},
    "GCP.AuditLog": {"gcp_audit": 61, "kubernetes_audit": 9},
    "GSuite.ActivityEvent": {"google_workspace_audit": 36},
    "GitHub.Audit": {"github_audit": 21},
    "Gravitational.TeleportAudit": {"teleport_audit": 15},
    "Microsoft365.Audit.AzureActiveDirectory": {"m365_audit": 2},
    "Microsoft365.Audit.SharePoint": {"m365_audit": 5},
    "OCSF.DnsActivity": {"ocsf": 2},
    "Okta.SystemLog": {"okta_system": 36},
    "OpenAI.Audit": {"openai_audit": 16},
}
"""Log type -> source -> how many single events it recognises. The rest hold too few members to tell whose they are
(`{"eventType": "logout"}`); beside whole events of their log, below, they are read or put aside."""

READ: dict[str, dict[str, tuple[int, int]]] = {
    "AWS.BedrockModelInvocation": {"bedrock_invocations": (4, 0)},
    "AWS.CloudTrail": {"aws_cloudtrail": (230, 20)},
    "Amazon.EKS.Audit": {"kubernetes_audit": (4, 86)},
    "Anthropic.Activity": {"anthropic_audit": (14, 0)},
    "Azure.Audit": {"entra_audit": (18, 0), "entra_signin": (20, 0)},
    "Azure.MonitorActivity": {"azure_activity": (90, 1), "azure_storage": (5, 0), "kubernetes_audit": (0, 16)},
    "GCP.AuditLog": {"gcp_audit": (67, 13), "kubernetes_audit": (9, 14)},
    "GSuite.ActivityEvent": {"google_workspace_audit": (29, 30)},
    "GitHub.Audit": {"github_audit": (24, 26)},
    "Gravitational.TeleportAudit": {"teleport_audit": (14, 1)},
    "Microsoft365.Audit.AzureActiveDirectory": {"m365_audit": (2, 0)},
    "Microsoft365.Audit.SharePoint": {"m365_audit": (5, 0)},
    "OCSF.DnsActivity": {},
    "Okta.SystemLog": {"okta_system": (39, 8)},
    "OpenAI.Audit": {"openai_audit": (16, 0)},
}
"""Log type -> log -> how many of its records are read, and how many have no time; whichever of the type's sources
recognised the file that mixes them."""

IGNORED = {"OCSF.DnsActivity": 2}
"""Log type -> how many records hold no event; of every other type none is passed over."""

NOBODYS = {
    "agentdyn_shopping_traces.jsonl.gz": "runs of agents without a time of any call",
    "aws_escalation_paths.json": "knowledge about IAM, no log",
    "azure_builtin_roles.jsonl.gz": "roles of a provider, no log",
    "gcp_predefined_roles.jsonl.gz": "roles of a provider, no log",
    "panther_tests.jsonl.gz": "events wrapped together with what a test expects of them",
    "tau_airline_traces.jsonl.gz": "runs of agents without a time of any call",
    "traildiscover_cloudtrail.jsonl.gz": "events wrapped together with techniques",
}


def panther() -> dict[str, list[dict[str, Any]]]:
    """The events of each log type."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines_of("panther_tests.jsonl.gz"):
        found.setdefault(line["log_type"], []).append(line["event"])
    return found


def test_an_event_is_recognised_by_one_source_at_most_and_by_the_right_one() -> None:
    """All 1,497 events alone: none has two readers, and no log type is read by a source of another."""
    claims: dict[str, Counter[str]] = {}
    for log_type, events in panther().items():
        for event in events:
            claimed = claimed_by(json.dumps(event).encode())
            assert len(claimed) <= 1, (log_type, claimed, event)
            claims.setdefault(log_type, Counter()).update(claimed)
    assert {log_type: dict(claimed) for log_type, claimed in claims.items() if claimed} == CLAIMS


@pytest.mark.parametrize(("log_type", "name"), [(log_type, name) for log_type in CLAIMS for name in CLAIMS[log_type]])
def test_every_event_of_a_log_is_read_or_has_no_time(log_type: str, name: str, tmp_path: Path) -> None:
    """All events of a type in one file: nothing is put aside for any other reason than a missing time, and it makes no
    difference which of its sources recognised the file.
    """
    events = panther()[log_type]
    read_ = batches(name, "\n".join(map(json.dumps, events)).encode(), tmp_path)
    n_read = Counter(log for batch in read_ for log, _ in logs_and_records(batch))
    untimed = Counter(row.log for batch in read_ for row in batch.quarantined)
    assert {log: (n_read[log], untimed[log]) for log in n_read | untimed} == READ[log_type]
    assert {row.reason for batch in read_ for row in batch.quarantined} <= {"no time"}
    assert sum(batch.n_ignored for batch in read_) == IGNORED.get(log_type, 0)


def logs_and_records(batch: Batch) -> set[tuple[str, int]]:
    columns = (batch.events.column(name).to_pylist() for name in ("log", "record_no"))
    return set(zip(*columns, strict=True))


def test_what_a_source_recognises_it_reads() -> None:
    """Where a type's single events are recognised by a source, it is pinned with what it reads of them."""
    unread = {"OCSF.DnsActivity": {"ocsf"}}
    assert {log_type: {*read_, *unread.get(log_type, ())} for log_type, read_ in READ.items()} == {
        log_type: set(claims) for log_type, claims in CLAIMS.items()
    }


def test_every_other_file_is_a_log_of_ours_or_nobodys_for_a_reason() -> None:
    """Recorded attacks are CloudTrail's; wrapped events, knowledge, rules and licences are no log."""
    for path in sorted(DATA.rglob("*")):
        if not path.is_file():
            continue
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        is_log = path.parent.name == "stratus_cloudtrail"
        assert claimed_by(data) == (["aws_cloudtrail"] if is_log else []), path.name
        is_prose = path.suffix in (".md", ".txt", ".yml")
        assert is_log or is_prose or path.name in NOBODYS, f"say why {path.name} is nobody's"
