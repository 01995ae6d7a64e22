"""OTLP as Protocol Buffers: the same records as the JSON of the same messages, and no bytes that break the reader."""

import gzip
import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from otlp_reference import LOGS, LOGS_JSON, TRACES, TRACES_JSON
from source_samples import OPTIONS, claimed_by, quarantined, rows
from ultravires.formats.otlp import otlp_records
from ultravires.formats.otlp_protobuf_files import is_protobuf, is_sized
from ultravires.formats.protobuf_wire import fields, varint
from ultravires.reading.source import NotParsed, Options

NAME = "otel_genai"


def values(data: bytes) -> list[Any]:
    return [frame.value for frame in otlp_records(iter([data]), OPTIONS)]


def sized(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(message)) + message for message in messages)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of the wire format."""
    size, prefix = len(content), b""
    while size > 0x7F:
        prefix, size = prefix + bytes((size & 0x7F | 0x80,)), size >> 7
    return bytes((number << 3 | 2,)) + prefix + bytes((size,)) + content


@pytest.mark.parametrize(("data", "named"), [(TRACES, TRACES_JSON), (LOGS, LOGS_JSON)])
def test_the_reference_implementations_messages_decode_to_its_json(data: bytes, named: dict[str, Any]) -> None:
    """Every kind of value, both signs, ids in hex; events and links are left out."""
    assert values(data) == values(json.dumps(named).encode())
    assert len(values(data)) == 2


def test_the_reference_implementation_itself_agrees() -> None:
    """Where it is installed, on random spans."""
    pytest.importorskip("opentelemetry.proto", reason="opentelemetry-proto is not installed")
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest.FromString(TRACES)
    found = MessageToDict(request, use_integers_for_enums=True)
    names = {pair["key"] for pair in found["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]}
    ours = values(TRACES)[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    assert names == {pair["key"] for pair in ours}


def test_protobuf_and_json_give_the_same_events(tmp_path: Path) -> None:
    """Down to the event ids: a trace exported twice, in both encodings, is one."""
    for data, named in ((TRACES, TRACES_JSON), (LOGS, LOGS_JSON)):
        of_json = rows(NAME, json.dumps(named).encode(), tmp_path)
        for one in (data, sized(data), gzip.compress(data)):
            found = rows(NAME, one, tmp_path)
            assert [row["event_id"] for row in found] == [row["event_id"] for row in of_json]
            assert [json.loads(row["raw"]) for row in found] == [json.loads(row["raw"]) for row in of_json]
    tool, chat = rows(NAME, TRACES, tmp_path)
    assert (tool["action"], tool["outcome"], tool["detail"]["arguments"]) == (
        "tool:read_object",
        "failure",
        {"key": "in/a.csv"},
    )
    assert (chat["action"], chat["outcome"]) == ("model:chat", "success")


def test_raw_of_a_protobuf_record_reads_to_the_same_event(tmp_path: Path) -> None:
    """It is kept as JSON, whatever it came as."""
    for row in rows(NAME, TRACES + TRACES, tmp_path):
        (again,) = rows(NAME, row["raw"].encode(), tmp_path)
        assert {**again, "record_no": 0, "raw_hash": ""} == {**row, "record_no": 0, "raw_hash": ""}


def test_files_are_known_by_their_first_record(tmp_path: Path) -> None:
    """Bare, behind sizes, several in one file; cut off anywhere behind the first ids."""
    for data in (TRACES, LOGS, sized(TRACES, TRACES), sized(LOGS), TRACES + LOGS):
        assert claimed_by(data) == [NAME] and is_protobuf(data[:200])
    assert is_sized(sized(LOGS)) and not is_sized(LOGS)
    assert len(rows(NAME, sized(TRACES, LOGS, TRACES), tmp_path)) == 6
    assert len(rows(NAME, TRACES + LOGS, tmp_path)) == 4


@pytest.mark.parametrize(
    "data",
    [
        b"\n\n\n\n hello",
        b"\n" * 500,
        b'\n{"a": 1}\n{"b": 2}\n',
        b"\x0a\x05hello\x12\x05world",
        bytes(200),
        struct.pack(">I", 40) + b"\n" * 40,
        field(1, field(1, b"") + field(2, field(2, field(1, b"metric name")))),
    ],
)
def test_other_bytes_are_not_taken_for_it(data: bytes) -> None:
    """A newline is the same byte as the first field's tag."""
    assert not is_protobuf(data)


