"""One span of an AI agent to one event: a tool call, an agent's run, a model's answer, an AWS SDK call.

Attribute names, newest first: OpenTelemetry GenAI and MCP conventions, their earlier versions, OpenLLMetry
(`traceloop.*`), OpenInference (`openinference.*`, `tool.*`, `input.value`).
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from ultravires.formats.otlp import OtlpRecord, decoded, first_of
from ultravires.reading.events import Event, present
from ultravires.reading.options import Options, hash_arguments
from ultravires.reading.values import hex_id, iso, label, mapping, micros, sequence, text, texts
from ultravires.sources.agents.commands import commands_of
from ultravires.sources.agents.declared_tools import declared
from ultravires.sources.ocsf.classes import API_ACTIVITY, USER_ACCESS

OTHER, ASSIGN = 99, 1
_OPERATIONS = {
    "execute_tool": "execute_tool",
    "invoke_agent": "invoke_agent",
    "invoke_workflow": "invoke_agent",
    "chat": "chat",
    "text_completion": "chat",
    "generate_content": "chat",
    "completion": "chat",
}
_SPAN_KINDS = {"tool": "execute_tool", "agent": "invoke_agent", "workflow": "invoke_agent", "llm": "chat"}
_SERVER, _CLIENT = (2, "2", "SPAN_KIND_SERVER"), (3, "3", "SPAN_KIND_CLIENT")
_ERROR = (2, "2", "STATUS_CODE_ERROR", "ERROR", "Error")
AGENT_NAMES = ("gen_ai.agent.name", "agent.name", "gen_ai.handoff.from_agent")
HUMAN = ("user.email", "enduser.id", "user.id")
APPROVAL = ("approval.id", "ultravires.approval.id", "approval_id")
TICKET = ("ticket.id", "ultravires.ticket.id")
ARGUMENTS = (
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.arguments",
    "mcp.tool.arguments",
    "mcp.request.argument",
    "params",
    "tool.parameters",
    "gcp.vertex.agent.tool_call_args",
    "traceloop.entity.input",
    "input.value",
)
CALL = ("gen_ai.tool.call.id", "tool_call.id", "tool.id")
REQUEST = ("jsonrpc.request.id", "rpc.jsonrpc.request_id", "mcp.request.id")
MCP_SESSION = "mcp.session.id"
DECISION = ("opa.decision_id", "decision.id")
AWS_REQUEST = ("aws.request_id", "aws.requestId", "aws.request.id")
_AZURE_REQUEST = ("az.service_request_id", "az.client_request_id")
_ANSWERED = "http.response.header."
_REQUESTS = (
    *AWS_REQUEST,
    *_AZURE_REQUEST,
    *(
        _ANSWERED + header
        for header in (
            "x-amzn-requestid",
            "x-amz-request-id",
            "x-ms-request-id",
            "x-ms-client-request-id",
            "x-github-request-id",
            "x-okta-request-id",
            "audit-id",
        )
    ),
)
"""Where an SDK or an instrumented HTTP client keeps the id under which the other side logs the request."""
_REQUEST_NAMES = frozenset(_REQUESTS)
WORKLOADS = ("k8s.pod.uid", "container.id", "host.id", "service.instance.id")
MODELS = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
SERVERS = ("mcp.server.name", "server.address")
MESSAGES, SAID = "gen_ai.input.messages", ("gen_ai.prompt", "input.value")
"""What `task_of` looks at."""
PROMPT = ("prompt.id", "gen_ai.prompt.id")
TOOL = ("gen_ai.tool.name", "mcp.tool.name", "tool.name", "tool_call.function.name", "traceloop.entity.name")
DEFINITIONS = "gen_ai.tool.definitions"
_DECLARING = ("chat", "invoke_agent")
HANDOFF, _EXECUTE = "handoff to ", "execute_tool "
CONVERSATION = (
    "gen_ai.conversation.id",
    MCP_SESSION,
    "session.id",
    "traceloop.association.properties.session_id",
    "gcp.vertex.agent.session_id",
)


class Span(msgspec.Struct, gc=False):
    """What every span has: its place in the trace and its conversation, and its times (microseconds)."""

    uid: str
    trace: str
    parent: str | None
    conversation: str | None
    started_at: int
    ended_at: int | None


def span_event(record: OtlpRecord, started_at: int, options: Options) -> Event | None:
    """An event, or None where the span is not an agent's or has no ids."""
    operation = "invoke_agent" if handed_to(record) else operation_of(record.attributes)
    trace, span_id = hex_id(record.body.get("traceId")), hex_id(record.body.get("spanId"))
    if operation is None or trace is None or span_id is None:
        return None
    span = Span(
        uid=f"{trace}/{span_id}",
        trace=trace,
        parent=hex_id(record.body.get("parentSpanId")),
        conversation=conversation_of(record.attributes),
        started_at=started_at,
        ended_at=micros(record.body.get("endTimeUnixNano")),
    )
    human = first_of(record.attributes, *HUMAN)
    if operation == "invoke_agent" and span.parent is None and human:
        return _human_request(record.attributes, span, human)
    return _tool_call(record, span, operation, options)


