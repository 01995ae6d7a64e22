"""What calls of AWS do to evidence and guards, where their parameters say it, and how their records say it.

Requests are in the form in which CloudTrail writes them, after the pages of the API that sources/aws names beside each
function.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from aws_effects import ACCOUNT, denied, effects_of, said
from aws_effects import OTHER_ACCOUNT as OTHER
from source_samples import rows
from test_action_effects import names_of, of_action
from third_party import attack_records, single_calls
from ultravires.build.action_effects import action_effects
from ultravires.reading.effects import EFFECTS as WORDS
from ultravires.reading.effects import TARGET_KINDS, Power
from ultravires.sources.aws.effects import EFFECTS


def basic(**members: Any) -> dict[str, Any]:
    return {"trailName": "t", "eventSelectors": [{"readWriteType": "All", "includeManagementEvents": True, **members}]}


def advanced(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"trailName": "t", "advancedEventSelectors": [{"fieldSelectors": list(fields)}]}


MANAGEMENT = {"field": "eventCategory", "equals": ["Management"]}
NO_READS = {"field": "readOnly", "equals": ["false"]}


@pytest.mark.parametrize(
    ("action", "weaker", "not_weaker"),
    [
        ("cloudtrail:PutEventSelectors", basic(readWriteType="WriteOnly"), basic()),
        ("cloudtrail:PutEventSelectors", basic(includeManagementEvents=False), basic()),
        ("cloudtrail:PutEventSelectors", advanced(MANAGEMENT, NO_READS), advanced(MANAGEMENT)),
        ("cloudtrail:UpdateTrail", {"name": "t", "isMultiRegionTrail": False}, {"name": "t", "s3BucketName": "b"}),
        (
            "cloudtrail:PutInsightSelectors",
            {"insightSelectors": []},
            {"insightSelectors": [{"insightType": "ApiCall"}]},
        ),
        ("cloudtrail:UpdateEventDataStore", {"retentionPeriod": 7}, {"retentionPeriod": 365}),
        ("guardduty:UpdateDetector", {"detectorId": "d", "enable": False}, {"detectorId": "d", "enable": True}),
        (
            "guardduty:UpdateDetector",
            {"features": [{"name": "S3_DATA_EVENTS", "status": "DISABLED"}]},
            {"features": [{"name": "S3_DATA_EVENTS", "status": "ENABLED"}]},
        ),
        (
            "guardduty:UpdateMemberDetectors",
            {"dataSources": {"kubernetes": {"auditLogs": {"enable": False}}}},
            {"dataSources": {"kubernetes": {"auditLogs": {"enable": True}}}},
        ),
        (
            "guardduty:UpdateOrganizationConfiguration",
            {"autoEnableOrganizationMembers": "NONE"},
            {"autoEnableOrganizationMembers": "ALL"},
        ),
        ("guardduty:CreateFilter", {"name": "f", "action": "ARCHIVE"}, {"name": "f", "action": "NOOP"}),
        ("macie2:UpdateMacieSession", {"status": "PAUSED"}, {"status": "ENABLED"}),
        ("securityhub:UpdateStandardsControl", {"controlStatus": "DISABLED"}, {"controlStatus": "ENABLED"}),
        ("logs:PutRetentionPolicy", {"retentionInDays": 1}, {"retentionInDays": 365}),
        (
            "bedrock:PutModelInvocationLoggingConfiguration",
            {"loggingConfig": {"textDataDeliveryEnabled": False, "s3Config": {"bucketName": "b"}}},
            {"loggingConfig": {"textDataDeliveryEnabled": True, "s3Config": {"bucketName": "b"}}},
        ),
        (
            "s3:PutBucketLogging",
            {"BucketLoggingStatus": {"xmlns": "x"}},
            {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "b"}}},
        ),
        (
            "eks:UpdateClusterConfig",
            {"logging": {"clusterLogging": [{"types": ["audit"], "enabled": False}]}},
            {"logging": {"clusterLogging": [{"types": ["audit"], "enabled": True}]}},
        ),
        (
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            {"attributes": [{"key": "access_logs.s3.enabled", "value": "false"}]},
            {"attributes": [{"key": "access_logs.s3.enabled", "value": "true"}]},
        ),
    ],
)
def test_what_weakens_evidence(action: str, weaker: Any, not_weaker: Any) -> None:
    assert "weakens_evidence" in said(action, weaker)
    assert "weakens_evidence" in denied(action, not_weaker)


def expiry(bucket: str, days: int, status: str = "Enabled") -> dict[str, Any]:
    rule = {"ID": "r", "Status": status, "Expiration": {"Days": days}}
    return {"bucketName": bucket, "LifecycleConfiguration": {"Rule": rule}}


def test_logs_that_soon_expire_are_evidence_and_other_objects_are_gone() -> None:
    assert said("s3:PutBucketLifecycle", expiry("org-cloudtrail", 1)) == {"weakens_evidence"}
    assert said("s3:PutBucketLifecycle", expiry("photos", 1)) == {"destroys"}
    assert said("s3:PutBucketLifecycle", expiry("org-cloudtrail", 365)) == set()
    assert said("s3:PutBucketLifecycle", expiry("org-cloudtrail", 1, "Disabled")) == set()


def test_a_recorder_of_some_types_alone_sees_less() -> None:
    group = {"allSupported": False, "resourceTypes": ["AWS::EC2::Instance"]}
    some, every = ({"configurationRecorder": {"recordingGroup": one}} for one in (group, {"allSupported": True}))
    assert said("config:PutConfigurationRecorder", some) == {"weakens_evidence"}
    assert said("config:PutConfigurationRecorder", every) == set()


def test_findings_that_are_seldom_told_are_a_weaker_guard() -> None:
    assert said("macie2:UpdateMacieSession", {"findingPublishingFrequency": "SIX_HOURS"}) == {"weakens_guard"}
    assert said("guardduty:UpdateDetector", {"findingPublishingFrequency": "FIFTEEN_MINUTES"}) == set()


def test_a_log_that_also_goes_to_another_account_is_open_to_it() -> None:
    there = {"destinationArn": f"arn:aws:logs:eu-central-1:{OTHER}:destination:d"}
    here = {"destinationArn": f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:f"}
    assert effects_of("logs:PutSubscriptionFilter", there) == [
        {"effect": "exposes", "target": "identity", "uids": [OTHER]}
    ]
    assert effects_of("logs:PutSubscriptionFilter", here) == []


@pytest.mark.parametrize(
    ("action", "weaker", "not_weaker"),
    [
        (
            "s3:PutBucketVersioning",
            {"VersioningConfiguration": {"Status": "Suspended"}},
            {"VersioningConfiguration": {"Status": "Enabled"}},
        ),
        (
            "s3:PutBucketPublicAccessBlock",
            {"PublicAccessBlockConfiguration": {"BlockPublicAcls": False, "BlockPublicPolicy": True}},
            {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True}},
        ),
        (
            "elasticmapreduce:PutBlockPublicAccessConfiguration",
            {"blockPublicAccessConfiguration": {"blockPublicSecurityGroupRules": False}},
            {"blockPublicAccessConfiguration": {"blockPublicSecurityGroupRules": True}},
        ),
        (
            "s3:PutBucketOwnershipControls",
            {"OwnershipControls": {"Rule": {"ObjectOwnership": "ObjectWriter"}}},
            {"OwnershipControls": {"Rule": {"ObjectOwnership": "BucketOwnerEnforced"}}},
        ),
        (
            "s3:PutBucketObjectLockConfiguration",
            {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}},
            {"ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Days": 9, "Mode": "COMPLIANCE"}}}},
        ),
        ("rds:ModifyDBInstance", {"deletionProtection": False}, {"deletionProtection": True}),
        ("rds:ModifyDBCluster", {"backupRetentionPeriod": 0}, {"backupRetentionPeriod": 7}),
        (
            "dynamodb:UpdateContinuousBackups",
            {"pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": False}},
            {"pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": True}},
        ),
        (
            "cloudformation:UpdateTerminationProtection",
            {"enableTerminationProtection": False},
            {"enableTerminationProtection": True},
        ),
        (
            "logs:PutLogGroupDeletionProtection",
            {"deletionProtectionEnabled": False},
            {"deletionProtectionEnabled": True},
        ),
        ("cognito-idp:SetUserPoolMfaConfig", {"mfaConfiguration": "OFF"}, {"mfaConfiguration": "ON"}),
        (
            "cognito-idp:AdminSetUserMFAPreference",
            {"softwareTokenMfaSettings": {"enabled": False}},
            {"softwareTokenMfaSettings": {"enabled": True}},
        ),
        (
            "sso:UpdateSsoConfiguration",
            {"ssoConfiguration": {"mfaMode": "DISABLED"}},
            {"ssoConfiguration": {"sessionConfiguration": {"maxAuthenticationAge": "PT8H"}}},
        ),
        ("ec2:ModifyInstanceMetadataOptions", {"httpTokens": "optional"}, {"httpTokens": "required"}),
        (
            "ec2:ModifySubnetAttribute",
            {"mapPublicIpOnLaunch": {"value": True}},
            {"mapPublicIpOnLaunch": {"value": False}},
        ),
        ("wafv2:UpdateIPSet", {"addresses": ["0.0.0.0/1"]}, {"addresses": ["192.0.2.0/24"]}),
        ("wafv2:UpdateIPSet", {"addresses": []}, {"addresses": ["2001:db8::/32"]}),
        ("ecr:PutImageTagMutability", {"imageTagMutability": "MUTABLE"}, {"imageTagMutability": "IMMUTABLE"}),
        (
            "ecr:PutImageScanningConfiguration",
            {"imageScanningConfiguration": {"scanOnPush": False}},
            {"imageScanningConfiguration": {"scanOnPush": True}},
        ),
        (
            "ssm:UpdateServiceSetting",
            {"settingId": "/ssm/documents/console/public-sharing-permission", "settingValue": "Enable"},
            {"settingId": "/ssm/documents/console/public-sharing-permission", "settingValue": "Disable"},
        ),
    ],
)
def test_what_weakens_a_guard(action: str, weaker: Any, not_weaker: Any) -> None:
    assert "weakens_guard" in said(action, weaker)
    assert "weakens_guard" in denied(action, not_weaker)


def test_a_strict_password_policy_weakens_nothing_and_of_others_the_action_says_it() -> None:
    assert denied("iam:UpdateAccountPasswordPolicy", {"minimumPasswordLength": 14}) == {"weakens_guard"}
    assert effects_of("iam:UpdateAccountPasswordPolicy", {"minimumPasswordLength": 6}) == []


def test_protection_against_deletion_that_is_turned_off_is_a_guard() -> None:
    assert said("dynamodb:UpdateTable", {"deletionProtectionEnabled": False}) == {"weakens_guard"}
    assert said("dynamodb:UpdateTable", {"billingMode": "PAY_PER_REQUEST"}) == set()
    assert said("cognito-idp:UpdateUserPool", {"deletionProtection": "INACTIVE"}) == {"weakens_guard"}
    assert said("cognito-idp:UpdateUserPool", {"deletionProtection": "ACTIVE"}) == set()
    assert "weakens_guard" in said("cloudtrail:UpdateEventDataStore", {"terminationProtectionEnabled": False})


ODD = (
    None,
    True,
    7,
    "x",
    "x" * 5_000,
    [],
    {},
    [None, 7, "x", [[]], {}],
    {"items": "x"},
    {"items": [None, 7]},
    {"a": {}},
)
NAMES = sorted(
    {
        "eventSelectors advancedEventSelectors insightSelectors features dataSources retentionInDays loggingConfig",
        "BucketLoggingStatus LifecycleConfiguration logging resourcesVpcConfig attributes destinationArn principals",
        "VersioningConfiguration PublicAccessBlockConfiguration OwnershipControls ObjectLockConfiguration addresses",
        "ssoConfiguration ipPermissions securityGroupRule cidrIp cidrBlock portInfo portInfos portRange peerOwnerId",
        "createVolumePermission launchPermission valuesToAdd accountIdsToAdd ReplicationConfiguration principalArn",
        "policyArn kubernetesGroups iamInstanceProfile launchSpecification overrides disableApiTermination userData",
        "ServerSideEncryptionConfiguration kmsKeyId status enable withDecryption minimumPasswordLength settingId",
        "roleName userName groupName policyDocument",
    }
)


@pytest.mark.parametrize("action", sorted(EFFECTS))
def test_odd_requests_never_raise_and_say_it_in_the_shared_words(action: str) -> None:
    names = [name for line in NAMES for name in line.split()]
    for odd in ODD:
        for request in (dict.fromkeys(names, odd), {name: {"add": odd, "Rule": odd, "value": odd} for name in names}):
            for each in effects_of(action, request, {"vpcPeeringConnection": odd}):
                assert each["effect"] in WORDS
                assert each.get("absent") or each["target"] in TARGET_KINDS
                assert each.get("power") in (None, *get_args(Power))


def record(**members: Any) -> dict[str, Any]:
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/u", "accountId": ACCOUNT, "userName": "u"}
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": "2026-10-05T10:00:00Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "UpdateTrail",
        "awsRegion": "eu-central-1",
        "recipientAccountId": ACCOUNT,
        "eventID": "e-1",
        **members,
    }


def detail_of(folder: Path, **members: Any) -> dict[str, Any]:
    (event,) = rows("aws_cloudtrail", json.dumps({"Records": [record(**members)]}).encode(), folder)
    detail: dict[str, Any] = event["detail"]
    return detail


def test_a_record_says_its_effects_and_its_region(tmp_path: Path) -> None:
    detail = detail_of(tmp_path, requestParameters={"name": "t", "isMultiRegionTrail": False})
    assert detail["effects"] == [{"effect": "weakens_evidence", "target": "resource"}]
    assert detail["region"] == "eu-central-1"


def test_what_was_tried_in_vain_was_meant(tmp_path: Path) -> None:
    detail = detail_of(tmp_path, errorCode="AccessDenied", requestParameters={"name": "t", "isMultiRegionTrail": False})
    assert detail["effects"] == [{"effect": "weakens_evidence", "target": "resource"}]


@pytest.mark.parametrize("request_", [None, {}, {"omitted": True, "originalSize": 200_000, "reason": "too large"}])
def test_a_call_without_its_request_does_what_its_action_does(request_: Any, tmp_path: Path) -> None:
    assert "effects" not in detail_of(tmp_path, errorCode="AccessDenied", requestParameters=request_)


def password_by_session(folder: Path, role: str = "role/Admin", user: str = "ana", **members: Any) -> list[Any]:
    """What the record says when a session `ana` of a role sets the password of a user."""
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:{role}", "accountId": ACCOUNT}
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/ana",
        "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": members.pop("mfa", "false")}},
    }
    call = {
        "eventSource": "iam.amazonaws.com",
        "eventName": "UpdateLoginProfile",
        "requestParameters": {"userName": user},
    }
    said: list[Any] = detail_of(folder, **call, userIdentity=identity, **members).get("effects", [])
    return said


def test_a_session_that_aws_named_after_its_user_sets_its_own_password(tmp_path: Path) -> None:
    """Anybody who may take a role can call the session so, and sign in to the console with it and a second factor."""
    center = "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"
    assert password_by_session(tmp_path, role=center) == [{"effect": "issues_credential", "target": "self"}]
    assert password_by_session(tmp_path, role=center, user="bob") == []
    assert password_by_session(tmp_path, role="role/AWSReservedSSO_Admin") == []
    assert password_by_session(tmp_path, sessionCredentialFromConsole=True, mfa="true") == []


@pytest.mark.parametrize(
    ("kind", "used", "factor"),
    [("IAMUser", "Yes", "passed"), ("Root", "No", "none"), ("AssumedRole", "No", None), ("IAMUser", None, None)],
)
def test_what_a_sign_in_says_of_its_second_factor(
    kind: str, used: str | None, factor: str | None, tmp_path: Path
) -> None:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html"""
    signed_in = {
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "userIdentity": {**record()["userIdentity"], "type": kind},
        "additionalEventData": {"MFAUsed": used},
    }
    assert detail_of(tmp_path, **signed_in, responseElements={"ConsoleLogin": "Success"}).get("second_factor") == factor
    assert "second_factor" not in detail_of(tmp_path, **signed_in, responseElements={"ConsoleLogin": "Failure"})


