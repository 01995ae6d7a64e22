"""Kubernetes audit events as Google Cloud Logging keeps those of GKE clusters: entries in, rows of Kubernetes out."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import claimed_by, keys, only, quarantined, rows
from ultravires.sources.gcp.log_entries import audit_of_gke
from ultravires.sources.kubernetes.gke_audit import method_parts, object_of, path_of

AUDIT_ID = "8d1f22e3-6a0b-4a70-9b45-6e1071b2c3d4"
AGENT = "system:serviceaccount:payments:invoice-agent"
DEPLOYER = "deployer@harbor-prod.iam.gserviceaccount.com"
POOL = "principal://iam.googleapis.com/projects/4301/locations/global/workloadIdentityPools/harbor-prod.svc.id.goog"


def entry(
    method: str = "io.k8s.core.v1.pods.list",
    resource: str | None = "core/v1/namespaces/payments/pods",
    who: dict[str, Any] | None = None,
    payload: dict[str, Any] | None = None,
    **members: Any,
) -> dict[str, Any]:
    """A request to a cluster's API server; `payload` and `members` replace its own, None takes one away."""
    audit = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "status": {"code": 0},
        "authenticationInfo": who or {"principalEmail": "mira@example.org"},
        "requestMetadata": {"callerIp": "198.51.100.24", "callerSuppliedUserAgent": "kubectl/v1.35.0"},
        "serviceName": "k8s.io",
        "methodName": method,
        "authorizationInfo": [{"granted": True, "permission": method, "resource": resource}],
        "resourceName": resource,
        **(payload or {}),
    }
    own = {
        "protoPayload": {name: value for name, value in audit.items() if value is not None},
        "insertId": AUDIT_ID,
        "resource": {"type": "k8s_cluster", "labels": {"project_id": "harbor-prod", "cluster_name": "quay"}},
        "timestamp": "2026-10-05T10:00:00.123456Z",
        "labels": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "by IAM"},
        "logName": "projects/harbor-prod/logs/cloudaudit.googleapis.com%2Fdata_access",
        "operation": {"id": AUDIT_ID, "producer": "k8s.io", "first": True, "last": True},
    }
    return {name: value for name, value in {**own, **members}.items() if value is not None}


def read(folder: Path, *args: Any, **members: Any) -> dict[str, Any]:
    return only("kubernetes_audit", entry(*args, **members), folder)


