"""Requests that change roles and bindings of a cluster, and what they say of who may do what.

Objects: https://kubernetes.io/docs/reference/access-authn-authz/rbac/; levels, stages and members of events:
https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import only, rows
from ultravires.reading.grants import given, statement, taken, unwritten, whole, written
from ultravires.sources.kubernetes.rbac_rules import statements_of

GROUP = "rbac.authorization.k8s.io"
READER = {
    "kind": "Role",
    "apiVersion": f"{GROUP}/v1",
    "metadata": {"name": "reader", "namespace": "pay"},
    "rules": [{"verbs": ["get", "list"], "apiGroups": ["apps"], "resources": ["deployments"]}],
}
READS = [statement("allow", ["k8s:deployments:get", "k8s:deployments:list"], ["apps/*"])]
BINDING = {
    "kind": "RoleBinding",
    "apiVersion": f"{GROUP}/v1",
    "metadata": {"name": "agents", "namespace": "pay"},
    "subjects": [
        {"kind": "ServiceAccount", "name": "agent", "namespace": "bots"},
        {"kind": "User", "apiGroup": GROUP, "name": "mira@example.org"},
        {"kind": "Group", "apiGroup": GROUP, "name": "oncall"},
    ],
    "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "edit"},
}
ADMINS = {
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "admins"},
    "subjects": [{"kind": "ServiceAccount", "name": "agent", "namespace": "bots"}],
    "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
}
BOUND = [
    whole("attached", binding="rolebinding/pay/agents"),
    *(
        given("attached", holder, "clusterrole/edit", scope="namespace/pay", binding="rolebinding/pay/agents")
        for holder in ("system:serviceaccount:bots:agent", "mira@example.org", "group:oncall")
    ),
]


def event(verb: str, resource: str, name: str | None, asked: Any = None, answer: Any = None, **members: Any) -> Any:
    """A request that was answered with success; of what lies in a namespace, in `pay`."""
    namespace = None if resource.startswith("cluster") else "pay"
    target = {"resource": resource, "namespace": namespace, "name": name, "apiGroup": GROUP, "apiVersion": "v1"}
    own = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse" if answer else "Request" if asked else "Metadata",
        "auditID": "aud-1",
        "stage": "ResponseComplete",
        "requestURI": f"/apis/{GROUP}/v1/{resource}",
        "verb": verb,
        "user": {"username": "jon@example.org"},
        "objectRef": {key: value for key, value in target.items() if value},
        "responseStatus": {"code": 200},
        "requestObject": asked,
        "responseObject": answer,
        "requestReceivedTimestamp": "2026-10-05T10:00:00Z",
    }
    return {key: value for key, value in {**own, **members}.items() if value is not None}


def grants(folder: Path, record: dict[str, Any]) -> Any:
    return only("kubernetes_audit", record, folder)["detail"].get("grants")


@pytest.mark.parametrize("verb", ["create", "update", "patch"])
def test_a_role_is_the_document_that_the_answer_holds(tmp_path: Path, verb: str) -> None:
    """What was asked may be less, as a patch is."""
    record = event(verb, "roles", "reader", {"rules": []}, READER)
    assert grants(tmp_path, record) == [written("role/pay/reader", READS)]


@pytest.mark.parametrize(("verb", "said"), [("create", READS), ("update", READS), ("patch", None)])
def test_without_an_answer_what_was_asked_is_the_role_unless_it_is_a_patch(
    tmp_path: Path, verb: str, said: Any
) -> None:
    """The level Request keeps no answers."""
    assert grants(tmp_path, event(verb, "roles", "reader", READER)) == [written("role/pay/reader", said)]


def test_a_role_of_which_only_metadata_is_kept_has_an_unknown_document(tmp_path: Path) -> None:
    assert grants(tmp_path, event("update", "clusterroles", "deployers")) == [written("clusterrole/deployers", None)]


def test_a_role_without_rules_allows_nothing(tmp_path: Path) -> None:
    """`rules` is null then, which is known; where it is missing nothing is."""
    held = "clusterrole/empty"
    for role, said in (({"rules": None}, []), ({"rules": []}, []), ({}, None), ({"rules": "all"}, None)):
        record = event("update", "clusterroles", "empty", None, {"kind": "ClusterRole", **role})
        assert grants(tmp_path, record) == [written(held, said)]


def test_a_role_that_gathers_others_is_known_once_the_cluster_has_filled_it_in(tmp_path: Path) -> None:
    gathers = {"clusterRoleSelectors": [{"matchLabels": {"to-ops": "true"}}]}
    filled = {"kind": "ClusterRole", "aggregationRule": gathers, "rules": READER["rules"]}
    for role, said in ((filled, READS), ({**filled, "rules": []}, None), ({**filled, "rules": None}, None)):
        record = event("patch", "clusterroles", "ops", None, role)
        assert grants(tmp_path, record) == [written("clusterrole/ops", said)]


def test_a_deleted_role_leaves_its_bindings(tmp_path: Path) -> None:
    """They give what the next role of this name says."""
    assert grants(tmp_path, event("delete", "roles", "reader")) == [unwritten("role/pay/reader")]
    assert grants(tmp_path, event("delete", "clusterroles", "ops")) == [unwritten("clusterrole/ops")]


@pytest.mark.parametrize("verb", ["create", "update", "patch"])
def test_a_binding_names_all_who_have_its_role(tmp_path: Path, verb: str) -> None:
    """Each as the log names who acts, within the namespace of the binding."""
    assert grants(tmp_path, event(verb, "rolebindings", "agents", None, BINDING)) == BOUND


def test_a_binding_of_the_cluster_has_no_scope(tmp_path: Path) -> None:
    binding = "clusterrolebinding/admins"
    assert grants(tmp_path, event("create", "clusterrolebindings", None, ADMINS, ADMINS)) == [
        whole("attached", binding=binding),
        given("attached", "system:serviceaccount:bots:agent", "clusterrole/cluster-admin", binding=binding),
    ]


def test_a_role_of_the_namespace_is_named_with_it(tmp_path: Path) -> None:
    """A service account that names no namespace lies in the binding's."""
    subjects = [{"kind": "ServiceAccount", "name": "agent"}]
    binding = {**BINDING, "roleRef": {"kind": "Role", "name": "reader"}, "subjects": subjects}
    (_, bound) = grants(tmp_path, event("update", "rolebindings", "agents", binding))
    assert (bound["holder"], bound["held"]) == ("system:serviceaccount:pay:agent", "role/pay/reader")


