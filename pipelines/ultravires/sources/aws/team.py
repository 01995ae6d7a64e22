"""Requests of TEAM, temporary elevated access for AWS IAM Identity Center, as its own database and API hold them.

Fields: https://github.com/aws-samples/iam-identity-center-team (schema.graphql) and its guides. Read are items of the
table `requests` as DynamoDB exports, scans and streams them (each value with its type), and as AppSync answers.

A record is the state of one request at `updatedAt`. No key of it reaches CloudTrail: subject, role and window do. Who
asks is written as Identity Center's user name, which CloudTrail shows when that user signs in to the role. A permission
set becomes a role with a code in its name that only AWS knows, so the roles are patterns.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

from ultravires.reading.events import Event, NoEvent, NotParsed, event_time
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import checked_micros, integer, label, mapping, micros, sequence, text
from ultravires.sources.tickets.approval_states import ApprovalState, approval_event

_NAME = "aws_team"
_ARRAYS = ("items", "Items", "Records")
_OWN = ("accountId", "accountName", "role", "roleId", "startTime", "duration")
_HOLDERS = ("Item", "dynamodb")
_ANSWER = frozenset({"data", "errors", "extensions"})
_STATES = {
    "pending": "requested",
    "approved": "approved",
    "scheduled": "approved",
    "in progress": "approved",
    "rejected": "denied",
    "error": "denied",
    "cancelled": "revoked",
    "revoked": "revoked",
    "ended": "expired",
    "expired": "expired",
}
_RUNNING = frozenset({"approved", "scheduled", "in progress"})
_GRANTED = _RUNNING | {"ended", "revoked"}
_ANSWERED = _GRANTED | {"rejected"}
_PERMISSION_SET = re.compile(r"[\w+=,.@-]{1,32}", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_HOUR = 3_600_000_000
_CODE = "?" * 16
_PLACES = ("", "aws-reserved/sso.amazonaws.com/", "aws-reserved/sso.amazonaws.com/*/")


def recognise(head: Head) -> bool:
    """One of the first objects is a request, or holds one in DynamoDB's or AppSync's wrapping."""
    if head.holds(*_OWN, arrays=_ARRAYS):
        return True
    is_wrapped = any(
        not keys.isdisjoint(_HOLDERS) or ("data" in keys and keys <= _ANSWER) for keys in head.first_keys(*_ARRAYS)
    )
    return is_wrapped and all(f'"{name}"'.encode() in head.data for name in (*_OWN, "justification"))


def events(record: dict[str, Any], options: Options) -> Sequence[Event]:
    """The requests in one record to their states; none where it is an item of another table or of a deletion."""
    found = [_event(item, options) for item in _items(record) if text(item.get("role")) and text(item.get("status"))]
    return found or NoEvent("item that is no request")


def _items(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The items of a record without their wrapping: an export's `Item`, a stream's `NewImage`, a page of an answer."""
    if "dynamodb" in record:
        yield _plain(mapping(mapping(record["dynamodb"]).get("NewImage")))
    elif "Item" in record:
        yield _plain(mapping(record["Item"]))
    elif "data" in record:
        for answer in mapping(record["data"]).values():
            pages = mapping(answer)
            yield from map(mapping, sequence(pages.get("items")) if "items" in pages else [pages])
    else:
        yield _plain(record) if type(record.get("id")) is dict else record


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _untyped(value) for name, value in item.items()}


def _untyped(value: Any) -> Any:
    """`{"S": "x"}` to "x"; only what a request holds, so lists of texts but no deeper."""
    if type(value) is not dict or len(value) != 1:
        return None
    ((kind, inner),) = value.items()
    if kind == "L":
        return [mapping(element).get("S") for element in sequence(inner)]
    return inner if kind in ("S", "N", "BOOL", "SS") else None


