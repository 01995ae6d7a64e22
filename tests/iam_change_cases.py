"""Calls of AWS that change who may do what, as their vendor documents the records, and the grants that they say.

Shapes follow the examples of the pages named with each group, and where a page has none its API reference, with the
parameters written as CloudTrail writes them.
"""

import json
from typing import Any, NamedTuple
from urllib.parse import quote

from ultravires.reading.grants import chosen, given, gone, made, statement, taken, unwritten, whole, written

Json = dict[str, Any]
ACCOUNT = "111122223333"
IAM = f"arn:aws:iam::{ACCOUNT}:"
ALICE, TEAM, READER = f"{IAM}user/alice", f"{IAM}group/team", f"{IAM}role/Reader"
PROFILE = f"{IAM}instance-profile/web"
AWS_ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
OWN = f"{IAM}policy/own"
SET = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
REGION = "eu-central-1"


class Case(NamedTuple):
    """`action` with its request and answer, the grants it says, and other members of the record."""

    action: str
    request: Json | None
    response: Json | None
    grants: list[Json]
    members: Json | None = None


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
SAID = [statement("allow", ["s3:Get*"], ["*"])]
OPEN = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "*", "Resource": "*"}}
OPENED = [statement("allow", ["*"], ["*"], principals=["AWS:444455556666"])]
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
TRUSTED = [statement("allow", ["sts:AssumeRole"], principals=["Service:ec2.amazonaws.com"])]
TEXT, OPEN_TEXT, TRUST_TEXT = json.dumps(POLICY), json.dumps(OPEN), json.dumps(TRUST)

# https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
_HOLDERS = (
    ("User", {"userName": "alice"}, ALICE),
    ("Group", {"groupName": "team"}, TEAM),
    ("Role", {"roleName": "Reader"}, READER),
)


def _of_holder(name: str, named: Json, uid: str) -> list[Case]:
    attached, inline = named | {"policyArn": AWS_ADMIN}, named | {"policyName": "more"}
    held = f"{uid}#more"
    given_inline = given("attached", uid, held)
    cases = [
        Case(f"iam:Attach{name}Policy", attached, None, [given("attached", uid, AWS_ADMIN)]),
        Case(f"iam:Detach{name}Policy", attached, None, [taken("attached", uid, AWS_ADMIN)]),
        Case(f"iam:Put{name}Policy", inline | {"policyDocument": TEXT}, None, [written(held, SAID), given_inline]),
        Case(
            f"iam:Put{name}Policy", inline | {"policyDocument": quote(TEXT)}, None, [written(held, SAID), given_inline]
        ),
        Case(f"iam:Put{name}Policy", inline | {"policyDocument": TEXT[:-9]}, None, [written(held, None), given_inline]),
        Case(f"iam:Delete{name}Policy", inline, None, [taken("attached", uid, held), unwritten(held)]),
        Case(f"iam:Delete{name}", named, None, [gone(uid)]),
    ]
    if name == "Group":
        return cases
    bounded = named | {"permissionsBoundary": OWN}
    given_boundary = given("boundary", uid, OWN)
    return [
        *cases,
        Case(f"iam:Put{name}PermissionsBoundary", bounded, None, [whole("boundary", holder=uid), given_boundary]),
        Case(f"iam:Delete{name}PermissionsBoundary", named, None, [taken("boundary", uid)]),
    ]


