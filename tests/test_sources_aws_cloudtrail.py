"""AWS CloudTrail: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import cloudtrail, keys, only, quarantined, rows

ROLE = "arn:aws:iam::111122223333:role/team/Reader"
USER = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/batch", "accessKeyId": "AKIAEXAMPLE"}


def read(folder: Path, **members: Any) -> dict[str, Any]:
    return only("aws_cloudtrail", cloudtrail(**members), folder)


def assume(**members: Any) -> dict[str, Any]:
    """An AssumeRole across accounts that issues a session."""
    event = {
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "requestParameters": {
            "roleArn": "arn:aws:iam::444455556666:role/ops/Deployer",
            "roleSessionName": "run-8",
            "sourceIdentity": "APR-2",
            "durationSeconds": 900,
            "tags": [{"key": "ApprovalId", "value": "APR-2"}, {"key": "Team", "value": "pay"}],
            "transitiveTagKeys": ["ApprovalId"],
        },
        "responseElements": {
            "credentials": {
                "accessKeyId": "ASIANEXT",
                "sessionToken": "very-secret",
                "expiration": "Oct 5, 2026, 11:00:00 PM",
            },
            "assumedRoleUser": {"arn": "arn:aws:sts::444455556666:assumed-role/Deployer/run-8"},
        },
        "sharedEventID": "shared-1",
    }
    return cloudtrail(**{**event, **members})


def test_a_call_in_a_session_is_its_role_with_what_travelled_along(tmp_path: Path) -> None:
    """Actor, action, resource and credential are columns; what travelled with it is a carried key."""
    row = read(tmp_path)
    expected = {
        "kind": "activity",
        "native_id": "11111111-0000-0000-0000-000000000001",
        "actor_uid": ROLE,
        "actor_kind": "role",
        "account_uid": "111122223333",
        "action": "s3:GetObject",
        "resource_uids": ["arn:aws:s3:::data/in/a.csv"],
        "outcome": "success",
        "error_code": None,
        "src_ip": "192.0.2.7",
        "user_agent": "aws-cli/2",
        "credential_uid": "ASIAEXAMPLE1",
        "issued_credential_uid": None,
        "class_uid": 6003,
        "activity_id": 2,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["event_at"].isoformat() == "2026-10-05T10:00:00+00:00"
    assert keys(row) == {
        ("request", "REQ-1", "names"),
        ("request", "111122223333/REQ-1", "names"),
        ("source_identity", "APR-1", "carries"),
        ("session_name", f"{ROLE}/run-7", "carries"),
    }
    assert row["detail"] == {
        "role_arn": ROLE,
        "session_name": "run-7",
        "read_only": True,
        "event_type": "AwsApiCall",
        "region": "eu-central-1",
    }


def test_assuming_a_role_issues_a_credential_and_says_what_it_carries(tmp_path: Path) -> None:
    """The new session, its end, its role and its keys; the token itself is redacted from raw."""
    row = only("aws_cloudtrail", assume(), tmp_path)
    assert row["issued_credential_uid"] == "ASIANEXT"
    assert row["issued_expires_at"].isoformat() == "2026-10-05T23:00:00+00:00"
    assert row["resource_uids"] == ["arn:aws:iam::444455556666:role/ops/Deployer"]
    assert row["detail"]["issued_role_arn"] == "arn:aws:iam::444455556666:role/ops/Deployer"
    assert row["detail"]["issued_session_name"] == "run-8"
    assert row["detail"]["issued_duration_seconds"] == 900
    assert row["detail"]["target_account"] == "444455556666"
    assert keys(row) >= {
        ("shared_event", "shared-1", "carries"),
        ("source_identity", "APR-2", "carries"),
        ("session_name", "arn:aws:iam::444455556666:role/ops/Deployer/run-8", "carries"),
        ("transitive_tag", "ApprovalId=APR-2", "carries"),
        ("session_tag", "Team=pay", "carries"),
    }
    assert "very-secret" not in row["raw"] and '"sessionToken":"redacted:' in row["raw"]


@pytest.mark.parametrize(
    ("expiration", "expected"),
    [
        ("Jul 30, 2026, 9:31:21 PM", "2026-07-30T21:31:21"),
        ("Jul 30, 2026 12:00:01 AM", "2026-07-30T00:00:01"),
        ("2026-07-30T21:31:21Z", "2026-07-30T21:31:21"),
        (1785447081000, "2026-07-30T21:31:21"),
        (1785447081, "2026-07-30T21:31:21"),
        ("soon", "2026-10-05T10:15:00"),
        (None, "2026-10-05T10:15:00"),
    ],
)
def test_an_expiration_is_read_in_every_form_else_from_the_duration(
    expiration: Any, expected: str, tmp_path: Path
) -> None:
    """AWS writes four forms; without any the requested duration counts."""
    response = {"credentials": {"accessKeyId": "ASIANEXT", "expiration": expiration}}
    row = only("aws_cloudtrail", assume(responseElements=response), tmp_path)
    assert row["issued_expires_at"].isoformat() == expected + "+00:00"


def test_a_denied_request_issues_nothing(tmp_path: Path) -> None:
    """Without a response there is no credential, and no keys of one."""
    row = only("aws_cloudtrail", assume(errorCode="AccessDenied", responseElements=None), tmp_path)
    assert (row["outcome"], row["issued_credential_uid"]) == ("denied", None)
    assert not {key for key in keys(row) if key[0].endswith("_tag")}


def test_a_web_identity_carries_its_subject_and_principal_tags(tmp_path: Path) -> None:
    """A Kubernetes service account or a pipeline comes with a subject; tags come from its token."""
    event = assume(
        eventName="AssumeRoleWithWebIdentity",
        userIdentity={
            "type": "WebIdentityUser",
            "userName": "system:serviceaccount:pay:batch",
            "principalId": "p",
        },
        requestParameters={
            "roleArn": ROLE,
            "roleSessionName": "b",
            "principalTags": {"ApprovalId": "APR-9", "token": "abc"},
            "incomingTransitiveTags": {"Run": "7"},
        },
    )
    row = only("aws_cloudtrail", event, tmp_path)
    assert (row["actor_uid"], row["actor_kind"]) == ("system:serviceaccount:pay:batch", "workload")
    carried = keys(row)
    assert ("federated_subject", "system:serviceaccount:pay:batch", "carries") in carried
    assert ("session_tag", "ApprovalId=APR-9", "carries") in carried
    assert ("transitive_tag", "Run=7", "carries") in carried
    assert not [value for _, value, _ in carried if "abc" in value]


@pytest.mark.parametrize(
    ("identity", "uid", "kind"),
    [
        (USER, USER["arn"], "unknown"),
        ({**USER, "accessKeyId": "AKIA************"}, USER["arn"], "unknown"),
        ({**USER, "accessKeyId": "ASIAEXAMPLE"}, USER["arn"], "unknown"),
        ({**USER, "principalId": "AROAX:s", "accessKeyId": "ASIAEXAMPLE"}, USER["arn"], "unknown"),
        ({"type": "AWSAccount", "principalId": "AROAX:s", "accountId": "444455556666"}, "AROAX", "role"),
        (
            {"type": "Unknown", "arn": "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0/mira"},
            "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_0",
            "human",
        ),
        ({**USER, "sessionContext": {"attributes": {"mfaAuthenticated": "true"}}}, USER["arn"], "human"),
        ({**USER, "sessionCredentialFromConsole": "true"}, USER["arn"], "human"),
        ({**USER, "invokedBy": "cloudformation.amazonaws.com"}, USER["arn"], "service"),
        (
            {"type": "Root", "arn": "arn:aws:iam::111122223333:root"},
            "arn:aws:iam::111122223333:root",
            "human",
        ),
        (
            {"type": "AssumedRole", "arn": "arn:aws-cn:sts::111122223333:assumed-role/R/s"},
            "arn:aws-cn:iam::111122223333:role/R",
            "role",
        ),
        (
            {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0/mira",
            },
            "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_0",
            "human",
        ),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com", "service"),
        ({"type": "AWSAccount", "principalId": "AIDAX:s", "accountId": "444455556666"}, "AIDAX", "unknown"),
        ({"type": "SAMLUser", "userName": "mira", "principalId": "p"}, "mira", "human"),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}}, "u-1", "human"),
        (
            {"type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/a"},
            "arn:aws:sts::1:federated-user/a",
            "unknown",
        ),
        ({"type": "Directory", "userName": "d"}, "d", "unknown"),
        ({"type": "Unknown"}, None, "unknown"),
        ({}, None, "unknown"),
        (None, None, "unknown"),
    ],
)
def test_every_type_of_identity_has_an_actor(identity: Any, uid: str | None, kind: str, tmp_path: Path) -> None:
    """The subject as the log names it; a key that never expires is a program's, unless the console or MFA says more."""
    row = read(tmp_path, userIdentity=identity)
    assert (row["actor_uid"], row["actor_kind"]) == (uid, kind)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "success"),
        ("", "success"),
        ("AccessDenied", "denied"),
        ("AccessDeniedException", "denied"),
        ("Client.UnauthorizedOperation", "denied"),
        ("UnauthorizedException", "denied"),
        ("VpceAccessDenied", "denied"),
        ("NoSuchBucket", "failure"),
        ("Client.DryRunOperation", "failure"),
    ],
)
def test_an_error_code_is_a_denial_or_a_failure(error: str | None, outcome: str, tmp_path: Path) -> None:
    """Only refused permission is denied; any other error is a failure."""
    row = read(tmp_path, errorCode=error)
    assert (row["outcome"], row["error_code"]) == (outcome, error or None)