def test_a_session_of_a_role_is_that_role_as_where_it_acts(tmp_path: Path) -> None:
    """EKS calls a session by its ARN, where no name is mapped to the role."""
    user = {"kind": "User", "name": "arn:aws:sts::111122223333:assumed-role/Deployer/run-7"}
    (_, bound) = grants(tmp_path, event("create", "clusterrolebindings", "a", {**ADMINS, "subjects": [user]}))
    assert bound["holder"] == "arn:aws:iam::111122223333:role/Deployer"


def test_a_binding_of_nobody_ends_what_it_gave(tmp_path: Path) -> None:
    for nobody in (None, []):
        record = event("update", "rolebindings", "agents", None, {**BINDING, "subjects": nobody})
        assert grants(tmp_path, record) == [whole("attached", binding="rolebinding/pay/agents")]


@pytest.mark.parametrize("odd", [None, 7, {"kind": "Pod", "name": "a"}, {"kind": "User"}, {"kind": [], "name": "a"}])
def test_a_subject_that_cannot_be_read_leaves_others_as_they_were(tmp_path: Path, odd: Any) -> None:
    record = event("update", "rolebindings", "agents", None, {**BINDING, "subjects": [*BINDING["subjects"], odd]})
    assert grants(tmp_path, record) == BOUND[1:]


def test_a_deleted_binding_takes_what_it_gave(tmp_path: Path) -> None:
    record = event("delete", "rolebindings", "agents", {"kind": "DeleteOptions"}, {"kind": "Status"})
    assert grants(tmp_path, record) == [taken("attached", binding="rolebinding/pay/agents")]