_PATHED = f"{IAM}role/team/x/Reader"
_SERVICE_LINKED = f"{IAM}role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
_LINKED = f"{IAM}role/AWSServiceRoleForAutoScaling"
_IAM = [
    *[case for holder in _HOLDERS for case in _of_holder(*holder)],
    Case("iam:CreateUser", {"userName": "alice"}, {"user": {"userName": "alice", "arn": ALICE}}, [made(ALICE)]),
    Case(
        "iam:CreateUser",
        {"userName": "alice", "path": "/sales/", "permissionsBoundary": OWN},
        {"user": {"arn": f"{IAM}user/sales/alice", "permissionsBoundary": {"permissionsBoundaryArn": OWN}}},
        [
            made(ALICE),
            made(f"{IAM}user/sales/alice"),
            given("member", f"{IAM}user/sales/alice", ALICE),
            given("boundary", ALICE, OWN),
        ],
    ),
    Case("iam:CreateGroup", {"groupName": "team"}, None, [made(TEAM)]),
    # an answer that speaks of another is not believed
    Case("iam:CreateGroup", {"groupName": "team"}, {"group": {"arn": f"{IAM}group/other"}}, [made(TEAM)]),
    Case(
        "iam:CreateRole",
        {"roleName": "Reader", "path": "/team/x/", "assumeRolePolicyDocument": TRUST_TEXT},
        {"role": {"arn": _PATHED, "permissionsBoundary": {"permissionsBoundaryArn": OWN}}},
        [
            made(READER),
            made(_PATHED),
            given("member", _PATHED, READER),
            given("boundary", READER, OWN),
            written(READER, TRUSTED, kind="trust"),
        ],
    ),
    Case("iam:CreateRole", {"roleName": "Reader"}, None, [made(READER), written(READER, None, kind="trust")]),
    Case(
        "iam:CreateServiceLinkedRole",
        {"aWSServiceName": "autoscaling.amazonaws.com"},
        {
            "role": {
                "roleName": "AWSServiceRoleForAutoScaling",
                "arn": _SERVICE_LINKED,
                "assumeRolePolicyDocument": quote(TRUST_TEXT),
            }
        },
        [
            made(_LINKED),
            made(_SERVICE_LINKED),
            given("member", _SERVICE_LINKED, _LINKED),
            written(_LINKED, TRUSTED, kind="trust"),
        ],
    ),
    Case(
        "iam:UpdateAssumeRolePolicy",
        {"roleName": "Reader", "policyDocument": TRUST_TEXT},
        None,
        [written(READER, TRUSTED, kind="trust")],
    ),
    # the names of parameters as the API has them
    Case(
        "iam:UpdateAssumeRolePolicy",
        {"RoleName": "Reader", "PolicyDocument": TRUST},
        None,
        [written(READER, TRUSTED, kind="trust")],
    ),
    Case(
        "iam:CreatePolicy",
        {"policyName": "own", "policyDocument": TEXT},
        {"policy": {"arn": OWN, "defaultVersionId": "v1"}},
        [made(OWN), written(OWN, SAID, version="v1")],
    ),
    Case(
        "iam:CreatePolicy",
        {"policyName": "own", "path": "/a/b/", "policyDocument": TEXT},
        None,
        [made(f"{IAM}policy/a/b/own"), written(f"{IAM}policy/a/b/own", SAID, version="v1")],
    ),
    Case(
        "iam:CreatePolicyVersion",
        {"policyArn": OWN, "policyDocument": TEXT, "setAsDefault": True},
        {"policyVersion": {"versionId": "v3", "isDefaultVersion": True}},
        [written(OWN, SAID, version="v3")],
    ),
    Case(
        "iam:CreatePolicyVersion",
        {"policyArn": OWN, "policyDocument": TEXT},
        {"policyVersion": {"versionId": "v4"}},
        [written(OWN, SAID, version="v4", in_force=False)],
    ),
    Case(
        "iam:CreatePolicyVersion",
        {"policyArn": OWN, "policyDocument": TEXT, "setAsDefault": "true"},
        None,
        [written(OWN, SAID)],
    ),
    Case("iam:CreatePolicyVersion", {"policyArn": OWN, "policyDocument": TEXT}, None, []),
    Case("iam:SetDefaultPolicyVersion", {"policyArn": OWN, "versionId": "v1"}, None, [chosen(OWN, "v1")]),
    Case("iam:DeletePolicy", {"policyArn": OWN}, None, [gone(OWN)]),
    Case("iam:AddUserToGroup", {"userName": "alice", "groupName": "team"}, None, [given("member", ALICE, TEAM)]),
    Case("iam:RemoveUserFromGroup", {"userName": "alice", "groupName": "team"}, None, [taken("member", ALICE, TEAM)]),
    Case(
        "iam:AddRoleToInstanceProfile",
        {"instanceProfileName": "web", "roleName": "Reader"},
        None,
        [given("member", PROFILE, READER)],
    ),
    Case(
        "iam:RemoveRoleFromInstanceProfile",
        {"instanceProfileName": "web", "roleName": "Reader"},
        None,
        [taken("member", PROFILE, READER)],
    ),
    Case(
        "iam:CreateInstanceProfile",
        {"instanceProfileName": "web"},
        {"instanceProfile": {"arn": PROFILE}},
        [made(PROFILE)],
    ),
    Case("iam:DeleteInstanceProfile", {"instanceProfileName": "web"}, None, [gone(PROFILE)]),
]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html,
# https://docs.aws.amazon.com/kms/latest/developerguide/ct-put-key-policy.html and the API references of the services
BUCKET = "arn:aws:s3:::data"
KEY, KEY_ID = arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab"), "1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET = arn("secretsmanager", "secret:db-AbCdEf")
TOPIC, QUEUE = arn("sns", "news"), arn("sqs", "jobs")
QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/jobs"
REPOSITORY = arn("ecr", "repository/app")


