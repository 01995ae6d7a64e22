"""Google Cloud: given audit entries -> the effects that only the entry shows.

Shapes: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog, requests as
https://cloud.google.com/compute/docs/logging/audit-logging and https://cloud.google.com/logging/docs/audit show them.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import only
from ultravires.reading.effects import effect, no_effect
from ultravires.sources.gcp.effects import SHOWING, effects_of
from ultravires.sources.gcp.exposure import is_everywhere
from ultravires.sources.gcp.log_entries import region_of

MIRA = "mira@harbor.example"
LOGGING = "google.logging.v2.ConfigServiceV2."
POOLS = "google.iam.v1.WorkloadIdentityPools."
PUBLIC = effect("exposes", target="public")
NOT_OPEN = no_effect("exposes")
LESS_SEEN, AS_SEEN = effect("weakens_evidence"), no_effect("weakens_evidence")
WEAKER, AS_STRONG = effect("weakens_guard"), no_effect("weakens_guard")
SSH = [{"IPProtocol": "tcp", "ports": ["20-25"]}]


def shown(method: str, service: str = "x.googleapis.com", **payload: Any) -> list[dict[str, Any]]:
    return effects_of(method, {"serviceName": service, **payload}, MIRA)


def asked(method: str, request: dict[str, Any], service: str = "x.googleapis.com") -> list[dict[str, Any]]:
    return shown(method, service, request=request)


# Networks: https://cloud.google.com/compute/docs/reference/rest/v1/firewalls


@pytest.mark.parametrize(
    "request_",
    [
        {"alloweds": SSH, "sourceRanges": ["10.0.0.0/8", "0.0.0.0/0"]},
        {"alloweds": SSH, "sourceRanges": ["::/0"], "direction": "INGRESS"},
        {"allowed": [{"IPProtocol": "all"}], "sourceRanges": ["0.0.0.0/0"]},
        {"alloweds": [{"IPProtocol": "tcp", "ports": ["3389"]}]},
    ],
)
def test_a_new_rule_for_everybody_on_a_port_of_administration(request_: dict[str, Any]) -> None:
    assert asked("v1.compute.firewalls.insert", request_) == [PUBLIC]


@pytest.mark.parametrize(
    "request_",
    [
        {"alloweds": [{"IPProtocol": "tcp", "ports": ["443"]}], "sourceRanges": ["0.0.0.0/0"]},
        {"alloweds": [{"IPProtocol": "icmp"}], "sourceRanges": ["0.0.0.0/0"]},
        {"alloweds": SSH, "sourceRanges": ["203.0.113.0/24"]},
        {"alloweds": SSH, "sourceTags": ["bastion"]},
        {"alloweds": SSH, "sourceRanges": ["0.0.0.0/0"], "direction": "EGRESS"},
        {"alloweds": SSH, "sourceRanges": ["0.0.0.0/0"], "disabled": True},
        {"denieds": SSH, "sourceRanges": ["0.0.0.0/0"]},
    ],
)
def test_a_new_rule_that_opens_nothing_to_everybody(request_: dict[str, Any]) -> None:
    assert asked("beta.compute.firewalls.insert", request_) == [NOT_OPEN]


def test_a_changed_rule_says_only_what_its_request_says() -> None:
    assert asked("v1.compute.firewalls.patch", {"sourceRanges": ["0.0.0.0/0"], "alloweds": SSH}) == [PUBLIC]
    assert asked("v1.compute.firewalls.patch", {"sourceRanges": ["0.0.0.0/0"]}) == []
    assert asked("v1.compute.firewalls.patch", {"alloweds": SSH}) == []
    assert asked("v1.compute.firewalls.patch", {"sourceRanges": ["10.0.0.0/8"], "alloweds": SSH}) == [NOT_OPEN]
    assert LESS_SEEN in asked("v1.compute.firewalls.patch", {"logConfig": {"enable": False}})


def test_rules_of_firewall_policies() -> None:
    """https://cloud.google.com/compute/docs/reference/rest/v1/networkFirewallPolicies/addRule"""
    match = {"srcIpRanges": ["0.0.0.0/0"], "layer4Configs": [{"ipProtocol": "tcp", "ports": ["22"]}]}
    method = "v1.compute.networkFirewallPolicies.addRule"
    assert asked(method, {"action": "allow", "direction": "INGRESS", "match": match}) == [PUBLIC]
    assert asked(method, {"action": "allow", "match": {"srcIpRanges": ["0.0.0.0/0"]}}) == [PUBLIC]
    assert asked(method, {"action": "deny", "match": match}) == []
    assert asked(method, {"action": "allow", "direction": "EGRESS", "match": match}) == []


