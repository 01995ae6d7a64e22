"""What only an entry of Cloud Audit Logs says of a call's effects: whether a change of a setting weakens something or
not, who else gets what, and what is opened to everybody (reading/effects.py).

A call that is in no table here does what build/action_effects/gcp.csv says. A call that failed was meant all the same.
What a call changes of who holds what is said as grants.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ultravires.reading.effects import Effect, Json, effect, no_effect
from ultravires.reading.values import integer, mapping, sequence, text, truth
from ultravires.sources.gcp.credentials import operation_of
from ultravires.sources.gcp.entry_members import Entry, entry_of, listed, mask_of, said
from ultravires.sources.gcp.exposure import (
    bucket,
    database,
    dataset,
    firewall,
    firewall_policy_rule,
    shared,
    subnetwork,
)
from ultravires.sources.gcp.principals import holder_of

_SHORTEST_RETENTION_DAYS = 30
"""For so long Google keeps the bucket _Default: https://cloud.google.com/logging/quotas#logs_retention_periods"""
_OF_PERMISSIONS = ("setiampolicy", "iam.roles.update", "iam.roles.create", "iam.serviceaccountkeys.create")
_SIGNING = ("iam.serviceaccounts.getaccesstoken", "iam.serviceaccounts.signjwt", "iam.serviceaccounts.signblob")
_ACT_AS = "iam.serviceAccounts.actAs"
_FOR_MANY = ("token.actions.githubusercontent.com", "gitlab.com", "app.terraform.io", "accounts.google.com")
"""Issuers that all their customers share: without a condition everybody who has an account there is believed.
https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines"""
_SCRIPTS = (
    "startup-script",
    "windows-startup-script",
    "shutdown-script",
    "windows-shutdown-script",
    "user-data",
)
_KEYS = ("ssh-keys", "sshkeys", "windows-keys")
_GUARDS = (
    "enable-oslogin",
    "block-project-ssh-keys",
    "serial-port-enable",
    "disable-legacy-endpoints",
)
_MOST = 500


def effects_of(method: str, payload: Json, caller: str | None) -> list[Json]:
    """The effects that the entry itself shows, none of most calls."""
    shown = _shown_by(method)
    return shown(entry_of(payload, operation_of(method), caller)) if shown else []


@lru_cache(maxsize=4_096)
def _shown_by(method: str) -> Callable[[Entry], list[Json]] | None:
    """By the method's last two words, such as `firewalls.insert`, else by its last."""
    operation = operation_of(method)
    before = method.rpartition(".")[0].rpartition(".")[2].lower()
    return SHOWING.get(f"{before}.{operation}") or SHOWING.get(operation)


def _weakens(what: Effect, is_weaker: bool) -> list[Json]:
    return [effect(what)] if is_weaker else [no_effect(what)]


def _wrapped(value: Any) -> Any:
    """What protocol buffers write as `{"value": false}` or as false alone."""
    return value.get("value", False) if type(value) is dict else value


# Power


def _policy(entry: Entry) -> list[Json]:
    """Who is exempted from data access logs, and kinds of logs that are off: https://cloud.google.com/iam/docs/reference
    /rest/v1/AuditConfig; and everybody among the members.
    """
    return _exempted(entry) + shared(entry)


def _exempted(entry: Entry) -> list[Json]:
    """An exemption is added, or the logging of a kind of access is taken out."""
    deltas = listed(entry.policy_delta.get("auditConfigDeltas"))
    is_weaker = any((each.get("action") == "ADD") == bool(each.get("exemptedMember")) for each in deltas)
    members = [holder_of(member) for each in deltas if (member := text(each.get("exemptedMember")))]
    return [effect("weakens_evidence", uids=members)] if is_weaker else []


def _role_updated(entry: Entry) -> list[Json]:
    """A custom role that loses permissions, or is disabled, gives its holders less."""
    request, delta = entry.request, entry.permission_delta
    added = _permissions(said(delta, "addedPermissions", "added_permissions"))
    role = mapping(request.get("role"))
    if truth(role.get("deleted")) is True or role.get("stage") == "DISABLED":
        return [no_effect("grants_power"), effect("takes_power")]
    if added:
        name = text(request.get("name")) or entry.resource
        power: Any = "permissions" if any(map(_manages, added)) else None
        return [effect("grants_power", target="identity", uids=[name] if name else [], power=power)]
    if said(delta, "removedPermissions", "removed_permissions"):
        return [no_effect("grants_power"), effect("takes_power")]
    mask = mask_of(request)
    return [no_effect("grants_power")] if mask and "includedpermissions" not in mask else []


