"""Kubernetes audit events: records in, rows out."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, SAMPLES, claimed_by, keys, only, quarantined, rows, source

AGENT = "system:serviceaccount:payments:invoice-agent"
EXTRA = "authentication.kubernetes.io/"
POD = "7d0c9b3e-2f41-4c58-8a6e-1b2c3d4e5f60"


def event(**members: Any) -> dict[str, Any]:
    """A service account reads a secret; `members` replace its own, None takes one away."""
    own = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "aud-1",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/payments/secrets/key",
        "verb": "get",
        "user": {"username": AGENT, "extra": {f"{EXTRA}credential-id": ["JTI=jti-1"]}},
        "sourceIPs": ["192.0.2.40"],
        "userAgent": "kubectl/v1.35.0",
        "objectRef": {"resource": "secrets", "namespace": "payments", "name": "key", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-10-05T10:59:59.900000Z",
        "stageTimestamp": "2026-10-05T11:00:00.100000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }
    return {name: value for name, value in {**own, **members}.items() if value is not None}


def read(folder: Path, **members: Any) -> dict[str, Any]:
    return only("kubernetes_audit", event(**members), folder)


def token_request(**members: Any) -> dict[str, Any]:
    target = {"resource": "serviceaccounts", "subresource": "token", "namespace": "payments", "name": "invoice-agent"}
    own = {
        "verb": "create",
        "objectRef": target,
        "responseStatus": {"code": 201},
        "user": {"username": "system:node:n1"},
    }
    return event(**{**own, **members})


def test_a_request_is_an_activity_in_the_words_of_rbac(tmp_path: Path) -> None:
    """Every column of a plain read, at the moment when the request arrived."""
    row = read(tmp_path)
    expected = {
        "kind": "activity",
        "native_id": "aud-1/ResponseComplete",
        "class_uid": 6003,
        "activity_id": 2,
        "actor_uid": AGENT,
        "actor_kind": "workload",
        "action": "k8s:secrets:get",
        "resource_uids": ["namespaces/payments/secrets/key"],
        "outcome": "success",
        "error_code": None,
        "src_ip": "192.0.2.40",
        "user_agent": "kubectl/v1.35.0",
        "credential_uid": "k8s:JTI=jti-1",
        "on_behalf_of_uid": None,
        "account_uid": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["event_at"].isoformat() == "2026-10-05T10:59:59.900000+00:00"
    assert keys(row) == {("request", "aud-1", "names")}
    assert row["detail"] == {
        "request": "aud-1@1791197999900000",
        "stage": "ResponseComplete",
        "stage_number": 3,
        "stage_at": "2026-10-05T11:00:00.100000Z",
        "credential_kind": "session",
        "read_only": True,
        "event_type": "Metadata",
    }


def test_all_stages_of_a_request_stand_in_one_hour(tmp_path: Path) -> None:
    """A watch that ends hours later is known by the moment at which it began; each stage is an event of its own."""
    stages = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
    records = [event(stage=s, stageTimestamp=f"2026-10-05T{11 + n}:30:00Z") for n, s in enumerate(stages)]
    found = rows("kubernetes_audit", "\n".join(map(json.dumps, records)).encode(), tmp_path)
    assert len({row["event_id"] for row in found}) == 4
    assert len({(row["event_hour"], row["event_at"]) for row in found}) == 1
    assert [row["detail"]["stage_number"] for row in found] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("members", "outcome", "code"),
    [
        ({"responseStatus": {"code": 101}}, "success", None),
        ({"responseStatus": {"code": 201}}, "success", None),
        ({"responseStatus": {"code": 403, "reason": "Forbidden"}}, "denied", "Forbidden"),
        ({"responseStatus": {"code": 401}}, "denied", "401"),
        ({"responseStatus": {"code": 404, "reason": "NotFound"}}, "failure", "NotFound"),
        ({"responseStatus": None}, "unknown", None),
        ({"responseStatus": None, "stage": "Panic"}, "failure", None),
        ({"responseStatus": {"status": "Failure"}}, "failure", None),
        ({"responseStatus": None, "annotations": {"authorization.k8s.io/decision": "forbid"}}, "denied", None),
    ],
)
def test_the_answer_is_the_outcome(members: dict[str, Any], outcome: str, code: str | None, tmp_path: Path) -> None:
    """Before there is an answer only a refusal or a panic is certain."""
    row = read(tmp_path, **members)
    assert (row["outcome"], row["error_code"]) == (outcome, code)


@pytest.mark.parametrize(
    ("target", "action", "resource"),
    [
        ({"resource": "nodes", "name": "n1"}, "k8s:nodes:get", "nodes/n1"),
        (
            {"resource": "pods", "subresource": "exec", "namespace": "a", "name": "p"},
            "k8s:pods/exec:get",
            "namespaces/a/pods/p/exec",
        ),
        (
            {"resource": "roles", "apiGroup": "rbac.authorization.k8s.io", "namespace": "a", "name": "r"},
            "k8s:roles:get",
            "rbac.authorization.k8s.io/namespaces/a/roles/r",
        ),
        (None, "k8s:nonresource:get", "/api/v1/namespaces/payments/secrets/key"),
    ],
)
def test_actions_and_resources(target: dict[str, str] | None, action: str, resource: str, tmp_path: Path) -> None:
    """Resource, subresource and verb make the action; the path of the object its name."""
    row = read(tmp_path, objectRef=target)
    assert (row["action"], row["resource_uids"]) == (action, [resource])


def test_a_secret_in_a_query_reaches_no_column(tmp_path: Path) -> None:
    row = read(tmp_path, objectRef=None, requestURI="/logs?access=hunter2")
    assert "hunter2" not in json.dumps({**row, "raw": ""}, default=str)
    assert row["resource_uids"] == ["/logs"]


def test_bindings_are_changes_of_access(tmp_path: Path) -> None:
    for verb, activity in (("create", 1), ("patch", 1), ("delete", 2)):
        row = read(tmp_path, verb=verb, objectRef={"resource": "clusterrolebindings", "name": "b"})
        assert (row["class_uid"], row["activity_id"]) == (3005, activity)


def test_a_token_and_its_use_share_an_id(tmp_path: Path) -> None:
    """The annotation of the TokenRequest is what later requests show as their credential."""
    annotations = {f"{EXTRA}issued-credential-id": "JTI=jti-1"}
    asked = {"spec": {"expirationSeconds": 3600}}
    issue = only("kubernetes_audit", token_request(annotations=annotations, requestObject=asked), tmp_path)
    assert issue["issued_credential_uid"] == read(tmp_path)["credential_uid"] == "k8s:JTI=jti-1"
    assert issue["issued_expires_at"].isoformat() == "2026-10-05T11:59:59.900000+00:00"
    assert issue["detail"]["issued_role_arn"] == AGENT
    assert issue["detail"]["issued_duration_seconds"] == 3600
    assert (issue["class_uid"], issue["activity_id"]) == (3002, 1)
    assert ("bearer", AGENT, "names") in keys(issue)


def test_a_token_without_an_id_is_named_after_its_request(tmp_path: Path) -> None:
    """Its use shows no id either, and is found by whom it appears as."""
    issue = only("kubernetes_audit", token_request(), tmp_path)
    use = read(tmp_path, user={"username": AGENT})
    assert (issue["issued_credential_uid"], issue["issued_expires_at"]) == ("k8s:token:aud-1", None)
    assert use["credential_uid"] is None
    assert ("bearer", AGENT, "uses") in keys(use)
    assert ("bearer", AGENT, "uses") not in keys(read(tmp_path))


@pytest.mark.parametrize(
    "members",
    [{"responseStatus": {"code": 403}}, {"stage": "RequestReceived", "responseStatus": None}, {"verb": "get"}],
)
def test_no_token_without_a_successful_answer(members: dict[str, Any], tmp_path: Path) -> None:
    row = only("kubernetes_audit", token_request(**members), tmp_path)
    assert row["issued_credential_uid"] is None
    assert not any(kind == "bearer" for kind, *_ in keys(row))


def test_the_answer_says_when_a_token_ends_and_the_token_stays_out(tmp_path: Path) -> None:
    answer = {"status": {"token": "ey-secret", "expirationTimestamp": "2026-10-05T12:00:00Z"}}
    row = only("kubernetes_audit", token_request(responseObject=answer), tmp_path)
    assert row["issued_expires_at"].isoformat() == "2026-10-05T12:00:00+00:00"
    assert "ey-secret" not in json.dumps(row, default=str)


def test_an_impersonated_request_uses_the_power_of_the_other(tmp_path: Path) -> None:
    """The actor is who the API server obeyed; behind it stands who authenticated, with their credential."""
    user = {"username": "mira@example.org", "extra": {f"{EXTRA}credential-id": ["X509SHA256=ab"]}}
    row = read(tmp_path, user=user, impersonatedUser={"username": "system:serviceaccount:ops:deployer"})
    assert (row["actor_uid"], row["actor_kind"]) == ("system:serviceaccount:ops:deployer", "workload")
    assert (row["on_behalf_of_uid"], row["credential_uid"]) == ("mira@example.org", "k8s:X509SHA256=ab")


@pytest.mark.parametrize(
    ("extra", "workload"),
    [
        ({"pod-uid": POD, "pod-name": "p", "node-name": "n"}, POD),
        ({"pod-name": "p", "node-name": "n"}, "namespaces/payments/pods/p"),
        ({"node-name": "n"}, "n"),
        ({}, None),
    ],
)
def test_the_workload_is_what_the_token_is_bound_to(
    extra: dict[str, str], workload: str | None, tmp_path: Path
) -> None:
    members = {f"{EXTRA}{name}": [value] for name, value in extra.items()}
    assert read(tmp_path, user={"username": AGENT, "extra": members})["workload_uid"] == workload


def test_a_caller_of_eks_is_known_to_cloudtrail_too(tmp_path: Path) -> None:
    """Key, role and session are those of AWS; a name that the cluster gives to a role stays the actor's."""
    extra = {
        "accessKeyId": ["ASIAEXAMPLE1"],
        "arn": ["arn:aws:sts::111122223333:assumed-role/Reader/run-7"],
        "canonicalArn": ["arn:aws:iam::111122223333:role/Reader"],
        "sessionName": ["run-7"],
    }
    role = "arn:aws:iam::111122223333:role/Reader"
    mapped = read(tmp_path, user={"username": "kubernetes-admin", "extra": extra})
    assert (mapped["actor_uid"], mapped["credential_uid"]) == ("kubernetes-admin", "ASIAEXAMPLE1")
    assert (mapped["detail"]["role_arn"], mapped["detail"]["session_name"]) == (role, "run-7")
    assert ("session_name", f"{role}/run-7", "carries") in keys(mapped)
    arn = "arn:aws:sts::111122223333:assumed-role/Reader/run-7"
    plain = read(tmp_path, user={"username": arn, "extra": extra})
    assert (plain["actor_uid"], plain["actor_kind"]) == (role, "role")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mira@example.org", "human"),
        ("system:node:n1", "service"),
        ("system:kube-scheduler", "service"),
        ("eks:addon-manager", "service"),
        ("kubernetes-admin", "unknown"),
        ("system:anonymous", "unknown"),
        ("arn:aws:iam::111122223333:user/batch", "unknown"),
    ],
)
def test_kinds_of_users(name: str, kind: str, tmp_path: Path) -> None:
    assert read(tmp_path, user={"username": name})["actor_kind"] == kind


