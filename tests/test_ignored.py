"""What holds no event is counted by its reason, and a file that gives nothing says so."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, as_lines, batches, claimed_by, rows, sample_records
from ultravires import registry
from ultravires.reading.events import NOT_AN_EVENT, NoEvent, reason_of_none
from ultravires.runs.run import run_once
from ultravires.store.conservation import count_conserved
from ultravires.store.queries import fetch_row
from ultravires.store.warehouse import open_warehouse

each_source = pytest.mark.parametrize("name", sorted(registry.sources()))
AZURE = ("azure_activity", "azure_storage", "entra_signin", "msgraph_activity")
IGNORED: dict[str, dict[str, Any]] = {
    "azure_activity": {"category": "ResourceHealth", "time": "2026-10-05T07:00:00Z", "operationName": "x"},
    "azure_storage": {"category": "FunctionAppLogs", "time": "2026-10-05T07:00:00Z", "operationName": "x"},
    "entra_signin": {"category": "RiskyUsers", "time": "2026-10-05T07:00:00Z", "operationName": "x"},
    "entra_audit": {"category": "RiskyUsers", "time": "2026-10-05T07:00:00Z", "operationName": "x"},
    "msgraph_activity": {"category": "RiskyUsers", "time": "2026-10-05T07:00:00Z", "operationName": "x"},
    "entra_pim": {"id": "r-1", "reviewResult": "NotReviewed", "steps": [{"reviewResult": "NotReviewed"}]},
    "gcp_audit": {"textPayload": "started", "timestamp": "2026-10-05T07:00:00Z"},
    "kubernetes_audit": {"properties": {"log": "I1005 started"}, "category": "kube-audit"},
    "aws_cloudtrail": {"message": "CWL CONTROL MESSAGE: Checking health of destination"},
    "bedrock_agentcore": {"observedTimeUnixNano": 1, "timeUnixNano": 1},
    "mcp_gateway": {"timestamp": "2026-10-05T07:00:00Z", "message": {"jsonrpc": "2.0", "id": 1, "method": "ping"}},
    "otel_genai": {"resourceMetrics": []},
    "cedar_decisions": {"log_kind": "System"},
    "ocsf": {"class_uid": 4001, "time": 1791183900000, "metadata": {"product": {"name": "x"}}},
    "servicenow_approvals": {"approver": "x", "state": "not_required"},
    "jira_approvals": {"issue": {"fields": {"summary": "x"}}},
    "aws_team": {"data": {"listRequests": {"items": [{"id": "x"}]}}},
}
"""A record of each source that ignores some."""


@pytest.mark.parametrize("name", IGNORED)
def test_a_source_says_why_a_record_holds_no_event(name: str, tmp_path: Path) -> None:
    """In words of its own, which reach the batch with the number of the record."""
    found = list(batches(name, as_lines([IGNORED[name]]), tmp_path))
    assert [batch.n_ignored for batch in found] == [1]
    ((number, reason),) = found[0].ignored
    assert number == 1 and reason and reason != NOT_AN_EVENT


@each_source
def test_every_ignored_record_of_the_sample_has_a_reason(name: str, tmp_path: Path) -> None:
    """Counted once each."""
    for batch in batches(name, SAMPLES[name], tmp_path):
        assert len(batch.ignored) == batch.n_ignored
        assert NOT_AN_EVENT not in {reason for _, reason in batch.ignored}


def test_no_event_is_nothing_with_a_reason() -> None:
    """It can be taken for the tuple of events that it is."""
    assert NoEvent("because") == () and not NoEvent("because")
    assert reason_of_none(NoEvent("because")) == "because"
    assert reason_of_none([]) == NOT_AN_EVENT


@pytest.mark.parametrize("name", AZURE)
def test_a_record_without_its_category_is_known_by_resource_and_operation(name: str, tmp_path: Path) -> None:
    """Forwarders drop it. The same event, but for what only the category said."""
    records = [record for record in sample_records(name) if "category" in record and "properties" in record]
    for record in records:
        bare = {member: value for member, value in record.items() if member != "category"}
        expected = rows(name, as_lines([record]), tmp_path)
        if not expected:
            continue
        assert claimed_by(as_lines([bare])) == [name]
        found = rows(name, as_lines([bare]), tmp_path)
        for column in ("event_at", "log", "action", "actor_uid", "actor_kind", "outcome", "resource_uids", "keys"):
            assert [row[column] for row in found] == [row[column] for row in expected], column
    assert len(records) >= 3


def test_in_a_mixed_export_each_record_without_category_goes_to_its_log(tmp_path: Path) -> None:
    """Whichever of them comes first."""
    records = [
        {member: value for member, value in record.items() if member != "category"}
        for name in AZURE
        for record in sample_records(name)
        if "time" in record
    ]
    logs = [[row["log"] for row in rows(name, as_lines(records), tmp_path)] for name in AZURE]
    assert set(logs[0]) == set(AZURE) and all(found == logs[0] for found in logs)


def of_otlp(spans: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}], **members}]}


def a_span(**members: Any) -> dict[str, Any]:
    return {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "name": "execute_tool search",
        "startTimeUnixNano": "1791183900000000000",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
            {"key": "gen_ai.tool.name", "value": {"stringValue": "search"}},
        ],
        **members,
    }


def in_base64(span: dict[str, Any]) -> dict[str, Any]:
    ids = {name: b64encode(bytes.fromhex(span[name])).decode() for name in ("traceId", "spanId")}
    return {**span, **ids}


def test_ids_in_base64_are_the_same_ids(tmp_path: Path) -> None:
    """As protobuf's own JSON writes them."""
    (expected,) = rows("otel_genai", as_lines([of_otlp([a_span()])]), tmp_path)
    (found,) = rows("otel_genai", as_lines([of_otlp([in_base64(a_span())])]), tmp_path)
    assert found["event_id"] == expected["event_id"] and found["keys"] == expected["keys"]


