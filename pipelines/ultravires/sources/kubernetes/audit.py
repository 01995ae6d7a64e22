"""Kubernetes audit events, `audit.k8s.io/v1`, of any cluster: lines, lists, and as EKS, AKS and GKE deliver them.

Event: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
An action is `k8s:<resource>[/<subresource>]:<verb>`, in the words of RBAC: `k8s:pods/exec:create`; requests for no
resource are `k8s:nonresource:<verb>`. Each stage of a request is an event, at the time when the request arrived: all
stages of one request so stand in one hour, and staging keeps the last of them as the activity.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ultravires.reading.addresses import address_of
from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, present
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import checked_micros, integer, iso, mapping, micros, sequence, text
from ultravires.sources.azure.exports import family_of
from ultravires.sources.gcp.log_entries import begins_with_gke, holds_audit
from ultravires.sources.kubernetes.effects import effects_of
from ultravires.sources.kubernetes.rbac_changes import RESOURCES, grants_of
from ultravires.sources.kubernetes.subjects import (
    SERVICE_ACCOUNT,
    Caller,
    caller_of,
    credential_uid,
    service_account,
)
from ultravires.sources.kubernetes.wrappers import (
    EVENT_NEVER_TEXT,
    EVENT_OBJECTS,
    Unwrapped,
    audit_records,
    claim,
    place_of,
    unwrap,
)
from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHENTICATION, USER_ACCESS

_API = "audit.k8s.io/"
_TYPICAL = frozenset({"stage", "verb", "requestURI", "objectRef", "user", "level", "requestReceivedTimestamp"})
_ENOUGH = 3
_DECISION = "authorization.k8s.io/decision"
_ISSUED = ("authentication.kubernetes.io/issued-credential-id", "authentication.k8s.io/issued-credential-id")
_STAGES = {"RequestReceived": 1, "ResponseStarted": 2, "ResponseComplete": 3, "Panic": 4}
_DENIED = frozenset({401, 403})
_FAILED = 400
_SECOND = 1_000_000
_READS = frozenset({"get", "list", "watch", "head", "options"})
_ACTIVITIES = {
    "create": 1,
    "post": 1,
    "update": 3,
    "patch": 3,
    "put": 3,
    "delete": 4,
    "deletecollection": 4,
    **dict.fromkeys(_READS, 2),
}
_OTHER = 99
_BINDINGS = frozenset({"rolebindings", "clusterrolebindings"})
_ASSIGN, _REVOKE = 1, 2


def recognise(head: Head) -> bool:
    """Audit events by their API version and members; EKS, AKS and GKE wrappers by what they say they deliver first."""
    keys = head.first_keys("records")
    if any({"logGroup", "logEvents"} <= names for names in keys):
        return _API.encode() in head.data
    if any({"category", "properties"} <= names for names in keys):
        return family_of(head) == "kubernetes" and _API.encode() in head.data
    if holds_audit(head):
        return begins_with_gke(head)
    if not any(version.startswith(_API) for version in values_at(head, "apiVersion")):
        return False
    is_list = head.holds("apiVersion", "items") and "EventList" in values_at(head, "kind")
    return is_list or any("apiVersion" in names and len(names & _TYPICAL) >= _ENOUGH for names in keys)


def events(record: dict[str, Any], options: Options) -> Iterable[Event]:
    """One stage of a request to one activity; no event for other logs of a cluster. Raises NotParsed without a time."""
    unwrapped = unwrap(record)
    if unwrapped is None:
        return NoEvent("another log of the cluster")
    event = unwrapped.event
    if event.get("kind") != "Event" or not any(name in event for name in ("verb", "requestURI", "auditID", "stage")):
        raise NotParsed("not an audit event of Kubernetes")
    event_at = event_time(event.get("requestReceivedTimestamp"), event.get("stageTimestamp"))
    return (_event(unwrapped, event_at),)


def _event(unwrapped: Unwrapped, event_at: int) -> Event:
    event, account, cluster = unwrapped.event, unwrapped.account, unwrapped.cluster
    caller = unwrapped.caller or caller_of(event)
    request, stage = text(event.get("auditID")), text(event.get("stage"))
    status, target = mapping(event.get("responseStatus")), mapping(event.get("objectRef"))
    annotations = mapping(event.get("annotations"))
    verb, resource = text(event.get("verb")), _resource(target)
    outcome = _outcome(status, annotations, stage)
    subject = _token_subject(verb, resource, target) if outcome == "success" and _has_answer(stage) else None
    seconds, expires_at = _lifetime(event) if subject else (None, None)
    sources = sequence(event.get("sourceIPs"))
    class_uid, activity_id = ocsf_class(verb, resource)
    is_change = resource in RESOURCES and outcome == "success"
    return Event(
        native_id=f"{request}/{stage}" if request and stage else request,
        event_at=event_at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=caller.uid,
        actor_kind=caller.kind,
        on_behalf_of_uid=caller.behind,
        account_uid=account,
        workload_uid=caller.workload,
        action=f"k8s:{resource or 'nonresource'}:{verb or 'unknown'}",
        resource_uids=_resource_uids(event, target),
        outcome=outcome,
        error_code=None if outcome == "success" else _code(status),
        # a caller can state any address but the last, which is where the connection came from
        src_ip=address_of(sources[-1]) if sources else None,
        user_agent=text(event.get("userAgent")),
        credential_uid=caller.credential_uid,
        issued_credential_uid=_issued(annotations, request) if subject else None,
        issued_expires_at=expires_at or (checked_micros(event_at + seconds * _SECOND) if seconds else None),
        keys=_keys(unwrapped, caller, request, subject),
        detail=present(
            # a caller may choose the id, but not the moment at which its request arrives too
            request=f"{request}@{event_at}" if request else None,
            stage=stage,
            stage_number=_STAGES.get(stage) if stage else None,
            stage_at=_iso(micros(event.get("stageTimestamp"))),
            role_arn=caller.role_arn,
            session_name=caller.session_name,
            grants=grants_of(event, verb, account, cluster) if is_change else None,
            effects=effects_of(event, verb, resource, caller.uid, outcome) or None,
            # what is bound to a token ends within hours; a certificate may last for years
            credential_kind="session" if _is_token(caller.credential_uid) else None,
            credential_holder=caller.behind if caller.credential_uid else None,
            issued_role_arn=subject,
            issued_duration_seconds=seconds,
            cluster=cluster,
            read_only=verb in _READS if verb else None,
            further_permissions=_impersonating(event, caller, verb),
            event_type=text(event.get("level")),
        ),
    )


def _impersonating(event: dict[str, Any], caller: Caller, verb: str | None) -> list[str] | None:
    """What acting as somebody else takes; who only looks around so gains no power."""
    if not caller.behind or verb in _READS or not mapping(event.get("impersonatedUser")):
        return None
    is_service_account = caller.uid is not None and caller.uid.startswith(SERVICE_ACCOUNT)
    return ["impersonate serviceaccounts" if is_service_account else "impersonate users"]


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def _resource(target: dict[str, Any]) -> str | None:
    name, part = text(target.get("resource")), text(target.get("subresource"))
    return f"{name}/{part}" if name and part else name


def _resource_uids(event: dict[str, Any], target: dict[str, Any]) -> list[str]:
    """`[<group>/][namespaces/<namespace>/]<resource>[/<name>[/<subresource>]]`; the path of other requests.

    The query of a path stays out: a caller may have written a secret into it.
    """
    resource = text(target.get("resource"))
    if resource is None:
        path = (text(event.get("requestURI")) or "").partition("?")[0]
        return [path] if path else []
    group, namespace = text(target.get("apiGroup")), text(target.get("namespace"))
    name, part = text(target.get("name")), text(target.get("subresource"))
    parts = [group, f"namespaces/{namespace}" if namespace else None, resource, name, part]
    return ["/".join(piece for piece in parts if piece)]


def _has_answer(stage: str | None) -> bool:
    return stage != "RequestReceived"


def _outcome(status: dict[str, Any], annotations: dict[str, Any], stage: str | None) -> str:
    """By the answer's code; where there is none yet, only a refusal or a panic is certain."""
    code = integer(status.get("code"))
    if code:
        return "denied" if code in _DENIED else "failure" if code >= _FAILED else "success"
    if annotations.get(_DECISION) == "forbid":
        return "denied"
    return "failure" if stage == "Panic" or status.get("status") == "Failure" else "unknown"


