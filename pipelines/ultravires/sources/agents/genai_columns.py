"""Usual spans of AI agents by the column: what `genai_spans.span_event` says of each.

Most attributes of a span are those of many others: they are read once for each different combination, by the very
functions that read a single span. What is unusual, or takes a look at messages (what people ask for, tasks of runs,
handoffs), is left to `events` of the source.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.formats.otlp import first_of
from ultravires.reading.column_values import hex_ids, nanos_column
from ultravires.reading.columns import (
    ABSENT,
    NULL,
    NUMBER,
    STRING,
    UNSURE,
    Columnar,
    Distinct,
    Fields,
    Mask,
    key_lists,
)
from ultravires.reading.detail_texts import more_members
from ultravires.reading.first_found import FirstFound, first_found
from ultravires.reading.source import Options
from ultravires.reading.values import label, text
from ultravires.sources.agents.genai_spans import (
    AGENT_NAMES,
    APPROVAL,
    ARGUMENTS,
    AWS_REQUEST,
    CALL,
    CONVERSATION,
    DECISION,
    HANDOFF,
    HUMAN,
    MESSAGES,
    MODELS,
    OTHER,
    PROMPT,
    SAID,
    SERVERS,
    TICKET,
    TOOL,
    WORKLOADS,
    action_of,
    agent_of,
    has_failed,
    operation_of,
)
from ultravires.sources.ocsf.classes import API_ACTIVITY

_TEXT = pa.string()
_KIND, _AGENT_NAME, _HANDED_TO = "openinference.span.kind", "gen_ai.agent.name", "gen_ai.handoff.to_agent"
_MCP, _MCP_REQUEST = "mcp.method.name", "jsonrpc.request.id"
_ACCOUNT = "cloud.account.id"
_OF_OPERATION = (
    *("gen_ai.operation.name", _MCP, _KIND, "traceloop.span.kind", "rpc.system", "rpc.system.name"),
    *("gen_ai.request.model", "llm.request.type", "gen_ai.system", _HANDED_TO, *TOOL),
)
"""Together they say what the span is. Not the agent's name, of which there are many, though it may say so alone."""
_OF_CALL = tuple(dict.fromkeys((*_OF_OPERATION, "rpc.service", "rpc.method", *MODELS, *SERVERS, "error.type")))
_OF_ACTOR = ("gen_ai.agent.id", *AGENT_NAMES, "service.name", *HUMAN, _ACCOUNT, *WORKLOADS)
_OWN_CALL = (*CALL, _MCP_REQUEST, *CONVERSATION, *APPROVAL, *TICKET, *DECISION, *PROMPT, *AWS_REQUEST)
_WITH_ESCAPES = tuple(dict.fromkeys((*ARGUMENTS, MESSAGES, *SAID)))
_TRACE, _SPAN, _PARENT, _NAME, _STATUS = "traceId", "spanId", "parentSpanId", "name", "status.code"
_STARTED, _ENDED = "startTimeUnixNano", "endTimeUnixNano"
_LIST = "attributes/"
_PATHS = (
    *(_TRACE, _SPAN, _PARENT, f"~{_NAME}", _STATUS, _STARTED, _ENDED),
    *(f"~{_LIST}{name}" for name in _WITH_ESCAPES),
    *(f"{_LIST}{name}" for name in dict.fromkeys((*_OF_CALL, *_OF_ACTOR, *_OWN_CALL))),
)

_ALWAYS, _IF_NAMED, _NEVER = "always", "where its agent has a name", "never"

Attributes = dict[str, Any]
_Meaning = TypeVar("_Meaning")


class _Operation(NamedTuple):
    """What the attributes of _OF_OPERATION say: which operation, if any, and whether it is one of the usual kind."""

    name: str | None
    is_usual: bool
    is_mcp: bool


class _Call(NamedTuple):
    """What spans of one operation, tool, model and end have in common; parts of `detail` as JSON members."""

    operation: str
    action: str | None
    is_failed: bool
    error: str | None
    is_mcp: bool
    opening: str
    status: str
    closing: str


class _Actor(NamedTuple):
    """What spans of one agent, person and place have in common."""

    uid: str | None
    name: str | None
    human: str | None
    account: str | None
    workload: str | None
    agent_id: str


