"""What AgentCore's own records say: a gateway's tool calls and policy decisions, a runtime's invocations.

Gateway and runtime logs: https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/observability-gateway-metrics.html
"""

from typing import Any

from ultravires.formats.otlp import OtlpRecord, first_of
from ultravires.reading.events import Event, present
from ultravires.reading.values import hex_id, integer, iso, label, mapping, text
from ultravires.sources.agents.genai_spans import OTHER
from ultravires.sources.aws.arns import account_of
from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHORIZE_SESSION

_INVOKE_TOOL = "AgentCore.Gateway.InvokeTool"
_DECISION = "aws.agentcore.policy.authorization_decision"
_ANSWERS = {"ALLOW": ("success", "allow"), "DENY": ("denied", "deny")}
_ENDS_OF_NAME = str.maketrans(",}", "  ")
_INVOKE_RUNTIME = "InvokeAgentRuntime"


def gateway_span(record: OtlpRecord, started_at: int, ended_at: int | None) -> list[Event] | None:
    """A gateway's span of one tool call to the call, and to the policy's decision where it had one.

    None where the span is none of a gateway's calls. The policy engine's own spans repeat the decision, without the
    tool.
    """
    attributes = record.attributes
    tool = text(attributes.get("tool.name"))
    trace, span = hex_id(record.body.get("traceId")), hex_id(record.body.get("spanId"))
    if record.body.get("name") != _INVOKE_TOOL or not (tool and trace and span):
        return None
    gateway = text(attributes.get("aws.resource.arn")) or text(attributes.get("cloud.resource_id"))
    uid = f"{trace}/{span}"
    answer = _ANSWERS.get(text(attributes.get(_DECISION)) or "")
    is_enforced = attributes.get("aws.agentcore.gateway.policy.mode") != "LOG_ONLY"
    status = integer(attributes.get("http.response.status_code"))
    is_stopped = answer is not None and answer[1] == "deny" and is_enforced
    has_failed = mapping(record.body.get("status")).get("code") == "ERROR" or (status or 0) >= 400
    call = Event(
        native_id=uid,
        event_at=started_at,
        kind="tool_call",
        class_uid=API_ACTIVITY,
        activity_id=OTHER,
        actor_uid=_harness(attributes),
        actor_kind="agent" if _harness(attributes) else None,
        account_uid=account_of(gateway),
        via_service="bedrock-agentcore",
        action=f"tool:{tool}",
        resource_uids=[gateway] if gateway else [],
        outcome="denied" if is_stopped else "failure" if has_failed else "success",
        tool_call_uid=uid,
        keys=[
            ("span", uid, "names"),
            *_parent(record, trace),
            *_request(account_of(gateway), attributes.get("aws.request.id")),
            *_carried(trace, attributes.get("session.id")),
        ],
        detail=present(
            operation="execute_tool",
            tool=tool,
            result_status="error" if has_failed or is_stopped else "ok",
            ended_at=iso(ended_at) if ended_at else None,
            conversation=label(attributes.get("session.id")),
            server=text(attributes.get("gateway.name")) or text(attributes.get("gateway.id")),
        ),
    )
    return [call] if answer is None else [call, _decision_on(call, uid, tool, answer)]


def _decision_on(call: Event, uid: str, tool: str, answer: tuple[str, str]) -> Event:
    return Event(
        native_id=f"{uid}/decision",
        event_at=call.event_at,
        kind="decision",
        class_uid=AUTHORIZE_SESSION,
        activity_id=OTHER,
        actor_uid=call.actor_uid,
        actor_kind=call.actor_kind,
        account_uid=call.account_uid,
        action=f"tool:{tool}",
        resource_uids=call.resource_uids,
        outcome=answer[0],
        decision_uid=f"{uid}/decision",
        keys=[
            ("decision", f"{uid}/decision", "names"),
            ("span", uid, "uses"),
            *[key for key in call.keys if key[2] == "carries"],
        ],
        detail=present(result=answer[1], is_human=False, tool=tool),
    )


def _harness(attributes: dict[str, Any]) -> str | None:
    return first_of(attributes, "aws.agentcore.harness_id", "gen_ai.agent.id")