def test_flow_logs_and_logs_of_backends_are_turned_off() -> None:
    assert asked("v1.compute.subnetworks.patch", {"enableFlowLogs": False}) == [LESS_SEEN]
    assert asked("v1.compute.subnetworks.patch", {"logConfig": {"enable": True}}) == []
    assert asked("v1.compute.subnetworks.insert", {"enableFlowLogs": False}) == []
    assert asked("v1.compute.backendServices.patch", {"logConfig": {"enable": False}}) == [LESS_SEEN]
    assert asked("v1.compute.backendServices.patch", {"iap": {"enabled": False}}) == [WEAKER]
    assert asked("v1.compute.backendServices.setSecurityPolicy", {}) == [WEAKER]
    assert asked("v1.compute.backendServices.setSecurityPolicy", {"securityPolicy": "p"}) == [AS_STRONG]


# Policies: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditData


def policy(bindings: list[dict[str, Any]] | None = None, audit: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"policyDelta": {"bindingDeltas": bindings or [], "auditConfigDeltas": audit or []}}


def test_who_becomes_a_member_of_a_policy() -> None:
    added = {"action": "ADD", "role": "roles/viewer", "member": "allUsers"}
    assert shown("SetIamPolicy", serviceData=policy([added])) == [PUBLIC]
    assert shown("storage.setIamPermissions", serviceData=policy([added | {"member": "allAuthenticatedUsers"}])) == [
        PUBLIC
    ]
    assert shown("SetIamPolicy", serviceData=policy([added | {"action": "REMOVE"}])) == []
    assert shown("SetIamPolicy", serviceData=policy([added | {"member": f"user:{MIRA}"}])) == []


def test_a_policy_that_was_refused_says_what_it_asked_for() -> None:
    wanted = {"policy": {"bindings": [{"role": "roles/viewer", "members": ["allUsers"]}]}}
    assert asked("SetIamPolicy", wanted) == [PUBLIC]
    assert asked("SetIamPolicy", {"policy": {"bindings": [{"role": "r", "members": [f"user:{MIRA}"]}]}}) == []


def test_data_access_logs_that_leave_something_out() -> None:
    """https://cloud.google.com/logging/docs/audit/configure-data-access"""
    exempted = {"action": "ADD", "service": "allServices", "logType": "DATA_READ", "exemptedMember": f"user:{MIRA}"}
    off = {"action": "REMOVE", "service": "storage.googleapis.com", "logType": "DATA_READ"}
    assert shown("SetIamPolicy", serviceData=policy(audit=[exempted])) == [effect("weakens_evidence", uids=[MIRA])]
    assert shown("SetIamPolicy", serviceData=policy(audit=[off])) == [LESS_SEEN]
    assert shown("SetIamPolicy", serviceData=policy(audit=[off | {"action": "ADD"}])) == []
    assert shown("SetIamPolicy", serviceData=policy(audit=[exempted | {"action": "REMOVE"}])) == []


def test_a_custom_role_gets_wider_or_narrower() -> None:
    """https://cloud.google.com/iam/docs/reference/rest/v1/organizations.roles/patch"""
    method, name = "google.iam.admin.v1.UpdateRole", "projects/p/roles/deployer"
    wider = {"permissionDelta": {"addedPermissions": ["resourcemanager.projects.setIamPolicy"]}}
    given = shown(method, request={"name": name}, serviceData=wider)
    assert given == [effect("grants_power", target="identity", uids=[name], power="permissions")]
    plain = {"permissionDelta": {"addedPermissions": ["storage.objects.get"]}}
    assert shown(method, request={"name": name}, serviceData=plain) == [
        effect("grants_power", target="identity", uids=[name])
    ]
    narrower = {"permissionDelta": {"removedPermissions": ["storage.objects.get"]}}
    less = [no_effect("grants_power"), effect("takes_power")]
    assert shown(method, request={"name": name}, serviceData=narrower) == less
    assert asked(method, {"name": name, "role": {"stage": "DISABLED"}}) == less
    assert asked(method, {"name": name, "updateMask": "title"}) == [no_effect("grants_power")]
    assert asked(method, {"name": name}) == []


def test_deny_policies_give_nothing() -> None:
    assert shown("google.iam.v2.Policies.CreatePolicy", "iam.googleapis.com") == [no_effect("grants_power")]


