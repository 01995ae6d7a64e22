"""OTLP as Protocol Buffers: the same records as the JSON of the same messages, and no bytes that break the reader."""

import gzip
import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_messages import EXPORTS, SPAN, as_json, pairs
from otlp_messages import LOGS as LOGS_MESSAGE
from otlp_messages import TRACES as TRACES_MESSAGE
from source_samples import OPTIONS, claimed_by, quarantined, rows
from ultravires.formats.otlp import otlp_records
from ultravires.formats.otlp_protobuf_files import is_protobuf, is_sized, protobuf_records
from ultravires.formats.protobuf_wire import fields, varint
from ultravires.reading.events import Frame, NotParsed
from ultravires.reading.options import Options, keyed_hash

NAME = "otel_genai"
TRACES, LOGS = TRACES_MESSAGE.SerializeToString(), LOGS_MESSAGE.SerializeToString()


def frames(data: bytes) -> list[Frame]:
    return list(otlp_records(iter([data]), OPTIONS))


def values(data: bytes) -> list[Any]:
    return [frame.value for frame in frames(data)]


def sized(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(message)) + message for message in messages)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of the wire format."""
    return number_bytes(number << 3 | 2) + number_bytes(len(content)) + content


def number_bytes(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found, number = found + bytes((number & 0x7F | 0x80,)), number >> 7
    return found + bytes((number,))


IDS = field(1, b"t" * 16) + field(2, b"s" * 8)
"""The beginning of a span."""


def in_export(record: bytes) -> bytes:
    """An export of this span or log record."""
    return field(1, field(2, field(2, record)))


@given(EXPORTS)
@settings(max_examples=200, deadline=None)
def test_the_published_packages_messages_decode_to_its_json(export: Message) -> None:
    """Every kind of value, both signs, ids in hex; events and links are left out."""
    found = values(export.SerializeToString())
    assert found == values(json.dumps(as_json(export)).encode())
    assert len(found) == 2


def test_a_record_keeps_the_order_in_which_raw_has_its_members() -> None:
    """Homes of earlier versions hold `raw` in this order: as on the wire, attributes last."""
    span = values(TRACES)[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert " ".join(span) == (
        "traceId spanId traceState parentSpanId name kind startTimeUnixNano endTimeUnixNano status attributes"
    )
    record = values(LOGS)[0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert " ".join(record) == (
        "timeUnixNano severityNumber severityText body traceId spanId observedTimeUnixNano eventName attributes"
    )


def test_each_record_is_hashed_by_its_own_bytes(tmp_path: Path) -> None:
    """As they lay in the file: a field that the package does not know counts, too."""
    record = SPAN.SerializeToString() + field(15, b"")[:1] + b"\x00" + field(90, b"of the future")
    data = sized(LOGS, in_export(record))
    frame = frames(data)[-1]
    assert (frame.data, frame.offset) == (record, data.index(record))
    assert rows(NAME, data, tmp_path)[-1]["raw_hash"] == keyed_hash(record, OPTIONS)


def test_a_zero_that_was_written_is_there() -> None:
    """Some writers leave defaults out, some write them; `raw` shows which."""
    (value,) = values(in_export(IDS + b"\x22\x00\x30\x00" + field(15, b"\x18\x00")))
    span = value["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (span["parentSpanId"], span["kind"], span["status"]) == ("", 0, {"code": 0})
    assert "name" not in span


def test_numbers_that_json_has_not_are_text() -> None:
    span = Span(attributes=pairs({"a": float("inf"), "b": float("nan")}))
    (value,) = values(in_export(IDS + span.SerializeToString()))
    attributes = value["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    assert [pair["value"] for pair in attributes] == [{"doubleValue": "inf"}, {"doubleValue": "nan"}]


def test_protobuf_and_json_give_the_same_events(tmp_path: Path) -> None:
    """Down to the event ids: a trace exported twice, in both encodings, is one."""
    for message in (TRACES_MESSAGE, LOGS_MESSAGE):
        data = message.SerializeToString()
        of_json = rows(NAME, json.dumps(as_json(message)).encode(), tmp_path)
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


def nested(number: int, depth: int) -> bytes:
    """A span with a list in a list (5) or a map in a map (6), so many times."""
    value = field(1, b"x")
    for _ in range(depth):
        value = field(number, field(1, value if number == 5 else field(2, value)))
    return IDS + field(9, field(1, b"deep") + field(2, value))


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (nested(5, 48), None),
        (nested(5, 49), "nested too deeply"),
        (nested(6, 24), None),
        (nested(6, 25), "nested too deeply"),
        (nested(5, 1000), "nested too deeply"),
        (IDS + field(5, b"\xff\xfe"), None),
        (IDS + field(9, field(1, b"\xff")), None),
        (IDS + field(11, field(2, b"\xff")), None),
        (IDS + b"\x2a\x09abc", "not OTLP protobuf"),
        (IDS + field(9, b"\x0a\x09abc"), "not OTLP protobuf"),
        (IDS + b"\x30" + b"\xff" * 11, "not OTLP protobuf"),
        (IDS + b"\x30\x81\x80\x80\x00", None),
        (IDS + b"\x07", "not OTLP protobuf"),
        (IDS + b"\x0c", "not OTLP protobuf"),
        (IDS + field(90, b"of the future") + b"\xd8\x05\x07", None),
    ],
)
def test_a_broken_record_is_put_aside_with_its_reason(span: bytes, reason: str | None) -> None:
    """Depth, text and wire; what is not read (the name of an event in 11, a field unknown) may hold anything. The other
    record of the export is read.
    """
    data = field(1, field(2, field(2, span) + field(2, IDS)))
    assert [frame.reason for frame in frames(data)] == [reason, None]


def test_text_that_is_no_utf_8_is_replaced_and_marked() -> None:
    """In a record it marks the record, in a resource all records of it."""
    broken = field(5, b"a\xff")
    found = frames(field(1, field(2, field(2, IDS + broken) + field(2, IDS))))
    assert [frame.mended for frame in found] == [("invalid UTF-8",), ()]
    assert found[0].value["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "a�"
    resource = field(1, field(1, field(1, b"\xff")))
    found = frames(field(1, resource + field(2, field(2, IDS) + field(2, IDS))))
    assert [frame.mended for frame in found] == [("invalid UTF-8",)] * 2


def test_scopes_by_their_old_name_are_read() -> None:
    """They were instrumentation libraries, in a field of their own."""
    found = frames(field(1, field(1000, field(2, IDS) + field(2, IDS))))
    assert [frame.reason for frame in found] == [None, None]
    assert is_protobuf(field(1, field(1000, field(2, IDS))))


@given(EXPORTS, st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 4), st.binary(max_size=3)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_changed_bytes_are_values_or_have_a_reason(export: Message, changes: list[tuple[int, int, bytes]]) -> None:
    """Flipped, inserted and deleted bytes of random exports, bare and behind their size: no exception."""
    changed = bytearray(export.SerializeToString())
    for place, n_bytes, new in changes:
        at = place % (len(changed) + 1)
        changed[at : at + n_bytes] = new
    for options in (OPTIONS, Options(hash_key=b"k", max_record_bytes=100)):
        for data in (bytes(changed), sized(bytes(changed))):
            for frame in protobuf_records(iter([data]), options, data):
                assert (frame.value is None) == (frame.reason is not None)


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