def _code(status: dict[str, Any]) -> str | None:
    """The reason in words (`Forbidden`), else the number."""
    code = integer(status.get("code"))
    return text(status.get("reason")) or (str(code) if code else None)


def _token_subject(verb: str | None, resource: str | None, target: dict[str, Any]) -> str | None:
    """The service account for which a TokenRequest asked a token."""
    if verb != "create" or resource != "serviceaccounts/token":
        return None
    namespace, name = text(target.get("namespace")), text(target.get("name"))
    return service_account(namespace, name) if namespace and name else None


def _issued(annotations: dict[str, Any], request: str | None) -> str | None:
    """The token's own id, which later requests show; before Kubernetes 1.30 the request is all that names it."""
    own = next((found for name in _ISSUED if (found := credential_uid(annotations.get(name)))), None)
    return own or (f"k8s:token:{request}" if request else None)


def _is_token(credential: str | None) -> bool:
    return credential is not None and credential.startswith("k8s:JTI=")


def _lifetime(event: dict[str, Any]) -> tuple[int | None, int | None]:
    """(seconds asked for, end) of a TokenRequest; events at the level Metadata say neither."""
    answer, asked = mapping(event.get("responseObject")), mapping(event.get("requestObject"))
    seconds = integer(mapping(answer.get("spec")).get("expirationSeconds"))
    seconds = seconds or integer(mapping(asked.get("spec")).get("expirationSeconds"))
    is_sensible = seconds is not None and 0 < seconds < 1 << 32
    return (seconds if is_sensible else None), micros(mapping(answer.get("status")).get("expirationTimestamp"))