def test_whoever_is_invited_to_own_a_project() -> None:
    invited = asked("InsertProjectOwnershipInvite", {"member": "user:eve@elsewhere.example", "projectId": "p"})
    offered = effect("grants_power", target="identity", uids=["eve@elsewhere.example"], power="admin", is_offer=True)
    assert invited == [offered]
    assert asked("InsertProjectOwnershipInvite", {}) == []


def test_a_machine_that_acts_as_a_service_account() -> None:
    acting = [{"permission": "iam.serviceAccounts.actAs", "granted": True}]
    request = {"serviceAccounts": [{"email": "runner@p.iam.gserviceaccount.com"}]}
    made = shown("v1.compute.instances.insert", request=request, authorizationInfo=acting)
    assert made == [effect("runs_code", uids=["runner@p.iam.gserviceaccount.com"])]
    assert shown("v1.compute.instances.insert", request=request) == []


def test_a_key_of_os_login_is_of_its_person() -> None:
    method = "google.cloud.oslogin.v1.OsLoginService.ImportSshPublicKey"
    assert asked(method, {"parent": f"users/{MIRA}"}) == [effect("issues_credential", target="identity", uids=[MIRA])]
    assert asked(method, {"parent": "users/1234"}) == []


def test_a_provider_of_identities_that_many_share() -> None:
    """https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines"""
    github = {"oidc": {"issuerUri": "https://token.actions.githubusercontent.com"}}
    method = POOLS + "CreateWorkloadIdentityPoolProvider"
    assert asked(method, {"workloadIdentityPoolProvider": github}) == [effect("opens_trust", target="public")]
    bound = github | {"attributeCondition": "assertion.repository_owner == 'harbor'"}
    assert asked(method, {"workloadIdentityPoolProvider": bound}) == []
    own = {"oidc": {"issuerUri": "https://sso.harbor.example"}}
    assert asked(method, {"workloadIdentityPoolProvider": own}) == []
    off = {"workloadIdentityPool": {"disabled": True}}
    assert asked(POOLS + "UpdateWorkloadIdentityPool", off) == [no_effect("opens_trust")]


# Evidence: https://cloud.google.com/logging/docs/reference/v2/rest


@pytest.mark.parametrize(
    ("sink", "mask", "expected"),
    [
        ({"disabled": True}, "disabled", [LESS_SEEN]),
        ({"disabled": False}, "disabled", [AS_SEEN]),
        ({"exclusions": [{"name": "all", "filter": "*"}]}, "exclusions", []),
        ({}, "exclusions", [AS_SEEN]),
        ({"filter": "severity>=ERROR"}, "filter", []),
        ({}, "filter", [AS_SEEN]),
        ({"description": "x"}, "description", [AS_SEEN]),
        ({"destination": "storage.googleapis.com/b"}, None, []),
    ],
)
def test_a_sink_is_changed(sink: dict[str, Any], mask: str | None, expected: list[dict[str, Any]]) -> None:
    request = {"sinkName": "projects/p/sinks/s", "sink": sink} | ({"updateMask": mask} if mask else {})
    assert asked(LOGGING + "UpdateSink", request) == expected


@pytest.mark.parametrize(
    ("bucket", "mask", "expected"),
    [
        ({"retentionDays": 1}, "retentionDays", [LESS_SEEN]),
        ({"retentionDays": 365}, "retention_days", [AS_SEEN]),
        ({"retentionDays": 7}, None, [LESS_SEEN]),
        ({"description": "x"}, "description", [AS_SEEN]),
        ({}, None, []),
    ],
)
def test_how_long_logs_are_kept(bucket: dict[str, Any], mask: str | None, expected: list[dict[str, Any]]) -> None:
    request = {"bucket": bucket} | ({"updateMask": {"paths": [mask]}} if mask else {})
    assert asked(LOGGING + "UpdateBucket", request) == expected


def test_what_else_leaves_something_out() -> None:
    assert asked(LOGGING + "CreateExclusion", {"exclusion": {"filter": "x", "disabled": True}}) == [AS_SEEN]
    assert asked(LOGGING + "CreateExclusion", {"exclusion": {"filter": "x"}}) == []
    assert asked(LOGGING + "UpdateSettings", {"settings": {"disableDefaultSink": True}}) == [LESS_SEEN]
    assert asked(LOGGING + "UpdateSettings", {"settings": {"storageLocation": "eu"}}) == []
    alert = "google.monitoring.v3.AlertPolicyService.UpdateAlertPolicy"
    assert asked(alert, {"alertPolicy": {"enabled": {}}}) == [LESS_SEEN]
    assert asked(alert, {"alertPolicy": {"enabled": {"value": True}}}) == []


