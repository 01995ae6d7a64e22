"""The API calls of the generated CloudTrail files: how often each comes, what it asks and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

Json = dict[str, Any]
Bodies = Callable[[Random, str, str], tuple[Json | None, Json | None]]


@dataclass(frozen=True)
class Call:
    """One API operation; `bodies` makes (requestParameters, responseElements) for an account and a region."""

    service: str
    name: str
    weight: int
    is_read: bool
    resource_type: str
    bodies: Bodies
    is_data: bool = False

    def resource(self, rng: Random, account: str, region: str) -> str:
        """The ARN of one of a few thousand resources of this type."""
        kind = self.resource_type.removeprefix("AWS::").lower()
        return f"arn:aws:{self.service}:{region}:{account}:{kind}/{rng.randrange(4_000):05d}"


def _object(rng: Random, _account: str, region: str) -> tuple[Json, Json]:
    bucket = f"acme-{rng.choice(('exports', 'ledger', 'models', 'uploads'))}-{region}"
    request = {
        "bucketName": bucket,
        "Host": f"{bucket}.s3.{region}.amazonaws.com",
        "key": f"year=2026/month=10/day={rng.randrange(1, 29):02d}/part-{rng.randrange(10**5):05d}.parquet",
    }
    return request, {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-version-id": f"{rng.getrandbits(120):030x}",
    }


def _assume_role(rng: Random, account: str, _region: str) -> tuple[Json, Json]:
    role, session = f"svc-{rng.randrange(60):02d}-worker", f"run-{rng.randrange(10**6):06d}"
    arn = f"arn:aws:iam::{account}:role/{role}"
    request = {
        "roleArn": arn,
        "roleSessionName": session,
        "durationSeconds": 3600,
        "sourceIdentity": f"agent-{session[-2:]}",
    }
    answer = {
        "credentials": {
            "accessKeyId": f"ASIA{rng.getrandbits(64):016X}",
            "sessionToken": f"IQoJb3JpZ2luX2VjE{rng.getrandbits(1200):x}",
            "expiration": "Oct 5, 2026, 11:00:00 AM",
        },
        "assumedRoleUser": {
            "assumedRoleId": f"AROA{role[4:6]}{account[:9]}QWERTZ:{session}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        },
        "sourceIdentity": request["sourceIdentity"],
    }
    return request, answer


def _describe(rng: Random, _account: str, _region: str) -> tuple[Json, None]:
    items = [{"instanceId": f"i-{rng.getrandbits(68):017x}"} for _ in range(rng.randrange(0, 6))]
    filters = {"items": [{"name": "tag:service", "valueSet": {"items": [{"value": f"svc-{rng.randrange(60):02d}"}]}}]}
    return {"instancesSet": {"items": items}, "filterSet": filters, "maxResults": 100}, None


def _run_instances(rng: Random, account: str, region: str) -> tuple[Json, Json]:
    image = f"ami-{rng.getrandbits(68):017x}"
    network = {
        "networkInterfaceId": f"eni-{rng.getrandbits(68):017x}",
        "subnetId": "subnet-0a1b2c3d4e5f60718",
        "status": "in-use",
    }
    instance = {
        "instanceId": f"i-{rng.getrandbits(68):017x}",
        "imageId": image,
        "instanceState": {"code": 0, "name": "pending"},
        "privateDnsName": f"ip-10-20-{rng.randrange(250)}-{rng.randrange(250)}.{region}.compute.internal",
        "placement": {"availabilityZone": f"{region}a", "tenancy": "default"},
        "networkInterfaceSet": {"items": [network | {"ownerId": account, "vpcId": "vpc-0f1e2d3c4b5a69788"}]},
        "tagSet": {
            "items": [
                {"key": "service", "value": f"svc-{rng.randrange(60):02d}"},
                {"key": "env", "value": "prod"},
            ]
        },
    }
    request = {
        "instancesSet": {"items": [{"imageId": image, "minCount": 1, "maxCount": 1}]},
        "instanceType": "m7i.large",
    }
    return request, {
        "requestId": f"{rng.getrandbits(128):032x}",
        "ownerId": account,
        "instancesSet": {"items": [instance]},
    }


def _decrypt(rng: Random, account: str, region: str) -> tuple[Json, None]:
    key = f"arn:aws:kms:{region}:{account}:key/{rng.randrange(40):08d}-9a3c-4f7e-b111-2f6f0c9d8e77"
    context = {"aws:s3:arn": f"arn:aws:s3:::acme-exports-{region}/part-{rng.randrange(10**5):05d}.parquet"}
    return {"encryptionContext": context, "keyId": key, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}, None


def _secret(rng: Random, account: str, region: str) -> tuple[Json, None]:
    return {"secretId": f"arn:aws:secretsmanager:{region}:{account}:secret:db/{rng.randrange(300)}-Ab3dEf"}, None


def _item(rng: Random, _account: str, _region: str) -> tuple[Json, None]:
    key = {"tenant": {"s": f"t{rng.randrange(900)}"}, "id": {"n": str(rng.randrange(10**9))}}
    return {
        "tableName": "orders",
        "key": key,
        "consistentRead": False,
        "returnConsumedCapacity": "NONE",
    }, None


def _policy(rng: Random, account: str, _region: str) -> tuple[Json, None]:
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],'
    document += f'"Resource":"arn:aws:s3:::acme-exports-{account}/*"}}]}}'
    name = f"svc-{rng.randrange(60):02d}"
    return {"roleName": f"{name}-worker", "policyName": f"{name}-inline", "policyDocument": document}, None


def _streams(rng: Random, _account: str, _region: str) -> tuple[Json, None]:
    return {
        "logGroupName": f"/ecs/svc-{rng.randrange(60):02d}",
        "logStreamName": f"app/{rng.getrandbits(128):032x}",
    }, None


def _no_body(_rng: Random, _account: str, _region: str) -> tuple[None, None]:
    return None, None


CALLS = (
    Call("s3", "GetObject", 24, True, "AWS::S3::Object", _object, is_data=True),
    Call("s3", "PutObject", 12, False, "AWS::S3::Object", _object, is_data=True),
    Call("sts", "AssumeRole", 14, True, "AWS::IAM::Role", _assume_role),
    Call("sts", "GetCallerIdentity", 3, True, "AWS::IAM::Role", _no_body),
    Call("ec2", "DescribeInstances", 12, True, "AWS::EC2::Instance", _describe),
    Call("ec2", "RunInstances", 4, False, "AWS::EC2::Instance", _run_instances),
    Call("kms", "Decrypt", 12, True, "AWS::KMS::Key", _decrypt),
    Call("secretsmanager", "GetSecretValue", 4, True, "AWS::SecretsManager::Secret", _secret),
    Call("dynamodb", "GetItem", 8, True, "AWS::DynamoDB::Table", _item, is_data=True),
    Call("iam", "PutRolePolicy", 1, False, "AWS::IAM::Role", _policy),
    Call("logs", "CreateLogStream", 6, False, "AWS::Logs::LogGroup", _streams),
)
