"""Usual spans of AI agents by the column: what `genai_spans.span_event` says of each.

Most attributes of a span are those of many others: they are read once for each different combination, by the very
functions that read a single span. What is unusual, or takes a look at messages (what people ask for, tasks of runs,
handoffs), is left to `events` of the source.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.column_values import hex_ids, nanos_column
from ultravires.reading.columns import (
    ABSENT,
    ESCAPED,
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
from ultravires.reading.first_found import FirstFound, first_found
from ultravires.reading.source import Options, present
from ultravires.reading.values import label, text
from ultravires.vendors.genai_spans import (
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
from ultravires.vendors.ocsf_classes import API_ACTIVITY
from ultravires.vendors.otlp import first_of

_TEXT = pa.string()
_KIND, _AGENT_NAME, _HANDED_TO = "openinference.span.kind", "gen_ai.agent.name", "gen_ai.handoff.to_agent"
_WITH_AGENT = {_AGENT_NAME: "any"}
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

Attributes = dict[str, Any]

_encode = msgspec.json.Encoder().encode


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


def _grouped(fields: Fields, names: Sequence[str], *paths: str) -> tuple[Distinct, list[Attributes]]:
    """The different values of some attributes (and of other fields), and each as a span's attributes."""
    distinct = fields.distinct(*(f"{_LIST}{name}" for name in names), *paths)
    return distinct, [_present(zip(names, values, strict=False)) for values in distinct.values]


def _present(pairs: Iterable[tuple[str, Any]]) -> Attributes:
    return {name: value for name, value in pairs if value is not None}


def _each(distinct: Distinct, answers: list[bool]) -> Mask:
    return np.array(answers, np.bool_)[distinct.codes]


def _takes(fields: Fields) -> Mask:
    """Which spans are calls of the usual kind, with their ids and a time."""
    of_operation, said = _grouped(fields, _OF_OPERATION)
    operations = [_operation(attributes) for attributes in said]
    mask: Mask = (
        _each(of_operation, [operation.is_usual for operation in operations])
        & ~_has_name_to_read(fields)
        & _has_ids(fields)
        & _is_valid(nanos_column(fields.json(_STARTED)))
    )
    runs = mask & _each(of_operation, [operation.name == "invoke_agent" for operation in operations])
    if runs.any():
        mask[runs] = ~_asks(fields.where(runs))
    calls = mask & _each(of_operation, [operation.name == "execute_tool" for operation in operations])
    if calls.any():
        is_mcp = _each(of_operation, [operation.is_mcp for operation in operations])[calls]
        mask[calls] = _has_usual_arguments(fields.where(calls), is_mcp)
    return mask


def _operation(attributes: Attributes) -> _Operation:
    name = operation_of(attributes)
    is_handoff = first_of(attributes, _HANDED_TO) is not None
    is_named = name != "execute_tool" or first_of(attributes, *TOOL) is not None
    return _Operation(name, name is not None and is_named and not is_handoff, bool(attributes.get(_MCP)))


def _has_name_to_read(fields: Fields) -> Mask:
    """Spans of OpenInference, of which the name may say that they are handoffs."""
    kinds = fields.kinds(f"{_LIST}{_KIND}")
    is_there = kinds != ABSENT
    if not is_there.any():
        return is_there
    is_handoff = pc.starts_with(fields.json(_NAME), HANDOFF).fill_null(False).to_numpy(zero_copy_only=False)
    mask: Mask = (kinds == NULL) | is_there & is_handoff
    return mask


def _has_ids(fields: Fields) -> Mask:
    return _is_valid(hex_ids(fields.text(_TRACE))) & _is_valid(hex_ids(fields.text(_SPAN)))


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
    of_operation, said = _grouped(fields, _OF_OPERATION)
    is_nothing = _each(of_operation, [_is_nothing(attributes) for attributes in said])
    if is_nothing.any():
        is_named = _is_valid(fields.text(f"{_LIST}{_AGENT_NAME}"))
        is_run = _each(of_operation, [not _is_nothing(attributes | _WITH_AGENT) for attributes in said])
        is_nothing &= ~(is_named & is_run) & ~_has_name_to_read(fields)
    mask: Mask = is_nothing | ~_has_ids(fields)
    return mask


