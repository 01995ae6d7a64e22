"""Privileged Identity Management: who asked for a role, who allowed it, for how long.

PIM tells it twice. The directory's audit log has one record for each step; Microsoft Graph and Azure Resource Manager
have the request as it stands now. Both name the same request id, which is the approval's id here.
https://learn.microsoft.com/en-us/graph/api/resources/unifiedroleassignmentschedulerequest
"""

import re
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from ultravires.reading.events import event_time, logged_at
from ultravires.reading.values import checked_micros, mapping, micros, sequence, text
from ultravires.sources.azure.exports import filled, last_part
from ultravires.sources.entra.identities import Subject
from ultravires.sources.tickets.approval_states import ApprovalState

SCOPES = "entra_pim"
"""Under this name `approval_scopes` says what roles mean, whichever log told of the approval."""


class Step(NamedTuple):
    """What a kind of audit record says: the state, whether the initiator asked or answered, and of which request."""

    status: str
    is_asked: bool
    is_answered: bool
    id_key: str = "RequestId"


_STEPS = {
    "add member to role requested": Step("requested", is_asked=True, is_answered=False),
    "add member to role approval requested": Step("requested", is_asked=True, is_answered=False),
    "add member to role request approved": Step("approved", is_asked=False, is_answered=True),
    "add member to role request denied": Step("denied", is_asked=False, is_answered=True),
    # The role is active now: nobody answers here, for a request that needed no approver ends so too.
    "add member to role completed": Step("approved", is_asked=True, is_answered=False),
    "add member to role canceled": Step("revoked", is_asked=False, is_answered=False),
    "add member to role in pim requested": Step("requested", is_asked=True, is_answered=False),
    "add member to role in pim completed": Step("approved", is_asked=False, is_answered=True),
    "add member to role in pim canceled": Step("revoked", is_asked=False, is_answered=False),
    "pim activation request expired": Step("expired", is_asked=False, is_answered=False),
    # Ending is a request of its own, so the one that it ends is named apart.
    "remove member from role": Step("expired", is_asked=False, is_answered=False, id_key="RoleAssignmentRequestId"),
    "remove member from role completed": Step(
        "revoked", is_asked=False, is_answered=False, id_key="RoleAssignmentRequestId"
    ),
}
_EXPIRED = "pim activation expired)"
_PRINCIPALS = ("User", "ServicePrincipal", "Group")
_REQUEST_IDS = ("RequestId", "RoleAssignmentRequestId")


@lru_cache(maxsize=1024)
def step_of(name: str) -> Step | None:
    """What an activity of PIM says of an approval; None for eligibility, policies and all else."""
    head, _, tail = name.lower().partition(" (")
    if head == "remove member from role" and tail != _EXPIRED:
        return None
    return _STEPS.get(head)


def details_of(audit: dict[str, Any]) -> dict[str, str]:
    """`additionalDetails` as a dict; the first of repeated keys counts."""
    found: dict[str, str] = {}
    for pair in sequence(audit.get("additionalDetails")):
        name, value = mapping(pair).get("key"), filled(mapping(pair).get("value"))
        if value and type(name) is str:
            found.setdefault(name, value)
    return found


def request_of(details: dict[str, str]) -> str | None:
    """The request that an audit record of PIM names."""
    return next((details[name] for name in _REQUEST_IDS if name in details), None)


