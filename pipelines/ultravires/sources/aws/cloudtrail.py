"""AWS CloudTrail: management, data, network activity, insight and aggregated events, however they were delivered.

Record contents:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
User identities:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

import re
from collections.abc import Iterable
from typing import Any

from ultravires.reading.addresses import address_of
from ultravires.reading.head import Head
from ultravires.reading.source import Event, NotParsed, Options, Source
from ultravires.reading.values import mapping, micros, text, truth
from ultravires.sources.aws.arns import resource_arns
from ultravires.sources.aws.cloudtrail_columns import COLUMNAR
from ultravires.sources.aws.cloudtrail_deliveries import delivered_records, is_control_message, is_delivery
from ultravires.sources.aws.cloudtrail_records import (
    calling_service,
    detail_of,
    is_conclusion,
    outcome_of,
    service_of,
    session_of,
    workload_of,
)
from ultravires.sources.aws.credentials import NOTHING_ISSUED, Issued, issued_by, revoked_by, session_keys
from ultravires.sources.aws.identities import Actor, actor_of, on_behalf_of
from ultravires.sources.aws.ocsf_classes import ocsf_class
from ultravires.sources.aws.verified_permissions import decisions_of
from ultravires.sources.ocsf.classes import API_ACTIVITY

_TYPICAL = frozenset({"eventVersion", "eventTime", "eventSource", "eventName", "eventID", "userIdentity", "awsRegion"})
_ENOUGH = 3
_NOTIFICATION = re.compile(rb'"eventSource"\s*:\s*"aws:')
_EMPTY_FILE = re.compile(rb'\s*\{\s*"Records"\s*:\s*\[\s*\]\s*\}\s*')
_OWN_NAME = "cloudtrail.amazonaws.com"
_OTHER = 99


def recognise(head: Head) -> bool:
    """Events have at least three of CloudTrail's own members; an S3 notification, which has too, says
    `aws:s3`.
    """
    if _EMPTY_FILE.fullmatch(head.data):
        return True
    is_like = any(len(keys & _TYPICAL) >= _ENOUGH for keys in head.first_keys("Records"))
    return (is_like and not _NOTIFICATION.search(head.data)) or is_delivery(head)


def events(record: dict[str, Any], options: Options) -> Iterable[Event]:
    """One CloudTrail event to one activity, and to the decision of Verified Permissions in it. Raises NotParsed without
    a time, or without source and name.

    What CloudTrail itself concluded from many calls (an insight, an aggregate) is an activity of CloudTrail, and
    accuses nobody. Configuration items of CloudTrail Lake and what CloudWatch Logs sends to try a destination are no
    events.
    """
    if is_conclusion(record.get("eventType"), record.get("eventCategory")):
        return (_conclusion(record),)
    if "eventName" not in record:
        if type(record.get("eventData")) is dict:
            return _of_integration(record, options)
        if is_control_message(record):
            return ()
    event = _call(record, options)
    is_decided = event.action is not None and event.action.startswith("verifiedpermissions:")
    return (event, *decisions_of(record, event, options)) if is_decided else (event,)


def _conclusion(record: dict[str, Any]) -> Event:
    """An insight holds the time at which it began or ended; an aggregate is known when its window is over."""
    event_at = micros(record.get("eventTime")) or micros(mapping(record.get("timeWindow")).get("windowEnd"))
    if event_at is None:
        raise NotParsed("no time")
    event_type = text(record.get("eventType")) or "AwsCloudTrailInsight"
    shared = text(record.get("sharedEventID"))
    return Event(
        native_id=text(record.get("eventID")) or text(record.get("eventId")),
        event_at=event_at,
        kind="activity",
        class_uid=API_ACTIVITY,
        activity_id=_OTHER,
        actor_uid=_OWN_NAME,
        actor_kind="service",
        account_uid=text(record.get("recipientAccountId")) or text(record.get("accountId")),
        action=f"cloudtrail:{event_type}",
        outcome="unknown",
        keys=[("shared_event", shared, "carries")] if shared else [],
        detail={"event_type": event_type},
    )


def _of_integration(record: dict[str, Any], options: Options) -> Iterable[Event]:
    """What another product put into CloudTrail Lake: its own event stands in `eventData`."""
    if record.get("eventCategory") == "ConfigurationItem":
        return ()
    own: dict[str, Any] = record["eventData"]
    kept: dict[str, Any] = {
        name: record[name] for name in ("eventID", "eventType", "recipientAccountId") if name in record
    }
    return (_call({"eventTime": record.get("eventTime"), **own, **kept}, options),)


def _call(record: dict[str, Any], options: Options) -> Event:
    event_at = micros(record.get("eventTime"))
    if event_at is None:
        raise NotParsed("no time")
    service, name = service_of(record.get("eventSource")), text(record.get("eventName"))
    if not service or not name:
        raise NotParsed("no eventSource and eventName: not a CloudTrail event")
    identity = mapping(record.get("userIdentity"))
    account = text(record.get("recipientAccountId")) or text(identity.get("accountId"))
    actor = actor_of(identity, name)
    error = text(record.get("errorCode"))
    outcome = outcome_of(record, name, error)
    issued = issued_by(record, name, event_at) if record.get("responseElements") else NOTHING_ISSUED
    address = record.get("sourceIPAddress")
    class_uid, activity_id = ocsf_class(service, name, truth(record.get("readOnly")))
    return Event(
        native_id=text(record.get("eventID")),
        event_at=event_at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=actor.uid,
        actor_kind=actor.kind,
        actor_name=actor.name,
        on_behalf_of_uid=on_behalf_of(identity),
        via_service=actor.via_service or calling_service(address),
        account_uid=account,
        workload_uid=workload_of(actor),
        action=f"{service}:{name}",
        resource_uids=resource_arns(record, service, account),
        outcome=outcome,
        error_code=error,
        src_ip=address_of(address),
        user_agent=text(record.get("userAgent")),
        credential_uid=actor.credential_uid,
        issued_credential_uid=issued.credential_uid,
        issued_expires_at=issued.expires_at,
        revoked_credential_uid=revoked_by(record, name) if outcome == "success" else None,
        keys=_keys(record, account, actor, issued, options),
        detail=detail_of(record, actor, issued),
    )


def _keys(
    record: dict[str, Any], account: str | None, actor: Actor, issued: Issued, options: Options
) -> list[tuple[str, str, str]]:
    keys = []
    if request := text(record.get("requestID")):
        keys.append(("request", request, "names"))
        if account:
            keys.append(("request", f"{account}/{request}", "names"))
    if shared := text(record.get("sharedEventID")):
        keys.append(("shared_event", shared, "carries"))
    if actor.source_identity:
        keys.append(("source_identity", actor.source_identity, "carries"))
    if session := session_of(actor):
        keys.append(("session_name", session, "carries"))
    if issued.credential_uid:
        keys += [key for key in session_keys(record, issued, actor, options) if key not in keys]
    return keys


SOURCE = Source(
    name="aws_cloudtrail",
    log="aws_cloudtrail",
    version=2,
    title="AWS CloudTrail",
    reads='`{"Records": [...]}` files as delivered to S3, plain or compressed, any folder layout; newline JSON; '
    "the same records from CloudWatch Logs subscriptions and Firehose (with or without newlines), EventBridge, "
    "`aws cloudtrail lookup-events`, and query results of CloudTrail Lake as JSON",
    recognised_by="three of eventVersion, eventTime, eventSource, eventName, eventID, userIdentity, awsRegion; in a "
    "wrapping: logEvents, CloudTrailEvent, QueryResultRows or a detail-type `... via CloudTrail` around them",
    grade="verified",
    documentation="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html",
    documented_at="2026-11-24",
    evidence_kinds=("activity", "credential"),
    join_keys=(
        "request",
        "shared_event",
        "source_identity",
        "session_name",
        "session_tag",
        "transitive_tag",
        "federated_subject",
        "decision",
    ),
    recognise=recognise,
    records=delivered_records,
    events=events,
    columnar=COLUMNAR,
)