def test_a_request_is_an_activity_in_the_words_of_rbac(tmp_path: Path) -> None:
    """Every column of a plain read; the raw record is the entry."""
    row = read(tmp_path)
    expected = {
        "log": "kubernetes_audit",
        "source": "kubernetes_audit",
        "native_id": f"{AUDIT_ID}/ResponseComplete",
        "class_uid": 6003,
        "activity_id": 2,
        "actor_uid": "mira@example.org",
        "actor_kind": "human",
        "account_uid": "harbor-prod",
        "action": "k8s:pods:list",
        "resource_uids": ["namespaces/payments/pods"],
        "outcome": "success",
        "error_code": None,
        "src_ip": "198.51.100.24",
        "user_agent": "kubectl/v1.35.0",
        "credential_uid": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert keys(row) == {("request", AUDIT_ID, "names"), ("request", f"harbor-prod/{AUDIT_ID}", "names")}
    assert row["detail"]["cluster"] == "quay" and row["detail"]["read_only"] is True
    assert json.loads(row["raw"]) == entry()


@pytest.mark.parametrize(
    ("method", "resource", "action", "uid"),
    [
        (
            "io.k8s.core.v1.pods.exec.create",
            "core/v1/namespaces/a/pods/p/exec",
            "pods/exec:create",
            "namespaces/a/pods/p/exec",
        ),
        (
            "io.k8s.core.v1.nodes.proxy.get",
            "core/v1/nodes/n/proxy/metrics/cadvisor",
            "nodes/proxy:get",
            "nodes/n/proxy",
        ),
        ("io.k8s.core.v1.namespaces.delete", "core/v1/namespaces/a", "namespaces:delete", "namespaces/a/namespaces/a"),
        (
            "io.k8s.core.v1.pods.deletecollection",
            "core/v1/namespaces/a/pods",
            "pods:deletecollection",
            "namespaces/a/pods",
        ),
        (
            "io.k8s.authorization.rbac.v1.clusterrolebindings.patch",
            "rbac.authorization.k8s.io/v1/clusterrolebindings/b",
            "clusterrolebindings:patch",
            "rbac.authorization.k8s.io/clusterrolebindings/b",
        ),
        (
            "io.gke.networking.v1beta2.certs.update",
            "networking.gke.io/v1beta2/namespaces/a/certs/c",
            "certs:update",
            "networking.gke.io/namespaces/a/certs/c",
        ),
        ("io.k8s.core.v1.secrets.list", None, "secrets:list", "secrets"),
        ("io.k8s.core.v1.secrets.list", "secrets/of/whom", "secrets:list", "secrets"),
        ("io.k8s.get", "healthz", "nonresource:get", "/healthz"),
        ("", "core/v1/namespaces/a/pods/p", "pods:unknown", "namespaces/a/pods/p"),
    ],
)
def test_method_and_resource_name_are_verb_and_object(
    method: str, resource: str | None, action: str, uid: str, tmp_path: Path
) -> None:
    """As another cluster's own event would name them."""
    row = read(tmp_path, method, resource)
    assert (row["action"], row["resource_uids"]) == (f"k8s:{action}", [uid])


def test_odd_names_are_taken_apart_without_an_error() -> None:
    for name in ("", ".", "v1", "v1.", "io.k8s.core.v1", "a..b", "/", "//", "core", "core/v1", "core/v1/", "v1/v1/v1"):
        assert len(method_parts(name)) == 3
        assert (path_of(name) or "/").startswith("/")
        assert object_of({"resourceName": name, "methodName": name}) != {}


@pytest.mark.parametrize(
    ("payload", "labels", "outcome", "code"),
    [
        ({"status": {}}, {}, "success", None),
        ({"status": None}, {}, "success", None),
        ({"status": {"code": 7, "message": "Forbidden"}}, {}, "denied", "Forbidden"),
        ({"status": {"code": 16}}, {}, "denied", "Unauthorized"),
        ({"status": {"code": 5}}, {}, "failure", "NotFound"),
        ({"status": {"code": 10}}, {}, "failure", "409"),
        ({"status": {"code": 2}}, {}, "failure", "500"),
        ({"status": {"code": 77}}, {}, "failure", "500"),
        ({"status": {"code": 403}}, {}, "denied", "403"),
        (
            {"status": {"code": 10}, "response": {"kind": "Status", "code": 409, "reason": "AlreadyExists"}},
            {},
            "failure",
            "AlreadyExists",
        ),
        ({"status": {"code": 10}, "response": {"kind": "Mine", "code": 200}}, {}, "failure", "409"),
        ({"status": None}, {"authorization.k8s.io/decision": "forbid"}, "denied", None),
        ({"status": None, "authorizationInfo": [{"granted": False}]}, {}, "denied", None),
    ],
)
def test_the_answer_is_the_outcome(
    payload: dict[str, Any], labels: dict[str, Any], outcome: str, code: str | None, tmp_path: Path
) -> None:
    """Google says OK by saying nothing; the API server's own answer is more exact than Google's code of it."""
    row = read(tmp_path, payload=payload, labels=labels)
    assert (row["outcome"], row["error_code"]) == (outcome, code)


@pytest.mark.parametrize(
    "who",
    [
        {"principalEmail": "mira@example.org"},
        {"principalEmail": DEPLOYER, "principalSubject": f"serviceAccount:{DEPLOYER}"},
        {
            "principalEmail": DEPLOYER,
            "serviceAccountDelegationInfo": [{"firstPartyPrincipal": {"principalEmail": "mira@example.org"}}],
        },
        {"principalEmail": DEPLOYER, "serviceAccountKeyName": f"//iam.googleapis.com/{DEPLOYER}/keys/9b1c"},
        {"principalSubject": f"{POOL}/subject/ns/payments/sa/invoice-agent"},
        {"principalSubject": "serviceAccount:harbor-prod.svc.id.goog[payments/invoice-agent]"},
        {"principalEmail": AGENT},
        {"principalEmail": "system@google.com"},
        {"principalSubject": "principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/jon@example.org"},
        {},
    ],
)  # fmt: skip
def test_an_actor_is_who_it_is_in_google_clouds_own_logs(who: dict[str, Any], tmp_path: Path) -> None:
    """One principal has one name, kind, credential and keys in the cluster and around it, so that chains go on."""
    columns = ("actor_uid", "actor_kind", "on_behalf_of_uid", "credential_uid")
    in_cluster = read(tmp_path, who=who or {"x": 1})
    service = {"serviceName": "storage.googleapis.com"}
    around = only("gcp_audit", entry("storage.objects.get", "b", who or {"x": 1}, service), tmp_path)
    assert (in_cluster["log"], around["log"]) == ("kubernetes_audit", "gcp_audit")
    assert {name: in_cluster[name] for name in columns} == {name: around[name] for name in columns}
    assert {key for key in keys(in_cluster) if key[0] != "request"} == keys(around)
    assert in_cluster["detail"].get("role_arn") == around["detail"].get("role_arn")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("system:node:n1", "service"),
        ("system:kube-scheduler", "service"),
        (AGENT, "workload"),
        ("system:anonymous", "unknown"),
        ("aks@example.org", "human"),
    ],
)
def test_an_actor_of_the_cluster_is_what_it_is_in_other_clusters(name: str, kind: str, tmp_path: Path) -> None:
    assert read(tmp_path, who={"principalEmail": name})["actor_kind"] == kind


