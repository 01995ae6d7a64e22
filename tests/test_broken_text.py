"""Text that was broken on its way into a log is mended where that is unambiguous: it costs no record of any source."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, as_lines, quarantined, replaced_at, rows, sample_records, source, values_in
from ultravires import registry
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.mending import mend, python_as_json
from ultravires.reading.splitting import decode_object

each_source = pytest.mark.parametrize("name", sorted(registry.sources()))
MARK = "BROKEN-HERE"
BREAKS = {
    "lone surrogate": (rb"\ud83d", "\ufffd"),
    "broken escape": (rb"\ud8", "\ufffd"),
    "invalid UTF-8": (b"\xf0\x9f", "\ufffd"),
    "NUL": (b"\x00", "\ufffd"),
    "control character": (b"\x1b", "\x1b"),
}
"""What is written where text was broken, and what is read there."""


def with_text_at_every_end(record: dict[str, Any], added: str) -> Iterator[dict[str, Any]]:
    """The record with `added` behind each of its strings in turn."""
    for path, value in values_in(record):
        if type(value) is str:
            yield replaced_at(record, path, value + added)


def unmarked(row: dict[str, Any]) -> dict[str, Any]:
    detail = {name: value for name, value in row["detail"].items() if name != "mended"}
    return {**row, "detail": detail, "raw_hash": None}


@pytest.mark.cross
@each_source
@pytest.mark.parametrize("mark", BREAKS)
def test_a_string_that_was_broken_anywhere_costs_nothing(name: str, mark: str, tmp_path: Path) -> None:
    """The events are those of a record in which the replacement stands, and they say what was mended."""
    broken, meant = BREAKS[mark]
    for record in sample_records(name):
        whole = as_lines(list(with_text_at_every_end(record, meant)))
        cut = as_lines(list(with_text_at_every_end(record, MARK))).replace(MARK.encode(), broken)
        found = rows(name, cut, tmp_path)
        assert [unmarked(row) for row in found] == [unmarked(row) for row in rows(name, whole, tmp_path)]
        assert all(row["detail"]["mended"] == [mark] for row in found)
        assert len(quarantined(name, cut, tmp_path)) == len(quarantined(name, whole, tmp_path))


@each_source
def test_a_record_that_python_wrote_is_the_same_record(name: str, tmp_path: Path) -> None:
    """`print(event)` instead of `json.dumps`: single quotes, None, True and False."""
    for record in sample_records(name):
        found = rows(name, repr(record).encode(), tmp_path)
        assert [unmarked(row) for row in found] == [unmarked(row) for row in rows(name, as_lines([record]), tmp_path)]
        assert all(row["detail"]["mended"] == ["written by Python"] for row in found)


@pytest.mark.parametrize(
    ("data", "value", "marks"),
    [
        (rb'{"a": "\ud83d\ude00 \\ud83d \udc00"}', {"a": "😀 \\ud83d �"}, ["lone surrogate"]),
        (rb'{"\ud83d": 1}', {"�": 1}, ["lone surrogate"]),
        (b'{"a": "x\ty"}', {"a": "x\ty"}, ["control character"]),
        (rb'{"a": "\x41\'"}', {"a": "A'"}, ["broken escape"]),
        (
            b'{"a": NaN, "b": [-Infinity, None, True], "c": "NaN"}',
            {"a": None, "b": [None, None, True], "c": "NaN"},
            ["word that JSON does not have"],
        ),
        (b"{'a': \"it's\", 'b': ['\\'\\n', 'gr\xc3\xbc\\xdf', '\\ud83d', nan, 1e-3, {}]}", None, ["written by Python"]),
    ],
)
def test_what_is_mended(data: bytes, value: Any, marks: list[str]) -> None:
    """Each kind by itself."""
    found = mend(data)
    assert found is not None and list(found.marks) == marks
    expected = value or {"a": "it's", "b": ["'\n", "grüß", "�", None, 1e-3, {}]}
    assert decode_object(found.data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "x}',
        b'{"a": tomorrow}',
        b"{'a': datetime.datetime(2026, 10, 5)}",
        b"{'a': b'bytes'}",
        b"{'a': 'cut o",
        b"{'a': __import__('os')}",
        b"{'a': 'x' 'y'}",
        rb'{"a": "\d"}',
        b'{"a": 1, "b"}',
        b"{a: 1}",
        b'{"a": nulL}',
    ],
)
def test_what_can_be_meant_in_two_ways_stays_broken(data: bytes) -> None:
    """It is put aside with its reason, and its neighbours are read."""
    frames = list(json_records(iter([b'{"n": 1}\n' + data + b'\n{"n": 2}']), OPTIONS))
    assert [frame.value for frame in frames if frame.reason is None] == [{"n": 1}, {"n": 2}]
    assert len(frames) == 3


@pytest.mark.parametrize("form", ["lines", "array", "wrapped", "pretty", "python array", "python wrapped"])
def test_broken_text_costs_nothing_in_any_framing(form: str) -> None:
    """One broken record among others, wherever it stands: all are read, and only the broken one is marked."""
    records = [{"id": n, "text": "it's BROKEN-HERE" if n in (1, 3) else "x", "none": None} for n in range(4)]
    written = {
        "lines": "\n".join(map(json.dumps, records)),
        "array": json.dumps(records),
        "wrapped": json.dumps({"Records": records}),
        "pretty": json.dumps({"Records": records}, indent=1),
        "python array": repr(records),
        "python wrapped": repr({"Records": records}),
    }[form].encode()
    for mark, (broken, meant) in BREAKS.items():
        if "python" in form and mark == "broken escape":
            continue  # Python writes none, and does not read it
        data = written.replace(MARK.encode(), broken)
        frames = list(json_records(iter([data]), OPTIONS, ("Records",)))
        expected = [{**record, "text": str(record["text"]).replace(MARK, meant)} for record in records]
        assert [frame.value for frame in frames] == expected, (form, mark)
        if "python" not in form:
            assert [bool(frame.mended) for frame in frames] == [False, True, False, True]


def test_a_file_that_python_wrote_is_recognised() -> None:
    """By the same members."""
    record = sample_records("aws_cloudtrail")[0]
    assert source("aws_cloudtrail").recognise(Head(repr(record).encode() + b"\n{'cut': 'o"))
    assert source("aws_cloudtrail").recognise(Head(repr({"Records": [record]}).encode()))


def span(number: int, **members: Any) -> dict[str, Any]:
    attributes = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
        {"key": "gen_ai.tool.name", "value": {"stringValue": f"tool-{number}"}},
    ]
    return {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": f"{number:016x}",
        "name": f"execute_tool tool-{number}",
        "startTimeUnixNano": f"17911839{number:02d}000000000",
        "endTimeUnixNano": f"17911839{number:02d}500000000",
        "attributes": attributes,
        **members,
    }


def line_of_spans(middle: bytes) -> bytes:
    whole = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [span(1), MARK, span(3)]}]}]}
    return json.dumps(whole).encode().replace(json.dumps(MARK).encode(), middle)


@pytest.mark.parametrize("broken", [broken for broken, _ in BREAKS.values()])
def test_a_broken_span_is_read_and_the_others_of_its_line_are_not_marked(broken: bytes, tmp_path: Path) -> None:
    """A line of the Collector holds thousands of spans."""
    middle = json.dumps(span(2, traceState=MARK)).encode().replace(MARK.encode(), broken)
    found = rows("otel_genai", line_of_spans(middle), tmp_path)
    assert [row["action"] for row in found] == ["tool:tool-1", "tool:tool-2", "tool:tool-3"]
    assert ["mended" in row["detail"] for row in found] == [False, True, False]


@pytest.mark.parametrize("middle", [rb'{"name": "\q"}', b'{"name": 1e999}', b'{"name" "x"}', b'{"name": tomorrow}'])
def test_a_span_that_cannot_be_read_costs_only_itself(middle: bytes, tmp_path: Path) -> None:
    """It is put aside, as it was written."""
    data = line_of_spans(middle)
    assert [row["action"] for row in rows("otel_genai", data, tmp_path)] == ["tool:tool-1", "tool:tool-3"]
    (refused,) = quarantined("otel_genai", data, tmp_path)
    assert refused.raw == middle


@pytest.mark.parametrize("written", [b"\x1b", rb"\ud83d", b"\xff"])
def test_a_broken_resource_marks_all_that_it_made(written: bytes, tmp_path: Path) -> None:
    """What a resource says holds for each of its spans."""
    attribute = {"key": "service.name", "value": {"stringValue": MARK}}
    resource = json.dumps({"attributes": [attribute]}).encode().replace(MARK.encode(), written)
    data = line_of_spans(json.dumps(span(2)).encode()).replace(b'"resource": {}', b'"resource": ' + resource)
    assert ["mended" in row["detail"] for row in rows("otel_genai", data, tmp_path)] == [True] * 3


def test_mending_is_done_once_and_its_result_needs_no_more() -> None:
    """What was mended decodes, and is not mended again."""
    found = mend(rb'{"a": "\ud83d", "b": NaN}')
    assert found is not None and mend(found.data) is None
    assert python_as_json(b"{'a': 1}") == b'{"a": 1}'
