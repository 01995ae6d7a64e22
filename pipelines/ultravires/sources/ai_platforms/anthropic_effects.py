"""What an activity of Anthropic's feed does that its type alone does not say, as `detail["effects"]`.

Types and their fields: https://platform.claude.com/docs/en/api/compliance/activities/list. Organizations have owners
and admins: https://support.claude.com/en/articles/10186004-api-console-roles-and-permissions. A person is named as the
feed names who acts: by email, else by id.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ultravires.reading.effects import Effect, Power, TargetKind, effect, no_effect
from ultravires.reading.sign_ins import SecondFactor
from ultravires.reading.values import mapping, text, texts, truth

Json = dict[str, Any]
_ADMIN = frozenset({"owner", "primary_owner", "admin", "organization_admin"})
_MANAGING = frozenset({"workspace_admin", "membership_admin", "developer_admin", "manager"})
_INACTIVE = frozenset({"inactive", "archived", "deleted", "revoked", "disabled", "expired"})
_PUBLIC = ("public", "anyone", "everyone", "internet", "web")
_INSIDE = ("private", "organization", "org", "members", "team", "workspace", "none")
_OPENING = ("allow", "enable", "grant", "add", "approve")
_CLOSING = ("revoke", "remove", "disallow", "disable", "deny", "block")
_SECOND_FACTORS: dict[str, SecondFactor] = {
    "sso_second_factor_magic_link": "passed",
    "step_up_authentication_succeeded": "passed",
    "step_up_authentication_failed": "failed",
}


def effects_of(record: Json, kind: str) -> list[Json] | None:
    """The effects that this activity shows or excludes; None where its type says all."""
    says = _SAYS.get(kind)
    if says is None and kind.endswith("api_key_updated"):
        says = _key_updated
    if says is None and kind.endswith(("member_added", "member_updated")):
        says = _role
    return (list(says(record)) or None) if says else None


def second_factor_of(kind: str) -> SecondFactor | None:
    """What became of the second factor, where the activity is about one."""
    return _SECOND_FACTORS.get(kind)


def _word(record: Json, *names: str) -> str:
    return next((found.lower() for name in names if (found := text(record.get(name)))), "")


def _switched(record: Json) -> bool | None:
    """Whether it is on now."""
    found = (truth(record.get(name)) for name in ("is_enabled", "enabled", "new_value", "current_value"))
    return next((value for value in found if value is not None), None)


def _guard(record: Json) -> Iterator[Json]:
    is_on = _switched(record)
    if is_on is not None:
        yield no_effect("weakens_guard") if is_on else effect("weakens_guard")


def _evidence(is_told: bool, record: Json) -> Iterator[Json]:
    """`is_told` where the type alone takes evidence away, unless the record says otherwise."""
    is_on = _switched(record)
    state = _word(mapping(record.get("state")), "type") or _word(record, "state", "new_state")
    if is_on is False or state == "disabled":
        yield effect("weakens_evidence")
    elif is_told and (is_on or state == "enabled"):
        yield no_effect("weakens_evidence")


def _admin_key(record: Json) -> Iterator[Json]:
    """A key that may only read manages nothing."""
    scopes = texts(record.get("scopes"))
    if scopes and all(scope.startswith("read:") for scope in scopes):
        yield effect("issues_credential", target="self", power="data")


def _key_updated(record: Json) -> Iterator[Json]:
    """A key that was switched off, or only named otherwise, lets nobody act who could not before."""
    updates = mapping(record.get("updates"))
    status = _word(record, "status", "new_status") or _word(updates, "status")
    if status in _INACTIVE:
        yield no_effect("issues_credential")
        yield effect("takes_power", target="identity")
    elif updates and not status:
        yield no_effect("issues_credential")


def _role(record: Json, is_offer: bool = False) -> Iterator[Json]:
    """The role that somebody has now, or is asked to take, where that manages others."""
    roles = ("current_role", "new_role", "role", "role_name", "workspace_role", "organization_role")
    role = _word(record, *roles).replace(" ", "_")
    power: Power | None = "admin" if role in _ADMIN else "permissions" if role in _MANAGING else None
    if power:
        yield _to_person("grants_power", record, power, is_offer)


def _to_person(what: Effect, record: Json, power: Power, is_offer: bool = False) -> Json:
    actor = mapping(record.get("actor"))
    emails = ("user_email", "email_address", "invitee_email", "email", "new_owner_email")
    email = next((found for name in emails if (found := text(record.get(name)))), None)
    uid = next((found for name in ("user_id", "new_owner_id") if (found := text(record.get(name)))), None)
    own = (email is not None and email == text(actor.get("email_address"))) or (
        uid is not None and uid == text(actor.get("user_id"))
    )
    target: TargetKind = "self" if own else "identity"
    named = email or uid
    return effect(what, target=target, uids=[named] if named else (), power=power, is_offer=is_offer)


def _shared(record: Json) -> Iterator[Json]:
    """With whom something is shared now."""
    names = ("current_visibility", "new_visibility", "visibility", "sharing", "access_level", "link_access", "audience")
    said = _word(record, *names)
    if truth(record.get("is_public")) is True or said.startswith(_PUBLIC):
        yield effect("exposes", target="public", power="data")
    elif truth(record.get("is_public")) is False or said.startswith(_INSIDE):
        yield no_effect("exposes")


def _external(record: Json) -> Iterator[Json]:
    action = _word(record, "action")
    if action.startswith(_CLOSING):
        yield no_effect("exposes")
    elif action.startswith(_OPENING):
        yield effect("exposes", target="outside", power="data")


def _proxy_rule(record: Json) -> Iterator[Json]:
    """A new rule of the agents' proxy that lets requests out."""
    if _word(record, "action").startswith(_OPENING):
        yield effect("weakens_guard")


def _member_action(record: Json) -> Iterator[Json]:
    if _word(record, "action").startswith(_CLOSING):
        yield no_effect("grants_power")
        yield effect("takes_power", target="identity")


_SAYS: dict[str, Callable[[Json], Iterator[Json]]] = {
    **dict.fromkeys(
        (
            "org_sso_toggled",
            "org_magic_link_second_factor_toggled",
            "org_connector_domain_guard_updated",
            "claude_code_security_center_config_updated",
            "claude_code_review_config_updated",
            "inference_hooks_config_updated",
        ),
        _guard,
    ),
    "org_compliance_api_settings_updated": partial(_evidence, True),
    "org_cowork_otlp_settings_updated": partial(_evidence, False),
    "admin_api_key_created": _admin_key,
    "ccr_agent_proxy_rule_created": _proxy_rule,
    **dict.fromkeys(
        (
            "claude_user_role_updated",
            "org_user_updated",
            "role_assignment_granted",
            "rbac_role_assigned",
        ),
        _role,
    ),
    "org_user_invite_sent": partial(_role, is_offer=True),
    **dict.fromkeys(
        (
            "claude_project_sharing_updated",
            "claude_artifact_sharing_updated",
            "claude_artifact_published",
            "claude_chat_snapshot_created",
            "session_share_created",
            "design_project_sharing_updated",
        ),
        _shared,
    ),
    "claude_artifact_external_sharing_permission_updated": _external,
    "claude_code_security_scan_project_member_updated": _member_action,
    "claude_code_team_memory_acl_updated": _member_action,
}
