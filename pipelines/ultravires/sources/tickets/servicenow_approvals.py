"""ServiceNow's approvals: rows of `sysapproval_approver`; requests, requested items and changes with their approval.

Tables and times: https://www.servicenow.com/docs/ (Table API; Time zones). Read are answers of the Table API
(`{"result": [...]}`), JSON exports (`{"records": [...]}`), lines of such records, and CSV exports. A value is plain, or
an object with `value` and `display_value` (`sysparm_display_value=all`), or a reference `{link, value}`.

What is approved is the request, item or change: its sys_id is the approval's id, its number the ticket, so the rows of
its approvers are states of one approval. The last word counts: an approver's answer is an answer, until the row of the
request itself, which knows whether more are to come, says otherwise.

An approver's row of display values shows the number where the row of what was approved has its sys_id. Without sys_ids
in the export both go by the number; where the row has one of its own, the two would never meet, and it is put aside.

Times are UTC in what the database holds, and in the reader's own time zone where display values are asked for. Records
of display values alone are put aside; a CSV export does not tell, and has to be made by a user whose zone is UTC.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from ultravires.formats.csv_rows import csv_records, header_of
from ultravires.reading.events import Event, Frame, NoEvent, NotParsed, logged_at
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, micros, text
from ultravires.sources.tickets.approval_states import ApprovalState, approval_event

_NAME = "servicenow_approvals"
_ARRAYS = ("result", "records")
_BEFORE = b"\xef\xbb\xbf \t\r\n"
_STATES = {"requested": "requested", "approved": "approved", "rejected": "denied"}
_RISKS = {"1": "critical", "2": "high", "3": "medium", "4": "low", "5": "low"}
_RISK_WORDS = {"very high": "critical", "critical": "critical", "high": "high", "moderate": "medium", "low": "low"}
_APPROVER_ROW, _APPROVED_ROW = frozenset({"approver", "state"}), frozenset({"number", "approval"})
_TIMES = frozenset({"sys_created_on", "sys_updated_on"})
_DOCUMENTS = frozenset({"sysapproval", "document_id"})
_TASK = re.compile(rb"\b(?:sc_req_item|sc_request|change_request|(?:RITM|REQ|CHG)\d{4,})\b")
_NUMBER = re.compile(r"(?:RITM|REQ|CHG)\d{4,}")
_NUMBER_ONLY = (
    "display values: {} is a number, and what was approved goes by its sys_id where rows have one: "
    "export with sysparm_display_value=all"
)
_CANCELLED = frozenset({"request_cancelled", "request cancelled", "closed_cancelled", "closed cancelled"})
_CHANGE_CLOSED, _CHANGE_CANCELED = ("3", "closed"), ("4", "canceled")
_SCOPE = ("cat_item", "cmdb_ci", "configuration_item", "business_service")


def recognise(head: Head) -> bool:
    """An approver's row by its members, or a row of a request, item or change by members and its table or number."""
    found = head.first_keys(*_ARRAYS) if head.is_object else (header_of(head.data),)
    return any(_is_row(keys, head.data) for keys in found)