def test_instrumentation_libraries_are_scopes(tmp_path: Path) -> None:
    """What OTLP called them until 2022, of spans and of logs."""
    old = of_otlp([a_span()])
    scope = old["resourceSpans"][0].pop("scopeSpans")[0]
    old["resourceSpans"][0]["instrumentationLibrarySpans"] = [{"instrumentationLibrary": {}, "spans": scope["spans"]}]
    (expected,) = rows("otel_genai", as_lines([of_otlp([a_span()])]), tmp_path)
    (found,) = rows("otel_genai", as_lines([old]), tmp_path)
    assert found["event_id"] == expected["event_id"] and found["raw"] == expected["raw"]
    for member in ("logRecords", "logs"):
        log_record = {"timeUnixNano": "1791183900000000000", "body": {"stringValue": "hello"}}
        logs = {"resourceLogs": [{"instrumentationLibraryLogs": [{member: [log_record]}]}]}
        (batch,) = batches("otel_genai", as_lines([logs]), tmp_path)
        assert [reason for _, reason in batch.ignored] == ["log record of no agent"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (of_otlp([a_span(traceId="", spanId="")]), "span without trace and span id"),
        (of_otlp([a_span(attributes=[])]), "span of no agent"),
        (of_otlp([]), "export without spans and log records"),
        ({"resourceSpans": [{"spansOfTheFuture": [{}]}]}, "export without spans and log records"),
        ({"resourceMetrics": []}, "export without spans and log records"),
    ],
)
def test_a_line_of_otlp_that_gives_nothing_is_a_record_that_is_counted(
    line: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """Never loaded with 0 records and without a word."""
    (batch,) = batches("otel_genai", as_lines([line]), tmp_path)
    assert (batch.n_records, batch.n_ignored, [why for _, why in batch.ignored]) == (1, 1, [reason])


def test_a_run_says_what_gave_nothing_and_why(tmp_path: Path) -> None:
    """In its result, in the manifest and in the counts of the conservation law; a file of events says nothing."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    logs.mkdir()
    (logs / "silent.jsonl").write_bytes(as_lines([of_otlp([a_span(attributes=[])] * 3)]))
    (logs / "empty.json").write_text('{"Records": []}')
    (logs / "events.jsonl").write_bytes(as_lines([of_otlp([a_span(), a_span(attributes=[])])]))
    result = run_once(logs, home, config=None, as_of="")
    assert result.ignored == {"otel_genai: span of no agent": 4}
    assert json.loads(json.dumps(result.as_dict()))["ignored"] == result.ignored
    assert {Path(skipped.path).name: skipped.reason for skipped in result.not_read} == {
        "silent.jsonl": "otel_genai recognises it, and it gave no event: 3 span of no agent",
        "empty.json": "aws_cloudtrail recognises it, and it gave no event: no record in it",
    }
    with open_warehouse(home) as warehouse:
        assert count_conserved(warehouse.con)["silent"] == 2
        row = fetch_row(warehouse.con, "select ignored_as from files where path like '%silent.jsonl'")
    assert row is not None and json.loads(row[0]) == {"span of no agent": 3}