@pytest.mark.parametrize(
    ("service", "name", "request_parameters", "expected"),
    [
        (
            "iam",
            "AttachUserPolicy",
            {"userName": "u", "policyArn": "arn:aws:iam::aws:policy/A"},
            ["user/u", "policy"],
        ),
        ("iam", "PutRolePolicy", {"roleName": "r"}, ["arn:aws:iam::111122223333:role/r"]),
        ("lambda", "Invoke", {"functionName": "f"}, ["arn:aws:lambda:eu-central-1:111122223333:function:f"]),
        ("kms", "Decrypt", {"keyId": "alias/k"}, ["arn:aws:kms:eu-central-1:111122223333:alias/k"]),
        (
            "cloudtrail",
            "StopLogging",
            {"name": "t"},
            ["arn:aws:cloudtrail:eu-central-1:111122223333:trail/t"],
        ),
        ("ssm", "GetParameter", {"name": "/a/b"}, ["arn:aws:ssm:eu-central-1:111122223333:parameter/a/b"]),
        ("dynamodb", "Scan", {"tableName": "t"}, ["arn:aws:dynamodb:eu-central-1:111122223333:table/t"]),
        (
            "ec2",
            "TerminateInstances",
            {"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}, 7]}},
            ["instance/i-1", "instance/i-2"],
        ),
        (
            "sqs",
            "SendMessage",
            {"queueUrl": "https://sqs.eu-central-1.amazonaws.com/111122223333/q"},
            ["arn:aws:sqs:eu-central-1:111122223333:q"],
        ),
        ("s3", "PutBucketPolicy", {"bucketName": "b"}, ["arn:aws:s3:::b"]),
        ("s3", "ListBuckets", None, []),
    ],
)
def test_names_in_the_request_become_arns(
    service: str, name: str, request_parameters: Any, expected: list[str], tmp_path: Path
) -> None:
    """An approval lists ARNs, so the resources of an event are ARNs where account and region suffice."""
    row = read(tmp_path, eventSource=f"{service}.amazonaws.com", eventName=name, requestParameters=request_parameters)
    assert len(row["resource_uids"]) == len(expected)
    assert all(part in uid for part, uid in zip(expected, row["resource_uids"], strict=True))


def test_listed_resources_come_first_and_once(tmp_path: Path) -> None:
    """The event's own list and its request often name the same thing."""
    listed = [
        {"ARN": "arn:aws:s3:::data/in/a.csv", "type": "AWS::S3::Object"},
        {"ARN": "arn:aws:s3:::data"},
        {},
    ]
    assert read(tmp_path, resources=listed)["resource_uids"] == [
        "arn:aws:s3:::data/in/a.csv",
        "arn:aws:s3:::data",
    ]


def test_creating_and_ending_access_keys(tmp_path: Path) -> None:
    """A new key is issued; a deleted or deactivated one is revoked, but only when the call succeeded."""
    iam = {"eventSource": "iam.amazonaws.com", "userIdentity": USER}
    made = read(
        tmp_path,
        **iam,
        eventName="CreateAccessKey",
        responseElements={"accessKey": {"accessKeyId": "AKIANEW"}},
    )
    assert made["issued_credential_uid"] == "AKIANEW"
    ended = {"accessKeyId": "AKIANEW", "userName": "batch"}
    deleted = read(tmp_path, **iam, eventName="DeleteAccessKey", requestParameters=ended)
    assert deleted["revoked_credential_uid"] == "AKIANEW"
    off = read(tmp_path, **iam, eventName="UpdateAccessKey", requestParameters={**ended, "status": "Inactive"})
    assert off["revoked_credential_uid"] == "AKIANEW"
    on = read(tmp_path, **iam, eventName="UpdateAccessKey", requestParameters={**ended, "status": "Active"})
    assert on["revoked_credential_uid"] is None
    failed = read(tmp_path, **iam, eventName="DeleteAccessKey", requestParameters=ended, errorCode="AccessDenied")
    assert failed["revoked_credential_uid"] is None


def test_a_masked_key_is_no_credential(tmp_path: Path) -> None:
    """Many keys share one mask, so it must join nothing."""
    assert read(tmp_path, userIdentity={**USER, "accessKeyId": "AKIA****************"})["credential_uid"] is None


def test_a_service_name_is_no_address(tmp_path: Path) -> None:
    """What AWS did for somebody names the service where the address would be."""
    row = read(tmp_path, sourceIPAddress="athena.amazonaws.com")
    assert (row["src_ip"], row["via_service"]) == (None, "athena.amazonaws.com")
    assert read(tmp_path, sourceIPAddress="2001:db8::1")["src_ip"] == "2001:db8::1"
    assert read(tmp_path, sourceIPAddress="AWS Internal")["src_ip"] is None


def test_the_workload_that_holds_a_credential(tmp_path: Path) -> None:
    """An instance names its sessions after itself; other compute is named in inScopeOf."""
    instance = {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/R/i-0123456789abcdef0"}
    assert read(tmp_path, userIdentity=instance)["workload_uid"] == "i-0123456789abcdef0"
    function = "arn:aws:lambda:eu-central-1:111122223333:function:f"
    scoped = {"type": "AssumedRole", "inScopeOf": {"credentialsIssuedTo": function}}
    assert read(tmp_path, userIdentity=scoped)["workload_uid"] == function
    assert read(tmp_path)["workload_uid"] is None


def test_a_failed_sign_in_is_a_failure(tmp_path: Path) -> None:
    """ConsoleLogin has no error code; its response says it."""
    row = read(
        tmp_path,
        eventSource="signin.amazonaws.com",
        eventName="ConsoleLogin",
        userIdentity=USER,
        responseElements={"ConsoleLogin": "Failure"},
    )
    assert (row["outcome"], row["actor_kind"], row["class_uid"]) == ("failure", "human", 3002)


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (None, "no time"),
        ("", "no time"),
        ("yesterday", "no time"),
        ("2026-13-40T00:00:00Z", "no time"),
        (5, "impossible time"),
        ("0000-00-00T00:00:00Z", "impossible time"),
    ],
)
def test_a_record_without_the_vendors_time_is_put_aside(time: Any, reason: str, tmp_path: Path) -> None:
    """Nothing is guessed; the row in quarantine keeps the record, redacted."""
    data = json.dumps(cloudtrail(eventTime=time, password="hunter2")).encode()
    (row,) = quarantined("aws_cloudtrail", data, tmp_path)
    assert row.reason == reason
    assert (row.record_no, row.byte_offset) == (1, 0)
    assert b"hunter2" not in row.raw and b"GetObject" in row.raw


