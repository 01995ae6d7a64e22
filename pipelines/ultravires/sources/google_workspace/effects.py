"""What only an event of Google Workspace says of its effects: what a setting was changed to, and with whom something is
shared (reading/effects.py).

An event that is in no table here does what build/action_effects/google_workspace.csv says.
Settings: https://developers.google.com/workspace/admin/reports/v1/appendix/activity/admin-application-settings,
.../admin-security-settings and .../admin-calendar-settings; documents: .../drive; calendars: .../calendar
"""

from collections.abc import Callable
from typing import Any

from ultravires.reading.effects import Effect, Json, TargetKind, effect, no_effect
from ultravires.reading.values import label
from ultravires.sources.google_workspace.meanings import Happened
from ultravires.sources.oauth_scopes import scopes_in

_OFF = frozenset({"false", "off", "disabled", "0", "never", "none", "not_enforced"})
_ON = frozenset({"true", "on", "enabled", "1"})
_TO_EVERYBODY = frozenset({"public_on_the_web", "people_with_link", "public_in_the_domain_and_web"})
_TO_OUTSIDE = frozenset({"shared_externally", "external"})
_MOST_SCOPES = 500
_PUBLIC_CALENDAR = "__public_principal__@public.calendar.google.com"
_NO_CALENDAR_SHARING = frozenset({"", "default", "none", "private", "show_only_free_busy_information", "no_access"})
"""What calendars show outside where nobody changed it, or less."""
_GUARDS = (
    "enforce strong password",
    "contextawareaccess enforcement",
    "advanced protection program settings - enable",
    "allow users to turn on 2-step verification",
    "two step verification enforcement",
    "block all third-party api access",
    "dlp",
    "attachment safety",
    "spoofing",
)
"""Settings that guard while they are on; words that their names hold."""
_DOORS = (
    "sharing_outside_domain",
    "sharing_invites_to_non_google",
    "publishing_to_web",
    "default_link_sharing",
    "link_sharing_default",
    "less secure apps",
    "imap_access",
    "auto_forwarding",
    "offline access",
    "allow unauthenticated",
)
"""Settings that let something out or in while they are on."""
_CLOSED = _OFF | {"sharing_not_allowed", "not_allowed", "inherit_from_parent", "private", "default_private", ""}


def effects_of(event: Happened, user: str | None) -> list[Json]:
    """The effects that an event shows; `user` is who did it. None of most events."""
    shown = SHOWING.get(event.name.lower())
    return shown(event, user) if shown else []


def _said(event: Happened, *names: str) -> str | None:
    """A parameter in small letters; of a list, as the drive log writes values, its first."""
    return next((found for name in names if (found := _word(event.parameters.get(name)))), None)


def _word(value: Any) -> str | None:
    if type(value) is list:
        value = value[0] if value else None
    found = label(str(value) if type(value) is bool else value)
    return found.lower() if found else None


def _new_value(event: Happened) -> str | None:
    return _said(event, "NEW_VALUE", "new_value")


def _either(what: Effect, has_it: bool | None) -> list[Json]:
    """That it has the effect, that it has none, or nothing where the record does not say."""
    return [] if has_it is None else [effect(what)] if has_it else [no_effect(what)]


def _guard_switched(event: Happened, user: str | None) -> list[Json]:
    """A second factor that is enforced or allowed, or no longer."""
    value = _new_value(event)
    return _either("weakens_guard", None if value is None else value in _OFF)


def _methods_allowed(event: Happened, user: str | None) -> list[Json]:
    """Of the methods of a second factor security keys are the strictest, and any the usual."""
    value = _new_value(event)
    return _either("weakens_guard", None if value is None else "security_key" not in value)


def _trust_switched(event: Happened, user: str | None) -> list[Json]:
    value = _new_value(event)
    return [no_effect("opens_trust")] if value is not None and value in _OFF else []


def _weak_programs(event: Happened, user: str | None) -> list[Json]:
    value = _new_value(event)
    return [no_effect("weakens_guard")] if value is not None and value in _OFF | {"denied", "disallowed"} else []


def _application_setting(event: Happened, user: str | None) -> list[Json]:
    """Of thousands of settings those whose names say which way they go."""
    name, value = _said(event, "SETTING_NAME"), _new_value(event)
    if name is None or value is None:
        return []
    is_guard_off = any(word in name for word in _GUARDS) and value in _OFF
    is_door_open = any(word in name for word in _DOORS) and value not in _CLOSED
    return [effect("weakens_guard")] if is_guard_off or is_door_open else []


