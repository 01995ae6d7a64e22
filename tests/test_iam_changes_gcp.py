"""What entries of Google Cloud and events of Google Workspace change of who may do what.

Entries follow https://cloud.google.com/iam/docs/audit-logging/examples-service-accounts (SetIAMPolicy),
https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditData (deltas),
https://cloud.google.com/bigquery/docs/reference/auditlogs/rest/Shared.Types/BigQueryAuditMetadata, and the requests of
https://cloud.google.com/resource-manager/reference/rest and https://cloud.google.com/iam/docs/reference/rest/v2/policies;
those of Workspace https://developers.google.com/workspace/admin/reports/v1/appendix/activity.
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
from ocsf_vendor_copies import gcp_as_ocsf
from source_samples import OPTIONS, only, replaced_at, rows, source, values_in
from ultravires.reading.events import NotParsed
from ultravires.reading.grants import given, gone, made, statement, taken, unwritten, whole, written
from ultravires.sources.gcp.audit import claim
from ultravires.sources.gcp.principals import before_deletion, holder_of

Json = dict[str, Any]
PROJECT = "harbor-prod"
READER = f"invoice-reader@{PROJECT}.iam.gserviceaccount.com"
INES = "ines@harborline.example"
ROLE = f"projects/{PROJECT}/roles/ledgerReader"
MANAGER = "cloudresourcemanager.googleapis.com"
UNTIL = {"title": "until october", "expression": 'request.time < timestamp("2026-11-01T00:00:00Z")'}
IN_BILLING = {"title": "billing only", "expression": 'resource.name.startsWith("projects/_/buckets/billing")'}


def entry(method: str, service: str, resource: str, labels: Json | None = None, **payload: Any) -> Json:
    """An admin activity of Ines; `payload` are members of its audit record."""
    return {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": {},
            "authenticationInfo": {"principalEmail": INES, "principalSubject": f"user:{INES}"},
            "requestMetadata": {"callerIp": "192.0.2.41"},
            "serviceName": service,
            "methodName": method,
            "resourceName": resource,
            **payload,
        },
        "insertId": "ins-7",
        "resource": {"type": "project", "labels": {"project_id": PROJECT} if labels is None else labels},
        "timestamp": "2026-10-05T10:00:00.123456Z",
        "severity": "NOTICE",
        "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Factivity",
    }


def deltas(*changes: Json) -> Json:
    return {
        "@type": "type.googleapis.com/google.iam.v1.logging.AuditData",
        "policyDelta": {"bindingDeltas": [*changes]},
    }


def delta(action: str, member: str, role: str = "roles/viewer", condition: Json | None = None) -> Json:
    return {"action": action, "role": role, "member": member, **({"condition": condition} if condition else {})}


def of_project(*changes: Json, **payload: Any) -> Json:
    return entry("SetIamPolicy", MANAGER, f"projects/{PROJECT}", serviceData=deltas(*changes), **payload)


def grants_in(record: Json) -> list[Json]:
    (event,) = source("gcp_audit").events(record, OPTIONS)
    return event.detail.get("grants", [])


P = f"projects/{PROJECT}"
RUN = f"{P}/locations/europe-west3/services/ledger"
BUCKET = "//storage.googleapis.com/projects/_/buckets/billing"
TWO_BINDINGS = {
    "bindings": [
        {"role": "roles/run.invoker", "members": ["allUsers", f"serviceAccount:{READER}"]},
        {"role": "roles/run.admin", "members": [f"user:{INES}"], "condition": UNTIL},
    ],
    "etag": "BwX1",
}
ENDS = given(
    "attached",
    INES,
    "roles/run.admin",
    scope=f"//run.googleapis.com/{RUN}",
    binding=f"if {UNTIL['expression']}",
    condition=UNTIL,
    expires_at="2026-11-01T00:00:00.000000Z",
)
DENY_NAME = f"policies/cloudresourcemanager.googleapis.com%2Fprojects%2F{PROJECT}/denypolicies/no-keys"
DENY_RULES = [
    {
        "description": "no keys",
        "denyRule": {
            "deniedPrincipals": ["principalSet://goog/public:all"],
            "exceptionPrincipals": ["principalSet://goog/group/keepers@harborline.example"],
            "deniedPermissions": ["iam.googleapis.com/serviceAccountKeys.*", f"{MANAGER}/projects.delete"],
            "exceptionPermissions": ["iam.googleapis.com/serviceAccountKeys.list"],
            "denialCondition": {"title": "prod", "expression": "resource.matchTag('1/env', 'prod')"},
        },
    }
]
DENY_SAYS = [
    statement("allow", ["*"], ["*"]),
    statement(
        "deny",
        ["iam.serviceAccountKeys.*", "resourcemanager.projects.delete"],
        ["*"],
        not_actions=["iam.serviceAccountKeys.list"],
        principals=["*"],
        not_principals=["group:keepers@harborline.example"],
        condition={"title": "prod", "expression": "resource.matchTag('1/env', 'prod')"},
    ),
]


def deny(method: str, **payload: Any) -> Json:
    return entry(f"google.iam.v2.Policies.{method}", "iam.googleapis.com", P, **payload)


def custom_role(method: str, **payload: Any) -> Json:
    return entry(f"google.iam.admin.v1.{method}", "iam.googleapis.com", ROLE, **payload)


SAID: dict[str, tuple[Json, list[Json]]] = {
    "a delta adds a binding of a project": (
        of_project(delta("ADD", f"serviceAccount:{READER}", "roles/owner")),
        [given("attached", READER, "roles/owner", scope=P)],
    ),
    "a delta removes one": (
        of_project(delta("REMOVE", "group:ops@harborline.example")),
        [taken("attached", "group:ops@harborline.example", "roles/viewer", scope=P)],
    ),
    "one with a condition is another": (
        of_project(delta("REMOVE", f"user:{INES}", condition=IN_BILLING)),
        [taken("attached", INES, "roles/viewer", scope=P, binding=f"if {IN_BILLING['expression']}")],
    ),
    "who was deleted loses it under both names": (
        of_project(delta("REMOVE", f"deleted:user:{INES}?uid=118")),
        [
            taken("attached", f"deleted:user:{INES}?uid=118", "roles/viewer", scope=P),
            taken("attached", INES, "roles/viewer", scope=P),
        ],
    ),
    "a folder": (
        entry(
            "SetIamPolicy", MANAGER, "folders/77", {"folder_id": "77"}, serviceData=deltas(delta("ADD", f"user:{INES}"))
        ),
        [given("attached", INES, "roles/viewer", scope="folders/77")],
    ),
    "an organization, by its full name": (
        entry(
            "SetIamPolicy",
            MANAGER,
            f"//{MANAGER}/organizations/1",
            {},
            serviceData=deltas(delta("ADD", "domain:a.example")),
        ),
        [given("attached", "domain:a.example", "roles/viewer", scope="organizations/1")],
    ),
    "a bucket, and where it lies": (
        entry(
            "storage.setIamPermissions",
            "storage.googleapis.com",
            "projects/_/buckets/billing",
            serviceData=deltas(delta("ADD", "allUsers", "roles/storage.objectViewer")),
        ),
        [
            given("within", BUCKET, P),
            given("attached", "allUsers", "roles/storage.objectViewer", scope=BUCKET),
        ],
    ),
    "a new bucket with the bindings it begins with": (
        entry(
            "storage.buckets.create",
            "storage.googleapis.com",
            "projects/_/buckets/billing",
            serviceData=deltas(delta("ADD", f"projectOwner:{PROJECT}", "roles/storage.legacyBucketOwner")),
        ),
        [
            given("within", BUCKET, P),
            given("attached", f"projectOwner:{PROJECT}", "roles/storage.legacyBucketOwner", scope=BUCKET),
        ],
    ),
    "a service account, by its address": (
        entry(
            "google.iam.admin.v1.SetIAMPolicy",
            "iam.googleapis.com",
            "projects/-/serviceAccounts/105537103139416651075",
            {"project_id": PROJECT, "email_id": READER, "unique_id": "105537103139416651075"},
            serviceData=deltas(delta("ADD", f"user:{INES}", "roles/iam.serviceAccountTokenCreator")),
        ),
        [
            given(
                "attached",
                INES,
                "roles/iam.serviceAccountTokenCreator",
                scope=f"//iam.googleapis.com/{P}/serviceAccounts/{READER}",
            )
        ],
    ),
    "a dataset of BigQuery": (
        entry(
            "google.iam.v1.IAMPolicy.SetIamPolicy",
            "bigquery.googleapis.com",
            f"{P}/datasets/ledger",
            metadata={"datasetChange": {"bindingDeltas": [delta("ADD", f"user:{INES}")], "reason": "SET_IAM_POLICY"}},
        ),
        [given("attached", INES, "roles/viewer", scope=f"//bigquery.googleapis.com/{P}/datasets/ledger")],
    ),
    "deltas in the newer member": (
        entry("SetIamPolicy", MANAGER, P, metadata=deltas(delta("ADD", f"user:{INES}"))),
        [given("attached", INES, "roles/viewer", scope=P)],
    ),
    "a whole policy, where no delta tells": (
        entry(
            "google.cloud.run.v1.Services.SetIamPolicy",
            "run.googleapis.com",
            RUN,
            request={"policy": TWO_BINDINGS, "resource": RUN},
            response=TWO_BINDINGS,
        ),
        [
            whole("attached", scope=f"//run.googleapis.com/{RUN}"),
            given("attached", "allUsers", "roles/run.invoker", scope=f"//run.googleapis.com/{RUN}"),
            given("attached", READER, "roles/run.invoker", scope=f"//run.googleapis.com/{RUN}"),
            ENDS,
        ],
    ),
    "a whole policy without bindings ends all; the project by its id": (
        entry(
            "google.cloud.iap.v1.IdentityAwareProxyAdminService.SetIamPolicy",
            "iap.googleapis.com",
            "projects/430102030405/iap_web/compute/services/73",
            request={"policy": {"etag": "BwX6"}},
            response={"etag": "BwX7"},
        ),
        [whole("attached", scope=f"//iap.googleapis.com/{P}/iap_web/compute/services/73")],
    ),
    "a topic": (
        entry(
            "google.iam.v1.IAMPolicy.SetIamPolicy",
            "pubsub.googleapis.com",
            f"{P}/topics/ledger",
            request={
                "policy": {"bindings": [{"role": "roles/pubsub.publisher", "members": [f"serviceAccount:{READER}"]}]}
            },
        ),
        [
            whole("attached", scope=f"//pubsub.googleapis.com/{P}/topics/ledger"),
            given("attached", READER, "roles/pubsub.publisher", scope=f"//pubsub.googleapis.com/{P}/topics/ledger"),
        ],
    ),
    "a custom role is made": (
        custom_role(
            "CreateRole",
            serviceData={"permissionDelta": {"addedPermissions": ["storage.objects.get"]}},
            request={"parent": P, "role_id": "ledgerReader", "role": {"included_permissions": ["storage.objects.get"]}},
        ),
        [made(ROLE), written(ROLE, [statement("allow", ["storage.objects.get"], ["*"])])],
    ),
    "a custom role is widened": (
        custom_role(
            "UpdateRole",
            request={
                "name": ROLE,
                "role": {"includedPermissions": ["storage.objects.*"]},
                "updateMask": "includedPermissions",
            },
            response={"name": ROLE, "includedPermissions": ["storage.objects.get", "storage.objects.list"]},
        ),
        [written(ROLE, [statement("allow", ["storage.objects.get", "storage.objects.list"], ["*"])])],
    ),
    "only what came and went is told, so what it says now is not known": (
        custom_role(
            "UpdateRole",
            serviceData={"permissionDelta": {"addedPermissions": ["storage.objects.list"]}},
            request={"name": ROLE, "role": {"title": "Ledger"}, "update_mask": {"paths": ["title"]}},
        ),
        [written(ROLE, None)],
    ),
    "a deleted role keeps its bindings": (custom_role("DeleteRole", request={"name": ROLE}), [unwritten(ROLE)]),
    "and has its permissions again": (
        custom_role("UndeleteRole", response={"name": ROLE, "included_permissions": ["storage.objects.get"]}),
        [written(ROLE, [statement("allow", ["storage.objects.get"], ["*"])])],
    ),
    "a deny policy is made": (
        deny(
            "CreatePolicy",
            request={
                "parent": DENY_NAME.removesuffix("/no-keys"),
                "policyId": "no-keys",
                "policy": {"displayName": "no keys", "rules": DENY_RULES},
            },
        ),
        [given("guardrail", P, f"{P}/denypolicies/no-keys"), written(f"{P}/denypolicies/no-keys", DENY_SAYS)],
    ),
    "a deny policy is changed": (
        deny(
            "UpdatePolicy",
            request={"policy": {"name": DENY_NAME.replace(PROJECT, "430102030405"), "rules": DENY_RULES}},
        ),
        [given("guardrail", P, f"{P}/denypolicies/no-keys"), written(f"{P}/denypolicies/no-keys", DENY_SAYS)],
    ),
    "a rule that cannot be read": (
        deny("UpdatePolicy", request={"policy": {"name": DENY_NAME, "rules": [*DENY_RULES, {"denyRule": {}}]}}),
        [given("guardrail", P, f"{P}/denypolicies/no-keys"), written(f"{P}/denypolicies/no-keys", None)],
    ),
    "a deny policy is deleted": (
        deny("DeletePolicy", request={"name": DENY_NAME}),
        [gone(f"{P}/denypolicies/no-keys")],
    ),
    "a project is made in a folder": (
        entry(
            "CreateProject",
            MANAGER,
            P,
            request={"project": {"projectId": PROJECT, "parent": {"type": "folder", "id": "77"}}},
        ),
        [whole("within", holder=P), given("within", P, "folders/77")],
    ),
    "a project is moved": (
        entry("MoveProject", MANAGER, P, request={"name": "projects/430102030405", "destinationParent": "folders/78"}),
        [whole("within", holder=P), given("within", P, "folders/78")],
    ),
    "a folder is made": (
        entry(
            "CreateFolder",
            MANAGER,
            "organizations/1",
            {"folder_id": "79"},
            request={"folder": {"displayName": "ledger", "parent": "organizations/1"}},
            response={"name": "folders/79", "parent": "organizations/1"},
        ),
        [whole("within", holder="folders/79"), given("within", "folders/79", "organizations/1")],
    ),
    "a folder is moved": (
        entry(
            "MoveFolder", MANAGER, "folders/79", {}, request={"name": "folders/79", "destination_parent": "folders/77"}
        ),
        [whole("within", holder="folders/79"), given("within", "folders/79", "folders/77")],
    ),
    "a service account is made": (
        entry(
            "google.iam.admin.v1.CreateServiceAccount",
            "iam.googleapis.com",
            P,
            response={"name": f"{P}/serviceAccounts/{READER}", "email": READER},
        ),
        [made(READER)],
    ),
    "a service account is deleted": (
        entry(
            "google.iam.admin.v1.DeleteServiceAccount",
            "iam.googleapis.com",
            "projects/-/serviceAccounts/105537103139416651075",
            {"project_id": PROJECT, "email_id": READER},
        ),
        [gone(READER)],
    ),
    "an event of Workspace in Cloud Logging": (
        entry(
            "google.admin.AdminService.addGroupMember",
            "admin.googleapis.com",
            "organizations/123/groupSettings",
            metadata={
                "activityId": {"uniqQualifier": "-86"},
                "event": [
                    {
                        "eventName": "ADD_GROUP_MEMBER",
                        "eventType": "GROUP_SETTINGS",
                        "parameter": [
                            {"name": "USER_EMAIL", "value": "tom@harborline.example"},
                            {"name": "GROUP_EMAIL", "value": "ops@harborline.example"},
                        ],
                    }
                ],
            },
        ),
        [
            given("member", "group:ops@harborline.example", "ops@harborline.example"),
            given("member", "tom@harborline.example", "group:ops@harborline.example"),
        ],
    ),
}


@pytest.mark.parametrize(("record", "expected"), SAID.values(), ids=SAID)
def test_an_entry_says_what_it_changes(record: Json, expected: list[Json]) -> None:
    assert grants_in(record) == expected


@pytest.mark.parametrize("record", [record for record, _ in SAID.values()], ids=SAID)
def test_a_refused_call_changes_nothing(record: Json) -> None:
    refused = replaced_at(record, ("protoPayload", "status"), {"code": 7, "message": "denied"})
    assert grants_in(refused) == []


SILENT: dict[str, Json] = {
    "a read": entry("GetIamPolicy", MANAGER, P, response=TWO_BINDINGS),
    "a delta of audit configurations alone": entry(
        "SetIamPolicy",
        MANAGER,
        P,
        serviceData={"policyDelta": {"auditConfigDeltas": [{"action": "ADD", "service": "allServices"}]}},
        request={"policy": TWO_BINDINGS},
    ),
    "only audit configurations were to be set": entry(
        "SetIamPolicy", MANAGER, P, request={"policy": TWO_BINDINGS, "updateMask": "auditConfigs"}
    ),
    "no policy": entry("SetIamPolicy", MANAGER, P),
    "a policy of another type": entry("SetIamPolicy", MANAGER, P, request={"policy": [TWO_BINDINGS]}),
    "a delta without a member": of_project({"action": "ADD", "role": "roles/owner"}),
    "a delta of another action": of_project(delta("MAYBE", f"user:{INES}")),
    "deltas of another type": entry("SetIamPolicy", MANAGER, P, serviceData={"policyDelta": {"bindingDeltas": "all"}}),
    "a policy of nothing named": entry("SetIamPolicy", MANAGER, "", serviceData=deltas(delta("ADD", f"user:{INES}"))),
    "a title of a role": custom_role(
        "UpdateRole", request={"name": ROLE, "role": {"title": "Ledger"}, "updateMask": "title"}
    ),
    "a role of no project": entry("google.iam.admin.v1.DeleteRole", "iam.googleapis.com", "roles/viewer"),
    "roles of another service": entry("DeleteRole", "sqladmin.googleapis.com", ROLE),
    "a deny policy without a name": deny("DeletePolicy", request={"name": "no-keys"}),
    "a policy of the organization is none of IAM": entry(
        "google.cloud.orgpolicy.v2.OrgPolicy.UpdatePolicy", "orgpolicy.googleapis.com", DENY_NAME
    ),
    "a project without a parent": entry("CreateProject", MANAGER, P, request={"project": {"projectId": PROJECT}}),
    "what else is moved": entry(
        "v1.things.move", "things.googleapis.com", P, request={"destinationParent": "folders/7"}
    ),
    "a new service account without an address": entry(
        "google.iam.admin.v1.CreateServiceAccount", "iam.googleapis.com", P, request={"account_id": "test"}
    ),
    "a key is a credential": entry(
        "google.iam.admin.v1.CreateServiceAccountKey",
        "iam.googleapis.com",
        f"projects/-/serviceAccounts/{READER}",
        response={"name": f"{P}/serviceAccounts/{READER}/keys/9b1c"},
    ),
}


@pytest.mark.parametrize("record", SILENT.values(), ids=SILENT)
def test_other_entries_are_silent(record: Json) -> None:
    assert grants_in(record) == []


def test_a_policy_that_cannot_be_read_whole_ends_nothing() -> None:
    """Of what is readable each binding is given."""
    broken = {"bindings": [*TWO_BINDINGS["bindings"], {"members": [f"user:{INES}"]}]}
    found = grants_in(entry("run.SetIamPolicy", "run.googleapis.com", RUN, request={"policy": broken}))
    assert [each["op"] for each in found] == ["add", "add", "add"]


def test_of_a_policy_beyond_measure_not_all_is_said() -> None:
    members = [f"user:u{number}@a.example" for number in range(6_000)]
    policy = {"bindings": [{"role": "roles/viewer", "members": members}]}
    found = grants_in(entry("SetIamPolicy", MANAGER, P, request={"policy": policy}))
    assert len(found) == 5_000
    assert all(each["op"] == "add" for each in found)


def test_a_condition_that_says_more_than_an_end_has_none() -> None:
    more = {"title": "x", "expression": f"{UNTIL['expression']} && {IN_BILLING['expression']}"}
    (edge,) = grants_in(of_project(delta("ADD", f"user:{INES}", condition=more)))
    assert edge["condition"] == more
    assert "expires_at" not in edge
    (edge,) = grants_in(of_project({**delta("ADD", f"user:{INES}"), "condition": "unreadable"}))
    assert edge["condition"] == {"unread": True}


@pytest.mark.parametrize(
    ("member", "holder"),
    [
        (f"user:{INES}", INES),
        (f"serviceAccount:{READER}", READER),
        (f"serviceAccount:{PROJECT}.svc.id.goog[payments/api]", f"{PROJECT}.svc.id.goog[payments/api]"),
        ("group:ops@a.example", "group:ops@a.example"),
        ("domain:a.example", "domain:a.example"),
        ("allUsers", "allUsers"),
        ("allAuthenticatedUsers", "allAuthenticatedUsers"),
        ("principal://iam.googleapis.com/locations/global/workforcePools/p/subject/s",) * 2,
        (f"principal://goog/subject/{INES}", INES),
        (f"principal://iam.googleapis.com/projects/-/serviceAccounts/{READER}", READER),
        ("principalSet://goog/group/ops@a.example", "group:ops@a.example"),
        ("principalSet://goog/public:all", "allUsers"),
        (f"deleted:user:{INES}?uid=118",) * 2,
        ("user:", "user:"),
    ],
)
def test_a_member_is_named_as_it_acts(member: str, holder: str) -> None:
    assert holder_of(member) == holder


def test_who_was_deleted_had_a_name() -> None:
    assert before_deletion(f"deleted:serviceAccount:{READER}?uid=118") == READER
    assert before_deletion(f"serviceAccount:{READER}") is None


def test_the_holder_of_a_binding_is_the_actor_of_its_calls(tmp_path: Path) -> None:
    acts = entry("storage.objects.get", "storage.googleapis.com", "projects/_/buckets/billing/objects/a")
    acts["protoPayload"]["authenticationInfo"] = {
        "principalEmail": READER,
        "principalSubject": f"serviceAccount:{READER}",
    }
    row = only("gcp_audit", acts, tmp_path)
    assert row["actor_uid"] == grants_in(of_project(delta("ADD", f"serviceAccount:{READER}")))[0]["holder"]
    assert "grants" not in row["detail"]


def test_data_of_a_service_written_as_text() -> None:
    """Some forwarders write inner objects as JSON text; one that is broken costs the entry nothing but its grants."""
    record = of_project(delta("ADD", f"user:{INES}"))
    said = record["protoPayload"]["serviceData"]
    assert grants_in(replaced_at(record, ("protoPayload", "serviceData"), json.dumps(said))) == grants_in(record)
    assert grants_in(replaced_at(record, ("protoPayload", "serviceData"), '{"policyDelta": ')) == []


@pytest.mark.parametrize("record", [record for record, _ in SAID.values()], ids=SAID)
@given_any(odd=st.sampled_from([None, 7, "x", True, [], {}, [None, {}], {"bindings": [7]}, ["x", {"x": None}]]))
@settings(max_examples=9, deadline=None)
def test_odd_members_cost_no_event(record: Json, odd: Any) -> None:
    """Whatever stands anywhere in request, answer or data of the service."""
    for path, _ in values_in(record):
        if path[:2] in (("protoPayload", name) for name in ("request", "response", "serviceData", "metadata")):
            grants_in(replaced_at(record, path, odd))


def test_a_copy_in_ocsf_is_the_same_event(tmp_path: Path) -> None:
    """The mapping drops request and data of the service, so the copy knows of no change, and makes none up."""
    record = of_project(delta("ADD", f"user:{INES}"))
    (native,) = rows("gcp_audit", json.dumps(record).encode(), tmp_path)
    (copied,) = rows("ocsf", json.dumps(gcp_as_ocsf(record)).encode(), tmp_path)
    assert (copied["log"], copied["event_id"]) == (native["log"], native["event_id"])
    assert "grants" not in copied["detail"]


def workspace(name: str, application: str = "admin", **parameters: Any) -> Json:
    named = [
        {"name": key, "multiValue" if type(value) is list else "value": value} for key, value in parameters.items()
    ]
    return {
        "kind": "admin#reports#activity",
        "id": {"time": "2026-10-05T08:03:40.018Z", "uniqueQualifier": "-5512", "applicationName": application},
        "actor": {"callerType": "USER", "email": INES, "profileId": "1044"},
        "events": [{"type": "X", "name": name, "parameters": named}],
    }


def workspace_grants(record: Json) -> list[Json]:
    (event,) = source("google_workspace_audit").events(record, OPTIONS)
    return event.detail.get("grants", [])


TOM, OPS, CLIENT = "tom@harborline.example", "ops@harborline.example", "5711-q1.apps.googleusercontent.com"
MAIL, DRIVE = "https://www.googleapis.com/auth/gmail.readonly", "https://www.googleapis.com/auth/drive"
EVENTS: dict[str, tuple[Json, list[Json]]] = {
    "a member joins": (
        workspace("ADD_GROUP_MEMBER", GROUP_EMAIL=OPS, USER_EMAIL=TOM),
        [given("member", f"group:{OPS}", OPS), given("member", TOM, f"group:{OPS}")],
    ),
    "a member leaves": (
        workspace("REMOVE_GROUP_MEMBER", GROUP_EMAIL=OPS, USER_EMAIL=TOM),
        [taken("member", TOM, f"group:{OPS}")],
    ),
    "a group is made": (
        workspace("CREATE_GROUP", GROUP_EMAIL=OPS),
        [made(f"group:{OPS}"), given("member", f"group:{OPS}", OPS)],
    ),
    "a group is deleted": (workspace("DELETE_GROUP", GROUP_EMAIL=OPS), [gone(f"group:{OPS}"), gone(OPS)]),
    "a person comes": (workspace("CREATE_USER", USER_EMAIL=TOM), [made(TOM)]),
    "a person goes": (workspace("DELETE_USER", USER_EMAIL=TOM), [gone(TOM)]),
    "a role of admins": (
        workspace("ASSIGN_ROLE", ROLE_NAME="_GROUPS_ADMIN_ROLE", USER_EMAIL=TOM, ORG_UNIT_NAME="Root"),
        [given("attached", TOM, "_GROUPS_ADMIN_ROLE", scope="Root")],
    ),
    "a role of a group": (
        workspace("ASSIGN_ROLE", ROLE_NAME="_GROUPS_ADMIN_ROLE", GROUP_EMAIL=OPS),
        [given("attached", f"group:{OPS}", "_GROUPS_ADMIN_ROLE")],
    ),
    "a role is taken": (
        workspace("UNASSIGN_ROLE", ROLE_NAME="_GROUPS_ADMIN_ROLE", USER_EMAIL=TOM),
        [taken("attached", TOM, "_GROUPS_ADMIN_ROLE")],
    ),
    "a client may act as everybody": (
        workspace(
            "AUTHORIZE_API_CLIENT_ACCESS", API_CLIENT_NAME="118", API_SCOPES=f"{MAIL},{DRIVE}", DOMAIN_NAME="a.example"
        ),
        [
            written(MAIL, [statement("allow", [MAIL], ["*"])]),
            given("attached", "118", MAIL, scope="a.example", binding="domain-wide delegation"),
            written(DRIVE, [statement("allow", [DRIVE], ["*"])]),
            given("attached", "118", DRIVE, scope="a.example", binding="domain-wide delegation"),
        ],
    ),
    "and no longer": (
        workspace("REMOVE_API_CLIENT_ACCESS", API_CLIENT_NAME="118", API_SCOPES=MAIL),
        [taken("attached", "118", binding="domain-wide delegation")],
    ),
    "a person allows a client": (
        workspace("authorize", "token", client_id=CLIENT, scope=[MAIL]),
        [
            written(MAIL, [statement("allow", [MAIL], ["*"])]),
            given("attached", CLIENT, MAIL, scope=INES, binding=f"google:grant:{INES}/{CLIENT}"),
        ],
    ),
    "a person takes it back": (
        workspace("revoke", "token", client_id=CLIENT, scope=[MAIL]),
        [taken("attached", CLIENT, binding=f"google:grant:{INES}/{CLIENT}")],
    ),
}


@pytest.mark.parametrize(("record", "expected"), EVENTS.values(), ids=EVENTS)
def test_an_event_of_workspace_says_what_it_changes(record: Json, expected: list[Json]) -> None:
    assert workspace_grants(record) == expected


@pytest.mark.parametrize("record", [record for record, _ in EVENTS.values()], ids=EVENTS)
def test_without_its_parameters_it_says_nothing(record: Json) -> None:
    for parameters in ([], None, "x", [{"name": "USER_EMAIL", "value": {"x": 1}}, 7]):
        assert workspace_grants(replaced_at(record, ("events", 0, "parameters"), parameters)) == []


def test_the_same_words_of_another_application_are_no_change() -> None:
    assert workspace_grants(workspace("authorize", "saml", client_id=CLIENT, scope=[MAIL])) == []


def test_a_nested_group_is_held_through_its_address() -> None:
    """Who is in the inner group is in the outer one, by edges alone."""
    inner, outer = "on-call@harborline.example", OPS
    edges = {
        (edge["holder"], edge["held"])
        for record in (
            workspace("ADD_GROUP_MEMBER", GROUP_EMAIL=inner, USER_EMAIL=TOM),
            workspace("ADD_GROUP_MEMBER", GROUP_EMAIL=outer, USER_EMAIL=inner),
        )
        for edge in workspace_grants(record)
    }
    reached = {TOM}
    while new := {held for holder, held in edges if holder in reached} - reached:
        reached |= new
    assert f"group:{outer}" in reached


def test_real_entries_never_raise(third_party: Path) -> None:
    """Those that change policies, and groups, say so."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [(line["log_type"], line["event"]) for line in map(json.loads, file)]
    entries = [{**event, "timestamp": "2026-10-05T10:00:00Z"} for log, event in lines if log == "GCP.AuditLog"]
    found = [grants_in(each) for each in entries if claim(each)]
    assert sum(map(bool, found)) >= 12
    for event in (event for log, event in lines if log == "GSuite.ActivityEvent"):
        timed = {**event, "id": {**event.get("id", {"applicationName": "admin"}), "time": "2026-10-05T10:00:00Z"}}
        with suppress(NotParsed):
            list(source("google_workspace_audit").events(timed, OPTIONS))
