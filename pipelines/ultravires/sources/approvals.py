"""Approvals as `approvals.jsonl`, for grants without a vendor's format: a line is one state of one.

Members: approval_id, task, subject, requested_by, approved_by, requested_at, approved_at, valid_from,
valid_until, revoked_at, updated_at, status (requested, approved, denied, revoked), actions[], resources[],
roles[], tools[], ticket, risk. Only approval_id, status and one time are needed.
"""

from typing import Any

from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.source import Event, NotParsed, Options, Source, present
from ultravires.reading.values import iso, label, micros, text, texts

USER_ACCESS = 3005
_ACTIVITY = {"approved": 1, "revoked": 2, "requested": 99, "denied": 99}
_OUTCOME = {"approved": "success", "revoked": "success", "requested": "unknown", "denied": "denied"}
_OWN_TIME = {
    "requested": "requested_at",
    "approved": "approved_at",
    "revoked": "revoked_at",
    "denied": "approved_at",
}
_TIMES = ("requested_at", "approved_at", "valid_from", "valid_until", "revoked_at")
_NEEDED = frozenset({"approval_id", "status"})


def recognise(head: Head) -> bool:
    """One of the first objects has both an approval_id and a status."""
    return any(keys >= _NEEDED for keys in head.first_keys())


def events(record: dict[str, Any], options: Options) -> tuple[Event]:
    """One state of an approval to one event. Raises NotParsed without id, known status or a time for that
    status.
    """
    uid, status = label(record.get("approval_id")), text(record.get("status"))
    if uid is None:
        raise NotParsed("no approval_id")
    if status not in _ACTIVITY:
        raise NotParsed("status is none of requested, approved, denied, revoked")
    event_at = micros(record.get("updated_at")) or micros(record.get(_OWN_TIME[status]))
    if event_at is None:
        raise NotParsed("no time")
    acted = "requested_by" if status == "requested" else "approved_by"
    ticket = label(record.get("ticket"))
    event = Event(
        native_id=f"{uid}/{status}",
        event_at=event_at,
        kind="approval",
        class_uid=USER_ACCESS,
        activity_id=_ACTIVITY[status],
        actor_uid=label(record.get(acted)),
        action=f"approval:{status}",
        resource_uids=texts(record.get("resources")),
        outcome=_OUTCOME[status],
        approval_uid=uid,
        task=text(record.get("task")),
        keys=[("approval", uid, "names"), *([("ticket", ticket, "names")] if ticket else [])],
        detail=_detail(record, status, ticket),
    )
    return (event,)


def _detail(record: dict[str, Any], status: str, ticket: str | None) -> dict[str, Any]:
    times = {name: micros(record.get(name)) for name in _TIMES}
    lists = {name: texts(record.get(name)) for name in ("actions", "resources", "roles", "tools") if name in record}
    return present(
        status=status,
        origin="ticket",
        subject=label(record.get("subject")),
        requested_by=label(record.get("requested_by")),
        approved_by=label(record.get("approved_by")),
        ticket=ticket,
        risk=text(record.get("risk")),
        **lists,
        **{name: iso(moment) for name, moment in times.items() if moment is not None},
    )


SOURCE = Source(
    name="approvals",
    log="approvals",
    version=1,
    title="Approvals (JSON lines)",
    reads="approvals.jsonl, one state of one approval a line",
    recognised_by="the members approval_id and status",
    grade="documentation",
    documentation="docs/sources/approvals.md",
    documented_at="2026-11-24",
    evidence_kinds=("approval",),
    join_keys=("approval", "ticket"),
    recognise=recognise,
    records=json_records,
    events=events,
)
