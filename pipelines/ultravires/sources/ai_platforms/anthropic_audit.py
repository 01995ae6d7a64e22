"""Anthropic's Compliance API: the Activity Feed of an organization, as pages `{"data": [...]}` or one activity a line.

https://platform.claude.com/docs/en/manage-claude/compliance-activity-feed. No record holds a key itself, only its id.
"""

from functools import lru_cache, partial
from typing import Any, NamedTuple

from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, micros, text
from ultravires.sources.ai_platforms.anthropic_effects import effects_of, second_factor_of
from ultravires.sources.ai_platforms.audit_records import Meaning, meaning_of

_MEMBERS = ("id", "created_at", "organization_id", "type", "actor")
_ACTORS = frozenset(
    {
        "user_actor",
        "api_actor",
        "admin_api_key_actor",
        "service_account_actor",
        "federated_identity_actor",
        "unauthenticated_user_actor",
        "scim_directory_sync_actor",
        "anthropic_actor",
        "system_actor",
    }
)
_CONTEXT = frozenset({"id", "organization_id", "workos_event_id"})
_CREDENTIALS = {
    "api_key": ("api_key_id",),
    "platform_api_key": ("api_key_id", "platform_api_key_id"),
    "scoped_api_key": ("scoped_api_key_id", "api_key_id"),
    "admin_api_key": ("admin_api_key_id",),
    "service_key": ("service_key_id", "key_id"),
    "environment_token": ("environment_token_id", "token_id"),
    "session": ("session_id",),
}
_INACTIVE = frozenset({"inactive", "archived", "deleted", "revoked", "disabled", "expired"})


class Actor(NamedTuple):
    """Who acted, with which key, and as whom a federated workload appeared."""

    uid: str | None
    kind: str
    name: str | None = None
    credential_uid: str | None = None
    appeared_as: str | None = None


def recognise(head: Head) -> bool:
    """One of the first objects has the members of an activity, and one of the feed's kinds of actor acts."""
    return head.holds(*_MEMBERS, arrays=("data",)) and not _ACTORS.isdisjoint(values_at(head, "type"))


def events(record: dict[str, Any], options: Options) -> tuple[Event]:
    """One activity to one event. Raises NotParsed without a time, and where it is no activity of the feed."""
    event_at = event_time(record.get("created_at"))
    said, kind = mapping(record.get("actor")), text(record.get("type"))
    actor = actor_of(said)
    if kind is None or actor is None:
        raise NotParsed("no type and known actor: not an activity of the feed")
    meaning = meaning_of(kind)
    credential = _credential(record, meaning)
    event = Event(
        native_id=text(record.get("id")),
        event_at=event_at,
        kind="activity",
        class_uid=meaning.class_uid,
        activity_id=meaning.activity_id,
        actor_uid=actor.uid,
        actor_kind=actor.kind,
        actor_name=actor.name,
        account_uid=text(record.get("organization_id")) or text(record.get("organization_uuid")),
        action=f"anthropic:{kind}",
        resource_uids=_targets(record),
        outcome="failure" if meaning.has_failed else "success",
        src_ip=text(said.get("ip_address")),
        user_agent=text(said.get("user_agent")),
        credential_uid=actor.credential_uid,
        issued_credential_uid=credential if meaning.begins else None,
        issued_expires_at=micros(record.get("expires_at")) if credential and meaning.begins else None,
        revoked_credential_uid=credential if _is_ended(record, meaning) else None,
        keys=[("bearer", actor.appeared_as, "uses")] if actor.appeared_as else [],
        detail=present(
            effects=effects_of(record, kind),
            second_factor=second_factor_of(kind),
            event_type=kind,
        ),
    )
    return (event,)


def actor_of(said: dict[str, Any]) -> Actor | None:
    """An activity's `actor` of any of the documented types; None for every other."""
    kind = text(said.get("type"))
    if kind not in _ACTORS:
        return None
    if kind in ("api_actor", "admin_api_key_actor"):
        key = key_uid(text(said.get("api_key_id")) or text(said.get("admin_api_key_id")))
        return Actor(key, "service", credential_uid=key)
    email, user = text(said.get("email_address")), text(said.get("user_id"))
    if kind == "user_actor":
        return Actor(email or user, "human", user if email else None)
    if kind == "federated_identity_actor":
        subject = text(said.get("subject"))
        return Actor(subject, "workload", text(said.get("issuer")), appeared_as=subject)
    if kind == "unauthenticated_user_actor":
        return Actor(text(said.get("unauthenticated_email_address")), "unknown")
    named = text(said.get("service_account_id")) or text(said.get("directory_id")) or text(said.get("service"))
    return Actor(named or email or "anthropic", "service")


@lru_cache(maxsize=65536)
def key_uid(identifier: str | None) -> str | None:
    """One id for one key: an Admin API key is created as `admin_api_key_X` and acts as `apikey_X`."""
    return identifier and identifier.replace("admin_api_key_", "apikey_", 1)


def _credential(record: dict[str, Any], meaning: Meaning) -> str | None:
    members = _CREDENTIALS.get(meaning.noun, ())
    return key_uid(next((found for name in members if (found := text(record.get(name)))), None))


def _is_ended(record: dict[str, Any], meaning: Meaning) -> bool:
    """A key ends when it is deleted or revoked, and when an update leaves it inactive."""
    status = text(record.get("status")) or text(mapping(record.get("updates")).get("status"))
    return meaning.ends or (meaning.verb == "updated" and (status or "").lower() in _INACTIVE)


def _targets(record: dict[str, Any]) -> list[str]:
    """What was acted on: every member that ends in `_id` names something by its id."""
    ids = (label(value) for name, value in record.items() if name.endswith("_id") and name not in _CONTEXT)
    return [found for found in ids if found]


SOURCE = Source(
    name="anthropic_audit",
    log="anthropic_audit",
    version=5,
    title="Anthropic Compliance API activity feed",
    reads='pages of the activity feed (`{"data": [...]}`), or one activity a line',
    recognised_by="the members id, created_at, organization_id, type and actor, and one of the feed's actor types",
    grade="verified",
    documentation="https://platform.claude.com/docs/en/manage-claude/compliance-activity-feed",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="anthropic",
    join_keys=("bearer",),
    recognise=recognise,
    records=partial(json_records, arrays=("data",)),
    events=events,
    objects=("actor",),
    never_text=frozenset({"actor"}),
)