def _is_nothing(attributes: Attributes) -> bool:
    return operation_of(attributes) is None and first_of(attributes, _HANDED_TO) is None


def _columns(fields: Fields, options: Options) -> Mapping[str, pa.Array]:
    count = len(fields)
    of_call, calls = _calls(fields)
    of_actor, actors = _actors(fields)
    traces = hex_ids(fields.text(_TRACE))
    uids = _joined(traces, hex_ids(fields.text(_SPAN)))
    conversations = _labels(fields, CONVERSATION)
    arguments = _arguments_of_tools(fields, _each(of_call, [call.operation == "execute_tool" for call in calls]))
    return {
        "native_id": uids,
        "event_at": nanos_column(fields.json(_STARTED)),
        "kind": pa.repeat("tool_call", count),
        "class_uid": pa.repeat(pa.scalar(API_ACTIVITY, pa.int32()), count),
        "activity_id": pa.repeat(pa.scalar(OTHER, pa.int32()), count),
        "actor_uid": of_actor.spread([actor.uid for actor in actors], _TEXT),
        "actor_kind": pa.repeat("agent", count),
        "actor_name": of_actor.spread([actor.name for actor in actors], _TEXT),
        "on_behalf_of_uid": of_actor.spread([actor.human for actor in actors], _TEXT),
        "account_uid": of_actor.spread([actor.account for actor in actors], _TEXT),
        "workload_uid": of_actor.spread([actor.workload for actor in actors], _TEXT),
        "action": of_call.spread([call.action for call in calls], _TEXT),
        "outcome": of_call.spread(["failure" if call.is_failed else "success" for call in calls], _TEXT),
        "error_code": of_call.spread([call.error for call in calls], _TEXT),
        "tool_call_uid": uids,
        "args_hash": fields.json_hashes(arguments, options.hash_key),
        "keys": _keys(fields, of_call, calls, of_actor, actors, traces, uids, conversations),
        "detail": pc.binary_join_element_wise(
            _spread(of_call, [call.opening for call in calls]),
            _member("arguments", arguments),
            _spread(of_call, [call.status for call in calls]),
            _member("ended_at", _quoted(_iso(nanos_column(fields.json(_ENDED))))),
            _member("conversation", _quoted(conversations)),
            _spread(of_actor, [actor.agent_id for actor in actors]),
            _spread(of_call, [call.closing for call in calls]),
            "",
            null_handling="replace",
            null_replacement="",
        ),
    }


def _calls(fields: Fields) -> tuple[Distinct, list[_Call]]:
    of_call, said = _grouped(fields, _OF_CALL, _STATUS)
    codes = [values[-1] for values in of_call.values]
    return of_call, [_call(attributes, code) for attributes, code in zip(said, codes, strict=True)]


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
        opening="{" + _members(operation=operation, tool=tool),
        status="," + _members(result_status="error" if is_failed else "ok"),
        closing=_more(model=first_of(attributes, *MODELS), server=first_of(attributes, *SERVERS)) + "}",
    )


def _actors(fields: Fields) -> tuple[Distinct, list[_Actor]]:
    of_actor, said = _grouped(fields, _OF_ACTOR)
    return of_actor, [_actor(attributes) for attributes in said]


def _actor(attributes: Attributes) -> _Actor:
    return _Actor(
        uid=agent_of(attributes),
        name=first_of(attributes, *AGENT_NAMES),
        human=first_of(attributes, *HUMAN),
        account=label(attributes.get(_ACCOUNT)),
        workload=first_of(attributes, *WORKLOADS),
        agent_id=_more(agent_id=text(attributes.get("gen_ai.agent.id"))),
    )


def _members(**members: Any) -> str:
    """Members of a JSON object, written as in `detail`."""
    return _encode(present(**members)).decode()[1:-1]


def _more(**members: Any) -> str:
    """Members that follow others."""
    written = _members(**members)
    return f",{written}" if written else ""