def test_metrics_and_empty_exports_are_left_out() -> None:
    """They are counted as one record that holds nothing."""
    metrics = field(1, field(2, field(2, field(1, b"a.metric"))))
    assert values(TRACES + metrics)[2:] == [{"resourceMetrics": []}]
    assert values(sized(TRACES, b"", LOGS))[2] == {"resourceMetrics": []}


@pytest.mark.parametrize("cut", range(5, len(TRACES), 37))
def test_a_file_that_ends_early_says_so(cut: int, tmp_path: Path) -> None:
    """What was whole before is read."""
    data = sized(LOGS, TRACES)
    end = 4 + len(LOGS) + cut
    assert len(rows(NAME, data[:end], tmp_path)) == 2
    assert [row.reason for row in quarantined(NAME, data[:end], tmp_path)] == ["record ends early"]


def test_a_message_beyond_the_limit_ends_the_file(tmp_path: Path) -> None:
    """A size may be any number."""
    options = Options(hash_key=b"k", max_record_bytes=len(LOGS) + 1)
    found = quarantined(NAME, sized(LOGS) + struct.pack(">I", 1 << 31) + b"x", tmp_path, options)
    assert [row.reason for row in found] == [f"record is longer than {len(LOGS) + 1} bytes"]
    assert [row.reason for row in quarantined(NAME, LOGS + TRACES, tmp_path, options)] == [
        f"record is longer than {len(LOGS) + 1} bytes"
    ]


def test_values_nested_too_deeply_are_put_aside() -> None:
    """A list in a list in a list, a thousand times."""
    value = field(1, b"x")
    for _ in range(1000):
        value = field(5, field(1, value))
    span = field(1, b"t" * 16) + field(2, b"s" * 8) + field(9, field(1, b"deep") + field(2, value))
    (frame,) = otlp_records(iter([field(1, field(2, field(2, span)))]), OPTIONS)
    assert frame.reason == "nested too deeply"


def test_broken_text_is_put_aside() -> None:
    """A string must be UTF-8."""
    span = field(1, b"t" * 16) + field(2, b"s" * 8) + field(5, b"\xff\xfe")
    (frame,) = otlp_records(iter([field(1, field(2, field(2, span)))]), OPTIONS)
    assert frame.reason == "invalid UTF-8"


def test_mutated_bytes_end_as_events_or_in_quarantine(tmp_path: Path) -> None:
    """Flipped, inserted and deleted bytes: no exception, and every frame has a value or a reason."""
    noise = random.Random(7)
    for data in (TRACES, LOGS, sized(TRACES, LOGS)):
        for _ in range(400):
            changed = bytearray(data)
            for _ in range(noise.randint(1, 4)):
                at = noise.randrange(len(changed))
                changed[at : at + noise.choice((0, 1, 1, 4))] = noise.randbytes(noise.choice((0, 1, 3)))
            for frame in otlp_records(iter([bytes(changed)]), OPTIONS):
                assert (frame.value is None) == (frame.reason is not None)
            assert not [
                row for row in quarantined(NAME, bytes(changed), tmp_path) if row.reason.startswith("reader failed")
            ]


def test_the_wire_formats_own_errors() -> None:
    """Numbers without an end, groups, and fields that reach beyond their message."""
    assert varint(b"\xac\x02", 0) == (300, 2)
    for data in (b"\xff" * 11, b"\x0b", b"\x0a\x05abc", b"\x09abc", b"\x0dab", b"\x00\x01"):
        with pytest.raises(NotParsed):
            list(fields(data, 0, len(data)))
