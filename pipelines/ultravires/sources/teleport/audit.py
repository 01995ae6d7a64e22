"""Teleport's audit log: JSON lines as the auth service and the event handler write them.

Events: https://goteleport.com/docs/reference/audit-events
Who did what through Teleport, the certificates it issued, and its access requests, which are approvals: a record of an
access request is the approval's state and no activity besides. Teleport itself writes the ids of the access requests
into the certificate and from there into each record, so they are carried and immutable.

A session's credential is `teleport:<sid>`. A certificate has no id in the log: it is named by the record that issued
it, `teleport:cert/<uid>`. A bot that joins gets an instance, `teleport:bot-instance/<id>`, by which it asks for
certificates.
"""

from functools import partial
from typing import Any

from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, micros, text
from ultravires.sources.ocsf.classes import ACCOUNT_CHANGE, API_ACTIVITY, AUTHENTICATION
from ultravires.sources.teleport import records as teleport
from ultravires.sources.teleport.access_changes import grants_of
from ultravires.sources.teleport.effects import effects_of, second_factor_of
from ultravires.sources.teleport.requests import SOURCE_NAME, request_event, status_of

_ARRAYS = ("events",)
_OTHER = 99
_LOGINS = frozenset({"user.login", "bot.join", "instance.join", "auth"})
_ACCOUNTS = {"create": 1, "delete": 6, "password_change": 3}
_OPERATIONS = {
    "create": 1,
    "created": 1,
    "start": 1,
    "update": 3,
    "updated": 3,
    "upsert": 3,
    "delete": 4,
    "deleted": 4,
    "end": 4,
}
_SESSION_ENDS = frozenset({"session.end", "db.session.end", "app.session.end", "windows.desktop.session.end"})
_READS = frozenset({"GET", "HEAD"})
_SECOND = 1_000_000
_SUBJECTS = ("sub", "username", "arn", "email", "project_path", "repository")


def recognise(head: Head) -> bool:
    """One of the first objects has the index, name, code and time of a Teleport event."""
    return head.holds("ei", "event", "code", "time", arrays=_ARRAYS)


def events(record: dict[str, Any], options: Options) -> tuple[Event]:
    """One audit record to one event: an approval's state or an activity. Raises NotParsed without name or time."""
    event = text(record.get("event"))
    if event is None:
        raise NotParsed("no event: not a Teleport audit record")
    at = event_time(record.get("time"))
    actor = teleport.actor_of(record, event)
    if event.startswith("access_request.") and (status := status_of(record, event)):
        return request_event(record, event, status, at=at, actor=actor, options=options)
    return (_activity(record, event, at, actor),)


def _activity(record: dict[str, Any], event: str, at: int, actor: teleport.Actor) -> Event:
    code = text(record.get("code")) or ""
    outcome = teleport.outcome_of(record, code)
    cluster = text(record.get("cluster_name"))
    session = teleport.session_of(record, event)
    issued, expires = _issued(record, event, actor) if outcome == "success" else (None, None)
    used = _used(event, session, actor)
    class_uid, activity_id = _ocsf(event)
    has_mfa = _has_mfa(record, event)
    return Event(
        native_id=text(record.get("uid")) or _place(record),
        event_at=at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=actor.uid,
        actor_kind=actor.kind,
        actor_name=actor.bot_name,
        on_behalf_of_uid=actor.impersonator,
        account_uid=cluster,
        workload_uid=actor.bot_instance,
        action=f"teleport:{event}",
        resource_uids=teleport.resources_of(record, event, cluster),
        outcome=outcome,
        error_code=code if code and outcome != "success" else None,
        src_ip=teleport.source_of(record),
        user_agent=text(record.get("user_agent")),
        credential_uid=used,
        issued_credential_uid=issued,
        issued_expires_at=expires,
        revoked_credential_uid=f"teleport:{session}" if session and event in _SESSION_ENDS else None,
        keys=_keys(record, event),
        detail=present(
            role_arn=teleport.role_of(record),
            session_name=session,
            grants=grants_of(record, event) if outcome == "success" else None,
            effects=effects_of(record, event),
            second_factor=second_factor_of(record, event, outcome, has_mfa),
            credential_kind="session" if used else None,
            credential_holder=actor.impersonator if used else None,
            issued_duration_seconds=(expires - at) // _SECOND if expires else None,
            mfa=has_mfa,
            read_only=text(record.get("verb")) in _READS if event == "kube.request" else None,
            event_type=code or None,
            issued_kind="session" if issued and event != "cert.create" else None,
        ),
    )


