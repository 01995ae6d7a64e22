"""Google Workspace audit: activities of the Admin SDK's Reports API, above all those of admins and of OAuth tokens.

Activity: https://developers.google.com/workspace/admin/reports/reference/rest/v1/activities/list
What Cloud Logging holds of the same events is read as Google Cloud's audit log.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec

from ultravires.reading.addresses import address_of
from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, sequence, text
from ultravires.sources.google_workspace.effects import effects_of
from ultravires.sources.google_workspace.iam_changes import grants_of
from ultravires.sources.google_workspace.meanings import (
    Happened,
    account_words,
    client_of,
    copy_keys,
    grant_ended,
    grant_made,
    grant_uid,
    happened,
    ocsf_class,
    outcome_of,
    second_factor_of,
    targets_of,
)

_TYPICAL = ("id", "actor")
_APPLICATION, _MARKS = b'"applicationName', (b'"uniqueQualifier', b'"admin#reports#activit')
"""Also where the id is written as text, with a backslash before its quotes."""
_GRANTING = frozenset({"admin", "token"})
_GOOGLE = "system@google.com"
_SERVICE_ACCOUNT = "gserviceaccount.com"


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who did it, for which person, and through which OAuth client where the log says so."""

    uid: str | None
    kind: str
    user: str | None = None
    via: str | None = None


def recognise(head: Head) -> bool:
    """Activities have an id with an application's name, an actor, and events (or one, taken out of its list)."""
    if _APPLICATION not in head.data or not any(mark in head.data for mark in _MARKS):
        return False
    keys = head.first_keys("items")
    return any(names.issuperset(_TYPICAL) and ("events" in names or "name" in names) for names in keys)


def events(record: dict[str, Any], options: Options) -> Iterable[Event]:
    """One activity to an event for each thing that happened in it. Raises NotParsed without a time, an application or
    anything that happened.
    """
    identity = mapping(record.get("id"))
    at = event_time(identity.get("time"))
    application = text(identity.get("applicationName"))
    found = [one for one in map(happened, _happenings(record)) if one is not None]
    if application is None or not found:
        raise NotParsed("no applicationName and events: not an activity of Google Workspace")
    return [_event(record, application, one, at=at, number=number) for number, one in enumerate(found)]


def _happenings(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of an activity; some forwarders write one record for each."""
    listed = record.get("events")
    return list(map(mapping, sequence(listed))) if listed is not None else [record]


def _event(record: dict[str, Any], application: str, event: Happened, *, at: int, number: int) -> Event:
    identity = mapping(record.get("id"))
    unique, customer = label(identity.get("uniqueQualifier")), text(identity.get("customerId"))
    actor = actor_of(mapping(record.get("actor")), application, event)
    class_uid, activity_id = ocsf_class(event.name)
    outcome = outcome_of(event.name)
    is_done = outcome == "success" and application == "token"
    used = grant_uid(actor.user, actor.uid) if _is_use(application, event) else None
    grants = grants_of(event, actor.user) if outcome == "success" and application in _GRANTING else []
    words = account_words(event) if outcome == "success" and application == "admin" else []
    return Event(
        native_id=f"{application}/{unique}/{number}" if unique else None,
        event_at=at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=actor.uid,
        actor_kind=actor.kind,
        on_behalf_of_uid=actor.user if used else None,
        via_service=actor.via,
        account_uid=customer,
        action=f"google-workspace:{application}.{event.name}",
        resource_uids=_resources(event, used),
        outcome=outcome,
        src_ip=address_of(record.get("ipAddress")),
        credential_uid=used,
        issued_credential_uid=grant_made(event, actor.user) if is_done else None,
        revoked_credential_uid=grant_ended(event, actor.user) if is_done else None,
        keys=copy_keys(unique, event),
        detail=present(
            event_type=event.type,
            grants=grants or None,
            effects=effects_of(event, actor.user) or None,
            lifecycle=words or None,
            second_factor=second_factor_of(event) if application == "login" else None,
        ),
    )


def _resources(event: Happened, used: str | None) -> list[str]:
    """What was acted on; of a call under a grant the API that was called."""
    called = label(event.parameters.get("api_name")) if used else None
    return [called] if called else targets_of(event)


def actor_of(said: dict[str, Any], application: str, event: Happened) -> Actor:
    """`actor` to an Actor. What a client does under a grant is done by the client, for the person who granted it."""
    user = text(said.get("email")) or label(said.get("profileId"))
    client = client_of(event) if _is_use(application, event) else None
    if client:
        return Actor(client, "service", user)
    via = text(mapping(said.get("applicationInfo")).get("oauthClientId"))
    if user:
        return Actor(user, "service" if user.endswith(_SERVICE_ACCOUNT) else "human", user, via)
    key = text(said.get("key"))
    # The key of what Google does by itself; Cloud Logging gives it an address.
    uid = _GOOGLE if key == "SYSTEM" else key or via
    return Actor(uid, "service" if uid else "unknown")


def _is_use(application: str, event: Happened) -> bool:
    """Whether a client called an API under a grant."""
    return application == "token" and event.name.lower() == "activity"


SOURCE = Source(
    name="google_workspace_audit",
    log="google_workspace_audit",
    version=5,
    title="Google Workspace audit",
    reads="activities of the Reports API (admin, token and all other applications): answers with `items`, or one "
    "activity a line, also with one record for each of its events",
    recognised_by="id with applicationName, actor and events; and uniqueQualifier or the kind admin#reports#activity",
    grade="verified",
    documentation="https://developers.google.com/workspace/admin/reports/reference/rest/v1/activities/list",
    documented_at="2026-11-29",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="google_workspace",
    join_keys=("shared_event",),
    recognise=recognise,
    records=partial(json_records, arrays=("items",)),
    events=events,
    objects=(
        "id",
        "actor",
        "events",
        "parameters",
    ),
    never_text=frozenset({"id", "actor"}),
)
