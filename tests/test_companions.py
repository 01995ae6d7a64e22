"""What a server writes about itself into the file of its log: counted with its reason, and no doubt about the log."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, batches, decision, source
from ultravires import registry
from ultravires.reading.companions import SERVER_LINES, is_server_line, is_server_object

NAMES = sorted(registry.sources())
TEXT = [
    'I1005 07:01:00.123456       1 trace.go:236] "List" total-latency="512ms" url="/api"',
    "W1005 07:01:00.123456   12345 reflector.go:547] watch closed",
    "2026-10-05T07:01:00.123Z [INFO]  core: vault is unsealed",
    "2026-10-05T07:01:00.123Z [WARN]  expiration: lease revoked",
    "==> Vault server started! Log data will stream in below:",
    "             Api Address: http://127.0.0.1:8200",
    'time="2026-10-05T07:01:00Z" level=info msg="Received request." req_id=1',
    "time=2026-10-05T07:01:00.123+02:00 level=WARN msg=slow",
    "2026-10-05T07:01:00.123Z\tinfo\tservice@v0.1/service.go:1\tEverything is ready.",
    "2026-10-05T07:01:00Z INFO [PROC:1] Starting Teleport",
]
OBJECTS: list[dict[str, Any]] = [
    {
        "client_addr": "[::1]:1",
        "level": "info",
        "msg": "Received request.",
        "req_id": 1,
        "time": "2026-10-05T07:01:00Z",
    },
    {"level": "debug", "msg": "Sent response.", "req_params": {"pretty": ["true"]}, "time": "2026-10-05T07:01:00Z"},
    {"@level": "info", "@message": "unsealed", "@module": "core", "@timestamp": "2026-10-05T07:01:00Z"},
    {"ts": 1791183660.1, "caller": "app/server.go:1", "msg": "started", "v": 0},
    {"timestamp": "2026-10-05T07:01:00Z", "level": "INFO", "message": "listening"},
]
NO_COMPANIONS: list[dict[str, Any]] = [
    decision(level="info", msg="Decision Log", time="2026-10-05T07:01:00Z"),
    {"level": "info", "msg": "Decision Log", "type": "openpolicyagent.org/decision_logs", "time": "x"},
    {"level": "info", "msg": "x", "time": "x", "input": {"user": "a"}},
    {"msg": "x", "time": "x"},
    {"level": "info", "msg": "x", "time": "x", "event": "user.login"},
]


def is_lines(name: str) -> bool:
    """Whether every line of the sample stands for itself."""
    return all(is_object(line) for line in SAMPLES[name].splitlines())


def document_of(name: str) -> list[Any]:
    """The records of a sample that is one document."""
    return next(value for value in json.loads(SAMPLES[name]).values() if isinstance(value, list))


def is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@pytest.mark.parametrize("name", [name for name in NAMES if is_lines(name) and not source(name).dated_by_file])
def test_lines_of_a_server_are_counted_and_not_refused(name: str, tmp_path: Path) -> None:
    """In the file of any log that comes as lines: the events are the same, and nothing stands in quarantine. An export
    is a document, into which no server writes.
    """
    lines = SAMPLES[name].splitlines()
    if len(lines) == 1:
        lines = [json.dumps(record).encode() for record in document_of(name)]
    beside = [line.encode() for line in TEXT] + [json.dumps(one).encode() for one in OBJECTS]
    mixed = [lines[0], *beside, *lines[1:]]
    expected = [row for batch in batches(name, b"\n".join(lines), tmp_path) for row in batch.events.to_pylist()]
    found = batches(name, b"\n".join(mixed), tmp_path)
    ids = [row["event_id"] for batch in found for row in batch.events.to_pylist()]
    assert ids == [row["event_id"] for row in expected]
    assert [refused.raw for batch in found for refused in batch.quarantined] == []
    reasons = [reason for batch in found for _, reason in batch.ignored]
    assert reasons.count(SERVER_LINES) >= len(TEXT)
    assert sum(batch.n_ignored for batch in found) >= len(beside)


@pytest.mark.parametrize("record", NO_COMPANIONS)
def test_what_may_be_a_record_is_no_companion(record: dict[str, Any]) -> None:
    assert not is_server_object(record)


@pytest.mark.parametrize("record", OBJECTS)
def test_a_logging_library_s_object_is_a_companion(record: dict[str, Any]) -> None:
    assert is_server_object(record)


def test_a_record_behind_a_server_s_header_is_no_companion() -> None:
    """A line that holds an object may be a record with a header."""
    assert not is_server_line(b'I1005 07:01:00.123456       1 audit.go:42] {"kind":"Event"}')
    assert not is_server_line(b"I1005 07:01:00.123456       1 a.go:1] x\nsomething else")
    assert not is_server_line(b'{"kind":"Event", "stage": "Resp')


def test_a_record_of_the_log_that_is_broken_stays_in_quarantine(tmp_path: Path) -> None:
    broken = decision(level="info", msg="Decision Log", time="2026-10-05T07:01:00Z")
    del broken["decision_id"]
    data = json.dumps(decision()) + "\n" + json.dumps(broken)
    (batch,) = batches("opa_decisions", data.encode(), tmp_path)
    assert [refused.reason for refused in batch.quarantined] == ["no decision_id: not an OPA decision"]
    assert source("opa_decisions").name == "opa_decisions"