def opened(held: str) -> list[Json]:
    return [written(held, OPENED, kind="resource")]


def closed(held: str) -> list[Json]:
    return [unwritten(held, kind="resource")]


def _both(service: str, verb: str, request: Json, document: str, held: str) -> list[Case]:
    """A policy put and taken away."""
    put = Case(f"{service}:Put{verb}", request | {document: OPEN_TEXT}, None, opened(held))
    return [put, Case(f"{service}:Delete{verb}", request, None, closed(held))]


_TABLE, _STREAM, _CA = arn("dynamodb", "table/t"), arn("kinesis", "stream/s"), arn("acm-pca", "certificate-authority/1")
_DOMAIN = {"domainName": "logs"}
_RESOURCES = [
    Case("s3:PutBucketPolicy", {"bucketName": "data", "bucketPolicy": OPEN, "policy": [""]}, None, opened(BUCKET)),
    Case(
        "s3:PutBucketPolicy",
        {"omitted": True, "originalSize": 120_000, "reason": "too large"},
        None,
        [written(BUCKET, None, kind="resource")],
        {"resources": [{"type": "AWS::S3::Bucket", "ARN": BUCKET, "accountId": ACCOUNT}]},
    ),
    Case("s3:DeleteBucketPolicy", {"bucketName": "data", "policy": [""]}, None, closed(BUCKET)),
    Case("kms:PutKeyPolicy", {"keyId": KEY_ID, "policyName": "default", "policy": OPEN_TEXT}, None, opened(KEY)),
    Case("kms:PutKeyPolicy", {"keyId": KEY_ID}, {"keyId": KEY}, [written(KEY, None, kind="resource")]),
    Case("kms:CreateKey", {"policy": OPEN_TEXT}, {"keyMetadata": {"keyId": KEY_ID, "arn": KEY}}, opened(KEY)),
    Case("kms:CreateKey", {"description": "x"}, {"keyMetadata": {"keyId": KEY_ID, "arn": KEY}}, []),
    Case(
        "secretsmanager:PutResourcePolicy",
        {"secretId": "db", "resourcePolicy": OPEN_TEXT},
        {"aRN": SECRET, "name": "db"},
        opened(SECRET),
    ),
    Case("secretsmanager:PutResourcePolicy", {"secretId": SECRET}, None, [written(SECRET, None, kind="resource")]),
    Case("secretsmanager:DeleteResourcePolicy", {"secretId": "db"}, None, closed(arn("secretsmanager", "secret:db"))),
    Case(
        "sns:SetTopicAttributes",
        {"topicArn": TOPIC, "attributeName": "Policy", "attributeValue": OPEN_TEXT},
        None,
        opened(TOPIC),
    ),
    Case(
        "sns:SetTopicAttributes", {"topicArn": TOPIC, "attributeName": "DisplayName", "attributeValue": "x"}, None, []
    ),
    Case("sns:CreateTopic", {"name": "news", "attributes": {"Policy": OPEN}}, {"topicArn": TOPIC}, opened(TOPIC)),
    Case("sns:CreateTopic", {"name": "news"}, {"topicArn": TOPIC}, []),
    Case("sns:DeleteTopic", {"topicArn": TOPIC}, None, closed(TOPIC)),
    Case("sqs:SetQueueAttributes", {"queueUrl": QUEUE_URL, "attributes": {"Policy": OPEN_TEXT}}, None, opened(QUEUE)),
    Case("sqs:SetQueueAttributes", {"queueUrl": QUEUE_URL, "attributes": {"Policy": ""}}, None, closed(QUEUE)),
    Case("sqs:SetQueueAttributes", {"queueUrl": QUEUE_URL, "attributes": {"DelaySeconds": "0"}}, None, []),
    Case(
        "sqs:CreateQueue",
        {"queueName": "jobs", "attributes": {"Policy": OPEN_TEXT}},
        {"queueUrl": QUEUE_URL},
        opened(QUEUE),
    ),
    Case("sqs:DeleteQueue", {"queueUrl": QUEUE_URL}, None, closed(QUEUE)),
    Case("ecr:SetRepositoryPolicy", {"repositoryName": "app", "policyText": OPEN_TEXT}, None, opened(REPOSITORY)),
    Case("ecr:DeleteRepositoryPolicy", {"repositoryName": "app", "registryId": ACCOUNT}, None, closed(REPOSITORY)),
    Case("ecr:DeleteRepository", {"repositoryName": "app", "force": True}, None, closed(REPOSITORY)),
    *_both("dynamodb", "ResourcePolicy", {"resourceArn": _TABLE}, "policy", _TABLE),
    *_both("kinesis", "ResourcePolicy", {"resourceARN": _STREAM}, "policy", _STREAM),
    *_both("acm-pca", "Policy", {"resourceArn": _CA}, "policy", _CA),
    *_both("glue", "ResourcePolicy", {}, "policyInJson", arn("glue", "catalog")),
    *_both(
        "elasticfilesystem",
        "FileSystemPolicy",
        {"fileSystemId": "fs-1"},
        "policy",
        arn("elasticfilesystem", "file-system/fs-1"),
    ),
    *_both("backup", "BackupVaultAccessPolicy", {"backupVaultName": "v"}, "policy", arn("backup", "backup-vault:v")),
    Case("es:UpdateDomainConfig", _DOMAIN | {"accessPolicies": OPEN_TEXT}, None, opened(arn("es", "domain/logs"))),
    Case("es:UpdateDomainConfig", _DOMAIN, None, []),
    Case(
        "es:UpdateElasticsearchDomainConfig", _DOMAIN | {"accessPolicies": ""}, None, closed(arn("es", "domain/logs"))
    ),
]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
ACL = f"{BUCKET}?acl"
_GROUP = "http://acs.amazonaws.com/groups/global/"
_LISTING = ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]


