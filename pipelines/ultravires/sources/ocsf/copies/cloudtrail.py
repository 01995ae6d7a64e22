"""An OCSF copy of a CloudTrail event back to the event, so that the native reader reads both.

The mapping is the one of Amazon Security Lake, source versions 1 (OCSF 1.0.0-rc.2) and 2 (OCSF 1.1.0):
https://github.com/ocsf/examples/tree/main/mappings/markdown/AWS
"""

from typing import Any

from ultravires.reading.events import present
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.ocsf.fields import arn_in, at, decoded, restore, time_text
from ultravires.sources.ocsf.products import Copy, Product

_PRODUCTS = frozenset({"cloudtrail", "aws cloudtrail", "amazon cloudtrail"})
_IDENTITY_CENTER = "IdentityCenterUser"


def is_cloudtrail(product: Product) -> bool:
    """Whether the record says that CloudTrail made it."""
    return not _PRODUCTS.isdisjoint((product.name, product.log, product.provider))


def cloudtrail_record(record: dict[str, Any]) -> dict[str, Any]:
    """The CloudTrail event that an OCSF record tells of, as far as the mapping kept it."""
    api, metadata = mapping(record.get("api")), mapping(record.get("metadata"))
    response, origin = mapping(api.get("response")), mapping(record.get("src_endpoint"))
    cloud, request = mapping(record.get("cloud")), mapping(api.get("request"))
    native = present(
        eventVersion=text(mapping(metadata.get("product")).get("version")),
        eventID=text(metadata.get("uid")),
        eventTime=time_text(record),
        eventType=text(metadata.get("event_code")),
        eventSource=text(mapping(api.get("service")).get("name")),
        eventName=text(api.get("operation")),
        awsRegion=text(cloud.get("region")),
        sourceIPAddress=text(origin.get("ip")) or text(origin.get("domain")) or text(origin.get("hostname")),
        userAgent=text(mapping(record.get("http_request")).get("user_agent")),
        errorCode=text(response.get("error")),
        errorMessage=text(response.get("message")),
        requestID=_request_id(request.get("uid")),
        requestParameters=_asked(record, api, request),
        responseElements=_answered(record, response),
        recipientAccountId=text(mapping(cloud.get("account")).get("uid")) or text(cloud.get("account_uid")),
        vpcEndpointId=text(origin.get("uid")),
        resources=_resources(record) or None,
        userIdentity=_identity(mapping(record.get("actor"))),
    )
    restore(native, record.get("unmapped"))
    return native


def _request_id(value: Any) -> str | None:
    """Some mappings write a missing id as two quotes."""
    found = text(value)
    return None if found is None or not found.strip("'\"") else found


def _asked(record: dict[str, Any], api: dict[str, Any], request: dict[str, Any]) -> dict[str, Any] | None:
    """Request parameters; of a role taken, the mapping keeps the role and the session's name in `user`."""
    asked = decoded(request.get("data"))
    found = dict(asked) if type(asked) is dict else {}
    operation = text(api.get("operation"))
    if operation and operation.startswith("AssumeRole"):
        user = mapping(record.get("user"))
        role, name = arn_in(user.get("uid")), text(user.get("name"))
        if role and ":role/" in role:
            found.setdefault("roleArn", role)
            if name:
                found.setdefault("roleSessionName", name)
    return found or None


def _answered(record: dict[str, Any], response: dict[str, Any]) -> dict[str, Any] | None:
    """Response elements; the session that a sign-in made stands in `session`."""
    answered = decoded(response.get("data"))
    found = dict(answered) if type(answered) is dict else {}
    session = mapping(record.get("session"))
    if key := text(session.get("credential_uid")):
        made = found.setdefault("credentials", {"accessKeyId": key})
        if type(made) is dict and "expiration" not in made and (end := time_text(session, "expiration_time")):
            found["credentials"] = {**made, "expiration": end}
    if arn := arn_in(session.get("uid")):
        found.setdefault("assumedRoleUser", {"arn": arn})
    if at(record, "api", "operation") == "ConsoleLogin" and text(record.get("status")) in ("Success", "Failure"):
        found.setdefault("ConsoleLogin", record["status"])
    return found or None


def _resources(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        present(
            ARN=arn,
            type=text(resource.get("type")),
            accountId=text(at(resource, "owner", "account", "uid")) or text(resource.get("account_uid")),
        )
        for resource in sequence(record.get("resources"))
        if type(resource) is dict and (arn := arn_in(resource.get("uid"), resource.get("name")))
    ]


def _identity(actor: dict[str, Any]) -> dict[str, Any]:
    """`userIdentity`: the first Security Lake wrote the ARN as `uuid` and the principal as `uid`."""
    user, session = mapping(actor.get("user")), mapping(actor.get("session"))
    kind, arn, uid = text(user.get("type")), arn_in(user.get("uid"), user.get("uuid")), text(user.get("uid"))
    principal = text(user.get("uid_alt")) or (uid if uid != arn else None)
    provider = mapping(actor.get("idp"))
    store = text(provider.get("uid"))
    is_user_of_store = kind == _IDENTITY_CENTER or store is not None
    issuer = text(session.get("issuer"))
    is_mfa = session.get("is_mfa", session.get("mfa"))
    attributes = present(mfaAuthenticated=is_mfa, creationDate=time_text(session, "created_time"))
    context = present(
        attributes=attributes or None,
        sessionIssuer={"type": "Role", "arn": issuer} if issuer else None,
    )
    return present(
        type=kind,
        arn=arn,
        principalId=None if is_user_of_store else principal,
        onBehalfOf=present(userId=principal, identityStoreArn=store) if is_user_of_store and principal else None,
        accountId=text(mapping(user.get("account")).get("uid")) or text(user.get("account_uid")),
        accessKeyId=None if kind == _IDENTITY_CENTER else text(user.get("credential_uid")),
        userName=text(user.get("name")),
        invokedBy=text(actor.get("invoked_by")),
        identityProvider=text(provider.get("name")),
        sessionContext=context or None,
    )


COPY = Copy("aws_cloudtrail", is_cloudtrail, cloudtrail_record)
