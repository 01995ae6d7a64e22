"""What operations of Azure change of who may do what.

Records follow https://learn.microsoft.com/en-us/azure/azure-monitor/platform/activity-log-schema; the bodies in their
properties https://learn.microsoft.com/en-us/rest/api/authorization/role-assignments/create, .../role-definitions/
create-or-update, .../deny-assignments/get and https://learn.microsoft.com/en-us/rest/api/managementgroups.
"""

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st
from source_samples import OPTIONS, replaced_at, source, values_in
from ultravires.reading.events import NotParsed
from ultravires.reading.grants import given, gone, statement, taken, whole, written
from ultravires.sources.azure.exports import claim_of

Json = dict[str, Any]
SUBSCRIPTION = "/subscriptions/3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10"
BILLING = f"{SUBSCRIPTION}/resourcegroups/billing"
AUTHORIZATION = "/providers/microsoft.authorization"
ASSIGNMENT = f"{BILLING}{AUTHORIZATION}/roleassignments/5b7d9f01-3a42-4c68-8e9d-1f2a3b4c5d6e"
DEFINITION = f"{SUBSCRIPTION}{AUTHORIZATION}/roledefinitions/c1d2e3f4-0a1b-4c2d-8e3f-4a5b6c7d8e9f"
DENIAL = f"{BILLING}{AUTHORIZATION}/denyassignments/d4e5f607-1a2b-4c3d-9e4f-5a6b7c8d9e0f"
CUSTOM = "c1d2e3f4-0a1b-4c2d-8e3f-4a5b6c7d8e9f"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
AGENT, MIRA = "91d3e6a4-2b78-4c05-9f1e-6a8b7c5d3e44", "0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22"
MANAGEMENT = "/providers/microsoft.management/managementgroups"
NOBODY = "00000000-0000-0000-0000-000000000000"


def record(operation: str, resource: str, status: str = "Success", **properties: Any) -> Json:
    """An operation of Mira, as a diagnostic setting exports it: ids and operations in capitals."""
    return {
        "time": "2026-10-05T09:00:00.1234567Z",
        "resourceId": resource.upper(),
        "operationName": operation.upper(),
        "category": "Administrative",
        "resultType": status,
        "correlationId": "7a60c2d1-0003-4b74-a5c6-0d1e2f3a4b03",
        "callerIpAddress": "192.0.2.31",
        "identity": {
            "authorization": {"action": operation, "evidence": {"principalType": "User"}},
            "claims": {
                "http://schemas.microsoft.com/identity/claims/objectidentifier": MIRA,
                "name": "Mira Olsen",
            },
        },
        "properties": {"entity": resource, "message": operation, **properties},
    }


def asked(**properties: Any) -> str:
    """A request as the roles API logs it, with capitals and an id that is only a name."""
    named = {name[0].upper() + name[1:]: value for name, value in properties.items()}
    return json.dumps({"Id": "5b7d9f01-3a42-4c68-8e9d-1f2a3b4c5d6e", "Properties": named})


def answered(resource: str, **properties: Any) -> str:
    return json.dumps({"id": resource, "name": resource.rpartition("/")[2], "properties": properties})


def grants_in(given_record: Json) -> list[Json]:
    (event,) = source("azure_activity").events(given_record, OPTIONS)
    return event.detail.get("grants", [])


WRITE, DELETE = "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"
ROLE_ID = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"
HELD = {"principalId": AGENT, "principalType": "ServicePrincipal", "roleDefinitionId": ROLE_ID}
PERMISSIONS = [
    {
        "actions": ["Microsoft.Storage/storageAccounts/*", "*/read"],
        "notActions": ["Microsoft.Storage/storageAccounts/listKeys/action"],
        "dataActions": ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
        "notDataActions": [],
    }
]
SAYS = [
    statement(
        "allow",
        ["azure:microsoft.storage/storageaccounts/*", "azure:*/read"],
        ["*"],
        not_actions=["azure:microsoft.storage/storageaccounts/listkeys/action"],
    ),
    statement("allow", ["azure:microsoft.storage/storageaccounts/blobservices/containers/blobs/read"], ["*"]),
]
IF_TAGGED = "@Resource[Microsoft.Storage/storageAccounts:name] StringEquals 'ledger'"

