"""What the bodies of Azure's requests say of their effects.

Records follow https://learn.microsoft.com/en-us/azure/azure-monitor/platform/activity-log-schema, bodies the pages of
https://learn.microsoft.com/en-us/rest/api/azure/ that sources/azure names beside each.
"""

import json
from typing import Any

import pytest
from source_samples import OPTIONS, source
from ultravires.reading.effects import effect, no_effect

Json = dict[str, Any]
SUBSCRIPTION = "/subscriptions/3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10"
BILLING = f"{SUBSCRIPTION}/resourceGroups/billing/providers"
MIRA, AGENT = "0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22", "91d3e6a4-2b78-4c05-9f1e-6a8b7c5d3e44"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
STORAGE = "Microsoft.Storage/storageAccounts"
RULE = "Microsoft.Network/networkSecurityGroups/securityRules/write"
PUBLIC, OUTSIDE = [effect("exposes", target="public")], [effect("exposes", target="outside")]
WEAKER, NOT_WEAKER = [effect("weakens_guard")], [no_effect("weakens_guard")]
UNSEEN, SEEN = [effect("weakens_evidence")], [no_effect("weakens_evidence")]
INSIDE: list[Json] = [no_effect("exposes")]


def detail(operation: str, body: Any, resource: str = f"{BILLING}/x/y", status: str = "Success") -> Json:
    record = {
        "time": "2026-10-05T09:00:00.1234567Z",
        "resourceId": resource.upper(),
        "operationName": operation.upper(),
        "category": "Administrative",
        "resultType": status,
        "correlationId": "7a60c2d1-0003-4b74-a5c6-0d1e2f3a4b03",
        "identity": {"claims": {"http://schemas.microsoft.com/identity/claims/objectidentifier": MIRA}},
        "properties": {"requestbody": body if isinstance(body, str) else json.dumps(body)},
    }
    (event,) = source("azure_activity").events(record, OPTIONS)
    return event.detail


def effects(operation: str, body: Any, resource: str = f"{BILLING}/x/y", status: str = "Success") -> list[Json]:
    found: list[Json] = detail(operation, body, resource, status).get("effects", [])
    return found


def rule(**members: Any) -> Json:
    shown = {"access": "Allow", "direction": "Inbound", "sourceAddressPrefix": "*", "destinationPortRange": "22"}
    return {"properties": {**shown, **members}}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, PUBLIC),
        ({"sourceAddressPrefix": "Internet", "destinationPortRange": "*"}, PUBLIC),
        ({"sourceAddressPrefix": None, "sourceAddressPrefixes": ["10.0.0.0/8", "0.0.0.0/0"]}, PUBLIC),
        ({"destinationPortRange": None, "destinationPortRanges": ["80", "3380-3400"]}, PUBLIC),
        ({"destinationPortRange": "443"}, INSIDE),
        ({"access": "Deny"}, INSIDE),
        ({"direction": "Outbound"}, INSIDE),
        ({"sourceAddressPrefix": "VirtualNetwork"}, INSIDE),
        ({"destinationPortRange": "many"}, INSIDE),
        ({"destinationPortRange": {"from": 22}}, INSIDE),
    ],
)
def test_a_rule_that_lets_everybody_in_to_a_port_of_administration_exposes(members: Json, expected: list[Json]) -> None:
    assert effects(RULE, rule(**members)) == expected
    group = {"properties": {"securityRules": [rule(**members), None, "x"]}}
    assert effects("Microsoft.Network/networkSecurityGroups/write", group) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("0.0.0.0", "255.255.255.255", PUBLIC),
        ("0.0.0.0", "0.0.0.0", OUTSIDE),
        ("192.0.2.1", "192.0.2.9", INSIDE),
        ("nowhere", "192.0.2.9", INSIDE),
        (None, 4, INSIDE),
    ],
)
def test_a_database_s_firewall(first: Any, last: Any, expected: list[Json]) -> None:
    body = {"properties": {"startIpAddress": first, "endIpAddress": last}}
    for server in ("Microsoft.Sql/servers", "Microsoft.DBforPostgreSQL/flexibleServers"):
        assert effects(f"{server}/firewallRules/write", body) == expected


