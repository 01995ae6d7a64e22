"""Azure Monitor activity log: what was done to Azure resources through Azure Resource Manager.

As a diagnostic setting exports it (Event Hubs, storage account) and as the REST API answers it.
https://learn.microsoft.com/en-us/azure/azure-monitor/platform/activity-log-schema
"""

from functools import lru_cache, partial
from typing import Any

import msgspec

from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.mending import UNDECODABLE, decode_inner
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, text
from ultravires.sources.azure.claims import Caller, caller_of
from ultravires.sources.azure.effects import effects_of
from ultravires.sources.azure.exports import (
    ACTS,
    ANOTHER_LOG,
    ARRAYS,
    STATES,
    address,
    category_of,
    claim_of,
    family_of,
    filled,
    is_export,
    last_part,
    outer,
    place_of,
    request_keys,
    subscription_of,
    tenant_of,
)
from ultravires.sources.azure.iam_changes import grants_of
from ultravires.sources.azure.role_effects import attempted
from ultravires.sources.ocsf.classes import API_ACTIVITY, USER_ACCESS

_REST_MEMBERS = ("eventDataId", "eventTimestamp", "operationName", "resourceId")
_OUTCOMES = {
    "success": "success",
    "succeeded": "success",
    "failure": "failure",
    "failed": "failure",
    "canceled": "failure",
    "cancelled": "failure",
}
_STAGES = {"start": 1, "started": 1, "accept": 2, "accepted": 2}
_LAST_STAGE = 3
_REFUSALS = frozenset({"401", "403", "unauthorized", "forbidden"})
_REFUSED = frozenset({"AuthorizationFailed", "LinkedAuthorizationFailed", "Forbidden", "Unauthorized"})
_VERBS = {"read": 2, "write": 3, "delete": 4}
_OTHER = 99
_ACCESS = {
    "microsoft.authorization/roleassignments/write": (USER_ACCESS, 1),
    "microsoft.authorization/roleassignments/delete": (USER_ACCESS, 2),
    "microsoft.authorization/elevateaccess/action": (USER_ACCESS, 1),
}
_PIM_REQUEST = "/roleassignmentschedulerequests/"