SAID: dict[str, tuple[Json, list[Json]]] = {
    "an assignment, as it is now": (
        record(WRITE, ASSIGNMENT, responseBody=answered(ASSIGNMENT, **HELD, scope=BILLING)),
        [given("attached", AGENT, CONTRIBUTOR, scope=BILLING, binding=ASSIGNMENT)],
    ),
    "an assignment, as it was asked for": (
        record(WRITE, ASSIGNMENT, requestbody=asked(**HELD, scope=f"{SUBSCRIPTION}/resourceGroups/Billing/")),
        [given("attached", AGENT, CONTRIBUTOR, scope=BILLING, binding=ASSIGNMENT)],
    ),
    "an assignment whose scope only its id shows, and a condition": (
        record(
            WRITE,
            ASSIGNMENT,
            requestbody=asked(**HELD, condition=IF_TAGGED, conditionVersion="2.0"),
        ),
        [
            given(
                "attached",
                AGENT,
                CONTRIBUTOR,
                scope=BILLING,
                binding=ASSIGNMENT,
                condition={"expression": IF_TAGGED, "version": "2.0"},
            )
        ],
    ),
    "an assignment at the root, ids without dashes": (
        record(
            WRITE,
            f"{AUTHORIZATION}/roleassignments/1",
            requestbody=asked(
                principalId=AGENT.replace("-", "").upper(), roleDefinitionId=CONTRIBUTOR.replace("-", "")
            ),
        ),
        [given("attached", AGENT, CONTRIBUTOR, scope="/", binding=f"{AUTHORIZATION}/roleassignments/1")],
    ),
    "a deletion names only the assignment": (record(DELETE, ASSIGNMENT), [taken("attached", binding=ASSIGNMENT)]),
    "a deletion that tells what it was": (
        record(DELETE, ASSIGNMENT, responseBody=answered(ASSIGNMENT, **HELD, scope=BILLING)),
        [taken("attached", binding=ASSIGNMENT), taken("attached", AGENT, CONTRIBUTOR, scope=BILLING)],
    ),
    "a role is defined": (
        record(
            "Microsoft.Authorization/roleDefinitions/write",
            DEFINITION,
            requestbody=asked(roleName="Ledger", permissions=PERMISSIONS, assignableScopes=[SUBSCRIPTION]),
        ),
        [written(CUSTOM, SAYS)],
    ),
    "a role whose permissions are not told": (
        record("Microsoft.Authorization/roleDefinitions/write", DEFINITION, requestbody=asked(roleName="Ledger")),
        [written(CUSTOM, None)],
    ),
    "a role is deleted": (record("Microsoft.Authorization/roleDefinitions/delete", DEFINITION), [gone(CUSTOM)]),
    "a deny assignment": (
        record(
            "Microsoft.Authorization/denyAssignments/write",
            DENIAL,
            responseBody=answered(
                DENIAL,
                scope=BILLING,
                principals=[{"id": NOBODY, "type": "SystemDefined"}],
                excludePrincipals=[{"id": AGENT, "type": "ServicePrincipal"}],
                permissions=[{"actions": ["*"], "notActions": ["*/read"]}],
            ),
        ),
        [
            given("guardrail", BILLING, DENIAL),
            written(
                DENIAL,
                [
                    statement("allow", ["*"], ["*"]),
                    statement(
                        "deny",
                        ["azure:*"],
                        ["*"],
                        not_actions=["azure:*/read"],
                        principals=["*"],
                        not_principals=[AGENT],
                    ),
                ],
            ),
        ],
    ),
    "a deny assignment that cannot be read": (
        record("Microsoft.Authorization/denyAssignments/write", DENIAL, requestbody=asked(principals=[{"id": 7}])),
        [given("guardrail", BILLING, DENIAL), written(DENIAL, None)],
    ),
    "a deny assignment ends": (record("Microsoft.Authorization/denyAssignments/delete", DENIAL), [gone(DENIAL)]),
    "access is elevated": (
        record("Microsoft.Authorization/elevateAccess/action", "/providers/Microsoft.Authorization"),
        [given("attached", MIRA, ADMINISTRATOR, scope="/")],
    ),
    "a management group is made below another": (
        record(
            "Microsoft.Management/managementGroups/write",
            f"{MANAGEMENT}/ledger",
            requestbody=json.dumps({"properties": {"details": {"parent": {"id": f"{MANAGEMENT}/Company"}}}}),
        ),
        [
            whole("within", holder=f"{MANAGEMENT}/ledger"),
            given("within", f"{MANAGEMENT}/ledger", f"{MANAGEMENT}/company"),
        ],
    ),
    "a management group is deleted": (
        record("Microsoft.Management/managementGroups/delete", f"{MANAGEMENT}/ledger"),
        [gone(f"{MANAGEMENT}/ledger")],
    ),
    "a subscription is put into a management group": (
        record("Microsoft.Management/managementGroups/subscriptions/write", f"{MANAGEMENT}/ledger{SUBSCRIPTION}"),
        [whole("within", holder=SUBSCRIPTION), given("within", SUBSCRIPTION, f"{MANAGEMENT}/ledger")],
    ),
    "a subscription leaves it": (
        record("Microsoft.Management/managementGroups/subscriptions/delete", f"{MANAGEMENT}/ledger{SUBSCRIPTION}"),
        [taken("within", SUBSCRIPTION, f"{MANAGEMENT}/ledger")],
    ),
}
every = pytest.mark.parametrize("given_record", [one for one, _ in SAID.values()], ids=SAID)


