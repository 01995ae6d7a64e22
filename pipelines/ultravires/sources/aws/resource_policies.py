"""What calls change of the policies of resources, as a whole: S3, KMS, Secrets Manager, SNS, SQS, ECR and others.

Each is of one shape: a resource is named, and its policy is given as text or as an object, in the parameter that the
API reference of the service names. Services that have such policies:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
S3 (`bucketPolicy`): https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
KMS: https://docs.aws.amazon.com/kms/latest/developerguide/ct-put-key-policy.html

The document is that of the resource, of kind `resource`. One statement that was added by itself is a document of its
own (`permission_statements`), named `<resource>#<sid>`: a part of that of the resource, so that what is written here as
a whole stands in place of the parts too. Not every request names the resource; then it is the one that the record
lists.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ultravires.reading.grants import Json, unwritten, written
from ultravires.sources.aws.arns import curated_arn, queue_arn
from ultravires.sources.aws.changes import Change, Grants, arn_in, identifier, inner, listed_arn, member, regional_arn
from ultravires.sources.aws.policies import statements_of

Resource = Callable[[Change], str | None]
"""Of a call the ARN of the resource whose policy it is about, where the record says it."""


def bucket_of(change: Change) -> str | None:
    """The bucket that a request names, else the one that the record lists."""
    name = identifier(change.request, "bucketName")
    if name is None or name.startswith("arn:"):
        return name or listed_arn(change, "s3")
    return f"arn:{change.partition}:s3:::{name}"


def key_of(change: Change) -> str | None:
    """The key: the answer has its ARN since December 2022, the request its ARN or id."""
    arn = arn_in(change.response, "keyId") or arn_in(change.request, "keyId")
    name = identifier(change.request, "keyId")
    if arn or not name or name.startswith("alias/"):
        return arn or listed_arn(change, "kms")
    return regional_arn(change, "kms", f"key/{name}")


def topic_of(change: Change) -> str | None:
    """The topic, of which only the answer tells when it is made."""
    return arn_in(change.request, "topicArn") or arn_in(change.response, "topicArn")


def queue_of(change: Change) -> str | None:
    """The queue that a URL names, in the answer when it is made."""
    return queue_arn(identifier(change.request, "queueUrl") or identifier(change.response, "queueUrl"))


def _secret_of(change: Change) -> str | None:
    """The answer has the ARN; of a name the one that events name their targets by."""
    arn = arn_in(change.response, "arn") or arn_in(change.request, "secretId") or listed_arn(change, "secretsmanager")
    name = identifier(change.request, "secretId")
    return arn or (curated_arn("secretsmanager", "secretId", name, change.region, change.account) if name else None)


def _repository_of(change: Change) -> str | None:
    name, owner = identifier(change.request, "repositoryName"), identifier(change.request, "registryId")
    return regional_arn(change, "ecr", f"repository/{name}" if name else None, owner) or listed_arn(change, "ecr")


def _named(service: str, parameter: str, opening: str, change: Change) -> str | None:
    """A resource whose name or id stands in one parameter."""
    name = identifier(change.request, parameter)
    return regional_arn(change, service, opening + name if name else None) or listed_arn(change, service)


def _by_arn(change: Change) -> str | None:
    return arn_in(change.request, "resourceArn")


def _catalog_of(change: Change) -> str | None:
    return _by_arn(change) or regional_arn(change, "glue", "catalog")


_file_system = partial(_named, "elasticfilesystem", "fileSystemId", "file-system/")
_vault = partial(_named, "backup", "backupVaultName", "backup-vault:")
_domain = partial(_named, "es", "domainName", "domain/")


def _put(resource: Resource, document: str, change: Change) -> list[Json]:
    """The call always writes it, so where it is not to be read it has changed all the same."""
    held = resource(change)
    return [written(held, statements_of(member(change.request, document)), kind="resource")] if held else []


def _put_if_given(resource: Resource, document: str, change: Change) -> list[Json]:
    """The call writes it among other settings; an empty text takes it away."""
    return _set(resource(change), member(change.request, document))


def _set(held: str | None, document: Any) -> list[Json]:
    if held is None or document is None:
        return []
    if document == "":
        return [unwritten(held, kind="resource")]
    return [written(held, statements_of(document), kind="resource")]


def _deleted(resource: Resource, change: Change) -> list[Json]:
    held = resource(change)
    return [unwritten(held, kind="resource")] if held else []


def _topic_set(change: Change) -> list[Json]:
    """One attribute in each call."""
    held = topic_of(change)
    if held is None or member(change.request, "attributeName") != "Policy":
        return []
    return [written(held, statements_of(member(change.request, "attributeValue")), kind="resource")]


def _attributes_set(resource: Resource, change: Change) -> list[Json]:
    attributes = inner(change.request, "attributes") or inner(change.request, "attribute")
    return _set(resource(change), member(attributes, "Policy"))


def _key_made(change: Change) -> list[Json]:
    """A key that is made without a policy gets the usual one, which the record does not show."""
    return _set(arn_in(inner(change.response, "keyMetadata"), "arn"), member(change.request, "policy") or None)


RESOURCE_POLICIES: dict[str, Grants] = {
    "s3:PutBucketPolicy": partial(_put, bucket_of, "bucketPolicy"),
    "s3:DeleteBucketPolicy": partial(_deleted, bucket_of),
    "kms:PutKeyPolicy": partial(_put, key_of, "policy"),
    "kms:CreateKey": _key_made,
    "secretsmanager:PutResourcePolicy": partial(_put, _secret_of, "resourcePolicy"),
    "secretsmanager:DeleteResourcePolicy": partial(_deleted, _secret_of),
    "sns:SetTopicAttributes": _topic_set,
    "sns:CreateTopic": partial(_attributes_set, topic_of),
    "sns:DeleteTopic": partial(_deleted, topic_of),
    "sqs:SetQueueAttributes": partial(_attributes_set, queue_of),
    "sqs:CreateQueue": partial(_attributes_set, queue_of),
    "sqs:DeleteQueue": partial(_deleted, queue_of),
    "ecr:SetRepositoryPolicy": partial(_put, _repository_of, "policyText"),
    "ecr:DeleteRepositoryPolicy": partial(_deleted, _repository_of),
    "ecr:DeleteRepository": partial(_deleted, _repository_of),
    "dynamodb:PutResourcePolicy": partial(_put, _by_arn, "policy"),
    "dynamodb:DeleteResourcePolicy": partial(_deleted, _by_arn),
    "kinesis:PutResourcePolicy": partial(_put, _by_arn, "policy"),
    "kinesis:DeleteResourcePolicy": partial(_deleted, _by_arn),
    "acm-pca:PutPolicy": partial(_put, _by_arn, "policy"),
    "acm-pca:DeletePolicy": partial(_deleted, _by_arn),
    "glue:PutResourcePolicy": partial(_put, _catalog_of, "policyInJson"),
    "glue:DeleteResourcePolicy": partial(_deleted, _catalog_of),
    "elasticfilesystem:PutFileSystemPolicy": partial(_put, _file_system, "policy"),
    "elasticfilesystem:DeleteFileSystemPolicy": partial(_deleted, _file_system),
    "backup:PutBackupVaultAccessPolicy": partial(_put, _vault, "policy"),
    "backup:DeleteBackupVaultAccessPolicy": partial(_deleted, _vault),
    "es:UpdateDomainConfig": partial(_put_if_given, _domain, "accessPolicies"),
    "es:UpdateElasticsearchDomainConfig": partial(_put_if_given, _domain, "accessPolicies"),
}
"""Operation -> what a successful call of it changes."""
