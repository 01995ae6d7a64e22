"""Odd OPA decisions say the same whether they are taken as they are written or as dictionaries."""

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from both_forms import n_plain, plainly_written, same_in_both_forms
from conftest import REPO
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, TRACE, decision, source
from ultravires.reading.options import DEFAULT_OPA_INPUTS, Options
from ultravires.sources.policy_engines.opa import OpaDecision, paths_of

sys.path.append(str(REPO / "bench"))
from telemetry_files import START, _decision_line

SOURCE = source("opa_decisions")
SPAN = "00f067aa0ba902b7"
ODD_POLICIES: Options = replace(
    OPTIONS,
    opa_inputs={
        "*": {**DEFAULT_OPA_INPUTS["*"], "trace": " input.trace_id | labels.id"},
        "agents/*": {"subject": "input.caller|input.tool.name", "arguments": "input"},
        "agents/tools/*": {"action": "path|result", "tool": "input.tool"},
    },
)
NO_GENERAL_MAP: Options = replace(OPTIONS, opa_inputs={"agents/*": DEFAULT_OPA_INPUTS["*"]})


EVERY_MAP = pytest.mark.parametrize("options", [OPTIONS, ODD_POLICIES, NO_GENERAL_MAP])


@EVERY_MAP
def test_thousands_of_decisions_are_the_same(options: Options, tmp_path: Path) -> None:
    """As gateways write them, wherever a policy's input is said to hold what they say; all are plain."""
    rng = Random(7)
    records = [_decision_line(rng, START + timedelta(milliseconds=997 * number)) for number in range(2_000)]
    data = b"\n".join(map(msgspec.json.encode, records))
    assert n_plain(data, SOURCE, options) == len(records)
    assert len(same_in_both_forms(data, SOURCE, tmp_path, options).rows) == len(records)


def test_a_usual_decision_is_plain() -> None:
    """So that the odd ones here are changed from one that is."""
    assert n_plain(plainly_written(decision(), SOURCE), SOURCE) == 1


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
PATHS = [
    *OpaDecision.__struct_fields__,
    *(
        ".".join(path)
        for options in (OPTIONS, ODD_POLICIES)
        for places in options.opa_inputs.values()
        for place in places.values()
        for path in paths_of(place)
    ),
]
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
    """A decision with up to five changes at or below the fields that are read, in OPA's order or in another."""
    usual = _decision_line(Random(draw(st.integers(0, 9))), START)
    record = json.loads(json.dumps(draw(st.sampled_from([usual, decision()]))))
    for path in draw(st.lists(CHANGED, max_size=5)):
        if draw(st.integers(0, 3)):
            put(record, path, draw(LIKELY.get(path, OTHERS) | OTHERS))
        else:
            without(record, path)
    return plainly_written(record, SOURCE) if draw(st.booleans()) else msgspec.json.encode(record)


@EVERY_MAP
@settings(
    max_examples=130,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(lines=st.lists(changed(), min_size=1, max_size=12))
def test_odd_decisions_are_the_same(options: Options, tmp_path: Path, lines: list[bytes]) -> None:
    assert same_in_both_forms(b"\n".join(lines), SOURCE, tmp_path, options).n_records == len(lines)
