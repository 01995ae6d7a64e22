"""Amazon Bedrock model invocation logging: newline JSON in S3, or messages of a CloudWatch log group.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html. An invocation is a call of
the model; the tools that the model asked for in its answer are calls of their own, not yet known to have run.
"""

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options, hash_arguments
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, text
from ultravires.sources.agents.commands import commands_of
from ultravires.sources.agents.model_output import ToolUse, tools_asked_for
from ultravires.sources.aws.arns import role_of_session
from ultravires.sources.aws.cloudwatch import ENVELOPES, decode_message
from ultravires.sources.ocsf.classes import API_ACTIVITY

_OTHER = 99
_SCHEMA = "ModelInvocationLog"
_IN_MESSAGE = re.compile(rb'\\"schemaType\\"\s*:\s*\\"ModelInvocationLog\\"')
_INTERVENED = "guardrail_intervened"


class Caller(NamedTuple):
    """Who called the model: an assumed-role session is its role."""

    uid: str | None
    kind: str
    name: str | None


def recognise(head: Head) -> bool:
    """Records of schemaType ModelInvocationLog with an operation and a model, bare or in CloudWatch's envelope."""
    if head.holds("schemaType", "operation", "modelId"):
        return _SCHEMA in values_at(head, "schemaType")
    return head.holds("message", "timestamp", arrays=ENVELOPES) and _IN_MESSAGE.search(head.data) is not None


def events(record: dict[str, Any], options: Options) -> list[Event]:
    """One invocation to its call of the model and the tools asked for. Raises NotParsed without time or request id."""
    if record.get("schemaType") != _SCHEMA:
        raise NotParsed("no schemaType ModelInvocationLog: not a model invocation")
    event_at, request = event_time(record.get("timestamp")), label(record.get("requestId"))
    if request is None:
        raise NotParsed("no requestId: not a model invocation")
    body = mapping(record.get("output")).get("outputBodyJson")
    call = _model_call(record, event_at, request, body)
    return [call, *_asked_for(call, tools_asked_for(body), request, options)]


def _model_call(record: dict[str, Any], event_at: int, request: str, body: Any) -> Event:
    account, model = label(record.get("accountId")), text(record.get("modelId"))
    caller = caller_of(text(mapping(record.get("identity")).get("arn")))
    error = text(record.get("errorCode"))
    is_stopped = _is_stopped(mapping(body))
    outcome = "denied" if is_stopped or (error and "AccessDenied" in error) else "failure" if error else "success"
    uid = f"{account}/{request}" if account else request
    return Event(
        native_id=request,
        event_at=event_at,
        kind="tool_call",
        class_uid=API_ACTIVITY,
        activity_id=_OTHER,
        actor_uid=caller.uid,
        actor_kind=caller.kind,
        actor_name=caller.name,
        account_uid=account,
        action="model:chat",
        resource_uids=[model] if model else [],
        outcome=outcome,
        error_code=error or (_INTERVENED if is_stopped else None),
        tool_call_uid=uid,
        keys=[("span", uid, "names"), ("request", uid, "uses")],
        detail=present(
            operation="chat",
            model=model,
            result_status="error" if error or is_stopped else "ok",
        ),
    )


def _is_stopped(answer: dict[str, Any]) -> bool:
    """Whether a guardrail replaced the answer."""
    stop = answer.get("stopReason") or answer.get("stop_reason")
    return stop == _INTERVENED or answer.get("amazon-bedrock-guardrailAction") == "INTERVENED"


def _asked_for(call: Event, tools: list[ToolUse], request: str, options: Options) -> Iterator[Event]:
    for tool in tools:
        uid = f"{call.tool_call_uid}/{tool.call_id}"
        yield Event(
            native_id=f"{request}/{tool.call_id}",
            event_at=call.event_at,
            kind="tool_call",
            class_uid=API_ACTIVITY,
            activity_id=_OTHER,
            actor_uid=call.actor_uid,
            actor_kind=call.actor_kind,
            actor_name=call.actor_name,
            account_uid=call.account_uid,
            action=f"tool:{tool.name}",
            outcome="unknown",
            tool_call_uid=uid,
            args_hash=hash_arguments(tool.arguments, options),
            keys=[("tool_call", uid, "names"), ("span", str(call.tool_call_uid), "uses")],
            detail=present(
                operation="execute_tool",
                tool=tool.name,
                arguments=tool.arguments,
                commands=commands_of(tool.name, tool.arguments) or None,
                result_status="requested",
                model=call.detail.get("model"),
            ),
        )


@lru_cache(maxsize=65536)
def caller_of(arn: str | None) -> Caller:
    """`identity.arn`: a role's session, or a user."""
    role, session = role_of_session(arn)
    if role:
        return Caller(role, "human" if "/AWSReservedSSO_" in role else "role", session)
    return Caller(arn, "unknown", None)


SOURCE = Source(
    name="bedrock_invocations",
    log="bedrock_invocations",
    version=4,
    title="Amazon Bedrock model invocations",
    reads="model invocation logs as delivered to S3, or messages of their CloudWatch log group",
    recognised_by="schemaType ModelInvocationLog with operation and modelId, also inside a member `message`",
    grade="verified",
    documentation="https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html",
    documented_at="2026-11-25",
    evidence_kinds=("tool_call",),
    voice="recorded",
    system="agents",
    delivered_in=(
        "cloudwatch:/aws/bedrock/*",
        "cloudwatch:/aws/vendedlogs/bedrock/*",
    ),
    join_keys=("request", "span", "tool_call"),
    recognise=recognise,
    records=partial(json_records, arrays=ENVELOPES, decode=decode_message),
    events=events,
    objects=(
        "identity",
        "input",
        "output",
        "input.inputBodyJson",
        "output.outputBodyJson",
    ),
    never_text=frozenset({"identity"}),
)
