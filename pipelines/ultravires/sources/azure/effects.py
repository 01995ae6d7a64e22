"""What only a request's body says of its effects on Azure: whether a setting weakens something or not, and whether
what is opened is open to everybody (reading/effects.py).

An operation that is in no table here does what build/action_effects/azure.csv says, and so does a record without a
body. An operation that failed was asked for all the same. Members are those of each provider's REST API
(https://learn.microsoft.com/en-us/rest/api/azure/), whose case means nothing.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any

from ultravires.reading.effects import Effect, Json, effect, no_effect
from ultravires.reading.values import mapping, sequence, text, truth
from ultravires.sources.azure.bodies import body_asked, members_of, within
from ultravires.sources.azure.exports import filled, last_part
from ultravires.sources.azure.network_effects import firewall_range, is_open_rule, ranges_of_everybody
from ultravires.sources.azure.role_effects import key_vault_policies, role_policy, role_request

_MOST_ITEMS = 500
_OLD_TLS = frozenset({"tls1_0", "tls1_1", "1.0", "1.1", "none"})
_OFF = frozenset({"off", "disabled", "disable", "free", "false"})
_CODE = ("customscript", "runcommand", "dsc", "chef", "puppet")
_RESETS = "vmaccess"
_WATCHERS = (
    "mde.",
    "monitoringagent",
    "azuremonitor",
    "omsagent",
    "azuresecurity",
    "guestattestation",
    "iaasantimalware",
)
"""How extensions are named that log, watch or protect a machine:
https://learn.microsoft.com/en-us/azure/virtual-machines/extensions/overview"""
_RECOVERY = ("deleteretentionpolicy", "containerdeleteretentionpolicy", "restorepolicy", "sharedeleteretentionpolicy")
Effects = Callable[[Json, str], list[Json]]


def effects_of(operation: str, properties: Json, resource: str | None) -> list[Json]:
    """What the body shows; `operation` in lower case. Nothing of most operations."""
    if (named := _BY_RESOURCE.get(operation)) is not None:
        return named({}, (resource or "").lower())
    change = _EFFECTS.get(operation) or _EFFECTS.get("*/" + "/".join(operation.split("/")[-2:]))
    if change is None:
        return []
    body = body_asked(members_of(properties))
    return change(body, (resource or "").lower()) if body else []


def _said(what: Effect, is_so: bool) -> list[Json]:
    return [effect(what)] if is_so else [no_effect(what)]


def _if(what: Effect, is_so: bool) -> list[Json]:
    return [effect(what)] if is_so else []


def _word(body: Json, *path: str) -> str | None:
    """A word of the body's properties in lower case; true and false are words, too."""
    value = within(body, "properties", *path)
    if type(value) is bool:
        return "true" if value else "false"
    named = text(value)
    return named.lower() if named else None


def _is(body: Json, *path: str) -> bool:
    return truth(within(body, "properties", *path)) is True


def _is_off(body: Json, *path: str) -> bool:
    return _word(body, *path) in _OFF


def _items(value: Any) -> list[Json]:
    return [members_of(mapping(each)) for each in islice(sequence(value), _MOST_ITEMS)]


def _is_new(body: Json) -> bool:
    """A request with a place makes a resource, or writes it whole: what Azure sets unless told otherwise weakens
    nothing there.
    """
    return text(body.get("location")) is not None


def _lets_networks_in(body: Json, rules: str = "networkacls") -> bool:
    by_default = _word(body, rules, "defaultaction")
    is_let_in = by_default == "allow" or (by_default is None and _word(body, "publicnetworkaccess") == "enabled")
    return is_let_in and not _is_new(body)


# Storage: https://learn.microsoft.com/en-us/rest/api/storagerp/storage-accounts/update


def _storage_account(body: Json, resource: str) -> list[Json]:
    is_weaker = (
        _is(body, "allowblobpublicaccess")
        or _word(body, "supportshttpstrafficonly") == "false"
        or _word(body, "minimumtlsversion") in _OLD_TLS
        or (_is(body, "allowsharedkeyaccess") and not _is_new(body))
        or (_is(body, "allowcrosstenantreplication") and not _is_new(body))
        or _lets_networks_in(body)
    )
    return [no_effect("exposes"), *_if("weakens_guard", is_weaker)]