def operation_of(attributes: dict[str, Any]) -> str | None:
    """execute_tool, invoke_agent, chat, rpc (a request that the other side logs); None for every other span."""
    named = text(attributes.get("gen_ai.operation.name"))
    if named:
        return _OPERATIONS.get(named.lower())
    if attributes.get("mcp.method.name") == "tools/call":
        return "execute_tool"
    kind = text(attributes.get("openinference.span.kind")) or text(attributes.get("traceloop.span.kind"))
    if kind:
        return _SPAN_KINDS.get(kind.lower())
    if attributes.get("rpc.system") == "aws-api" or attributes.get("rpc.system.name") == "aws-api":
        return "rpc"
    return _operation_by_signs(attributes)


def _operation_by_signs(attributes: dict[str, Any]) -> str | None:
    """The same where no attribute names the operation: by what only such spans have."""
    is_model = first_of(attributes, "gen_ai.request.model", "llm.request.type", "gen_ai.system") is not None
    if text(attributes.get("gen_ai.tool.name")):
        return "execute_tool"
    if is_model or text(attributes.get("gen_ai.agent.name")):
        return "chat" if is_model else "invoke_agent"
    return None if _REQUEST_NAMES.isdisjoint(attributes) else "rpc"


def _human_request(attributes: dict[str, Any], span: Span, human: str) -> Event:
    """A person's request to an agent: the task in its words, for as long as the run, under the approval it states."""
    keys = [("span", span.uid, "names"), *stated(attributes), *_carried(span)]
    if prompt := first_of(attributes, *PROMPT):
        keys.append(("prompt", f"{span.conversation or span.trace}/{prompt}", "names"))
    ended = iso(span.ended_at) if span.ended_at else None
    started = iso(span.started_at)
    return Event(
        native_id=span.uid,
        event_at=span.started_at,
        kind="approval",
        class_uid=USER_ACCESS,
        activity_id=ASSIGN,
        actor_uid=human,
        actor_kind="human",
        action="approval:approved",
        outcome="success",
        approval_uid=span.uid,
        task=task_of(attributes),
        keys=keys,
        detail=present(
            status="approved",
            origin="human_request",
            subject=agent_of(attributes),
            requested_by=human,
            approved_by=human,
            requested_at=started,
            approved_at=started,
            valid_from=started,
            valid_until=ended,
        ),
    )