def test_the_last_address_is_the_one_that_nobody_can_choose(tmp_path: Path) -> None:
    """The others come from headers of the request."""
    assert read(tmp_path, sourceIPs=["203.0.113.9", "192.0.2.1"])["src_ip"] == "192.0.2.1"
    assert read(tmp_path, sourceIPs=["here"])["src_ip"] is None


def eks(*messages: Any) -> dict[str, Any]:
    entries = [{"id": str(n), "timestamp": 1, "message": message} for n, message in enumerate(messages)]
    group = {"owner": "111122223333", "logGroup": "/aws/eks/blue/cluster", "logStream": "kube-apiserver-audit-1"}
    return {"messageType": "DATA_MESSAGE", **group, "subscriptionFilters": ["f"], "logEvents": entries}


def aks(message: Any, category: str = "kube-audit") -> dict[str, Any]:
    cluster = "/SUBSCRIPTIONS/AAAA-1/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/BLUE"
    properties = {"log": message, "stream": "stdout", "pod": "kube-apiserver-1"}
    return {"time": "2026-10-05T11:00:01Z", "category": category, "resourceId": cluster, "properties": properties}


def test_eks_events_come_out_of_their_subscription(tmp_path: Path) -> None:
    """Account and cluster of the wrapper stay with each event; lines of other components hold none."""
    wrapped = eks(json.dumps(event()), "I1005 a line of the scheduler", json.dumps(event(auditID="aud-2")), "{broken")
    data = json.dumps(wrapped).encode()
    found = rows("kubernetes_audit", data, tmp_path)
    assert claimed_by(data) == ["kubernetes_audit"]
    assert quarantined("kubernetes_audit", data, tmp_path) == []
    assert [row["native_id"].partition("/")[0] for row in found] == ["aud-1", "aud-2"]
    assert {row["account_uid"] for row in found} == {"111122223333"}
    assert {row["detail"]["cluster"] for row in found} == {"blue"}
    assert ("request", "111122223333/aud-1", "names") in keys(found[0])