def test_of_a_deleted_collection_the_answer_lists_what_it_was(tmp_path: Path) -> None:
    listed = {"kind": "RoleBindingList", "items": [{"metadata": {"name": "agents"}}, {"metadata": {}}, 7]}
    record = event("deletecollection", "rolebindings", None, None, listed)
    assert grants(tmp_path, record) == [taken("attached", binding="rolebinding/pay/agents")]
    assert grants(tmp_path, event("deletecollection", "rolebindings", None)) is None


def test_roles_of_two_clusters_are_two(tmp_path: Path) -> None:
    """Where the delivery names the cluster."""
    inside = json.dumps(event("create", "clusterrolebindings", "admins", ADMINS))
    around = {"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/aws/eks/blue/cluster"}
    record = {**around, "logEvents": [{"id": "1", "timestamp": 1791199000000, "message": inside}]}
    (_, bound) = grants(tmp_path, record)
    assert bound["held"] == "111122223333/blue/clusterrole/cluster-admin"
    assert bound["binding"] == "111122223333/blue/clusterrolebinding/admins"
    assert bound["holder"] == "system:serviceaccount:bots:agent"


def test_an_entry_of_google_says_the_same(tmp_path: Path) -> None:
    """https://cloud.google.com/kubernetes-engine/docs/how-to/audit-logging"""
    method = "io.k8s.authorization.rbac.v1.clusterrolebindings.create"
    request = {"@type": f"{GROUP}/v1.ClusterRoleBinding", **ADMINS}
    payload = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "authenticationInfo": {"principalEmail": "mira@example.org"},
        "serviceName": "k8s.io",
        "methodName": method,
        "resourceName": f"{GROUP}/v1/clusterrolebindings/admins",
        "request": request,
        "response": request,
    }
    record = {
        "protoPayload": payload,
        "insertId": "1",
        "resource": {"type": "k8s_cluster", "labels": {"project_id": "harbor", "cluster_name": "quay"}},
        "timestamp": "2026-10-05T10:00:00Z",
        "logName": "projects/harbor/logs/cloudaudit.googleapis.com%2Factivity",
        "operation": {"id": "1", "first": True, "last": True},
    }
    (all_of_it, bound) = grants(tmp_path, record)
    assert all_of_it == whole("attached", binding="harbor/quay/clusterrolebinding/admins")
    assert bound["held"] == "harbor/quay/clusterrole/cluster-admin"
    refused = {**record, "protoPayload": {**payload, "response": None, "status": {"code": 7}}}
    assert grants(tmp_path, refused) is None


SILENT = {
    "refused": event("create", "clusterrolebindings", "a", ADMINS, responseStatus={"code": 403}),
    "failed": event("create", "clusterrolebindings", "a", ADMINS, responseStatus={"code": 409}),
    "not yet answered": event("create", "clusterrolebindings", "a", ADMINS, stage="RequestReceived", responseStatus={}),
    "only tried": event("create", "clusterrolebindings", "a", ADMINS, requestURI=f"/apis/{GROUP}/v1/x?dryRun=All"),
    "read": event("get", "rolebindings", "agents", None, BINDING),
    "part of a patch": event("patch", "rolebindings", "agents", BINDING),
    "binding without objects": event("create", "rolebindings", "agents"),
    "of another group": event(
        "create", "x", "agents", BINDING, objectRef={"resource": "rolebindings", "apiGroup": "a.b", "name": "agents"}
    ),
    "without a name": event("create", "clusterroles", None),
    "without a namespace": event("delete", "x", "r", objectRef={"resource": "roles", "name": "r"}),
    "without a role": event("create", "rolebindings", "agents", {**BINDING, "roleRef": None}),
    "of another kind of role": event("create", "rolebindings", "a", {**BINDING, "roleRef": {"kind": 7, "name": "x"}}),
    "subjects that are no list": event("create", "rolebindings", "agents", {**BINDING, "subjects": {"a": 1}}),
    "an answer of another kind": event("patch", "rolebindings", "agents", None, {"kind": "Status", "code": 200}),
}


