"""Google Cloud Audit Logs: entries in, rows out."""

import base64
import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, claimed_by, keys, only, quarantined, rows
from ultravires.sources.gcp.audit import claim

PROJECT = "harbor-prod"
READER = f"invoice-reader@{PROJECT}.iam.gserviceaccount.com"
DEPLOYER = f"deployer@{PROJECT}.iam.gserviceaccount.com"
MIRA = "mira@example.org"
POOL = "principal://iam.googleapis.com/projects/4301/locations/global/workloadIdentityPools/harbor"


def entry(
    method: str = "storage.objects.get",
    service: str = "storage.googleapis.com",
    auth: dict[str, Any] | None = None,
    payload: dict[str, Any] | None = None,
    **members: Any,
) -> dict[str, Any]:
    """An audit entry of a data access by a service account; `payload` and `members` replace its own."""
    own = {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": {},
            "authenticationInfo": auth or {"principalEmail": READER, "principalSubject": f"serviceAccount:{READER}"},
            "requestMetadata": {"callerIp": "198.51.100.24", "callerSuppliedUserAgent": "gcloud-python/3.4"},
            "serviceName": service,
            "methodName": method,
            "resourceName": "projects/_/buckets/b/objects/o",
            **(payload or {}),
        },
        "insertId": "ins1",
        "resource": {"type": "gcs_bucket", "labels": {"project_id": PROJECT}},
        "timestamp": "2026-10-05T10:00:00.123456789Z",
        "severity": "INFO",
        "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Fdata_access",
    }
    return {**own, **members}


def impersonation(auth: dict[str, Any], account: str = READER, **payload: Any) -> dict[str, Any]:
    request = {"name": f"projects/-/serviceAccounts/{account}", **payload.pop("request", {})}
    return entry(
        "GenerateAccessToken",
        "iamcredentials.googleapis.com",
        auth,
        {"request": request, **payload},
        resource={"type": "service_account", "labels": {"project_id": PROJECT, "email_id": account}},
    )


def behind(*names: str) -> dict[str, Any]:
    """Authentication as READER with these principals behind it."""
    info = [{"firstPartyPrincipal": {"principalEmail": name}} for name in names]
    return {"principalEmail": READER, "serviceAccountDelegationInfo": info}


def test_an_entry_is_an_activity_in_the_words_of_the_log(tmp_path: Path) -> None:
    """Every column of a plain data access."""
    row = only("gcp_audit", entry(), tmp_path)
    expected = {
        "kind": "activity",
        "native_id": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Fdata_access/ins1",
        "class_uid": 6003,
        "activity_id": 2,
        "actor_uid": READER,
        "actor_kind": "service",
        "account_uid": PROJECT,
        "action": "storage.googleapis.com:storage.objects.get",
        "resource_uids": ["projects/_/buckets/b/objects/o"],
        "outcome": "success",
        "error_code": None,
        "src_ip": "198.51.100.24",
        "user_agent": "gcloud-python/3.4",
        "credential_uid": None,
        "issued_credential_uid": None,
        "on_behalf_of_uid": None,
        "keys": [],
    }
    assert {name: row[name] for name in expected} == expected
    assert row["detail"] == {"event_type": "data_access"}


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        ({}, "success", None),
        ({"code": 0}, "success", None),
        ({"message": "Connection succeeded."}, "success", None),
        ({"code": 7}, "denied", "PERMISSION_DENIED"),
        ({"code": 16}, "denied", "UNAUTHENTICATED"),
        ({"code": 5}, "failure", "NOT_FOUND"),
        ({"code": 99}, "failure", "99"),
        ({"code": 7, "details": [{"reason": "IAM_PERMISSION_DENIED"}]}, "denied", "IAM_PERMISSION_DENIED"),
    ],
)
def test_the_code_of_the_status_is_the_outcome(
    status: dict[str, Any], outcome: str, code: str | None, tmp_path: Path
) -> None:
    """No code is success; refusals are told apart from other failures."""
    row = only("gcp_audit", entry(payload={"status": status}), tmp_path)
    assert (row["outcome"], row["error_code"]) == (outcome, code)


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([{"granted": False}], "denied"),
        ([{"granted": False}, {"granted": True}], "success"),
        ([{"permission": "storage.objects.get"}], "success"),
        ([], "success"),
        ("x", "success"),
    ],
)
def test_who_is_granted_nothing_that_was_checked_is_denied(checks: Any, expected: str, tmp_path: Path) -> None:
    """Exports lose the status of what was refused, and not always the checks."""
    row = only("gcp_audit", entry(payload={"authorizationInfo": checks}), tmp_path)
    assert (row["outcome"], row["error_code"]) == (expected, None)


