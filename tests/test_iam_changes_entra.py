"""What operations of Microsoft's directory change of who may do what, told by Entra and by Microsoft 365.

Records follow https://learn.microsoft.com/en-us/graph/api/directoryaudit-get (targets and their properties),
https://learn.microsoft.com/en-us/entra/identity/monitoring-health/reference-audit-activities (operations) and
https://learn.microsoft.com/en-us/office/office-365-management-api/office-365-management-activity-api-schema.
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
from ocsf_vendor_copies import entra_audit_as_ocsf
from source_samples import OPTIONS, replaced_at, rows, source, values_in
from ultravires.reading.events import NotParsed
from ultravires.reading.grants import given, gone, made, statement, taken, written

Json = dict[str, Any]
TENANT = "6f1d2c9e-8a40-4b57-9c3e-2f7b1a0d4e11"
MIRA, JON = "0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22", "5e2b9f60-7d14-48ac-b3f7-90c6d8a1e433"
SYNC, GRAPH_HERE = "91d3e6a4-2b78-4c05-9f1e-6a8b7c5d3e44", "7f60c1d2-9e83-4b74-a5c6-0d1e2f3a4b5c"
GRAPH = "00000003-0000-0000-c000-000000000000"
OPS, ON_CALL = "ef7e527d-6c92-4234-8c6d-cf6fdfb57f95", "1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f"
APPLICATION, APP_ID = "b6d2e9f4-1c83-4a57-8e0d-5f7a3c6b9e11", "c4f8a1b2-6d93-4e57-8a0b-1f2e3d4c5b66"
ROLE, ROLE_HERE = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "4a6f0d83-7c25-4e1b-92d8-b3e5f7091c6d"
UNIT = "3a4b5c6d-7e8f-4091-a2b3-c4d5e6f70819"
ACTIVATE = "entra:Add member to role completed (PIM activation)"


def changed(**properties: Any) -> list[Json]:
    """Properties as they are now, or `(old, new)`; a dot of their names is written as two underscores."""
    pairs = {name: value if type(value) is tuple else (None, value) for name, value in properties.items()}
    return [
        {
            "displayName": name.replace("__", "."),
            "oldValue": None if old is None else json.dumps(old),
            "newValue": None if new is None else json.dumps(new),
        }
        for name, (old, new) in pairs.items()
    ]


def target(kind: str, uid: str, *properties: Json) -> Json:
    return {
        "id": uid,
        "displayName": None,
        "type": kind,
        "modifiedProperties": [*properties],
        "administrativeUnits": [],
    }


def audit(name: str, *targets: Json, service: str = "Core Directory", **details: str) -> Json:
    """A directoryAudit of Jon, who acted."""
    return {
        "id": "Directory_e0a0c7d1_X1B4_88209950",
        "category": "RoleManagement" if "role" in name.lower() else "ApplicationManagement",
        "correlationId": "e0a0c7d1-84f6-4b20-9d5e-a6b8c2f19e77",
        "result": "success",
        "resultReason": "",
        "activityDisplayName": name,
        "activityDateTime": "2026-10-05T07:20:11.3308120+00:00",
        "loggedByService": service,
        "operationType": "Assign",
        "initiatedBy": {"user": {"id": JON, "displayName": "Jon Berg", "userPrincipalName": "jon@fjordline.example"}},
        "targetResources": [*targets],
        "additionalDetails": [{"key": key, "value": value} for key, value in details.items()],
    }


def m365(name: str, *targets: tuple[str, str], properties: list[Json] | None = None, **details: str) -> Json:
    """The copy of the same in the unified audit log."""
    named = [
        {"Name": each["displayName"], "OldValue": each["oldValue"] or "", "NewValue": each["newValue"] or ""}
        for each in properties or []
    ]
    return {
        "CreationTime": "2026-10-05T07:20:11",
        "Id": "3f60c2d1-0002-4b74-a5c6-0d1e2f3a4b5c",
        "Operation": f"{name}.",
        "OrganizationId": TENANT,
        "RecordType": 8,
        "ResultStatus": "Success",
        "UserKey": "1003200049D1A0B2@fjordline.example",
        "UserType": 0,
        "UserId": "jon@fjordline.example",
        "Actor": [{"ID": f"User_{JON}", "Type": 2}, {"ID": JON, "Type": 2}],
        "Target": [{"ID": part, "Type": 2} for kind, uid in targets for part in (f"{kind}_{uid}", uid, kind)],
        "ModifiedProperties": named,
        "ExtendedProperties": [{"Name": "additionalDetails", "Value": json.dumps(details)}],
        "Workload": "AzureActiveDirectory",
    }


def grants_in(record: Json, log: str = "entra_audit") -> list[Json]:
    event, *_ = source(log).events(record, OPTIONS)
    return event.detail.get("grants", [])


ROLE_NOW = changed(Role__ObjectID=ROLE_HERE, Role__DisplayName="Application Administrator", Role__TemplateId=ROLE)
ROLE_BEFORE = changed(Role__ObjectID=(ROLE_HERE, None), Role__TemplateId=(ROLE, None))
OF_ROLE = (target("User", MIRA, *ROLE_NOW), target("Role", ROLE_HERE))
NOT_OF_ROLE = (target("User", MIRA, *ROLE_BEFORE), target("Role", ROLE_HERE))
BY_PIM = (target("Role", ROLE_HERE), target("Request", "cd8e3f15-6a90-4b72-8c4d-1e7f5a2b9d03"), target("User", MIRA))
UNTIL = "2026-10-05T09:40:00.0000000Z"
NAMES_OF_GRAPH = f"{GRAPH}/ags.windows.net;{GRAPH};https://graph.microsoft.com"
MAIL = "msgraph/Mail.Read"
MAIL_SAYS = written(MAIL, [statement("allow", ["msgraph:Mail.Read"], ["*"])])
ELIGIBLE = f"eligible for {ROLE}"
ELIGIBLE_SAYS = written(ELIGIBLE, [statement("allow", [ACTIVATE], [ROLE])])
ALL, ONE = "AllPrincipals", "Principal"


def pim(name: str, *targets: Json, **details: str) -> Json:
    return audit(name, *(targets or BY_PIM), service="PIM", RoleDefinitionOriginId=ROLE, TemplateId=ROLE, **details)


def app_role(holder: str, value: str = "Mail.Read", *, names: str = NAMES_OF_GRAPH, **properties: Any) -> Json:
    """The API as the target, with what it was asked for."""
    named = changed(AppRole__Value=value, TargetId__ServicePrincipalNames=names, **properties)
    return target("ServicePrincipal", GRAPH_HERE, *named, *changed(**{f"{holder}__ObjectID": SYNC}))


def delegated(old: str | None, new: str | None, kind: str = ALL, names: str = NAMES_OF_GRAPH) -> Json:
    properties = {
        "DelegatedPermissionGrant__Scope": (old, new),
        "DelegatedPermissionGrant__ConsentType": kind,
        "ServicePrincipal__ObjectID": SYNC,
        "TargetId__ServicePrincipalNames": names,
    }
    return target("ServicePrincipal", GRAPH_HERE, *changed(**properties))


def consents(before: str, now: str) -> Json:
    kept = changed(ConsentContext__IsAdminConsent="True", ConsentAction__Permissions=f"{before} => {now}; ")
    return target("ServicePrincipal", SYNC, *kept)


def consent(scopes: str, kind: str, person: str = "") -> str:
    return (
        f"[[Id: a-b, ClientId: 00000000-0000-0000-0000-000000000000, PrincipalId: {person}, ResourceId: {GRAPH_HERE}, "
        f"ConsentType: {kind}, Scope:  {scopes}, CreatedDateTime: , LastModifiedDateTime ]]"
    )


def allowed(held: str, kind: str, **edge: Any) -> list[Json]:
    api, _, scope = held.partition("/")
    person = {"principalId": edge["scope"]} if edge.get("scope", "/") != "/" else {}
    return [
        written(held, [statement("allow", [f"{api}:{scope}"], ["*"])]),
        given("attached", SYNC, held, binding=kind, condition={"consentType": kind, **person}, **edge),
    ]


def owns(kind: str, thing: str, *actions: str) -> list[Json]:
    held = f"owner of {thing}"
    return [
        written(held, [statement("allow", [f"entra:{action}" for action in actions], [thing])]),
        given("attached", MIRA, held),
    ]


SAID: dict[str, tuple[Json, list[Json]]] = {
    "a role is given": (audit("Add member to role", *OF_ROLE), [given("attached", MIRA, ROLE, scope="/")]),
    "a role is given to a group": (
        audit("Add member to role", target("Group", OPS, *ROLE_NOW), target("Role", ROLE_HERE)),
        [given("attached", OPS, ROLE, scope="/")],
    ),
    "a role without its template": (
        audit("Add member to role", target("User", MIRA, *changed(Role__ObjectID=ROLE_HERE))),
        [given("attached", MIRA, ROLE_HERE, scope="/")],
    ),
    "a role is taken": (audit("Remove member from role", *NOT_OF_ROLE), [taken("attached", MIRA, ROLE, scope="/")]),
    "a role within an administrative unit": (
        audit("Add scoped member to role", *OF_ROLE, target("AdministrativeUnit", UNIT)),
        [given("attached", MIRA, ROLE, scope=f"/administrativeUnits/{UNIT}")],
    ),
    "and no longer": (
        audit("Remove scoped member from role", *NOT_OF_ROLE, target("AdministrativeUnit", UNIT)),
        [taken("attached", MIRA, ROLE, scope=f"/administrativeUnits/{UNIT}")],
    ),
    "a role is activated until": (
        pim("Add member to role completed (PIM activation)", ExpirationTime=UNTIL),
        [given("attached", MIRA, ROLE, scope="/", expires_at="2026-10-05T09:40:00.000000Z")],
    ),
    "an activation ends": (
        pim("Remove member from role (PIM activation expired)"),
        [taken("attached", MIRA, ROLE, scope="/")],
    ),
    "PIM assigns for good": (
        pim("Add member to role in PIM completed (permanent)", *BY_PIM, target("Directory", TENANT)),
        [given("attached", MIRA, ROLE, scope="/")],
    ),
    "somebody may activate a role": (
        pim("Add eligible member to role in PIM completed (timebound)", ExpirationTime=UNTIL),
        [ELIGIBLE_SAYS, given("attached", MIRA, ELIGIBLE, scope="/", expires_at="2026-10-05T09:40:00.000000Z")],
    ),
    "and may not any more": (
        pim("Remove eligible member from role in PIM completed (permanent)"),
        [taken("attached", MIRA, ELIGIBLE, scope="/")],
    ),
    "a member joins a group": (
        audit("Add member to group", target("User", MIRA, *changed(Group__ObjectID=OPS)), target("Group", OPS)),
        [given("member", MIRA, OPS)],
    ),
    "the group first, as Graph's page has it": (
        audit("Add member to group", target("Group", OPS), target("User", MIRA)),
        [given("member", MIRA, OPS)],
    ),
    "a group joins a group": (
        audit("Add member to group", target("Group", ON_CALL, *changed(Group__ObjectID=OPS)), target("Group", OPS)),
        [given("member", ON_CALL, OPS)],
    ),
    "a service principal leaves a group": (
        audit("Remove member from group", target("ServicePrincipal", SYNC, *changed(Group__ObjectID=(OPS, None)))),
        [taken("member", SYNC, OPS)],
    ),
    "a group has an owner": (
        audit("Add owner to group", target("User", MIRA), target("Group", OPS)),
        owns(
            "Group",
            OPS,
            "Add member to group",
            "Remove member from group",
            "Add owner to group",
            "Remove owner from group",
            "Update group",
            "Delete group",
        ),
    ),
    "and no longer one": (
        audit("Remove owner from group", target("User", MIRA), target("Group", OPS)),
        [taken("attached", MIRA, f"owner of {OPS}")],
    ),
    "an application has an owner": (
        audit("Add owner to application", target("User", MIRA), target("Application", APPLICATION)),
        owns(
            "Application",
            APPLICATION,
            "Update application*",
            "Add owner to application",
            "Remove owner from application",
            "Delete application",
        ),
    ),
    "an application has lost one": (
        audit("Remove owner from application", target("User", MIRA), target("Application", APPLICATION)),
        [taken("attached", MIRA, f"owner of {APPLICATION}")],
    ),
    "a service principal has an owner": (
        audit(
            "Add owner to service principal",
            target("User", MIRA, *changed(ServicePrincipal__ObjectID=SYNC)),
            target("ServicePrincipal", SYNC),
        ),
        owns(
            "ServicePrincipal",
            SYNC,
            "Update service principal*",
            "Add service principal credentials",
            "Remove service principal credentials",
            "Add owner to service principal",
            "Remove owner from service principal",
            "Remove service principal",
        ),
    ),
    "a service principal has lost one": (
        audit("Remove owner from service principal", target("User", MIRA), target("ServicePrincipal", SYNC)),
        [taken("attached", MIRA, f"owner of {SYNC}")],
    ),
    "an application may read all mail": (
        audit("Add app role assignment to service principal", app_role("ServicePrincipal")),
        [MAIL_SAYS, given("attached", SYNC, MAIL)],
    ),
    "an app role of another API": (
        audit(
            "Add app role assignment to service principal",
            app_role("ServicePrincipal", "full", names="https://x.example"),
        ),
        [
            written(f"{GRAPH_HERE}/full", [statement("allow", [f"{GRAPH_HERE}:full"], ["*"])]),
            given("attached", SYNC, f"{GRAPH_HERE}/full"),
        ],
    ),
    "an app role is taken": (
        audit("Remove app role assignment from service principal", app_role("ServicePrincipal")),
        [taken("attached", SYNC, MAIL)],
    ),
    "a person may use an application": (
        audit("Add app role assignment grant to user", app_role("User", "", names=APP_ID), target("User", SYNC)),
        [
            written(f"{GRAPH_HERE}/default access", [statement("allow", [f"{GRAPH_HERE}:default access"], ["*"])]),
            given("attached", SYNC, f"{GRAPH_HERE}/default access"),
        ],
    ),
    "and may not any more: a person": (
        audit("Remove app role assignment from user", app_role("User", "")),
        [taken("attached", SYNC, "msgraph/default access")],
    ),
    "a group may use an application": (
        audit("Add app role assignment to group", app_role("Group")),
        [MAIL_SAYS, given("attached", SYNC, MAIL)],
    ),
    "and may not any more: a group": (
        audit("Remove app role assignment from group", app_role("Group")),
        [taken("attached", SYNC, MAIL)],
    ),
    "a client may read everybody's mail": (
        audit("Add delegated permission grant", delegated(None, " Mail.Read openid")),
        [*allowed(MAIL, ALL, scope="/"), *allowed("msgraph/openid", ALL, scope="/")],
    ),
    "only what is new was added": (
        audit("Add delegated permission grant", delegated(" openid", " openid Mail.Read")),
        allowed(MAIL, ALL, scope="/"),
    ),
    "a person's, whom the record does not name": (
        audit("Add delegated permission grant", delegated(None, "Mail.Read", ONE)),
        allowed(MAIL, ONE),
    ),
    "a client may not any more, by either name of the API": (
        audit("Remove delegated permission grant", delegated("Mail.Read", None)),
        [
            taken("attached", SYNC, MAIL, scope="/", binding=ALL),
            taken("attached", SYNC, f"{GRAPH_HERE}/Mail.Read", scope="/", binding=ALL),
        ],
    ),
    "a person consents": (
        audit("Consent to application", consents("[]", consent("Mail.Read openid", ONE, MIRA))),
        [
            *allowed(f"{GRAPH_HERE}/Mail.Read", ONE, scope=MIRA),
            *allowed(f"{GRAPH_HERE}/openid", ONE, scope=MIRA),
        ],
    ),
    "an administrator consents to more": (
        audit("Consent to application", consents(consent("openid", ALL), consent("openid Mail.Read", ALL))),
        allowed(f"{GRAPH_HERE}/Mail.Read", ALL, scope="/"),
    ),
    "a user comes": (audit("Add user", target("User", MIRA)), [made(MIRA)]),
    "a user goes": (audit("Delete user", target("User", MIRA)), [gone(MIRA)]),
    "a group comes": (audit("Add group", target("Group", OPS)), [made(OPS)]),
    "a group goes": (audit("Delete group", target("Group", OPS)), [gone(OPS)]),
    "an application comes": (audit("Add application", target("Application", APPLICATION)), [made(APPLICATION)]),
    "an application goes": (audit("Delete application", target("Application", APPLICATION)), [gone(APPLICATION)]),
    "a service principal comes, and how its application appears": (
        audit("Add service principal", target("ServicePrincipal", SYNC), AppId=APP_ID),
        [made(SYNC), given("member", APP_ID, SYNC)],
    ),
    "a service principal goes": (audit("Remove service principal", target("ServicePrincipal", SYNC)), [gone(SYNC)]),
    "access to Azure is elevated": (
        audit("User has elevated their access to User Access Administrator for their Azure Resources"),
        [given("attached", JON, "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", scope="/")],
    ),
}
every = pytest.mark.parametrize("record", [record for record, _ in SAID.values()], ids=SAID)


@pytest.mark.parametrize(("record", "expected"), SAID.values(), ids=SAID)
def test_an_operation_says_what_it_changes(record: Json, expected: list[Json]) -> None:
    assert grants_in(record) == expected


@every
def test_what_failed_changes_nothing(record: Json) -> None:
    assert grants_in({**record, "result": "failure"}) == []
    assert grants_in({**record, "result": None}) == []


@every
def test_without_targets_it_says_nothing(record: Json) -> None:
    """But who elevated is who acted."""
    for targets in ([], None, "x", [None, 7, {}, {"type": "User"}, {"id": {"x": 1}, "type": "User"}]):
        found = grants_in({**record, "targetResources": targets})
        assert found == ([] if "elevated" not in record["activityDisplayName"] else grants_in(record))


@every
def test_a_diagnostic_setting_and_a_copy_in_ocsf_say_the_same(record: Json, tmp_path: Path) -> None:
    exported = {
        "time": record["activityDateTime"],
        "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "operationName": record["activityDisplayName"],
        "category": "AuditLogs",
        "tenantId": TENANT,
        "properties": record,
    }
    (native,) = rows("entra_audit", json.dumps({"records": [exported]}).encode(), tmp_path)[:1]
    (copied,) = rows("ocsf", json.dumps(entra_audit_as_ocsf(record)).encode(), tmp_path)[:1]
    assert native["detail"]["grants"] == grants_in(record)
    assert (copied["event_id"], copied["detail"]["grants"]) == (native["event_id"], grants_in(record))


@every
def test_the_unified_audit_log_says_the_same(record: Json) -> None:
    """Of what Core Directory logs; PIM's steps and elevations are not in it."""
    if record["loggedByService"] == "PIM" or "elevated" in record["activityDisplayName"]:
        return
    properties = [each for one in record["targetResources"] for each in one["modifiedProperties"]]
    targets = [(one["type"], one["id"]) for one in record["targetResources"] if one["type"] != "AdministrativeUnit"]
    if "scoped" in record["activityDisplayName"]:
        properties += changed(AdministrativeUnit__ObjectID=UNIT)
    details = {each["key"]: each["value"] for each in record["additionalDetails"]}
    copied = m365(record["activityDisplayName"], *targets, properties=properties, **details)
    assert grants_in(copied, "m365_audit") == grants_in(record)
    assert grants_in({**copied, "ResultStatus": "Failure"}, "m365_audit") == []
    assert grants_in({**copied, "Workload": "Exchange"}, "m365_audit") == []