@pytest.mark.parametrize("case", SILENT)
def test_what_is_not_known_or_did_not_happen_is_not_said(tmp_path: Path, case: str) -> None:
    assert grants(tmp_path, SILENT[case]) is None


CORE_PODS = ["namespaces/*", "pods", "pods/*"]
RULES: list[tuple[dict[str, Any], list[Any]]] = [
    (
        {"apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["create"]},
        [statement("allow", ["k8s:pods:create", "k8s:pods/exec:create"], CORE_PODS)],
    ),
    (
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        [statement("allow", ["k8s:*:*"], not_resources=["/*"])],
    ),
    (
        {"apiGroups": ["", "apps"], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"]},
        [statement("allow", ["k8s:pods:get"], ["pods/a", "namespaces/*/pods/a", "apps/*/a"])],
    ),
    (
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"], "resourceNames": ["a"]},
        [statement("allow", ["k8s:*:get"], ["*/a", "*/a/*"])],
    ),
    (
        {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["update"], "resourceNames": ["web"]},
        [statement("allow", ["k8s:*/scale:update"], ["apps/*/web/scale"])],
    ),
    (
        {"nonResourceURLs": ["/healthz", "/metrics/*", "*"], "verbs": ["get"]},
        [statement("allow", ["k8s:nonresource:get"], ["/healthz", "/metrics/*", "*"])],
    ),
    # what RBAC takes for a name, and no object has it
    ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["*"]}, []),
    ({"apiGroups": [""], "resources": ["pods/*"], "verbs": ["get"]}, []),
    ({"apiGroups": [""], "resources": ["pods"], "verbs": ["ge*"]}, []),
    ({"apiGroups": ["*.io"], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"]}, []),
    ({"nonResourceURLs": ["/a*b"], "verbs": ["get"]}, []),
    ({"resources": ["pods"], "verbs": ["get"]}, []),
    ({"verbs": ["get"]}, []),
    ({}, []),
]


@pytest.mark.parametrize(("rule", "said"), RULES)
def test_a_rule_in_the_words_of_activities(rule: dict[str, Any], said: list[Any]) -> None:
    assert statements_of([rule]) == said


def test_all_types_without_a_group_are_the_objects_of_the_core() -> None:
    """Objects of other groups begin with the group, which is none of these."""
    (found,) = statements_of([{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}]) or []
    assert {"namespaces/*", "nodes", "nodes/*", "persistentvolumes/*"} <= set(found["resources"])
    assert not {"*", "apps/*"} & set(found["resources"])
    (named,) = statements_of([{"apiGroups": [""], "resources": ["*"], "verbs": ["get"], "resourceNames": ["n"]}]) or []
    assert {"nodes/n", "nodes/n/*", "namespaces/*/*/n"} <= set(named["resources"])


@pytest.mark.parametrize(
    "rules",
    [
        None,
        "*",
        {"verbs": ["*"]},
        ["*"],
        [{"verbs": "*"}],
        [{"verbs": ["get"], "resources": [7], "apiGroups": [""]}],
        [{"verbs": ["get"] * 100, "resources": ["a"] * 100, "apiGroups": [""]}],
        [{}] * 2_001,
    ],
)
def test_what_are_no_rules_is_not_known(rules: Any) -> None:
    assert statements_of(rules) is None


def test_real_events_are_read(third_party: Path, tmp_path: Path) -> None:
    """Of EKS, AKS and GKE; none of them was lost for what it might have changed."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [line["event"] for line in map(json.loads, file) if line["log_type"] == "Amazon.EKS.Audit"]
    data = "\n".join(json.dumps({"stageTimestamp": "2026-10-05T10:00:00Z", **each}) for each in lines).encode()
    found = rows("kubernetes_audit", data, tmp_path)
    assert len(found) == len(lines)
    for row in found:
        assert "grants" not in row["detail"] or row["action"].split(":")[1].endswith(("roles", "rolebindings"))