def acl(*said: tuple[str, list[str]]) -> list[Json]:
    resources = [BUCKET, f"{BUCKET}/*"]
    return [
        written(
            ACL, [statement("allow", actions, resources, principals=[who]) for who, actions in said], kind="resource"
        )
    ]


def listed(*grants: Json) -> Json:
    return {
        "bucketName": "data",
        "AccessControlPolicy": {"Owner": {"ID": "me"}, "AccessControlList": {"Grant": list(grants)}},
    }


_OWNERS = {"Grantee": {"xsi:type": "CanonicalUser", "ID": "me"}, "Permission": "FULL_CONTROL"}
_ANYBODY = {"Grantee": {"xsi:type": "Group", "URI": f"{_GROUP}AllUsers"}, "Permission": "READ"}
_OTHERS = {"Grantee": {"xsi:type": "CanonicalUser", "ID": "you"}, "Permission": "WRITE_ACP"}
_BY_MAIL = {"Grantee": {"xsi:type": "AmazonCustomerByEmail", "EmailAddress": "x@example.org"}, "Permission": "READ"}
_UNREAD = [written(ACL, None, kind="resource")]
_ACLS = [
    Case("s3:PutBucketAcl", {"bucketName": "data", "x-amz-acl": ["public-read"]}, None, acl(("*", _LISTING))),
    Case("s3:PutBucketAcl", {"bucketName": "data", "x-amz-acl": "authenticated-read"}, None, acl(("AWS:*", _LISTING))),
    Case("s3:PutBucketAcl", {"bucketName": "data", "acl": [""], "x-amz-acl": ["private"]}, None, closed(ACL)),
    Case("s3:PutBucketAcl", {"bucketName": "data", "x-amz-acl": ["new-kind"]}, None, _UNREAD),
    Case(
        "s3:PutBucketAcl",
        {"bucketName": "data", "x-amz-grant-read-acp": [f'uri="{_GROUP}AllUsers", id="you"']},
        None,
        acl(("*", ["s3:GetBucketAcl"]), ("CanonicalUser:you", ["s3:GetBucketAcl"])),
    ),
    Case("s3:PutBucketAcl", {"bucketName": "data", "x-amz-grant-read": ["nobody"]}, None, _UNREAD),
    Case(
        "s3:PutBucketAcl",
        listed(_OWNERS, _ANYBODY, _OTHERS),
        None,
        acl(("*", _LISTING), ("CanonicalUser:you", ["s3:PutBucketAcl"])),
    ),
    Case("s3:PutBucketAcl", listed(_OWNERS), None, closed(ACL)),
    Case("s3:PutBucketAcl", listed(_OWNERS, _BY_MAIL), None, _UNREAD),
    Case("s3:CreateBucket", {"bucketName": "data", "x-amz-acl": ["public-read"]}, None, acl(("*", _LISTING))),
    Case("s3:CreateBucket", {"bucketName": "data"}, None, []),
    Case("s3:DeleteBucket", {"bucketName": "data"}, None, [*closed(BUCKET), *closed(ACL)]),
]
OF_IAM_AND_RESOURCES = [*_IAM, *_RESOURCES, *_ACLS]