SILENT: dict[str, Json] = {
    "a role is asked for": pim("Add member to role requested (PIM activation)"),
    "a request is approved": pim("Add member to role request approved (PIM activation)"),
    "a role of Azure, which Azure logs": {
        **pim("Add member to role completed (PIM activation)", *BY_PIM, target("ResourceGroup", "r-1")),
        "category": "ResourceManagement",
    },
    "the same without a category": {
        **pim("Add member to role completed (PIM activation)", *BY_PIM, target("Subscription", "s-1")),
        "category": None,
    },
    "membership of a group by PIM, which the directory logs": {
        **pim("Add member to role completed (PIM activation)", *BY_PIM, target("Group", OPS)),
        "category": "GroupManagement",
    },
    "a scope that is not named": audit("Add scoped member to role", *OF_ROLE),
    "a role of nobody": audit("Add member to role", target("Role", ROLE_HERE)),
    "nobody's role": audit("Add member to role", target("User", MIRA)),
    "which of two groups is in the other is not told": audit(
        "Add member to group", target("Group", ON_CALL), target("Group", OPS)
    ),
    "a device in a group": audit("Add member to group", target("Device", "d-1"), target("Group", OPS)),
    "an app role of a client that is not named": audit(
        "Add app role assignment to service principal",
        target("ServicePrincipal", GRAPH_HERE, *changed(AppRole__Value="x")),
    ),
    "a consent to nothing that is named": audit("Consent to application", consents("[]", "[[Scope: Mail.Read]]")),
    "a consent in other words": audit(
        "Consent to application", target("ServicePrincipal", SYNC, *changed(ConsentAction__Permissions="Mail.Read"))
    ),
    "a key is a credential": audit("Add service principal credentials", target("ServicePrincipal", SYNC)),
    "a guard": audit("Update conditional access policy", target("Policy", "p-1")),
}


