"""MCP gateways: their logs of JSON-RPC messages, one message (or a batch of them) a line in an envelope with its time.

`{"timestamp", "direction", "session_id", "server", "message": {"jsonrpc": "2.0", ...}}`; `payload`, `request` and
`response` are read like `message`, and the gateway of GitHub's agentic workflows (rpc-messages.jsonl) is among them. A
tools/call and its response are two states of one tool call. Its id is the caller's span where the message carries a
trace context, else `<session>/<JSON-RPC id>`, else `<connection>/<id>`, else `<client>><server>/<id>@<time>`. The whole
answer to tools/list is an event, too: which tools there are. It is no step of anybody's work, and joins nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ultravires.reading.events import Event, Frame, NoEvent, NotParsed, logged_at, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options, hash_arguments
from ultravires.reading.source import Source
from ultravires.reading.values import iso, label, mapping, micros, sequence, text, truth
from ultravires.sources.agents.commands import commands_of
from ultravires.sources.agents.declared_tools import offered
from ultravires.sources.agents.mcp_messages import (
    ANSWERED,
    CALL,
    ELICITATION,
    ELICITED,
    LIST,
    LISTED,
    MESSAGES,
    TIMES,
    Exchange,
    exchange_of,
    singles_of,
    trace_of,
)
from ultravires.sources.agents.mcp_pairing import Pairing
from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHORIZE_SESSION

_READ, _OTHER = 2, 99
_CONTEXT = frozenset(
    {
        "direction",
        "session_id",
        "sessionId",
        "mcp_session_id",
        "connection_id",
        "server",
        "server_id",
        "server_name",
        "client",
        "client_id",
        "agent_id",
        "metadata",
        "headers",
    }
)
_FILTERED = "DIFC_FILTERED"
_DECISIONS = ("decision", "policy_decision", "verdict")
_YES = frozenset({"allow", "allowed", "permit", "permitted", "approve", "approved", "accept"})
_NO = frozenset({"deny", "denied", "block", "blocked", "reject", "rejected", "decline", "cancel", "forbid"})


def recognise(head: Head) -> bool:
    """An object with a time, a message and who exchanges it, and in the message `jsonrpc` 2.0."""
    is_envelope = any(
        not keys.isdisjoint(TIMES) and not keys.isdisjoint(MESSAGES) and not keys.isdisjoint(_CONTEXT)
        for keys in head.first_keys()
    )
    return is_envelope and "2.0" in values_at(head, "jsonrpc")


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """Lines of a log to frames; a response with the request that it answers."""
    return Pairing().paired(json_records(chunks, options))


def events(record: dict[str, Any], options: Options) -> Iterable[Event]:
    """One logged message to a tool call's state, to a decision, or both; none for other methods. A batch is what each
    of its messages is.
    """
    singles = singles_of(record)
    if len(singles) == 1:
        return _of_message(singles[0], options)
    of_singles = [_of_message(single, options) for single in singles]
    return list(_told_apart(of_singles)) or of_singles[0]


def _told_apart(of_singles: Iterable[Iterable[Event]]) -> Iterator[Event]:
    """Ids are the caller's choice, and two calls of one batch under one id are still two calls."""
    seen: Counter[str] = Counter()
    for events_of_one in of_singles:
        uid = next((event.tool_call_uid or event.decision_uid for event in events_of_one), None) or ""
        seen[uid] += 1
        for event in events_of_one:
            if seen[uid] > 1:
                event.native_id = f"{event.native_id}#{seen[uid]}"
                event.tool_call_uid = event.tool_call_uid and f"{event.tool_call_uid}#{seen[uid]}"
                event.decision_uid = event.decision_uid and f"{event.decision_uid}#{seen[uid]}"
            yield event


def _of_message(record: dict[str, Any], options: Options) -> Iterable[Event]:
    exchange = exchange_of(record)
    if not exchange.request and not exchange.response:
        if record.get("type") == _FILTERED:
            return [_filtered(record, exchange)]
        raise NotParsed("no JSON-RPC message")
    if exchange.method == CALL or (exchange.response and record.get("method") == CALL):
        found = _call_events(record, exchange, options)
    elif exchange.response and _is_elicited(exchange):
        found = [_elicited(record, exchange)]
    elif exchange.method == LIST and (tools := _whole_list(record, exchange)) is not None:
        found = [_listed(exchange, tools, options)]
    else:
        return NoEvent("message of a method that is no tool call and lists no tools")
    logged_at(exchange.at)
    return found or NoEvent("call without an id")


