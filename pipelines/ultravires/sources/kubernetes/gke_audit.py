"""An entry of Cloud Logging that a GKE cluster's API server made, back to the Kubernetes audit event that it tells of.

https://cloud.google.com/kubernetes-engine/docs/how-to/audit-logging. Google keeps of an event: its id (`operation.id`),
the verb and the object (`methodName`, `resourceName`), who asked and from where, the annotations (`labels`), the code
of the answer as one of google.rpc, and at higher levels the objects. It keeps no groups, level, or second time.
"""

import re
from functools import lru_cache
from typing import Any

from ultravires.reading.events import present
from ultravires.reading.values import integer, mapping, sequence, text
from ultravires.sources.kubernetes.paths import object_of_path

_VERSION = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")
_DECISION = "authorization.k8s.io/decision"
_ANSWERS: dict[int, tuple[int, str | None]] = {
    1: (499, None),
    2: (500, None),
    3: (400, None),
    4: (504, None),
    5: (404, "NotFound"),
    6: (409, "AlreadyExists"),
    7: (403, "Forbidden"),
    8: (429, "TooManyRequests"),
    9: (400, None),
    10: (409, None),
    11: (400, None),
    12: (501, None),
    13: (500, None),
    14: (503, None),
    15: (500, None),
    16: (401, "Unauthorized"),
}
"""Code of google.rpc -> HTTP status, as google/rpc/code.proto maps them, and Kubernetes' reason where it has one."""
_OK, _FAILED, _ERROR = 200, 400, 500


def audit_event(entry: dict[str, Any], audit: dict[str, Any]) -> dict[str, Any]:
    """The audit event of `entry`, whose AuditLog is `audit`, as far as Google kept it; its user by the name that Google
    Cloud's own logs give the principal.
    """
    request, operation = mapping(audit.get("requestMetadata")), mapping(entry.get("operation"))
    path = path_of(_resource_name(audit))
    address = text(request.get("callerIp")) or text(request.get("callerIP"))
    verb = method_parts(text(audit.get("methodName")))[2]
    return present(
        kind="Event",
        apiVersion="audit.k8s.io/v1",
        auditID=text(operation.get("id")) or text(entry.get("insertId")) or text(entry.get("insertid")),
        stage=_stage(operation),
        requestURI=path,
        verb=verb,
        sourceIPs=[address] if address else None,
        userAgent=text(request.get("callerSuppliedUserAgent")),
        objectRef=object_of(audit),
        responseStatus=_status(entry, audit),
        requestObject=audit.get("request"),
        responseObject=audit.get("response"),
        requestReceivedTimestamp=entry.get("timestamp"),
        annotations=_annotations(entry, audit),
    )


def object_of(audit: dict[str, Any]) -> dict[str, Any] | None:
    """`objectRef`: by the path, else by the method, which names no object but its kind; None for no resource."""
    found: dict[str, Any] = object_of_path(path_of(_resource_name(audit)) or "")
    if not found:
        resource, subresource, _ = method_parts(text(audit.get("methodName")))
        found = present(resource=resource, subresource=subresource)
    if found.get("resource") == "namespaces" and "name" in found:
        return {**found, "namespace": found["name"]}  # as the API server writes it
    return found or None


@lru_cache(maxsize=8192)
def path_of(resource: str | None) -> str | None:
    """`<group>/<version>/...`, whose group `core` has no name in Kubernetes, to the path of the request; what begins
    otherwise is the path of a request for no resource.
    """
    if resource is None:
        return None
    group, _, rest = resource.strip("/").partition("/")
    if not _VERSION.fullmatch(rest.partition("/")[0]):
        return f"/{resource.strip('/')}"
    return f"/api/{rest}" if group == "core" else f"/apis/{group}/{rest}"


@lru_cache(maxsize=8192)
def method_parts(method: str | None) -> tuple[str | None, str | None, str | None]:
    """(resource, subresource, verb) of `<group backwards>.<version>.<resource>[.<subresource>].<verb>`, for no resource
    only the verb.
    """
    words = method.split(".") if method else []
    start = next((place for place, word in enumerate(words) if _VERSION.fullmatch(word)), len(words) - 1)
    named = words[start + 1 : -1]
    return (named[0] if named else None), ("/".join(named[1:]) or None), (words[-1] or None if words else None)


def _resource_name(audit: dict[str, Any]) -> str | None:
    checked = sequence(audit.get("authorizationInfo"))
    return text(audit.get("resourceName")) or (text(mapping(checked[0]).get("resource")) if checked else None)


def _stage(operation: dict[str, Any]) -> str | None:
    """A request that goes on, as a watch, is told of when its answer begins and when it ends."""
    if operation.get("last"):
        return "ResponseComplete"
    return "ResponseStarted" if operation.get("first") else None


def _status(entry: dict[str, Any], audit: dict[str, Any]) -> dict[str, Any] | None:
    """`responseStatus`: the API server's own where it refused, else what Google made of it; nothing said is success."""
    answer, code = mapping(audit.get("response")), integer(mapping(audit.get("status")).get("code"))
    if answer.get("kind") == "Status" and integer(answer.get("code")) is not None:
        return present(code=answer["code"], reason=text(answer.get("reason")))
    if code:
        status, reason = _ANSWERS.get(code, (code if code >= _FAILED else _ERROR, None))
        return present(code=status, reason=reason)
    return None if _annotations(entry, audit).get(_DECISION) == "forbid" else {"code": _OK}


def _annotations(entry: dict[str, Any], audit: dict[str, Any]) -> dict[str, Any]:
    """The event's annotations, which Google writes as labels; where forwarders dropped them, what IAM decided."""
    labels = mapping(entry.get("labels"))
    if _DECISION in labels:
        return labels
    is_refused = any(mapping(check).get("granted") is False for check in sequence(audit.get("authorizationInfo")))
    return {**labels, _DECISION: "forbid"} if is_refused else labels
