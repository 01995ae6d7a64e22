"""Google Cloud Audit Logs: admin activity, data access, system event and policy denied entries of Cloud Logging.

LogEntry: https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
AuditLog: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
An action is `<serviceName>:<methodName>`, both as the entry writes them: `storage.googleapis.com:storage.objects.get`.
The name of a service keeps its domain, so that no action of another cloud has the same name.
"""

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

from ultravires.reading.addresses import address_of
from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import hex_id, integer, mapping, sequence, text
from ultravires.sources.gcp.credentials import NOTHING_ISSUED, Call, Issued, issued_by, key_of, operation_of, revoked_by
from ultravires.sources.gcp.credentials import project_of as project_of_account
from ultravires.sources.gcp.effects import effects_of
from ultravires.sources.gcp.iam_changes import grants_of
from ultravires.sources.gcp.log_entries import (
    ARRAYS,
    audit_of,
    begins_with_gke,
    decode_entry,
    holds_audit,
    is_entry,
    log_name,
    place_of,
    project_of,
    region_of,
    stage_of,
)
from ultravires.sources.gcp.log_entries import operation_of as operation_of_entry
from ultravires.sources.gcp.principals import Caller, caller_of, federated_subject, presented_session, presented_subject
from ultravires.sources.gcp.workspace import workspace_events
from ultravires.sources.ocsf.classes import ACCOUNT_CHANGE, API_ACTIVITY, AUTHENTICATION, USER_ACCESS

_PERMISSION_DENIED, _UNAUTHENTICATED = 7, 16
_DENIED = frozenset({_PERMISSION_DENIED, _UNAUTHENTICATED, 401, 403})
_CODES = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}
_OTHER = 99
_MOST_CHECKED = 100
"""So many checked permissions of a call are looked at; a call that Google really checked needs fewer."""
_VERBS = {
    1: ("create", "insert", "generate", "import", "upload", "run", "start", "undelete"),
    2: ("get", "list", "search", "query", "check", "test", "lookup", "describe", "batchget", "aggregated", "fetch"),
    3: ("update", "patch", "set", "enable", "disable", "add", "put", "write", "move", "encrypt"),
    4: ("delete", "destroy", "remove", "purge"),
}
_CLASSES = {
    "setiampolicy": (USER_ACCESS, 1),
    "setiampermissions": (USER_ACCESS, 1),
    "generateaccesstoken": (AUTHENTICATION, 1),
    "generateidtoken": (AUTHENTICATION, 1),
    "exchangetoken": (AUTHENTICATION, 1),
    "signjwt": (AUTHENTICATION, 1),
    "createserviceaccount": (ACCOUNT_CHANGE, 1),
    "enableserviceaccount": (ACCOUNT_CHANGE, 2),
    "disableserviceaccount": (ACCOUNT_CHANGE, 5),
    "deleteserviceaccount": (ACCOUNT_CHANGE, 6),
}


def recognise(head: Head) -> bool:
    """Log entries with a protoPayload that is an AuditLog, also inside the messages of a Pub/Sub subscription."""
    return holds_audit(head) and not begins_with_gke(head)


def claim(record: dict[str, Any]) -> dict[str, Any] | None:
    """An audit entry of any service but Kubernetes."""
    return record if audit_of(record) else None


def events(record: dict[str, Any], options: Options) -> Iterable[Event]:
    """One audit entry to one activity, no event for entries of other logs. Raises NotParsed without a time."""
    audit = audit_of(record)
    if audit is None:
        if is_entry(record):
            return NoEvent("no audit entry of a Google service")
        raise NotParsed("no protoPayload: not an audit log entry")
    event_at = event_time(record.get("timestamp"))
    return (_event(record, audit, event_at),)