def _tool_call(record: OtlpRecord, span: Span, operation: str, options: Options) -> Event:
    attributes = record.attributes
    tool = _tool_of(record) if operation == "execute_tool" else None
    arguments = _arguments(attributes) if operation == "execute_tool" else None
    is_failed = has_failed(mapping(record.body.get("status")).get("code"), attributes)
    return Event(
        native_id=span.uid,
        event_at=span.started_at,
        kind="tool_call",
        class_uid=API_ACTIVITY,
        activity_id=OTHER,
        actor_uid=agent_of(attributes),
        actor_kind="agent",
        actor_name=first_of(attributes, *AGENT_NAMES),
        on_behalf_of_uid=first_of(attributes, *HUMAN),
        account_uid=label(attributes.get("cloud.account.id")),
        workload_uid=first_of(attributes, *WORKLOADS),
        action=action_of(attributes, operation, tool),
        outcome="failure" if is_failed else "success",
        error_code=text(attributes.get("error.type")),
        tool_call_uid=span.uid,
        task=task_of(attributes) if operation == "invoke_agent" else None,
        args_hash=hash_arguments(arguments, options),
        keys=list(_keys(record, span, operation)),
        detail=present(
            operation=operation,
            tool=tool,
            arguments=arguments,
            result_status="error" if is_failed else "ok",
            ended_at=iso(span.ended_at) if span.ended_at else None,
            conversation=span.conversation,
            agent_id=handed_to(record) or text(attributes.get("gen_ai.agent.id")),
            model=first_of(attributes, *MODELS),
            server=first_of(attributes, *SERVERS),
            commands=commands_of(tool, arguments, first_of(attributes, *SERVERS)) or None,
            grants=None if is_failed else _declared(attributes, operation, options),
        ),
    )


def _declared(attributes: dict[str, Any], operation: str, options: Options) -> list[dict[str, Any]] | None:
    """The tools that an agent says it has; a service without a name for its agent may run several."""
    if DEFINITIONS not in attributes or operation not in _DECLARING:
        return None
    agent = label(attributes.get("gen_ai.agent.id")) or first_of(attributes, *AGENT_NAMES)
    return declared(str(agent_of(attributes)), decoded(attributes[DEFINITIONS]), options) if agent else None


def has_failed(status_code: Any, attributes: dict[str, Any]) -> bool:
    """Whether the span's status or an attribute says that it ended in an error."""
    return status_code in _ERROR or text(attributes.get("error.type")) is not None


def _tool_of(record: OtlpRecord) -> str | None:
    """The tool's name; where no attribute has it, OpenInference names the span after it, the conventions end in it."""
    if named := first_of(record.attributes, *TOOL):
        return named
    name = text(record.body.get("name")) or ""
    if "openinference.span.kind" in record.attributes:
        return name or None
    return name.removeprefix(_EXECUTE) if name.startswith(_EXECUTE) else None


def handed_to(record: OtlpRecord) -> str | None:
    """The agent that a handoff passes the work to: a delegation, however the instrumentation says so."""
    attributes = record.attributes
    if agent := first_of(attributes, "gen_ai.handoff.to_agent"):
        return agent
    name = text(record.body.get("name")) or ""
    is_handoff = name.startswith(HANDOFF) and "openinference.span.kind" in attributes
    return name.removeprefix(HANDOFF) if is_handoff else None


def action_of(attributes: dict[str, Any], operation: str, tool: str | None) -> str | None:
    """`tool:<name>`, `agent:invoke`, `model:chat` or `rpc:<service>.<method>`."""
    if operation == "execute_tool":
        return f"tool:{tool}" if tool else None
    if operation == "rpc":
        service, method = text(attributes.get("rpc.service")), text(attributes.get("rpc.method"))
        if method and not service and "/" in method:
            service, _, method = method.rpartition("/")
        service = service or first_of(attributes, "az.namespace", "server.address")
        return f"rpc:{service or 'unknown'}.{method or first_of(attributes, 'http.request.method') or 'unknown'}"
    return "agent:invoke" if operation == "invoke_agent" else "model:chat"


def agent_of(attributes: dict[str, Any]) -> str | None:
    """The agent's id, else its name, else the service it runs in, told apart by a prefix."""
    if agent := label(attributes.get("gen_ai.agent.id")):
        return agent
    if name := first_of(attributes, *AGENT_NAMES):
        return f"agent:{name}"
    service = text(attributes.get("service.name"))
    return f"service:{service}" if service else None


def conversation_of(attributes: dict[str, Any]) -> str | None:
    """The id of the conversation or session that the span belongs to."""
    return first_of(attributes, *CONVERSATION)