def test_a_token_that_a_node_asked_for_is_used_by_its_holder(tmp_path: Path) -> None:
    """The request issues a token to the service account, whose requests carry its name."""
    asked = {"request": {"kind": "TokenRequest", "spec": {"expirationSeconds": 600}}}
    resource = "core/v1/namespaces/payments/serviceaccounts/invoice-agent/token"
    method = "io.k8s.core.v1.serviceaccounts.token.create"
    issued = read(tmp_path, method, resource, {"principalEmail": "system:node:n1"}, asked)
    assert issued["issued_credential_uid"] == f"k8s:token:{AUDIT_ID}"
    assert (issued["issued_expires_at"] - issued["event_at"]).total_seconds() == 600
    assert ("bearer", AGENT, "names") in keys(issued)
    assert ("bearer", AGENT, "uses") in keys(read(tmp_path, who={"principalEmail": AGENT}))
    labels = {"authentication.kubernetes.io/issued-credential-id": "JTI=j1"}
    assert read(tmp_path, method, resource, labels=labels)["issued_credential_uid"] == "k8s:JTI=j1"


def test_both_entries_of_a_long_request_are_stages_of_it(tmp_path: Path) -> None:
    """Told of when the answer begins and when it ends: one activity where their times agree, else one shared event."""
    operation = {"id": AUDIT_ID, "producer": "k8s.io"}
    start = read(tmp_path, operation={**operation, "first": True})
    end = read(tmp_path, operation={**operation, "last": True}, insertId="other")
    assert [row["detail"]["stage_number"] for row in (start, end)] == [2, 3]
    assert start["detail"]["request"] == end["detail"]["request"]
    shared = ("shared_event", f"k8s.io/{AUDIT_ID}/io.k8s.core.v1.pods.list", "carries")
    assert shared in keys(start) and shared in keys(end)
    alone = read(tmp_path, operation=None)
    assert alone["native_id"] == AUDIT_ID and "stage" not in alone["detail"]