def test_aks_events_come_out_of_their_records(tmp_path: Path) -> None:
    """As lines of a storage account and as `records` of an event hub."""
    record, other = aks(json.dumps(event())), aks("a line of the guard", "guard")
    for data in (json.dumps(record), json.dumps({"records": [record, other]})):
        assert claimed_by(data.encode()) == ["kubernetes_audit"]
        (row,) = rows("kubernetes_audit", data.encode(), tmp_path)
        assert (row["account_uid"], row["detail"]["cluster"]) == ("aaaa-1", "blue")
        assert quarantined("kubernetes_audit", data.encode(), tmp_path) == []


def test_an_event_that_was_cut_off_in_its_wrapper_is_put_aside(tmp_path: Path) -> None:
    """Deliveries limit the length of a message; what they cut off must not vanish."""
    cut = json.dumps(event())[:-9]
    for record in (eks(cut), aks(cut)):
        reasons = [row.reason for row in quarantined("kubernetes_audit", json.dumps(record).encode(), tmp_path)]
        assert reasons == ["the event inside is not JSON"]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_of_the_webhook_holds_its_events(indent: int | None, tmp_path: Path) -> None:
    """EventList, as the API server posts it, also where it is pretty-printed."""
    listed = {
        "kind": "EventList",
        "apiVersion": "audit.k8s.io/v1",
        "metadata": {},
        "items": [event(), event(auditID="b")],
    }
    data = json.dumps(listed, indent=indent).encode()
    assert claimed_by(data) == ["kubernetes_audit"]
    found = rows("kubernetes_audit", data, tmp_path)
    assert [row["native_id"] for row in found] == ["aud-1/ResponseComplete", "b/ResponseComplete"]
    assert "b" not in json.loads(found[0]["raw"])["auditID"]


