"""AWS CloudTrail: management, data, network activity, insight and aggregated events, however they were delivered.

Record contents:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
User identities:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

import re
from collections.abc import Iterable
from typing import Any

from msgspec import UNSET

from ultravires.reading.addresses import address_of
from ultravires.reading.effects import effect
from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, present
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, text, truth
from ultravires.sources.aws.arns import resource_arns
from ultravires.sources.aws.changes import Change
from ultravires.sources.aws.cloudtrail_deliveries import delivered_records, is_control_message, is_delivery
from ultravires.sources.aws.cloudtrail_records import (
    CONCLUSIONS,
    OBJECTS,
    SERVICE_SUFFIX,
    SIGN_IN,
    SOURCE_NAME,
    CloudTrailRecord,
    call_of,
    calling_service,
    detail_of,
    factor_of_sign_in,
    outcome_of,
    second_factor_of,
)
from ultravires.sources.aws.credentials import SIGN_INS, Issued, issued_by, revoked_by, session_keys, signed_in_by
from ultravires.sources.aws.effects import EFFECTS
from ultravires.sources.aws.iam_changes import CHANGES
from ultravires.sources.aws.identities import Actor, actor_of
from ultravires.sources.aws.lifecycle import LIFECYCLE
from ultravires.sources.aws.own_password import PASSWORDS, is_own_by_session
from ultravires.sources.aws.role_passing import further_permissions, passed_roles
from ultravires.sources.aws.targets import targets_of
from ultravires.sources.aws.verified_permissions import POLICY_STORE, decisions_of
from ultravires.sources.ocsf.classes import API_ACTIVITY

_TYPICAL = frozenset({"eventVersion", "eventTime", "eventSource", "eventName", "eventID", "userIdentity", "awsRegion"})
_ENOUGH = 3
_NOTIFICATION = re.compile(rb'"eventSource"\s*:\s*"aws:')
_EMPTY_FILE = re.compile(rb'\s*\{\s*"Records"\s*:\s*\[\s*\]\s*\}\s*')
_OWN_NAME = "cloudtrail.amazonaws.com"
_PARAMETERS = "ssm:GetParameter"
"""Calls with this beginning read parameters, and secure ones in plain text only where they ask for it."""
_TELLING = frozenset({*CHANGES, *LIFECYCLE, *EFFECTS, *PASSWORDS})
"""Actions whose calls say more than that they were made: few, so that no table is asked of any other."""
_OTHER = 99


def recognise(head: Head) -> bool:
    """Events have at least three of CloudTrail's own members; an S3 notification, which has too, says
    `aws:s3`.
    """
    if _EMPTY_FILE.fullmatch(head.data):
        return True
    is_like = any(len(keys & _TYPICAL) >= _ENOUGH for keys in head.first_keys("Records"))
    return (is_like and not _NOTIFICATION.search(head.data)) or is_delivery(head)


def events(record: CloudTrailRecord, options: Options) -> Iterable[Event]:
    """One CloudTrail event to one activity, and to the decision of Verified Permissions in it. Raises NotParsed without
    a time, or without source and name.

    What CloudTrail itself concluded from many calls (an insight, an aggregate) is an activity of CloudTrail, and
    accuses nobody. Configuration items of CloudTrail Lake and what CloudWatch Logs sends to try a destination are no
    events.
    """
    if record.eventType in CONCLUSIONS or record.eventCategory == "Insight":
        return (_conclusion(record),)
    if record.eventName is UNSET:
        if type(record.eventData) is dict:
            return _of_integration(record, options)
        if is_control_message(record.message):
            return NoEvent("message that tries out a destination")
    event = _call(record, options)
    return (event, *decisions_of(record, event, options)) if record.eventSource == POLICY_STORE else (event,)


def _conclusion(record: CloudTrailRecord) -> Event:
    """An insight holds the time at which it began or ended; an aggregate is known when its window is over."""
    event_at = event_time(record.eventTime, mapping(record.timeWindow).get("windowEnd"))
    event_type = text(record.eventType) or "AwsCloudTrailInsight"
    shared = text(record.sharedEventID)
    return Event(
        native_id=text(record.eventID) or text(record.eventId),
        event_at=event_at,
        kind="activity",
        class_uid=API_ACTIVITY,
        activity_id=_OTHER,
        actor_uid=_OWN_NAME,
        actor_kind="service",
        account_uid=text(record.recipientAccountId) or text(record.accountId),
        action=f"cloudtrail:{event_type}",
        outcome="unknown",
        keys=[("shared_event", shared, "carries")] if shared else [],
        detail={"event_type": event_type},
    )


def _of_integration(record: CloudTrailRecord, options: Options) -> Iterable[Event]:
    """What another product put into CloudTrail Lake: its own event stands in `eventData`."""
    if record.eventCategory == "ConfigurationItem":
        return NoEvent("configuration item")
    own = CloudTrailRecord.of({"eventTime": record.eventTime, **mapping(record.eventData)})
    for name in ("eventID", "eventType", "recipientAccountId"):
        if getattr(record, name) is not UNSET:
            setattr(own, name, getattr(record, name))
    event = _call(own, options)
    # whoever may write there could name any service: that is no word of AWS on who may do what, or is who
    event.detail.pop("grants", None)
    event.detail.pop("lifecycle", None)
    event.detail.pop("effects", None)
    return (event,)


def _call(record: CloudTrailRecord, options: Options) -> Event:
    event_at = event_time(record.eventTime)
    source, name = record.eventSource, record.eventName
    if not source or not name or source == SERVICE_SUFFIX:
        raise NotParsed("no eventSource and eventName: not a CloudTrail event")
    request, response = record.requestParameters, record.responseElements
    is_read_only, is_sign_in = truth(record.readOnly), name == SIGN_IN
    call = call_of(source, name, is_read_only)
    actor = actor_of(record.userIdentity, is_sign_in, truth(record.sessionCredentialFromConsole) is True)
    account, region = record.recipientAccountId or actor.account_uid, record.awsRegion or None
    error = record.errorCode or None
    outcome = outcome_of(name, error, response)
    issued = issued_by(call.action, request, response, event_at)
    if call.action in SIGN_INS and outcome == "success":
        issued = signed_in_by(call.action, record.eventID or None, actor, (record.serviceEventDetails, request))
    needed = further_permissions(call, request, is_read_only)
    detail = detail_of(
        actor,
        issued,
        is_read_only,
        record.eventType or None,
        further_permissions=needed,
        passed_roles=passed_roles(request) if needed else [],
        has_mfa=factor_of_sign_in(record.additionalEventData) if is_sign_in else None,
    )
    if region:
        detail["region"] = region
    if is_sign_in and outcome == "success":
        detail |= present(second_factor=second_factor_of(record.userIdentity, detail.get("mfa")))
    if call.action.startswith(_PARAMETERS) and truth(mapping(request).get("withDecryption")) is True:
        detail["decrypts"] = True
    if call.action in _TELLING:
        detail |= _said(record, call.action, account, region, is_done=outcome == "success")
        if call.action in PASSWORDS and is_own_by_session(actor, record):
            detail["effects"] = [effect("issues_credential", target="self")]
    return Event(
        native_id=record.eventID or None,
        event_at=event_at,
        kind="activity",
        class_uid=call.class_uid,
        activity_id=call.activity_id,
        actor_uid=actor.uid,
        actor_kind=actor.kind,
        actor_name=actor.name,
        on_behalf_of_uid=actor.on_behalf_of_uid,
        via_service=actor.via_service or calling_service(record.sourceIPAddress),
        account_uid=account,
        workload_uid=actor.workload_uid,
        action=call.action,
        resource_uids=resource_arns(record.resources, request, service=call.service, region=region, account=account)
        or targets_of(call, request, response, message=record.errorMessage, region=region, account=account),
        outcome=outcome,
        error_code=error,
        src_ip=address_of(record.sourceIPAddress),
        user_agent=record.userAgent or None,
        credential_uid=actor.credential_uid,
        issued_credential_uid=issued.credential_uid,
        issued_expires_at=issued.expires_at,
        revoked_credential_uid=revoked_by(name, request) if outcome == "success" else None,
        keys=_keys(record, account, actor, issued, options),
        detail=detail,
    )


def _said(
    record: CloudTrailRecord, action: str, account: str | None, region: str | None, *, is_done: bool
) -> dict[str, Any]:
    """What the call changed of who may do what, what it says of whom it names, and its own effects."""
    change, request = _change(record, account, region), record.requestParameters
    # without its request, which denied calls often lack, a call says no more than its action does
    is_asked = type(request) is dict and bool(request) and truth(request.get("omitted")) is not True
    return present(
        # what failed changed nothing
        grants=(is_done and action in CHANGES and CHANGES[action](change)) or None,
        lifecycle=(is_done and action in LIFECYCLE and LIFECYCLE[action](change)) or None,
        effects=(is_asked and action in EFFECTS and EFFECTS[action](change)) or None,
    )


def _change(record: CloudTrailRecord, account: str | None, region: str | None) -> Change:
    return Change(
        request=mapping(record.requestParameters),
        response=mapping(record.responseElements),
        further=mapping(record.additionalEventData),
        details=mapping(record.serviceEventDetails),
        listed=record.resources,
        account=account,
        region=region,
    )


def _keys(
    record: CloudTrailRecord, account: str | None, actor: Actor, issued: Issued, options: Options
) -> list[tuple[str, str, str]]:
    keys = []
    if request := record.requestID:
        keys.append(("request", request, "names"))
        if account:
            keys.append(("request", f"{account}/{request}", "names"))
    if shared := record.sharedEventID:
        keys.append(("shared_event", shared, "carries"))
    if actor.source_identity:
        keys.append(("source_identity", actor.source_identity, "carries"))
    if actor.session:
        keys.append(("session_name", actor.session, "carries"))
    if issued.credential_uid:
        keys += [key for key in session_keys(record.requestParameters, issued, actor, options) if key not in keys]
    return keys


SOURCE = Source(
    name=SOURCE_NAME,
    log=SOURCE_NAME,
    version=12,
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
    voice="recorded",
    system="aws",
    delivered_in=(
        "cloudwatch:aws-cloudtrail-logs*",
        "cloudwatch:cloudtrail*",
        "cloudwatch:/aws/cloudtrail*",
        "cloudwatch:aws-controltower/cloudtraillogs",
        "eventbridge:aws.*",
        "elastic:aws.cloudtrail",
        "splunk:aws:cloudtrail",
        "wazuh:wazuh-aws",
    ),
    join_keys=(
        "request",
        "shared_event",
        "source_identity",
        "session_name",
        "session_tag",
        "transitive_tag",
        "federated_subject",
        "run",
        "decision",
    ),
    recognise=recognise,
    records=delivered_records,
    record=CloudTrailRecord,
    events=events,
    objects=OBJECTS,
    never_text=frozenset({"userIdentity", "eventData.userIdentity"}),
)
