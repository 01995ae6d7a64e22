"""What requests to Google's services open: rules of firewalls, policies with everybody in them, databases' networks.

Firewall rules: https://cloud.google.com/compute/docs/reference/rest/v1/firewalls (audit entries write `alloweds` for
`allowed`), rules of firewall policies: https://cloud.google.com/compute/docs/reference/rest/v1/firewallPolicies/addRule
Cloud SQL: https://cloud.google.com/sql/docs/mysql/admin-api/rest/v1/instances
Public members: https://cloud.google.com/iam/docs/principal-identifiers
"""

import ipaddress
from itertools import islice
from typing import Any

from ultravires.reading.effects import Json, effect, no_effect
from ultravires.reading.values import mapping, sequence, text, truth
from ultravires.sources.gcp.entry_members import Entry, listed, said

EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
_ADMIN_PORTS = (22, 23, 135, 445, 1433, 1521, 2375, 3306, 3389, 5432, 5985, 5986, 6379, 9200, 11211, 27017)
"""Ports of shells, remote desktops and databases: on these the whole internet has no business."""
_WITH_PORTS = frozenset({"tcp", "6", "udp", "17", "all", ""})
_MOST = 500


def firewall(entry: Entry) -> list[Json]:
    """A rule is for everybody where it says so, and in a new one also where it names no source at all."""
    request = entry.request
    return _logged(request) + _opened(request, is_new=entry.operation == "insert")


def _opened(request: Json, *, is_new: bool) -> list[Json]:
    """Nothing where a change does not show for whom the rule is, or on which ports."""
    if request.get("direction") == "EGRESS" or truth(request.get("disabled")) is True:
        return [no_effect("exposes")]
    sources = said(request, "sourceRanges", "source_ranges")
    others = ("sourceTags", "sourceServiceAccounts", "source_tags", "source_service_accounts")
    has_others = any(sequence(request.get(name)) for name in others)
    allowed = said(request, "alloweds", "allowed")
    if type(sources) is not list and not (is_new and not has_others):
        return [no_effect("exposes")] if is_new else []
    is_public = type(sources) is not list or any(map(is_everywhere, sources[:_MOST]))
    if not is_public or (is_new and not sequence(allowed)):
        return [no_effect("exposes")]
    if type(allowed) is not list:
        return []
    is_admins = any(_has_admin_port(each, "IPProtocol") for each in listed(allowed))
    return [effect("exposes", target="public")] if is_admins else [no_effect("exposes")]


def _logged(request: Json) -> list[Json]:
    """Of firewall rules and subnetworks, whose traffic is logged only where it is turned on."""
    is_off = truth(mapping(request.get("logConfig")).get("enable")) is False
    return [effect("weakens_evidence")] if is_off or truth(request.get("enableFlowLogs")) is False else []


def firewall_policy_rule(entry: Entry) -> list[Json]:
    """A rule of a firewall policy: https://cloud.google.com/firewall/docs/firewall-policies"""
    request = entry.request
    match = mapping(request.get("match"))
    sources = sequence(said(match, "srcIpRanges", "src_ip_ranges"))[:_MOST]
    is_allowed = request.get("action") in ("allow", "goto_next") and request.get("direction") != "EGRESS"
    is_public = is_allowed and truth(request.get("disabled")) is not True and any(map(is_everywhere, sources))
    ports = listed(said(match, "layer4Configs", "layer4_configs"))
    is_admins = is_public and (not ports or any(_has_admin_port(each, "ipProtocol") for each in ports))
    return [effect("exposes", target="public")] if is_admins else []


def subnetwork(entry: Entry) -> list[Json]:
    """https://cloud.google.com/vpc/docs/using-flow-logs: a new subnetwork without them is as it always was."""
    return _logged(entry.request) if entry.operation != "insert" else []


def _has_admin_port(allowed: Json, protocol: str) -> bool:
    name = (text(allowed.get(protocol)) or "").lower()
    if name not in _WITH_PORTS:
        return False
    ports = allowed.get("ports")
    return not ports or any(map(_is_of_admins, sequence(ports)[:_MOST]))


def _is_of_admins(port: Any) -> bool:
    """`22` or `20-25`."""
    first, _, last = str(port).partition("-")
    if not first.isdecimal() or len(first) > 5:
        return False
    end = int(last) if last.isdecimal() and len(last) <= 5 else int(first)
    return any(int(first) <= each <= end for each in _ADMIN_PORTS)