def _keys(unwrapped: Unwrapped, caller: Caller, request: str | None, subject: str | None) -> list[tuple[str, str, str]]:
    keys = []
    if request:
        keys.append(("request", request, "names"))
        if unwrapped.account:
            keys.append(("request", f"{unwrapped.account}/{request}", "names"))
    if subject:
        keys.append(("bearer", subject, "names"))
    if caller.bearer:
        keys.append(("bearer", caller.bearer, "uses"))
    if caller.role_arn and caller.session_name:
        keys.append(("session_name", f"{caller.role_arn}/{caller.session_name}", "carries"))
    if caller.federated_subject:
        keys.append(("federated_subject", caller.federated_subject, "carries"))
    if unwrapped.operation:
        keys.append(("shared_event", unwrapped.operation, "carries"))
    return keys


@lru_cache(maxsize=65536)
def ocsf_class(verb: str | None, resource: str | None) -> tuple[int, int]:
    """(class_uid, activity_id) of OCSF; API Activity with 1 create, 2 read, 3 update, 4 delete, 99 other in general."""
    if verb == "create" and resource == "serviceaccounts/token":
        return AUTHENTICATION, 1
    activity = _ACTIVITIES.get(verb or "", _OTHER)
    if resource in _BINDINGS and activity in (1, 3, 4):
        return USER_ACCESS, _REVOKE if activity == 4 else _ASSIGN
    return API_ACTIVITY, activity


SOURCE = Source(
    name="kubernetes_audit",
    log="kubernetes_audit",
    version=8,
    title="Kubernetes audit",
    reads="audit events as lines, arrays and lists; CloudWatch Logs subscriptions of EKS; `kube-audit` records of AKS; "
    "Cloud Logging entries of GKE",
    recognised_by="the API version audit.k8s.io and an event's own members, also inside an EKS or AKS wrapper; a log "
    "entry whose service is k8s.io",
    grade="verified",
    documentation="https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="kubernetes",
    place=place_of,
    delivered_in=(
        "cloudwatch:/aws/eks/*/cluster",
        "azure:kube-audit",
        "azure:kube-audit-admin",
        "elastic:kubernetes.audit_logs",
        "google log:*/logs/cloudaudit.googleapis.com%2f*",
        "google log:*/logs/cloudaudit.googleapis.com/*",
    ),
    join_keys=("request", "bearer", "session_name", "federated_subject", "shared_event"),
    recognise=recognise,
    records=audit_records,
    events=events,
    claim=claim,
    objects=(
        *EVENT_OBJECTS,
        "protoPayload",
        "protoPayload.authenticationInfo",
        "protoPayload.authorizationInfo",
        "protoPayload.requestMetadata",
        "protoPayload.status",
        "protoPayload.request",
        "protoPayload.response",
        "resource",
        "resource.labels",
        "operation",
        "labels",
        "properties",
    ),
    never_text=EVENT_NEVER_TEXT | {"protoPayload", "protoPayload.authenticationInfo", "protoPayload.status"},
)
