"""An OCSF event of who did what, from any product, as one activity (https://schema.ocsf.io/1.8.0)."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.events import Event, NotParsed, logged_at, present
from ultravires.reading.values import integer, label, mapping, text, truth
from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHENTICATION
from ultravires.sources.ocsf.effects import effects_of, second_factor_of
from ultravires.sources.ocsf.fields import at, moment_of

_DATASTORE = 6005
_TARGETS: dict[int, tuple[str, ...]] = {
    3001: ("user", "policies", "policy"),
    AUTHENTICATION: ("service", "dst_endpoint"),
    3003: ("user", "session", "group"),
    3004: ("entity",),
    3005: ("user", "resource", "resources"),
    3006: ("group", "subgroup", "user", "resource"),
    6001: ("web_resources",),
    API_ACTIVITY: ("resources",),
    6004: ("web_resources",),
    _DATASTORE: ("database", "databucket", "table"),
    6006: ("file",),
}
"""Classes in which somebody acts on something, and the members that name what it was."""
_NAMES = ("uid", "url_string", "email_addr", "path", "name", "svc_name", "hostname")
_LOGON, _LOGOFF, _READ = 1, 2, 2
_SUCCESS, _FAILURE, _ACTION_DENIED = 1, 2, 2
_BLOCKED = frozenset({2, 25, 26})
_REFUSED_CODES = frozenset({401, 403})
_REFUSED = re.compile(r"denied|unauthori[sz]ed|forbidden|not.?authori[sz]ed|permission", re.IGNORECASE)
_KINDS = {1: "human", 2: "human", 3: "service", 4: "service"}
_AWS_KEY = re.compile(r"A[KS]IA[A-Z0-9]{12,}")
_ODD = re.compile(r"[^a-z0-9]+")


class _Who(msgspec.Struct, frozen=True, gc=False):
    uid: str | None
    kind: str
    name: str | None


def class_of(record: dict[str, Any]) -> int | None:
    """`class_uid`, else what `type_uid` says of it."""
    found = integer(record.get("class_uid"))
    if found is None and (kind := integer(record.get("type_uid"))) is not None:
        found = kind // 100
    return found


def is_activity(class_uid: int) -> bool:
    """Whether events of this class say who did what; findings, network and host telemetry do not."""
    return class_uid in _TARGETS


def activity_event(record: dict[str, Any], class_uid: int) -> Event:
    """One activity. Raises NotParsed without a time, or where nothing says what was done."""
    event_at = logged_at(moment_of(record))
    action = _action(record)
    if action is None:
        raise NotParsed("neither operation nor activity")
    metadata, actor = mapping(record.get("metadata")), mapping(record.get("actor"))
    product, outcome = _product(metadata), _outcome(record)
    account = text(at(record, "cloud", "account", "uid")) or text(metadata.get("tenant_uid"))
    activity_id = integer(record.get("activity_id")) or 0
    who = _who(record, actor, class_uid)
    made, ended, expires_at = _sessions(record, class_uid, activity_id, product, outcome)
    targets = list(dict.fromkeys(_targets(record, class_uid)))
    is_mfa = truth(record.get("is_mfa", at(actor, "session", "is_mfa")))
    address = text(at(record, "src_endpoint", "ip")) or text(at(record, "device", "ip"))
    return Event(
        native_id=text(metadata.get("uid")) or text(metadata.get("original_event_uid")),
        event_at=event_at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id if 0 <= activity_id < 100 else 0,
        actor_uid=who.uid,
        actor_kind=who.kind,
        actor_name=who.name,
        via_service=text(actor.get("invoked_by")),
        account_uid=account,
        action=action,
        resource_uids=targets,
        outcome=outcome,
        error_code=_error(record) if outcome in ("failure", "denied") else None,
        src_ip=address,
        user_agent=text(at(record, "http_request", "user_agent")),
        credential_uid=_credential(actor, product),
        issued_credential_uid=made,
        issued_expires_at=expires_at,
        revoked_credential_uid=ended,
        keys=_keys(record, account),
        detail=present(
            mfa=is_mfa,
            effects=effects_of(record, class_uid, activity_id, who.uid, targets),
            second_factor=second_factor_of(class_uid, activity_id, outcome, is_mfa),
            read_only=_is_read(class_uid, activity_id),
            event_type=text(metadata.get("event_code")),
        ),
    )


@lru_cache(maxsize=4096)
def _slug(name: str) -> str:
    return _ODD.sub("_", name.lower()).strip("_") or "ocsf"


def _product(metadata: dict[str, Any]) -> str:
    name = text(at(metadata, "product", "name")) or text(at(metadata, "product", "vendor_name"))
    return _slug(name) if name else "ocsf"


def _action(record: dict[str, Any]) -> str | None:
    """`<service>:<operation>` as the record says, else `<product>:<event code>`, else OCSF's name of the activity."""
    metadata = mapping(record.get("metadata"))
    if operation := text(at(record, "api", "operation")):
        return f"{text(at(record, 'api', 'service', 'name')) or _product(metadata)}:{operation}"
    done = text(metadata.get("event_code")) or text(record.get("activity_name"))
    if done is None and (kind := text(record.get("type_name"))):
        done = kind.rpartition(": ")[2]
    return f"{_product(metadata)}:{done}" if done else None