@pytest.mark.parametrize(
    ("properties", "is_weaker"),
    [
        ({"allowBlobPublicAccess": True}, True),
        ({"allowSharedKeyAccess": True}, True),
        ({"networkAcls": {"defaultAction": "Allow"}}, True),
        ({"publicNetworkAccess": "Enabled"}, True),
        ({"supportsHttpsTrafficOnly": False}, True),
        ({"minimumTlsVersion": "TLS1_0"}, True),
        ({"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Deny"}}, False),
        ({"allowBlobPublicAccess": False, "allowSharedKeyAccess": False, "minimumTlsVersion": "TLS1_2"}, False),
        ({"networkAcls": [], "allowSharedKeyAccess": None}, False),
    ],
)
def test_settings_of_a_storage_account(properties: Json, is_weaker: bool) -> None:
    assert effects(f"{STORAGE}/write", {"properties": properties}) == [*INSIDE, *(WEAKER if is_weaker else [])]


def test_what_azure_sets_by_itself_weakens_no_new_account() -> None:
    usual = {"allowSharedKeyAccess": True, "networkAcls": {"defaultAction": "Allow"}}
    made = {"location": "westeurope", "kind": "StorageV2", "properties": usual}
    assert effects(f"{STORAGE}/write", made) == INSIDE
    opened = {**made, "properties": {**usual, "allowBlobPublicAccess": True}}
    assert effects(f"{STORAGE}/write", opened) == [*INSIDE, *WEAKER]


GALLERY = "Microsoft.Compute/galleries/share/action"
FIREWALL = "Microsoft.Network/firewallPolicies/write"
WEB_FIREWALL = "Microsoft.Network/applicationGatewayWebApplicationFirewallPolicies/write"
LOGGING = "Microsoft.Insights/diagnosticSettings/write"
EXTENSION = "Microsoft.Compute/virtualMachines/extensions/write"