def state_of_audit(
    audit: dict[str, Any], name: str, details: dict[str, str], *, initiator: Subject, at: int, tenant: str | None
) -> ApprovalState | None:
    """The state that a successful audit record of PIM puts a request into, if any."""
    step = step_of(name)
    if step is None or step.id_key not in details:
        return None
    targets = [mapping(target) for target in sequence(audit.get("targetResources"))]
    role = next((target for target in targets if target.get("type") == "Role"), {})
    subject = next((target.get("id") for kind in _PRINCIPALS for target in targets if target.get("type") == kind), None)
    role_id = details.get("RoleDefinitionOriginId") or details.get("TemplateId")
    is_approver = step.is_answered and " in PIM " not in name
    is_by_rule = step.status == "approved" and not step.is_answered
    return ApprovalState(
        uid=details[step.id_key],
        status=step.status,
        at=at,
        by=None if is_by_rule else initiator.uid,
        by_kind=None if is_by_rule else initiator.kind,
        subject=filled(subject),
        requested_by=initiator.uid if step.is_asked else None,
        approved_by=initiator.uid if step.is_answered else None,
        requested_at=at if step.status == "requested" else None,
        approved_at=at if step.status == "approved" and step.is_answered else None,
        valid_from=micros(details.get("StartTime")),
        valid_until=micros(details.get("ExpirationTime")),
        revoked_at=at if step.status == "revoked" else None,
        ticket=details.get("TicketNumber"),
        # An approver's reason is not the task.
        task=None if is_approver or not (step.is_asked or step.is_answered) else details.get("Justification"),
        account=tenant,
        scope=_words(role.get("displayName"), role_id),
        roles=[last_part(role_id)] if role_id else None,
    )


def _words(*values: Any) -> tuple[str, ...]:
    """What is granted in PIM's own words, each once: the role's name and its id."""
    return tuple(dict.fromkeys(word for value in values if (word := filled(value))))


_GRANTED = frozenset({"granted", "provisioned", "adminapproved", "schedulecreated", "pendingschedulecreation"})
_STATUS = {
    **dict.fromkeys(_GRANTED, "approved"),
    "denied": "denied",
    "admindenied": "denied",
    "failed": "denied",
    "failedasresourceislocked": "denied",
    "invalid": "denied",
    "canceled": "revoked",
    "revoked": "revoked",
    "pendingrevocation": "revoked",
    "timedout": "expired",
}
_ENDING = frozenset({"adminremove", "selfdeactivate"})
_BY_ADMIN = "admin"


def states_of_request(request: dict[str, Any]) -> tuple[ApprovalState, ...]:
    """A request of Graph, as it stands now, to its states: that it was asked for, and what became of it.

    Raises NotParsed without a time. A request to end an assignment is the end of the one that it names, and nothing
    while it waits; so it is with a request that only tried whether it would be allowed.
    """
    uid, created = filled(request.get("id")), micros(request.get("createdDateTime"))
    completed = micros(request.get("completedDateTime"))
    asked_at, answered_at = logged_at(created or completed), logged_at(completed or created)
    if uid is None or request.get("isValidationOnly") is True:
        return ()
    action = (text(request.get("action")) or "").lower()
    status = _STATUS.get((text(request.get("status")) or "").lower(), "requested")
    by = _creator(request.get("createdBy"))
    if action in _ENDING:
        ended = filled(request.get("targetScheduleId"))
        if ended is None or status not in ("approved", "revoked"):
            return ()
        return (_state(request, ended, "revoked", answered_at, by, native_id=f"{uid}/revoked"),)
    asked = _state(request, uid, "requested", asked_at, by)
    if status == "requested":
        return (asked,)
    # The request does not say who answered; only an administrator who assigns needs nobody else.
    approver = by if status == "approved" and action.startswith(_BY_ADMIN) else None
    return asked, _state(request, uid, status, answered_at, approver, requester=by, asked_at=asked_at)


