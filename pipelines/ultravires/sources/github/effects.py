"""What an audited action on GitHub does that its name alone does not say, as `detail["effects"]`.

Actions and their fields:
https://docs.github.com/en/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/audit-log-events-for-your-enterprise
What a protected branch asks for is 0 (nobody), 1 (all but administrators) or 2 (everybody), or the same in words.
"""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from ultravires.reading.addresses import is_for_everybody
from ultravires.reading.effects import Effect, Power, TargetKind, effect, no_effect
from ultravires.reading.sign_ins import SecondFactor
from ultravires.reading.values import integer, mapping, sequence, text, truth

Json = dict[str, Any]
_MOST = 2_000
_OWNER = frozenset({"admin", "owner"})
_WRITING = frozenset({"write", "admin"})
_MANAGING = frozenset(
    {
        "administration",
        "enterprise_administration",
        "environments",
        "members",
        "organization_administration",
        "organization_custom_roles",
        "organization_personal_access_tokens",
        "organization_secrets",
        "organization_self_hosted_runners",
        "secrets",
        "workflows",
    }
)
"""Permissions of apps and tokens with which rights, secrets or workflows are changed:
https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
"""
_OFF = frozenset({"0", "off", "false", "disabled"})
_ON = frozenset({"1", "2", "on", "true", "enabled", "non_admins", "everyone"})
_BRANCH = "protected_branch."
_STREAM_PLACES = ("old_", "new_")
_SECOND_FACTORS: dict[str, SecondFactor] = {
    "user.two_factor_challenge_success": "passed",
    "user.two_factor_challenge_failure": "failed",
    "user.two_factor_requested": "asked",
}


def effects_of(record: Json, action: str) -> list[Json] | None:
    """The effects that this record shows or excludes, whatever came of it; None where the action says all."""
    says = _SAYS.get(action)
    if says is None and action.startswith(_BRANCH + "update_"):
        return list(_branch(record, action.removeprefix(_BRANCH + "update_"))) or None
    return (list(says(record)) or None) if says else None


def second_factor_of(action: str) -> SecondFactor | None:
    """What became of the second factor, where the action is about one."""
    return _SECOND_FACTORS.get(action)


def _said(record: Json, *names: str) -> Any:
    """A field, which older records keep in `data`; the first of these that is there."""
    data = mapping(record.get("data"))
    return next((found for name in names for place in (record, data) if (found := place.get(name)) is not None), None)


def _word(record: Json, *names: str) -> str:
    found = _said(record, *names)
    return found.lower() if type(found) is str else ""


def _to_user(what: Effect, record: Json, power: Power, target: TargetKind = "identity") -> Json:
    """An effect on the user that the record names, who may be the actor."""
    user = text(_said(record, "user"))
    own = user is not None and user == text(record.get("actor"))
    return effect(what, target="self" if own else target, uids=[user] if user else (), power=power)


def _member(record: Json) -> Iterator[Json]:
    """An owner may do everything in the organization."""
    if _word(record, "permission", "role", "invitation_role", "new_role") in _OWNER:
        yield _to_user("grants_power", record, "admin")


def _in_repository(record: Json) -> Iterator[Json]:
    if _word(record, "new_repo_permission", "permission") == "admin":
        yield _to_user("grants_power", record, "permissions")


def _base_permission(record: Json) -> Iterator[Json]:
    if _word(record, "permission", "new_repo_permission") == "none":
        yield no_effect("grants_power")


def _visible(record: Json) -> Iterator[Json]:
    visibility, repo = _word(record, "visibility"), text(_said(record, "repo"))
    if visibility == "public":
        yield effect("exposes", target="public", uids=[repo] if repo else (), power="data")
    elif visibility in ("private", "internal"):
        yield no_effect("exposes")


def _branch(record: Json, setting: str) -> Iterator[Json]:
    """What is allowed guards where it is off, everything else where it is on. A count guards the more, the higher."""
    found, before = _said(record, setting), _said(record, f"{setting}_was", f"old_{setting}")
    if setting.endswith("_count"):
        count, old = integer(found), integer(before)
        if count is not None:
            yield from _guarded(count == 0 or (old is not None and count < old))
        return
    level = str(found).lower() if type(found) in (str, int, bool) else ""
    if level in _OFF or level in _ON:
        yield from _guarded((level in _ON) == setting.startswith(("allow_", "ignore_", "lock_allows_")))


def _guarded(is_looser: bool) -> Iterator[Json]:
    yield effect("weakens_guard") if is_looser else no_effect("weakens_guard")


def _stale_reviews(record: Json) -> Iterator[Json]:
    said = truth(_said(record, "dismiss_stale_reviews_on_push", "dismiss_stale_reviews"))
    if said is not None:
        yield from _guarded(not said)


def _ruleset(record: Json) -> Iterator[Json]:
    """An update guards less where a rule is gone or looser, somebody may pass, or it is enforced no more."""
    before, now = _word(record, "ruleset_old_enforcement"), _word(record, "ruleset_enforcement")
    is_off = bool(now) and now not in ("active", "enabled") and now != before
    looser = is_off or any(_listed(record, f"ruleset_{each}") for each in ("rules_deleted", "bypass_actors_added"))
    updated = _listed(record, "ruleset_rules_updated")
    looser = looser or any(_is_looser(mapping(rule)) for rule in updated)
    known = bool(before or updated or _listed(record, "ruleset_rules_added"))
    places = any(_listed(record, f"ruleset_conditions_{each}") for each in ("added", "updated", "deleted"))
    if looser or (known and not places):
        yield from _guarded(looser)