def _outcome(record: dict[str, Any]) -> str:
    """A refusal is denied, whatever else failed is a failure; without a status a code of HTTP decides."""
    status, response = integer(record.get("status_id")), mapping(at(record, "api", "response"))
    code = integer(response.get("code"))
    if integer(record.get("action_id")) == _ACTION_DENIED or integer(record.get("disposition_id")) in _BLOCKED:
        return "denied"
    named = (text(record.get("status")) or "").lower()
    has_failed = status == _FAILURE or (status in (None, 0) and named == "failure") or bool(code and code >= 400)
    if has_failed or (status in (None, 0) and not named and text(response.get("error"))):
        reasons = (response.get("error"), record.get("status_code"), record.get("status_detail"))
        codes = {code, integer(record.get("status_code"))}
        is_refused = bool(codes & _REFUSED_CODES) or any(type(why) is str and _REFUSED.search(why) for why in reasons)
        return "denied" if is_refused else "failure"
    return "success" if status == _SUCCESS or named == "success" or bool(code and code < 400) else "unknown"


def _error(record: dict[str, Any]) -> str | None:
    response = mapping(at(record, "api", "response"))
    return text(response.get("error")) or label(record.get("status_code")) or label(response.get("code"))


def _who(record: dict[str, Any], actor: dict[str, Any], class_uid: int) -> _Who:
    """The acting user; of a sign-in who signed in; else the application that acted."""
    user = mapping(actor.get("user"))
    if not _named(user) and class_uid == AUTHENTICATION:
        user = mapping(record.get("user"))
    if uid := _named(user):
        kind = _KINDS.get(integer(user.get("type_id")) or 0, "unknown")
        return _Who(uid, kind, text(user.get("full_name")) or text(user.get("name")))
    application = text(actor.get("app_uid")) or text(actor.get("app_name"))
    if application:
        return _Who(application, "service", text(actor.get("app_name")))
    service = text(actor.get("invoked_by")) or text(at(actor, "process", "name"))
    return _Who(service, "service" if service else "unknown", None)


def _named(thing: dict[str, Any]) -> str | None:
    return next((found for name in _NAMES if (found := text(thing.get(name)))), None)


def _targets(record: dict[str, Any], class_uid: int) -> Iterator[str]:
    for member in _TARGETS[class_uid]:
        value = record.get(member)
        for thing in value if type(value) is list else (value,):
            if uid := _named(mapping(thing)):
                yield uid


def _credential(actor: dict[str, Any], product: str) -> str | None:
    """What was used: an id of a credential, else of the session; both are unique within the product only."""
    user, session = mapping(actor.get("user")), mapping(actor.get("session"))
    used = text(user.get("credential_uid")) or text(session.get("credential_uid")) or text(session.get("uid"))
    return _scoped(used, product)


def _scoped(uid: str | None, product: str) -> str | None:
    return uid if uid is None or _AWS_KEY.fullmatch(uid) else f"{product}:{uid}"


def _sessions(
    record: dict[str, Any], class_uid: int, activity_id: int, product: str, outcome: str
) -> tuple[str | None, str | None, int | None]:
    """(made, ended, when the made one expires): signing in makes a session, signing out ends it."""
    if class_uid != AUTHENTICATION or outcome != "success":
        return None, None, None
    session = mapping(record.get("session"))
    uid = _scoped(text(session.get("credential_uid")) or text(session.get("uid")), product)
    if activity_id == _LOGON:
        return uid, None, moment_of(session, "expiration_time") if uid else None
    return None, uid if activity_id == _LOGOFF else None, None


def _keys(record: dict[str, Any], account: str | None) -> list[tuple[str, str, str]]:
    request = text(at(record, "api", "request", "uid"))
    if request is None:
        return []
    return [("request", request, "names"), *([("request", f"{account}/{request}", "names")] if account else [])]


def _is_read(class_uid: int, activity_id: int) -> bool | None:
    """What OCSF calls Read (and of a datastore Query and List)."""
    if class_uid == _DATASTORE:
        return activity_id in (1, 4, 8) if activity_id else None
    return activity_id == _READ if class_uid == API_ACTIVITY and activity_id else None