def _event(item: dict[str, Any], options: Options) -> Event:
    uid, status = label(item.get("id")), (text(item.get("status")) or "").lower()
    if uid is None:
        raise NotParsed("no id")
    if status not in _STATES:
        raise NotParsed(f"status is none of {', '.join(_STATES)}")
    created = micros(item.get("createdAt"))
    at = event_time(item.get("updatedAt"), item.get("createdAt"))
    start = micros(item.get("startTime"))
    user = _user(item.get("username"))
    requester = text(item.get("email")) or user
    approver = (text(item.get("approver")) or _user(item.get("approverId"))) if status in _ANSWERED else None
    revoker = (text(item.get("revoker")) or _user(item.get("revokerId"))) if status == "revoked" else None
    by = {"pending": requester, "cancelled": requester, "revoked": revoker}.get(status, approver)
    by = None if status in ("ended", "expired", "error") else by
    role, account = text(item.get("role")) or "", label(item.get("accountId"))
    state = ApprovalState(
        uid=uid,
        status=_STATES[status],
        at=at,
        native_id=f"{uid}/{status}",
        by=by,
        by_kind="human" if by else None,
        subject=user or requester,
        requested_by=requester,
        approved_by=approver,
        requested_at=created,
        approved_at=_approved_at(status, at, approver=approver, created=created),
        valid_from=start,
        valid_until=micros(item.get("endTime")) or _planned_end(item, status, at, start),
        revoked_at=at if status == "revoked" else None,
        ticket=label(item.get("ticketNo")),
        task=text(item.get("justification")),
        account=account,
        scope=[role, *([f"{account}/{role}"] if account else [])],
        roles=list(role_patterns(account or "", role)) or None,
    )
    return approval_event(state, _NAME, options)


def _user(value: Any) -> str | None:
    """Identity Center's user name: TEAM's user pool puts `idc_` before it."""
    name = text(value)
    return (name.removeprefix("idc_") or None) if name else None


def _approved_at(status: str, at: int, *, approver: str | None, created: int | None) -> int | None:
    """When it was approved, where that can be said: TEAM keeps only the time of the last change.

    Without an approver the request needed none, and was approved by policy as it was made.
    """
    if status not in _GRANTED:
        return None
    if approver is None:
        return created
    return at if status == "approved" else None


def _planned_end(item: dict[str, Any], status: str, at: int, start: int | None) -> int | None:
    """The end of a grant that runs: so many hours after its start, or after the answer where that came later."""
    hours = integer(item.get("duration"))
    if status not in _RUNNING or hours is None or start is None:
        return None
    return checked_micros(max(start, at) + hours * _HOUR)


@lru_cache(maxsize=4096)
def role_patterns(account: str, permission_set: str) -> tuple[str, ...]:
    """The roles that a permission set becomes in an account: AWSReservedSSO_<name>_<16 characters>, under a path.

    Empty where account or name could not be AWS's: a name with a wildcard must not widen the approval.
    """
    if not _ACCOUNT.fullmatch(account) or not _PERMISSION_SET.fullmatch(permission_set):
        return ()
    name = f"AWSReservedSSO_{permission_set}_{_CODE}"
    return tuple(f"arn:aws*:iam::{account}:role/{place}{name}" for place in _PLACES)


SOURCE = Source(
    name=_NAME,
    log=_NAME,
    version=3,
    title="AWS TEAM (temporary elevated access) requests",
    reads="items of the table `requests`: DynamoDB exports, scans and streams, answers of TEAM's AppSync API",
    recognised_by="accountId, accountName, role, roleId, startTime and duration, plain or with DynamoDB's types",
    grade="documentation",
    documentation="https://aws-samples.github.io/iam-identity-center-team/",
    documented_at="2026-11-25",
    evidence_kinds=("approval",),
    voice="recorded",
    governs=("aws",),
    join_keys=("approval", "ticket"),
    recognise=recognise,
    records=partial(json_records, arrays=_ARRAYS),
    events=events,
    objects=(
        "Item",
        "dynamodb",
        "data",
        "approvers",
        "approver_ids",
    ),
    never_text=frozenset({"Item", "dynamodb", "data"}),
)
