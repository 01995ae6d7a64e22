"""Odd spans and log records of AI agents say the same whether they are taken as they are written or as dictionaries."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from both_forms import Reading, n_plain, same_in_both_forms
from conftest import SAMPLES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import TRACE, attributes, export, log_export, log_record, source, span

Json = dict[str, Any]
SOURCE = source("otel_genai")


def same(exports: list[Any], folder: Path) -> Reading:
    return same_in_both_forms(b"".join(msgspec.json.encode(one) + b"\n" for one in exports), SOURCE, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spans")


def test_a_usual_span_and_a_usual_log_record_are_plain() -> None:
    """So that the odd ones here are changed from such as are."""
    usual = [export(span(1, TOOL)), log_export(log_record({"event.name": "claude_code.auth"}))]
    assert [n_plain(msgspec.json.encode(one), SOURCE) for one in usual] == [1, 1]


def test_a_file_without_spans_has_no_rows(folder: Path) -> None:
    assert same([{"resourceSpans": []}, {"resourceSpans": [{"scopeSpans": []}]}], folder).rows == []


def test_spans_that_are_no_agents_are_ignored(folder: Path) -> None:
    spans = [span(number, {"http.request.method": "GET", "http.route": f"/{number}"}) for number in range(1, 9)]
    spans += [span(9, {"gen_ai.operation.name": "embeddings", "gen_ai.agent.name": "a", "gen_ai.system": "s"})]
    spans += [span(0, {"gen_ai.operation.name": "chat"})]
    assert same([export(*spans)], folder).n_ignored == 10


TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}
PARAMS = '{"name":"t","arguments":{"a":1}}'
INFERENCE = {"openinference.span.kind": "CHAIN"}


@pytest.mark.parametrize(
    ("named", "members"),
    [
        (TOOL | {"gen_ai.tool.call.id": 1.5, "approval.id": 2.0, "ticket.id": 3, "prompt.id": 7}, {}),
        (TOOL | {"gen_ai.tool.call.id": True, "tool_call.id": "c", "mcp.session.id": "s"}, {}),
        (TOOL | {"mcp.method.name": "tools/call", "jsonrpc.request.id": 7}, {}),
        (TOOL | {"mcp.method.name": "tools/call", "gen_ai.tool.call.id": "c", "jsonrpc.request.id": 7}, {}),
        (TOOL | {"mcp.method.name": "tools/call", "params": '{"name": 1}'}, {}),
        (TOOL | {"mcp.method.name": "tools/call", "params": PARAMS}, {}),
        (TOOL | {"params": PARAMS}, {}),
        (TOOL | {"gen_ai.tool.call.arguments": 'said "yes"\n', "input.value": "{}"}, {}),
        (TOOL | {"gen_ai.tool.call.arguments": "{broken"}, {}),
        (TOOL | {"gen_ai.tool.arguments": 5, "error.type": "timeout"}, {}),
        ({"gen_ai.operation.name": "execute_tool"}, {"name": "execute_tool t"}),
        (INFERENCE, {"name": "handoff to b"}),
        (INFERENCE, {"name": "handoff"}),
        (INFERENCE | {"openinference.span.kind": "tool", "tool.name": "t"}, {"name": "handoff to b"}),
        (INFERENCE | {"openinference.span.kind": "llm"}, {"name": "chat"}),
        ({"gen_ai.handoff.to_agent": "b"}, {}),
        ({"gen_ai.agent.name": "a"}, {}),
        ({"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "a"}, {}),
        ({"gen_ai.operation.name": "invoke_agent", "user.id": "mira"}, {"parentSpanId": "0"}),
        ({"gen_ai.operation.name": "invoke_agent", "user.id": "mira"}, {"parentSpanId": "1"}),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.prompt": "pay"}, {"parentSpanId": "1"}),
        ({"gen_ai.operation.name": "invoke_agent"}, {"parentSpanId": ""}),
        ({"rpc.system": "aws-api", "rpc.method": "S3/Get", "aws.request_id": "r", "cloud.account.id": 12}, {}),
        ({"rpc.system": "aws-api", "aws.requestId": "r", "status": "x"}, {"status": {"code": 2}}),
        ({"gen_ai.operation.name": "chat"}, {"startTimeUnixNano": "0"}),
        ({"gen_ai.operation.name": "chat"}, {"endTimeUnixNano": "0"}),
        ({"gen_ai.operation.name": "chat"}, {"traceId": TRACE.upper(), "spanId": "00F067AA0BA902B7"}),
        ({"gen_ai.operation.name": "chat"}, {"name": 'a "name"'}),
    ],
)
def test_an_unusual_span_is_the_same(named: Json, members: Json, folder: Path) -> None:
    """Among usual spans."""
    usual = [span(number, TOOL, 1) for number in range(1, 5)]
    assert same([export(*usual, span(5, named, 1, **members))], folder).n_records == 5


def test_a_list_that_is_an_object_holds_no_attributes(folder: Path) -> None:
    usual = span(1, {"gen_ai.operation.name": "chat"})
    odd = usual | {"attributes": {"gen_ai.operation.name": "chat"}}
    assert same([export(usual, odd)], folder).n_ignored == 1


def test_secrets_beside_the_spans_are_in_no_record(folder: Path) -> None:
    line = export(span(1, {"gen_ai.operation.name": "chat"}))
    line["resourceSpans"][0] = {"note": {"password": "hunter2"}} | line["resourceSpans"][0]
    line["resourceSpans"][0]["resource"]["password"] = "hunter2"
    read = same([line], folder)
    assert len(read.rows) == 1
    assert "hunter2" not in str(read.rows)


@pytest.mark.parametrize("depth", [192, 193, 194, 195, 196])
def test_a_span_may_be_as_deep_as_any_record(depth: int, folder: Path) -> None:
    """In the record that it becomes it stands inside of six others."""
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    line = export(span(1, {"gen_ai.operation.name": "chat"}, links=deep), span(2, {"gen_ai.operation.name": "chat"}))
    assert len(same([line], folder).quarantined) == (depth > 193)


SAMPLE_SPANS = [
    found
    for line in (SAMPLES / "otel_genai" / "spans-2026-10-05.jsonl").read_bytes().splitlines()[:12]
    for resource in json.loads(line).get("resourceSpans", [])
    for scope in resource["scopeSpans"]
    for found in scope["spans"][:8]
]
KINDS = [
    {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"},
    {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "gen_ai.tool.call.id": "c"},
    {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"},
    {"mcp.method.name": "tools/call", "mcp.tool.name": "t", "jsonrpc.request.id": 7, "mcp.session.id": "s"},
    {"rpc.system": "aws-api", "rpc.method": "S3/GetObject", "aws.request_id": "r", "cloud.account.id": 12},
    {"openinference.span.kind": "TOOL", "tool.name": "t", "tool.parameters": '{"a": 1}', "session.id": "s"},
    {"openinference.span.kind": "AGENT", "user.id": "mira", "input.value": "pay it"},
    {"traceloop.span.kind": "tool", "traceloop.entity.name": "t", "traceloop.entity.input": "{}"},
    {"gen_ai.agent.name": "a", "prompt.id": 5, "approval.id": "APR-1"},
    {"gen_ai.handoff.to_agent": "b"},
    {"http.request.method": "GET"},
]
WANTED = sorted(
    {
        *(name for named in KINDS for name in named),
        *(pair["key"] for found in SAMPLE_SPANS for pair in found["attributes"]),
        *("gen_ai.conversation.id", "conversation.id", "gen_ai.agent.id", "agent.name", "enduser.id", "user.email"),
        *("error.type", "error.message", "gen_ai.tool.arguments", "tool_call.id", "mcp.tool.arguments", "params"),
        *("gcp.vertex.agent.tool_call_args", "gen_ai.input.messages", "opa.decision_id", "decision.id", "ticket.id"),
        *("service.name", "host.id", "container.id", "service.instance.id", "llm.request.type", "gen_ai.prompt"),
        *("event.name", "event.timestamp", "session.id", "prompt", "tool_name", "decision", "source", "success"),
    }
)
ARGUMENTS = st.sampled_from(
    [
        *(
            '{"order": 7, "reason": "asked"}',
            '{"b":1,"a":[true,null,{"z":0.5,"y":"\\u00e9"}]}',
            '{"a":"é"}',
            "{}",
            "[]",
        ),
        *("[1, 2]", "plain text", 'a "quoted" \\ text', "{broken", '{"a":1,"a":2}', '{"a": 1} x', " {}", "[1,", "7"),
        *('{"password": "hunter2"}', '{"user":{"api_key":"k"},"n":1}', '{"\\u0061pi_key": "k"}', "\n", "", "null"),
        *('{"name":"t","arguments":{"a":1}}', '{"n": 1.50}', '{"n":1e3}', '{"n":12345678901234567890}', "[" * 150),
        *('{"a":"b\\nc"}', '{"a":"\\/"}', '{ "a" : [ ] }\n', '"{}"', "{'a': 1}", '{"token": 5}', "\u2028", "\x7f"),
    ]
)
WORDS = st.sampled_from(
    [
        *("", "a", "agent-1", "chat", "Chat", "execute_tool", "invoke_agent", "embeddings", "tools/call", "aws-api"),
        *("TOOL", "agent", "llm", "7", "true", "é", 'a"b', "a\\b", "a\tb", "svc/Method", "/M", "x" * 40),
    ]
)
VALUES = st.one_of(
    WORDS.map(lambda word: {"stringValue": word}),
    ARGUMENTS.map(lambda text: {"stringValue": text}),
    st.sampled_from(
        [7, "7", "0", "007", "-7", -7, 7.5, 7.0, "x", "", None, True, 2**53, "9" * 18, "9" * 20, 10**18]
    ).map(lambda number: {"intValue": number}),
    st.sampled_from([1.5, 2.0, 3, -1, 0.0, 1e300, "NaN", None, 1e-7]).map(lambda number: {"doubleValue": number}),
    st.booleans().map(lambda truth: {"boolValue": truth}),
    st.sampled_from(
        [
            *(
                {},
                None,
                "bare",
                7,
                [],
                {"stringValue": 5},
                {"stringValue": None},
                {"boolValue": "true"},
                {"other": "x"},
            ),
            *({"bytesValue": "aGk="}, {"arrayValue": {"values": [{"stringValue": "a"}]}}, {"arrayValue": {}}),
            {"kvlistValue": {"values": [{"key": "password", "value": {"stringValue": "hunter2"}}]}},
            *({"stringValue": "a", "intValue": "1"}, {"intValue": "1", "stringValue": "a"}, {"stringValue": {"a": 1}}),
        ]
    ),
)
NAMES = st.sampled_from([*WANTED, "authorization", "db.password", "http.route", "", "x", "é", 'a"b'])
PAIRS = st.one_of(
    st.tuples(NAMES, VALUES).map(lambda pair: {"key": pair[0], "value": pair[1]}),
    st.tuples(st.sampled_from(WANTED), WORDS).map(lambda pair: {"key": pair[0], "value": {"stringValue": pair[1]}}),
    ARGUMENTS.map(lambda text: {"key": "gen_ai.tool.call.arguments", "value": {"stringValue": text}}),
    st.sampled_from([None, 7, [], {}, {"key": "gen_ai.agent.id"}, {"key": 7, "value": {}}, {"value": {}}]),
    NAMES.map(lambda name: {"value": {"stringValue": "behind"}, "key": name, "more": 1}),
)
LISTS = st.one_of(
    st.lists(PAIRS, max_size=3),
    st.sampled_from([None, {}, "x", 7, {"gen_ai.agent.id": "a"}, [[{"key": "gen_ai.agent.id", "value": {}}]]]),
)
IDS = st.sampled_from([TRACE, TRACE.upper(), "0" * 32, "00f067aa0ba902b7", "0", "", "xyz", "0a\n", None, 7, "1", {}])
TIMES = st.sampled_from(
    [
        *("1791194401000000611", "1791194401000000999", 1791194401000000000, "0", 0, "", "9223372036854775807", "x"),
        *("9223372036854775808", "18446744073709551615", "253402300799999999999", "1", "999", "1000", "-5", -5, None),
        *(
            17.5,
            "1.5",
            "0001791194401000000",
            "\u0661" * 19,
            True,
            [],
            {},
            "999999999999999999",
            " 1791194401000000000",
        ),
    ]
)
STATUSES = st.sampled_from(
    [
        *({}, None, 7, [], {"code": 2}, {"code": "2"}, {"code": 2.0}, {"code": 1}, {"code": "STATUS_CODE_ERROR"}),
        *({"code": "ERROR", "message": "x"}, {"code": []}, {"code": None}, {"code": True}, {"code": 'a"b'}),
    ]
)
SPAN_NAMES = st.sampled_from(
    ["handoff to b", "handoff to ", "execute_tool t", "execute_tool ", "", "é", 'a"b', None, 7]
)
MEMBERS = st.one_of(
    st.tuples(st.sampled_from(["traceId", "spanId", "parentSpanId"]), IDS),
    st.tuples(st.sampled_from(["startTimeUnixNano", "endTimeUnixNano"]), TIMES),
    st.tuples(st.just("status"), STATUSES),
    st.tuples(st.just("name"), SPAN_NAMES),
    st.tuples(st.just("attributes"), LISTS),
    st.tuples(st.sampled_from(["events", "links", "password", "kind"]), LISTS | WORDS),
)


@st.composite
def spans(draw: st.DrawFn) -> Json:
    """A span as agents write it, with up to four changes."""
    plain = [span(number, named, draw(st.sampled_from([None, 1, 2]))) for number, named in enumerate(KINDS, 1)]
    changed = json.loads(json.dumps(draw(st.sampled_from([*plain, draw(st.sampled_from(SAMPLE_SPANS))]))))
    for _ in range(draw(st.integers(0, 4))):
        listed = changed.get("attributes")
        match draw(st.integers(0, 6)):
            case 0 | 1 | 2 if isinstance(listed, list):
                listed.insert(draw(st.integers(0, len(listed))), json.loads(json.dumps(draw(PAIRS))))
            case 3 if listed and isinstance(listed, list):
                del listed[draw(st.integers(0, len(listed) - 1))]
            case 4:
                changed.pop(draw(st.sampled_from(sorted(changed))), None)
            case _:
                name, value = draw(MEMBERS)
                changed[name] = json.loads(json.dumps(value))
    return changed


@st.composite
def exports(draw: st.DrawFn) -> Any:
    """Spans, and now and then what stands in their place."""
    resources = []
    for _ in range(draw(st.integers(1, 2))):
        scopes = [
            draw(arounds("scope")) | {"spans": draw(st.lists(spans(), max_size=4))}
            for _ in range(draw(st.integers(1, 2)))
        ]
        resources.append(draw(arounds("resource")) | {"scopeSpans": scopes})
    whole = {"resourceSpans": resources}
    match draw(st.integers(0, 40)):
        case 0:
            return log_export(log_record({"event.name": "claude_code.auth", "session.id": "s"}))
        case 1:
            resources[0] = dict(reversed(resources[0].items()))
        case 2:
            return whole | log_export(log_record({}))
        case 3:
            return draw(st.sampled_from([{}, [], 7, {"resourceSpans": None}, {"resourceMetrics": []}]))
        case 4:
            resources[0]["scopeSpans"][0]["spans"] = draw(st.sampled_from([None, [7], [[]], {}]))
        case 5:
            resources[0]["resource"] = draw(st.sampled_from([None, 7, []]))
    return whole


@st.composite
def arounds(draw: st.DrawFn, name: str) -> Json:
    """What stands around spans: a resource or a scope, or nothing, and other members."""
    before = draw(
        st.sampled_from([{}, {}, {"schemaUrl": "https://example.org"}, {"more": {"password": "p", "a": [1]}}])
    )
    pairs = draw(st.lists(PAIRS, max_size=2) | st.just(attributes({"service.name": "runner"})))
    own = draw(st.sampled_from([{"attributes": pairs}, {"attributes": pairs}, {"attributes": pairs, "name": "n"}, {}]))
    return before | ({name: own} if draw(st.integers(0, 5)) else {})


def spaced(line: Any) -> bytes:
    return json.dumps(line).encode()


LINES = st.tuples(exports(), st.sampled_from([msgspec.json.encode] * 9 + [spaced])).map(lambda line: line[1](line[0]))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(LINES, min_size=1, max_size=4))
def test_odd_exports_are_the_same(folder: Path, lines: list[bytes]) -> None:
    same_in_both_forms(b"\n".join(lines), SOURCE, folder)
