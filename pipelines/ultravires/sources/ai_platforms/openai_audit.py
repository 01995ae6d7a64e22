"""OpenAI's organization audit logs: pages `{"object": "list", "data": [...]}` or one entry a line.

https://platform.openai.com/docs/api-reference/audit-logs. An entry's details stand in a member named after its type,
with dots in the API and underscores in its client libraries. No entry holds a key itself, only its tracking id.
"""

from functools import partial
from typing import Any, NamedTuple

from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.object_fields import opened, with_opened
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.splitting import decode_object
from ultravires.reading.values import mapping, micros, sequence, text
from ultravires.sources.ai_platforms.audit_records import Meaning, meaning_of
from ultravires.sources.ai_platforms.openai_effects import effects_of

_MEMBERS = ("id", "type", "effective_at", "actor")
_ACTORS = frozenset({"session", "api_key"})
_KEY_USED = "api_key_used"
_TARGETS = ("id", "principal_id", "resource_id", "role_id")
_LISTS = ("certificates", "configs")


class Actor(NamedTuple):
    """Who acted, from where, and with which API key (its tracking id)."""

    uid: str | None
    kind: str
    name: str | None
    credential_uid: str | None
    src_ip: str | None
    user_agent: str | None


def recognise(head: Head) -> bool:
    """One of the first objects has the members of an entry, and a session or an API key acts."""
    return head.holds(*_MEMBERS, arrays=("data",)) and not _ACTORS.isdisjoint(values_at(head, "type"))


def decode_entry(data: bytes) -> Any:
    """An entry, its actor's `api_key` renamed: under that name it counts as a secret and would be lost in `raw`."""
    record = with_opened(decode_object(data), "actor")
    actor = record.get("actor")
    if type(actor) is dict and (key := opened(actor.get("api_key"))):
        del actor["api_key"]
        actor[_KEY_USED] = key
    return record


def events(record: dict[str, Any], options: Options) -> tuple[Event]:
    """One entry to one activity. Raises NotParsed without a time, and without a type."""
    event_at = event_time(record.get("effective_at"))
    kind = text(record.get("type"))
    if kind is None or type(record.get("actor")) is not dict:
        raise NotParsed("no type and actor: not an entry of the audit log")
    actor, meaning = actor_of(record["actor"]), meaning_of(kind)
    member = details_of(record, kind)
    key = text(member.get("id")) if meaning.noun.endswith("api_key") else None
    event = Event(
        native_id=text(record.get("id")),
        event_at=event_at,
        kind="activity",
        class_uid=meaning.class_uid,
        activity_id=meaning.activity_id,
        actor_uid=actor.uid,
        actor_kind=actor.kind,
        actor_name=actor.name,
        account_uid=text(mapping(record.get("project")).get("id")),
        action=f"openai:{kind}",
        resource_uids=_targets(member),
        outcome="failure" if meaning.has_failed else "success",
        error_code=text(member.get("error_code")) if meaning.has_failed else None,
        src_ip=actor.src_ip,
        user_agent=actor.user_agent,
        credential_uid=actor.credential_uid,
        issued_credential_uid=key if meaning.begins else None,
        issued_expires_at=_expiry(member, meaning) if key else None,
        revoked_credential_uid=key if meaning.ends else None,
        detail=present(effects=effects_of(record, member, kind), event_type=kind),
    )
    return (event,)


def actor_of(said: dict[str, Any]) -> Actor:
    """A browser session's user, or the user or service account that an API key belongs to."""
    if said.get("type") == "api_key":
        key = mapping(said.get(_KEY_USED)) or mapping(said.get("api_key"))
        user, account = mapping(key.get("user")), text(mapping(key.get("service_account")).get("id"))
        email, identifier = text(user.get("email")), text(user.get("id"))
        is_service = key.get("type") == "service_account" or account is not None
        return Actor(
            uid=account if is_service else email or identifier,
            kind="service" if is_service else "human" if email or identifier else "unknown",
            name=None if is_service or not email else identifier,
            credential_uid=text(key.get("id")),
            src_ip=text(key.get("ip_address")),
            user_agent=text(key.get("user_agent")),
        )
    session = mapping(said.get("session"))
    user = mapping(session.get("user"))
    email, identifier = text(user.get("email")), text(user.get("id"))
    return Actor(
        uid=email or identifier,
        kind="human" if email or identifier else "unknown",
        name=identifier if email else None,
        credential_uid=None,
        src_ip=text(session.get("ip_address")),
        user_agent=text(session.get("user_agent")),
    )


def details_of(record: dict[str, Any], kind: str) -> dict[str, Any]:
    """The member that describes what happened, whichever way its name is written, and also where the record's objects
    were taken apart by the dots in names.
    """
    within: Any = record
    for part in kind.split("."):
        within = mapping(within).get(part)
    return opened(record.get(kind)) or opened(record.get(kind.replace(".", "_"))) or opened(within)


def _expiry(member: dict[str, Any], meaning: Meaning) -> int | None:
    return micros(mapping(member.get("data")).get("expires_at")) if meaning.begins else None


def _targets(member: dict[str, Any]) -> list[str]:
    found = [member.get(name) for name in _TARGETS]
    found += [mapping(item).get("id") for name in _LISTS for item in sequence(member.get(name))]
    return list(dict.fromkeys(target for value in found if (target := text(value))))


SOURCE = Source(
    name="openai_audit",
    log="openai_audit",
    version=6,
    title="OpenAI organization audit logs",
    reads='pages of the audit log (`{"object": "list", "data": [...]}`), or one entry a line',
    recognised_by="the members id, type, effective_at and actor, where a session or an api_key acts",
    grade="verified",
    documentation="https://platform.openai.com/docs/api-reference/audit-logs",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="openai",
    join_keys=(),
    recognise=recognise,
    records=partial(json_records, arrays=("data",), decode=decode_entry),
    events=events,
    objects=(
        "actor",
        "actor.session",
        "actor.api_key",
        "actor.api_key_used",
        "project",
    ),
    never_text=frozenset({"actor", "actor.session"}),
)