def recognise(head: Head) -> bool:
    """The envelope of a diagnostic setting with a category of the activity log, or REST's EventData objects."""
    if head.holds(*_REST_MEMBERS, arrays=ARRAYS):
        return True
    return is_export(head, "resourceid", "correlationid") and family_of(head) == "activity"


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One record to one activity; none for categories that say how a resource is, or for another log.

    Raises NotParsed without a time or an operation.
    """
    is_rest = "eventTimestamp" in record
    category = _value(record.get("category")) or (None if is_rest else category_of(record))
    if category not in ACTS and not (is_rest and category is None):
        return NoEvent("state of a resource" if category in STATES else ANOTHER_LOG)
    at = event_time(record.get("eventTimestamp") if is_rest else outer(record, "time"))
    operation = _value(outer(record, "operationName"))
    if operation is None:
        raise NotParsed("no operationName: not an activity of Azure")
    # Case means nothing in an operation: exports shout it, REST does not, and one operation must have one name.
    return (_activity(record, category, operation.lower(), at, is_rest=is_rest),)


def _activity(record: dict[str, Any], category: str | None, operation: str, at: int, *, is_rest: bool) -> Event:
    identity = record if is_rest else mapping(outer(record, "identity"))
    authorization = mapping(identity.get("authorization"))
    evidence, named = mapping(authorization.get("evidence")), filled(record.get("caller"))
    caller = caller_of(mapping(identity.get("claims")), evidence, named)
    resource = filled(outer(record, "resourceId"))
    account = subscription_of(resource) if resource else None
    account = account or filled(record.get("subscriptionId")) or tenant_of(record)
    status = _status(record, is_rest=is_rest)
    outcome, error = _result(record, status, is_rest=is_rest)
    request = mapping(record.get("httpRequest"))
    properties = mapping(outer(record, "properties"))
    class_uid, activity_id = ocsf_class(operation)
    keys = request_keys(
        account,
        outer(record, "correlationId"),
        properties.get("serviceRequestId"),
        request.get("clientRequestId"),
    )
    changes = grants_of(operation, properties, resource, caller.subject.uid)
    grants = changes if outcome == "success" else []
    effects = effects_of(operation, properties, resource) or ([] if grants else attempted(changes))
    one_act = _operation_of(record, f"azure:{operation}", caller, resource)
    if one_act:
        keys.append(("shared_event", one_act, "carries"))
    if resource and outcome == "success" and (asked := pim_request_in(resource)):
        keys.append(("approval", asked, "carries"))
    return Event(
        native_id=filled(record.get("eventDataId")),
        event_at=at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=caller.subject.uid,
        actor_kind=caller.subject.kind,
        actor_name=caller.subject.name,
        on_behalf_of_uid=caller.subject.on_behalf_of,
        account_uid=account,
        workload_uid=caller.workload_uid,
        action=f"azure:{operation}",
        resource_uids=[resource] if resource else [],
        outcome=outcome,
        error_code=error,
        src_ip=address(outer(record, "callerIpAddress"), request.get("clientIpAddress")) or caller.src_ip,
        credential_uid=caller.credential_uid,
        keys=keys,
        detail=present(
            mfa=caller.has_mfa,
            grants=grants or None,
            effects=effects or None,
            read_only=True if operation.endswith("/read") else None,
            event_type=category,
            credential_kind="session" if caller.credential_uid else None,
            request=one_act,
            stage=status,
            stage_number=_STAGES.get(status.lower(), _LAST_STAGE) if status else None,
        ),
    )


def _operation_of(record: dict[str, Any], action: str, caller: Caller, resource: str | None) -> str | None:
    """What the records of one operation share: that it starts, is accepted and has succeeded is one act. A caller may
    choose the correlation id, so who does what to what is part of it.
    """
    operation = filled(outer(record, "operationId")) or filled(outer(record, "correlationId"))
    if operation is None:
        return None
    return "/".join((operation.lower(), action, caller.subject.uid or "", (resource or "").lower()))


def _value(value: Any) -> str | None:
    """A text, which REST wraps together with its translation: `{"value": ..., "localizedValue": ...}`."""
    return filled(value["value"] if type(value) is dict and "value" in value else value)


@lru_cache(maxsize=8192)
def ocsf_class(operation: str) -> tuple[int, int]:
    """(class_uid, activity_id) of an operation in lower case, by its last part; `write` creates or updates."""
    return _ACCESS.get(operation) or (API_ACTIVITY, _VERBS.get(operation.rpartition("/")[2], _OTHER))


@lru_cache(maxsize=8192)
def pim_request_in(resource: str) -> str | None:
    """The request of Privileged Identity Management that a resource id names."""
    at = resource.lower().find(_PIM_REQUEST)
    return last_part(resource) if at >= 0 and at + len(_PIM_REQUEST) < len(resource) else None


def _status(record: dict[str, Any], *, is_rest: bool) -> str | None:
    return _value(record.get("status") if is_rest else outer(record, "resultType"))


def _result(record: dict[str, Any], status: str | None, *, is_rest: bool) -> tuple[str, str | None]:
    """(outcome, error code). What was started or accepted is not known to have worked."""
    outcome = _OUTCOMES.get(status.lower(), "unknown") if status else "unknown"
    if outcome != "failure":
        return outcome, None
    properties = mapping(outer(record, "properties"))
    signature = record.get("subStatus") if is_rest else outer(record, "resultSignature")
    signature = _value(signature) or label(signature)
    code = _code_in(properties.get("statusMessage"))
    words = [word for word in (signature, label(properties.get("statusCode"))) if word]
    is_refused = code in _REFUSED or any(word.lower().rpartition(".")[2] in _REFUSALS for word in words)
    return ("denied" if is_refused else "failure"), code or (words[0] if words else None)


def _code_in(message: Any) -> str | None:
    """The error code in a status message, which is JSON in a string: `{"error": {"code": ...}}`."""
    if type(message) is not str or not message.startswith("{"):
        return None
    try:
        found = mapping(decode_inner(message.encode(), msgspec.json.decode))
    except UNDECODABLE:
        return None
    return text(mapping(found.get("error")).get("code")) or text(found.get("code"))


SOURCE = Source(
    name="azure_activity",
    log="azure_activity",
    version=5,
    title="Azure Monitor activity log",
    reads='`{"records": [...]}` or lines as exported to Event Hubs and storage accounts; `{"value": [...]}` of the '
    "REST API; categories Administrative, Policy, Autoscale (and Write, Delete, Action of older exports)",
    recognised_by="time, category, operationName, resourceId, correlationId with a category of the activity log; or "
    "eventDataId, eventTimestamp, operationName, resourceId",
    grade="verified",
    documentation="https://learn.microsoft.com/en-us/azure/azure-monitor/platform/activity-log-schema",
    documented_at="2026-11-25",
    evidence_kinds=("activity",),
    voice="recorded",
    system="azure",
    place=place_of,
    delivered_in=(
        *(f"azure:{category}" for category in sorted(ACTS | STATES)),
        "elastic:azure.activitylogs",
        "splunk:azure:monitor:activity*",
    ),
    join_keys=("request", "shared_event", "approval"),
    recognise=recognise,
    records=partial(json_records, arrays=ARRAYS),
    events=events,
    claim=claim_of("activity"),
    objects=(
        "identity",
        "identity.authorization",
        "identity.claims",
        "properties",
        "httpRequest",
        "authorization",
        "claims",
    ),
    never_text=frozenset({"identity", "identity.claims", "claims"}),
)
