"""Decisions of Cedar engines: Cedarling's logs, and lines that hold an authorization request with its answer.

Cedarling: https://docs.jans.io/stable/cedarling/reference/cedarling-logs/. Others (cedar-agent, services that ask
Amazon Verified Permissions) log principal, action, resource and context with the decision and determiningPolicies or
diagnostics, flat or as `{request, response}`, with a time. What CloudTrail has of Verified Permissions is read there.
"""

from typing import Any

from ultravires.reading.events import Event, NoEvent, NotParsed, event_time
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, sequence, text
from ultravires.sources.policy_engines.cedar import CedarRequest, Entity, answer_of, cedar_decision, entity_of

_KINDS = frozenset({"Decision", "System", "Metric"})
_ASKED = ("principal", "action", "resource")
_TIMES = ("timestamp", "time", "event_time", "@timestamp")
_IDS = ("request_id", "requestId", "decision_id", "id")
_SUBJECTS = ("sub", "client_id", "id", "user_id", "email")


def recognise(head: Head) -> bool:
    """Cedarling's log_kind and pdp_id; else a principal, action, resource and decision with what determined it."""
    if head.holds("log_kind", "pdp_id"):
        return not _KINDS.isdisjoint(values_at(head, "log_kind"))
    is_flat = any(
        head.holds(*_ASKED, "decision", known) for known in ("determiningPolicies", "diagnostics", "policyStoreId")
    )
    is_nested = head.holds("request", "response") and b'"determiningPolicies"' in head.data
    return is_flat or (is_nested and b'"principal"' in head.data)


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One record to one decision; none for Cedarling's other kinds. Raises NotParsed without decision or time."""
    if record.get("log_kind") in ("System", "Metric"):
        return NoEvent("record of Cedarling that is no decision")
    asked = {**record, **mapping(record.get("request"))}
    answered = {**record, **mapping(record.get("response"))}
    decision = answered.get("decision")
    if answer_of(decision) is None:
        raise NotParsed("no decision ALLOW or DENY")
    at = event_time(*map(record.get, _TIMES))
    principal, behalf = principals_of(asked, record)
    action, resource = entity_of(asked.get("action")), entity_of(asked.get("resource"))
    known = next((found for name in _IDS if (found := label(record.get(name)) or label(answered.get(name)))), None)
    request = CedarRequest(
        uid=known or f"{record.get('timestamp')}/{principal}/{action}/{resource}",
        native_id=label(record.get("id")) or known,
        at=at,
        principal=principal,
        on_behalf_of=behalf,
        action=action,
        resource=resource,
        context=mapping(asked.get("context")),
        decision=decision,
    )
    return (cedar_decision(request, options),)


def principals_of(asked: dict[str, Any], record: dict[str, Any]) -> tuple[Entity | None, Entity | None]:
    """Who asked and for whom: a workload asks for the user beside it.

    Cedarling lists the principals' types, and says who they are in a member named after each.
    """
    said = asked.get("principal")
    if type(said) is not list:
        return entity_of(said) or _of_type(said, record), None
    found = [entity for item in sequence(said) if (entity := entity_of(item) or _of_type(item, record))]
    found.sort(key=lambda entity: entity.actor_kind == "human")
    return (found[0] if found else None), (found[1] if len(found) > 1 else None)


def _of_type(name: Any, record: dict[str, Any]) -> Entity | None:
    kind = text(name)
    if kind is None:
        return None
    claims = mapping(record.get(kind)) or mapping(record.get(kind.rpartition("::")[2]))
    uid = next((found for claim in _SUBJECTS if (found := label(claims.get(claim)))), None)
    return Entity(kind, uid) if uid else None


SOURCE = Source(
    name="cedar_decisions",
    log="cedar_decisions",
    version=3,
    title="Cedar decisions",
    reads="Cedarling's logs; lines with an authorization request and its answer",
    recognised_by="log_kind and pdp_id; else principal, action, resource, decision and what determined it",
    grade="documentation",
    documentation="https://docs.jans.io/stable/cedarling/reference/cedarling-logs/",
    documented_at="2026-11-25",
    evidence_kinds=("decision",),
    voice="recorded",
    join_keys=("decision", "approval", "ticket", "tool_call", "span", "trace", "conversation"),
    recognise=recognise,
    records=json_records,
    events=events,
    objects=(
        "principal",
        "action",
        "resource",
        "request",
        "response",
        "context",
        "diagnostics",
        "determiningPolicies",
        "request.context",
        "response.determiningPolicies",
    ),
    never_text=frozenset({"request", "response"}),
)
