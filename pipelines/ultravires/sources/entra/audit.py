"""Microsoft Entra directory audits: who changed users, applications, roles and policies; approvals of PIM among them.

Records of the diagnostic setting AuditLogs, and Microsoft Graph's `directoryAudit` objects, which are the `properties`
of the former.
https://learn.microsoft.com/en-us/graph/api/resources/directoryaudit
"""

from functools import cache, partial
from typing import Any

from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.azure.exports import (
    ANOTHER_LOG,
    ARRAYS,
    address,
    claim_of,
    family_of,
    filled,
    is_export,
    outer,
    place_of,
    request_keys,
    tenant_of,
)
from ultravires.sources.entra.directory_change import change_of
from ultravires.sources.entra.effects import effects_of, role_effects
from ultravires.sources.entra.iam_changes import grants_of
from ultravires.sources.entra.identities import NOBODY, Subject, initiator_of
from ultravires.sources.entra.operations import account_words, further_keys, key_changes, ocsf_class
from ultravires.sources.entra.pim_requests import SCOPES, details_of, request_of, state_of_audit
from ultravires.sources.tickets.approval_states import approval_event

_GRAPH_MEMBERS = ("activityDateTime", "activityDisplayName", "loggedByService", "initiatedBy")
_RESULTS = {"success": "success", "failure": "failure", "failed": "failure", "timeout": "failure"}
_REFUSED = ("Authorization_RequestDenied", "Insufficient privileges", "Unauthorized", "Forbidden", "AccessDenied")


def recognise(head: Head) -> bool:
    """The envelope of a diagnostic setting around `loggedByService`, or Graph's directoryAudit objects."""
    if head.holds(*_GRAPH_MEMBERS, arrays=ARRAYS):
        return True
    return is_export(head, "resourceid", "properties") and family_of(head) == "audit"


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One audit record to one activity, and to the approval's state where PIM tells of one; none for other logs.

    Raises NotParsed without a time or a name of the activity.
    """
    is_graph = "activityDisplayName" in record
    audit = record if is_graph else mapping(outer(record, "properties"))
    if "loggedByService" not in audit and "activityDisplayName" not in audit:
        return NoEvent(ANOTHER_LOG)
    at = event_time(audit.get("activityDateTime"), None if is_graph else outer(record, "time"))
    name = text(audit.get("activityDisplayName")) or text(outer(record, "operationName"))
    if name is None:
        raise NotParsed("no activityDisplayName: not a directory audit")
    tenant = text(audit.get("tenantId")) if is_graph else tenant_of(record)
    details = details_of(audit)
    initiator = initiator_of(audit.get("initiatedBy"))
    if initiator is NOBODY and (shown := filled(outer(record, "identity"))):
        initiator = Subject(shown, "unknown", shown)
    activity = _activity(record, audit, name, details, initiator=initiator, at=at, tenant=tenant)
    if audit.get("loggedByService") != "PIM":
        return (activity, *_further_keys(activity, audit))
    if request := request_of(details):
        activity.keys.append(("approval", request, "carries"))
    if activity.outcome != "success":
        return (activity,)
    state = state_of_audit(audit, name, details, initiator=initiator, at=at, tenant=tenant)
    return (activity, approval_event(state, SCOPES, options)) if state else (activity,)


def _activity(
    record: dict[str, Any],
    audit: dict[str, Any],
    name: str,
    details: dict[str, str],
    *,
    initiator: Subject,
    at: int,
    tenant: str | None,
) -> Event:
    targets = sequence(audit.get("targetResources"))
    operation_type = text(audit.get("operationType"))
    class_uid, activity_id = ocsf_class(name, operation_type)
    outcome, error = _result(record, audit)
    added, removed = key_changes(targets) if outcome == "success" else ([], [])
    change = cache(partial(change_of, audit, details, initiator.uid))
    changes = grants_of(name, change)
    grants = changes if outcome == "success" else []
    effects = effects_of(name, change)
    effects += role_effects(changes, has_happened=outcome == "success")
    words = account_words(name, targets) if outcome == "success" else []
    user = mapping(mapping(audit.get("initiatedBy")).get("user"))
    own_address = outer(record, "callerIpAddress") or outer(record, "ipAddress")
    return Event(
        native_id=filled(audit.get("id")),
        event_at=at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=initiator.uid,
        actor_kind=initiator.kind,
        actor_name=initiator.name,
        account_uid=tenant,
        action=f"entra:{name.strip()}",
        resource_uids=_resources(targets, details),
        outcome=outcome,
        error_code=error,
        src_ip=address(user.get("ipAddress"), details.get("ipaddr"), own_address),
        user_agent=filled(audit.get("userAgent")) or details.get("User-Agent"),
        issued_credential_uid=added[0] if added else None,
        revoked_credential_uid=removed[0] if removed else None,
        keys=request_keys(tenant, audit.get("correlationId"), outer(record, "correlationId")),
        detail=present(
            event_type=operation_type, grants=grants or None, effects=effects or None, lifecycle=words or None
        ),
    )


def _further_keys(activity: Event, audit: dict[str, Any]) -> list[Event]:
    if activity.issued_credential_uid is None and activity.revoked_credential_uid is None:
        return []
    return further_keys(activity, *key_changes(sequence(audit.get("targetResources"))))


def _result(record: dict[str, Any], audit: dict[str, Any]) -> tuple[str, str | None]:
    """(outcome, error code); the reason of a failure is the vendor's, in a text."""
    result = text(audit.get("result")) or text(outer(record, "result")) or ""
    outcome = _RESULTS.get(result.lower(), "unknown")
    if outcome != "failure":
        return outcome, None
    reason = filled(audit.get("resultReason"))
    is_refused = reason is not None and any(words in reason for words in _REFUSED)
    return ("denied" if is_refused else "failure"), reason


def _resources(targets: list[Any], details: dict[str, str]) -> list[str]:
    found = []
    for target in map(mapping, targets):
        name = filled(target.get("id")) or filled(target.get("userPrincipalName")) or filled(target.get("displayName"))
        if name and name not in found:
            found.append(name)
    if not found and (scope := details.get("Scope")):
        found.append(scope)
    return found


SOURCE = Source(
    name="entra_audit",
    log="entra_audit",
    approval_system="entra",
    version=6,
    title="Microsoft Entra directory audits",
    reads='`{"records": [...]}` or lines of the diagnostic setting AuditLogs; Graph `{"value": [...]}` of '
    "directoryAudit",
    recognised_by="time, category, operationName, resourceId around loggedByService; or Graph's directoryAudit members",
    grade="verified",
    documentation="https://learn.microsoft.com/en-us/graph/api/resources/directoryaudit",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential", "approval"),
    voice="recorded",
    system="entra",
    governs=("entra", "azure", "m365"),
    place=place_of,
    delivered_in=(
        "azure:auditlogs",
        "elastic:azure.auditlogs",
        "splunk:azure:aad:audit",
        "splunk:azure:monitor:aad",
        "wazuh:ms-graph",
    ),
    join_keys=("request", "approval", "ticket"),
    recognise=recognise,
    records=partial(json_records, arrays=ARRAYS),
    events=events,
    claim=claim_of("audit"),
    objects=(
        "properties",
        "properties.initiatedBy",
        "properties.targetResources",
        "properties.additionalDetails",
        "initiatedBy",
        "targetResources",
        "additionalDetails",
    ),
    never_text=frozenset({"properties", "properties.initiatedBy", "initiatedBy"}),
)
