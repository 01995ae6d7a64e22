"""The fields of a CloudTrail record, and what some of them mean, each by itself.

Record contents:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType

from ultravires.reading.events import present
from ultravires.reading.plain_records import NoText, Record, Repeated, Text, Whole
from ultravires.reading.values import mapping, text
from ultravires.sources.aws.credentials import NOTHING_ISSUED, Issued
from ultravires.sources.aws.identities import Actor
from ultravires.sources.aws.ocsf_classes import ocsf_class

SOURCE_NAME = "aws_cloudtrail"
SIGN_IN = "ConsoleLogin"
SERVICE_SUFFIX = ".amazonaws.com"
CONCLUSIONS = frozenset({"AwsCloudTrailInsight", "AwsAggregatedEvent"})
"""Types of events that CloudTrail itself concluded from many calls."""
OBJECTS = (
    "userIdentity",
    "userIdentity.sessionContext",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "resources",
    "timeWindow",
    "eventData",
    "eventData.userIdentity",
    "eventData.requestParameters",
    "eventData.responseElements",
)
"""Where CloudTrail has objects, which a shipper may have written as text."""
_DENIED = re.compile(
    r"AccessDenied|Unauthori[sz]ed|NotAuthorized|AuthorizationError|Forbidden|AuthFailure", re.IGNORECASE
)


class CloudTrailRecord(Record, gc=False):
    """A record, its fields in the order in which CloudTrail writes them."""

    eventVersion: Text = UNSET
    userIdentity: Repeated = UNSET
    eventTime: Whole = UNSET
    eventSource: Text = UNSET
    eventName: Text = UNSET
    awsRegion: Text = UNSET
    sourceIPAddress: Text = UNSET
    userAgent: Text = UNSET
    errorCode: Text = UNSET
    errorMessage: Text = UNSET
    requestParameters: NoText = UNSET
    responseElements: NoText = UNSET
    additionalEventData: NoText = UNSET
    requestID: Text = UNSET
    eventID: Text = UNSET
    readOnly: bool | UnsetType = UNSET
    resources: NoText = UNSET
    eventType: Text = UNSET
    apiVersion: Text = UNSET
    managementEvent: bool | UnsetType = UNSET
    recipientAccountId: Text = UNSET
    sharedEventID: Text = UNSET
    serviceEventDetails: NoText = UNSET
    vpcEndpointId: Text = UNSET
    vpcEndpointAccountId: Text = UNSET
    eventCategory: Text = UNSET
    sessionCredentialFromConsole: str | bool | UnsetType = UNSET
    tlsDetails: Repeated = UNSET
    edgeDeviceDetails: Whole = UNSET
    # of insights and aggregates, of other products' events in CloudTrail Lake, of CloudWatch Logs
    timeWindow: NoText = UNSET
    eventId: Text = UNSET
    accountId: Text = UNSET
    eventData: NoText = UNSET
    message: Text = UNSET


class Call(NamedTuple):
    """Which operation of which service, and its OCSF class and activity."""

    service: str
    name: str
    action: str
    class_uid: int
    activity_id: int


@lru_cache(maxsize=65_536)
def call_of(event_source: str, name: str, is_read_only: bool | None) -> Call:
    """`s3.amazonaws.com` and `GetObject` to the action `s3:GetObject`."""
    service = event_source.removesuffix(SERVICE_SUFFIX)
    return Call(service, name, f"{service}:{name}", *ocsf_class(service, name, is_read_only))


def calling_service(address: Any) -> str | None:
    """The service that stands where the address of a caller should be."""
    return address if type(address) is str and address.endswith(SERVICE_SUFFIX) else None


def outcome_of(name: str, error: str | None, response: Any) -> str:
    """denied, failure or success, by the error code; what one does to sign in, or with the root user's password, fails
    in its response, under its own name.
    """
    if error:
        return "denied" if _DENIED.search(error) else "failure"
    if type(response) is dict and response.get(name) == "Failure":
        return "failure"
    return "success"


def factor_of_sign_in(details: Any) -> bool | None:
    """Whether a console sign-in was with a second factor, which stands beside and not in the identity."""
    return {"Yes": True, "No": False}.get(text(mapping(details).get("MFAUsed")) or "")


def second_factor_of(identity: Any, has_mfa: bool | None) -> str | None:
    """What a console sign-in that succeeded says of its second factor. One that failed does not say whether password or
    factor was wrong, and of whom another provider let in, AWS knows only that it asked for none itself.
    """
    if has_mfa:
        return "passed"
    return "none" if has_mfa is False and mapping(identity).get("type") in ("IAMUser", "Root") else None


def detail_of(
    actor: Actor,
    issued: Issued,
    is_read_only: bool | None,
    event_type: str | None,
    *,
    further_permissions: list[str],
    passed_roles: list[str],
    has_mfa: bool | None = None,
) -> dict[str, Any]:
    """What has no column."""
    detail = actor.detail.copy() if issued is NOTHING_ISSUED else _detail_of_issuing(actor, issued)
    if is_read_only is not None:
        detail["read_only"] = is_read_only
    if event_type is not None:
        detail["event_type"] = event_type
    if further_permissions:
        detail["further_permissions"] = further_permissions
    if passed_roles:
        detail["passed_roles"] = passed_roles
    if has_mfa is not None:
        detail["mfa"] = has_mfa
    return detail


def _detail_of_issuing(actor: Actor, issued: Issued) -> dict[str, Any]:
    return present(
        role_arn=actor.detail.get("role_arn"),
        session_name=actor.session_name,
        issued_role_arn=issued.role_arn,
        issued_session_name=issued.session_name,
        issued_duration_seconds=issued.duration_seconds,
        issued_kind=issued.kind,
        issued_holder=issued.holder_uid,
        issued_role_pattern=issued.role_pattern,
        session_created_at=actor.detail.get("session_created_at"),
        target_account=issued.target_account,
        mfa=actor.has_mfa,
    )