def _arguments(attributes: dict[str, Any]) -> Any:
    value = next((attributes[name] for name in ARGUMENTS if attributes.get(name) is not None), None)
    found = decoded(value)
    if attributes.get("mcp.method.name") and type(found) is dict and "arguments" in found and "name" in found:
        return found["arguments"]  # `params` of a tools/call: the tool's name stands beside its arguments
    return found


def _keys(record: OtlpRecord, span: Span, operation: str) -> Iterator[tuple[str, str, str]]:
    attributes = record.attributes
    yield "span", span.uid, "names"
    if span.parent:
        yield "span", f"{span.trace}/{span.parent}", "uses"
    if call := first_of(attributes, *CALL):
        yield "tool_call", f"{span.trace}/{call}", "names"
        # A coding agent logs the call under its conversation; the tool's own span of it stands below.
        if span.conversation:
            yield "tool_call", f"{span.conversation}/{call}", "uses"
    if attributes.get("mcp.method.name") and (request := first_of(attributes, *REQUEST)):
        yield from _of_request(record, span, request, has_call=call is not None)
    yield from stated(attributes)
    if decision := first_of(attributes, *DECISION):
        yield "decision", decision, "uses"
    if prompt := first_of(attributes, *PROMPT):
        yield "prompt", f"{span.conversation or span.trace}/{prompt}", "uses"
    if operation in ("rpc", "execute_tool"):
        yield from _sent(attributes)
    yield from _carried(span)


def stated(attributes: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The approval and the ticket that the work is said to be under; an attribute of the resource can hold them."""
    if approval := first_of(attributes, *APPROVAL):
        yield "approval", approval, "uses"
    if ticket := first_of(attributes, *TICKET):
        yield "ticket", ticket, "uses"


def _sent(attributes: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The requests that a call made, by the ids of whoever answered; AWS's are scoped by the account."""
    if _REQUEST_NAMES.isdisjoint(attributes):
        return
    if request := first_of(attributes, *AWS_REQUEST):
        account = label(attributes.get("cloud.account.id"))
        yield "request", f"{account}/{request}" if account else request, "uses"
    others = {found for name in _REQUESTS[len(AWS_REQUEST) :] for found in _labels(attributes.get(name))}
    for request in sorted(others):
        yield "request", request, "uses"


def _labels(value: Any) -> list[str]:
    """An id, also in a list, which is how conventions write headers."""
    return texts(value) or ([found] if (found := label(value)) else [])


def _of_request(record: OtlpRecord, span: Span, request: str, *, has_call: bool) -> Iterator[tuple[str, str, str]]:
    """A JSON-RPC request of MCP. Where the trace is not passed on, its client and its server know it by one id within
    one session: the client made the call, and the server's hangs on it.
    """
    if not has_call:
        yield "tool_call", f"{span.trace}/{request}", "names"
    kind, session = record.body.get("kind"), label(record.attributes.get(MCP_SESSION))
    role = "names" if kind in _CLIENT else "uses" if kind in _SERVER else None
    if session and role:
        yield "mcp_request", f"{session}/{request}", role


def _carried(span: Span) -> Iterator[tuple[str, str, str]]:
    yield "trace", span.trace, "carries"
    if span.conversation:
        yield "conversation", span.conversation, "carries"


def task_of(attributes: dict[str, Any]) -> str | None:
    """The last message of the user in its words, however the instrumentation wrote it."""
    messages = decoded(attributes.get(MESSAGES))
    of_users = [m for item in sequence(messages) if (m := mapping(item)).get("role") == "user"]
    if of_users and (said := _words(of_users[-1])):
        return said
    return next((t for name in SAID if (t := text(attributes.get(name)))), None)


def _words(message: dict[str, Any]) -> str | None:
    if content := text(message.get("content")):
        return content
    parts = [mapping(part) for name in ("parts", "content") for part in sequence(message.get(name))]
    said = [found for part in parts if (found := text(part.get("content")) or text(part.get("text")))]
    return "\n".join(said) or None