def _permissions(value: Any) -> list[str]:
    return [each.lower() for each in sequence(value)[:_MOST] if type(each) is str]


def _manages(permission: str) -> bool:
    return permission.endswith(_OF_PERMISSIONS) or permission in _SIGNING


def _deny_policy(entry: Entry) -> list[Json]:
    """The policies of IAM deny: what they do not forbid they give to nobody."""
    if entry.service != "iam.googleapis.com":
        return _organisation_policy(entry)
    return [no_effect("grants_power")]


def _ownership_invite(entry: Entry) -> list[Json]:
    """Whoever is invited becomes an owner of the project by saying yes."""
    member = text(entry.request.get("member"))
    if not member:
        return []
    return [effect("grants_power", target="identity", uids=[holder_of(member)], power="admin", is_offer=True)]


def _acting_as(entry: Entry) -> list[Json]:
    """Who may let a new workload act as a service account runs code with its rights:
    https://cloud.google.com/iam/docs/service-account-permissions#user-role
    """
    acts = any(each.get("permission") == _ACT_AS for each in listed(entry.checked))
    accounts = listed(said(entry.request, "serviceAccounts", "service_accounts"))
    named = [address for each in accounts if (address := text(each.get("email")))]
    return [effect("runs_code", uids=named)] if acts else []


def _key_imported(entry: Entry) -> list[Json]:
    """A key of OS Login is one of the person under whom it is put: https://cloud.google.com/compute/docs/oslogin/rest"""
    user = (text(entry.request.get("parent")) or "").removeprefix("users/")
    return [effect("issues_credential", target="identity", uids=[user])] if "@" in user else []


# Trust


def _provider(entry: Entry) -> list[Json]:
    """https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers"""
    names = ("workloadIdentityPoolProvider", "workload_identity_pool_provider", "workforcePoolProvider")
    provider = mapping(said(entry.request, *names, "workloadIdentityPool", "workforcePool"))
    if truth(provider.get("disabled")) is True:
        return [no_effect("opens_trust")]
    issuer = (text(said(mapping(provider.get("oidc")), "issuerUri", "issuer_uri")) or "").removeprefix("https://")
    condition = text(said(provider, "attributeCondition", "attribute_condition"))
    is_for_all = issuer.partition("/")[0].lower() in _FOR_MANY and condition is None
    is_new = entry.operation.startswith("create")
    return [effect("opens_trust", target="public")] if is_for_all and is_new else []


# Evidence


def _sink(entry: Entry) -> list[Json]:
    """https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.sinks: what is changed says its mask; without
    one it is what goes where.
    """
    sink, mask = mapping(entry.request.get("sink")), mask_of(entry.request)
    if truth(sink.get("disabled")) is True:
        return [effect("weakens_evidence")]
    if mask and not mask & {"filter", "exclusions", "destination", "disabled", "includechildren"}:
        return [no_effect("weakens_evidence")]
    is_wider = mask == {"disabled"} or (mask == {"exclusions"} and not sink.get("exclusions"))
    is_wider = is_wider or (mask == {"filter"} and not sink.get("filter"))
    return [no_effect("weakens_evidence")] if is_wider else []


def _log_bucket(entry: Entry) -> list[Json]:
    """https://cloud.google.com/logging/docs/buckets: how long it keeps what it has."""
    held, mask = mapping(entry.request.get("bucket")), mask_of(entry.request)
    days = integer(said(held, "retentionDays", "retention_days"))
    if mask and "retentiondays" not in mask:
        return [no_effect("weakens_evidence")]
    return _weakens("weakens_evidence", days is None or days < _SHORTEST_RETENTION_DAYS) if mask or days else []


def _exclusion(entry: Entry) -> list[Json]:
    """An exclusion that is off leaves nothing out."""
    is_off = truth(mapping(entry.request.get("exclusion")).get("disabled")) is True
    return [no_effect("weakens_evidence")] if is_off else []