def test_a_key_is_the_credential_used(tmp_path: Path) -> None:
    """The key's own id, whatever the project its name is written with."""
    key = f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{READER}/keys/9b1c"
    row = only("gcp_audit", entry(auth={"principalEmail": READER, "serviceAccountKeyName": key}), tmp_path)
    assert row["credential_uid"] == "gcp:key:9b1c"
    assert keys(row) == set()


def test_an_impersonated_call_shows_whose_token_it_used(tmp_path: Path) -> None:
    """The token issued to a person and its use meet in one bearer."""
    issue = only("gcp_audit", impersonation({"principalEmail": MIRA}, request={"lifetime": "900s"}), tmp_path)
    use = only("gcp_audit", entry(auth=behind(MIRA)), tmp_path)
    assert issue["issued_credential_uid"] == f"gcp:token:{PROJECT}/ins1"
    assert issue["issued_expires_at"].isoformat() == "2026-10-05T10:15:00.123456+00:00"
    assert issue["detail"]["issued_role_arn"] == READER
    assert issue["detail"]["issued_duration_seconds"] == 900
    assert (issue["actor_uid"], issue["actor_kind"]) == (MIRA, "human")
    assert keys(issue) == {("bearer", f"{READER} via {MIRA}", "names")}
    assert (use["actor_uid"], use["on_behalf_of_uid"], use["detail"]["role_arn"]) == (READER, MIRA, READER)
    assert keys(use) == {("bearer", f"{READER} via {MIRA}", "uses")}


@pytest.mark.parametrize("order", [(DEPLOYER, MIRA), (MIRA, DEPLOYER)])
def test_the_nearest_makes_the_token_and_the_first_stands_behind_it(order: tuple[str, str], tmp_path: Path) -> None:
    """In a chain of two the person is the origin, however the service wrote the list."""
    row = only("gcp_audit", entry(auth=behind(*order)), tmp_path)
    assert row["on_behalf_of_uid"] == MIRA
    assert keys(row) == {("bearer", f"{READER} via {DEPLOYER}", "uses")}


def test_a_key_named_in_a_delegated_call_was_not_used_there(tmp_path: Path) -> None:
    """It began the chain; the call itself used the token."""
    auth = {**behind(DEPLOYER), "serviceAccountKeyName": f"//iam.googleapis.com/x/serviceAccounts/{DEPLOYER}/keys/1"}
    row = only("gcp_audit", entry(auth=auth), tmp_path)
    assert row["credential_uid"] is None
    assert keys(row) == {("bearer", f"{READER} via {DEPLOYER}", "uses")}


def test_delegates_in_between_make_the_token(tmp_path: Path) -> None:
    """Where the caller names delegates, the last before the target appears behind it later."""
    chain = [f"projects/-/serviceAccounts/{name}" for name in (DEPLOYER, READER)]
    record = impersonation({"principalEmail": MIRA}, metadata={"identityDelegationChain": chain})
    assert keys(only("gcp_audit", record, tmp_path)) == {("bearer", f"{READER} via {DEPLOYER}", "names")}