def _blob_service(body: Json, resource: str) -> list[Json]:
    """What was deleted or written over can be had back, as long as one of these is on."""
    is_unversioned = _word(body, "isversioningenabled") == "false"
    return _if("weakens_guard", is_unversioned or any(_is_off(body, each, "enabled") for each in _RECOVERY))


def _container(body: Json, resource: str) -> list[Json]:
    if _word(body, "publicaccess") in ("blob", "container"):
        return [effect("exposes", target="public")]
    return [no_effect("exposes")]


# Networks: https://learn.microsoft.com/en-us/rest/api/virtualnetwork/security-rules/create-or-update


def _security_rule(body: Json, resource: str) -> list[Json]:
    is_open = is_open_rule(members_of(mapping(body.get("properties"))))
    return [effect("exposes", target="public")] if is_open else [no_effect("exposes")]


def _security_group(body: Json, resource: str) -> list[Json]:
    rules = _items(within(body, "properties", "securityrules"))
    is_open = any(is_open_rule(members_of(mapping(rule.get("properties")))) for rule in rules)
    return [effect("exposes", target="public")] if is_open else [no_effect("exposes")]


def _firewall_rule(body: Json, resource: str) -> list[Json]:
    target = firewall_range(_word(body, "startipaddress"), _word(body, "endipaddress"))
    return [effect("exposes", target=target)] if target else [no_effect("exposes")]


def _firewall(body: Json, resource: str) -> list[Json]:
    is_weaker = _is_off(body, "threatintelmode") or _is_off(body, "intrusiondetection", "mode")
    return _if("weakens_guard", is_weaker)


def _web_firewall(body: Json, resource: str) -> list[Json]:
    """In detection mode a web application firewall lets everything through."""
    settings = ("policysettings",)
    is_off = _is_off(body, *settings, "state") or _is_off(body, *settings, "enabledstate")
    return _if("weakens_guard", is_off or _word(body, *settings, "mode") == "detection")


# Evidence: https://learn.microsoft.com/en-us/rest/api/monitor/diagnostic-settings/create-or-update


def _diagnostic_setting(body: Json, resource: str) -> list[Json]:
    """A setting by which no log goes anywhere any more."""
    logs = _items(within(body, "properties", "logs"))
    metrics = _items(within(body, "properties", "metrics"))
    is_logged = any(truth(each.get("enabled")) is True for each in logs)
    is_measured = any(truth(each.get("enabled")) is True for each in metrics)
    return _said("weakens_evidence", not is_logged and bool(logs or not is_measured))


def _switched(what: Effect, *path: str) -> Effects:
    """Off weakens; on, or not spoken of, does not."""
    return lambda body, resource: _said(what, _is_off(body, *path))


def _automation_rule(body: Json, resource: str) -> list[Json]:
    """A rule that closes incidents: https://learn.microsoft.com/en-us/rest/api/securityinsights/automation-rules"""
    actions = _items(within(body, "properties", "actions"))
    states = [text(within(each, "actionconfiguration", "status")) for each in actions]
    return _said("weakens_evidence", any((state or "").lower() == "closed" for state in states))


# Guards


def _key_vault(body: Json, resource: str) -> list[Json]:
    """https://learn.microsoft.com/en-us/rest/api/keyvault/keyvault/vaults/update"""
    is_weaker = _is_off(body, "enablesoftdelete") or _is_off(body, "enablepurgeprotection") or _lets_networks_in(body)
    return _if("weakens_guard", is_weaker)


def _policy_assignment(body: Json, resource: str) -> list[Json]:
    return _if("weakens_guard", _word(body, "enforcementmode") == "donotenforce")


def _backup_vault(body: Json, resource: str) -> list[Json]:
    """https://learn.microsoft.com/en-us/azure/backup/backup-azure-security-feature-cloud"""
    settings = ("securitysettings",)
    is_weaker = (
        _is_off(body, *settings, "softdeletesettings", "softdeletestate")
        or _is_off(body, *settings, "softdeletesettings", "state")
        or _is_off(body, *settings, "immutabilitysettings", "state")
    )
    return _if("weakens_guard", is_weaker)


