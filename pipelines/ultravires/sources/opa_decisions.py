"""Open Policy Agent decision logs: JSON lines, or the arrays that OPA posts to a decision log service.

Record: https://www.openpolicyagent.org/docs/management-decision-logs
Where a policy's input holds subject, action, resource and ids is configured per policy path
(`Options.opa_inputs`).
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.source import Event, NotParsed, Options, Source, hash_arguments, present
from ultravires.reading.values import hex_id, label, mapping, micros, sequence, text, texts
from ultravires.vendors.addresses import host_of
from ultravires.vendors.ocsf_classes import AUTHORIZE_SESSION

_OTHER = 99
_TYPICAL = frozenset({"path", "query", "input", "result", "labels", "timestamp", "bundles", "metrics"})
_ENOUGH = 2
_ANSWERS = ("allow", "allowed", "decision", "result", "permit")
_YES = frozenset({"allow", "allowed", "permit", "permitted", "approve", "approved", "grant", "true", "yes"})
_NO = frozenset({"deny", "denied", "forbid", "forbidden", "reject", "rejected", "block", "blocked", "false", "no"})


def recognise(head: Head) -> bool:
    """One of the first objects has a decision_id and at least two more of OPA's own members."""
    return any("decision_id" in keys and len(keys & _TYPICAL) >= _ENOUGH for keys in head.first_keys())


def events(record: dict[str, Any], options: Options) -> tuple[Event]:
    """One decision record to one decision. Raises NotParsed without a decision id or a time."""
    uid = text(record.get("decision_id"))
    if uid is None:
        raise NotParsed("no decision_id: not an OPA decision")
    event_at = micros(record.get("timestamp"))
    if event_at is None:
        raise NotParsed("no time")
    places = places_for(text(record.get("path")), options.opa_inputs)
    asked = {name: find(record, place) for name, place in places.items()}
    outcome = outcome_of(record.get("result"))
    trace = hex_id(record.get("trace_id")) or label(asked.get("trace"))
    arguments = asked.get("arguments")
    tool = name_of(asked.get("tool"))
    event = Event(
        native_id=uid,
        event_at=event_at,
        kind="decision",
        class_uid=AUTHORIZE_SESSION,
        activity_id=_OTHER,
        actor_uid=name_of(asked.get("subject")),
        action=name_of(asked.get("action")) or (f"tool:{tool}" if tool else None),
        resource_uids=resources_of(asked.get("resource")),
        outcome=outcome,
        src_ip=host_of(asker) if (asker := text(record.get("requested_by"))) else None,
        approval_uid=name_of(asked.get("approval")),
        decision_uid=uid,
        args_hash=None if is_masked(record, places.get("arguments", "")) else hash_arguments(arguments, options),
        keys=_keys(record, asked, uid, trace),
        detail=present(
            result={"success": "allow", "denied": "deny"}.get(outcome),
            is_human=False,
            tool=tool,
            arguments=arguments,
        ),
    )
    return (event,)


def _keys(
    record: Mapping[str, Any], asked: Mapping[str, Any], uid: str, trace: str | None
) -> list[tuple[str, str, str]]:
    keys = [("decision", uid, "names")]
    keys += [(name, value, "uses") for name in ("approval", "ticket") if (value := name_of(asked.get(name)))]
    if trace:
        call, span = label(asked.get("tool_call")), hex_id(record.get("span_id"))
        keys += [("tool_call", f"{trace}/{call}", "uses")] if call else []
        keys += [("span", f"{trace}/{span}", "uses")] if span else []
        keys.append(("trace", trace, "carries"))
    return keys


def places_for(path: str | None, inputs: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """The map of the most exact policy path glob that fits (the longest), over the map of `*`."""
    if inputs.keys() == {"*"}:
        return inputs["*"]
    fitting = sorted((glob for glob in inputs if glob == "*" or fnmatchcase(path or "", glob)), key=len)
    return {name: place for glob in fitting for name, place in inputs[glob].items()}


def find(record: Any, place: str) -> Any:
    """The value at the first of the dotted paths in `place` (separated by `|`) that is not null."""
    for path in _paths(place):
        value = record
        for name in path:
            value = value.get(name) if type(value) is dict else None
            if value is None:
                break
        if value is not None:
            return value
    return None


@lru_cache(maxsize=1024)
def _paths(place: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.strip().split(".")) for path in place.split("|"))


def is_masked(record: Mapping[str, Any], place: str) -> bool:
    """Whether OPA's mask policy took something out of the values at `place`: then they are not what was
    asked.
    """
    pointers = [pointer + "/" for name in ("erased", "masked") for pointer in texts(record.get(name))]
    if not pointers:
        return False
    places = [f"/{'/'.join(path)}/" for path in _paths(place)]
    return any(p.startswith(where) or where.startswith(p) for p in pointers for where in places)


def name_of(value: Any) -> str | None:
    """An id or name, also where it stands inside an object as `id`, `uid`, `arn` or `name`."""
    if type(value) is dict:
        return next((found for name in ("id", "uid", "arn", "name") if (found := label(value.get(name)))), None)
    return label(value)


def resources_of(value: Any) -> list[str]:
    """Resource ids from a string, an object with an id, or an array of either."""
    if type(value) is list:
        return [name for item in value if (name := name_of(item))]
    return [name] if (name := name_of(value)) else []


def outcome_of(result: Any) -> str:
    """success for an allowing, denied for a denying result, unknown for every other shape. A denial wins."""
    if type(result) is bool:
        return "success" if result else "denied"
    if type(result) is str:
        word = result.lower()
        return "success" if word in _YES else "denied" if word in _NO else "unknown"
    members = mapping(result)
    if members.get("deny") is True or sequence(members.get("deny")):
        return "denied"
    answers = {outcome_of(members[name]) for name in _ANSWERS if type(members.get(name)) in (bool, str)}
    return "denied" if "denied" in answers else "success" if "success" in answers else "unknown"


SOURCE = Source(
    name="opa_decisions",
    log="opa_decisions",
    version=1,
    title="Open Policy Agent decision logs",
    reads="decision logs, as lines or as the arrays that OPA posts",
    recognised_by="the member decision_id and at least two more of OPA's own",
    grade="documentation",
    documentation="https://www.openpolicyagent.org/docs/management-decision-logs",
    documented_at="2026-11-24",
    evidence_kinds=("decision",),
    join_keys=("decision", "approval", "ticket", "tool_call", "span", "trace"),
    recognise=recognise,
    records=json_records,
    events=events,
)
