"""An OCSF copy of a Microsoft Entra directory audit back to Graph's object, so that the native reader reads both.

Mapping, read 2026-11-25: `directory_audit.tql` of https://github.com/tenzir/library (`microsoft`). The one for Security
Lake (`azure_audit_logs_ocsf.yaml` of https://github.com/aws-samples/sample-aws-security-lake-integrations) keeps the
correlation id, which many audits share, instead of the audit's own: its events stay OCSF's.
"""

from typing import Any

from ultravires.reading.events import present
from ultravires.reading.values import mapping, text
from ultravires.sources.ocsf.fields import at, has_succeeded, original_id, own_time, restore
from ultravires.sources.ocsf.products import Copy, Product

_RESULTS: dict[bool | None, str] = {True: "success", False: "failure"}
_NAMES = ("entra", "active directory", "azure ad")


def is_entra(product: Product) -> bool:
    """Whether the record says that Microsoft's directory reported it, under its new name or its old one."""
    return any(name in product.name for name in _NAMES)


def is_entra_audit(product: Product) -> bool:
    """Whether it was an audit, and no sign-in."""
    named = f"{product.log} {product.feature}"
    return is_entra(product) and "audit" in named and "sign" not in named


def entra_audit_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """The directoryAudit that an OCSF record tells of; None without its id, own time, name or result."""
    uid, time = original_id(record), own_time(record)
    name = text(at(record, "api", "operation")) or text(record.get("message"))
    result = text(at(record, "unmapped", "result")) or _RESULTS.get(has_succeeded(record))
    if uid is None or time is None or name is None or result is None:
        return None
    metadata = mapping(record.get("metadata"))
    native = present(
        id=uid,
        activityDateTime=time,
        activityDisplayName=name,
        loggedByService=text(metadata.get("source")) or text(at(record, "api", "service", "name")),
        result=result,
        resultReason=text(record.get("status_detail")),
        correlationId=text(metadata.get("correlation_uid")),
        initiatedBy=_initiator(record),
    )
    restore(native, record.get("unmapped"))
    return native


def _initiator(record: dict[str, Any]) -> dict[str, Any]:
    actor = mapping(record.get("actor"))
    user = mapping(actor.get("user"))
    if app := present(displayName=text(actor.get("app_name")), appId=text(actor.get("app_uid"))):
        return {"app": app | present(servicePrincipalId=text(user.get("uid")))}
    return {
        "user": present(
            id=text(user.get("uid")),
            displayName=text(user.get("full_name")) or text(user.get("name")),
            userPrincipalName=text(user.get("email_addr")),
            ipAddress=text(at(record, "src_endpoint", "ip")),
        )
    }


COPY = Copy("entra_audit", is_entra_audit, entra_audit_record)