@pytest.mark.parametrize("method", ["GenerateIdToken", "google.iam.credentials.v1.IAMCredentials.SignJwt"])
def test_other_ways_to_a_token(method: str, tmp_path: Path) -> None:
    """An identity token and a signed claim are credentials too; without an own time they last an hour."""
    record = impersonation({"principalEmail": MIRA})
    record["protoPayload"]["methodName"] = method
    row = only("gcp_audit", record, tmp_path)
    assert row["issued_expires_at"].isoformat() == "2026-10-05T11:00:00.123456+00:00"


def test_signed_claims_end_when_they_say(tmp_path: Path) -> None:
    record = impersonation({"principalEmail": MIRA}, request={"payload": json.dumps({"exp": 1791194700})})
    record["protoPayload"]["methodName"] = "SignJwt"
    assert only("gcp_audit", record, tmp_path)["issued_expires_at"].isoformat() == "2026-10-05T10:05:00+00:00"


def test_a_refused_impersonation_issues_nothing(tmp_path: Path) -> None:
    """Such an entry does not even name the caller."""
    row = only("gcp_audit", impersonation({"x": 1}, status={"code": 7}), tmp_path)
    assert (row["outcome"], row["actor_uid"], row["actor_kind"]) == ("denied", None, "unknown")
    assert row["issued_credential_uid"] is None and keys(row) == set()


def test_a_pods_token_becomes_a_federated_one_and_then_a_service_accounts(tmp_path: Path) -> None:
    """Three hops, each found by what the one before names."""
    principal = f"{POOL}/subject/system:serviceaccount:payments:invoice-agent"
    exchange = entry(
        "google.identity.sts.v1.SecurityTokenService.ExchangeToken",
        "sts.googleapis.com",
        {"principalSubject": "system:serviceaccount:payments:invoice-agent"},
        {"metadata": {"mapped_principal": principal}},
    )
    first = only("gcp_audit", exchange, tmp_path)
    second = only("gcp_audit", impersonation({"principalSubject": principal}), tmp_path)
    auth = {"principalEmail": READER, "serviceAccountDelegationInfo": [{"principalSubject": principal}]}
    third = only("gcp_audit", entry(auth=auth), tmp_path)
    subject = ("federated_subject", "system:serviceaccount:payments:invoice-agent", "carries")
    assert keys(first) == {subject, ("bearer", principal, "names")}
    assert keys(second) == {subject, ("bearer", principal, "uses"), ("bearer", f"{READER} via {principal}", "names")}
    assert keys(third) == {("bearer", f"{READER} via {principal}", "uses")}
    assert {row["actor_kind"] for row in (first, second)} == {"workload"}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (
            f"{POOL}/subject/arn:aws:sts::111122223333:assumed-role/Reader/run-7",
            "arn:aws:iam::111122223333:role/Reader",
        ),
        (f"{POOL}.svc.id.goog/subject/ns/payments/sa/agent", "system:serviceaccount:payments:agent"),
        (f"serviceAccount:{PROJECT}.svc.id.goog[payments/agent]", "system:serviceaccount:payments:agent"),
        (f"{POOL}/subject/repo:harbor/app:ref:refs/heads/main", "repo:harbor/app:ref:refs/heads/main"),
    ],
)
def test_a_federated_subject_is_named_as_its_own_log_names_it(subject: str, expected: str, tmp_path: Path) -> None:
    """An AWS session is its role, a Kubernetes service account its user name."""
    row = only("gcp_audit", entry(auth={"principalSubject": subject}), tmp_path)
    assert ("federated_subject", expected, "carries") in keys(row)
    assert row["actor_kind"] == "workload"


def test_a_workforce_user_is_human(tmp_path: Path) -> None:
    subject = "principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/jon@example.org"
    assert only("gcp_audit", entry(auth={"principalSubject": subject}), tmp_path)["actor_kind"] == "human"


