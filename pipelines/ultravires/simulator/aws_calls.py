"""What an API call looks like in CloudTrail: its parameters, the resources it names, and how it is classed.

Shapes follow AWS' published event references; the values are our own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ultravires.simulator.aws_rights import RIGHTS, patterns_of
from ultravires.simulator.cast import GLOBAL_REGION, REGION, Call

Json = dict[str, Any]


class Shape(NamedTuple):
    parameters: Callable[[str, str], Json | None]
    """(account, target) -> requestParameters."""
    arns: Callable[[str, str], list[tuple[str, str]]] | None = None
    """(account, target) -> (type, ARN) of each resource the record lists, where the service lists any."""
    is_read: bool = False
    is_data: bool = False


# A table is asked for with its database, a service with its cluster: an approval names both.
_CONTAINERS = {"glue": "database/lake", "ecs": "cluster/main"}


def split_action(call: Call) -> tuple[str, str]:
    service, _, operation = call.action.partition(":")
    return service, operation


def region_of(call: Call) -> str:
    """IAM, and CloudTrail's view of it, answers from one region only."""
    return GLOBAL_REGION if call.action.startswith("iam:") else REGION


def resource_patterns(account: str, call: Call) -> list[str]:
    """ARN patterns that an approval must hold so that `call` stays inside it."""
    service, _ = split_action(call)
    if call.action in RIGHTS:
        return patterns_of(account, call.target)
    name = call.target.partition("{n}")[0]
    if not name:
        return []
    if service == "s3":
        bucket = name.partition("/")[0]
        return [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    if service == "iam":
        return [f"arn:aws:iam::{account}:role/{name}"]
    container = _CONTAINERS.get(service)
    around = [f"arn:aws:{service}:*:{account}:{container}"] if container else []
    return [*around, f"arn:aws:{service}:*:{account}:*{name.lstrip('/')}*"]


def _bucket(account: str, target: str) -> Json:
    name, _, key = target.partition("/")
    base = {"bucketName": name, "Host": f"{name}.s3.{REGION}.amazonaws.com"}
    return base | {"key": key} if key else base | {"list-type": "2", "prefix": ""}


def _policy_bucket(account: str, target: str) -> Json:
    return {"bucketName": target, "Host": f"{target}.s3.{REGION}.amazonaws.com", "policy": ""}


def _new_policy(account: str, target: str) -> Json:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:role/archive-reader"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{target}/shared/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return _policy_bucket(account, target) | {"bucketPolicy": policy}


def _bucket_arns(account: str, target: str) -> list[tuple[str, str]]:
    name, _, key = target.partition("/")
    objects = [("AWS::S3::Object", f"arn:aws:s3:::{name}/{key}")] if key else []
    return [*objects, ("AWS::S3::Bucket", f"arn:aws:s3:::{name}")]


def _table(account: str, target: str) -> Json:
    return {"tableName": target}


def _table_item(account: str, target: str) -> Json:
    return {"tableName": target, "key": {"id": "HIDDEN_DUE_TO_SECURITY_REASONS"}}


def _table_arns(account: str, target: str) -> list[tuple[str, str]]:
    return [("AWS::DynamoDB::Table", f"arn:aws:dynamodb:{REGION}:{account}:table/{target}")]


def _secret(account: str, target: str) -> Json:
    return {"secretId": f"arn:aws:secretsmanager:{REGION}:{account}:secret:{target}"}


def _new_secret(account: str, target: str) -> Json:
    return _secret(account, target) | {"clientRequestToken": "7d0c8a4e-55b1-4a27-9f0e-2c8b4d1fa6e3"}


def _parameter(account: str, target: str) -> Json:
    return {"name": target, "withDecryption": True}


def _parameter_arns(account: str, target: str) -> list[tuple[str, str]]:
    return [("AWS::SSM::Parameter", f"arn:aws:ssm:{REGION}:{account}:parameter{target}")]


def _role_policy(account: str, target: str) -> Json:
    document = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:GetLogEvents"],'
        f'"Resource":"arn:aws:logs:{REGION}:{account}:log-group:/acme/*"}}]}}'
    )
    return {"roleName": target, "policyName": "ticketed-read", "policyDocument": document}


def _machines(account: str, target: str) -> Json:
    return {"instancesSet": {"items": [{"instanceId": target}]}, "force": False}


def _all_machines(account: str, target: str) -> Json:
    return {"maxResults": 100, "instancesSet": {}, "filterSet": {}}


def _logs(account: str, target: str) -> Json:
    return {"logGroupName": target, "filterPattern": "ERROR", "limit": 100}


def _service(account: str, target: str) -> Json:
    return {"cluster": "main", "service": target, "desiredCount": 4}


def _services(account: str, target: str) -> Json:
    return {"cluster": "main", "services": [target]}


def _task_definition(account: str, target: str) -> Json:
    return {"family": target, "networkMode": "awsvpc", "cpu": "512", "memory": "1024"}


def _stack(account: str, target: str) -> Json:
    return {"stackName": target}


def _function(account: str, target: str) -> Json:
    return {"functionName": f"arn:aws:lambda:{REGION}:{account}:function:{target}"}