class _Call:
    """What names one tool call, in whichever message it stands."""

    def __init__(self, exchange: Exchange, identifier: str | None, asked_at: int | None) -> None:
        trace = trace_of(exchange)
        known = f"{exchange.parties}/{identifier}" if identifier else None
        if known and not exchange.is_lasting:
            known = f"{known}@{iso(asked_at)}" if asked_at else None
        self.trace = trace[0] if trace else None
        self.uid = f"{trace[0]}/{trace[1]}" if trace else known
        self.names = f"{self.trace}/{identifier}" if trace and identifier else known
        self.spans = [self.uid] if trace and self.uid else []
        self.request = f"{exchange.session}/{identifier}" if exchange.session and identifier else None
        self.session = exchange.session

    def carried(self) -> Iterator[tuple[str, str, str]]:
        if self.trace:
            yield "trace", self.trace, "carries"
        if self.session:
            yield "conversation", self.session, "carries"


def _call_events(record: dict[str, Any], exchange: Exchange, options: Options) -> list[Event]:
    asked_at = micros(mapping(record.get(ANSWERED)).get("at")) or (exchange.at if exchange.request else None)
    call = _Call(exchange, exchange.call_id, asked_at)
    if call.uid is None:
        return []
    answer = _decision_word(record)
    event = _call(exchange, call, asked_at, answer, options)
    return [event] if answer is None else [event, _decided(record, exchange, call, answer, str(event.action))]


def _call(exchange: Exchange, call: _Call, asked_at: int | None, answer: str | None, options: Options) -> Event:
    params = mapping(exchange.request.get("params"))
    tool, arguments = text(params.get("name")), params.get("arguments")
    outcome, error = _outcome(exchange.response)
    if answer in _NO and outcome == "unknown":
        outcome = "denied"
    state = "response" if exchange.response else "request"
    return Event(
        native_id=f"{call.uid}/{state}",
        event_at=asked_at or exchange.at or 1,
        kind="tool_call",
        class_uid=API_ACTIVITY,
        activity_id=_OTHER,
        **_actor(exchange),
        action=f"tool:{tool}" if tool else None,
        outcome=outcome,
        error_code=error,
        tool_call_uid=call.uid,
        args_hash=hash_arguments(arguments, options),
        keys=[
            *(("span", span, "names") for span in call.spans),
            *([("tool_call", call.names, "names")] if call.names else []),
            # Between a client and a server that log the same request in spans of their own.
            *((("mcp_request", call.request, role) for role in ("uses", "names")) if call.request else ()),
            *call.carried(),
        ],
        detail=present(
            operation="execute_tool",
            tool=tool,
            arguments=arguments,
            result_status={"success": "ok", "failure": "error"}.get(outcome),
            ended_at=iso(exchange.at) if exchange.response and exchange.at else None,
            conversation=exchange.session,
            agent_id=exchange.agent,
            server=exchange.server,
            commands=commands_of(tool, arguments, exchange.server) or None,
        ),
    )


def _actor(exchange: Exchange) -> dict[str, Any]:
    """The agent is who calls; a client known only by its name is told apart by a prefix."""
    uid = exchange.agent or (f"agent:{exchange.client}" if exchange.client else None)
    return {
        "actor_uid": uid,
        "actor_kind": "agent" if uid else None,
        "actor_name": exchange.client,
        "on_behalf_of_uid": exchange.user,
    }


def _outcome(response: dict[str, Any]) -> tuple[str, str | None]:
    if not response:
        return "unknown", None
    if "error" in response:
        return "failure", label(mapping(response["error"]).get("code"))
    return ("failure", None) if truth(mapping(response.get("result")).get("isError")) else ("success", None)


def _decision_word(record: dict[str, Any]) -> str | None:
    """The gateway's own answer to the call, where it logs one beside the message."""
    for name in _DECISIONS:
        value = record.get(name)
        inner = mapping(value)
        word = text(inner.get("result") or inner.get("decision") or inner.get("action")) if inner else text(value)
        if word and (word.lower() in _YES or word.lower() in _NO):
            return word.lower()
    return None


def _decided(record: dict[str, Any], exchange: Exchange, call: _Call, word: str, action: str) -> Event:
    approver = text(record.get("approved_by")) or text(record.get("approver"))
    uid = label(record.get("decision_id")) or f"{call.uid}/decision"
    uses = [(name, known, "uses") for name in ("approval", "ticket") if (known := label(record.get(f"{name}_id")))]
    tool = text(mapping(exchange.request.get("params")).get("name"))
    event = _decision(exchange, call, uid, word, action, tool=tool, approver=approver, uses=uses)
    event.approval_uid = label(record.get("approval_id"))
    return event