def _parent(record: OtlpRecord, trace: str) -> list[tuple[str, str, str]]:
    parent = hex_id(record.body.get("parentSpanId"))
    return [("span", f"{trace}/{parent}", "uses")] if parent else []


def _request(account: str | None, request: Any) -> list[tuple[str, str, str]]:
    known = scoped(account, label(request))
    return [("request", known, "uses")] if known else []


def scoped(account: str | None, request: str | None) -> str | None:
    """A request id within its account, as CloudTrail's activities name it."""
    return f"{account}/{request}" if account and request else request


def _carried(trace: str | None, session: Any) -> list[tuple[str, str, str]]:
    conversation = label(session)
    of_trace = [("trace", trace, "carries")] if trace else []
    return [*of_trace, *([("conversation", conversation, "carries")] if conversation else [])]


def application_event(record: dict[str, Any], event_at: int) -> Event | None:
    """A policy's decision, a tool called at a gateway or an agent invoked; None for other application log records."""
    body = mapping(record.get("body"))
    if policy := mapping(body.get("policy")):
        return _policy_decision(record, policy, event_at)
    if tool := _tool_called(body.get("requestBody")):
        event = _called(record, event_at, f"tool:{tool}", "execute_tool")
        event.detail |= present(tool=tool, server=text(record.get("resource_arn")))
        return event
    payload = body if "request_payload" in body else record
    if record.get("operation") == _INVOKE_RUNTIME and "request_payload" in payload:
        event = _called(record, event_at, "agent:invoke", "invoke_agent")
        event.task = text(mapping(payload.get("request_payload")).get("prompt"))
        event.actor_uid, event.actor_kind = text(record.get("resource_arn")), "agent"
        return event
    return None


def _tool_called(request: Any) -> str | None:
    """The tool in a request's text, which is no JSON: `{..., method=tools/call, params={name=<tool>, ...}}`."""
    if type(request) is not str or "method=tools/call" not in request:
        return None
    start = request.find("name=", max(request.find("params={"), 0))
    words = request[start + 5 : start + 300].translate(_ENDS_OF_NAME).split(" ", 1) if start >= 0 else [""]
    return words[0] or None


def _called(record: dict[str, Any], event_at: int, action: str, operation: str) -> Event:
    resource, account = text(record.get("resource_arn")), _account(record)
    trace, span = hex_id(record.get("trace_id")), hex_id(record.get("span_id"))
    request = label(record.get("request_id"))
    uid = f"{trace}/{span}" if trace and span else scoped(account, request)
    session = label(record.get("session_id"))
    return Event(
        native_id=uid,
        event_at=event_at,
        kind="tool_call",
        class_uid=API_ACTIVITY,
        activity_id=OTHER,
        account_uid=account,
        via_service="bedrock-agentcore",
        action=action,
        resource_uids=[resource] if resource else [],
        outcome="unknown",
        tool_call_uid=uid,
        keys=[
            *([("span", uid, "names")] if uid else []),
            *_request(account, request),
            *_carried(trace, session),
        ],
        detail=present(operation=operation, conversation=session),
    )


def _policy_decision(record: dict[str, Any], policy: dict[str, Any], event_at: int) -> Event | None:
    answer = _ANSWERS.get(text(policy.get("decision")) or "")
    if answer is None:
        return None
    principal = mapping(policy.get("principal"))
    trace, span = hex_id(record.get("trace_id")), hex_id(record.get("span_id"))
    request, account = label(record.get("request_id")), _account(record)
    uid = f"{scoped(account, request) or f'{trace}/{span}'}/decision"
    gateway = text(record.get("resource_arn"))
    return Event(
        native_id=uid,
        event_at=event_at,
        kind="decision",
        class_uid=AUTHORIZE_SESSION,
        activity_id=OTHER,
        actor_uid=label(principal.get("entityId")),
        account_uid=account,
        action=text(policy.get("action")),
        resource_uids=[gateway] if gateway else [],
        outcome=answer[0],
        decision_uid=uid,
        keys=[
            ("decision", uid, "names"),
            *([("span", f"{trace}/{span}", "uses")] if trace and span else []),
            *_carried(trace, None),
        ],
        detail=present(result=answer[1], is_human=False),
    )


def _account(record: dict[str, Any]) -> str | None:
    return label(record.get("account_id")) or account_of(text(record.get("resource_arn")))