def _query(account: str, target: str) -> Json:
    return {"queryString": "HIDDEN_DUE_TO_SECURITY_REASONS", "workGroup": target}


def _results(account: str, target: str) -> Json:
    return {"queryExecutionId": "0b6f3c1e-7f0a-4f5b-9a55-1d0e8c7b2f64"}


def _trail(account: str, target: str) -> Json:
    return {"name": f"arn:aws:cloudtrail:{REGION}:{account}:trail/{target}"}


def _nothing(account: str, target: str) -> None:
    return None


LOOKS = (
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcs",
    "ecs:ListClusters",
    "iam:GetAccountSummary",
    "iam:ListPolicies",
    "iam:ListUsers",
    "kms:ListKeys",
    "lambda:ListFunctions20150331",
    "logs:DescribeLogGroups",
    "rds:DescribeDBInstances",
    "sns:ListTopics",
)
"""Reads that name nothing."""

SHAPES: dict[str, Shape] = {action: Shape(_nothing, is_read=True) for action in LOOKS} | {
    "s3:GetObject": Shape(_bucket, _bucket_arns, is_read=True, is_data=True),
    "s3:PutObject": Shape(_bucket, _bucket_arns, is_data=True),
    "s3:ListObjects": Shape(_bucket, _bucket_arns, is_read=True, is_data=True),
    "s3:GetBucketPolicy": Shape(_policy_bucket, _bucket_arns, is_read=True),
    "s3:PutBucketPolicy": Shape(_new_policy, _bucket_arns),
    "dynamodb:GetItem": Shape(_table_item, _table_arns, is_read=True, is_data=True),
    "dynamodb:PutItem": Shape(_table_item, _table_arns, is_data=True),
    "dynamodb:Query": Shape(_table, _table_arns, is_read=True, is_data=True),
    "dynamodb:Scan": Shape(_table, _table_arns, is_read=True, is_data=True),
    "dynamodb:DescribeTable": Shape(_table, _table_arns, is_read=True),
    "secretsmanager:GetSecretValue": Shape(_secret, is_read=True),
    "secretsmanager:PutSecretValue": Shape(_new_secret),
    "ssm:GetParameter": Shape(_parameter, _parameter_arns, is_read=True),
    "iam:GetRole": Shape(lambda account, target: {"roleName": target}, is_read=True),
    "iam:ListRoles": Shape(_nothing, is_read=True),
    "iam:PutRolePolicy": Shape(_role_policy),
    "iam:DeleteRolePolicy": Shape(lambda account, target: {"roleName": target, "policyName": "ticketed-read"}),
    **{action: Shape(parameters) for action, parameters in RIGHTS.items()},
    "iam:CreateAccessKey": Shape(lambda account, target: {"userName": target}),
    "iam:DeleteAccessKey": Shape(lambda account, target: {"userName": target}),
    "iam:UpdateAccessKey": Shape(lambda account, target: {"userName": target}),
    "ec2:DescribeInstances": Shape(_all_machines, is_read=True),
    "ec2:StopInstances": Shape(_machines),
    "logs:FilterLogEvents": Shape(_logs, is_read=True),
    "logs:CreateLogStream": Shape(lambda account, target: {"logGroupName": target, "logStreamName": "tasks/1"}),
    "ecs:DescribeServices": Shape(_services, is_read=True),
    "ecs:UpdateService": Shape(_service),
    "ecs:RegisterTaskDefinition": Shape(_task_definition),
    "ecr:GetAuthorizationToken": Shape(lambda account, target: {}, is_read=True),
    "ecr:PutImage": Shape(lambda account, target: {"repositoryName": target, "imageTag": "main"}),
    "cloudformation:DescribeStacks": Shape(_stack, is_read=True),
    "cloudformation:UpdateStack": Shape(_stack),
    "lambda:UpdateFunctionCode20150331v2": Shape(_function),
    "lambda:GetFunction20150331v2": Shape(_function, is_read=True),
    "glue:GetTable": Shape(lambda account, target: {"databaseName": "lake", "name": target}, is_read=True),
    "glue:StartJobRun": Shape(lambda account, target: {"jobName": target}),
    "athena:StartQueryExecution": Shape(_query),
    "athena:GetQueryResults": Shape(_results, is_read=True, is_data=True),
    "cloudwatch:PutMetricData": Shape(lambda account, target: {"namespace": "Acme/Batch"}),
    "sqs:GetQueueAttributes": Shape(
        lambda account, target: {"queueUrl": f"https://sqs.{REGION}.amazonaws.com/{account}/{target}"},
        is_read=True,
    ),
    "cloudtrail:DescribeTrails": Shape(lambda account, target: {"includeShadowTrails": False}, is_read=True),
    "cloudtrail:StopLogging": Shape(_trail),
    "cloudtrail:PutEventSelectors": Shape(
        lambda account, target: {
            "trailName": target,
            "eventSelectors": [{"readWriteType": "ReadOnly", "includeManagementEvents": False, "dataResources": []}],
        }
    ),
    "sts:GetCallerIdentity": Shape(_nothing, is_read=True),
}