@pytest.mark.parametrize(
    ("operation", "properties", "expected"),
    [
        (f"{STORAGE}/blobServices/write", {"isVersioningEnabled": False}, WEAKER),
        (f"{STORAGE}/blobServices/write", {"deleteRetentionPolicy": {"enabled": False}}, WEAKER),
        (f"{STORAGE}/blobServices/write", {"deleteRetentionPolicy": {"enabled": True, "days": 7}}, []),
        (f"{STORAGE}/blobServices/containers/write", {"publicAccess": "Blob"}, PUBLIC),
        (f"{STORAGE}/blobServices/containers/write", {"publicAccess": "None"}, INSIDE),
        (FIREWALL, {"threatIntelMode": "Off"}, WEAKER),
        (FIREWALL, {"threatIntelMode": "Deny"}, []),
        (WEB_FIREWALL, {"policySettings": {"mode": "Detection"}}, WEAKER),
        (WEB_FIREWALL, {"policySettings": {"mode": "Prevention", "state": "Enabled"}}, []),
        (LOGGING, {"logs": [{"category": "Administrative", "enabled": False}]}, UNSEEN),
        (LOGGING, {"logs": []}, UNSEEN),
        (LOGGING, {"logs": [{"enabled": False}, {"enabled": True}]}, SEEN),
        (LOGGING, {"logs": [], "metrics": [{"enabled": True}]}, SEEN),
        ("Microsoft.Security/pricings/write", {"pricingTier": "Free"}, UNSEEN),
        ("Microsoft.Security/pricings/write", {"pricingTier": "Standard"}, SEEN),
        ("Microsoft.SecurityInsights/alertRules/write", {"enabled": False}, UNSEEN),
        ("Microsoft.SecurityInsights/alertRules/write", {"enabled": True}, SEEN),
        (
            "Microsoft.SecurityInsights/automationRules/write",
            {"actions": [{"actionConfiguration": {"status": "Closed"}}]},
            UNSEEN,
        ),
        ("Microsoft.SecurityInsights/automationRules/write", {"actions": [None, {"actionConfiguration": 1}]}, SEEN),
        ("Microsoft.Sql/servers/auditingSettings/write", {"state": "Disabled"}, UNSEEN),
        ("Microsoft.Sql/servers/databases/transparentDataEncryption/write", {"state": "Disabled"}, WEAKER),
        ("Microsoft.Sql/servers/databases/transparentDataEncryption/write", {"state": "Enabled"}, NOT_WEAKER),
        ("Microsoft.KeyVault/vaults/write", {"enableSoftDelete": False}, WEAKER),
        ("Microsoft.KeyVault/vaults/write", {"networkAcls": {"defaultAction": "Allow"}}, WEAKER),
        ("Microsoft.KeyVault/vaults/write", {"enablePurgeProtection": True}, []),
        ("Microsoft.Authorization/policyAssignments/write", {"enforcementMode": "DoNotEnforce"}, WEAKER),
        ("Microsoft.Authorization/policyAssignments/write", {"enforcementMode": "Default"}, []),
        ("Microsoft.RecoveryServices/vaults/backupconfig/write", {"softDeleteFeatureState": "Disabled"}, WEAKER),
        (
            "Microsoft.RecoveryServices/vaults/write",
            {"securitySettings": {"softDeleteSettings": {"softDeleteState": "Disabled"}}},
            WEAKER,
        ),
        ("Microsoft.RecoveryServices/vaults/write", {"securitySettings": None}, []),
        ("Microsoft.ContainerRegistry/registries/write", {"anonymousPullEnabled": True}, PUBLIC),
        ("Microsoft.ContainerRegistry/registries/write", {"adminUserEnabled": True}, WEAKER),
        (
            "Microsoft.ContainerService/managedClusters/write",
            {"apiServerAccessProfile": {"authorizedIPRanges": ["0.0.0.0/0"]}},
            PUBLIC,
        ),
        (
            "Microsoft.ContainerService/managedClusters/write",
            {"apiServerAccessProfile": {"authorizedIPRanges": ["192.0.2.0/24"]}},
            [],
        ),
        ("Microsoft.CognitiveServices/accounts/write", {"disableLocalAuth": False}, WEAKER),
        ("Microsoft.Web/sites/config/write", {"remoteDebuggingEnabled": True}, WEAKER),
        ("Microsoft.Web/sites/basicPublishingCredentialsPolicies/write", {"allow": True}, WEAKER),
        ("Microsoft.Sql/servers/write", {"administratorLoginPassword": "x"}, [effect("issues_credential")]),
        (EXTENSION, {"type": "VMAccessForLinux"}, [effect("issues_credential")]),
        (EXTENSION, {"type": "AzureMonitorLinuxAgent"}, [no_effect("runs_code"), effect("changes_workload")]),
        (EXTENSION, {"type": "CustomScript"}, []),
    ],
)
def test_settings_that_weaken_or_open(operation: str, properties: Json, expected: list[Json]) -> None:
    assert effects(operation, {"properties": properties}) == expected


def test_images_are_shared_with_everybody_or_another_tenant() -> None:
    assert effects(GALLERY, {"operationType": "EnableCommunity"}) == PUBLIC
    groups = [{"type": "AADTenants", "ids": ["7c1d"]}, None]
    shared = {"operationType": "Add", "groups": groups}
    assert effects(GALLERY, shared) == [effect("exposes", target="outside", uids=["7c1d"])]
    assert effects(GALLERY, {"operationType": "Reset"}) == INSIDE


