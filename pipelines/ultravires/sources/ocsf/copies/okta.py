"""An OCSF copy of an event of Okta's System Log back to the event, so that the native reader reads both.

Mappings, read 2026-11-25: `mappings/markdown/Okta` (1.1.0 and v1.3.0) of https://github.com/ocsf/examples, and
`okta` of https://github.com/tenzir/library. AWS AppFabric and the preset of Databricks put the event type into the same
place. Okta's own example for Security Lake (https://github.com/okta/okta-ocsf-syslog) keeps neither the event's id nor
its type, so its events stay OCSF's.
"""

import re
from typing import Any

from ultravires.reading.events import present
from ultravires.reading.values import integer, mapping, sequence, text
from ultravires.sources.ocsf.fields import at, has_succeeded, restore, time_text
from ultravires.sources.ocsf.products import Copy, Product

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_RESULTS = frozenset(
    {"ALLOW", "CHALLENGE", "DENY", "FAILURE", "RATE_LIMIT", "SCHEDULED", "SKIPPED", "SUCCESS", "UNKNOWN"}
)
_JUDGED = ("policy.", "security.", "deny_access", "rate_limit", "concurrency")
"""Event types whose result may be DENY, which OCSF does not tell from FAILURE."""
_GRANT = ".token.grant"
_HUMAN = 1
_SYSTEM = frozenset({"system", "admin"})
"""How OCSF captions Okta's SystemPrincipal, by the mapping."""
_NO_TYPES = frozenset({"other", "unknown"})


def is_okta(product: Product) -> bool:
    """Whether the record says that Okta reported it."""
    return product.name.startswith("okta") or product.vendor.startswith("okta")


def okta_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """The LogEvent that an OCSF record tells of; None without its id or type, or where its result may be one of two."""
    metadata = mapping(record.get("metadata"))
    event_type = text(metadata.get("event_code")) or text(at(record, "api", "operation"))
    uuid = _uuid(record, metadata)
    if event_type is None or "." not in event_type or uuid is None:
        return None
    result, reason = _result(record, event_type), text(record.get("status_detail")) or _left(record, "reason")
    if result is None or (result == "FAILURE" and reason is None and _GRANT in event_type):
        return None
    source, actor = mapping(record.get("src_endpoint")), mapping(record.get("actor"))
    session = mapping(actor.get("session"))
    agent = text(at(record, "http_request", "user_agent"))
    native = present(
        uuid=uuid,
        published=time_text(record),
        eventType=event_type,
        version=text(at(metadata, "product", "version")),
        displayMessage=text(record.get("message")),
        actor=_party(mapping(actor.get("user"))),
        client=present(
            id=text(source.get("uid")),
            ipAddress=text(source.get("ip")) or text(at(record, "device", "ip")),
            userAgent={"rawUserAgent": agent} if agent else None,
        ),
        authenticationContext=present(
            externalSessionId=text(session.get("uid")) or text(at(record, "session", "uid")),
            rootSessionId=text(session.get("uid_alt")),
        ),
        outcome=present(result=result, reason=reason),
    )
    restore(native, record.get("unmapped"))
    return native


def _uuid(record: dict[str, Any], metadata: dict[str, Any]) -> str | None:
    """The event's id, which each mapping puts elsewhere; some write an id of their own first, in another form."""
    loggers = sequence(metadata.get("loggers"))
    places = (
        metadata.get("original_event_uid"),
        at(loggers[0], "event_uid") if loggers else None,
        at(record, "unmapped", "uuid"),
        at(record, "logon_process", "uid"),
        at(metadata, "product", "uid"),
        metadata.get("uid"),
    )
    return next((uid for uid in places if type(uid) is str and _UUID.fullmatch(uid)), None)


def _result(record: dict[str, Any], event_type: str) -> str | None:
    """`outcome.result`: Okta's own word where it stands somewhere, else what the status says of it."""
    for word in (_left(record, "result"), record.get("status")):
        if type(word) is str and word in _RESULTS:
            return word
    if has_succeeded(record):
        return "SUCCESS"
    if any(mark in event_type for mark in _JUDGED) or not ("status" in record or "status_id" in record):
        return None
    return "FAILURE" if has_succeeded(record) is False else "UNKNOWN"


def _left(record: dict[str, Any], name: str) -> str | None:
    """A member of `outcome` that the mapping left in `unmapped`, as an object or by its path."""
    unmapped = mapping(record.get("unmapped"))
    return text(at(unmapped, "outcome", name)) or text(unmapped.get(f"outcome.{name}"))


def _party(user: dict[str, Any]) -> dict[str, Any]:
    return present(
        id=text(user.get("uid")),
        type=_type(text(user.get("type")), integer(user.get("type_id"))),
        alternateId=text(user.get("email_addr")),
        displayName=text(user.get("full_name")) or text(user.get("name")),
    )


def _type(caption: str | None, type_id: int | None) -> str | None:
    if type_id == _HUMAN:
        return "User"
    if caption is None or caption.lower() in _NO_TYPES:
        return None
    return "SystemPrincipal" if caption.lower() in _SYSTEM else caption


COPY = Copy("okta_system", is_okta, okta_record)