def _listed(record: Json, name: str) -> list[Any]:
    return sequence(_said(record, name))[:_MOST]


def _is_looser(rule: Json) -> bool:
    old, new = mapping(rule.get("old_parameters")), mapping(rule.get("parameters"))
    return any(_lower(name, value, new.get(name)) for name, value in list(old.items())[:_MOST])


def _lower(name: str, old: Any, new: Any) -> bool:
    if name.startswith("ignore_"):
        old, new = new, old
    both_numbers = type(old) in (bool, int) and type(new) in (bool, int)
    both_lists = type(old) is list and type(new) is list
    return (both_numbers and new < old) or (both_lists and not name.startswith("allowed_") and len(new) < len(old))


def _allowed_address(record: Json) -> Iterator[Json]:
    address = text(_said(record, "allow_list_value", "ip_allow_list_value", "value"))
    if address and is_for_everybody(address):
        yield effect("weakens_guard", target="public", uids=[address])


def _stream(record: Json) -> Iterator[Json]:
    """A stream that is on and goes where it went before takes nothing away."""
    enabled = truth(_said(record, "audit_log_stream_enabled"))
    moved = any(type(name) is str and name.startswith(_STREAM_PLACES) for name in record)
    if enabled is False:
        yield effect("weakens_evidence")
    elif enabled is True and not moved:
        yield no_effect("weakens_evidence")


def _hook(record: Json) -> Iterator[Json]:
    """What happens is told to this host, which may be anybody's."""
    config = mapping(_said(record, "config"))
    address = text(config.get("url"))
    if host := _host_of(address) if address else None:
        yield effect("exposes", uids=[host], power="data")
    if str(config.get("insecure_ssl")) == "1":
        yield effect("weakens_guard")


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _public_key(record: Json) -> Iterator[Json]:
    """With a repository it is a key to that, for whoever has it; else the user's own."""
    repo = text(_said(record, "repo"))
    if repo is None:
        yield effect("issues_credential", target="self")
    elif truth(_said(record, "read_only")) is True:
        yield effect("issues_credential", uids=[repo], power="data")
    else:
        yield effect("issues_credential", target="identity", uids=[repo], power="data")


def _installed(record: Json) -> Iterator[Json]:
    """Of an app or token the greatest of its permissions, where the record tells them."""
    named = list(mapping(record.get("permissions")).items())[:_MOST]
    inner = [pair for _, levels in named if type(levels) is dict for pair in list(levels.items())[:_MOST]]
    held = {name: level for name, level in (*named, *inner) if type(level) is str}
    if not held:
        return
    manages = any(name in _MANAGING and level.lower() in _WRITING for name, level in held.items())
    app = text(_said(record, "name")) or text(_said(record, "integration"))
    uids = [f"github_app/{app}"] if app else []
    yield effect("grants_power", target="identity", uids=uids, power="permissions" if manages else "data")


def _token_granted(record: Json) -> Iterator[Json]:
    """The token was its user's before; now it may do something here."""
    yield no_effect("issues_credential")
    yield from _installed(record)


def _workflows_may(record: Json) -> Iterator[Json]:
    """The token of each job may read only, or write too."""
    said = _word(record, "default_workflow_permissions", "new_default_workflow_permissions", "permission", "new_value")
    if said == "read":
        yield no_effect("grants_power")
    elif said == "write":
        yield effect("grants_power", target="identity", power="data")


def _may_approve(record: Json) -> Iterator[Json]:
    said = truth(_said(record, "can_approve_pull_request_reviews", "allowed", "enabled", "new_value"))
    if said is not None:
        yield from _guarded(said)


_SAYS: dict[str, Callable[[Json], Iterator[Json]]] = {
    **dict.fromkeys(("org.add_member", "org.update_member", "org.invite_member", "org.invite_user"), _member),
    **dict.fromkeys(("repo.add_member", "repo.update_member", "repository_invitation.create"), _in_repository),
    "org.update_default_repository_permission": _base_permission,
    **dict.fromkeys(("repo.create", "repo.access"), _visible),
    "protected_branch.dismiss_stale_reviews": _stale_reviews,
    "repository_ruleset.update": _ruleset,
    **dict.fromkeys(("ip_allow_list_entry.create", "ip_allow_list_entry.update"), _allowed_address),
    "audit_log_streaming.update": _stream,
    **dict.fromkeys(("hook.create", "hook.config_changed"), _hook),
    **dict.fromkeys(("public_key.create", "deploy_key.create"), _public_key),
    "integration_installation.create": _installed,
    "integration_installation.version_updated": _installed,
    "personal_access_token.access_granted": _token_granted,
    **dict.fromkeys(
        (f"{place}.set_default_workflow_permissions" for place in ("repo", "org", "business")), _workflows_may
    ),
    **dict.fromkeys(
        (f"{place}.set_workflow_permission_can_approve_pr" for place in ("repo", "org", "business")), _may_approve
    ),
}