def is_everywhere(network: Any) -> bool:
    """Whether a range has every address in it."""
    if type(network) is not str:
        return False
    try:
        return ipaddress.ip_network(network, strict=False).prefixlen == 0
    except ValueError:
        return False


def policy_members(entry: Entry) -> tuple[list[str], bool]:
    """Members that a change of a policy adds, and whether the entry shows the change; where it shows none, as of a call
    that failed, those of the policy that was asked for.
    """
    if entry.deltas is not None:
        added = [delta for delta in listed(entry.deltas) if delta.get("action") == "ADD"]
        return [member for delta in added if (member := text(delta.get("member")))], True
    bindings = listed(mapping(entry.request.get("policy")).get("bindings"))
    members = (member for binding in bindings for member in islice(sequence(binding.get("members")), _MOST))
    return [member for each in islice(members, _MOST) if (member := text(each))], False


def shared(entry: Entry) -> list[Json]:
    """A policy that names everybody opens what it is of. Who is of another organisation SQL works out by the grant."""
    return [effect("exposes", target="public")] if EVERYBODY & set(policy_members(entry)[0]) else []


def dataset(entry: Entry) -> list[Json]:
    """An update of a dataset or table in BigQuery opens it only by whom it lets in:
    https://cloud.google.com/bigquery/docs/reference/auditlogs/rest/Shared.Types/BigQueryAuditMetadata
    """
    members, is_delta = policy_members(entry)
    access = listed(mapping(said(entry.request, "dataset", "resource")).get("access"))
    special = {each.get("specialGroup") for each in access if type(each.get("specialGroup")) is str}
    members += [each["iamMember"] for each in access if type(each.get("iamMember")) is str]
    if EVERYBODY & set(members) or "allAuthenticatedUsers" in special:
        return [effect("exposes", target="public")]
    return [no_effect("exposes")] if is_delta or access else []


def bucket(entry: Entry) -> list[Json]:
    """https://cloud.google.com/storage/docs/json_api/v1/buckets: most entries show nothing of what changes."""
    changed = mapping(entry.request.get("bucket")) or entry.request
    iam = mapping(said(changed, "iamConfiguration", "iam_config"))
    prevention = text(said(iam, "publicAccessPrevention", "public_access_prevention"))
    uniform = mapping(said(iam, "uniformBucketLevelAccess", "uniform_bucket_level_access"))
    is_public_again = prevention is not None and prevention.lower() != "enforced"
    is_guard_off = is_public_again or truth(uniform.get("enabled")) is False
    kept = mapping(said(changed, "softDeletePolicy", "soft_delete_policy"))
    is_unkept = _is_taken_out(changed, "retentionPolicy", "retention_policy") or (
        str(said(kept, "retentionDurationSeconds", "retention_duration")) in ("0", "0s")
    )
    is_unversioned = truth(mapping(changed.get("versioning")).get("enabled")) is False
    found = [effect("weakens_guard")] if is_guard_off or is_unkept or is_unversioned else []
    if _is_taken_out(changed, "logging"):
        found.append(effect("weakens_evidence"))
    public = shared(entry)
    return found + public + ([no_effect("exposes")] if found and not public else [])


def _is_taken_out(changed: Json, *names: str) -> bool:
    return any(name in changed and not changed[name] for name in names)


def database(entry: Entry) -> list[Json]:
    """A database that any address may ask, that asks for no encryption, or that nothing keeps or protects."""
    body = mapping(said(entry.request, "body", "resource")) or entry.request
    settings = mapping(body.get("settings"))
    network = mapping(settings.get("ipConfiguration"))
    networks = listed(network.get("authorizedNetworks"))
    found = [effect("exposes", target="public")] if any(is_everywhere(each.get("value")) for each in networks) else []
    backups = mapping(settings.get("backupConfiguration"))
    is_guard_off = (
        truth(backups.get("enabled")) is False
        or truth(network.get("requireSsl")) is False
        or network.get("sslMode") == "ALLOW_UNENCRYPTED_AND_ENCRYPTED"
        or truth(settings.get("deletionProtectionEnabled")) is False
    )
    return found + ([effect("weakens_guard")] if is_guard_off and entry.operation != "create" else [])