def _backup_setting(body: Json, resource: str) -> list[Json]:
    is_weaker = _is_off(body, "softdeletefeaturestate") or _is_off(body, "enhancedsecuritystate")
    return _if("weakens_guard", is_weaker)


def _backup_item(body: Json, resource: str) -> list[Json]:
    return _if("weakens_guard", _word(body, "protectionstate") == "protectionstopped")


def _database_server(body: Json, resource: str) -> list[Json]:
    """https://learn.microsoft.com/en-us/rest/api/sql/servers/update"""
    has_password = within(body, "properties", "administratorloginpassword") is not None and not _is_new(body)
    is_weaker = _word(body, "minimaltlsversion") in _OLD_TLS or _lets_networks_in(body)
    return [*_if("weakens_guard", is_weaker), *_if("issues_credential", has_password)]


def _database_administrator(body: Json, resource: str) -> list[Json]:
    holder = filled(within(body, "properties", "sid"))
    return [effect("grants_power", target="identity", uids=[last_part(holder)], power="data")] if holder else []


def _account_with_keys(body: Json, resource: str) -> list[Json]:
    """Keys that name nobody are let in beside identities."""
    has_keys = _word(body, "disablelocalauth") == "false" and not _is_new(body)
    return _if("weakens_guard", has_keys or _lets_networks_in(body))


def _registry(body: Json, resource: str) -> list[Json]:
    """https://learn.microsoft.com/en-us/rest/api/container-registry/registries/update"""
    is_weaker = _is(body, "adminuserenabled") or _lets_networks_in(body, "networkruleset")
    exposed = [effect("exposes", target="public")] if _is(body, "anonymouspullenabled") else []
    return [*_if("weakens_guard", is_weaker), *exposed]


def _cluster(body: Json, resource: str) -> list[Json]:
    """https://learn.microsoft.com/en-us/rest/api/aks/managed-clusters/create-or-update"""
    ranges = sequence(within(body, "properties", "apiserveraccessprofile", "authorizedipranges"))
    exposed = [effect("exposes", target="public")] if ranges_of_everybody(ranges) else []
    is_weaker = _is_off(body, "enablerbac") or _is_off(body, "addonprofiles", "azurepolicy", "enabled")
    is_unwatched = _is_off(body, "addonprofiles", "omsagent", "enabled")
    return [*exposed, *_if("weakens_guard", is_weaker), *_if("weakens_evidence", is_unwatched and not _is_new(body))]


def _site_settings(body: Json, resource: str) -> list[Json]:
    """https://learn.microsoft.com/en-us/rest/api/appservice/web-apps/update-configuration"""
    is_unsigned = "/config/authsettings" in resource and (
        _is_off(body, "platform", "enabled") or _word(body, "enabled") == "false"
    )
    return _if("weakens_guard", _is(body, "remotedebuggingenabled") or is_unsigned)


def _publishing_password(body: Json, resource: str) -> list[Json]:
    return _said("weakens_guard", _is(body, "allow"))


# Code, and what is shared


def _extension(body: Json, resource: str) -> list[Json]:
    """https://learn.microsoft.com/en-us/azure/virtual-machines/extensions/overview: only some of them run code that
    whoever installs them brings, and one sets passwords and keys of the machine's accounts.
    """
    kind = _word(body, "type")
    if kind is None or any(word in kind for word in _CODE):
        return []
    if _RESETS in kind:
        return [effect("issues_credential")]
    return [no_effect("runs_code"), effect("changes_workload")]


def _extension_gone(body: Json, resource: str) -> list[Json]:
    name = resource.rpartition("/extensions/")[2]
    return _said("weakens_evidence", any(word in name for word in _WATCHERS))


def _shared_images(body: Json, resource: str) -> list[Json]:
    """https://learn.microsoft.com/en-us/rest/api/compute/gallery-sharing-profile/update: the request's own members."""
    what = (text(body.get("operationtype")) or "").lower()
    if what == "enablecommunity":
        return [effect("exposes", target="public")]
    shared_with = _items(body.get("groups"))
    ids = [uid for each in shared_with for uid in sequence(each.get("ids"))[:_MOST_ITEMS] if type(uid) is str]
    is_tenant = any(text(each.get("type")) == "AADTenants" for each in shared_with)
    if what != "add":
        return [no_effect("exposes")]
    return [effect("exposes", target="outside" if is_tenant else "resource", uids=ids)]


