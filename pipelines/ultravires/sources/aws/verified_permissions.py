"""Amazon Verified Permissions in CloudTrail: an IsAuthorized data event is an activity and a decision.

https://docs.aws.amazon.com/verifiedpermissions/latest/userguide/cloudtrail.html: the answer stands in
`additionalEventData.decision`, the question in `requestParameters`. With a token the principal is not logged.
"""

from ultravires.reading.events import Event
from ultravires.reading.options import Options
from ultravires.reading.values import mapping, text
from ultravires.sources.aws.cloudtrail_records import CloudTrailRecord
from ultravires.sources.policy_engines.cedar import CedarRequest, answer_of, cedar_decision, entity_of

POLICY_STORE = "verifiedpermissions.amazonaws.com"
"""Its `eventSource`."""
_SERVICE = "verifiedpermissions"
_ASKED = frozenset({"IsAuthorized", "IsAuthorizedWithToken"})


def decisions_of(record: CloudTrailRecord, activity: Event, options: Options) -> tuple[Event, ...]:
    """The decision in this CloudTrail event, known by its request id; none in events of any other kind."""
    if text(record.eventName) not in _ASKED or activity.action != f"{_SERVICE}:{record.eventName}":
        return ()
    decision = mapping(record.additionalEventData).get("decision")
    uid = text(record.requestID) or text(record.eventID)
    if answer_of(decision) is None or uid is None:
        return ()
    asked = mapping(record.requestParameters)
    request = CedarRequest(
        uid=uid,
        native_id=f"{activity.native_id or uid}/decision",
        at=activity.event_at,
        principal=entity_of(asked.get("principal")),
        action=entity_of(asked.get("action")),
        resource=entity_of(asked.get("resource")),
        context={},
        decision=decision,
    )
    event = cedar_decision(request, options)
    event.account_uid, event.src_ip = activity.account_uid, activity.src_ip
    return (event,)
