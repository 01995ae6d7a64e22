"""Log events of coding agents: what a person asked for, what they permitted, what the agent then did.

Claude Code (https://code.claude.com/docs/en/monitoring-usage): user_prompt, tool_decision, tool_result, api_request,
api_error, permission_mode_changed, auth. Codex (https://developers.openai.com/codex/config-advanced): the same of them
with `codex.` before them, and conversation_starts, which says under which approval policy and sandbox it runs.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ultravires.formats.otlp import OtlpRecord, decoded, first_of
from ultravires.reading.effects import effect, no_effect
from ultravires.reading.events import Event, present
from ultravires.reading.options import Options, hash_arguments
from ultravires.reading.values import hex_id, iso, label, mapping, text, truth
from ultravires.sources.agents.commands import commands_of
from ultravires.sources.agents.genai_spans import stated
from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHENTICATION, AUTHORIZE_SESSION, USER_ACCESS

OTHER, ASSIGN, UPDATE, LOGON, LOGOFF = 99, 1, 3, 1, 2
_PREFIXES = ("claude_code.", "codex.")
_CALLS = frozenset({"tool_result", "api_request", "api_error"})
_CHANGES = frozenset({"permission_mode_changed", "auth", "conversation_starts"})
_KNOWN = _CALLS | _CHANGES | {"tool_decision", "user_prompt"}
_HUMAN = ("user.email", "user.account_uuid", "user.account_id", "user.id")
_ASKED_A_HUMAN = ("user",)
_ALLOWED, _DENIED = ("accept", "approved"), ("reject", "denied", "abort", "timed_out")
_MODES = ("to_mode", "approval_policy", "sandbox_policy")
_UNASKED_MODES = frozenset({"auto", "bypassPermissions"})
_NO_SANDBOX = "dangerfullaccess"
_ARGUMENTS = ("arguments", "tool_input", "tool_parameters")
_HIDDEN = ("<REDACTED>", "[REDACTED]")


class Happening(NamedTuple):
    """A coding agent's log event: which agent and event, in which conversation, for which prompt and call."""

    agent: str
    name: str
    attributes: dict[str, Any]
    event_at: int
    conversation: str
    prompt: str | None
    call: str | None
    human: str | None
    native_id: str | None

    @property
    def call_uid(self) -> str | None:
        return f"{self.conversation}/{self.call}" if self.call else self.native_id


def coding_agent_event(record: OtlpRecord, event_at: int, options: Options) -> Event | None:
    """An event, or None where the log record is no coding agent's, or of no use here."""
    happening = _happening(record, event_at)
    if happening is None:
        return None
    if happening.name == "user_prompt":
        return _request(happening)
    if happening.name == "tool_decision":
        return _decision(happening)
    if happening.name in _CHANGES:
        return _change(happening)
    return _tool_call(happening, options)


def _happening(record: OtlpRecord, event_at: int) -> Happening | None:
    attributes = record.attributes
    agent, name = _agent_and_name(record)
    conversation = first_of(attributes, "session.id", "conversation.id") or hex_id(record.body.get("traceId"))
    if name not in _KNOWN or agent is None or conversation is None:
        return None
    sequence_no = label(attributes.get("event.sequence"))
    return Happening(
        agent=agent,
        name=name,
        attributes=attributes,
        event_at=event_at,
        conversation=conversation,
        prompt=first_of(attributes, "prompt.id", "turn.id"),
        call=first_of(attributes, "tool_use_id", "call_id"),
        human=first_of(attributes, *_HUMAN),
        native_id=f"{conversation}/{name}/{sequence_no}" if sequence_no else None,
    )


def _agent_and_name(record: OtlpRecord) -> tuple[str | None, str]:
    """The agent's id and the event's bare name, from `event.name`, the body, or the protocol's eventName
    field.
    """
    body = record.body.get("body")
    said = text(body.get("stringValue")) if type(body) is dict else None
    service = text(record.attributes.get("service.name"))
    for full in (text(record.attributes.get("event.name")), text(record.body.get("eventName")), said):
        for prefix in _PREFIXES:
            if full and full.startswith(prefix):
                return f"agent:{service or prefix.rstrip('.').replace('_', '-')}", full.removeprefix(prefix)
    name = text(record.attributes.get("event.name"))
    return ("agent:claude-code", name) if name in _KNOWN and service == "claude-code" else (None, "")


def _request(h: Happening) -> Event:
    """A prompt is a person's request: the task in its words, under the approval that an attribute states."""
    prompt = h.prompt or label(h.attributes.get("event.sequence")) or str(h.event_at)
    uid = f"{h.conversation}/{prompt}"
    moment = iso(h.event_at)
    said = text(h.attributes.get("prompt"))
    return Event(
        native_id=uid,
        event_at=h.event_at,
        kind="approval",
        class_uid=USER_ACCESS,
        activity_id=ASSIGN,
        actor_uid=h.human,
        actor_kind="human",
        action="approval:approved",
        outcome="success",
        approval_uid=uid,
        task=None if said in _HIDDEN else said,
        keys=[("prompt", uid, "names"), *stated(h.attributes), ("conversation", h.conversation, "carries")],
        detail=present(
            status="approved",
            origin="human_request",
            subject=h.agent,
            requested_by=h.human,
            approved_by=h.human,
            requested_at=moment,
            approved_at=moment,
            valid_from=moment,
        ),
    )