def _arguments_of_tools(fields: Fields, is_tool: Mask) -> pa.StringArray:
    """The arguments of tool calls as JSON text; null for other spans and where there are none."""
    if is_tool.all():
        return _arguments(fields).gather(_inner_texts, _TEXT)
    found = _arguments(fields.where(is_tool)).gather(_inner_texts, _TEXT)
    places = np.cumsum(is_tool) - 1
    return found.take(pa.array(places, mask=~is_tool))


def _keys(
    fields: Fields,
    of_call: Distinct,
    calls: Sequence[_Call],
    of_actor: Distinct,
    actors: Sequence[_Actor],
    traces: pa.StringArray,
    uids: pa.StringArray,
    conversations: pa.StringArray,
) -> pa.ListArray:
    called = _labels(fields, CALL)
    is_asked = _each(of_call, [call.is_mcp for call in calls])
    requested = _labels(fields, (_MCP_REQUEST,)) if is_asked.any() else pa.nulls(len(fields), _TEXT)
    keys = [
        ("span", uids, "names"),
        ("span", _joined(traces, hex_ids(fields.text(_PARENT))), "uses"),
        ("tool_call", _joined(traces, called), "names"),
        ("tool_call", _joined(conversations, called), "uses"),
        ("tool_call", _where(is_asked & ~_is_valid(called), _joined(traces, requested)), "names"),
        ("approval", _labels(fields, APPROVAL), "uses"),
        ("ticket", _labels(fields, TICKET), "uses"),
        ("decision", _labels(fields, DECISION), "uses"),
        ("prompt", _joined(pc.coalesce(conversations, traces), _labels(fields, PROMPT)), "uses"),
        ("request", _requests(fields, of_call, calls, of_actor, actors), "uses"),
        ("trace", traces, "carries"),
        ("conversation", conversations, "carries"),
    ]
    return key_lists(len(fields), [key for key in keys if key[1].null_count < len(fields)] or keys)


def _requests(
    fields: Fields, of_call: Distinct, calls: Sequence[_Call], of_actor: Distinct, actors: Sequence[_Actor]
) -> pa.StringArray:
    """AWS's ids of the requests, behind the account's."""
    is_rpc = _each(of_call, [call.operation == "rpc" for call in calls])
    if not is_rpc.any():
        return pa.nulls(len(fields), _TEXT)
    requests = _where(is_rpc, _labels(fields, AWS_REQUEST))
    return pc.coalesce(_joined(_spread(of_actor, [actor.account for actor in actors]), requests), requests)


def _where(mask: Mask, values: pa.StringArray) -> pa.StringArray:
    return values if mask.all() else pc.if_else(pa.array(mask), values, pa.scalar(None, _TEXT))


def _joined(first: pa.StringArray, second: pa.StringArray) -> pa.StringArray:
    """`first/second`, null where either is."""
    if second.null_count == len(second):
        return second
    return pc.binary_join_element_wise(first, second, "/")


def _spread(distinct: Distinct, meanings: Sequence[str | None]) -> pa.StringArray:
    return pa.array(meanings, _TEXT).take(pa.array(distinct.codes))


def _member(name: str, values: pa.StringArray) -> pa.StringArray:
    """A member of `detail` that follows others; null for null."""
    return pc.binary_join_element_wise(f',"{name}":', values, "")


def _quoted(values: pa.StringArray) -> pa.StringArray:
    """JSON text of strings that need no escapes."""
    return pc.binary_join_element_wise('"', values, '"', "")


def _iso(moments: pa.Int64Array) -> pa.StringArray:
    """`reading.values.iso` of each moment."""
    texts = moments.cast(pa.timestamp("us")).cast(_TEXT)
    return pc.binary_join_element_wise(pc.binary_replace_slice(texts, 10, 11, "T"), "Z", "")


COLUMNAR = Columnar(
    paths=lambda _: _PATHS,
    takes=_takes,
    columns=_columns,
    ignores=_ignores,
    nestings=("resourceSpans.scopeSpans.spans",),
)
"""Log records stand in other arrays, and a file that has both is read by `events`."""
