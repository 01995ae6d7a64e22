"""Approvals of Jira Service Management: answers of its REST API, and issues that hold them (webhooks, searches).

REST: https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/ (customer request approvals).
Read are an approval, a page of them (`values`), a request with its `approvals`, an issue with the approvals in one of
its custom fields, and a webhook with such an issue.

An approval's id is unique in one site, so the site stands before it. The issue's key is the ticket. Jira revokes no
approval: an issue that is resolved as cancelled, withdrawn, revoked or expired ends what was approved in it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from ultravires.reading.events import Event, NoEvent, NotParsed, logged_at
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, micros, moment_of_first, sequence, text
from ultravires.sources.tickets.approval_states import ApprovalState, approval_event

_NAME = "jira_approvals"
_ARRAYS = ("issues",)
_HOLDERS = ("finalDecision", "values", "approvals", "issue", "fields")
_STATES = {"pending": "requested", "approved": "approved", "declined": "denied"}
_ENDS = {
    "canceled": "revoked",
    "cancelled": "revoked",
    "withdrawn": "revoked",
    "revoked": "revoked",
    "expired": "expired",
}
_SITE = re.compile(r"https?://(.+?)/rest/")
_REQUEST = re.compile(r"/request/([A-Za-z][A-Za-z0-9_]*-\d+)/")


class Issue(NamedTuple):
    """What is known of the issue that an approval belongs to."""

    key: str | None = None
    link: str | None = None
    summary: str | None = None
    reporter: str | None = None
    creator: str | None = None
    scope: tuple[str, ...] = ()
    end: str | None = None
    ended_by: str | None = None
    ended_at: int | None = None


def recognise(head: Head) -> bool:
    """An object that is, or may hold, an approval; and the two decisions that only Jira's approvals have."""
    is_holder = any(keys & set(_HOLDERS) for keys in head.first_keys(*_ARRAYS))
    return is_holder and all(word in head.data for word in (b'"finalDecision"', b'"approvers"', b'"createdDate"'))


def events(record: dict[str, Any], options: Options) -> Sequence[Event]:
    """The approvals in one record, each in its state; none where an issue holds no approval."""
    found = [_event(approval, issue, options) for approval, issue in _approvals(record)]
    return found or NoEvent("issue without an approval")


def _approvals(record: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Issue]]:
    if "finalDecision" in record:
        yield record, Issue()
        return
    issue = mapping(record.get("issue")) or record
    fields = mapping(issue.get("fields"))
    if fields:
        known = _issue(issue, fields)._replace(ended_by=_resolver(record))
        for value in fields.values():
            yield from ((approval, known) for approval in _listed(value))
        return
    known = _request(record)
    for name in ("values", "approvals"):
        yield from ((approval, known) for approval in _listed(record.get(name)))


def _listed(value: Any) -> Iterator[dict[str, Any]]:
    return (item for item in sequence(value) if type(item) is dict and "finalDecision" in item)


def _issue(issue: dict[str, Any], fields: dict[str, Any]) -> Issue:
    """An issue as Jira's own REST API and its webhooks hold it."""
    resolution = (text(mapping(fields.get("resolution")).get("name")) or "").lower()
    return Issue(
        key=text(issue.get("key")),
        link=text(issue.get("self")),
        summary=text(fields.get("summary")),
        reporter=_person(fields.get("reporter")),
        creator=_person(fields.get("creator")),
        scope=_scope(fields),
        end=_ENDS.get(resolution),
        ended_at=micros(fields.get("resolutiondate")),
    )


def _resolver(record: dict[str, Any]) -> str | None:
    """Who resolved the issue, where this webhook tells of it: its user is who made the change it is sent for."""
    changes = sequence(mapping(record.get("changelog")).get("items"))
    is_resolving = any(mapping(change).get("field") == "resolution" for change in changes)
    return _person(record.get("user")) if is_resolving else None


def _request(record: dict[str, Any]) -> Issue:
    """A request as the service desk's API holds it, or what a page says of the one it belongs to."""
    links = mapping(record.get("_links"))
    kind = text(mapping(record.get("requestType")).get("name"))
    reporter = _person(record.get("reporter"))
    return Issue(
        key=text(record.get("issueKey")),
        link=text(links.get("self")) or text(links.get("base")),
        summary=text(record.get("summary")),
        reporter=reporter,
        creator=reporter,
        scope=(kind,) if kind else (),
    )