def _decision(h: Happening) -> Event:
    """An answered permission prompt; also the answer of a rule in the agent's configuration, which has no
    approver.
    """
    answer = (text(h.attributes.get("decision")) or "").lower()
    is_allowed, is_denied = answer.startswith(_ALLOWED), answer.startswith(_DENIED)
    is_human = (text(h.attributes.get("source")) or "").lower().startswith(_ASKED_A_HUMAN)
    tool = text(h.attributes.get("tool_name"))
    uid = f"{h.conversation}/{h.call}/decision" if h.call else h.native_id
    uses = [("tool_call", f"{h.conversation}/{h.call}", "uses")] if h.call else []
    return Event(
        native_id=uid,
        event_at=h.event_at,
        kind="decision",
        class_uid=AUTHORIZE_SESSION,
        activity_id=OTHER,
        actor_uid=h.agent,
        actor_kind="agent",
        on_behalf_of_uid=h.human,
        action=f"tool:{tool}" if tool else None,
        outcome="success" if is_allowed else "denied" if is_denied else "unknown",
        decision_uid=uid or f"{h.conversation}/{h.event_at}/decision",
        keys=[*uses, *_shared(h)],
        detail=present(
            result="allow" if is_allowed else "deny" if is_denied else None,
            approver=h.human if is_human else None,
            is_human=is_human,
            tool=tool,
            arguments=decoded(h.attributes.get("tool_parameters")),
        ),
    )


def _change(h: Happening) -> Event:
    """What the agent may do from now on, and who signed in or out: made by the person, or by the agent itself."""
    is_auth = h.name == "auth"
    succeeded = truth(h.attributes.get("success"))
    by_person = is_auth or h.name == "conversation_starts" or label(h.attributes.get("trigger")) != "auto_gate_denied"
    human = h.human if by_person else None
    is_logout = h.attributes.get("action") == "logout"
    return Event(
        native_id=h.native_id or f"{h.conversation}/{h.name}/{h.event_at}",
        event_at=h.event_at,
        kind="activity",
        class_uid=AUTHENTICATION if is_auth else API_ACTIVITY,
        activity_id=(LOGOFF if is_logout else LOGON) if is_auth else UPDATE,
        actor_uid=human or h.agent,
        actor_kind="human" if human else "agent",
        account_uid=label(h.attributes.get("organization.id")),
        action=f"{h.agent.removeprefix('agent:')}:{h.name}",
        resource_uids=[f"{name}:{value}" for name in _MODES if (value := label(h.attributes.get(name)))],
        outcome="failure" if succeeded is False else "success",
        error_code=label(h.attributes.get("status_code")) if succeeded is False else None,
        detail=present(effects=_effects(h), event_type=h.name),
    )


def _effects(h: Happening) -> list[dict[str, Any]] | None:
    """Commands that run without being asked for, or outside of a sandbox, are guarded less; no other mode is."""
    if h.name == "permission_mode_changed":
        is_free = label(h.attributes.get("to_mode")) in _UNASKED_MODES
    elif h.name == "conversation_starts":
        sandbox = label(h.attributes.get("sandbox_policy")) or ""
        is_free = _NO_SANDBOX in "".join(char for char in sandbox.lower() if char.isalnum())
    else:
        return None
    return [effect("weakens_guard") if is_free else no_effect("weakens_guard")]


def _tool_call(h: Happening, options: Options) -> Event:
    is_tool = h.name == "tool_result"
    tool = text(h.attributes.get("tool_name")) if is_tool else None
    arguments = _arguments(h) if is_tool else None
    outcome, error = _outcome(h)
    uid = h.call_uid or f"{h.conversation}/{h.name}/{h.event_at}"
    return Event(
        native_id=h.call_uid if is_tool else h.native_id,
        event_at=h.event_at,
        kind="tool_call",
        class_uid=API_ACTIVITY,
        activity_id=OTHER,
        actor_uid=h.agent,
        actor_kind="agent",
        on_behalf_of_uid=h.human,
        action=(f"tool:{tool}" if tool else None) if is_tool else "model:chat",
        outcome=outcome,
        error_code=error,
        tool_call_uid=uid,
        args_hash=hash_arguments(arguments, options),
        keys=[*([("tool_call", uid, "names")] if is_tool and h.call else []), *_shared(h)],
        detail=present(
            operation="execute_tool" if is_tool else "chat",
            tool=tool,
            arguments=arguments,
            result_status={"success": "ok", "failure": "error"}.get(outcome),
            ended_at=iso(h.event_at),
            conversation=h.conversation,
            model=text(h.attributes.get("model")),
            server=_server(h) if is_tool else None,
            commands=commands_of(tool, arguments, _server(h)) or None if is_tool else None,
        ),
    )


def _arguments(h: Happening) -> Any:
    """What the tool was called with; the parameters that Claude Code logs apart are less than its whole input."""
    return next(
        (decoded(h.attributes[n]) for n in ("arguments", "tool_input", "tool_parameters") if n in h.attributes), None
    )


def _server(h: Happening) -> str | None:
    """The MCP server that has the tool."""
    said = text(h.attributes.get("mcp_server")) or text(h.attributes.get("mcp_server.name"))
    return said or text(mapping(decoded(h.attributes.get("tool_parameters"))).get("mcp_server_name"))


def _outcome(h: Happening) -> tuple[str, str | None]:
    """Of a tool what it says; a request of the model failed where it says an error or a status of one."""
    attributes = h.attributes
    if h.name == "tool_result":
        succeeded = truth(attributes.get("success"))
        outcome = "unknown" if succeeded is None else "success" if succeeded else "failure"
        return outcome, text(attributes.get("error_type"))
    status = label(attributes.get("status_code")) or label(attributes.get("http.response.status_code"))
    is_failed = h.name == "api_error" or text(attributes.get("error.message")) or (status or "2")[:1] in "45"
    return ("failure", status) if is_failed else ("success", None)


def _shared(h: Happening) -> Iterator[tuple[str, str, str]]:
    if h.prompt:
        yield "prompt", f"{h.conversation}/{h.prompt}", "uses"
    yield "conversation", h.conversation, "carries"
