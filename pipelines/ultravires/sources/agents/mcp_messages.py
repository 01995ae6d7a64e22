"""JSON-RPC messages of the Model Context Protocol, in the envelopes that gateways log them in.

The envelope's names differ (gh-aw-mcpg writes `payload` and `server_id`, others `message` and `metadata.sessionId`), so
the usual ones are all known. Protocol: https://modelcontextprotocol.io/specification.
"""

from typing import Any, NamedTuple, TypeGuard

from ultravires.reading.values import label, mapping, moment_of_first, sequence, text, trace_context

TIMES = ("timestamp", "time", "ts", "@timestamp", "event_time", "logged_at")
MESSAGES = ("message", "payload", "rpc", "request", "response")
ANSWERED = "answers"
"""What the reader adds to a response: the method, parameters and time of the request that it answers."""
ANSWERED_EACH = "answers_each"
"""The same beside a batch: for each of its messages in their order, null where there is nothing to add."""
CALL, ELICITATION, LIST = "tools/call", "elicitation/create", "tools/list"
LISTED = "listed"
"""Beside what an answer to tools/list answers: the tools on the pages before it, where it is not the first page."""
ELICITED = frozenset({"accept", "decline", "cancel"})
_SESSION = ("session_id", "sessionId", "mcp_session_id", "mcp-session-id", "session")
_CONNECTION = ("connection_id", "connectionId", "conn_id")
_SERVER = ("server", "server_id", "server_name", "serverName", "mcp_server", "upstream")
_AGENT = ("agent_id", "agentId", "agent", "client_id", "clientId")
_CLIENT = ("client", "client_name", "clientName", "clientInfo")
_USER = ("user_email", "user", "user_id", "userId", "username", "subject", "principal")
_INNER = ("metadata", "context", "identity")


class Exchange(NamedTuple):
    """One record: the message in it, whether it asks or answers, and between whom."""

    at: int | None
    request: dict[str, Any]
    response: dict[str, Any]
    session: str | None
    connection: str | None
    server: str | None
    agent: str | None
    client: str | None
    user: str | None
    headers: dict[str, Any]

    @property
    def method(self) -> str | None:
        return text(self.request.get("method"))

    @property
    def call_id(self) -> str | None:
        return label(self.request.get("id")) or label(self.response.get("id"))

    @property
    def parties(self) -> str:
        """Within what a message's id is unique: the session, else the connection, else (weakly) who talks to whom."""
        return self.session or self.connection or f"{self.agent or self.client or ''}>{self.server or ''}"

    @property
    def is_lasting(self) -> bool:
        """Whether an id is never used twice between these parties."""
        return (self.session or self.connection) is not None


def exchange_of(record: dict[str, Any]) -> Exchange:
    """The message in an envelope, with what the envelope says of it; both sides empty where there is none."""
    request: dict[str, Any] = {}
    response: dict[str, Any] = {}
    for name in MESSAGES:
        message = record.get(name)
        if _is_message(message):
            if "method" in message:
                request = request or message
            elif "result" in message or "error" in message:
                response = response or message
    if response and not request and (answered := mapping(record.get(ANSWERED))):
        request = {"id": response.get("id"), "method": answered.get("method"), "params": answered.get("params")}
    headers = mapping(record.get("headers"))
    layers = (record, *(inner for name in _INNER if (inner := mapping(record.get(name)))))
    return Exchange(
        at=_time_of(record),
        request=request,
        response=response,
        session=_named(layers, _SESSION) or _header(headers, "mcp-session-id"),
        connection=_named(layers, _CONNECTION),
        server=_named(layers, _SERVER),
        agent=_named(layers, _AGENT),
        client=_named(layers, _CLIENT),
        user=_named(layers, _USER),
        headers=headers,
    )


def singles_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The record, or where it holds a batch one record for each request and answer of it. A batch may mix both, and
    an envelope may hold a batch of requests beside that of their answers: https://www.jsonrpc.org/specification#batch
    """
    members = [name for name in MESSAGES if type(record.get(name)) is list and _is_batch(record[name])]
    if not members:
        return [record]
    around = {name: value for name, value in record.items() if name not in (*members, ANSWERED_EACH)}
    singles: list[dict[str, Any]] = []
    asked: dict[str, tuple[str, dict[str, Any]]] = {}
    for name in members:
        for message in filter(_is_message, record[name]):
            identifier, is_answer = label(message.get("id")), "method" not in message
            where, single = asked.get(identifier or "", (name, None))
            if is_answer and single is not None and where != name:
                single[name] = message
                continue
            singles.append({**around, name: message})
            if identifier and not is_answer:
                asked[identifier] = (name, singles[-1])
    answered = sequence(record.get(ANSWERED_EACH))
    for single, added in zip(singles, answered, strict=False):
        if type(added) is dict:
            single[ANSWERED] = added
    return singles


def _is_batch(value: list[Any]) -> bool:
    return any(map(_is_message, value))


def _is_message(value: Any) -> TypeGuard[dict[str, Any]]:
    return type(value) is dict and "jsonrpc" in value


def _time_of(record: dict[str, Any]) -> int | None:
    return moment_of_first([record.get(name) for name in TIMES])


def _named(layers: tuple[dict[str, Any], ...], names: tuple[str, ...]) -> str | None:
    for layer in layers:
        for name in names:
            value = layer.get(name)
            if value is None:
                continue
            if type(value) is dict:
                value = value.get("id") or value.get("email") or value.get("name")
            if found := label(value):
                return found
    return None


def _header(headers: dict[str, Any], wanted: str) -> str | None:
    if not headers:
        return None
    return next((label(value) for name, value in headers.items() if name.lower() == wanted), None)


def trace_of(exchange: Exchange) -> tuple[str, str] | None:
    """(trace id, span id) of the caller, from the parameters' `_meta.traceparent` or the header."""
    params = mapping(exchange.request.get("params"))
    return trace_context(mapping(params.get("_meta")).get("traceparent") or _header(exchange.headers, "traceparent"))