# Guards


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"rules": [{"enforce": False}]}, [WEAKER]),
        ({"rules": [{"enforce": True}, {"allowAll": True}]}, [WEAKER]),
        ({"reset": True}, [WEAKER]),
        ({"rules": [{"enforce": True}]}, [AS_STRONG]),
        ({"rules": [{"denyAll": True}]}, [AS_STRONG]),
        ({"rules": [{"values": {"allowedValues": ["in:eu-locations"]}}]}, []),
    ],
)
def test_policies_of_an_organisation(spec: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    method = "google.cloud.orgpolicy.v2.OrgPolicy.UpdatePolicy"
    assert asked(method, {"policy": {"name": "p", "spec": spec}}, "orgpolicy.googleapis.com") == expected


def test_other_guards() -> None:
    strict = {"policy": {"booleanPolicy": {"enforced": True}}}
    assert asked("SetOrgPolicy", strict) == [AS_STRONG]
    assert asked("SetOrgPolicy", {"policy": {"listPolicy": {"allValues": "ALLOW"}}}) == []
    manager = "google.identity.accesscontextmanager.v1.AccessContextManager."
    assert asked(manager + "CreateServicePerimeter", {}) == [AS_STRONG]
    assert asked(manager + "DeleteServicePerimeter", {}) == []
    binauthz = "google.cloud.binaryauthorization.v1.BinauthzManagementServiceV1.UpdatePolicy"
    assert asked(binauthz, {"policy": {"defaultAdmissionRule": {"evaluationMode": "ALWAYS_ALLOW"}}}) == [WEAKER]
    assert asked(binauthz, {"policy": {"defaultAdmissionRule": {"evaluationMode": "ALWAYS_DENY"}}}) == [AS_STRONG]
    assert asked("v1.compute.instances.setDeletionProtection", {"deletionProtection": True}) == [AS_STRONG]
    assert asked("v1.compute.instances.updateShieldedInstanceConfig", {"enableSecureBoot": False}) == [WEAKER]
    assert asked("v1.compute.instances.updateShieldedInstanceConfig", {"enableSecureBoot": True}) == [AS_STRONG]


def test_buckets_lose_their_guards() -> None:
    """https://cloud.google.com/storage/docs/json_api/v1/buckets"""
    method = "storage.buckets.update"
    assert asked(method, {"iamConfiguration": {"publicAccessPrevention": "inherited"}}) == [WEAKER, NOT_OPEN]
    assert asked(method, {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}}}) == [WEAKER, NOT_OPEN]
    assert asked(method, {"retentionPolicy": None}) == [WEAKER, NOT_OPEN]
    assert asked(method, {"logging": None}) == [LESS_SEEN, NOT_OPEN]
    assert asked(method, {"iamConfiguration": {"publicAccessPrevention": "enforced"}}) == []
    assert asked(method, {}) == []


def test_databases_for_every_address() -> None:
    """https://cloud.google.com/sql/docs/mysql/admin-api/rest/v1/instances"""

    def of(settings: dict[str, Any], method: str = "cloudsql.instances.update") -> list[dict[str, Any]]:
        return asked(method, {"body": {"settings": settings}})

    assert of({"ipConfiguration": {"authorizedNetworks": [{"value": "0.0.0.0/0"}]}}) == [PUBLIC]
    assert of({"ipConfiguration": {"authorizedNetworks": [{"value": "203.0.113.7/32"}]}}) == []
    assert of({"backupConfiguration": {"enabled": False}}) == [WEAKER]
    assert of({"backupConfiguration": {"enabled": False}}, "cloudsql.instances.create") == []
    assert of({"ipConfiguration": {"requireSsl": False}}) == [WEAKER]


def test_datasets_are_shared() -> None:
    method = "google.cloud.bigquery.v2.DatasetService.UpdateDataset"
    change = {"datasetChange": {"bindingDeltas": [{"action": "ADD", "role": "r", "member": "allUsers"}]}}
    assert shown(method, "bigquery.googleapis.com", metadata=change) == [PUBLIC]
    change = {"datasetChange": {"bindingDeltas": [{"action": "ADD", "role": "r", "member": f"user:{MIRA}"}]}}
    assert shown(method, "bigquery.googleapis.com", metadata=change) == [NOT_OPEN]
    assert asked(method, {"dataset": {"access": [{"specialGroup": "allAuthenticatedUsers"}]}}) == [PUBLIC]
    assert asked(method, {}) == []