@pytest.mark.parametrize(("given_record", "expected"), SAID.values(), ids=SAID)
def test_an_operation_says_what_it_changes(given_record: Json, expected: list[Json]) -> None:
    assert grants_in(given_record) == expected


@every
@pytest.mark.parametrize("status", ["Start", "Accept", "Failure", "Canceled"])
def test_only_the_stage_that_succeeded_speaks(given_record: Json, status: str) -> None:
    assert grants_in({**given_record, "resultType": status}) == []


@every
def test_the_rest_api_says_the_same(given_record: Json) -> None:
    """Where operation and status stand in objects, and the caller outside."""
    rest = {
        "eventDataId": "e-1",
        "eventTimestamp": given_record["time"],
        "category": {"value": "Administrative"},
        "operationName": {"value": given_record["operationName"], "localizedValue": "an operation"},
        "status": {"value": "Succeeded"},
        "resourceId": given_record["properties"]["entity"],
        "claims": given_record["identity"]["claims"],
        "authorization": given_record["identity"]["authorization"],
        "properties": given_record["properties"],
    }
    assert grants_in(rest) == grants_in(given_record)


SILENT: dict[str, Json] = {
    "a lock": record(
        "Microsoft.Authorization/locks/write", f"{BILLING}{AUTHORIZATION}/locks/l", requestbody=asked(level="x")
    ),
    "another operation with such a body": record(
        "Microsoft.Storage/storageAccounts/write", ASSIGNMENT, requestbody=asked(**HELD)
    ),
    "an assignment that is not told": record(WRITE, ASSIGNMENT),
    "a body that is no JSON": record(WRITE, ASSIGNMENT, requestbody="{", responseBody="cut off"),
    "an assignment of nobody": record(
        WRITE, ASSIGNMENT, requestbody=asked(roleDefinitionId=ROLE_ID, principalId=NOBODY)
    ),
    "a role of nothing": record(WRITE, ASSIGNMENT, requestbody=asked(principalId=AGENT, roleDefinitionId=["x"])),
    "an id of something else": record(WRITE, BILLING, requestbody=asked(**HELD)),
    "the deletion of something else": record(DELETE, BILLING),
    "a management group that is its own parent": record(
        "Microsoft.Management/managementGroups/write",
        f"{MANAGEMENT}/ledger",
        requestbody=json.dumps({"properties": {"details": {"parent": {"id": f"{MANAGEMENT}/ledger"}}}}),
    ),
    "a management group without a parent": record(
        "Microsoft.Management/managementGroups/write", f"{MANAGEMENT}/ledger", requestbody=asked(displayName="Ledger")
    ),
    "a subscription of no group": record("Microsoft.Management/managementGroups/subscriptions/write", SUBSCRIPTION),
    "a request to PIM gives nothing yet": record(
        "Microsoft.Authorization/roleAssignmentScheduleRequests/write",
        f"{BILLING}{AUTHORIZATION}/roleassignmentschedulerequests/7e1c9b46-2d58-4f03-a6b7-9c0d8e5f1a34",
        requestbody=asked(**HELD, requestType="SelfActivate"),
    ),
}


