"""HashiCorp Vault audit devices: a line for each request and one for its response.

Entries: https://developer.hashicorp.com/vault/docs/audit/schema
Both stages are events. They name one request, so that they count as one activity.
"""

from functools import partial
from typing import Any

import msgspec

from ultravires.reading.addresses import address_of
from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.object_fields import opened, with_opened
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.splitting import decode_object
from ultravires.reading.values import LAST_MICROS, integer, mapping, text, texts, trace_context
from ultravires.sources.ocsf.classes import AUTHENTICATION
from ultravires.sources.vault.access_changes import grants_of
from ultravires.sources.vault.effects import effects_of, second_factor_of
from ultravires.sources.vault.paths import operation_of
from ultravires.sources.vault.tokens import NOTHING, Issue, issue_of, kind_of, token_of, workload_of, wrapping_around

_LOG = "vault_audit"
_STAGES = {"request": 1, "response": 2}
_MARKS = (b'"mount_type', b'"mount_point', b'"client_token', b"hmac-sha256:")
"""Also where the request is written as text, with a backslash before its quotes."""
_DENIED = "permission denied"
_ERRORS = (_DENIED, "invalid request", "unsupported path", "unsupported operation", "no handler", "internal error")
_HASHED = "hmac-sha256:"
_WRAPS = "vault:sys/wrapping.wrap"
_SERVICE_TICKET = 3


def recognise(head: Head) -> bool:
    """Objects with time, type and request, where the request has an operation and Vault's own members."""
    is_like = head.holds("time", "type", "request") and bool(values_at(head, "type") & _STAGES.keys())
    return is_like and b'"operation' in head.data and sum(mark in head.data for mark in _MARKS) > 1