def test_times_are_read_with_fractions_and_without_a_zone(tmp_path: Path) -> None:
    """Exports of other tools write the event's time as a plain UTC time with nanoseconds."""
    row = read(tmp_path, eventTime="2026-10-05 10:00:00.123456789")
    assert row["event_at"].isoformat() == "2026-10-05T10:00:00.123456+00:00"
    assert read(tmp_path, eventTime="2026-10-05T12:00:00+02:00")["event_at"].hour == 10


def test_secrets_are_replaced_wherever_they_stand(tmp_path: Path) -> None:
    """Plain fields, pairs of key and value, JSON inside a string, even when cut off."""
    request = {
        "masterUserPassword": "hunter2",
        "tags": [{"key": "password", "value": "hunter2"}],
        "definition": '{"env": {"password": "hunter2"}, "n": 1}',
        "escaped": '{"\\u0070assword": "hunter2"}',
        "cut": '{"password": "hunter2", "more": "wor',
        "nextToken": "kept",
    }
    (row,) = rows("aws_cloudtrail", json.dumps(cloudtrail(requestParameters=request)).encode(), tmp_path)
    assert "hunter2" not in row["raw"]
    assert "kept" in row["raw"]
    assert row["raw"].count("redacted:") == 5


@pytest.mark.parametrize(("identity", "kind"), [(USER, "human"), ({"type": "AssumedRole", "arn": ROLE}, "role")])
def test_a_user_of_the_console_is_a_person_and_a_role_stays_the_role(
    identity: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    """CloudTrail says on the event itself that a session came from the console."""
    assert read(tmp_path, userIdentity=identity, sessionCredentialFromConsole="true")["actor_kind"] == kind


EC2 = "arn:aws:ec2:eu-central-1:111122223333"
ACCOUNT = "arn:aws:account::111122223333:account"


@pytest.mark.parametrize(
    ("source", "name", "request_", "response", "expected"),
    [
        ("ec2", "DescribeVpcs", {"vpcSet": {"items": [{"vpcId": "vpc-1"}, {"vpcId": "vpc-2"}]}}, None,
         [f"{EC2}:vpc/vpc-1", f"{EC2}:vpc/vpc-2"]),
        ("ec2", "DeleteFlowLogs", {"DeleteFlowLogsRequest": {"FlowLogId": {"content": "fl-1", "tag": 1}}}, None,
         [f"{EC2}:vpc-flow-log/fl-1"]),
        ("ec2", "DescribeSecurityGroups", {"filterSet": {"items": [{"name": "vpc-id", "valueSet": {"items": [
            {"value": "vpc-1"}]}}]}}, None, [f"{EC2}:vpc/vpc-1"]),
        ("ec2", "CreateVpc", {"cidrBlock": "10.0.0.0/26"}, {"vpc": {"vpcId": "vpc-9"}}, [f"{EC2}:vpc/vpc-9"]),
        ("ec2", "CreateSecurityGroup", {"groupName": "web"}, None, [ACCOUNT]),
        ("ec2", "DescribeSecurityGroups", {"securityGroupSet": {"items": [{"groupName": "web"}]}}, None, [ACCOUNT]),
        ("ec2", "DescribeTags", {"tagSet": {"items": [{"vpcId": "vpc-1"}]}}, None, [ACCOUNT]),
        ("ec2", "DescribeSubnets", {"subnetSet": {}, "filterSet": {}}, None, [ACCOUNT]),
        ("ec2", "DescribeSubnets", None, None, []),
        ("ec2", "NoSuchOperation", {"maxResults": 5}, None, []),
        ("nosuchservice", "Get", {"thingId": "t-1"}, None, []),
        ("../../ec2", "DescribeVpcs", {"vpcId": "vpc-1"}, None, []),
        ("ssm", "GetParameters", {"names": ["/a/b", "/a/c"]}, None,
         [f"arn:aws:ssm:eu-central-1:111122223333:parameter/a/{name}" for name in "bc"]),
        ("rds", "DeleteDBClusterSnapshot", {"dBClusterSnapshotIdentifier": "nightly"}, None,
         ["arn:aws:rds:eu-central-1:111122223333:cluster-snapshot:nightly"]),
        ("appsync", "CreateApiKey", {"apiId": "a1"}, None, ["arn:aws:appsync:eu-central-1:111122223333:apis/a1"]),
        ("apigateway", "CreateStage", {"stageName": "dev", "apiId": "a1"}, None,
         ["arn:aws:apigateway:eu-central-1::/apis/a1/stages/dev"]),
        ("rolesanywhere", "CreateProfile", {"name": "p", "roleArns": [ROLE]},
         {"profile": {"profileArn": "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/1"}},
         [ROLE, "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/1"]),
        ("apigateway", "CreateIntegration", {"apiId": "a1", "integrationUri": f"arn:aws:apigateway:x:y/{ROLE}"}, None,
         ["arn:aws:apigateway:eu-central-1::/apis/a1"]),
        ("s3", "PutBucketPolicy", {"bucketPolicy": {"Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}}}}, None,
         [ACCOUNT]),
    ],
)  # fmt: skip
def test_what_a_call_acts_on_is_found_by_the_formats_of_its_service(
    source: str, name: str, request_: Any, response: Any, expected: list[str], *, tmp_path: Path
) -> None:
    """Wherever the request names it; what it made stands in the response; a call that names nothing acts on the
    account. A name is not taken for an id, and text about others is no target.
    """
    row = read(
        tmp_path,
        eventSource=f"{source}.amazonaws.com",
        eventName=name,
        requestParameters=request_,
        responseElements=response,
        resources=None,
    )
    assert row["resource_uids"] == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("on resource: arn:aws:iam::1:user/x because no policy allows it", ["arn:aws:iam::1:user/x"]),
        ('on resource: "arn:aws:s3:::a/b" because of a policy', ["arn:aws:s3:::a/b"]),
        ("on resource: arn:aws:iam::1:user/x", ["arn:aws:iam::1:user/x"]),
        ("on resource: arn:aws:ec2:eu:1:volume/* because no policy allows it", []),
        ("on resource: arn:aws:s3:::a/b c because no policy allows it", []),
    ],
)
def test_a_denial_says_what_it_denied(message: str, expected: list[str], tmp_path: Path) -> None:
    """Denied calls often have no parameters; IAM's message names the resource that it judged, whole or not at all."""
    said = f"User: {ROLE} is not authorized to perform: iam:GetUser {message}"
    row = read(tmp_path, errorCode="AccessDenied", errorMessage=said, requestParameters=None, resources=None)
    assert row["resource_uids"] == expected


def test_of_a_huge_request_only_the_beginning_is_looked_at(tmp_path: Path) -> None:
    """Whoever calls chooses how much a request holds and how deep."""
    ids = {"vpcSet": {"items": [{"vpcId": f"vpc-{n}"} for n in range(5_000)]}}
    row = read(tmp_path, eventSource="ec2.amazonaws.com", eventName="DescribeVpcs", requestParameters=ids)
    assert len(row["resource_uids"]) <= 101
    deep: dict[str, Any] = {"vpcId": "vpc-1"}
    for _ in range(50):
        deep = {"held": deep}
    deep_row = read(tmp_path, eventSource="ec2.amazonaws.com", eventName="DescribeVpcs", requestParameters=deep)
    assert f"{EC2}:vpc/vpc-1" not in deep_row["resource_uids"]
