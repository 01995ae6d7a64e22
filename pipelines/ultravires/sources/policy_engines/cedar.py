"""A Cedar engine's answer to one request, whoever logged it, as a decision.

Entities: https://docs.cedarpolicy.com/policies/syntax-entity.html. Written as `Type::"id"`, `{type, id}`,
`{entityType, entityId}` (Amazon Verified Permissions) or `{actionType, actionId}`.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from ultravires.reading.events import Event, present
from ultravires.reading.options import Options, hash_arguments
from ultravires.reading.values import hex_id, label, mapping, text, trace_context
from ultravires.sources.ocsf.classes import AUTHORIZE_SESSION

_OTHER = 99
_ANSWERS = {"allow": ("success", "allow"), "deny": ("denied", "deny")}
_TYPES, _IDS = ("type", "entityType", "actionType"), ("id", "entityId", "actionId")
_KINDS = {"user": "human", "oauthuser": "human", "workload": "workload", "agent": "agent", "serviceaccount": "service"}
_GATEWAY = "AgentCore"


class Entity(NamedTuple):
    """A Cedar entity: its type with its namespace, and its id."""

    kind: str
    uid: str

    @property
    def namespace(self) -> str:
        return self.kind.rpartition("::")[0]

    @property
    def literal(self) -> str:
        return f'{self.kind}::"{self.uid}"'

    @property
    def actor_kind(self) -> str:
        return _KINDS.get(self.kind.rpartition("::")[2].lower(), "unknown")


class CedarRequest(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What was asked and answered; `uid` is the id that callers know the answer by."""

    uid: str
    native_id: str | None
    at: int
    principal: Entity | None
    on_behalf_of: Entity | None = None
    action: Entity | None
    resource: Entity | None
    context: dict[str, Any]
    decision: Any


def entity_of(value: Any) -> Entity | None:
    """An entity in any of its spellings; None where it is none."""
    if type(value) is str:
        return _of_literal(value)
    members = mapping(value)
    members = mapping(members.get("__entity")) or members
    kind = next((found for name in _TYPES if (found := text(members.get(name)))), None)
    uid = next((found for name in _IDS if (found := label(members.get(name)))), None)
    return Entity(kind, uid) if kind and uid else None


@lru_cache(maxsize=65536)
def _of_literal(value: str) -> Entity | None:
    kind, separator, quoted = value.partition('::"')
    is_literal = separator and kind and len(quoted) > 1 and quoted.endswith('"')
    return Entity(kind, quoted[:-1].replace('\\"', '"').replace("\\\\", "\\")) if is_literal else None


def action_of(action: Entity) -> str:
    """`Acme::Action::"Read"` to `Acme:Read`; an action without a namespace is its id; a gateway's is the tool."""
    if action.namespace == _GATEWAY:
        return f"tool:{action.uid}"
    return f"{action.namespace}:{action.uid}" if action.namespace else action.uid


def answer_of(decision: Any) -> tuple[str, str] | None:
    """(outcome, result) of ALLOW or DENY in any case; None for every other word."""
    return _ANSWERS.get(decision.lower()) if type(decision) is str else None


def cedar_decision(request: CedarRequest, options: Options) -> Event:
    """The event of kind `decision`; what the request's context states of approval, ticket, call and trace are keys."""
    outcome, result = answer_of(request.decision) or ("unknown", None)
    principal, behalf, context = request.principal, request.on_behalf_of, request.context
    arguments = context.get("arguments", context.get("input"))
    action = action_of(request.action) if request.action else None
    tool = label(context.get("tool")) or (
        action.removeprefix("tool:") if action and action.startswith("tool:") else None
    )
    return Event(
        native_id=request.native_id,
        event_at=request.at,
        kind="decision",
        class_uid=AUTHORIZE_SESSION,
        activity_id=_OTHER,
        actor_uid=principal.uid if principal else None,
        actor_kind=principal.actor_kind if principal else None,
        on_behalf_of_uid=behalf.uid if behalf else None,
        action=action,
        resource_uids=[_resource(request.resource)] if request.resource else [],
        outcome=outcome,
        approval_uid=label(context.get("approval_id")),
        decision_uid=request.uid,
        args_hash=hash_arguments(arguments, options),
        keys=[("decision", request.uid, "names"), *_stated(context)],
        detail=present(result=result, is_human=False, tool=tool, arguments=arguments),
    )


def _resource(resource: Entity) -> str:
    """An ARN where the id is one, else the entity as Cedar writes it: ids alone repeat between types."""
    return resource.uid if resource.uid.startswith("arn:") else resource.literal


def _stated(context: dict[str, Any]) -> list[tuple[str, str, str]]:
    keys = [
        (kind, known, "uses")
        for kind, name in (("approval", "approval_id"), ("ticket", "ticket"))
        if (known := label(context.get(name)))
    ]
    said_trace, said_span = trace_context(context.get("traceparent")) or (None, None)
    trace = hex_id(context.get("trace_id")) or said_trace
    span = hex_id(context.get("span_id")) or said_span
    conversation = label(context.get("conversation_id")) or label(context.get("session_id"))
    call, scope = label(context.get("tool_call_id")), trace or conversation
    keys += [("tool_call", f"{scope}/{call}", "uses")] if call and scope else []
    keys += [("span", f"{trace}/{span}", "uses")] if trace and span else []
    keys += [("trace", trace, "carries")] if trace else []
    return keys + ([("conversation", conversation, "carries")] if conversation else [])