def _calendar_setting(event: Happened, user: str | None) -> list[Json]:
    """Up to what calendars may be shared outside:
    https://developers.google.com/workspace/admin/reports/v1/appendix/activity/admin-calendar-settings
    """
    value = _new_value(event)
    if _said(event, "SETTING_NAME") != "sharing_outside_domain":
        return [no_effect("weakens_guard")]
    return _either("weakens_guard", None if value is None else value not in _NO_CALENDAR_SHARING)


def _document_shared(event: Happened, user: str | None) -> list[Json]:
    """Who may see a document after the change: everybody, somebody outside, or nobody whom it is news to."""
    visibility, change = _said(event, "visibility"), _said(event, "visibility_change")
    value = _new_value(event)
    if change in ("internal", "none") or value in ("private", "none", "owner"):
        return [no_effect("exposes")]
    if value in _TO_EVERYBODY or (visibility in _TO_EVERYBODY and change in _TO_OUTSIDE):
        return [effect("exposes", target="public")]
    return _shared_with(_said(event, "target_user"), _said(event, "owner") or user, visibility, change)


def _shared_with(whom: str | None, owner: str | None, visibility: str | None, change: str | None) -> list[Json]:
    is_outside = _is_outside(whom, owner)
    if is_outside or (is_outside is None and (change in _TO_OUTSIDE or visibility in _TO_OUTSIDE)):
        return [_to("outside", whom)]
    return [no_effect("exposes")] if is_outside is False or visibility is not None else []


def _to(target: TargetKind, whom: str | None) -> Json:
    return effect("exposes", target=target, uids=[whom] if whom else [])


def _is_outside(whom: str | None, owner: str | None) -> bool | None:
    """By the domains of two addresses; None where one is none."""
    if whom is None or owner is None or "@" not in whom or "@" not in owner:
        return None
    return whom.rpartition("@")[2] != owner.lower().rpartition("@")[2]


def _calendar_shared(event: Happened, user: str | None) -> list[Json]:
    """https://developers.google.com/workspace/admin/reports/v1/appendix/activity/calendar"""
    whom, level = _said(event, "grantee_email"), _said(event, "access_level")
    if level == "none":
        return [no_effect("exposes")]
    if whom in (_PUBLIC_CALENDAR, "default"):
        return [effect("exposes", target="public")]
    return _shared_with(whom, user, None, None)


def _drive_setting(event: Happened, user: str | None) -> list[Json]:
    """A shared drive that is for the domain alone lets nobody else in."""
    value = _new_value(event)
    return [no_effect("exposes")] if value is not None and value in _ON else []


def _delegated(event: Happened, user: str | None) -> list[Json]:
    """A client that may act as everybody of the domain may act as its administrators; where all of its scopes are
    only to read, it has all data. https://developers.google.com/workspace/guides/create-credentials
    """
    client = label(event.parameters.get("API_CLIENT_NAME"))
    scopes = scopes_in(event.parameters.get("API_SCOPES"), between=",")
    if client is None:
        return []
    reads_only = bool(scopes) and all(scope.endswith(".readonly") for scope in scopes[:_MOST_SCOPES])
    return [effect("grants_power", target="identity", uids=[client], power="data" if reads_only else "admin")]


SHOWING: dict[str, Callable[[Happened, str | None], list[Json]]] = {
    "enforce_strong_authentication": _guard_switched,
    "allow_strong_authentication": _guard_switched,
    "change_allowed_two_step_verification_methods": _methods_allowed,
    "weak_programmatic_login_settings_changed": _weak_programs,
    "toggle_sso_enabled": _trust_switched,
    "change_application_setting": _application_setting,
    "create_application_setting": _application_setting,
    "change_calendar_setting": _calendar_setting,
    "change_document_visibility": _document_shared,
    "change_document_access_scope": _document_shared,
    "change_user_access": _document_shared,
    "change_acl_editors": _document_shared,
    "change_calendar_acls": _calendar_shared,
    "shared_drive_settings_change": _drive_setting,
    "authorize_api_client_access": _delegated,
}
"""What shows the effects of an event, by its name."""
