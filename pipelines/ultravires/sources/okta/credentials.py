"""What an event of Okta's System Log used, issued or ended: sessions, OAuth tokens, API tokens.

The log names a token by its id (the `jti` of an OAuth token, `AT.` or `ID.` and so on) and by a hash, never by its
value. Ids get the prefix `okta:`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ultravires.reading.mending import decode_inner
from ultravires.reading.values import mapping, micros, text

_OAUTH_TOKENS = ("access_token", "id_jag", "refresh_token", "id_token", "device_secret")
_NO_SESSION = frozenset({"unknown", "null", "none"})


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """Ids with their prefix, or None; `subject` is who the holder of the issued one appears as at a resource, `actor`
    who acts for that subject. Times in microseconds.
    """

    used: str | None = None
    issued: str | None = None
    expires_at: int | None = None
    revoked: str | None = None
    subject: str | None = None
    actor: str | None = None


def credentials_of(
    event_type: str,
    is_success: bool,
    context: dict[str, Any],
    transaction: dict[str, Any],
    targets: Sequence[dict[str, Any]],
) -> Credentials:
    """What happened to credentials in this event; `context` is its authenticationContext."""
    session = session_of(context.get("externalSessionId"))
    root = session_of(context.get("rootSessionId"))
    api_token = api_token_of(transaction)
    used = f"okta:{api_token}" if api_token else session
    if event_type == "user.session.start" and is_success:
        return Credentials(used=root if root != session else None, issued=session)
    if event_type == "user.session.end":
        return Credentials(used=used, revoked=session if is_success else None)
    if ".token.grant" in event_type:
        return _granted(used, is_success, targets)
    if ".token.revoke" in event_type or event_type == "system.api_token.revoke":
        return Credentials(used=used, revoked=_token_id(token_target(targets)) if is_success else None)
    if event_type == "system.api_token.create":
        return Credentials(used=used, issued=_token_id(token_target(targets)) if is_success else None)
    return Credentials(used=used)


def _granted(used: str | None, is_success: bool, targets: Sequence[dict[str, Any]]) -> Credentials:
    token = token_target(targets)
    detail = mapping(token.get("detailEntry"))
    subject = text(detail.get("subject")) or text(detail.get("sub"))
    return Credentials(
        used=used,
        issued=_token_id(token) if is_success else None,
        expires_at=micros(detail.get("expires")) if is_success else None,
        subject=subject if token.get("type") in ("access_token", "id_token") else None,
        actor=_acting(detail.get("actor") or detail.get("act")),
    )


def api_token_of(transaction: dict[str, Any]) -> str | None:
    """The id of the API token that the request showed; without one, it showed a session."""
    return text(mapping(transaction.get("detail")).get("requestApiTokenId"))


def session_of(value: Any) -> str | None:
    """A session id with its prefix; None where the log says that there was none."""
    session = text(value)
    return None if session is None or session.lower() in _NO_SESSION else f"okta:{session}"


def token_target(targets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The target that is a token: the access token before those that come with it; an empty object if none is."""
    by_type: dict[Any, dict[str, Any]] = {}
    for target in targets:
        by_type.setdefault(text(target.get("type")), target)
    return next((by_type[kind] for kind in (*_OAUTH_TOKENS, "Token") if kind in by_type), {})


def _token_id(target: dict[str, Any]) -> str | None:
    found = text(target.get("id")) or text(mapping(target.get("detailEntry")).get("jti"))
    return f"okta:{found}" if found else None


def _acting(value: Any) -> str | None:
    """`act.sub` of a token: who acts for its subject. Written as an object, as JSON in a string, or as the id alone."""
    if type(value) is str and value.startswith("{"):
        try:
            value = decode_inner(value.encode(), msgspec.json.decode)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    return text(mapping(value).get("sub")) if type(value) is dict else text(value)