def _is_row(keys: frozenset[str], data: bytes) -> bool:
    if not keys & _TIMES:
        return False
    is_approver = keys >= _APPROVER_ROW and bool(keys & _DOCUMENTS)
    return is_approver or (keys >= _APPROVED_ROW and bool(_TASK.search(data)))


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """JSON in any of its shapes; what does not start like JSON is CSV."""
    start = b""
    while not start.lstrip(_BEFORE) and (chunk := next(chunks, None)) is not None:
        start += chunk
    whole = chain([start], chunks)
    is_json = start.lstrip(_BEFORE)[:1] in (b"{", b"[")
    yield from json_records(whole, options, arrays=_ARRAYS) if is_json else csv_records(whole, options)


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One row to the state of an approval; none where nobody was asked (not requested, not required, a duplicate)."""
    if _is_display_only(record):
        raise NotParsed("display values without their time zone: export with sysparm_display_value=false")
    state = _answer(record) if "approver" in record else _request(record)
    return (approval_event(state, _NAME, options),) if state else NoEvent("nobody was asked")


def _answer(record: dict[str, Any]) -> ApprovalState | None:
    """A row of sysapproval_approver: what one approver was asked, and answered, about one request."""
    status = _STATES.get((_value(record, "state") or "").lower())
    if status is None:
        return None
    document = text(record.get("sysapproval.sys_id")) or _value(record, "sysapproval") or _value(record, "document_id")
    if document is None:
        raise NotParsed("no sysapproval or document_id: nothing that was approved")
    if _NUMBER.fullmatch(document) and _value(record, "sys_id"):
        raise NotParsed(_NUMBER_ONLY.format(document))
    asked, changed = _moment(record, "sys_created_on"), _moment(record, "sys_updated_on")
    at = logged_at((asked if status == "requested" else changed) or changed or asked)
    approver = _person(record, "approver") if status != "requested" else None
    return ApprovalState(
        uid=document,
        status=status,
        at=at,
        native_id=f"{_value(record, 'sys_id') or document}/{status}",
        by=approver,
        by_kind="human" if approver else None,
        approved_by=approver,
        requested_at=asked,
        approved_at=at if status != "requested" else None,
        ticket=text(record.get("sysapproval.number")) or _shown(record, "sysapproval", "document_id"),
    )


def _request(record: dict[str, Any]) -> ApprovalState | None:
    """A row of a request, requested item or change: how its approval as a whole stands."""
    approval = _STATES.get((_value(record, "approval") or "").lower())
    if approval is None:
        return None
    number = _value(record, "number")
    uid = _value(record, "sys_id") or number
    if uid is None:
        raise NotParsed("no sys_id and no number")
    status, ended = _standing(record, approval)
    set_at, changed = _moment(record, "approval_set"), _moment(record, "sys_updated_on")
    asked = _moment(record, "opened_at") or _moment(record, "sys_created_on")
    answered = set_at if approval != "requested" else None
    at = logged_at((ended if status in ("revoked", "expired") else answered) or changed or asked)
    requester = _person(record, "opened_by") or _person(record, "requested_by") or _value(record, "sys_created_by")
    return ApprovalState(
        uid=uid,
        status=status,
        at=at,
        native_id=f"{uid}/{status}",
        by=requester if status == "requested" else None,
        subject=_person(record, "requested_for") or _person(record, "requested_by"),
        requested_by=requester,
        requested_at=asked,
        approved_at=answered if approval == "approved" or status == "denied" else None,
        valid_from=_moment(record, "start_date"),
        valid_until=_moment(record, "end_date"),
        revoked_at=at if status == "revoked" else None,
        ticket=number,
        task=_value(record, "short_description"),
        risk=_risk(record),
        scope=list(dict.fromkeys(word for name in _SCOPE for word in _words(record, name))),
    )


def _standing(record: dict[str, Any], approval: str) -> tuple[str, int | None]:
    """The approval's state, and when it ended: a request that was cancelled is revoked, a change that is over expired.

    What was rejected stays so. A requested item that is closed was delivered; what it granted goes on.
    """
    if approval == "denied":
        return approval, None
    closed = _moment(record, "closed_at") or _moment(record, "sys_updated_on")
    stage = (_value(record, "stage") or _value(record, "request_state") or "").lower()
    is_change = _value(record, "sys_class_name") == "change_request" or "start_date" in record
    state = (_value(record, "state") or "").lower()
    if stage in _CANCELLED or (is_change and state in _CHANGE_CANCELED):
        return "revoked", closed
    if is_change and state in _CHANGE_CLOSED and approval == "approved":
        return "expired", closed
    return approval, None


def _risk(record: dict[str, Any]) -> str | None:
    said = (_value(record, "risk") or "").lower()
    return _RISKS.get(said) or _RISK_WORDS.get(said)


def _moment(record: dict[str, Any], name: str) -> int | None:
    """A time of the database; one with slashes is in a user's own format, in which 05/10 may be May or October."""
    written = record.get(name)
    if type(written) is dict:
        written = written.get("value")
    return None if type(written) is str and "/" in written else micros(written)


def _value(record: dict[str, Any], name: str) -> str | None:
    """What the database holds: a plain value, the `value` of an object, or the sys_id at the end of a link."""
    value = record.get(name)
    if type(value) is not dict:
        return text(value)
    link = text(value.get("link"))
    return text(value.get("value")) or (link.rpartition("/")[2] or None if link else None)


def _shown(record: dict[str, Any], *names: str) -> str | None:
    shown = (text(mapping(record.get(name)).get("display_value")) for name in names)
    return next((found for found in shown if found), None)


def _words(record: dict[str, Any], name: str) -> list[str]:
    """What the system calls a thing: its name where the record shows it, and its id."""
    found = (text(record.get(f"{name}.name")), _shown(record, name), _value(record, name))
    return [word for word in found if word]


def _person(record: dict[str, Any], name: str) -> str | None:
    """A user by address or user name where these were exported beside the reference, else by sys_id."""
    return text(record.get(f"{name}.email")) or text(record.get(f"{name}.user_name")) or _value(record, name)


def _is_display_only(record: dict[str, Any]) -> bool:
    """Whether references show a name and no value: then the times are display values too."""
    return any(type(v) is dict and "display_value" in v and "value" not in v for v in record.values())


SOURCE = Source(
    name=_NAME,
    log=_NAME,
    version=3,
    title="ServiceNow approvals",
    reads="sysapproval_approver, sc_request, sc_req_item and change_request: Table API answers, JSON and CSV exports",
    recognised_by="approver, state and sysapproval; or number and approval of such a table, with ServiceNow's times",
    grade="documentation",
    documentation="https://www.servicenow.com/docs/r/zurich/platform-administration/time-configuration/r_TimeZones.html",
    documented_at="2026-11-25",
    evidence_kinds=("approval",),
    voice="recorded",
    join_keys=("approval", "ticket"),
    recognise=recognise,
    records=records,
    events=events,
    objects=(
        "approver",
        "sysapproval",
        "document_id",
        "requested_for",
        "requested_by",
        "opened_by",
        "cat_item",
        "cmdb_ci",
        "request",
    ),
)