def test_who_administers_a_database_and_who_may_read_a_vault() -> None:
    gives = effect("grants_power", target="identity", uids=[AGENT], power="data")
    assert effects("Microsoft.Sql/servers/administrators/write", {"properties": {"sid": AGENT}}) == [gives]
    body = {"properties": {"accessPolicies": [{"objectId": AGENT}, None, {"objectId": 7}]}}
    vault = f"{BILLING}/Microsoft.KeyVault/vaults/keys/accessPolicies"
    operation = "Microsoft.KeyVault/vaults/accessPolicies/write"
    assert effects(operation, body, f"{vault}/add") == [gives]
    taken = [no_effect("grants_power"), effect("takes_power", target="identity", uids=[AGENT])]
    assert effects(operation, body, f"{vault}/remove") == taken
    assert effects(operation, {"properties": {}}, f"{vault}/add") == []


@pytest.mark.parametrize(
    ("kind", "role", "scope", "power"),
    [
        ("AdminAssign", OWNER, SUBSCRIPTION, "admin"),
        ("SelfActivate", OWNER, f"{SUBSCRIPTION}/resourceGroups/billing", "permissions"),
        ("AdminAssign", READER, SUBSCRIPTION, None),
    ],
)
def test_a_role_by_request_has_the_power_of_the_role_and_its_scope(
    kind: str, role: str, scope: str, power: Any
) -> None:
    asked = {
        "principalId": AGENT,
        "roleDefinitionId": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "requestType": kind,
    }
    request = f"{scope}/providers/Microsoft.Authorization/roleAssignmentScheduleRequests/5b7d9f01"
    operation = "Microsoft.Authorization/roleAssignmentScheduleRequests/write"
    given = [effect("grants_power", target="identity", uids=[AGENT], power=power)]
    assert effects(operation, {"properties": asked}, request) == given
    ended = {**asked, "requestType": "AdminRemove"}
    taken = [no_effect("grants_power"), effect("takes_power", target="identity", uids=[AGENT])]
    assert effects(operation, {"properties": ended}, request) == taken


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"id": "Enablement_EndUser_Assignment", "enabledRules": ["Justification"]}, WEAKER),
        ({"id": "Enablement_EndUser_Assignment", "enabledRules": ["MultiFactorAuthentication"]}, NOT_WEAKER),
        ({"id": "Approval_EndUser_Assignment", "setting": {"isApprovalRequired": False}}, WEAKER),
        ({"id": "Expiration_Admin_Eligibility", "isExpirationRequired": False}, WEAKER),
        ({"id": "Notification_Admin_Admin_Eligibility"}, NOT_WEAKER),
        (None, NOT_WEAKER),
    ],
)
def test_settings_of_a_role(rule: Any, expected: list[Json]) -> None:
    body = {"properties": {"rules": [rule]}}
    assert effects("Microsoft.Authorization/roleManagementPolicies/write", body) == expected


def test_an_assignment_that_was_refused_was_asked_for_all_the_same() -> None:
    """It has no grant, for nothing changed; one that succeeded has no second word for it."""
    operation = "Microsoft.Authorization/roleAssignments/write"
    where = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/5b7d9f01-3a42-4c68-8e9d-1f2a3b4c5d6e"
    role = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"
    body = {"properties": {"principalId": AGENT, "roleDefinitionId": role}}
    refused = detail(operation, body, where, "Failure")
    assert "grants" not in refused
    assert refused["effects"] == [effect("grants_power", target="identity", uids=[AGENT], power="admin")]
    done = detail(operation, body, where)
    assert "effects" not in done and done["grants"]


def test_what_watches_a_machine_is_removed() -> None:
    machine = f"{BILLING}/Microsoft.Compute/virtualMachines/ledger/extensions"
    operation = "Microsoft.Compute/virtualMachines/extensions/delete"
    assert effects(operation, "", f"{machine}/MDE.Linux") == UNSEEN
    assert effects(operation, "", f"{machine}/backup") == SEEN


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"properties": 3}', '{"properties": {"logs": {"a": 1}}}'])
def test_odd_bodies_raise_nothing(body: str) -> None:
    for operation in (RULE, LOGGING, GALLERY, EXTENSION, f"{STORAGE}/write", "Microsoft.KeyVault/vaults/write"):
        assert isinstance(effects(operation, body), list)
    assert effects(LOGGING, "{") == [] and effects(RULE, "") == []