def _event(record: dict[str, Any], payload: dict[str, Any], event_at: int) -> Event:
    caller = caller_of(mapping(payload.get("authenticationInfo")))
    resource = mapping(record.get("resource"))
    labels = mapping(resource.get("labels"))
    log = log_name(record)
    insert_id = text(record.get("insertId")) or text(record.get("insertid"))
    project = project_of(record)
    service = text(payload.get("serviceName")) or text(labels.get("service")) or "unknown"
    method = text(payload.get("methodName")) or "unknown"
    status = mapping(payload.get("status"))
    outcome = _outcome(status, payload.get("authorizationInfo"))
    call = Call(method, payload, record, project, insert_id, event_at, caller)
    issued = issued_by(call) if outcome == "success" else NOTHING_ISSUED
    request = mapping(payload.get("requestMetadata"))
    is_read_only = _is_read_only(payload.get("authorizationInfo"))
    class_uid, activity_id = ocsf_class(operation_of(method), is_read_only)
    resources, keys = _resources(payload, resource, labels), _keys(record, payload, caller, issued)
    revoked = revoked_by(call) if outcome == "success" else None
    grants = grants_of(method, payload, record) if outcome == "success" else []
    effects = effects_of(method, payload, caller.uid)
    if workspace := workspace_events(payload, caller.uid):
        class_uid, activity_id = workspace.ocsf
        resources, keys = list(dict.fromkeys(resources + workspace.resources)), keys + workspace.keys
        effects += workspace.effects
        if outcome == "success":
            issued = Issued(credential_uid=workspace.granted) if workspace.granted else issued
            revoked = workspace.revoked or revoked
            grants += workspace.grants
    key, permissions = key_of(caller.key_name), _permissions(payload)
    return Event(
        native_id=f"{log}/{insert_id}" if log and insert_id else insert_id,
        event_at=event_at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=caller.uid,
        actor_kind=caller.kind,
        on_behalf_of_uid=caller.origin,
        account_uid=project,
        action=f"{service}:{method}",
        resource_uids=resources,
        outcome=outcome,
        error_code=None if outcome == "success" else _code(status),
        src_ip=address_of(request.get("callerIp")) or address_of(request.get("callerIP")),
        user_agent=text(request.get("callerSuppliedUserAgent")),
        credential_uid=f"gcp:key:{key}" if key else None,
        issued_credential_uid=issued.credential_uid,
        issued_expires_at=issued.expires_at,
        revoked_credential_uid=revoked,
        keys=keys,
        detail=present(
            role_arn=caller.uid if caller.via else None,
            grants=grants or None,
            effects=effects or None,
            region=region_of(labels),
            second_factor=workspace.second_factor if workspace else None,
            issued_role_arn=issued.acts_as,
            issued_duration_seconds=issued.seconds,
            target_account=project_of_account(issued.acts_as),
            read_only=is_read_only,
            permission=permissions[0] if permissions else None,
            further_permissions=permissions[1:] or None,
            event_type=log.rpartition("%2F")[2] if log and "%2F" in log else None,
            stage_number=stage_of(record),
        ),
    )


def _outcome(status: dict[str, Any], checks: Any) -> str:
    """By the code of google.rpc.Status; without one, by the checks: who was granted none of them was not let in."""
    code = integer(status.get("code"))
    if code:
        return "denied" if code in _DENIED else "failure"
    granted = [mapping(entry).get("granted") for entry in sequence(checks)]
    return "denied" if granted and all(each is False for each in granted) else "success"


def _code(status: dict[str, Any]) -> str | None:
    """The reason where the status gives one, else the name of its code."""
    reasons = (text(mapping(entry).get("reason")) for entry in sequence(status.get("details")))
    code = integer(status.get("code"))
    return next((reason for reason in reasons if reason), None) or (_CODES.get(code, str(code)) if code else None)


def _is_read_only(permissions: Any) -> bool | None:
    kinds = [kind for entry in sequence(permissions) if (kind := text(mapping(entry).get("permissionType")))]
    return all(kind.endswith("_READ") for kind in kinds) if kinds else None


def _permissions(payload: dict[str, Any]) -> list[str]:
    """The permissions that were checked, first what was checked on the resource called upon, each once."""
    checked = [mapping(entry) for entry in sequence(payload.get("authorizationInfo"))[:_MOST_CHECKED]]
    named = payload.get("resourceName")
    checked.sort(key=lambda entry: named is None or entry.get("resource") != named)
    return list(dict.fromkeys(found for entry in checked if (found := text(entry.get("permission")))))


