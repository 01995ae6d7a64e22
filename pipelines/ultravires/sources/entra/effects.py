"""What only the record of a change in Microsoft's directory says of its effects: whether a policy protects less than
before, whether a second factor was taken, how much power a role has (reading/effects.py).

An operation that is in no table here does what build/action_effects/entra.csv says. The unified audit log of Microsoft
365 has copies of these operations, with a full stop after the name. What failed was asked for all the same.
https://learn.microsoft.com/en-us/entra/identity/monitoring-health/reference-audit-activities
"""

from collections.abc import Callable
from functools import lru_cache

import msgspec

from ultravires.reading.effects import Effect, Json, Power, effect, no_effect
from ultravires.reading.grants import Json as Grant
from ultravires.reading.mending import UNDECODABLE, decode_inner
from ultravires.reading.values import sequence
from ultravires.sources.entra.conditional_access import is_weaker
from ultravires.sources.entra.directory_change import Change
from ultravires.sources.entra.operations import key_changes

Effects = Callable[[Change], list[Json]]
_MOST_ITEMS = 500
_ADMINS = frozenset(
    {
        "62e90394-69f5-4237-9190-012177145e10",
        "e8611ab8-c189-46e8-94e1-60213ab1f814",
        "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
    }
)
"""Global, Privileged Role and Privileged Authentication Administrator, who can be or make anybody."""
_MANAGERS = frozenset(
    {
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
        "158c047a-c907-4556-b7ef-446551a6b5f7",
        "cf1c38e5-3621-4004-a7cb-879624dced7c",
        "c4e39bd9-1100-46d3-8c65-fb160da0071f",
        "25a516ed-2fa0-40ea-a2d0-12923a21473a",
        "aaf43236-0c0d-4d5f-883a-6955382ac081",
        "7698a772-787b-4ac8-901f-60d6b08affd2",
        "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9",
        "d29b2b05-8046-44ba-8758-1e26182fcf32",
        "9360feb5-f418-4baa-8175-e2a00bac4301",
        "8329153b-31d0-4727-b945-745eb3bc5f31",
        "be2f45a1-457d-42af-a067-6ec1fa63bc45",
        "729827e3-9c14-49f7-bb1b-9608f156bbb8",
        "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2",
        "3a2c62db-5318-420d-8d74-23affee5d9d5",
        "4ba39ca4-527c-499a-b93d-d9b492c50246",
        "e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8",
        "966707d0-3269-4727-9be2-8c3a10f19b9d",
        "194ae4cb-b126-40b2-bd5b-6091b380977d",
        "5f2222b1-57c3-48ba-8ad5-d4759f1fde6f",
        "fe930be7-5e62-47db-91af-98c3a49a38b1",
    }
)
"""The other roles that Microsoft lists as privileged, and which change something:
https://learn.microsoft.com/en-us/entra/identity/role-based-access-control/privileged-roles-permissions"""
_UNDONE = (" requested", "request denied", "request canceled", "request cancelled", "request expired", "request failed")
_SECOND_FACTORS = (
    "StrongAuthenticationRequirement",
    "StrongAuthenticationMethod",
    "StrongAuthenticationPhoneAppDetail",
    "StrongAuthenticationUserDetails",
)
_GUEST_LIKE_A_MEMBER = "a0b1b346-4d3e-4e8b-98f8-753987be4970"
"""The role of guests by which they see as much as members."""
_WEAKER = {
    "AllowInvitesFrom": ("everyone",),
    "GuestUserRoleId": (_GUEST_LIKE_A_MEMBER,),
    "AllowUserConsentForRiskyApps": ("true",),
    "AllowEmailVerifiedUsersToJoinOrganization": ("true",),
    "BlockMsolPowerShell": ("false",),
}
"""Values of the authorization policy that let more people do more:
https://learn.microsoft.com/en-us/graph/api/resources/authorizationpolicy"""


def effects_of(name: str, change: Callable[[], Change]) -> list[Json]:
    """What the record shows; `change` is asked for of those few operations whose record says more than their name."""
    make = _function_for(name)
    return make(change()) if make else []


def role_effects(changes: list[Grant], *, has_happened: bool) -> list[Json]:
    """What a role gives that Microsoft lists as privileged; of what did not happen, also that another was asked for."""
    given = [each for each in changes[:_MOST_ITEMS] if each.get("op") == "add" and each.get("relation") == "attached"]
    holders = [each["holder"] for each in given if "holder" in each]
    power = next((power for power in map(_power_of, given) if power), None)
    if not holders or (has_happened and power is None):
        return []
    return [effect("grants_power", target="identity", uids=holders, power=power)]


def _power_of(grant: Grant) -> Power | None:
    """By the role, or that for which somebody is eligible."""
    role = str(grant.get("held", "")).rpartition("/")[2].rpartition(" ")[2].lower()
    if role in _ADMINS:
        return "admin"
    return "permissions" if role in _MANAGERS else None


@lru_cache(maxsize=8192)
def _function_for(name: str) -> Effects | None:
    lowered = name.lower()
    if lowered.startswith(("add ", "remove ")) and any(words in lowered for words in _UNDONE):
        return _asked_for
    plain = lowered.partition(" (")[0].strip(" .")
    if plain.startswith("update application") and "secrets management" in plain:
        return _keys
    return _EFFECTS.get(plain)