@dataclass(frozen=True)
class _Said(Generic[_Meaning]):
    """What some attributes (and other fields) mean in each span, told once for equal ones."""

    distinct: Distinct
    meanings: Sequence[_Meaning]

    def texts(self, of: Callable[[_Meaning], str | None]) -> pa.StringArray:
        return pa.array(map(of, self.meanings), _TEXT).take(pa.array(self.distinct.codes))

    def column(self, of: Callable[[_Meaning], str | None]) -> pa.DictionaryArray:
        return self.distinct.spread(map(of, self.meanings), _TEXT)

    def where(self, of: Callable[[_Meaning], bool]) -> Mask:
        mask: Mask = np.array([of(meaning) for meaning in self.meanings], np.bool_)[self.distinct.codes]
        return mask


def _said(fields: Fields, meaning: Callable[..., _Meaning], names: Sequence[str], *paths: str) -> _Said[_Meaning]:
    """`meaning` is given a span's attributes, as far as these names go, and the values of the other fields."""
    distinct = fields.distinct(*(f"{_LIST}{name}" for name in names), *paths)
    count = len(names)
    return _Said(
        distinct,
        [meaning(_present(zip(names, values[:count], strict=True)), *values[count:]) for values in distinct.values],
    )


def _present(pairs: Iterable[tuple[str, Any]]) -> Attributes:
    return {name: value for name, value in pairs if value is not None}


def _takes(fields: Fields) -> Mask:
    """Which spans are calls of the usual kind, with their ids and a time."""
    said = _said(fields, _operation, _OF_OPERATION)
    mask: Mask = (
        said.where(lambda operation: operation.is_usual)
        & ~_has_name_to_read(fields)
        & _has_ids(fields)
        & _is_valid(nanos_column(fields.json(_STARTED)))
    )
    runs = mask & said.where(lambda operation: operation.name == "invoke_agent")
    if runs.any():
        mask[runs] = ~_asks(fields.where(runs))
    calls = mask & said.where(lambda operation: operation.name == "execute_tool")
    if calls.any():
        is_mcp = said.where(lambda operation: operation.is_mcp)
        mask[calls] = _has_usual_arguments(fields.where(calls), is_mcp[calls])
    return mask


def _operation(attributes: Attributes) -> _Operation:
    name = operation_of(attributes)
    is_handoff = first_of(attributes, _HANDED_TO) is not None
    is_named = name != "execute_tool" or first_of(attributes, *TOOL) is not None
    return _Operation(name, name is not None and is_named and not is_handoff, bool(attributes.get(_MCP)))


def _has_name_to_read(fields: Fields) -> Mask:
    """Spans of OpenInference, of which the name may say that they are handoffs."""
    mask: Mask = fields.kinds(f"{_LIST}{_KIND}") != ABSENT
    if mask.any():
        mask &= pc.starts_with(fields.json(_NAME), HANDOFF).fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _has_ids(fields: Fields) -> Mask:
    mask: Mask = _is_valid(hex_ids(fields.text(_TRACE))) & _is_valid(hex_ids(fields.text(_SPAN)))
    return mask


def _is_valid(values: pa.Array) -> Mask:
    mask: Mask = values.is_valid().to_numpy(zero_copy_only=False)
    return mask


def _asks(fields: Fields) -> Mask:
    """Runs that have a task, or that a person asked for: those without a parent."""
    mask = np.zeros(len(fields), np.bool_)
    for name in (MESSAGES, *SAID):
        mask |= ~np.isin(fields.kinds(f"{_LIST}{name}"), (ABSENT, NULL))
    is_root = hex_ids(fields.text(_PARENT)).is_null().to_numpy(zero_copy_only=False)
    if is_root.any():
        mask |= is_root & _is_valid(_labels(fields, HUMAN))
    return mask


def _has_usual_arguments(fields: Fields, is_mcp: Mask) -> Mask:
    """Tool calls whose arguments are plain to read and, in MCP, no `params` with the tool's name beside them."""
    arguments = _arguments(fields)
    mask: Mask = arguments.gather(_inner_kinds, pa.uint8()).fill_null(ABSENT).to_numpy() != UNSURE
    if is_mcp.any():
        texts = arguments.gather(_inner_texts, _TEXT)
        for name in ("name", "arguments"):
            is_mcp = is_mcp & pc.match_substring(texts, f'"{name}":').fill_null(False).to_numpy(zero_copy_only=False)
        mask &= ~is_mcp
    return mask


def _arguments(fields: Fields) -> FirstFound:
    return first_found(fields, [f"{_LIST}{name}" for name in ARGUMENTS])


def _inner_kinds(fields: Fields, path: str) -> pa.UInt8Array:
    return pa.array(fields.inner_json(path)[0])


def _inner_texts(fields: Fields, path: str) -> pa.StringArray:
    """The arguments as JSON text; plain strings with their quotes."""
    kinds, texts = fields.inner_json(path)
    is_string = kinds == STRING
    return (
        pc.if_else(pa.array(is_string), pc.binary_join_element_wise('"', texts, '"', ""), texts)
        if is_string.any()
        else texts
    )