def _issued(record: dict[str, Any], event: str, actor: teleport.Actor) -> tuple[str | None, int | None]:
    """The id and the end of the credential that this record issued."""
    if event == "cert.create":
        uid = text(record.get("uid"))
        return (f"teleport:cert/{uid}" if uid else None), micros(mapping(record.get("identity")).get("expires"))
    if event == "bot.join" and actor.bot_instance:
        return f"teleport:bot-instance/{actor.bot_instance}", None
    if event == "spiffe.svid.issued":
        number = label(record.get("serial_number")) or text(record.get("jti"))
        return (f"teleport:svid/{number}" if number else None), None
    return None, None


def _used(event: str, session: str | None, actor: teleport.Actor) -> str | None:
    """A session's records share the session; outside of one, a bot acts by its instance."""
    if session:
        return f"teleport:{session}"
    is_by_instance = actor.bot_instance and event != "bot.join"
    return f"teleport:bot-instance/{actor.bot_instance}" if is_by_instance else None


def _keys(record: dict[str, Any], event: str) -> list[tuple[str, str, str]]:
    keys = [("approval", request, "carries") for request in teleport.requests_of(record)]
    if event in ("bot.join", "instance.join") and (subject := _subject(mapping(record.get("attributes")))):
        keys.append(("federated_subject", subject, "carries"))
    if event == "spiffe.svid.issued" and (spiffe_id := text(record.get("spiffe_id"))):
        keys.append(("bearer", spiffe_id, "names"))
    return keys


def _subject(attributes: dict[str, Any]) -> str | None:
    """The subject of the web identity with which a bot joined (a service account, a CI job, a role)."""
    found = text(mapping(attributes.get("raw")).get("sub"))
    return found or next((value for name in _SUBJECTS if (value := text(attributes.get(name)))), None)


def _has_mfa(record: dict[str, Any], event: str) -> bool | None:
    """A local login shows its second factor; of an identity provider's login Teleport cannot know."""
    if mapping(record.get("mfa_device")) or text(record.get("with_mfa")):
        return True
    is_local = event == "user.login" and record.get("method") == "local" and record.get("success") is True
    return False if is_local else None


def _ocsf(event: str) -> tuple[int, int]:
    kind, _, operation = event.rpartition(".")
    if event in _LOGINS:
        return AUTHENTICATION, 1
    if kind in ("user", "bot"):
        return ACCOUNT_CHANGE, _ACCOUNTS.get(operation, _OTHER)
    return API_ACTIVITY, _OPERATIONS.get(operation, _OTHER)


def _place(record: dict[str, Any]) -> str | None:
    """Records of a session once had no id of their own, but a place in it."""
    session, index = text(record.get("sid")), label(record.get("ei"))
    return f"{session}/{index}" if session and index else None


SOURCE = Source(
    name=SOURCE_NAME,
    log=SOURCE_NAME,
    version=6,
    title="Teleport audit log",
    reads="audit events as JSON lines (files of the auth service, output of the event handler) or an array `events`",
    recognised_by="the members ei, event, code and time",
    grade="verified",
    documentation="https://goteleport.com/docs/reference/audit-events",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential", "approval"),
    voice="recorded",
    system="teleport",
    governs=("teleport",),
    grants=True,
    join_keys=("approval", "federated_subject", "bearer"),
    recognise=recognise,
    records=partial(json_records, arrays=_ARRAYS),
    events=events,
    objects=(
        "identity",
        "target",
        "attributes",
        "mfa_device",
        "roles",
        "user_roles",
        "resource_ids",
        "access_requests",
        "argv",
        "members",
    ),
    never_text=frozenset({"identity"}),
)