_EFFECTS: dict[str, Effects] = {
    "microsoft.storage/storageaccounts/write": _storage_account,
    "microsoft.storage/storageaccounts/blobservices/write": _blob_service,
    "microsoft.storage/storageaccounts/fileservices/write": _blob_service,
    "microsoft.storage/storageaccounts/blobservices/containers/write": _container,
    "microsoft.network/networksecuritygroups/securityrules/write": _security_rule,
    "microsoft.network/networksecuritygroups/write": _security_group,
    "*/firewallrules/write": _firewall_rule,
    "microsoft.network/firewallpolicies/write": _firewall,
    "microsoft.network/azurefirewalls/write": _firewall,
    "microsoft.network/applicationgatewaywebapplicationfirewallpolicies/write": _web_firewall,
    "microsoft.network/frontdoorwebapplicationfirewallpolicies/write": _web_firewall,
    "*/diagnosticsettings/write": _diagnostic_setting,
    "microsoft.network/networkwatchers/flowlogs/write": _switched("weakens_evidence", "enabled"),
    "microsoft.security/pricings/write": _switched("weakens_evidence", "pricingtier"),
    "microsoft.security/settings/write": _switched("weakens_guard", "enabled"),
    "microsoft.security/autoprovisioningsettings/write": _switched("weakens_guard", "autoprovision"),
    "microsoft.securityinsights/alertrules/write": _switched("weakens_evidence", "enabled"),
    "microsoft.securityinsights/automationrules/write": _automation_rule,
    "microsoft.insights/activitylogalerts/write": _switched("weakens_evidence", "enabled"),
    "microsoft.insights/metricalerts/write": _switched("weakens_evidence", "enabled"),
    "microsoft.insights/scheduledqueryrules/write": _switched("weakens_evidence", "enabled"),
    "*/auditingsettings/write": _switched("weakens_evidence", "state"),
    "*/securityalertpolicies/write": _switched("weakens_guard", "state"),
    "*/transparentdataencryption/write": _switched("weakens_guard", "state"),
    "microsoft.keyvault/vaults/write": _key_vault,
    "microsoft.keyvault/vaults/accesspolicies/write": key_vault_policies,
    "microsoft.authorization/policyassignments/write": _policy_assignment,
    "microsoft.authorization/rolemanagementpolicies/write": role_policy,
    "microsoft.authorization/roleassignmentschedulerequests/write": role_request,
    "microsoft.authorization/roleeligibilityschedulerequests/write": role_request,
    "microsoft.recoveryservices/vaults/write": _backup_vault,
    "microsoft.dataprotection/backupvaults/write": _backup_vault,
    "microsoft.recoveryservices/vaults/backupconfig/write": _backup_setting,
    "*/protecteditems/write": _backup_item,
    "microsoft.sql/servers/write": _database_server,
    "microsoft.sql/servers/administrators/write": _database_administrator,
    "microsoft.documentdb/databaseaccounts/write": _account_with_keys,
    "microsoft.cognitiveservices/accounts/write": _account_with_keys,
    "microsoft.containerregistry/registries/write": _registry,
    "microsoft.containerservice/managedclusters/write": _cluster,
    "microsoft.web/sites/config/write": _site_settings,
    "*/basicpublishingcredentialspolicies/write": _publishing_password,
    "*/extensions/write": _extension,
    "microsoft.compute/galleries/share/action": _shared_images,
}
"""What a body says of its own effects, by its operation; `*` is any provider."""
_BY_RESOURCE: dict[str, Effects] = {
    "microsoft.compute/virtualmachines/extensions/delete": _extension_gone,
    "microsoft.compute/virtualmachinescalesets/extensions/delete": _extension_gone,
    "microsoft.hybridcompute/machines/extensions/delete": _extension_gone,
}
"""Operations whose resource's name says it."""