def _labels(fields: Fields, names: Sequence[str]) -> pa.StringArray:
    """The first of these attributes that holds an id or a name, as `first_of`."""
    found = pa.nulls(len(fields), _TEXT)
    for name in names:
        kinds = fields.kinds(f"{_LIST}{name}")
        if np.isin(kinds, (STRING, NUMBER)).any():
            found = pc.coalesce(found, _label(fields, f"{_LIST}{name}"))
            if not found.null_count:
                break
    return found


def _label(fields: Fields, path: str) -> pa.StringArray:
    """The value where it is a string with something in it, or a whole number; as `reading.values.label`."""
    texts = fields.text(path)
    is_number = fields.kinds(path) == NUMBER
    if not is_number.any():
        return texts
    digits = fields.json(path)
    is_whole = pc.and_(pa.array(is_number), pc.invert(pc.match_substring(digits, ".")))
    return pc.if_else(pc.fill_null(is_whole, False), digits, texts)


def _ignores(fields: Fields) -> Mask:
    """Which spans are no agent's, or have no ids."""
    said = _said(fields, _agents, _OF_OPERATION)
    is_nothing = ~said.where(lambda agents: agents == _ALWAYS)
    if is_nothing.any():
        is_named = _is_valid(fields.text(f"{_LIST}{_AGENT_NAME}")) & said.where(lambda agents: agents == _IF_NAMED)
        is_nothing &= ~is_named & ~_has_name_to_read(fields)
    mask: Mask = is_nothing | ~_has_ids(fields)
    return mask


def _agents(attributes: Attributes) -> str:
    """When a span with these attributes is an agent's."""
    if first_of(attributes, _HANDED_TO) is not None or operation_of(attributes) is not None:
        return _ALWAYS
    return _NEVER if operation_of(attributes | {_AGENT_NAME: "any"}) is None else _IF_NAMED


def _columns(fields: Fields, options: Options) -> Mapping[str, pa.Array]:
    count = len(fields)
    spans = _Spans(fields)
    calls, actors = spans.calls, spans.actors
    arguments = _arguments_of_tools(fields, calls.where(lambda call: call.operation == "execute_tool"))
    return {
        "native_id": spans.uids,
        "event_at": nanos_column(fields.json(_STARTED)),
        "kind": pa.repeat("tool_call", count),
        "class_uid": pa.repeat(pa.scalar(API_ACTIVITY, pa.int32()), count),
        "activity_id": pa.repeat(pa.scalar(OTHER, pa.int32()), count),
        "actor_uid": actors.column(lambda actor: actor.uid),
        "actor_kind": pa.repeat("agent", count),
        "actor_name": actors.column(lambda actor: actor.name),
        "on_behalf_of_uid": actors.column(lambda actor: actor.human),
        "account_uid": actors.column(lambda actor: actor.account),
        "workload_uid": actors.column(lambda actor: actor.workload),
        "action": calls.column(lambda call: call.action),
        "outcome": calls.column(lambda call: "failure" if call.is_failed else "success"),
        "error_code": calls.column(lambda call: call.error),
        "tool_call_uid": spans.uids,
        "args_hash": fields.json_hashes(arguments, options.hash_key),
        "keys": _keys(spans),
        "detail": _details(spans, arguments),
    }