def test_the_contents_of_secrets_are_not_kept(tmp_path: Path) -> None:
    """Their fields have any name; the object's name, namespace and type stay, in every wrapper."""
    secret = {
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": "payments", "annotations": {"last-applied": "hunter2"}},
        "data": {"anything": "aHVudGVyMg=="},
        "stringData": {"x": "hunter2"},
        "type": "Opaque",
    }
    whole = event(requestObject=secret, responseObject=[{"op": "add", "value": "hunter2"}])
    for record in (whole, eks(json.dumps(whole)), eks(whole), aks(json.dumps(whole))):
        (row,) = rows("kubernetes_audit", json.dumps(record).encode(), tmp_path)
        assert "hunter2" not in row["raw"] and "aHVudGVyMg" not in row["raw"]
        assert '"Opaque"' in row["raw"]


def test_other_records_are_no_events(tmp_path: Path) -> None:
    """An event object of the core API is no audit event; an audit event without a time is put aside."""
    core = {"kind": "Event", "apiVersion": "v1", "reason": "Scheduled", "message": "x"}
    timeless = event(requestReceivedTimestamp=None, stageTimestamp=None)
    data = "\n".join(map(json.dumps, [core, timeless, {"a": 1}])).encode()
    reasons = [row.reason for row in quarantined("kubernetes_audit", data, tmp_path)]
    assert reasons == ["not an audit event of Kubernetes", "no time", "not an audit event of Kubernetes"]
    assert claimed_by(json.dumps(core).encode()) == []


