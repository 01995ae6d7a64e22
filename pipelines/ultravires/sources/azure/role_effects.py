"""What requests for roles of Azure do to power, and what access policies of a vault do.

Requests: https://learn.microsoft.com/en-us/rest/api/authorization/role-assignment-schedule-requests/create
Settings: https://learn.microsoft.com/en-us/rest/api/authorization/role-management-policies/update
Vaults: https://learn.microsoft.com/en-us/rest/api/keyvault/keyvault/vaults/update-access-policy
"""

import re
from itertools import islice

from ultravires.reading.effects import Json, Power, effect, no_effect
from ultravires.reading.grants import Json as Grant
from ultravires.reading.values import mapping, sequence, text, truth
from ultravires.sources.azure.bodies import members_of, within
from ultravires.sources.azure.exports import filled, last_part

_MOST_ITEMS = 500
_GIVES_POWER = frozenset(
    {
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    }
)
"""Owner, User Access Administrator and Role Based Access Control Administrator:
https://learn.microsoft.com/en-us/azure/role-based-access-control/built-in-roles/privileged"""
_WIDE = re.compile(r"/?|/subscriptions/[^/]+/?|/providers/microsoft\.management/managementgroups/[^/]+/?")
"""Scopes that hold a subscription or more."""
_ENDS = ("remove", "deactivate", "cancel")


def power_of(role: str, scope: str | None) -> Power | None:
    """That of a built-in role which may give roles: everything where it counts for a subscription or more."""
    if last_part(role) not in _GIVES_POWER:
        return None
    return "admin" if scope is not None and _WIDE.fullmatch(scope.lower()) else "permissions"


def attempted(grants: list[Grant]) -> list[Json]:
    """What was asked for and did not happen, or is not known to: as effects, for it changed nothing that is held."""
    given = [each for each in grants[:_MOST_ITEMS] if each.get("op") == "add" and each.get("relation") == "attached"]
    powers = [power_of(each.get("held", ""), each.get("scope")) for each in given]
    holders = [each["holder"] for each in given if "holder" in each]
    power = next((word for word in ("admin", "permissions") if word in powers), None)
    return [effect("grants_power", target="identity", uids=holders, power=power)] if holders else []


def role_request(body: Json, resource: str) -> list[Json]:
    """A role, or eligibility for one, is asked for, given or given back through Privileged Identity Management."""
    asked = members_of(mapping(body.get("properties")))
    holder, role = filled(asked.get("principalid")), filled(asked.get("roledefinitionid"))
    kind = (text(asked.get("requesttype")) or "").lower()
    if holder is None or role is None:
        return []
    uids = [last_part(holder)]
    if any(word in kind for word in _ENDS):
        return [no_effect("grants_power"), effect("takes_power", target="identity", uids=uids)]
    scope = filled(asked.get("scope")) or resource.partition("/providers/microsoft.authorization/")[0]
    return [effect("grants_power", target="identity", uids=uids, power=power_of(role, scope))]


def role_policy(body: Json, resource: str) -> list[Json]:
    """Settings by which a role is had without a second factor, without an answer, or for ever."""
    rules = [members_of(mapping(each)) for each in islice(sequence(within(body, "properties", "rules")), _MOST_ITEMS)]
    return [effect("weakens_guard")] if any(map(_is_weak, rules)) else [no_effect("weakens_guard")]


def _is_weak(rule: Json) -> bool:
    name = (text(rule.get("id")) or "").lower()
    if name == "enablement_enduser_assignment":
        return "MultiFactorAuthentication" not in sequence(rule.get("enabledrules"))
    if name == "approval_enduser_assignment":
        return truth(within(rule, "setting", "isapprovalrequired")) is False
    return name.startswith("expiration_") and truth(rule.get("isexpirationrequired")) is False


def key_vault_policies(body: Json, resource: str) -> list[Json]:
    """Access policies are added, replaced or removed, as the last part of the resource says."""
    policies = sequence(within(body, "properties", "accesspolicies"))
    named = [filled(members_of(mapping(each)).get("objectid")) for each in islice(policies, _MOST_ITEMS)]
    holders = [last_part(uid) for uid in named if uid]
    if not holders:
        return []
    if resource.endswith("/remove"):
        return [no_effect("grants_power"), effect("takes_power", target="identity", uids=holders)]
    return [effect("grants_power", target="identity", uids=holders, power="data")]
