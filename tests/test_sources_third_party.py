"""Real events that nobody of this project wrote; skipped where the folder of third-party data is absent."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, batches, claimed_by, rows, source
from ultravires.reading.files import read, recognise

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


def test_other_logs_are_nobodys(tmp_path: Path) -> None:
    """Wrapped events and the logs of other products are not taken for CloudTrail or anything else of ours."""
    for name in (
        "panther_tests.jsonl.gz",
        "traildiscover_cloudtrail.jsonl.gz",
        "tau_airline_traces.jsonl.gz",
    ):
        names = ("aws_cloudtrail", "approvals", "opa_decisions", "otel_genai")
        assert recognise(DATA / name, [source(each) for each in names]) is None
    others = [line for line in lines_of("panther_tests.jsonl.gz") if line["log_type"] != "AWS.CloudTrail"]
    for line in others:
        text = json.dumps(line["event"]).encode()
        assert not {"aws_cloudtrail", "otel_genai"} & set(claimed_by(text)), line["log_type"]
