"""An OCSF copy of a Google Cloud audit entry back to the entry, so that the native reader reads both.

Mapping, read 2026-11-25: `gcp_api_activity_ocsf.yaml` of
https://github.com/aws-samples/sample-aws-security-lake-integrations (Security Lake). The name of the log is part of an
entry's id; mappings that drop it leave their events OCSF's. So do those of GKE clusters: the answer to a request stands
in labels, which the mapping drops.
"""

from typing import Any

from ultravires.reading.events import present
from ultravires.reading.values import integer, mapping, sequence, text
from ultravires.sources.ocsf.fields import at, first_resource, has_succeeded, original_id, own_time, restore
from ultravires.sources.ocsf.products import Copy, Product

_TYPE = "type.googleapis.com/google.cloud.audit.AuditLog"
_LOG = "cloudaudit.googleapis.com"
_CLUSTERS = "k8s.io"
_LAST_CODE = 16
_NO_ADDRESS = "0.0.0.0"  # noqa: S104 - what the mapping writes where there is none


def is_gcp_audit(product: Product) -> bool:
    """Whether the record says that Google Cloud reported it."""
    return product.vendor.startswith(("google", "gcp")) or product.name.startswith(("google cloud", "gcp"))


def gcp_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """The entry that an OCSF record tells of; None without its log, id, own time, method or the code of its status."""
    log, insert_id, timestamp = _log(record), original_id(record), own_time(record)
    method, status = text(at(record, "api", "operation")), _status(record)
    service = text(at(record, "api", "service", "name"))
    if log is None or insert_id is None or timestamp is None or method is None or status is None:
        return None
    if service == _CLUSTERS:
        return None
    resource = first_resource(record)
    project = text(at(record, "cloud", "account", "uid")) or text(at(record, "cloud", "project_uid"))
    native = present(
        logName=log,
        insertId=insert_id,
        timestamp=timestamp,
        resource=present(type=text(resource.get("type")), labels={"project_id": project} if project else None),
        protoPayload={
            "@type": _TYPE,
            "authenticationInfo": _caller(mapping(at(record, "actor", "user"))),
            "authorizationInfo": _permissions(record),
            "requestMetadata": _request(record),
            "status": status,
        }
        | present(
            methodName=method,
            resourceName=text(resource.get("uid")) or text(resource.get("name")),
            serviceName=service,
        ),
    )
    restore(native, record.get("unmapped"))
    return native


def _log(record: dict[str, Any]) -> str | None:
    unmapped = mapping(record.get("unmapped"))
    places = (at(record, "metadata", "log_name"), unmapped.get("logName"), unmapped.get("log_name"))
    return next((name for name in places if type(name) is str and _LOG in name), None)


def _status(record: dict[str, Any]) -> dict[str, Any] | None:
    """`google.rpc.Status`: empty where the call succeeded; None where only its code would tell what a failure was."""
    code = integer(record.get("status_code"))
    code = integer(at(record, "api", "response", "code")) if code is None else code
    if code is not None and 0 < code <= _LAST_CODE:
        return present(code=code, message=text(record.get("status_detail")))
    return {} if code == 0 or has_succeeded(record) else None


def _caller(user: dict[str, Any]) -> dict[str, Any]:
    """The mapping writes the address into `name` too, and makes `uid` of it; a subject has a colon."""
    name, uid = text(user.get("name")), text(user.get("uid"))
    return present(
        principalEmail=text(user.get("email_addr")) or (name if name and "@" in name else None),
        principalSubject=uid if uid and ":" in uid else None,
        serviceAccountKeyName=text(user.get("credential_uid")),
    )


def _permissions(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"permission": permission, "granted": at(entry, "decision") == "Allow"}
        for entry in sequence(at(record, "actor", "authorizations"))
        if (permission := text(at(entry, "policy", "name")))
    ]


def _request(record: dict[str, Any]) -> dict[str, Any]:
    source = mapping(record.get("src_endpoint"))
    address = text(source.get("ip"))
    return present(
        callerIp=None if address == _NO_ADDRESS else address,
        callerSuppliedUserAgent=text(at(record, "http_request", "user_agent")) or text(source.get("user_agent")),
    )


COPY = Copy("gcp_audit", is_gcp_audit, gcp_record)
