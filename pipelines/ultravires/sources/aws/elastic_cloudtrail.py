"""CloudTrail as Elastic's integration keeps it: in the fields of the Elastic Common Schema and below `aws.cloudtrail`.

https://www.elastic.co/docs/reference/integrations/aws/cloudtrail
"""

from typing import Any

from ultravires.reading.dotted_names import nested
from ultravires.reading.renaming import Renaming
from ultravires.reading.typed_cells import decoded_text
from ultravires.reading.values import mapping, text, truth

_IDENTITY = {
    "type": "type",
    "arn": "arn",
    "access_key_id": "accessKeyId",
    "invoked_by": "invokedBy",
}
_OWN = {
    "event_version": "eventVersion",
    "event_type": "eventType",
    "event_category": "eventCategory",
    "request_id": "requestID",
    "error_code": "errorCode",
    "error_message": "errorMessage",
    "api_version": "apiVersion",
    "recipient_account_id": "recipientAccountId",
    "shared_event_id": "sharedEventID",
    "vpc_endpoint_id": "vpcEndpointId",
    "resources": "resources",
}
_OBJECTS = {
    "request_parameters": "requestParameters",
    "response_elements": "responseElements",
    "additional_eventdata": "additionalEventData",
    "service_event_details": "serviceEventDetails",
}


def record_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """A document of the data stream `aws.cloudtrail`, whose fields may be written with dots."""
    if not any(name == "aws" or name.startswith("aws.cloudtrail") for name in document):
        return None
    found = nested(document)
    own = mapping(mapping(found.get("aws")).get("cloudtrail"))
    event, cloud = mapping(found.get("event")), mapping(found.get("cloud"))
    if not own or not event:
        return None
    source, agent = mapping(found.get("source")), mapping(found.get("user_agent"))
    record = {
        **{name: own.get(field) for field, name in _OWN.items()},
        "userIdentity": _identity(own, found),
        "eventTime": found.get("@timestamp"),
        "eventSource": event.get("provider"),
        "eventName": event.get("action"),
        "eventID": event.get("id"),
        "awsRegion": cloud.get("region"),
        "sourceIPAddress": source.get("address") or source.get("ip"),
        "userAgent": agent.get("original"),
        "readOnly": truth(own.get("read_only")),
        "managementEvent": truth(own.get("management_event")),
        **{name: _object(own, field) for field, name in _OBJECTS.items()},
    }
    return {name: value for name, value in record.items() if value is not None}


def _identity(own: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    kept, user = mapping(own.get("user_identity")), mapping(document.get("user"))
    context = mapping(kept.get("session_context"))
    issuer = mapping(context.get("session_issuer"))
    attributes = {"creationDate": context.get("creation_date"), "mfaAuthenticated": context.get("mfa_authenticated")}
    account = issuer.get("account_id") or mapping(mapping(document.get("cloud")).get("account")).get("id")
    identity = {
        **{name: kept.get(field) for field, name in _IDENTITY.items()},
        "principalId": text(user.get("id")),
        "accountId": account,
        "userName": None if issuer else text(user.get("name")),
        "sessionContext": _filled(
            {
                "sessionIssuer": _filled(
                    {
                        "type": issuer.get("type"),
                        "principalId": issuer.get("principal_id"),
                        "arn": issuer.get("arn"),
                        "accountId": issuer.get("account_id"),
                        "userName": text(user.get("name")) if issuer else None,
                    }
                ),
                "attributes": _filled(attributes),
                "sourceIdentity": context.get("source_identity"),
            }
        ),
    }
    return _filled(identity)


def _object(own: dict[str, Any], field: str) -> Any:
    """As it was kept: flattened into an object, as JSON, or printed in a way that cannot be read back."""
    flattened = mapping(own.get("flattened")).get(field)
    return decoded_text(own.get(field)) if flattened is None else flattened


def _filled(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, {})}


RENAMING = Renaming(
    name="elastic common schema",
    title="documents of Elastic's integration",
    sources=("aws_cloudtrail",),
    documentation="https://www.elastic.co/docs/reference/integrations/aws/cloudtrail",
    record_of=record_of,
)