# What runs


def metadata(**delta: list[str]) -> list[dict[str, Any]]:
    """https://cloud.google.com/compute/docs/logging/audit-logging: the entry shows the names of keys alone."""
    return shown("v1.compute.instances.setMetadata", metadata={"instanceMetadataDelta": delta})


def test_keys_of_metadata() -> None:
    other = [no_effect("runs_code"), effect("changes_workload")]
    assert metadata(addedMetadataKeys=["ssh-keys"]) == []
    assert metadata(modifiedMetadataKeys=["startup-script-url"]) == []
    assert metadata(deletedMetadataKeys=["startup-script"]) == other
    assert metadata(addedMetadataKeys=["colour"]) == other
    assert metadata(deletedMetadataKeys=["enable-oslogin"]) == [WEAKER, *other]
    items = {"metadata": {"items": [{"key": "startup-script"}, {"key": "colour"}]}}
    assert asked("v1.compute.projects.setCommonInstanceMetadata", items) == []
    assert asked("v1.compute.projects.setCommonInstanceMetadata", {}) == []


def test_a_version_of_a_key_is_turned_off() -> None:
    method = "UpdateCryptoKeyVersion"
    assert asked(method, {"cryptoKeyVersion": {"state": "DISABLED"}}) == [effect("destroys")]
    assert asked(method, {"cryptoKeyVersion": {"state": "ENABLED"}}) == []


# Odd content


ODD: list[Any] = [None, 7, "x", [], [None, 7, "x", [[]]], {}, {"a": {"b": [1]}}, {"value": {}}, True]
MEMBERS = [
    "sink",
    "bucket",
    "exclusion",
    "settings",
    "policy",
    "spec",
    "rules",
    "sourceRanges",
    "alloweds",
    "match",
    "srcIpRanges",
    "body",
    "dataset",
    "access",
    "workloadIdentityPoolProvider",
    "oidc",
    "role",
    "updateMask",
    "serviceAccounts",
    "metadata",
    "items",
    "iamConfiguration",
    "logConfig",
    "member",
    "cryptoKeyVersion",
    "alertPolicy",
    "enabled",
    "parent",
    "layer4Configs",
    "retentionDays",
    "bindings",
    "members",
    "action",
    "policyDelta",
    "bindingDeltas",
    "auditConfigDeltas",
    "permissionDelta",
    "addedPermissions",
    "instanceMetadataDelta",
    "addedMetadataKeys",
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_members_never_raise(odd: Any) -> None:
    flat = dict.fromkeys(MEMBERS, odd)
    nested = dict.fromkeys(MEMBERS, flat)
    lists = {name: [flat, odd] for name in MEMBERS}
    for name in SHOWING:
        for given in (odd, flat, nested, lists):
            payload = dict.fromkeys(("request", "metadata", "serviceData", "authorizationInfo", "resourceName"), given)
            assert isinstance(effects_of(f"v1.{name}", {"serviceName": odd, **payload}, None), list)


def test_ranges_and_regions() -> None:
    assert is_everywhere("0.0.0.0/0") and is_everywhere("::/0")
    assert not any(map(is_everywhere, ["0.0.0.0", "10.0.0.0/8", "x", None, 0, ["0.0.0.0/0"]]))
    assert region_of({"zone": "europe-west3-a"}) == "europe-west3"
    assert region_of({"location": "US"}) == "us"
    assert region_of({"region": "us-central1", "zone": "us-central1-f"}) == "us-central1"
    assert region_of({"location": "global"}) is None and region_of({}) is None and region_of({"zone": 7}) is None


def test_an_entry_carries_its_effects_also_where_it_was_denied(tmp_path: Path) -> None:
    entry = {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": {"code": 7},
            "authenticationInfo": {"principalEmail": MIRA},
            "serviceName": "compute.googleapis.com",
            "methodName": "v1.compute.firewalls.insert",
            "request": {"alloweds": SSH, "sourceRanges": ["0.0.0.0/0"]},
        },
        "insertId": "a",
        "resource": {"type": "gce_firewall_rule", "labels": {"project_id": "p", "location": "europe-west3"}},
        "timestamp": "2026-10-05T10:00:00Z",
        "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
    }
    row = only("gcp_audit", json.loads(json.dumps(entry)), tmp_path)
    assert row["outcome"] == "denied"
    assert row["detail"]["effects"] == [PUBLIC] and row["detail"]["region"] == "europe-west3"