@pytest.mark.parametrize("record", SILENT.values(), ids=SILENT)
def test_other_records_are_silent(record: Json) -> None:
    assert grants_in(record) == []


def test_an_api_that_calls_itself_microsoft_graph_is_not_it() -> None:
    """Everybody may call an application so; the id in its names is Microsoft's alone."""
    api = {**app_role("ServicePrincipal", names=f"https://{GRAPH}.example"), "displayName": "Microsoft Graph"}
    (_, edge) = grants_in(audit("Add app role assignment to service principal", api))
    assert edge["held"] == f"{GRAPH_HERE}/Mail.Read"


def test_the_holder_of_a_role_is_the_actor_of_its_acts() -> None:
    (event,) = source("entra_audit").events(audit("Add user", target("User", MIRA)), OPTIONS)
    (edge,) = grants_in(audit("Add member to role", target("User", JON, *ROLE_NOW)))
    assert event.actor_uid == edge["holder"]


@every
@given_any(
    odd=st.sampled_from([None, 7, "x", True, [], {}, [None, {}], {"id": 7}, '"', "[[", "[=>", ["x", {"x": None}]])
)
@settings(max_examples=12, deadline=None)
def test_odd_members_cost_no_event(record: Json, odd: Any) -> None:
    """Whatever stands anywhere in targets and details."""
    for path, _ in values_in(record):
        if path[0] in ("targetResources", "additionalDetails"):
            grants_in(replaced_at(record, path, odd))


def test_a_consent_beyond_measure_costs_little() -> None:
    many = " ".join(f"Scope{number}" for number in range(100_000))
    assert grants_in(audit("Consent to application", consents("[]", consent(many, ALL)))) == []
    some = " ".join(f"Scope{number}" for number in range(2_000))
    assert len(grants_in(audit("Consent to application", consents("[]", consent(some, ALL))))) == 1_000
    brackets = target("ServicePrincipal", SYNC, *changed(ConsentAction__Permissions="=>" + "[" * 150_000))
    assert grants_in(audit("Consent to application", brackets)) == []


def test_real_records_never_raise(third_party: Path) -> None:
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [line for line in map(json.loads, file) if line["log_type"].startswith(("Azure.Audit", "Microsoft365"))]
    found = 0
    for line in lines:
        with suppress(NotParsed):
            log = "entra_audit" if line["log_type"] == "Azure.Audit" else "m365_audit"
            found += sum("grants" in event.detail for event in source(log).events(line["event"], OPTIONS))
    assert found >= 3
