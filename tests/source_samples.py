"""One small valid file for each source (data/sources), records to build others from, and ways to read bytes."""

import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ultravires import registry
from ultravires.reading.files import Batch, Quarantined, read
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source

OPTIONS = Options(hash_key=b"a key for the tests")
SOURCE_SAMPLES = Path(__file__).parent.parent / "data" / "sources"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def cloudtrail(**members: Any) -> dict[str, Any]:
    """A CloudTrail event of an assumed role that reads an object; `members` replace its own."""
    event = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:run-7",
            "arn": "arn:aws:sts::111122223333:assumed-role/Reader/run-7",
            "accountId": "111122223333",
            "accessKeyId": "ASIAEXAMPLE1",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/team/Reader"},
                "sourceIdentity": "APR-1",
            },
        },
        "eventTime": "2026-10-05T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"bucketName": "data", "key": "in/a.csv"},
        "responseElements": None,
        "requestID": "REQ-1",
        "eventID": "11111111-0000-0000-0000-000000000001",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }
    return {**event, **members}


def attributes(named: dict[str, Any]) -> list[dict[str, Any]]:
    """A dict as OTLP attributes."""
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": k, "value": {kinds[type(v)]: str(v) if type(v) is int else v}} for k, v in named.items()]


def span(number: int, named: dict[str, Any], parent: int | None = None, **members: Any) -> dict[str, Any]:
    """A span of TRACE whose id ends in `number`, one second after the other."""
    start = 1_791_194_400_000_000_000 + number * 1_000_000_000
    own = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": "a span",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 500_000_000),
        "attributes": attributes(named),
        "status": {},
    }
    return {**own, **members}


def export(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """Spans as one OTLP export."""
    of_resource = {"attributes": attributes(resource or {"service.name": "runner"})}
    return {"resourceSpans": [{"resource": of_resource, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


def log_export(*records: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """Log records as one OTLP export."""
    of_resource = {"attributes": attributes(resource or {"service.name": "claude-code"})}
    return {"resourceLogs": [{"resource": of_resource, "scopeLogs": [{"scope": {}, "logRecords": list(records)}]}]}


def log_record(named: dict[str, Any], body: str = "") -> dict[str, Any]:
    return {
        "timeUnixNano": "1791194400000000000",
        "body": {"stringValue": body},
        "attributes": attributes(named),
    }


def decision(**members: Any) -> dict[str, Any]:
    """An OPA decision that allows a tool; `members` replace its own."""
    own = {
        "decision_id": "dec-1",
        "labels": {"id": "opa-1"},
        "path": "agents/tools/allow",
        "timestamp": "2026-10-05T10:00:00.5Z",
        "trace_id": TRACE,
        "span_id": f"{1:016x}",
        "requested_by": "192.0.2.9:40000",
        "input": {
            "agent": {"id": "agent-invoices"},
            "tool": "read_object",
            "tool_call_id": "call_1",
            "approval_id": "APR-1",
            "ticket": "TCK-1",
            "resource": "arn:aws:s3:::data/in/a.csv",
            "arguments": {"key": "in/a.csv", "bucket": "data"},
        },
        "result": {"allow": True},
    }
    return {**own, **members}


def approval(**members: Any) -> dict[str, Any]:
    """An approved approval; `members` replace its own."""
    own = {
        "approval_id": "APR-1",
        "task": "read the invoices of October",
        "subject": "agent-invoices",
        "requested_by": "mira@example.org",
        "approved_by": "jon@example.org",
        "requested_at": "2026-10-05T08:00:00Z",
        "approved_at": "2026-10-05T09:00:00Z",
        "valid_from": "2026-10-05T09:00:00Z",
        "valid_until": "2026-10-06T09:00:00Z",
        "status": "approved",
        "actions": ["s3:Get*"],
        "resources": ["arn:aws:s3:::data/in/*"],
        "roles": ["arn:aws:iam::111122223333:role/team/Reader"],
        "tools": ["read_object"],
        "ticket": "TCK-1",
        "risk": "low",
    }
    return {**own, **members}


def tool_span(**named: Any) -> dict[str, Any]:
    return span(2, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "read_object", **named}, parent=1)


def sample_file(name: str) -> Path:
    """The small valid file of the source `name`: data/sources/<name>/sample.*"""
    (found,) = (SOURCE_SAMPLES / name).glob("sample.*")
    return found


def expected_events(name: str) -> list[dict[str, Any]]:
    """The events that the sample holds, as data/sources/<name>/expected.jsonl says."""
    lines = (SOURCE_SAMPLES / name / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


SAMPLES: dict[str, bytes] = {
    folder.name: sample_file(folder.name).read_bytes() for folder in sorted(SOURCE_SAMPLES.iterdir())
}


def source(name: str) -> Source:
    found = registry.sources()[name]
    assert isinstance(found, Source)
    return found


def claimed_by(data: bytes) -> list[str]:
    """The names of all sources that recognise a file that begins so."""
    head = Head(data)
    return [name for name, found in registry.sources().items() if found.recognise(head)]


def batches(name: str, data: bytes, folder: Path, options: Options = OPTIONS) -> list[Batch]:
    """What the source `name` reads from a file with these bytes."""
    path = folder / "a-file"
    path.write_bytes(data)
    return list(read(path, source(name), options))


def rows(name: str, data: bytes, folder: Path, options: Options = OPTIONS) -> list[dict[str, Any]]:
    """All events of these bytes as dicts; `detail` decoded."""
    found = [row for batch in batches(name, data, folder, options) for row in batch.events.to_pylist()]
    return [{**row, "detail": json.loads(row["detail"])} for row in found]


def quarantined(name: str, data: bytes, folder: Path, options: Options = OPTIONS) -> list[Quarantined]:
    return [row for batch in batches(name, data, folder, options) for row in batch.quarantined]


def only(name: str, record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The one event of the one record."""
    found = rows(name, json.dumps(record).encode(), folder)
    assert len(found) == 1
    return found[0]


def sample_records(name: str) -> list[dict[str, Any]]:
    """The decoded records of a source's sample."""
    frames = source(name).records(iter([SAMPLES[name]]), OPTIONS)
    return [json.loads(frame.written) if frame.written else frame.value for frame in frames if frame.reason is None]


def as_lines(records: list[dict[str, Any]]) -> bytes:
    """Records as newline JSON."""
    return "\n".join(map(json.dumps, records)).encode()


def values_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value inside a JSON value, with the path to it."""
    if path:
        yield path, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from values_in(member, (*path, name))


def replaced_at(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with another value at this path."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = new
    return copy


def keys(row: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(key["kind"], key["value"], key["role"]) for key in row["keys"]}


def written(row: dict[str, Any]) -> dict[str, Any]:
    """An event as expected.jsonl has it: without what is empty, what only the loader knows, and the record itself."""
    keys_ = [[key["kind"], key["value"], key["role"]] for key in row["keys"]]
    left_out = ("raw", "raw_hash", "source_version", "voice", "place", "log", "source", "event_hour", "keys")
    kept = {name: value for name, value in row.items() if name not in left_out and value not in (None, [], {})}
    for name, value in kept.items():
        if isinstance(value, datetime):
            kept[name] = value.isoformat().replace("+00:00", "Z")
    return {**kept, "keys": keys_} if keys_ else kept


def main(names: list[str]) -> None:
    """Write expected.jsonl of these sources anew, `python tests/source_samples.py NAME ...`; then read what it says."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            lines = [json.dumps(written(row), ensure_ascii=False) for row in rows(name, SAMPLES[name], Path(folder))]
        (SOURCE_SAMPLES / name / "expected.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
