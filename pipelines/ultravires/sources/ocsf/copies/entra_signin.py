"""An OCSF copy of a Microsoft Entra sign-in back to Graph's object, so that the native reader reads both.

Mappings, read 2026-11-25: `sign_in.tql` of https://github.com/tenzir/library (`microsoft`), and the four of sign-ins of
https://github.com/aws-samples/sample-aws-security-lake-integrations. The latter cut the time to milliseconds, which is
the sign-in's own only where that was a full second, as Graph writes it; the others stay OCSF's. So do those of
`azure-signin` in https://github.com/ocsf/examples, which keeps no id.
"""

from typing import Any

from ultravires.reading.events import present
from ultravires.reading.values import integer, mapping, text
from ultravires.sources.ocsf.copies.entra_audit import is_entra
from ultravires.sources.ocsf.fields import at, has_succeeded, original_id, own_time, restore
from ultravires.sources.ocsf.products import Copy, Product

_APPLICATIONS = ("service principal", "serviceprincipal", "managed identity")
_INTERACTIVE = {"interactiveuser": True, "noninteractiveuser": False}


def is_entra_signin(product: Product) -> bool:
    """Whether it was a sign-in to Microsoft's directory."""
    return is_entra(product) and "sign" in f"{product.log} {product.feature}"


def entra_signin_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """The signIn that an OCSF record tells of; None without its id, own time, or the code of its result."""
    uid, time = original_id(record), own_time(record)
    code = integer(record.get("status_code"))
    if code is None and has_succeeded(record):
        code = 0
    if uid is None or time is None or code is None:
        return None
    actor = mapping(record.get("actor"))
    service, resource = mapping(record.get("service")), mapping(record.get("dst_endpoint"))
    native = present(
        id=uid,
        createdDateTime=time,
        appId=text(service.get("uid")) or text(actor.get("app_uid")),
        appDisplayName=text(service.get("name")) or text(actor.get("app_name")),
        correlationId=text(at(record, "metadata", "correlation_uid")),
        homeTenantId=text(at(record, "cloud", "tenant_uid")) or text(at(record, "metadata", "tenant_uid")),
        ipAddress=text(at(record, "src_endpoint", "ip")),
        isInteractive=_INTERACTIVE.get((text(record.get("logon_type")) or "").lower()),
        resourceDisplayName=text(resource.get("svc_name")),
        resourceId=text(resource.get("uid")),
        status={"errorCode": code},
        uniqueTokenIdentifier=text(at(actor, "session", "issuer")),
    )
    restore(native, record.get("unmapped"))
    return native | _who(mapping(actor.get("user")))


def _who(user: dict[str, Any]) -> dict[str, Any]:
    uid, name = text(user.get("uid")), text(user.get("full_name")) or text(user.get("name"))
    if (text(user.get("type")) or "").lower() in _APPLICATIONS:
        return present(servicePrincipalId=uid, servicePrincipalName=name)
    return present(userId=uid, userDisplayName=name, userPrincipalName=text(user.get("email_addr")))


COPY = Copy("entra_signin", is_entra_signin, entra_signin_record)
