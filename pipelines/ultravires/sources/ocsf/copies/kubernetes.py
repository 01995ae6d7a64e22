"""An OCSF copy of a Kubernetes audit event back to the event, so that the native reader reads both.

The mapping is the one of Amazon Security Lake for EKS:
https://github.com/ocsf/examples/tree/main/mappings/markdown/AWS
"""

from typing import Any

from ultravires.reading.events import present
from ultravires.reading.values import integer, mapping, sequence, text, texts
from ultravires.sources.kubernetes.paths import object_of_path
from ultravires.sources.ocsf.fields import arn_in, at, decoded, restore, time_text
from ultravires.sources.ocsf.products import Copy, Product

_AUDIT = "audit.k8s.io/"
_PRODUCTS = frozenset({"amazon eks", "eks", "kubernetes"})
_DECISIONS = {1: "allow", 2: "forbid"}
_DOTTED_NAMES = ("user.extra.", "annotations.", "impersonatedUser.extra.")


def is_kubernetes_audit(product: Product) -> bool:
    """Whether the record says that it was an event of a Kubernetes API server's audit log."""
    return product.version.startswith(_AUDIT) or product.name in _PRODUCTS


def kubernetes_record(record: dict[str, Any]) -> dict[str, Any]:
    """The audit event that an OCSF record tells of, as far as the mapping kept it."""
    api, metadata = mapping(record.get("api")), mapping(record.get("metadata"))
    url = mapping(at(record, "http_request", "url"))
    path, query = text(url.get("path")), text(url.get("query_string"))
    native = present(
        kind="Event",
        apiVersion=text(at(metadata, "product", "version")) or f"{_AUDIT}v1",
        level=text(metadata.get("log_level")),
        auditID=text(at(api, "request", "uid")) or text(metadata.get("uid")),
        stage=text(record.get("message")),
        requestURI=f"{path}?{query}" if path and query else path,
        verb=text(api.get("operation")),
        user=_user(record) or None,
        sourceIPs=_addresses(mapping(record.get("src_endpoint"))) or None,
        userAgent=text(at(record, "http_request", "user_agent")),
        objectRef=_object(record, api, path) or None,
        responseStatus=_status(mapping(api.get("response"))) or None,
        requestObject=_whole(at(api, "request", "data")),
        responseObject=_whole(at(api, "response", "data")),
        requestReceivedTimestamp=time_text(record, "start_time"),
        stageTimestamp=time_text(record),
        annotations=_annotations(record) or None,
    )
    restore(native, record.get("unmapped"), whole=_DOTTED_NAMES)
    return native


def _whole(value: Any) -> dict[str, Any] | None:
    found = decoded(value)
    return found if type(found) is dict and found else None


def _user(record: dict[str, Any]) -> dict[str, Any]:
    actor = mapping(record.get("actor"))
    user, session = mapping(actor.get("user")), mapping(actor.get("session"))
    groups = [name for group in sequence(user.get("groups")) if (name := text(at(group, "name")))]
    extra = {
        "accessKeyId": text(session.get("credential_uid")) or text(user.get("credential_uid")),
        "canonicalArn": text(session.get("issuer")),
        "sessionName": text(session.get("uid")),
        "principalId": text(user.get("uid_alt")),
        "arn": arn_in(at(record, "cloud", "account", "uid")),
    }
    return present(
        username=text(user.get("name")),
        uid=text(user.get("uid")),
        groups=groups or None,
        extra={name: [value] for name, value in extra.items() if value} or None,
    )


def _addresses(origin: dict[str, Any]) -> list[str]:
    found = [address for address in (text(origin.get("ip")),) if address]
    return found + [address for address in texts(origin.get("intermediate_ips")) if address not in found]


def _status(response: dict[str, Any]) -> dict[str, Any]:
    return present(
        code=integer(response.get("code")),
        reason=text(response.get("error")),
        message=text(response.get("message")),
        status=text(response.get("error_message")),
    )


def _annotations(record: dict[str, Any]) -> dict[str, Any]:
    reason, action = text(at(record, "policy", "name")), record.get("action_id")
    found = {"authorization.k8s.io/reason": reason} if reason else {}
    if type(action) is int and action in _DECISIONS:
        found["authorization.k8s.io/decision"] = _DECISIONS[action]
    return found


def _object(record: dict[str, Any], api: dict[str, Any], path: str | None) -> dict[str, Any]:
    """`objectRef`: the mapping writes resource and subresource as one word, so the path says where they part."""
    listed = sequence(record.get("resources"))
    first = mapping(listed[0]) if listed else {}
    named = object_of_path(path) if path else {}
    kind = text(first.get("type"))
    plain = kind.partition("/") if kind and not named else ("", "", "")
    return present(
        resource=named.get("resource") or plain[0] or None,
        subresource=named.get("subresource") or plain[2] or None,
        namespace=text(first.get("namespace")) or named.get("namespace"),
        name=text(first.get("name")) or named.get("name"),
        uid=text(first.get("uid")),
        apiGroup=text(at(api, "group", "name")) or named.get("apiGroup"),
        apiVersion=text(api.get("version")) or named.get("apiVersion"),
        resourceVersion=text(first.get("version")),
    )


COPY = Copy("kubernetes_audit", is_kubernetes_audit, kubernetes_record)