def test_reading_leaves_the_record_as_it_was() -> None:
    """A record may be shared; nobody may change it."""
    for frame in source("kubernetes_audit").records(iter([SAMPLES["kubernetes_audit"]]), OPTIONS):
        before = copy.deepcopy(frame.value)
        list(source("kubernetes_audit").read(frame.value, OPTIONS))
        assert frame.value == before


def real_events(folder: Path) -> list[dict[str, Any]]:
    with gzip.open(folder / "panther_tests.jsonl.gz") as file:
        return [line["event"] for line in map(json.loads, file) if line["log_type"] == "Amazon.EKS.Audit"]


def test_real_events_are_read_whole(third_party: Path, tmp_path: Path) -> None:
    """90 real events, most of which lost their time on the way to where they were published."""
    data = "\n".join(map(json.dumps, real_events(third_party))).encode()
    read_ = rows("kubernetes_audit", data, tmp_path)
    reasons = [row.reason for row in quarantined("kubernetes_audit", data, tmp_path)]
    assert (len(read_), reasons) == (4, ["no time"] * 86)


def test_real_events_mean_what_they_say(third_party: Path, tmp_path: Path) -> None:
    """With a time given to those that lost theirs, every column agrees with the event it came from."""
    found = real_events(third_party)
    timed = [{"stageTimestamp": "2026-10-05T10:00:00Z", **each} for each in found]
    read_ = rows("kubernetes_audit", "\n".join(map(json.dumps, timed)).encode(), tmp_path)
    assert len(read_) == 90
    for each, row in zip(found, read_, strict=True):
        who, target, code = each.get("user", {}), each.get("objectRef", {}), each.get("responseStatus", {}).get("code")
        assert row["actor_uid"] == who.get("username")
        assert row["action"].endswith(f":{each.get('verb', 'unknown')}")
        assert target.get("resource", "nonresource") in row["action"]
        assert (target.get("name") or "") in "".join(row["resource_uids"])
        is_denied, is_failed = code in (401, 403), code is not None and code >= 400
        expected = "denied" if is_denied else "failure" if is_failed else "success" if code else "unknown"
        assert row["outcome"] == expected
        if each.get("apiVersion") == "audit.k8s.io/v1":
            assert claimed_by(json.dumps(each).encode()) == ["kubernetes_audit"]
    issued = {
        row["issued_credential_uid"] is not None for row in read_ if row["action"].startswith("k8s:serviceaccounts/")
    }
    assert issued == {False}  # none of them shows its request's id, by which alone its token could be named


def test_real_records_of_aks_hold_their_events(third_party: Path, tmp_path: Path) -> None:
    """16 records of a diagnostic setting, of which none shows the event's time; with one they are read."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        found = [line["event"] for line in map(json.loads, file) if line["event"].get("category") == "kube-audit"]
    for record in found:
        assert claimed_by(json.dumps(record).encode()) == ["kubernetes_audit"]
    data = json.dumps({"records": found}).encode()
    assert [row.reason for row in quarantined("kubernetes_audit", data, tmp_path)] == ["no time"] * 16
    for record in found:
        inside = {"stageTimestamp": "2026-10-05T10:00:00Z", **json.loads(record["properties"]["log"])}
        record["properties"]["log"] = json.dumps(inside)
        (row,) = rows("kubernetes_audit", json.dumps(record).encode(), tmp_path)
        assert row["actor_uid"] == inside["user"]["username"]
        assert inside["objectRef"].get("name", "") in row["resource_uids"][0]


def test_other_logs_are_not_taken_for_it(third_party: Path) -> None:
    """Nothing that another product wrote."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        others = [line for line in map(json.loads, file) if line["event"].get("category") != "kube-audit"]
    for line in others:
        claimed = {"kubernetes_audit", "gcp_audit"} & set(claimed_by(json.dumps(line["event"]).encode()))
        assert not claimed or line["log_type"] in ("Amazon.EKS.Audit", "GCP.AuditLog")
