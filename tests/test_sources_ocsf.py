"""OCSF: what others normalised. A copy of a record is the record's own event; other products' events are activities."""

import gzip
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_copies import audit_as_ocsf, cloudtrail_as_ocsf
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from source_samples import SAMPLES, claimed_by, cloudtrail, keys, only, quarantined, rows
from ultravires import registry
from ultravires.sources.kubernetes.paths import object_of_path
from ultravires.sources.ocsf.copies.kubernetes import kubernetes_record
from ultravires.sources.ocsf.fields import decoded, moment_of, restore

CLASSES = {
    3001: "account_change",
    3002: "authentication",
    3003: "authorize_session",
    3004: "entity_management",
    3005: "user_access",
    3006: "group_management",
    4001: "network_activity",
    6001: "web_resources_activity",
    6003: "api_activity",
    6005: "datastore_activity",
}
VERSIONS = ("1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0")
PROVENANCE = ("raw", "raw_hash", "source", "source_version", "record_no")
MIRA = {"name": "Mira Falk", "type_id": 1, "uid": "mira@example.org"}
VAULT = {"name": "Paperhouse Vault", "vendor_name": "Paperhouse"}
AUDIT = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "0f8fad5b-0000-0000-0000-000000000001",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/pay/serviceaccounts/batch/token",
    "verb": "create",
    "user": {
        "username": "system:node:n1",
        "uid": "u-1",
        "groups": ["system:nodes"],
        "extra": {"accessKeyId": ["ASIAEXAMPLE1"], "sessionName": ["i-0123456789abcdef0"]},
    },
    "sourceIPs": ["192.0.2.7", "192.0.2.8"],
    "userAgent": "kubelet/v1.33",
    "objectRef": {
        "resource": "serviceaccounts",
        "namespace": "pay",
        "name": "batch",
        "apiVersion": "v1",
        "subresource": "token",
    },
    "responseStatus": {"code": 403, "reason": "Forbidden", "message": "no"},
    "requestObject": {"kind": "TokenRequest"},
    "requestReceivedTimestamp": "2026-10-05T10:00:00.100001Z",
    "stageTimestamp": "2026-10-05T10:00:00.200002Z",
}


@cache
def validator(class_uid: int, version: str, profiles: tuple[str, ...]) -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
    return Draft202012Validator(schema.get_class_schema(CLASSES[class_uid], profiles=list(profiles)))


def mistakes(record: dict[str, Any]) -> list[str]:
    """Where the record is no valid OCSF of its version."""
    profiles = tuple(record["metadata"].get("profiles", ()))
    check = validator(record["class_uid"], record["metadata"]["version"], profiles)
    return [error.message for error in check.iter_errors(record)]


def ocsf(class_uid: int, activity: tuple[int, str], **members: Any) -> dict[str, Any]:
    """An event of the vault; `members` replace its own."""
    own = {
        "activity_id": activity[0],
        "activity_name": activity[1],
        "actor": {"user": MIRA, "session": {"uid": "s-81"}},
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "metadata": {"product": VAULT, "uid": "v-1", "version": "1.8.0"},
        "severity_id": 1,
        "src_endpoint": {"ip": "198.51.100.20"},
        "status_id": 1,
        "time": 1791194400123,
        "type_uid": class_uid * 100 + activity[0],
    }
    return {**own, **members}