def _decision(
    exchange: Exchange,
    call: _Call | None,
    uid: str,
    word: str,
    action: str | None,
    *,
    tool: str | None,
    approver: str | None,
    is_human: bool = False,
    uses: list[tuple[str, str, str]] | None = None,
) -> Event:
    is_allowed = word in _YES
    about = [("tool_call", call.names, "uses")] if call and call.names else []
    spans = [("span", span, "uses") for span in call.spans] if call else []
    carried = list(call.carried()) if call else []
    if not carried and exchange.session:
        carried = [("conversation", exchange.session, "carries")]
    return Event(
        native_id=uid,
        event_at=exchange.at or 1,
        kind="decision",
        class_uid=AUTHORIZE_SESSION,
        activity_id=_OTHER,
        **_actor(exchange),
        action=action,
        outcome="success" if is_allowed else "denied",
        decision_uid=uid,
        keys=[("decision", uid, "names"), *about, *spans, *(uses or []), *carried],
        detail=present(
            result="allow" if is_allowed else "deny",
            approver=approver,
            is_human=is_human or approver is not None,
            tool=tool,
        ),
    )


def _is_elicited(exchange: Exchange) -> bool:
    result = mapping(exchange.response.get("result"))
    is_answer = result.get("action") in ELICITED if type(result.get("action")) is str else False
    return is_answer and not sequence(result.get("content")) and exchange.method in (None, ELICITATION)


def _elicited(record: dict[str, Any], exchange: Exchange) -> Event:
    """A person's answer to what a server asked in the course of a call: permission, confirmation, a form."""
    during = mapping(mapping(record.get(ANSWERED)).get("during"))
    call = None
    if identifier := label(during.get("id")):
        of_call = exchange._replace(request={"params": during.get("params")})
        call = _Call(of_call, identifier, micros(during.get("at")))
    uid = f"{exchange.parties}/{exchange.call_id}/elicitation"
    if not exchange.is_lasting:
        uid = f"{uid}@{iso(exchange.at or 1)}"
    word = str(mapping(exchange.response.get("result")).get("action"))
    tool = text(mapping(during.get("params")).get("name"))
    action = f"tool:{tool}" if tool else "mcp:elicitation/create"
    return _decision(exchange, call, uid, word, action, tool=tool, approver=exchange.user, is_human=True)


def _whole_list(record: dict[str, Any], exchange: Exchange) -> list[Any] | None:
    """All tools of a server, of which this answer has the last ones; None where it has not, or some are not known."""
    result, answered = mapping(exchange.response.get("result")), mapping(record.get(ANSWERED))
    tools, before = result.get("tools"), answered.get(LISTED)
    is_first = mapping(exchange.request.get("params")).get("cursor") is None
    if type(tools) is not list or result.get("nextCursor") not in (None, "") or exchange.server is None:
        return None
    return tools if is_first else [*before, *tools] if type(before) is list else None


def _listed(exchange: Exchange, tools: list[Any], options: Options) -> Event:
    """Without an actor: who asked has changed nothing, and who gave the server its tools is not told."""
    at = exchange.at or 1
    return Event(
        native_id=f"{exchange.parties}/{exchange.call_id}/tools@{iso(at)}",
        event_at=at,
        kind="tool_call",
        class_uid=API_ACTIVITY,
        activity_id=_READ,
        action=f"mcp:{LIST}",
        outcome="success",
        detail=present(
            operation="rpc",
            result_status="ok",
            conversation=exchange.session,
            agent_id=exchange.agent,
            server=exchange.server,
            grants=offered(str(exchange.server), _actor(exchange)["actor_uid"], tools, options),
        ),
    )


def _filtered(record: dict[str, Any], exchange: Exchange) -> Event:
    """An item of a result that the gateway withheld from the agent."""
    at = logged_at(exchange.at)
    tool = text(record.get("tool_name"))
    item = text(record.get("html_url")) or text(record.get("description"))
    uid = f"{exchange.server}/{item or tool}@{iso(at)}/filtered"
    event = _decision(exchange, None, uid, "deny", f"tool:{tool}" if tool else None, tool=tool, approver=None)
    event.resource_uids = [item] if item else []
    return event


SOURCE = Source(
    name="mcp_gateway",
    log="mcp_gateway",
    version=5,
    title="MCP gateways",
    reads="logs of JSON-RPC messages, one message or batch a line in an envelope with its time",
    recognised_by="a time, a message (message, payload, request, response) with jsonrpc 2.0, and who exchanges it",
    grade="documentation",
    documentation="https://modelcontextprotocol.io/specification",
    documented_at="2026-11-25",
    evidence_kinds=("tool_call",),
    voice="reported",
    system="agents",
    join_keys=("span", "trace", "conversation", "tool_call", "mcp_request", "decision", "approval", "ticket"),
    recognise=recognise,
    records=records,
    joins_lines=True,
    events=events,
    objects=(
        "message",
        "payload",
        "rpc",
        "request",
        "response",
        "headers",
        "client",
        "metadata",
        "context",
        "identity",
    ),
)
