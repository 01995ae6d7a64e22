"""What members of a CloudTrail record mean, each by itself, whether read by the record or by the column."""

import re
from typing import Any

from ultravires.reading.source import present
from ultravires.reading.values import mapping, text, truth
from ultravires.sources.aws.credentials import Issued
from ultravires.sources.aws.identities import Actor

SIGN_IN = "ConsoleLogin"
SERVICE_SUFFIX = ".amazonaws.com"
_CONCLUSIONS = frozenset({"AwsCloudTrailInsight", "AwsAggregatedEvent"})
_DENIED = re.compile(
    r"AccessDenied|Unauthori[sz]ed|NotAuthorized|AuthorizationError|Forbidden|AuthFailure", re.IGNORECASE
)
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")


def is_conclusion(event_type: Any, category: Any) -> bool:
    """Whether CloudTrail itself concluded this from many calls."""
    return text(event_type) in _CONCLUSIONS or category == "Insight"


def service_of(source: Any) -> str | None:
    """`s3.amazonaws.com` to `s3`."""
    written = text(source)
    return written.removesuffix(SERVICE_SUFFIX) if written else None


def calling_service(address: Any) -> str | None:
    """The service that stands where the address of a caller should be."""
    return address if type(address) is str and address.endswith(SERVICE_SUFFIX) else None


def outcome_of(record: dict[str, Any], name: str, error: str | None) -> str:
    if error:
        return "denied" if _DENIED.search(error) else "failure"
    if name == SIGN_IN and mapping(record.get("responseElements")).get(SIGN_IN) == "Failure":
        return "failure"
    return "success"


def workload_of(actor: Actor) -> str | None:
    """The workload that the credential was issued to, else the instance that a session of an instance is
    named after.
    """
    if actor.issued_to:
        return actor.issued_to
    return actor.session_name if actor.session_name and _INSTANCE.fullmatch(actor.session_name) else None


def session_of(actor: Actor) -> str | None:
    """The session by its role and name, as a key."""
    return f"{actor.uid}/{actor.session_name}" if actor.uid and actor.session_name else None


def detail_of(record: dict[str, Any], actor: Actor, issued: Issued) -> dict[str, Any]:
    """What has no column. What the record says of the call itself comes last."""
    return present(
        role_arn=actor.uid if actor.is_session else None,
        session_name=actor.session_name,
        issued_role_arn=issued.role_arn,
        issued_session_name=issued.session_name,
        issued_duration_seconds=issued.duration_seconds,
        target_account=issued.target_account,
        mfa=actor.has_mfa,
        read_only=truth(record.get("readOnly")),
        event_type=text(record.get("eventType")),
    )