def test_keys_are_issued_and_revoked_under_one_id(tmp_path: Path) -> None:
    """Creation, deletion and switching off name the same key, by address or by number."""
    name = f"projects/{PROJECT}/serviceAccounts/{READER}/keys/9b1c"
    made = entry(
        "google.iam.admin.v1.CreateServiceAccountKey", "iam.googleapis.com", payload={"response": {"name": name}}
    )
    assert only("gcp_audit", made, tmp_path)["issued_credential_uid"] == "gcp:key:9b1c"
    for method in ("DeleteServiceAccountKey", "DisableServiceAccountKey"):
        payload = {"resourceName": "projects/-/serviceAccounts/1044/keys/9b1c"}
        row = only("gcp_audit", entry(f"google.iam.admin.v1.{method}", "iam.googleapis.com", payload=payload), tmp_path)
        assert row["revoked_credential_uid"] == "gcp:key:9b1c"
        refused = entry(f"google.iam.admin.v1.{method}", payload={**payload, "status": {"code": 7}})
        assert only("gcp_audit", refused, tmp_path)["revoked_credential_uid"] is None


def test_api_keys_are_told_apart_from_keys_of_other_services(tmp_path: Path) -> None:
    response = {"response": {"name": "projects/4301/locations/global/keys/bf67"}}
    made = entry("google.api.apikeys.v2.ApiKeys.CreateKey", "apikeys.googleapis.com", payload=response)
    other = entry("google.cloud.recaptchaenterprise.v1.RecaptchaEnterpriseService.CreateKey", payload=response)
    assert only("gcp_audit", made, tmp_path)["issued_credential_uid"] == "gcp:apikey:bf67"
    assert only("gcp_audit", other, tmp_path)["issued_credential_uid"] is None


def test_start_and_end_of_one_operation_share_an_event(tmp_path: Path) -> None:
    """A long-running operation is logged twice and counted once; a short one stands alone."""
    start = entry(operation={"id": "op-1", "producer": "compute", "first": True})
    end = entry(operation={"id": "op-1", "producer": "compute", "last": True}, insertId="ins2")
    alone = entry(operation={"id": "op-2", "producer": "compute", "first": True, "last": True})
    shared = {("shared_event", "compute/op-1/storage.objects.get", "carries")}
    assert [keys(only("gcp_audit", each, tmp_path)) for each in (start, end, alone)] == [shared, shared, set()]


def test_wrappers_hold_the_same_events(tmp_path: Path) -> None:
    """Lines, an array, entries of the Logging API, and messages of a subscription, pushed and pulled."""
    records = [json.loads(line) for line in SAMPLES["gcp_audit"].splitlines()]
    packed = [{"message": {"data": base64.b64encode(json.dumps(r).encode()).decode()}} for r in records]
    plain = [row["event_id"] for row in rows("gcp_audit", SAMPLES["gcp_audit"], tmp_path)]
    for wrapped in (
        json.dumps(records),
        json.dumps({"nextPageToken": "x", "entries": records}),
        json.dumps({"entries": records}, indent=1),
        json.dumps({"receivedMessages": [{"ackId": "a", **each} for each in packed]}),
        "\n".join(json.dumps({**each, "subscription": "projects/p/subscriptions/s"}) for each in packed),
    ):
        assert claimed_by(wrapped.encode()) == ["gcp_audit"]
        assert [row["event_id"] for row in rows("gcp_audit", wrapped.encode(), tmp_path)] == plain


def test_other_entries_of_the_same_logs_hold_no_event(tmp_path: Path) -> None:
    """A bucket of logs holds text, JSON and other payloads too; what is no entry at all is put aside."""
    others = [{"textPayload": "x"}, {"jsonPayload": {}}, {"protoPayload": {"@type": "x/appengine.RequestLog"}}]
    data = "\n".join(map(json.dumps, [entry(), *others])).encode()
    assert len(rows("gcp_audit", data, tmp_path)) == 1
    assert quarantined("gcp_audit", data, tmp_path) == []
    reasons = [row.reason for row in quarantined("gcp_audit", b'{"a": 1}\n{"message": {"data": "!"}}', tmp_path)]
    assert reasons == ["no protoPayload: not an audit log entry", "record ends early"]


