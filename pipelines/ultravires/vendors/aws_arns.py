"""ARNs from what a CloudTrail event names in its request.

Formats: AWS Service Authorization Reference, `Resource types defined by ...` of each service.
"""

import re
from collections.abc import Iterator
from typing import Any

from ultravires.reading.values import mapping, sequence, text

ARN_PARTS = 6
_ASSUMED = re.compile(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/(.+)")
_QUEUE = re.compile(r"https://(?:sqs\.|queue\.|)([a-z0-9-]+)\.?(?:queue\.)?amazonaws\.com(?:\.cn)?/(\d{12})/([^/?]+)")
_LISTED = (
    ("instancesSet", "instanceId"),
    ("volumeSet", "volumeId"),
    ("groupSet", "groupId"),
    ("snapshotSet", "snapshotId"),
)

# service -> request parameter -> resource part of the ARN; {v} is the value. The account and region come
# before it, but for the services in _GLOBAL, which have no region, and s3, which has neither.
_NAMED: dict[str, dict[str, str]] = {
    "iam": {
        "userName": "user/{v}",
        "roleName": "role/{v}",
        "groupName": "group/{v}",
        "instanceProfileName": "instance-profile/{v}",
    },
    "lambda": {"functionName": "function:{v}", "layerName": "layer:{v}"},
    "secretsmanager": {"secretId": "secret:{v}", "name": "secret:{v}"},
    "kms": {"keyId": "key/{v}", "aliasName": "{v}"},
    "dynamodb": {"tableName": "table/{v}"},
    "cloudtrail": {"name": "trail/{v}", "trailName": "trail/{v}"},
    "cloudformation": {"stackName": "stack/{v}", "stackSetName": "stackset/{v}"},
    "sns": {"name": "{v}"},
    "sqs": {"queueName": "{v}"},
    "ec2": {
        "instanceId": "instance/{v}",
        "groupId": "security-group/{v}",
        "volumeId": "volume/{v}",
        "snapshotId": "snapshot/{v}",
        "imageId": "image/{v}",
        "vpcId": "vpc/{v}",
        "subnetId": "subnet/{v}",
        "networkAclId": "network-acl/{v}",
        "networkInterfaceId": "network-interface/{v}",
        "routeTableId": "route-table/{v}",
        "keyName": "key-pair/{v}",
        "launchTemplateId": "launch-template/{v}",
    },
    "ec2-instance-connect": {"instanceId": "instance/{v}"},
    "ssm": {
        "name": "parameter/{v}",
        "instanceId": "instance/{v}",
        "documentName": "document/{v}",
        "target": "instance/{v}",
    },
    "rds": {
        "dBInstanceIdentifier": "db:{v}",
        "dBClusterIdentifier": "cluster:{v}",
        "dBSnapshotIdentifier": "snapshot:{v}",
    },
    "logs": {"logGroupName": "log-group:{v}"},
    "ecr": {"repositoryName": "repository/{v}"},
    "ecs": {"cluster": "cluster/{v}", "taskDefinition": "task-definition/{v}"},
    "eks": {"name": "cluster/{v}", "clusterName": "cluster/{v}"},
    "events": {"name": "rule/{v}", "rule": "rule/{v}"},
    "kinesis": {"streamName": "stream/{v}"},
    "firehose": {"deliveryStreamName": "deliverystream/{v}"},
    "codebuild": {"projectName": "project/{v}"},
    "codepipeline": {"name": "{v}"},
    "states": {"name": "stateMachine:{v}"},
    "guardduty": {"detectorId": "detector/{v}"},
    "sagemaker": {"notebookInstanceName": "notebook-instance/{v}", "endpointName": "endpoint/{v}"},
    "glue": {"jobName": "job/{v}", "databaseName": "database/{v}"},
    "athena": {"workGroup": "workgroup/{v}"},
    "redshift": {"clusterIdentifier": "cluster:{v}"},
}
_NO_NAMES: dict[str, str] = {}
_LISTS = frozenset({name for name, _ in _LISTED} | {"instanceIds"})
_GLOBAL = frozenset({"iam"})
_ARN_SERVICE = {"ec2-instance-connect": "ec2"}
_SSM_INSTANCE = frozenset({"instanceId", "target"})


def partition_of(region: str | None) -> str:
    """The partition that a region belongs to: aws, aws-cn or aws-us-gov."""
    if region and region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region and region.startswith("us-gov-") else "aws"


def role_of_session(arn: str | None) -> tuple[str | None, str | None]:
    """`arn:aws:sts::1:assumed-role/R/s` to (`arn:aws:iam::1:role/R`, `s`); the role's path is not in a
    session's ARN.
    """
    match = _ASSUMED.fullmatch(arn) if arn else None
    return (f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}", match[4]) if match else (None, None)


def account_of(arn: str | None) -> str | None:
    """The account in an ARN, where there is one."""
    parts = arn.split(":", ARN_PARTS - 1) if arn else []
    return parts[4] or None if len(parts) == ARN_PARTS and parts[0] == "arn" else None


def resource_arns(record: dict[str, Any], service: str, account: str | None) -> list[str]:
    """ARNs of a CloudTrail event in its order: those it lists, then those its request names. Each once."""
    found = []
    for item in sequence(record.get("resources")):
        if type(item) is dict and (arn := text(item.get("ARN"))):
            found.append(arn)
    request = record.get("requestParameters")
    if type(request) is dict and request:
        add_requested(found, request, service, text(record.get("awsRegion")), account)
    return list(dict.fromkeys(found)) if len(found) > 1 else found


def add_requested(
    found: list[str], request: dict[str, Any], service: str, region: str | None, account: str | None
) -> None:
    """Append the ARNs that request parameters name to those that were found before."""
    names = _NAMED.get(service, _NO_NAMES)
    is_placed = account is not None and (region is not None or service in _GLOBAL)
    for name, value in request.items():
        if type(value) is not str or not value:
            continue
        if value.startswith("arn:"):
            if name in names or name[-3:].lower() == "arn" or name in ("bucketName", "modelId"):
                found.append(value)
        elif is_placed and account and name in names:
            found.append(_arn(service, name, value, region, account))
    if service == "s3" or "bucketName" in request:
        found += _of_bucket(request, region)
    if service == "sqs" and (queue := text(request.get("queueUrl"))):
        found += _of_queue(queue, region)
    if account and region and not _LISTS.isdisjoint(request):
        found += _of_lists(request, region, account)


def _arn(service: str, name: str, value: str, region: str | None, account: str) -> str:
    shape = _NAMED[service][name]
    prefix = _ARN_SERVICE.get(service, service)
    if service == "kms" and value.startswith("alias/"):
        shape = "{v}"
    if service == "ssm" and name in _SSM_INSTANCE:
        prefix = "ec2" if value.startswith("i-") else "ssm"
        shape = shape if prefix == "ec2" else "managed-instance/{v}"
    resource = shape.replace("{v}", value.lstrip("/") if shape.endswith("/{v}") else value)
    place = "" if service in _GLOBAL else region
    return f"arn:{partition_of(region)}:{prefix}:{place}:{account}:{resource}"


def _of_bucket(request: dict[str, Any], region: str | None) -> Iterator[str]:
    bucket, key = text(request.get("bucketName")), text(request.get("key"))
    if bucket and not bucket.startswith("arn:"):
        yield f"arn:{partition_of(region)}:s3:::{bucket}" + (f"/{key}" if key else "")


def _of_queue(url: str, region: str | None) -> Iterator[str]:
    if match := _QUEUE.fullmatch(url):
        yield f"arn:{partition_of(match[1])}:sqs:{match[1]}:{match[2]}:{match[3]}"


def _of_lists(request: dict[str, Any], region: str, account: str) -> Iterator[str]:
    start = f"arn:{partition_of(region)}:ec2:{region}:{account}:"
    for member, name in _LISTED:
        items = mapping(request.get(member)).get("items") if member in request else None
        for item in sequence(items):
            if value := text(mapping(item).get(name)):
                yield start + _NAMED["ec2"][name].replace("{v}", value)
    for value in sequence(request.get("instanceIds")) if "instanceIds" in request else ():
        if type(value) is str and value.startswith("i-"):
            yield f"{start}instance/{value}"
