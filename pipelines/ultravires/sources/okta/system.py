"""Okta System Log: pages of the API, exports as lines, and events as EventBridge delivers them.

LogEvent: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/
EventBridge: https://help.okta.com/en-us/content/topics/reports/log-streaming/add-aws-eb-log-stream.htm
"""

from functools import lru_cache, partial
from typing import Any

from ultravires.reading.addresses import address_of
from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.splitting import decode_object
from ultravires.reading.values import label, mapping, sequence, text
from ultravires.sources.okta.access_changes import grants_of
from ultravires.sources.okta.credentials import Credentials, api_token_of, credentials_of
from ultravires.sources.okta.effects import effects_of
from ultravires.sources.okta.event_types import account_words, member, ocsf_class, outcome_of
from ultravires.sources.okta.second_factors import second_factor_of

_NEEDED = frozenset({"eventtype", "published", "actor"})
_TYPICAL = frozenset(
    {
        "uuid",
        "version",
        "severity",
        "legacyeventtype",
        "displaymessage",
        "client",
        "outcome",
        "target",
        "transaction",
        "debugcontext",
        "authenticationcontext",
        "securitycontext",
    }
)
_ENOUGH = 4
_PARTNER = b"aws.partner/okta.com"
_UNNAMED = frozenset({"unknown", "null"})
_ACTS_FOR_TARGET = frozenset({"user.session.impersonation.initiate", "user.session.impersonation.extend"})


def recognise(head: Head) -> bool:
    """Objects with eventType, published, actor and four more of a LogEvent's members, or EventBridge's
    envelope of one.
    """
    for keys in head.first_keys():
        names = {name.lower() for name in keys}
        if names >= _NEEDED and len(names & _TYPICAL) >= _ENOUGH:
            return True
    is_delivered = _PARTNER in head.data and head.holds("detail-type", "detail")
    return is_delivered and "SystemLog" in values_at(head, "detail-type")


def decode(data: bytes) -> Any:
    """A record's bytes to the LogEvent, out of the envelope in which EventBridge delivers it."""
    value = decode_object(data)
    return value["detail"] if "detail-type" in value and type(value.get("detail")) is dict else value


def events(record: dict[str, Any], options: Options) -> tuple[Event]:
    """One LogEvent to one activity. Raises NotParsed without a time, or without an event type."""
    event_at = event_time(record.get("published"))
    event_type = text(member(record, "eventType"))
    if event_type is None:
        raise NotParsed("no eventType: not an Okta event")
    actor, client = mapping(record.get("actor")), mapping(record.get("client"))
    targets = [target for target in sequence(record.get("target")) if type(target) is dict]
    transaction, result = mapping(record.get("transaction")), mapping(record.get("outcome"))
    outcome = outcome_of(result.get("result"), result.get("reason"))
    used = credentials_of(
        event_type, outcome == "success", mapping(member(record, "authenticationContext")), transaction, targets
    )
    class_uid, activity_id = ocsf_class(event_type)
    acts_for, subject = _acts_for(event_type, actor, targets), subject_of(actor)
    request = text(transaction.get("id"))
    keys = [("request", request, "names")] if request else []
    if used.issued and used.subject:
        keys.append(("bearer", used.subject, "names"))
    event = Event(
        native_id=text(record.get("uuid")),
        event_at=event_at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=subject,
        actor_kind=kind_of(text(actor.get("type")) or ""),
        actor_name=text(actor.get("displayName")),
        on_behalf_of_uid=acts_for,
        via_service=_via(actor, client, used),
        action=f"okta:{event_type}",
        resource_uids=list(dict.fromkeys(named for target in targets if (named := _resource_of(target)))),
        outcome=outcome,
        error_code=None if outcome == "success" else text(result.get("reason")),
        src_ip=address_of(client.get("ipAddress")),
        user_agent=text(mapping(client.get("userAgent")).get("rawUserAgent")),
        credential_uid=used.used,
        issued_credential_uid=used.issued,
        issued_expires_at=used.expires_at,
        revoked_credential_uid=used.revoked,
        keys=keys,
        detail=present(
            grants=grants_of(event_type, record, subject, targets, subject_of) if outcome == "success" else None,
            effects=effects_of(event_type, record, subject, targets, subject_of),
            second_factor=second_factor_of(event_type, record, outcome, targets),
            lifecycle=account_words(event_type, _names_of_users(targets)) or None if outcome == "success" else None,
            event_type=text(transaction.get("type")),
            credential_kind="session" if used.used and not api_token_of(transaction) else None,
            issued_kind="session" if used.issued and event_type != "system.api_token.create" else None,
        ),
    )
    return (event,)


@lru_cache(maxsize=1024)
def kind_of(party_type: str) -> str:
    """Okta's word for a party to ours: users are people, clients are services, workloads and agents are their own."""
    name = party_type.lower().replace(" ", "").replace("_", "")
    if "agent" in name:
        return "agent"
    if name.startswith("workload"):
        return "workload"
    if name in ("user", "appuser"):
        return "human"
    is_service = name.endswith(("app", "client", "principal", "appinstance", "org", "server"))
    return "service" if is_service else "unknown"


def subject_of(party: dict[str, Any]) -> str | None:
    """A person by the login that other logs know too; everything else by Okta's id, since its other names repeat."""
    uid, login = label(party.get("id")), text(party.get("alternateId"))
    login = None if login and login.lower() in _UNNAMED else login
    return (login or uid) if party.get("type") in ("User", "AppUser") else (uid or login)


def _resource_of(target: dict[str, Any]) -> str | None:
    return label(target.get("id")) or text(target.get("alternateId")) or text(target.get("displayName"))


def _names_of_users(targets: list[dict[str, Any]]) -> list[str]:
    """The people among the targets, by their login and by Okta's id."""
    users = [target for target in targets if target.get("type") == "User"]
    return [name for user in users for name in (subject_of(user), label(user.get("id"))) if name]


def _acts_for(event_type: str, actor: dict[str, Any], targets: list[dict[str, Any]]) -> str | None:
    """The user among the targets, where a client or an agent gets a token for one, or one user acts as another."""
    is_grant = ".token.grant" in event_type and actor.get("type") not in ("User", "AppUser")
    if not is_grant and event_type not in _ACTS_FOR_TARGET:
        return None
    user = next((target for target in targets if target.get("type") in ("User", "AppUser")), None)
    return subject_of(user) if user else None


def _via(actor: dict[str, Any], client: dict[str, Any], used: Credentials) -> str | None:
    """Who stands between the actor and Okta: the agent that the issued token names, else the OAuth client."""
    between = used.actor or label(client.get("id"))
    return between if between and between != label(actor.get("id")) else None


SOURCE = Source(
    name="okta_system",
    log="okta_system",
    version=6,
    title="Okta System Log",
    reads="System Log events: pages of the API, newline JSON, EventBridge deliveries",
    recognised_by="eventType, published, actor and four more members of a LogEvent; or source aws.partner/okta.com",
    grade="verified",
    documentation="https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="okta",
    delivered_in=("eventbridge:aws.partner/okta.com/*", "elastic:okta.system", "splunk:oktaim2:log"),
    join_keys=("request", "bearer"),
    recognise=recognise,
    records=partial(json_records, decode=decode),
    events=events,
    objects=(
        "actor",
        "client",
        "client.userAgent",
        "outcome",
        "target",
        "transaction",
        "transaction.detail",
        "authenticationContext",
        "securityContext",
        "debugContext",
        "debugContext.debugData",
        "request",
    ),
    never_text=frozenset({"actor", "outcome", "transaction", "authenticationContext"}),
)