def _asked_for(change: Change) -> list[Json]:
    """A request gives nothing before it is answered, and one that was refused never."""
    return [no_effect("grants_power"), no_effect("takes_power")]


def _said(what: Effect, is_so: bool) -> list[Json]:
    return [effect(what)] if is_so else [no_effect(what)]


def _listed(written: str | None) -> int | None:
    """How many things a JSON array in a text holds; 0 of nothing, None of what is no array."""
    if written is None or written == "null":
        return 0
    if not written.startswith("["):
        return None
    try:
        return len(sequence(decode_inner(written.encode(), msgspec.json.decode)))
    except UNDECODABLE:
        return None


# Policies


def _policy_added(change: Change) -> list[Json]:
    """Before it there was none."""
    return [no_effect("weakens_guard")]


def _policy_changed(change: Change) -> list[Json]:
    found = is_weaker(change.old.get("ConditionalAccessPolicy"), change.new.get("ConditionalAccessPolicy"))
    return [] if found is None else _said("weakens_guard", found)


def _policy_deleted(change: Change) -> list[Json]:
    found = is_weaker(change.old.get("ConditionalAccessPolicy"), None)
    return [] if found is None else _said("weakens_guard", found)


def _authorization_policy(change: Change) -> list[Json]:
    known = [name for name in _WEAKER if change.said(name)]
    is_wider = any((change.new.get(name) or "").lower() in _WEAKER[name] for name in known)
    return _said("weakens_guard", is_wider) if known else []


def _security_defaults(change: Change) -> list[Json]:
    value = change.new.get("IsEnabled") or change.new.get("isEnabled") or ""
    return _said("weakens_guard", value.lower() == "false") if value.lower() in ("true", "false") else []


def _methods_policy(change: Change) -> list[Json]:
    """What is switched on and was off is one more guard."""
    named = change.old.keys() | change.new.keys()
    is_on = [(change.old.get(name) or "").lower() in ("", "false") and change.new.get(name) == "true" for name in named]
    return [no_effect("weakens_guard")] if is_on and all(is_on) else []


def _domain(change: Change) -> list[Json]:
    """https://learn.microsoft.com/en-us/graph/api/resources/domain: who signs in there is believed, or no longer."""
    kind = (change.new.get("LiveType") or change.new.get("AuthenticationType") or "").lower()
    if kind == "federated":
        return [effect("opens_trust", target="outside", uids=[uid for _, uid in change.targets])]
    return [no_effect("opens_trust")] if kind == "managed" else []


# Accounts, groups and applications


def _account(change: Change) -> list[Json]:
    """A second factor that is no longer asked for, or one method less; an account that is shut or opened."""
    people = change.ids("User")
    counts = [(_listed(change.old.get(name)), _listed(change.new.get(name))) for name in _SECOND_FACTORS]
    found: list[Json] = []
    if any(before is not None and after is not None and after < before for before, after in counts):
        found.append(effect("weakens_guard", target="identity", uids=people))
    enabled = (change.new.get("AccountEnabled") or "").strip("[]\r\n ").lower()
    if enabled == "false":
        found.append(effect("takes_power", target="identity", uids=people))
    if enabled == "true" and "AccountEnabled" in change.old:
        found.append(effect("grants_power", target="identity", uids=people, power="none"))
    return found


def _invited(change: Change) -> list[Json]:
    """A guest of another domain than that of who invites; of the same there is nobody outside."""
    address = change.details.get("invitedUserEmailAddress") or ""
    domain, own = (name.rpartition("@")[2].lower() for name in (address, change.address or ""))
    if not domain or not own:
        return []
    if domain == own:
        return [no_effect("grants_power")]
    return [effect("grants_power", target="outside", uids=[address])]


def _group(change: Change) -> list[Json]:
    """By a rule of membership whoever fits it is a member: https://learn.microsoft.com/en-us/entra/identity/users/groups-dynamic-membership"""
    return [effect("grants_power", uids=change.ids("Group"))] if "MembershipRule" in change.new else []


def _keys(change: Change) -> list[Json]:
    """Keys that came and went; another identity is trusted to act as the application where it got a federated one."""
    applications = change.ids("Application", "ServicePrincipal")
    found: list[Json] = []
    added, removed = _changed_keys(change, "KeyDescription")
    if added:
        found.append(effect("issues_credential", target="identity", uids=applications))
    elif removed:
        found += [no_effect("issues_credential"), effect("takes_power", target="identity", uids=applications)]
    if _changed_keys(change, "FederatedIdentityCredentials")[0]:
        found.append(effect("opens_trust", uids=applications))
    return found


def _changed_keys(change: Change, name: str) -> tuple[list[str], list[str]]:
    written = {"displayName": name, "oldValue": change.old.get(name), "newValue": change.new.get(name)}
    return key_changes([{"modifiedProperties": [written]}])


_EFFECTS: dict[str, Effects] = {
    "add conditional access policy": _policy_added,
    "update conditional access policy": _policy_changed,
    "delete conditional access policy": _policy_deleted,
    "update authorization policy": _authorization_policy,
    "update security defaults": _security_defaults,
    "authentication methods policy update": _methods_policy,
    "update authentication methods policy": _methods_policy,
    "set domain authentication": _domain,
    "update user": _account,
    "invite external user": _invited,
    "update group": _group,
    "update application": _keys,
    "update service principal": _keys,
}
"""What a record says of its own effects, by the operation in lower case."""