def _log_settings(entry: Entry) -> list[Json]:
    settings = mapping(entry.request.get("settings"))
    is_off = truth(said(settings, "disableDefaultSink", "disable_default_sink")) is True
    return [effect("weakens_evidence")] if is_off else []


def _alert_policy(entry: Entry) -> list[Json]:
    """https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies"""
    policy = mapping(said(entry.request, "alertPolicy", "alert_policy"))
    is_off = "enabled" in policy and truth(_wrapped(policy["enabled"])) is False
    return [effect("weakens_evidence")] if is_off else []


# Guards


def _organisation_policy(entry: Entry) -> list[Json]:
    """https://cloud.google.com/resource-manager/docs/reference/orgpolicy/rest/v2/organizations.policies: a rule that is
    enforced guards, one that is not lets through; what a list of values does, only the one before it shows.
    """
    spec = mapping(mapping(entry.request.get("policy")).get("spec"))
    rules = listed(spec.get("rules"))
    names = ("allowAll", "allow_all")
    if truth(spec.get("reset")) is True or any(
        truth(each.get("enforce")) is False or truth(said(each, *names)) is True for each in rules
    ):
        return [effect("weakens_guard")]
    is_strict = rules and all(
        truth(each.get("enforce")) is True or truth(said(each, "denyAll", "deny_all")) is True for each in rules
    )
    return [no_effect("weakens_guard")] if is_strict else []


def _old_organisation_policy(entry: Entry) -> list[Json]:
    """https://cloud.google.com/resource-manager/reference/rest/v1/Policy"""
    policy = mapping(entry.request.get("policy"))
    of_list, of_boolean = (mapping(said(policy, *names)) for names in _OLD_POLICIES)
    is_strict = truth(of_boolean.get("enforced")) is True or said(of_list, "allValues", "all_values") == "DENY"
    return [no_effect("weakens_guard")] if is_strict else []


_OLD_POLICIES = (("listPolicy", "list_policy"), ("booleanPolicy", "boolean_policy"))


def _created_guard(entry: Entry) -> list[Json]:
    """A new perimeter or level of access guards what was open."""
    return [no_effect("weakens_guard")]


def _attestation(entry: Entry) -> list[Json]:
    """https://cloud.google.com/binary-authorization/docs/reference/rest/v1/Policy"""
    policy = mapping(entry.request.get("policy"))
    rule = mapping(said(policy, "defaultAdmissionRule", "default_admission_rule"))
    modes = (said(rule, "evaluationMode", "evaluation_mode"), said(rule, "enforcementMode", "enforcement_mode"))
    is_off = modes[0] == "ALWAYS_ALLOW" or modes[1] == "DRYRUN_AUDIT_LOG_ONLY"
    return _weakens("weakens_guard", is_off) if any(modes) else []


def _deletion_protection(entry: Entry) -> list[Json]:
    is_kept = truth(said(entry.request, "deletionProtection", "deletion_protection")) is True
    return [no_effect("weakens_guard")] if is_kept else []


def _shielded(entry: Entry) -> list[Json]:
    """https://cloud.google.com/compute/shielded-vm/docs/shielded-vm"""
    names = ("enableSecureBoot", "enableVtpm", "enableIntegrityMonitoring")
    return _weakens("weakens_guard", any(truth(entry.request.get(name)) is False for name in names))


def _security_policy(entry: Entry) -> list[Json]:
    """A backend without a policy of Cloud Armor has no rules."""
    is_set = bool(said(entry.request, "securityPolicy", "security_policy"))
    return _weakens("weakens_guard", not is_set)


def _backend(entry: Entry) -> list[Json]:
    """https://cloud.google.com/compute/docs/reference/rest/v1/backendServices"""
    request = entry.request
    is_open = truth(mapping(request.get("iap")).get("enabled")) is False
    is_silent = truth(mapping(request.get("logConfig")).get("enable")) is False
    guard = [effect("weakens_guard")] if is_open else []
    return guard + ([effect("weakens_evidence")] if is_silent else [])


# What runs, and what is destroyed


