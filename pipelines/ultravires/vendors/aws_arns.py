"""ARNs from what a CloudTrail event names in its request.

Formats: AWS Service Authorization Reference, `Resource types defined by ...` of each service.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
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

# service -> request parameter -> what comes before the value in the ARN's resource. The account and region come
# before that, but for the services in _GLOBAL, which have no region, and s3, which has neither.
_NAMED: dict[str, dict[str, str]] = {
    "iam": {
        "userName": "user/",
        "roleName": "role/",
        "groupName": "group/",
        "instanceProfileName": "instance-profile/",
    },
    "lambda": {"functionName": "function:", "layerName": "layer:"},
    "secretsmanager": {"secretId": "secret:", "name": "secret:"},
    "kms": {"keyId": "key/", "aliasName": ""},
    "dynamodb": {"tableName": "table/"},
    "cloudtrail": {"name": "trail/", "trailName": "trail/"},
    "cloudformation": {"stackName": "stack/", "stackSetName": "stackset/"},
    "sns": {"name": ""},
    "sqs": {"queueName": ""},
    "ec2": {
        "instanceId": "instance/",
        "groupId": "security-group/",
        "volumeId": "volume/",
        "snapshotId": "snapshot/",
        "imageId": "image/",
        "vpcId": "vpc/",
        "subnetId": "subnet/",
        "networkAclId": "network-acl/",
        "networkInterfaceId": "network-interface/",
        "routeTableId": "route-table/",
        "keyName": "key-pair/",
        "launchTemplateId": "launch-template/",
    },
    "ec2-instance-connect": {"instanceId": "instance/"},
    "ssm": {
        "name": "parameter/",
        "instanceId": "instance/",
        "documentName": "document/",
        "target": "instance/",
    },
    "rds": {
        "dBInstanceIdentifier": "db:",
        "dBClusterIdentifier": "cluster:",
        "dBSnapshotIdentifier": "snapshot:",
    },
    "logs": {"logGroupName": "log-group:"},
    "ecr": {"repositoryName": "repository/"},
    "ecs": {"cluster": "cluster/", "taskDefinition": "task-definition/"},
    "eks": {"name": "cluster/", "clusterName": "cluster/"},
    "events": {"name": "rule/", "rule": "rule/"},
    "kinesis": {"streamName": "stream/"},
    "firehose": {"deliveryStreamName": "deliverystream/"},
    "codebuild": {"projectName": "project/"},
    "codepipeline": {"name": ""},
    "states": {"name": "stateMachine:"},
    "guardduty": {"detectorId": "detector/"},
    "sagemaker": {"notebookInstanceName": "notebook-instance/", "endpointName": "endpoint/"},
    "glue": {"jobName": "job/", "databaseName": "database/"},
    "athena": {"workGroup": "workgroup/"},
    "redshift": {"clusterIdentifier": "cluster:"},
}
_NO_NAMES: dict[str, str] = {}
_LISTS = frozenset({name for name, _ in _LISTED} | {"instanceIds"})
NAMES_MORE = f'"(?:arn:|(?:{"|".join(sorted(_LISTS))})":)'
"""In the text of a request to S3: it may name more than its object, by an ARN or in a list."""
_GLOBAL = frozenset({"iam"})
_ARN_SERVICE = {"ec2-instance-connect": "ec2"}
_MARKS = {"kms": "alias/", "ssm": "i-"}
"""How a value begins that is of another kind than its name says: an alias for a key, a plain instance."""
_SSM_INSTANCE = frozenset({"instanceId", "target"})


@lru_cache(maxsize=256)
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
    names, mark = _NAMED.get(service, _NO_NAMES), _MARKS.get(service)
    is_listing = False
    for name, value in request.items():
        if type(value) is not str:
            is_listing = is_listing or name in _LISTS
        elif value[:4] == "arn:":
            if name in names or name[-3:].lower() == "arn" or name in ("bucketName", "modelId"):
                found.append(value)
        elif name in names and value and account and (region is not None or service in _GLOBAL):
            start = _start(service, name, mark is not None and value.startswith(mark), region, account)
            found.append(start + (value.lstrip("/") if start[-1] == "/" else value))
    if service == "s3" or "bucketName" in request:
        arn = object_arn(request.get("bucketName"), request.get("key"), region)
        if arn is not None:
            found.append(arn)
    if service == "sqs" and (queue := text(request.get("queueUrl"))):
        found += _of_queue(queue, region)
    if is_listing and account and region:
        _add_listed(found, request, region, account)


# Requests differ in the names of things, seldom in their kind and place.
@lru_cache(maxsize=16_384)
def _start(service: str, name: str, is_marked: bool, region: str | None, account: str) -> str:
    """The ARN up to the value that the request parameter `name` holds."""
    shape = _NAMED[service][name]
    prefix = _ARN_SERVICE.get(service, service)
    if service == "kms" and is_marked:
        shape = ""
    if service == "ssm" and name in _SSM_INSTANCE:
        prefix = "ec2" if is_marked else "ssm"
        shape = shape if is_marked else "managed-instance/"
    place = "" if service in _GLOBAL else region
    return f"arn:{partition_of(region)}:{prefix}:{place}:{account}:{shape}"


def object_arn(bucket: Any, key: Any, region: str | None) -> str | None:
    """The object in a bucket, or the bucket where no key is given; None where no bucket is named by its name."""
    if type(bucket) is not str or not bucket or bucket[:4] == "arn:":
        return None
    start = f"arn:{partition_of(region)}:s3:::{bucket}"
    return f"{start}/{key}" if type(key) is str and key else start


def _of_queue(url: str, region: str | None) -> Iterator[str]:
    if match := _QUEUE.fullmatch(url):
        yield f"arn:{partition_of(match[1])}:sqs:{match[1]}:{match[2]}:{match[3]}"


def _add_listed(found: list[str], request: dict[str, Any], region: str, account: str) -> None:
    start = f"arn:{partition_of(region)}:ec2:{region}:{account}:"
    for member, name in _LISTED:
        if member in request and (items := sequence(mapping(request[member]).get("items"))):
            start_of_one = start + _NAMED["ec2"][name]
            for item in items:
                if type(item) is dict and type(value := item.get(name)) is str and value:
                    found.append(start_of_one + value)
    if "instanceIds" in request:
        start_of_one = start + _NAMED["ec2"]["instanceId"]
        named = sequence(request["instanceIds"])
        found += [start_of_one + value for value in named if type(value) is str and value[:2] == "i-"]