def _resources(payload: dict[str, Any], resource: dict[str, Any], labels: dict[str, Any]) -> list[str]:
    """The resource called upon, else those that permissions were checked on; a service account also by its address."""
    named = text(payload.get("resourceName"))
    checked = sequence(payload.get("authorizationInfo")) if named is None else ()
    found = [named] if named else [name for entry in checked if (name := text(mapping(entry).get("resource")))]
    if resource.get("type") == "service_account" and (address := text(labels.get("email_id"))):
        found.append(address)
    return list(dict.fromkeys(found))


def _keys(
    record: dict[str, Any], payload: dict[str, Any], caller: Caller, issued: Issued
) -> list[tuple[str, str, str]]:
    keys = []
    if issued.bearer:
        keys.append(("bearer", issued.bearer, "names"))
    is_exchange = payload.get("serviceName") == "sts.googleapis.com"
    if (bearer := caller.bearer) and not is_exchange:
        keys.append(("bearer", bearer, "uses"))
    if caller.uid and (subject := presented_subject(caller.uid) if is_exchange else federated_subject(caller.uid)):
        keys.append(("federated_subject", subject, "carries"))
    if is_exchange and (session := presented_session(caller.uid)):
        keys.append(("bearer", session, "uses"))
    if span := hex_id(record.get("spanId")):
        trace = hex_id(_trace_of(record))
        keys += [("span", f"{trace}/{span}", "uses")] if trace else []
    if operation := operation_of_entry(record, payload):
        keys.append(("shared_event", operation, "carries"))
    return keys


def _trace_of(record: dict[str, Any]) -> str | None:
    """The id in `projects/<project>/traces/<id>`."""
    trace = text(record.get("trace"))
    return trace.rpartition("/traces/")[2] if trace else None


@lru_cache(maxsize=65536)
def ocsf_class(operation: str, is_read_only: bool | None) -> tuple[int, int]:
    """(class_uid, activity_id) of OCSF; API Activity with 1 create, 2 read, 3 update, 4 delete, 99 other in general."""
    if operation in _CLASSES:
        return _CLASSES[operation]
    if is_read_only:
        return API_ACTIVITY, 2
    verbs = ((activity, verb) for activity, group in _VERBS.items() for verb in group)
    return API_ACTIVITY, next((activity for activity, verb in verbs if operation.startswith(verb)), _OTHER)


SOURCE = Source(
    name="gcp_audit",
    log="gcp_audit",
    version=10,
    title="Google Cloud Audit Logs",
    reads="log entries as lines, arrays, `entries` of the Logging API, or messages of a Pub/Sub subscription",
    recognised_by="a protoPayload of the type google.cloud.audit.AuditLog beside a log entry's own members",
    grade="verified",
    documentation="https://cloud.google.com/logging/docs/audit/understanding-audit-logs",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="gcp",
    place=place_of,
    delivered_in=(
        "google log:*/logs/cloudaudit.googleapis.com%2f*",
        "google log:*/logs/cloudaudit.googleapis.com/*",
        "elastic:gcp.audit",
        "splunk:google:gcp:pubsub:audit*",
        "wazuh:wazuh-gcloud",
    ),
    join_keys=("span", "bearer", "federated_subject", "shared_event"),
    recognise=recognise,
    records=partial(json_records, arrays=ARRAYS, decode=decode_entry),
    events=events,
    claim=claim,
    objects=(
        "protoPayload",
        "protoPayload.authenticationInfo",
        "protoPayload.authorizationInfo",
        "protoPayload.requestMetadata",
        "protoPayload.status",
        "protoPayload.request",
        "protoPayload.response",
        "protoPayload.metadata",
        "resource",
        "resource.labels",
        "operation",
    ),
    never_text=frozenset({"protoPayload", "protoPayload.authenticationInfo", "protoPayload.status"}),
)