class _Spans:
    """What several columns of the same spans need."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.calls = _said(fields, _call, _OF_CALL, _STATUS)
        self.actors = _said(fields, _actor, _OF_ACTOR)
        self.traces = hex_ids(fields.text(_TRACE))
        self.uids = _joined(self.traces, hex_ids(fields.text(_SPAN)))
        self.conversations = _labels(fields, CONVERSATION)


def _call(attributes: Attributes, status_code: Any) -> _Call:
    operation = operation_of(attributes) or ""
    tool = first_of(attributes, *TOOL) if operation == "execute_tool" else None
    is_failed = has_failed(status_code, attributes)
    return _Call(
        operation=operation,
        action=action_of(attributes, operation, tool),
        is_failed=is_failed,
        error=text(attributes.get("error.type")),
        is_mcp=bool(attributes.get(_MCP)),
        opening="{" + more_members(operation=operation, tool=tool)[1:],
        status=more_members(result_status="error" if is_failed else "ok"),
        closing=more_members(model=first_of(attributes, *MODELS), server=first_of(attributes, *SERVERS)) + "}",
    )


def _actor(attributes: Attributes) -> _Actor:
    return _Actor(
        uid=agent_of(attributes),
        name=first_of(attributes, *AGENT_NAMES),
        human=first_of(attributes, *HUMAN),
        account=label(attributes.get(_ACCOUNT)),
        workload=first_of(attributes, *WORKLOADS),
        agent_id=more_members(agent_id=text(attributes.get("gen_ai.agent.id"))),
    )


def _arguments_of_tools(fields: Fields, is_tool: Mask) -> pa.StringArray:
    """The arguments of tool calls as JSON text; null for other spans and where there are none."""
    if is_tool.all():
        return _arguments(fields).gather(_inner_texts, _TEXT)
    found = _arguments(fields.where(is_tool)).gather(_inner_texts, _TEXT)
    places = np.cumsum(is_tool) - 1
    return found.take(pa.array(places, mask=~is_tool))


def _details(spans: _Spans, arguments: pa.StringArray) -> pa.StringArray:
    """The members of `detail` in their order: most are written once for equal spans."""
    ended = _iso(nanos_column(spans.fields.json(_ENDED)))
    return pc.binary_join_element_wise(
        spans.calls.texts(lambda call: call.opening),
        pc.binary_join_element_wise(',"arguments":', arguments, ""),
        spans.calls.texts(lambda call: call.status),
        pc.binary_join_element_wise(',"ended_at":"', ended, '"', ""),
        # without escapes, which would have left the span to `events`
        pc.binary_join_element_wise(',"conversation":"', spans.conversations, '"', ""),
        spans.actors.texts(lambda actor: actor.agent_id),
        spans.calls.texts(lambda call: call.closing),
        "",
        null_handling="replace",
        null_replacement="",
    )


def _keys(spans: _Spans) -> pa.ListArray:
    fields, traces, conversations = spans.fields, spans.traces, spans.conversations
    called = _labels(fields, CALL)
    keys = [
        ("span", spans.uids, "names"),
        ("span", _joined(traces, hex_ids(fields.text(_PARENT))), "uses"),
        ("tool_call", _joined(traces, called), "names"),
        ("tool_call", _joined(conversations, called), "uses"),
        ("tool_call", _joined(traces, _asked(spans, called)), "names"),
        ("approval", _labels(fields, APPROVAL), "uses"),
        ("ticket", _labels(fields, TICKET), "uses"),
        ("decision", _labels(fields, DECISION), "uses"),
        ("prompt", _joined(pc.coalesce(conversations, traces), _labels(fields, PROMPT)), "uses"),
        ("request", _requests(spans), "uses"),
        ("trace", traces, "carries"),
        ("conversation", conversations, "carries"),
    ]
    return key_lists(len(fields), keys)


def _asked(spans: _Spans, called: pa.StringArray) -> pa.StringArray:
    """In MCP the id of the request for a tool, where nothing else has the call's."""
    is_asked = spans.calls.where(lambda call: call.is_mcp)
    if not is_asked.any():
        return pa.nulls(len(called), _TEXT)
    return _where(is_asked & ~_is_valid(called), _labels(spans.fields, (_MCP_REQUEST,)))


def _requests(spans: _Spans) -> pa.StringArray:
    """AWS's ids of the requests, behind the account's."""
    is_rpc = spans.calls.where(lambda call: call.operation == "rpc")
    if not is_rpc.any():
        return pa.nulls(len(is_rpc), _TEXT)
    requests = _where(is_rpc, _labels(spans.fields, AWS_REQUEST))
    return pc.coalesce(_joined(spans.actors.texts(lambda actor: actor.account), requests), requests)


def _where(mask: Mask, values: pa.StringArray) -> pa.StringArray:
    return values if mask.all() else pc.if_else(pa.array(mask), values, pa.scalar(None, _TEXT))


def _joined(first: pa.StringArray, second: pa.StringArray) -> pa.StringArray:
    """`first/second`, null where either is."""
    if second.null_count == len(second):
        return second
    return pc.binary_join_element_wise(first, second, "/")


def _iso(moments: pa.Int64Array) -> pa.StringArray:
    """`reading.values.iso` of each moment."""
    texts = moments.cast(pa.timestamp("us")).cast(_TEXT)
    return pc.binary_join_element_wise(pc.binary_replace_slice(texts, 10, 11, "T"), "Z", "")


def _paths(_: Options) -> tuple[str, ...]:
    return _PATHS


COLUMNAR = Columnar(
    paths=_paths,
    takes=_takes,
    columns=_columns,
    ignores=_ignores,
    nestings=("resourceSpans.scopeSpans.spans",),
)
"""Log records stand in other arrays, and a file that has both is read by `events`."""