def _metadata(entry: Entry) -> list[Json]:
    """https://cloud.google.com/compute/docs/logging/audit-logging: the names of keys are shown, and no values. A script
    runs as root, a key lets whoever has its other half do so; a switch of a guard may have gone either way.
    """
    deltas = [mapping(entry.metadata.get(name)) for name in ("instanceMetadataDelta", "projectMetadataDelta")]
    put = _metadata_keys(deltas, "addedMetadataKeys", "modifiedMetadataKeys")
    items = listed(mapping(entry.request.get("metadata")).get("items"))
    put += [] if any(deltas) else [name.lower() for each in items if (name := text(each.get("key")))]
    every = put + _metadata_keys(deltas, "deletedMetadataKeys")
    if not every:
        return []
    guard = [effect("weakens_guard")] if any(name.startswith(_GUARDS) for name in every) else []
    if any(name.startswith(_SCRIPTS + _KEYS) for name in put):
        return guard
    return [*guard, no_effect("runs_code"), effect("changes_workload")]


def _metadata_keys(deltas: list[Json], *names: str) -> list[str]:
    keys = (key for each in deltas for name in names for key in sequence(each.get(name))[:_MOST])
    return [key.lower() for key in keys if type(key) is str]


def _key_version(entry: Entry) -> list[Json]:
    """Under a version that is not enabled nothing can be read: https://cloud.google.com/kms/docs/key-states"""
    version = mapping(said(entry.request, "cryptoKeyVersion", "crypto_key_version"))
    return [effect("destroys")] if version.get("state") == "DISABLED" else []


SHOWING: dict[str, Callable[[Entry], list[Json]]] = {
    "setiampolicy": _policy,
    "setiampermissions": _policy,
    "updaterole": _role_updated,
    "createpolicy": _deny_policy,
    "updatepolicy": _deny_policy,
    "binauthzmanagementservicev1.updatepolicy": _attestation,
    "setorgpolicy": _old_organisation_policy,
    "setorgpolicyv1": _old_organisation_policy,
    "insertprojectownershipinvite": _ownership_invite,
    "instances.insert": _acting_as,
    "instancetemplates.insert": _acting_as,
    "importsshpublickey": _key_imported,
    "createworkloadidentitypoolprovider": _provider,
    "updateworkloadidentitypoolprovider": _provider,
    "updateworkloadidentitypool": _provider,
    "createworkforcepoolprovider": _provider,
    "updateworkforcepoolprovider": _provider,
    "updatesink": _sink,
    "configservicev2.updatebucket": _log_bucket,
    "configservicev2.createexclusion": _exclusion,
    "configservicev2.updateexclusion": _exclusion,
    "configservicev2.updatesettings": _log_settings,
    "updatealertpolicy": _alert_policy,
    "createserviceperimeter": _created_guard,
    "createaccesslevel": _created_guard,
    "firewalls.insert": firewall,
    "firewalls.patch": firewall,
    "firewalls.update": firewall,
    "firewallpolicies.addrule": firewall_policy_rule,
    "firewallpolicies.patchrule": firewall_policy_rule,
    "networkfirewallpolicies.addrule": firewall_policy_rule,
    "networkfirewallpolicies.patchrule": firewall_policy_rule,
    "regionnetworkfirewallpolicies.addrule": firewall_policy_rule,
    "regionnetworkfirewallpolicies.patchrule": firewall_policy_rule,
    "subnetworks.patch": subnetwork,
    "backendservices.patch": _backend,
    "backendservices.update": _backend,
    "backendservices.setsecuritypolicy": _security_policy,
    "instances.setdeletionprotection": _deletion_protection,
    "instances.updateshieldedinstanceconfig": _shielded,
    "instances.setmetadata": _metadata,
    "projects.setcommoninstancemetadata": _metadata,
    "buckets.update": bucket,
    "buckets.patch": bucket,
    "buckets.create": shared,
    "datasetservice.updatedataset": dataset,
    "datasetservice.patchdataset": dataset,
    "datasetservice.update": dataset,
    "instances.update": database,
    "instances.patch": database,
    "instances.create": database,
    "updatecryptokeyversion": _key_version,
}
"""What shows the effects of a call, by the last two words of its method, or by its last."""