def test_an_entry_without_a_time_is_put_aside(tmp_path: Path) -> None:
    """The time at which it was received is not the time at which it happened."""
    record = entry(receiveTimestamp="2026-10-05T10:00:00Z")
    del record["timestamp"]
    assert [row.reason for row in quarantined("gcp_audit", json.dumps(record).encode(), tmp_path)] == ["no time"]


def test_reading_leaves_the_record_as_it_was() -> None:
    """A record may be shared; nobody may change it."""
    from source_samples import OPTIONS, source

    for line in SAMPLES["gcp_audit"].splitlines():
        record = json.loads(line)
        before = copy.deepcopy(record)
        list(source("gcp_audit").read(record, OPTIONS))
        assert record == before


def test_real_entries_are_read_whole(third_party: Path, tmp_path: Path) -> None:
    """80 entries of real services: those with a time are events, the others say why not; 23 more are Kubernetes'."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        every = [line["event"] for line in map(json.loads, file) if line["log_type"] == "GCP.AuditLog"]
    found = [event for event in every if claim(event)]
    timed = [event for event in found if event.get("timestamp")]
    data = "\n".join(map(json.dumps, found)).encode()
    reasons = [row.reason for row in quarantined("gcp_audit", data, tmp_path)]
    read = rows("gcp_audit", data, tmp_path)
    assert (len(every), len(found), len(read), reasons) == (103, 80, 67, ["no time"] * 13)
    for event, row in zip(timed, read, strict=True):
        payload = event.get("protoPayload") or event["protopayload"]
        service = payload.get("serviceName", row["action"].partition(":")[0])
        assert row["action"] == f"{service}:{payload.get('methodName') or 'unknown'}"
        who = payload.get("authenticationInfo") or {}
        assert row["actor_uid"] == who.get("principalEmail")
        granted = {check.get("granted") for check in payload.get("authorizationInfo") or ()}
        without_code = "denied" if granted == {False} else "success"
        assert row["outcome"] == {None: without_code, 7: "denied"}.get(
            (payload.get("status") or {}).get("code"), "failure"
        )
        assert payload.get("resourceName") in (None, *row["resource_uids"])
        where = payload.get("requestMetadata")
        address = where.get("callerIp") or where.get("callerIP") if isinstance(where, dict) else None
        assert row["src_ip"] in (address, None)
        assert (row["credential_uid"] is not None) == ("serviceAccountKeyName" in who)
        if json.dumps(event).count("AuditLog"):
            assert claimed_by(json.dumps(event).encode()) == ["gcp_audit"]
    assert sum(row["issued_credential_uid"] is not None for row in read) >= 1


def test_an_exchanged_session_of_aws_is_known_by_role_and_name(tmp_path: Path) -> None:
    """The one session stands behind the token, not each session of the role."""
    session = "arn:aws:sts::111122223333:assumed-role/reader/run-7"
    payload = {"metadata": {"mapped_principal": f"{POOL}/subject/{session}"}}
    method = "google.identity.sts.v1.SecurityTokenService.ExchangeToken"
    exchange = entry(method, "sts.googleapis.com", {"principalSubject": session}, payload)
    role = "arn:aws:iam::111122223333:role/reader"
    assert {("bearer", f"{role}/run-7", "uses"), ("federated_subject", role, "carries")} <= keys(
        only("gcp_audit", exchange, tmp_path)
    )


def test_the_trace_of_an_entry_leads_to_the_call(tmp_path: Path) -> None:
    """Trace and span together name the span; a trace alone does not."""
    trace, span = "0af7651916cd43dd8448eb211c80319c", "00000000000000a1"
    named = f"projects/{PROJECT}/traces/{trace}"
    both = only("gcp_audit", entry(trace=named, spanId=span), tmp_path)
    assert ("span", f"{trace}/{span}", "uses") in keys(both)
    for members in ({"trace": named}, {"spanId": span}, {"trace": "x", "spanId": span}, {"trace": 5, "spanId": 5}):
        assert not [key for key in keys(only("gcp_audit", entry(**members), tmp_path)) if key[0] == "span"]