def test_the_contents_of_a_secret_are_kept_nowhere(tmp_path: Path) -> None:
    """In the request and in the answer; its name stays."""
    secret = {"kind": "Secret", "metadata": {"name": "key"}, "data": {"x": "aHVudGVyMg=="}}
    resource = "core/v1/namespaces/payments/secrets/key"
    row = read(tmp_path, "io.k8s.core.v1.secrets.create", resource, payload={"request": secret, "response": secret})
    assert "aHVudGVyMg" not in str(row) and row["raw"].count('"name":"key"') == 2
    untimed = entry("io.k8s.core.v1.secrets.create", resource, payload={"request": secret}, timestamp=None)
    (refused,) = quarantined("kubernetes_audit", json.dumps(untimed).encode(), tmp_path)
    assert refused.reason == "no time" and b"aHVudGVyMg" not in refused.raw


def test_wrappers_hold_the_same_events(tmp_path: Path) -> None:
    """Lines, arrays and answers of the Logging API are this source's files; what is packed is seen when it is read."""
    records = [entry(operation={"id": f"id-{n}", "first": True, "last": True}) for n in range(3)]
    packed = [{"message": {"data": base64.b64encode(json.dumps(r).encode()).decode()}} for r in records]
    lines = "\n".join(map(json.dumps, records))
    expected = [row["event_id"] for row in rows("kubernetes_audit", lines.encode(), tmp_path)]
    assert len(set(expected)) == 3
    for owner, wrapped in (
        ("kubernetes_audit", lines),
        ("kubernetes_audit", json.dumps(records)),
        ("kubernetes_audit", json.dumps(records, indent=1)),
        ("kubernetes_audit", json.dumps({"nextPageToken": "x", "entries": records})),
        ("kubernetes_audit", json.dumps({"entries": records}, indent=1)),
        ("gcp_audit", "\n".join(map(json.dumps, packed))),
    ):
        assert claimed_by(wrapped.encode()) == [owner]
        assert [row["event_id"] for row in rows(owner, wrapped.encode(), tmp_path)] == expected


def test_an_entry_of_which_a_forwarder_dropped_the_service_is_known_by_its_resource(tmp_path: Path) -> None:
    """The API of the clusters themselves (container.googleapis.com) is a service of Google Cloud like others."""
    assert read(tmp_path, payload={"serviceName": None})["log"] == "kubernetes_audit"
    service, kind = {"serviceName": "container.googleapis.com"}, {"type": "gke_cluster"}
    other = {**entry("google.container.v1.ClusterManager.CreateCluster", "x", payload=service), "resource": kind}
    assert only("kubernetes_audit", other, tmp_path)["log"] == "gcp_audit"


def test_real_entries_are_read_whole(third_party: Path, tmp_path: Path) -> None:
    """23 entries of clusters: those with a time are events of Kubernetes, the others say why not."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        every = [line["event"] for line in map(json.loads, file) if line["log_type"] == "GCP.AuditLog"]
    found = [event for event in every if audit_of_gke(event)]
    data = "\n".join(json.dumps({"timestamp": "2026-10-05T10:00:00Z", **event}) for event in found).encode()
    assert quarantined("kubernetes_audit", data, tmp_path) == []
    read_ = rows("kubernetes_audit", data, tmp_path)
    assert len(found) == len(read_) == 23
    for event, row in zip(found, read_, strict=True):
        audit = event["protoPayload"]
        words, name = audit["methodName"].split("."), audit["resourceName"].removeprefix("core/v1/")
        assert row["action"] == f"k8s:{'/'.join(words[words.index('v1') + 1 : -1])}:{words[-1]}"
        assert row["resource_uids"] == [name.replace("/v1/", "/", 1)]
        assert row["actor_uid"] == audit["authenticationInfo"]["principalEmail"]
        is_refused = any(check.get("granted") is False for check in audit.get("authorizationInfo", []))
        outcome = {7: "denied", 10: "failure"}.get(audit.get("status", {}).get("code"), "success")
        assert row["outcome"] == ("denied" if is_refused else outcome)
        assert row["account_uid"] == event["resource"]["labels"]["project_id"]
        assert row["src_ip"] in (None, *audit["requestMetadata"].values())