@pytest.mark.parametrize("given_record", SILENT.values(), ids=SILENT)
def test_other_records_are_silent(given_record: Json) -> None:
    assert grants_in(given_record) == []


def test_somebody_without_a_name_elevates_nobody() -> None:
    nameless = record("Microsoft.Authorization/elevateAccess/action", "/")
    assert grants_in(replaced_at(nameless, ("identity", "claims"), {})) == []


def test_the_holder_of_an_assignment_is_the_actor_of_its_calls() -> None:
    """A service principal is known by its object id in both."""
    acts = record("Microsoft.Storage/storageAccounts/listKeys/action", f"{BILLING}/providers/x/y/z")
    claims = {"http://schemas.microsoft.com/identity/claims/objectidentifier": AGENT, "idtyp": "app", "appid": "c4f8"}
    (event,) = source("azure_activity").events(replaced_at(acts, ("identity", "claims"), claims), OPTIONS)
    (edge,) = grants_in(SAID["an assignment, as it is now"][0])
    assert event.actor_uid == edge["holder"]


@pytest.mark.parametrize(
    "permissions", [7, "x", {}, [7], [{}], [{"actions": "x"}], [{"actions": [7]}], [{"actions": {}}]]
)
def test_permissions_of_another_type_are_not_known(permissions: Any) -> None:
    """Never as none at all, nor as those of them that can be read."""
    body = asked(permissions=permissions if type(permissions) is not list else [*PERMISSIONS, *permissions])
    found = grants_in(record("Microsoft.Authorization/roleDefinitions/write", DEFINITION, requestbody=body))
    assert found == [written(CUSTOM, None)]


@every
@given_any(odd=st.sampled_from([None, 7, "x", True, [], {}, [None, {}], {"id": 7}, "/", "//", ["x", {"x": None}]]))
@settings(max_examples=11, deadline=None)
def test_odd_members_cost_no_event(given_record: Json, odd: Any) -> None:
    """Whatever stands anywhere in the properties and in the bodies within them."""
    for path, _ in values_in(given_record["properties"]):
        grants_in(replaced_at(given_record, ("properties", *path), odd))
    for name in ("requestbody", "responseBody"):
        body = json.loads(given_record["properties"].get(name, "{}"))
        for path, _ in values_in(body):
            grants_in(replaced_at(given_record, ("properties", name), json.dumps(replaced_at(body, path, odd))))


def test_real_records_never_raise(third_party: Path) -> None:
    """112 records of the activity log and of other logs beside it; none of them changes who may do what."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [line for line in map(json.loads, file) if line["log_type"] == "Azure.MonitorActivity"]
    claim = claim_of("activity")
    for event in (line["event"] for line in lines if claim(line["event"])):
        with suppress(NotParsed):
            for found in source("azure_activity").events(event, OPTIONS):
                assert "grants" not in found.detail
