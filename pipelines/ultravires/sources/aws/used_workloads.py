"""What calls of AWS do with workloads, credentials, secrets and keys, where only their parameters say it."""

import re

from ultravires.reading.effects import Json, effect, no_effect
from ultravires.reading.values import text
from ultravires.sources.aws.asked import Effects, is_of_another, is_off, is_on, items
from ultravires.sources.aws.changes import Change, inner, member

_CODE_OF_FUNCTION = ("layers", "handler", "environment", "runtime", "role", "imageConfig", "fileSystemConfigs")
"""Settings of a function by which other code runs, or the same code differently or as somebody else."""
_ACCELERATED = re.compile(r"(dl|f|g|gr|inf|p|trn|vt)\d[\w-]*\.[\w-]+")
"""Types of machines with processors for learning, graphics or computing at a scale that few need, and that thieves of
computing time choose: https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html"""
_LONGEST_TYPE = 64
_OWN_KEY = "x-amz-server-side-encryption-customer-algorithm"
_KEY = "x-amz-server-side-encryption-aws-kms-key-id"


def _machine(change: Change) -> list[Json]:
    """Only its user data is code: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html"""
    is_unprotected = is_off(inner(change.request, "disableApiTermination"), "value")
    guard = [effect("weakens_guard")] if is_unprotected else []
    is_code = member(change.request, "userData") is not None or member(change.request, "attribute") == "userData"
    return guard if is_code else [*guard, no_effect("runs_code"), effect("changes_workload")]


def _function(change: Change) -> list[Json]:
    """How long it may run and how much memory it has change what it does not:
    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
    """
    given = [name for name in _CODE_OF_FUNCTION if member(change.request, name) is not None]
    if not given:
        return [no_effect("runs_code"), effect("changes_workload")]
    return [effect("grants_power")] if "role" in given else []


def _with_profile(change: Change) -> list[Json]:
    """A machine that gets a role runs what its caller lets it run, with that role's power:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    One with much computing power is of use by itself.
    """
    specification = inner(change.request, "launchSpecification") or change.request
    kind = (text(member(specification, "instanceType")) or "")[:_LONGEST_TYPE]
    launched = [effect("changes_workload", power="data")] if _ACCELERATED.fullmatch(kind) else []
    return _with_role(bool(member(specification, "iamInstanceProfile"))) + launched


def _with_role_of_stack(change: Change) -> list[Json]:
    return _with_role(bool(member(change.request, "roleARN")))


def _with_role_of_task(change: Change) -> list[Json]:
    return _with_role(bool(member(change.request, "taskRoleArn")))


def _with_role_of_tasks(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html"""
    overrides = inner(change.request, "overrides")
    has_role = bool(member(overrides, "taskRoleArn"))
    has_command = any(member(each, "command") for each in items(member(overrides, "containerOverrides")))
    return [
        *([effect("grants_power")] if has_role else []),
        *([effect("runs_code")] if has_role or has_command else []),
    ]


def _build(change: Change) -> list[Json]:
    """A build of what stands in the project, or of what its caller puts in the place of that:
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
    """
    names = ("buildspecOverride", "sourceLocationOverride", "imageOverride")
    is_other = any(member(change.request, name) is not None for name in names)
    has_role = member(change.request, "serviceRoleOverride") is not None
    return [*([effect("runs_code")] if is_other else []), *([effect("grants_power")] if has_role else [])]


def _with_role(has_role: bool) -> list[Json]:
    return [effect("runs_code"), effect("grants_power")] if has_role else []


def _access_key(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html"""
    is_active = text(member(change.request, "status")) == "Active"
    return [] if is_active else [no_effect("issues_credential"), effect("takes_power", target="identity")]


def _parameters(change: Change) -> list[Json]:
    """Only what is decrypted is a secret that was read."""
    return [effect("reads_secret")] if is_on(change.request, "withDecryption") else []


def _object(change: Change) -> list[Json]:
    """An object that is written anew under a key of another account, or one that only its caller has, is lost to its
    owner once the first is gone: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
    Headers are always in small letters, and there are very many of these calls.
    """
    request = change.request
    return [effect("ransoms")] if _OWN_KEY in request or is_of_another(request.get(_KEY), change.account) else []


def _bucket_encryption(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html"""
    rules = items(member(inner(change.request, "ServerSideEncryptionConfiguration"), "Rule", "Rules"))
    keys = [member(inner(each, "ApplyServerSideEncryptionByDefault"), "KMSMasterKeyID") for each in rules]
    return [effect("ransoms")] if any(is_of_another(key, change.account) for key in keys) else []


def _copy_under_key(change: Change) -> list[Json]:
    """A copy, a disk or a database under a key of another account is that account's to read or not."""
    return [effect("ransoms")] if is_of_another(member(change.request, "kmsKeyId"), change.account) else []


USED_WORKLOADS: dict[str, Effects] = {
    "autoscaling:CreateLaunchConfiguration": _with_profile,
    "cloudformation:CreateStack": _with_role_of_stack,
    "codebuild:StartBuild": _build,
    "codebuild:StartBuildBatch": _build,
    "ec2:CopyImage": _copy_under_key,
    "ec2:CopySnapshot": _copy_under_key,
    "ec2:CreateVolume": _copy_under_key,
    "ec2:ModifyEbsDefaultKmsKeyId": _copy_under_key,
    "ec2:ModifyInstanceAttribute": _machine,
    "ec2:RequestSpotInstances": _with_profile,
    "ec2:RunInstances": _with_profile,
    "ecs:RegisterTaskDefinition": _with_role_of_task,
    "ecs:RunTask": _with_role_of_tasks,
    "iam:UpdateAccessKey": _access_key,
    "lambda:UpdateFunctionConfiguration20150331v2": _function,
    "rds:CopyDBClusterSnapshot": _copy_under_key,
    "rds:CopyDBSnapshot": _copy_under_key,
    "s3:CopyObject": _object,
    "s3:PutBucketEncryption": _bucket_encryption,
    "s3:PutObject": _object,
    "ssm:GetParameter": _parameters,
    "ssm:GetParameterHistory": _parameters,
    "ssm:GetParameters": _parameters,
    "ssm:GetParametersByPath": _parameters,
}
"""Action -> what its call says of what runs, of credentials, and of keys."""
