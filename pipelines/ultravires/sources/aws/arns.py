"""ARNs from what a CloudTrail event names in its request.

Formats: AWS Service Authorization Reference, `Resource types defined by ...` of each service.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from ultravires.reading.values import sequence, text

ARN_PARTS = 6
_ASSUMED = re.compile(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/(.+)")
_QUEUE = re.compile(r"https://(?:sqs\.|queue\.|)([a-z0-9-]+)\.?(?:queue\.)?amazonaws\.com(?:\.cn)?/(\d{12})/([^/?]+)")
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


class _Listed(NamedTuple):
    """A list of EC2's things in a request: the way to each id in it, how those that count begin, what stands before one
    in the last part of its ARN.
    """

    way: tuple[str | None, ...]
    beginning: str
    shape: str


def _in_set(member: str, name: str) -> _Listed:
    return _Listed((member, "items", None, name), "", _NAMED["ec2"][name])


_LISTED = (
    _in_set("instancesSet", "instanceId"),
    _in_set("volumeSet", "volumeId"),
    _in_set("groupSet", "groupId"),
    _in_set("snapshotSet", "snapshotId"),
    _Listed(("instanceIds", None), "i-", _NAMED["ec2"]["instanceId"]),
)
"""In the order in which they count."""
_LISTS = frozenset(listed.way[0] for listed in _LISTED)
_GLOBAL = frozenset({"iam"})
_ARN_SERVICE = {"ec2-instance-connect": "ec2"}
_MARKS = {"kms": "alias/", "ssm": "i-"}
"""How a value begins that is of another kind than its name says: an alias for a key, a plain instance."""
_IS_ARN = "arn:"
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


def resource_arns(resources: Any, request: Any, *, service: str, region: str | None, account: str | None) -> list[str]:
    """ARNs of a CloudTrail event in its order: those it lists, then those its request names. Each once."""
    found = []
    for item in sequence(resources):
        if type(item) is dict and type(arn := item.get("ARN")) is str and arn:
            found.append(arn)
    if type(request) is dict and request:
        _add_requested(found, request, service, region, account)
    return list(dict.fromkeys(found)) if len(found) > 1 else found


def _add_requested(
    found: list[str], request: dict[str, Any], service: str, region: str | None, account: str | None
) -> None:
    """Append the ARNs that request parameters name to those that were found before."""
    names = _NAMED.get(service, _NO_NAMES)
    mark = _MARKS.get(service)
    is_listing = False
    for name, value in request.items():
        if type(value) is not str:
            is_listing = is_listing or name in _LISTS
        elif name in names or value[:4] == _IS_ARN:
            beginning = _IS_ARN if value[:4] == _IS_ARN else mark if mark and value.startswith(mark) else ""
            opening = _opening_of(service, name, beginning, region, account)
            if opening is not None and value:
                found.append(opening + (value.lstrip("/") if opening[-1:] == "/" else value))
    if service == "s3" or "bucketName" in request:
        arn = _object_arn(request.get("bucketName"), request.get("key"), region)
        if arn is not None:
            found.append(arn)
    if service == "sqs" and (queue := queue_arn(text(request.get("queueUrl")))):
        found.append(queue)
    if is_listing:
        _add_listed(found, request, region, account)


@lru_cache(maxsize=64)
def _curated_names(service: str) -> dict[str, str]:
    """Request parameters in small letters, of one thing and of a list of them, to their own names."""
    return {name.lower(): name for name in _NAMED.get(service, _NO_NAMES)}


def curated_name(service: str, letters: str) -> str | None:
    """The request parameter that is written so in small letters, where it names a resource of the service."""
    return _curated_names(service).get(letters)


def curated_arn(service: str, name: str, value: str, region: str | None, account: str | None) -> str | None:
    """The ARN of what a value of the request parameter `name` names; None where its account or region is unknown."""
    mark = _MARKS.get(service)
    opening = _opening_of(service, name, mark if mark and value.startswith(mark) else "", region, account)
    if opening is None or not value:
        return None
    return opening + (value.lstrip("/") if opening[-1:] == "/" else value)


def _may_be_arn(name: str) -> bool:
    """Whether a request parameter of this name is a resource where its value is an ARN, in any service."""
    return name[-3:].lower() == "arn" or name in ("bucketName", "modelId")


# Requests differ in the names of things, seldom in their kind and place.
@lru_cache(maxsize=16_384)
def _opening_of(service: str, name: str, beginning: str, region: str | None, account: str | None) -> str | None:
    """What stands before the value of the request parameter `name` in the ARN of what it names, or None. `beginning` is
    `arn:` or the mark of the service where the value begins with it, or nothing.
    """
    names = _NAMED.get(service, _NO_NAMES)
    if beginning == _IS_ARN:
        return "" if name in names or _may_be_arn(name) else None
    if name not in names or not account or (region is None and service not in _GLOBAL):
        return None
    shape, prefix = names[name], _ARN_SERVICE.get(service, service)
    is_marked = beginning == _MARKS.get(service)
    if service == "kms" and is_marked:
        shape = ""
    if service == "ssm" and name in _SSM_INSTANCE:
        prefix = "ec2" if is_marked else "ssm"
        shape = shape if is_marked else "managed-instance/"
    place = "" if service in _GLOBAL else region
    return f"arn:{partition_of(region)}:{prefix}:{place}:{account}:{shape}"


def _object_arn(bucket: Any, key: Any, region: str | None) -> str | None:
    """The object in a bucket, or the bucket where no key is given; None where no bucket is named by its name."""
    if type(bucket) is not str or not bucket or bucket.startswith(_IS_ARN):
        return None
    start = _bucket_opening(region) + bucket
    return f"{start}/{key}" if type(key) is str and key else start


@lru_cache(maxsize=256)
def _bucket_opening(region: str | None) -> str:
    """What stands before the name of a bucket in its ARN."""
    return f"arn:{partition_of(region)}:s3:::"


def queue_arn(url: str | None) -> str | None:
    """The queue that a URL of SQS names."""
    match = _QUEUE.fullmatch(url) if url else None
    return f"arn:{partition_of(match[1])}:sqs:{match[1]}:{match[2]}:{match[3]}" if match else None


def _opening_of_listed(listed: _Listed, region: str | None, account: str | None) -> str | None:
    """What stands before an id in the ARN of a listed thing; None where that is not known."""
    return f"arn:{partition_of(region)}:ec2:{region}:{account}:{listed.shape}" if account and region else None


def _add_listed(found: list[str], request: dict[str, Any], region: str | None, account: str | None) -> None:
    for listed in _LISTED:
        opening = _opening_of_listed(listed, region, account) if listed.way[0] in request else None
        if opening is not None:
            ids = _along(request, listed.way)
            found += [opening + id_ for id_ in ids if type(id_) is str and id_ and id_.startswith(listed.beginning)]


def _along(value: Any, way: tuple[str | None, ...]) -> list[Any]:
    """What lies so inside of a decoded value."""
    values = [value]
    for name in way:
        if name is None:
            values = [element for one in values if type(one) is list for element in one]
        else:
            values = [one[name] for one in values if type(one) is dict and name in one]
    return values