@cache
def table(action: str) -> frozenset[str]:
    return frozenset(row.effect for row in action_effects() if row.system == "aws" and row.action == action)


@pytest.mark.parametrize(
    ("action", "effects"),
    [
        ("kms:ScheduleKeyDeletion", {"destroys", "ransoms"}),
        ("kms:DisableKey", {"destroys", "ransoms"}),
        ("lambda:CreateFunction", {"runs_code", "grants_power"}),
        ("ecr:GetAuthorizationToken", {"issues_credential"}),
        ("signin:PasswordUpdated", {"issues_credential"}),
        ("securitylake:DeleteDataLake", {"weakens_evidence"}),
        ("route53domains:DisableDomainTransferLock", {"weakens_guard"}),
        ("acm:ExportCertificate", {"reads_secret"}),
    ],
)
def test_what_actions_do_by_themselves(action: str, effects: set[str]) -> None:
    assert table(action) == effects


TECHNIQUES = {
    "credential-access.ec2-get-password-data": "reads_secret",
    "credential-access.secretsmanager-batch-retrieve-secrets": "reads_secret",
    "credential-access.ssm-retrieve-securestring-parameters": "reads_secret",
    "defense-evasion.cloudtrail-event-selectors": "weakens_evidence",
    "defense-evasion.dns-delete-logs": "weakens_evidence",
    "defense-evasion.vpc-remove-flow-logs": "weakens_evidence",
    "execution.ec2-launch-unusual-instances": "changes_workload",
    "execution.ssm-send-command": "runs_code",
    "exfiltration.ec2-security-group-open-port-22-ingress": "exposes",
    "exfiltration.ec2-share-ebs-snapshot": "exposes",
    "impact.bedrock-invoke-model": "changes_workload",
    "lateral-movement.ec2-instance-connect": "runs_code",
    "persistence.iam-backdoor-role": "opens_trust",
    "persistence.iam-create-admin-user": "grants_power",
    "persistence.iam-create-user-login-profile": "issues_credential",
    "persistence.lambda-layer-extension": "runs_code",
    "persistence.rolesanywhere-create-trust-anchor": "opens_trust",
    "privilege-escalation.iam-update-user-login-profile": "issues_credential",
}
"""What each technique is about, by its name."""


