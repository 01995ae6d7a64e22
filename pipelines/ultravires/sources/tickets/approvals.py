"""Approvals as `approvals.jsonl`, for grants without a vendor's format: a line is one state of one.

Members: approval_id, task, subject, requested_by, approved_by, requested_at, approved_at, valid_from,
valid_until, revoked_at, updated_at, status (requested, approved, denied, revoked, expired), actions[], resources[],
roles[], tools[], ticket, risk. Only approval_id, status and one time are needed.
"""

from typing import Any

from ultravires.reading.events import Event, NotParsed, event_time
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, micros, text, texts
from ultravires.sources.tickets.approval_states import STATUSES, ApprovalState, approval_event

_OWN_TIME = {
    "requested": "requested_at",
    "approved": "approved_at",
    "revoked": "revoked_at",
    "denied": "approved_at",
    "expired": "valid_until",
}


def recognise(head: Head) -> bool:
    """One of the first objects has both an approval_id and a status."""
    return head.holds("approval_id", "status")


def events(record: dict[str, Any], options: Options) -> tuple[Event]:
    """One state of an approval to one event. Raises NotParsed without id, known status or a time for that
    status.
    """
    uid, status = label(record.get("approval_id")), text(record.get("status"))
    if uid is None:
        raise NotParsed("no approval_id")
    if status not in STATUSES:
        raise NotParsed(f"status is none of {', '.join(STATUSES)}")
    event_at = event_time(record.get("updated_at"), record.get(_OWN_TIME[status]))
    state = ApprovalState(
        uid=uid,
        status=status,
        at=event_at,
        subject=label(record.get("subject")),
        requested_by=label(record.get("requested_by")),
        approved_by=label(record.get("approved_by")),
        requested_at=micros(record.get("requested_at")),
        approved_at=micros(record.get("approved_at")),
        valid_from=micros(record.get("valid_from")),
        valid_until=micros(record.get("valid_until")),
        revoked_at=micros(record.get("revoked_at")),
        ticket=label(record.get("ticket")),
        task=text(record.get("task")),
        risk=text(record.get("risk")),
        actions=texts(record["actions"]) if "actions" in record else None,
        resources=texts(record["resources"]) if "resources" in record else None,
        roles=texts(record["roles"]) if "roles" in record else None,
        tools=texts(record["tools"]) if "tools" in record else None,
    )
    return (approval_event(state, "approvals", options),)


SOURCE = Source(
    name="approvals",
    log="approvals",
    version=3,
    title="Approvals (JSON lines)",
    reads="approvals.jsonl, one state of one approval a line",
    recognised_by="the members approval_id and status",
    grade="documentation",
    documentation="docs/sources/approvals.md",
    documented_at="2026-11-24",
    evidence_kinds=("approval",),
    voice="recorded",
    join_keys=("approval", "ticket"),
    recognise=recognise,
    records=json_records,
    events=events,
    objects=(
        "actions",
        "resources",
        "roles",
        "tools",
    ),
)
