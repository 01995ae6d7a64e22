"""Open Policy Agent decision logs: JSON lines, or the arrays that OPA posts to a decision log service.

Record: https://www.openpolicyagent.org/docs/management-decision-logs
Where a policy's input holds subject, action, resource and ids is configured per policy path
(`Options.opa_inputs`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ultravires.reading.addresses import host_of
from ultravires.reading.events import Event, Frame, NotParsed, event_time
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options, hash_arguments
from ultravires.reading.plain_records import plainly
from ultravires.reading.source import Source
from ultravires.reading.splitting import decode_object
from ultravires.reading.values import hex_id, label
from ultravires.sources.ocsf.classes import AUTHORIZE_SESSION
from ultravires.sources.policy_engines.opa import (
    KIND,
    OTHER,
    TOOL,
    OpaDecision,
    asked_of,
    caller_of,
    detail_of,
    is_masked,
    name_of,
    outcome_of,
    plan_for,
    resources_of,
)

_TYPICAL = frozenset({"path", "query", "input", "result", "labels", "timestamp", "bundles", "metrics"})
_ENOUGH = 2
_NAME = "opa_decisions"


def recognise(head: Head) -> bool:
    """One of the first objects has a decision_id and at least two more of OPA's own members."""
    return any("decision_id" in keys and len(keys & _TYPICAL) >= _ENOUGH for keys in head.first_keys())


def decision_records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The records of a file; plain ones are OpaDecisions already."""
    return json_records(chunks, options, decode=plainly(OpaDecision, _NAME, options, decode_object))


def events(record: OpaDecision, options: Options) -> tuple[Event]:
    """One decision record to one decision. Raises NotParsed without a decision id or a time."""
    uid = record.decision_id
    if not uid:
        raise NotParsed("no decision_id: not an OPA decision")
    event_at = event_time(record.timestamp)
    plan = plan_for(record.path or None, options.opa_inputs)
    asked = asked_of(record, plan)
    outcome = outcome_of(record.result)
    caller = caller_of(record)
    trace = hex_id(record.trace_id) or (caller[0] if caller else None) or label(asked.get("trace"))
    arguments = asked.get("arguments")
    tool = name_of(asked.get("tool"))
    event = Event(
        native_id=uid,
        event_at=event_at,
        kind=KIND,
        class_uid=AUTHORIZE_SESSION,
        activity_id=OTHER,
        actor_uid=name_of(asked.get("subject")),
        action=name_of(asked.get("action")) or (TOOL + tool if tool else None),
        resource_uids=resources_of(asked.get("resource")),
        outcome=outcome,
        src_ip=host_of(record.requested_by) if record.requested_by else None,
        approval_uid=name_of(asked.get("approval")),
        decision_uid=uid,
        args_hash=None if is_masked(record, plan.places.get("arguments", "")) else hash_arguments(arguments, options),
        keys=_keys(record, asked, uid, trace, caller),
        detail=detail_of(outcome, tool, arguments),
    )
    return (event,)


def _keys(
    record: OpaDecision, asked: Mapping[str, Any], uid: str, trace: str | None, caller: tuple[str, str] | None
) -> list[tuple[str, str, str]]:
    keys = [("decision", uid, "names")]
    keys += [(name, value, "uses") for name in ("approval", "ticket") if (value := name_of(asked.get(name)))]
    if trace:
        call, span = label(asked.get("tool_call")), hex_id(record.span_id)
        keys += [("tool_call", f"{trace}/{call}", "uses")] if call else []
        keys += [("span", f"{trace}/{span}", "uses")] if span else []
        if caller and caller != (trace, span):
            keys.append(("span", f"{caller[0]}/{caller[1]}", "uses"))
        keys.append(("trace", trace, "carries"))
    return keys


SOURCE = Source(
    name=_NAME,
    log=_NAME,
    version=3,
    title="Open Policy Agent decision logs",
    reads="decision logs, as lines or as the arrays that OPA posts",
    recognised_by="the member decision_id and at least two more of OPA's own",
    grade="documentation",
    documentation="https://www.openpolicyagent.org/docs/management-decision-logs",
    documented_at="2026-11-24",
    evidence_kinds=("decision",),
    voice="recorded",
    join_keys=("decision", "approval", "ticket", "tool_call", "span", "trace"),
    recognise=recognise,
    records=decision_records,
    record=OpaDecision,
    events=events,
    objects=(
        "input",
        "result",
        "mapped_result",
        "labels",
    ),
)