def read(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    return only("ocsf", record, folder)


def lines_of(third_party: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(third_party / name) as file:
        return [json.loads(line) for line in file]


def columns(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in PROVENANCE}


def test_the_sample_is_valid_ocsf() -> None:
    """Of the versions that its records state."""
    records = [json.loads(line) for line in SAMPLES["ocsf"].splitlines()]
    assert {record["metadata"]["version"] for record in records} >= {"1.1.0", "1.3.0", "1.5.0", "1.6.0", "1.8.0"}
    for record in records:
        assert not mistakes(record)
        assert record["type_uid"] == record["class_uid"] * 100 + record["activity_id"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_copy_of_every_version_is_the_native_event(version: str, tmp_path: Path) -> None:
    """The copy is valid OCSF, and every column but the provenance is that of the record itself."""
    record = cloudtrail(eventCategory="Data", errorCode="AccessDenied")
    copy = cloudtrail_as_ocsf(record, version)
    assert not mistakes(copy)
    row = read(tmp_path, copy)
    assert (row["log"], row["source"]) == ("aws_cloudtrail", "ocsf")
    assert columns(row) == columns(only("aws_cloudtrail", record, tmp_path))
    assert claimed_by(json.dumps(copy).encode()) == ["ocsf"]


def test_real_records_and_their_copies_are_the_same_events(third_party: Path, tmp_path: Path) -> None:
    """Every real CloudTrail event with an id and a time, normalised after the published mapping."""
    found = []
    for name in ("traildiscover_cloudtrail.jsonl.gz", "panther_tests.jsonl.gz"):
        lines = lines_of(third_party, name)
        found += [line["event"] for line in lines if line.get("log_type", "AWS.CloudTrail") == "AWS.CloudTrail"]
    for path in sorted((third_party / "stratus_cloudtrail").glob("*.json")):
        document = json.loads(path.read_text())
        found += document["Records"] if isinstance(document, dict) else document
    needed = ("eventID", "eventTime", "eventName", "eventSource")
    records = [record for record in found if all(record.get(name) for name in needed)]
    copies = [cloudtrail_as_ocsf(record) for record in records]
    native = rows("aws_cloudtrail", "\n".join(map(json.dumps, records)).encode(), tmp_path)
    normalised = rows("ocsf", "\n".join(map(json.dumps, copies)).encode(), tmp_path)
    assert len(native) == len(records) > 600
    assert list(map(columns, normalised)) == list(map(columns, native))


IAM_USER = {
    "type": "IAMUser",
    "arn": "arn:aws:iam::111122223333:user/batch",
    "accessKeyId": "AKIAEXAMPLE",
    "accountId": "111122223333",
}
PERSON = {
    "type": "IdentityCenterUser",
    "onBehalfOf": {"userId": "u-1", "identityStoreArn": "arn:aws:identitystore::111122223333:identitystore/d-1"},
}
SERVICE_ACCOUNT = {"type": "WebIdentityUser", "userName": "system:serviceaccount:pay:batch", "principalId": "p:q"}
ROLE_TAKEN = {
    "eventSource": "sts.amazonaws.com",
    "eventName": "AssumeRole",
    "requestParameters": {
        "roleArn": "arn:aws:iam::444455556666:role/ops/Deployer",
        "roleSessionName": "run-8",
        "tags": [{"key": "Team", "value": "pay"}],
    },
    "responseElements": {
        "credentials": {
            "accessKeyId": "ASIANEXT",
            "sessionToken": "very-secret",
            "expiration": "Oct 5, 2026, 11:00:00 PM",
        },
        "assumedRoleUser": {"arn": "arn:aws:sts::444455556666:assumed-role/Deployer/run-8"},
    },
}
REFUSED_SIGN_IN = {
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "eventType": "AwsConsoleSignIn",
    "responseElements": {"ConsoleLogin": "Failure"},
    "requestID": None,
}
KEY_DELETED = {
    "eventSource": "iam.amazonaws.com",
    "eventName": "DeleteAccessKey",
    "requestParameters": {"accessKeyId": "AKIAOLD"},
}


@pytest.mark.parametrize(
    "members",
    [
        REFUSED_SIGN_IN,
        ROLE_TAKEN,
        {**KEY_DELETED, "userIdentity": IAM_USER},
        {"userIdentity": PERSON},
        {"userIdentity": SERVICE_ACCOUNT},
        {"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}},
        {"sourceIPAddress": "athena.amazonaws.com"},
        {"errorCode": "NoSuchKey"},
        {"vpcEndpointId": "vpce-1", "eventType": "AwsVpceEvent"},
    ],
)
def test_unusual_records_and_their_copies_are_the_same_events(members: dict[str, Any], tmp_path: Path) -> None:
    """Sign-ins, services, endpoints, other identities, issued and revoked credentials."""
    record = cloudtrail(**members)
    row = read(tmp_path, cloudtrail_as_ocsf(record))
    assert columns(row) == columns(only("aws_cloudtrail", record, tmp_path))
    assert "very-secret" not in row["raw"]


def test_a_session_is_issued_also_where_only_ocsf_says_so(tmp_path: Path) -> None:
    """A mapping without request and response data still names role, session and the new key."""
    copy = cloudtrail_as_ocsf(cloudtrail(eventSource="sts.amazonaws.com", eventName="AssumeRole"))
    del copy["api"]["request"]
    copy["session"] = {"credential_uid": "ASIANEXT", "uid": "arn:aws:sts::444455556666:assumed-role/Deployer/run-8"}
    copy["session"]["expiration_time"] = 1791198000000
    copy["user"] = {"uid": "arn:aws:iam::444455556666:role/ops/Deployer", "name": "run-8"}
    row = read(tmp_path, copy)
    assert row["issued_credential_uid"] == "ASIANEXT"
    assert row["issued_expires_at"] == datetime(2026, 10, 5, 11, tzinfo=UTC)
    assert row["detail"]["issued_role_arn"] == "arn:aws:iam::444455556666:role/ops/Deployer"


def test_a_failure_without_its_error_code_is_no_success(tmp_path: Path) -> None:
    """And it has revoked nothing."""
    copy = cloudtrail_as_ocsf(cloudtrail(**KEY_DELETED)) | {"status": "Failure", "status_id": 2}
    row = read(tmp_path, copy)
    assert (row["outcome"], row["revoked_credential_uid"]) == ("failure", None)


def test_the_first_security_lake_wrote_arn_and_principal_otherwise(tmp_path: Path) -> None:
    """OCSF 1.0.0-rc.2: `uuid` is the ARN, `uid` the principal, accounts are `account_uid`."""
    copy = cloudtrail_as_ocsf(cloudtrail(), "1.0.0-rc.2")
    user = copy["actor"]["user"]
    user["uuid"], user["uid"] = user["uid"], user.pop("uid_alt")
    user["account_uid"] = user.pop("account")["uid"]
    copy["cloud"] = {"account_uid": copy["cloud"]["account"]["uid"], "region": copy["cloud"]["region"]}
    del copy["time_dt"]
    assert columns(read(tmp_path, copy)) == columns(only("aws_cloudtrail", cloudtrail(), tmp_path))


def test_an_audit_event_of_kubernetes_comes_back_whole(tmp_path: Path) -> None:
    """All members that the native reader can ask for, and the event's own times."""
    copy = audit_as_ocsf(AUDIT)
    copy["unmapped"] = {"impersonatedUser.username": "mira", "annotations.authorization.k8s.io/decision": "forbid"}
    again = kubernetes_record(copy)
    for name, value in AUDIT.items():
        expected = micros_text(value) if name.endswith("Timestamp") else value
        assert again[name] == expected, name
    assert again["impersonatedUser"] == {"username": "mira"}
    assert again["annotations"] == {"authorization.k8s.io/decision": "forbid"}
    if "kubernetes_audit" in registry.sources():
        native = only("kubernetes_audit", AUDIT, tmp_path)
        assert columns(read(tmp_path, audit_as_ocsf(AUDIT))) == columns(native)


def micros_text(time: str) -> str:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/nodes", "apiVersion=v1 resource=nodes"),
        ("/api/v1/namespaces/pay", "apiVersion=v1 resource=namespaces name=pay"),
        ("/api/v1/namespaces/pay/status", "apiVersion=v1 resource=namespaces name=pay subresource=status"),
        (
            "/api/v1/namespaces/pay/pods/p/exec?command=id",
            "apiVersion=v1 namespace=pay resource=pods name=p subresource=exec",
        ),
        ("/apis/apps/v1/namespaces/pay/deployments", "apiGroup=apps apiVersion=v1 namespace=pay resource=deployments"),
        ("/api/v1/namespaces//", "apiVersion=v1 resource=namespaces"),
        ("/healthz", ""),
        ("/api", ""),
        ("/api/v1", ""),
        ("/apis/apps/v1", ""),
        ("", ""),
        ("//", ""),
    ],
)
def test_a_path_names_its_object(path: str, expected: str) -> None:
    """As the API server itself takes a path apart."""
    assert object_of_path(path) == dict(part.split("=") for part in expected.split())


@pytest.mark.parametrize(
    ("time", "time_dt", "expected"),
    [
        (1791194400123, None, ".123000"),
        (None, "2026-10-05T10:00:00.123456Z", ".123456"),
        (1791194400123, "2026-10-05T10:00:00.123456Z", ".123456"),
        (1791194400123, "2026-10-05T12:00:00.123456+02:00", ".123456"),
        (1791194400123, "2026-10-05T10:00:00Z", ".123000"),
        (1791194400123, "2026-10-05T12:00:00.123456", ".123000"),
        (1791194400123.0, None, ".123000"),
        ("2026-10-05 10:00:00.123", None, ".123000"),
        (1791194400123, 5, ".123000"),
    ],
)
def test_the_finer_of_two_times_that_agree_counts(time: Any, time_dt: Any, expected: str) -> None:
    """A native time may have microseconds, which `time` cannot hold; a time without its zone may be wrong."""
    moment = moment_of({"time": time, "time_dt": time_dt})
    assert moment is not None
    assert (
        datetime.fromtimestamp(moment / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") == f"2026-10-05T10:00:00{expected}"
    )


@pytest.mark.parametrize("time", [None, 0, -1, 1 << 70, float("nan"), float("inf"), "", "soon", True, [], {}])
def test_a_record_without_a_time_is_put_aside(time: Any, tmp_path: Path) -> None:
    """Of whatever product."""
    for record in (
        ocsf(6003, (2, "Read"), time=time),
        cloudtrail_as_ocsf(cloudtrail()) | {"time": time, "time_dt": ""},
    ):
        data = json.dumps(record).encode()
        if isinstance(time, float):
            assert moment_of(record) is None
        else:
            assert [row.reason for row in quarantined("ocsf", data, tmp_path)] == ["no time"]


def test_an_event_of_another_product_is_an_activity(tmp_path: Path) -> None:
    """Who, what, on what, with which session, from where."""
    record = ocsf(6005, (1, "Read"), database={"name": "invoices", "uid": "db-7"}, is_mfa=True)
    row = read(tmp_path, record)
    expected = {
        "log": "ocsf",
        "native_id": "v-1",
        "kind": "activity",
        "class_uid": 6005,
        "activity_id": 1,
        "actor_uid": "mira@example.org",
        "actor_kind": "human",
        "actor_name": "Mira Falk",
        "action": "paperhouse_vault:Read",
        "resource_uids": ["db-7"],
        "outcome": "success",
        "src_ip": "198.51.100.20",
        "credential_uid": "paperhouse_vault:s-81",
        "detail": {"mfa": True, "read_only": True},
    }
    assert {name: row[name] for name in expected} == expected
    assert row["event_at"].microsecond == 123000


def test_signing_in_makes_a_session_and_signing_out_ends_it(tmp_path: Path) -> None:
    """Only where it succeeded; the id is the product's own, so it carries the product's name."""
    session = {"uid": "s-82", "expiration_time": 1791208800000}
    made = read(tmp_path, ocsf(3002, (1, "Logon"), actor={}, user=MIRA, session=session))
    assert (made["actor_uid"], made["issued_credential_uid"]) == ("mira@example.org", "paperhouse_vault:s-82")
    assert made["issued_expires_at"] == datetime(2026, 10, 5, 14, tzinfo=UTC)
    ended = read(tmp_path, ocsf(3002, (2, "Logoff"), actor={}, user=MIRA, session=session))
    assert (ended["issued_credential_uid"], ended["revoked_credential_uid"]) == (None, "paperhouse_vault:s-82")
    failed = read(tmp_path, ocsf(3002, (1, "Logon"), actor={}, user=MIRA, session=session, status_id=2))
    assert (failed["issued_credential_uid"], failed["outcome"]) == (None, "failure")


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({}, "success"),
        ({"status_id": 2}, "failure"),
        ({"status_id": 2, "status_code": "403"}, "denied"),
        ({"status_id": 2, "status_detail": "permission denied"}, "denied"),
        ({"status_id": 2, "api": {"operation": "x", "response": {"error": "AccessDenied"}}}, "denied"),
        ({"status_id": 1, "action_id": 2}, "denied"),
        ({"disposition_id": 2}, "denied"),
        ({"status_id": 0}, "unknown"),
        ({"status_id": 99, "status": "Pending"}, "unknown"),
        ({"status_id": None, "status": "Failure"}, "failure"),
        ({"status_id": None, "status": "success"}, "success"),
        ({"status_id": None, "api": {"operation": "x", "response": {"code": 401}}}, "denied"),
        ({"status_id": None, "api": {"operation": "x", "response": {"code": 500}}}, "failure"),
        ({"status_id": None, "api": {"operation": "x", "response": {"code": 200}}}, "success"),
        ({"status_id": None, "api": {"operation": "x", "response": {"error": "Gone"}}}, "failure"),
    ],
)
def test_an_outcome_is_what_the_record_says(members: dict[str, Any], outcome: str, tmp_path: Path) -> None:
    """A refusal is denied, whichever member tells of it; nothing said is unknown."""
    assert read(tmp_path, ocsf(6003, (2, "Read"), **members))["outcome"] == outcome


@pytest.mark.parametrize(
    ("actor", "uid", "kind"),
    [
        ({"user": MIRA}, "mira@example.org", "human"),
        ({"user": {"name": "batch", "type_id": 4}}, "batch", "service"),
        ({"user": {"name": "root", "type_id": 3}}, "root", "service"),
        ({"user": {"email_addr": "jon@example.org"}}, "jon@example.org", "unknown"),
        ({"app_name": "grant-bot", "app_uid": "app-12"}, "app-12", "service"),
        ({"invoked_by": "scheduler"}, "scheduler", "service"),
        ({"user": "mira"}, None, "unknown"),
        ({}, None, "unknown"),
    ],
)
def test_the_actor_is_the_user_else_the_application(actor: Any, uid: str | None, kind: str, tmp_path: Path) -> None:
    """A kind is said only where the record says it."""
    row = read(tmp_path, ocsf(6003, (2, "Read"), actor=actor))
    assert (row["actor_uid"], row["actor_kind"]) == (uid, kind)


@pytest.mark.parametrize(
    ("class_uid", "members", "expected"),
    [
        (3001, {"user": {"uid": "u-9"}}, ["u-9"]),
        (3003, {"user": {"name": "jon"}, "group": {"name": "ops"}}, ["jon", "ops"]),
        (3004, {"entity": {"uid": "e-1"}}, ["e-1"]),
        (3005, {"user": MIRA, "resource": {"uid": "db-7"}, "privileges": ["r"]}, ["mira@example.org", "db-7"]),
        (3006, {"group": {"uid": "g-1"}, "user": MIRA}, ["g-1", "mira@example.org"]),
        (6001, {"web_resources": [{"url_string": "https://example.org/a"}]}, ["https://example.org/a"]),
        (6003, {"resources": [{"uid": "r-1"}, {"name": "r-2"}, {}, "x"]}, ["r-1", "r-2"]),
        (6006, {"file": {"path": "/a/b", "name": "b"}}, ["/a/b"]),
    ],
)
def test_what_was_acted_on_is_the_resource(
    class_uid: int, members: dict[str, Any], expected: list[str], tmp_path: Path
) -> None:
    """Each class names it in members of its own."""
    assert read(tmp_path, ocsf(class_uid, (1, "Do"), **members))["resource_uids"] == expected


def test_an_operation_is_named_with_its_service(tmp_path: Path) -> None:
    """Else with the product; without either OCSF's own word for the activity stands."""
    record = ocsf(6003, (2, "Read"))
    api = {"operation": "getSecret", "service": {"name": "vault"}, "request": {"uid": "r-1"}}
    row = read(tmp_path, {**record, "api": api, "cloud": {"account": {"uid": "a-1"}, "provider": "x"}})
    assert row["action"] == "vault:getSecret"
    assert keys(row) == {("request", "r-1", "names"), ("request", "a-1/r-1", "names")}
    assert read(tmp_path, {**record, "api": {"operation": "getSecret"}})["action"] == "paperhouse_vault:getSecret"
    del record["activity_name"]
    assert read(tmp_path, {**record, "type_name": "API Activity: Read"})["action"] == "paperhouse_vault:Read"
    (refused,) = quarantined("ocsf", json.dumps(record).encode(), tmp_path)
    assert refused.reason == "neither operation nor activity"


def test_findings_and_telemetry_hold_no_activity(tmp_path: Path) -> None:
    """They are counted as ignored."""
    for class_uid in (1001, 1007, 2001, 2004, 2008, 4001, 4003, 5001, 0, 7):
        data = json.dumps(ocsf(class_uid, (1, "x"))).encode()
        assert rows("ocsf", data, tmp_path) == []
        assert quarantined("ocsf", data, tmp_path) == []
        assert claimed_by(data) == ["ocsf"]


def test_real_ocsf_of_networks_is_recognised_and_ignored(third_party: Path, tmp_path: Path) -> None:
    """Two DNS events are whole; two others are fragments without class and time, and nobody's."""
    found = lines_of(third_party, "panther_tests.jsonl.gz")
    names = ("DnsActivity", "NetworkActivity")
    by_type = {name: [line["event"] for line in found if line["log_type"] == f"OCSF.{name}"] for name in names}
    for event in by_type["DnsActivity"]:
        data = json.dumps(event).encode()
        assert claimed_by(data) == ["ocsf"]
        assert (rows("ocsf", data, tmp_path), quarantined("ocsf", data, tmp_path)) == ([], [])
    for event in by_type["NetworkActivity"]:
        data = json.dumps(event).encode()
        assert claimed_by(data) == []
        assert [row.reason for row in quarantined("ocsf", data, tmp_path)] == ["no time"]
    assert {name: len(events) for name, events in by_type.items()} == {"DnsActivity": 2, "NetworkActivity": 2}
    others = [json.dumps(line["event"]).encode() for line in found if not line["log_type"].startswith("OCSF")]
    assert not [data for data in others if "ocsf" in claimed_by(data)]


def test_what_was_left_unmapped_fills_gaps_only() -> None:
    """It never replaces what the mapping said, and odd names harm nothing."""
    native: dict[str, Any] = {"a": {"b": 1}, "c": "x"}
    left = {"a.b": "2", "a.d": "3", "c.e": "4", "f[]": "5", "g": '{"h": 6}', "": "7", ".": "8", "x." * 50: "9"}
    restore(native, {**left, "n": None})
    assert native["a"] == {"b": 1, "d": "3"}
    assert (native["c"], native["f"], native["g"]) == ("x", ["5"], {"h": 6})
    assert "x" not in native and "n" not in native
    restore(native, ["a"])
    assert decoded('{"a": ') == '{"a": ' and decoded("") is None