def decode(data: bytes) -> Any:
    """A line to its entry, with the lease id beside the member `secret`, which redaction hides as a whole."""
    value = with_opened(decode_object(data), "response")
    response = mapping(value.get("response"))
    if lease := text(opened(response.get("secret")).get("lease_id")):
        response["lease_id"] = lease
    return value


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One entry to one activity: a request that was not yet answered, or a response. A token that was issued inside of
    a wrapping is two: itself, and the token that unwraps it. Raises NotParsed without a time, a stage, or the request's
    id and path.
    """
    event_at = event_time(record.get("time"))
    stage, request = text(record.get("type")), mapping(record.get("request"))
    request_id, path = text(request.get("id")), text(request.get("path"))
    if stage not in _STAGES or request_id is None or path is None:
        raise NotParsed("no type, request id or path: not a Vault audit entry")
    auth, response = mapping(record.get("auth")), mapping(record.get("response"))
    mount_type = text(request.get("mount_type"))
    operation = operation_of(path, text(request.get("operation")) or "unknown", mount_type)
    outcome, error = _outcome(record, stage, auth, response)
    # what stands in `auth` of a sign-in is the token that it issued
    used = None if operation.login_mount else token_of(auth, request)
    is_done = stage == "response" and outcome == "success"
    issue = issue_of(operation, request, response, used, event_at) if is_done else NOTHING
    namespace = text(mapping(request.get("namespace")).get("path")) or ""
    keys = [("request", request_id, "names")]
    if issue.subject:
        keys.append(("federated_subject", issue.subject, "carries"))
    if caller := trace_context(_header(request, "traceparent")):
        keys.append(("span", "/".join(caller), "uses"))
    event = Event(
        native_id=f"{request_id}/{stage}",
        event_at=event_at,
        kind="activity",
        class_uid=operation.class_uid,
        activity_id=operation.activity_id,
        actor_uid=text(auth.get("entity_id")) or text(auth.get("display_name")),
        actor_kind=kind_of(auth, mount_type if operation.login_mount else None),
        actor_name=text(auth.get("display_name")),
        account_uid=namespace.strip("/") or None,
        workload_uid=workload_of(auth),
        action=operation.action,
        resource_uids=[namespace + operation.resource],
        outcome=outcome,
        error_code=error,
        src_ip=address_of(request.get("remote_address")),
        user_agent=_header(request, "user-agent"),
        credential_uid=used,
        issued_credential_uid=issue.issued,
        issued_expires_at=_expiry(issue),
        revoked_credential_uid=issue.revoked,
        keys=keys,
        detail=present(
            request=request_id,
            stage=stage,
            stage_number=_STAGES[stage],
            grants=grants_of(request, response, namespace) if is_done else None,
            effects=effects_of(request, response),
            second_factor=second_factor_of(path, response, outcome if stage == "response" else "unknown"),
            credential_kind="session" if used and integer(auth.get("token_ttl")) else None,
            issued_kind="session" if issue.issued and operation.is_read_only else None,
            read_only=True if operation.is_read_only and issue.issued is None else None,
        ),
    )
    around = wrapping_around(response, event_at) if is_done else NOTHING
    return (event, _wrapping_of(event, around, request_id)) if around.issued else (event,)


def _wrapping_of(event: Event, around: Issue, request_id: str) -> Event:
    """The token around another one: whoever shows it unwraps what is inside, so its use says who did."""
    return msgspec.structs.replace(
        event,
        kind="credential",
        native_id=f"{event.native_id}/wrapping",
        class_uid=AUTHENTICATION,
        activity_id=_SERVICE_TICKET,
        action=_WRAPS,
        issued_credential_uid=around.issued,
        issued_expires_at=_expiry(around),
        revoked_credential_uid=None,
        keys=[("request", request_id, "names")],
        detail={**event.detail, "request": f"{request_id}/wrapping", "issued_kind": "session"},
    )


def _expiry(issue: Issue) -> int | None:
    return issue.expires_at if issue.expires_at and issue.expires_at <= LAST_MICROS else None


def _outcome(
    record: dict[str, Any], stage: str, auth: dict[str, Any], response: dict[str, Any]
) -> tuple[str, str | None]:
    """(outcome, error). A request without an error is not answered yet; a response may hold nothing but its error.

    Of an error only Vault's own phrases are kept: others repeat what the caller sent, and that may be a secret.
    """
    error = text(record.get("error"))
    is_refused = mapping(auth.get("policy_results")).get("allowed") is False
    if is_refused or (error and _DENIED in error):
        return "denied", _DENIED
    if error:
        return "failure", next((phrase for phrase in _ERRORS if phrase in error), None)
    if stage == "request":
        return "unknown", None
    return ("failure", None) if mapping(response.get("data")).keys() == {"error"} else ("success", None)


def _header(request: dict[str, Any], wanted: str) -> str | None:
    """Where the audit device was told to write this header, and to write it plain."""
    headers = mapping(request.get("headers"))
    found = next((next(iter(texts(value)), None) for name, value in headers.items() if name.lower() == wanted), None)
    return None if found is None or found.startswith(_HASHED) else found


SOURCE = Source(
    name="vault_audit",
    log=_LOG,
    version=5,
    title="HashiCorp Vault audit devices",
    reads="the JSON lines of a file, socket or syslog audit device; requests and responses",
    recognised_by="time, type and request, with an operation and two of Vault's own marks",
    grade="documentation",
    documentation="https://developer.hashicorp.com/vault/docs/audit/schema",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="vault",
    join_keys=("request", "span", "federated_subject"),
    recognise=recognise,
    records=partial(json_records, decode=decode),
    events=events,
    objects=(
        "request",
        "request.data",
        "request.headers",
        "request.namespace",
        "auth",
        "auth.metadata",
        "auth.policies",
        "auth.token_policies",
        "auth.policy_results",
        "response",
        "response.auth",
        "response.secret",
        "response.data",
        "response.wrap_info",
    ),
    never_text=frozenset({"request", "auth", "response", "response.auth"}),
)