def test_each_technique_has_the_effect_that_it_is_about(third_party: Path, tmp_path: Path) -> None:
    records: dict[str, list[dict[str, Any]]] = {}
    for technique, one in attack_records(third_party):
        records.setdefault(technique.removeprefix("aws."), []).append(one)
    found = {}
    for technique, listed in records.items():
        (tmp_path / technique).mkdir()
        events = rows("aws_cloudtrail", json.dumps({"Records": listed}).encode(), tmp_path / technique)
        found[technique] = {effect for event in events for effect in effects_of_event(event)}
    assert {name: effect for name, effect in TECHNIQUES.items() if effect not in found[name]} == {}
    assert set(found) == set(TECHNIQUES)


def test_a_call_that_only_reads_discovers_or_takes_a_secret(third_party: Path, tmp_path: Path) -> None:
    reads = {"Records": [one for one in single_calls(third_party) if one.get("readOnly") is True]}
    events = rows("aws_cloudtrail", json.dumps(reads).encode(), tmp_path)
    found = {event["action"]: effects_of_event(event) - {"discovers"} for event in events}
    assert {action: effects for action, effects in found.items() if effects} == {
        "ec2:GetPasswordData": {"reads_secret"},
        "ecr:GetAuthorizationToken": {"issues_credential"},
        "secretsmanager:GetSecretValue": {"reads_secret"},
    }


def effects_of_event(event: dict[str, Any]) -> set[str]:
    said = event["detail"].get("effects", [])
    by_action = {row.effect for name in names_of(event) for row in of_action(name)}
    silent = {each["effect"] for each in said if each.get("absent")}
    return ({each["effect"] for each in said} | by_action) - silent