def _scope(fields: dict[str, Any]) -> tuple[str, ...]:
    """The request's type and the components, in Jira's words; the issue's type where there is neither."""
    kinds = (mapping(value).get("requestType") for value in fields.values())
    named = (*kinds, *sequence(fields.get("components")))
    words = tuple(word for item in named if (word := text(mapping(item).get("name"))))
    issue_type = text(mapping(fields.get("issuetype")).get("name"))
    return words or ((issue_type,) if issue_type else ())


def _event(approval: dict[str, Any], issue: Issue, options: Options) -> Event:
    number, decision = label(approval.get("id")), (text(approval.get("finalDecision")) or "").lower()
    if number is None:
        raise NotParsed("no id")
    if decision not in _STATES:
        raise NotParsed(f"finalDecision is none of {', '.join(_STATES)}")
    asked, answered = _moment(approval.get("createdDate")), _moment(approval.get("completedDate"))
    status = _STATES[decision]
    is_over = status != "denied" and issue.end is not None and issue.ended_at is not None
    status = issue.end if is_over and issue.end else status
    at = issue.ended_at if is_over else (asked if status == "requested" else answered)
    at = logged_at(at or answered or asked)
    link = text(mapping(approval.get("_links")).get("self")) or issue.link or ""
    site, key = _place(link)
    key = issue.key or key
    approver = _decider(approval, decision, issue.creator or issue.reporter)
    uid = f"{site or key or 'jira'}/approval/{number}"
    by = approver if status in ("approved", "denied") else issue.ended_by if is_over else None
    state = ApprovalState(
        uid=uid,
        status=status,
        at=at,
        native_id=f"{uid}/{status}",
        by=by,
        by_kind="human" if by and not is_over else None,
        subject=issue.reporter,
        requested_by=issue.creator or issue.reporter,
        approved_by=approver,
        requested_at=asked,
        approved_at=answered if decision != "pending" else None,
        revoked_at=at if status == "revoked" else None,
        ticket=key,
        task=issue.summary,
        scope=issue.scope,
    )
    return approval_event(state, _NAME, options)


def _moment(date: Any) -> int | None:
    """`{epochMillis, iso8601, ...}` to microseconds."""
    said = mapping(date)
    return moment_of_first([said.get("epochMillis"), said.get("iso8601")])


@lru_cache(maxsize=65536)
def _place(link: str) -> tuple[str | None, str | None]:
    """The site of a REST link, and the key of its request where the link names the request by key."""
    site, request = _SITE.match(link), _REQUEST.search(link)
    return site[1] if site else None, request[1] if request else None


def _decider(approval: dict[str, Any], decision: str, requester: str | None) -> str | None:
    """Who decided as it was decided in the end; of several, one who did not ask for it."""
    if decision == "pending":
        return None
    answers = map(mapping, sequence(approval.get("approvers")))
    deciders = [
        person
        for answer in answers
        if answer.get("approverDecision") == approval.get("finalDecision")
        and (person := _person(answer.get("approver")))
    ]
    return next((person for person in deciders if person != requester), deciders[0] if deciders else None)


def _person(user: Any) -> str | None:
    """A user by address, which other logs know too; where Jira hides it, by account id or the server's user name."""
    known = mapping(user)
    return next(
        (found for name in ("emailAddress", "accountId", "name", "key") if (found := text(known.get(name)))), None
    )


SOURCE = Source(
    name=_NAME,
    log=_NAME,
    version=3,
    title="Jira Service Management approvals",
    reads="approvals of the REST API, alone, in pages or with their request; issues and issue webhooks that hold them",
    recognised_by="finalDecision, approvers and createdDate of an approval, alone or in a page, a request or an issue",
    grade="documentation",
    documentation="https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/",
    documented_at="2026-11-25",
    evidence_kinds=("approval",),
    voice="recorded",
    join_keys=("approval", "ticket"),
    recognise=recognise,
    records=partial(json_records, arrays=_ARRAYS),
    events=events,
    objects=(
        "issue",
        "fields",
        "user",
        "changelog",
        "values",
        "approvals",
        "approvers",
        "createdDate",
        "completedDate",
        "reporter",
        "requestType",
        "_links",
    ),
    never_text=frozenset({"issue", "fields", "approvers", "createdDate"}),
)