def _state(
    request: dict[str, Any],
    uid: str,
    status: str,
    at: int,
    by: str | None,
    *,
    requester: str | None = None,
    asked_at: int | None = None,
    native_id: str | None = None,
) -> ApprovalState:
    plan = mapping(request.get("scheduleInfo"))
    start = micros(plan.get("startDateTime"))
    is_end = native_id is not None
    role = filled(request.get("roleDefinitionId"))
    group = filled(request.get("groupId"))
    place = filled(request.get("directoryScopeId")) or "/"
    return ApprovalState(
        uid=uid,
        status=status,
        at=at,
        native_id=native_id,
        by=by,
        by_kind="human" if by else None,
        subject=filled(request.get("principalId")),
        requested_by=by if status == "requested" else requester,
        approved_by=by if status == "approved" else None,
        requested_at=at if status == "requested" else asked_at,
        approved_at=at if status == "approved" and by else None,
        valid_from=None if is_end else start,
        valid_until=None if is_end else _end_of(plan, start),
        revoked_at=at if status == "revoked" else None,
        ticket=None if is_end else filled(mapping(request.get("ticketInfo")).get("ticketNumber")),
        task=None if is_end else filled(request.get("justification")),
        scope=_words(
            mapping(request.get("roleDefinition")).get("displayName"),
            role,
            group,
            request.get("accessId"),
            place.strip("/") and place,
        ),
        resources=_covered(place),
        roles=[last_part(role)] if role else None,
    )


def _covered(place: str) -> list[str] | None:
    """A subscription, group or resource covers itself and what lies below; of other places the name does not say."""
    return [place, f"{place.rstrip('/')}/*"] if place.lower().startswith("/subscriptions/") else None


def _creator(created_by: Any) -> str | None:
    by = mapping(created_by)
    return filled(mapping(by.get("user")).get("id")) or filled(mapping(by.get("application")).get("id"))


_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?")


@lru_cache(maxsize=4096)
def duration_micros(value: str) -> int | None:
    """`PT8H` or `P1DT30M` in microseconds; None where it is no such duration."""
    match = _DURATION.fullmatch(value)
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return length // timedelta(microseconds=1)


def _end_of(plan: dict[str, Any], start: int | None) -> int | None:
    expiration = mapping(plan.get("expiration"))
    end, duration = micros(expiration.get("endDateTime")), text(expiration.get("duration"))
    if end is not None or start is None or duration is None:
        return end
    length = duration_micros(duration)
    return None if length is None else checked_micros(start + length)


def states_of_approval(approval: dict[str, Any]) -> tuple[ApprovalState, ...]:
    """Graph's `approval` object of a request, whose id it shares: one state for each step that somebody answered.

    Raises NotParsed where it does not say when.
    """
    uid = filled(approval.get("id"))
    found: list[ApprovalState] = []
    for step in map(mapping, sequence(approval.get("steps") or approval.get("stages"))):
        status = {"Approve": "approved", "Deny": "denied"}.get(text(step.get("reviewResult")) or "")
        if uid and status:
            at = event_time(step.get("reviewedDateTime"))
            who = _creator({"user": step.get("reviewedBy")}) or _creator(step.get("reviewedBy"))
            state = ApprovalState(
                uid=uid,
                status=status,
                at=at,
                native_id=f"{uid}/{filled(step.get('id')) or len(found)}/{status}",
                by=who,
                by_kind="human" if who else None,
                approved_by=who,
                approved_at=at if status == "approved" else None,
            )
            found.append(state)
    return tuple(found)


def request_of_azure(item: dict[str, Any]) -> dict[str, Any]:
    """A request of Azure Resource Manager in the members of Graph's."""
    own = mapping(item.get("properties"))
    shown = mapping(mapping(own.get("expandedProperties")).get("roleDefinition"))
    return {
        "id": text(item.get("name")) or _name_in(item.get("id")),
        "status": own.get("status"),
        "createdDateTime": own.get("createdOn"),
        "createdBy": {"user": {"id": own.get("requestorId")}},
        "action": own.get("requestType"),
        "principalId": own.get("principalId"),
        "roleDefinitionId": own.get("roleDefinitionId"),
        "roleDefinition": {"displayName": shown.get("displayName")},
        "directoryScopeId": own.get("scope"),
        "targetScheduleId": _name_in(own.get("targetRoleAssignmentScheduleId")),
        "justification": own.get("justification"),
        "ticketInfo": own.get("ticketInfo"),
        "scheduleInfo": own.get("scheduleInfo"),
    }


def _name_in(identifier: Any) -> str | None:
    return last_part(identifier) if type(identifier) is str and identifier else None
