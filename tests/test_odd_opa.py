"""OPA decisions by the column say what they say record by record."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from conftest import REPO, SAMPLES
from fields_by_python import all_fields, is_scanned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, SOURCE_SAMPLES, TRACE, decision
from ultravires.reading.source import DEFAULT_OPA_INPUTS, Event, NotParsed, Options
from ultravires.schema import EVENTS
from ultravires.sources.policy_engines.opa_columns import COLUMNAR
from ultravires.sources.policy_engines.opa_decisions import SOURCE, events

sys.path.insert(0, str(REPO / "bench"))
from telemetry_files import START, _decision_line

ALLOWED, SPAN = {"allow": True}, "00f067aa0ba902b7"
ODD_POLICIES: Options = replace(
    OPTIONS,
    opa_inputs={
        "*": {**DEFAULT_OPA_INPUTS["*"], "trace": " input.trace_id | labels.id"},
        "agents/*": {"subject": "input.caller|input.tool.name", "arguments": "input"},
        "agents/tools/*": {"action": "path|result", "tool": "input.tool"},
    },
)
NO_GENERAL_MAP: Options = replace(OPTIONS, opa_inputs={"agents/*": DEFAULT_OPA_INPUTS["*"]})


def written(record: Any) -> bytes:
    return msgspec.json.encode(record)


def rows(records: Sequence[bytes], options: Options) -> list[dict[str, Any] | None]:
    """Of each record its row, None where it is not taken."""
    fields = all_fields(records, COLUMNAR.paths(options))
    mask = COLUMNAR.takes(fields)
    columns = COLUMNAR.columns(fields.where(mask), options)
    for name, column in columns.items():
        assert len(column) == mask.sum()
        kind = column.type.value_type if hasattr(column.type, "index_type") else column.type
        assert str(kind) == ("int64" if name == "event_at" else str(EVENTS.field(name).type))
    taken = iter([dict(zip(columns, row, strict=True)) for row in zip(*map(list, columns.values()), strict=True)])
    return [{name: value.as_py() for name, value in next(taken).items()} if is_taken else None for is_taken in mask]


def as_row(event: Event) -> dict[str, Any]:
    keys = [dict(zip(("kind", "value", "role"), key, strict=True)) for key in event.keys]
    return {**msgspec.structs.asdict(event), "keys": keys, "detail": msgspec.json.encode(event.detail).decode()}


def said(record: bytes, options: Options) -> dict[str, Any] | None:
    """What `events` says; None for a record that it refuses."""
    try:
        (event,) = events(msgspec.json.decode(record), options)
    except NotParsed:
        return None
    return as_row(event)


def share_taken(records: Sequence[bytes], options: Options = OPTIONS) -> float:
    """Holds each row against the event of its record; returns the share of records that came to a row."""
    scanned = [record for record in records if is_scanned(record, COLUMNAR.paths(options))]
    unsaid = as_row(Event(native_id=None, event_at=0, kind="", class_uid=0, activity_id=0))
    taken = 0
    for record, row in zip(scanned, rows(scanned, options), strict=True):
        if row is not None:
            assert {**unsaid, **row} == said(record, options), record
            taken += 1
    return taken / len(records)


def test_the_source_reads_by_the_column() -> None:
    assert SOURCE.columnar is COLUMNAR


@pytest.mark.parametrize("folder", [SOURCE_SAMPLES, SAMPLES])
def test_samples_are_the_same_by_the_column(folder: Path) -> None:
    """All of their records are of the usual kind."""
    lines = [
        line
        for path in (folder / "opa_decisions").rglob("*.jsonl")
        if path.stem != "expected"
        for line in path.read_bytes().splitlines()
    ]
    assert share_taken([written(json.loads(line)) for line in lines]) == 1


@pytest.mark.parametrize("options", [OPTIONS, ODD_POLICIES, NO_GENERAL_MAP])
def test_thousands_of_decisions_are_the_same_by_the_column(options: Options) -> None:
    """As gateways write them, which are all taken."""
    rng = Random(7)
    lines = [_decision_line(rng, START + timedelta(milliseconds=997 * number)) for number in range(2_000)]
    assert share_taken([written(line) for line in lines], options) == 1


def test_without_records_there_are_no_rows() -> None:
    assert rows([], OPTIONS) == []
    assert rows([written({"decision_id": "a"})], OPTIONS) == [None]


IDS = st.sampled_from(["", "0", "00", TRACE, TRACE.upper(), SPAN, "xyz", "1e5", "0a\n", "APR-1"])
NAMED = st.dictionaries(st.sampled_from(["id", "uid", "arn", "name", "b", "a"]), IDS | st.integers(-3, 3), max_size=3)
PLAIN = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 1e300, 2**63]) | IDS | st.text(max_size=3)
)
ANYTHING = st.recursive(
    PLAIN | NAMED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
TIMES = st.sampled_from(
    [
        *("2026-10-05T10:00:00Z", "2026-10-05T10:00:00.123456789Z", "2026-10-05T10:00:00.5Z", "2026-10-05 10:00:00Z"),
        *("2026-02-30T10:00:00Z", "2026-10-05T24:00:00Z", "2026-10-05T23:59:60Z", "2026-10-05T10:00:00+02:00"),
        *("2026-10-05", "2026-10-05T10:00Z", "1969-10-05T10:00:00Z", "1970-01-01T00:00:00Z", "2199-12-31T23:59:59.9Z"),
        *("2300-10-05T10:00:00Z", "9999-12-31T23:59:59Z", "2026-10-05T10:00:00.Z", "2026-10-05T10:00:00.1234567890Z"),
    ]
)
ASKERS = st.sampled_from(
    ["192.0.2.7:51234", "[2001:db8::7]:51234", "2001:db8::7", "host", "host:", ":80", "[]:80", "", ":", "a[b:1", "\n:1"]
)
RESULTS = st.sampled_from(
    [True, False, "DENY", "allow", "maybe", {"allow": True, "deny": ["no"]}, {"decision": "permit"}, {"score": 7}, None]
)
POINTERS = st.lists(st.sampled_from(["/input", "/input/tool/arguments/order", "/input/agent", 7, ""]), max_size=2)
POLICIES = st.sampled_from(["agents/allow", "agents/tools/decision", "other", ""])
LIKELY = {
    **{"timestamp": TIMES, "requested_by": ASKERS, "result": RESULTS, "erased": POINTERS, "masked": POINTERS},
    **{"path": POLICIES, "trace_id": IDS, "span_id": IDS, "decision_id": IDS},
}
PATHS = [path for options in (OPTIONS, ODD_POLICIES) for path in COLUMNAR.paths(options)]
CHANGED = st.sampled_from(PATHS) | st.sampled_from(sorted(LIKELY))
OTHERS = st.none() | ANYTHING | NAMED | IDS | st.lists(NAMED | IDS, max_size=3)


def put(record: dict[str, Any], path: str, value: Any) -> None:
    """Sets the member at the path, also where its parents are missing or no objects."""
    *parents, name = path.split(".")
    for parent in parents:
        if not isinstance(record.get(parent), dict):
            record[parent] = {}
        record = record[parent]
    record[name] = value


def without(record: dict[str, Any], path: str) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        record = record.get(parent, {}) if isinstance(record, dict) else {}
    if isinstance(record, dict):
        record.pop(name, None)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A decision with up to five changes at or below the fields that are read."""
    usual = _decision_line(Random(draw(st.integers(0, 9))), START)
    record = json.loads(json.dumps(draw(st.sampled_from([usual, decision()]))))
    for path in draw(st.lists(CHANGED, max_size=5)):
        if draw(st.integers(0, 3)):
            put(record, path, draw(LIKELY.get(path, OTHERS) | OTHERS))
        else:
            without(record, path)
    return written(record)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(changed(), min_size=1, max_size=12), st.sampled_from([OPTIONS, ODD_POLICIES, NO_GENERAL_MAP]))
def test_whatever_the_records_hold_both_say_the_same(records: list[bytes], options: Options) -> None:
    """Also where records of many shapes are read together."""
    share_taken(records, options)
