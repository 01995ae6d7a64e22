"""What only a call's parameters say of its effects: whether a change of a setting weakens something or not, and whether
what is opened is open to everybody (reading/effects.py).

An action that is in no table here does what build/action_effects/aws.csv says. A call that failed was meant all the
same. Members of requests are named as https://docs.aws.amazon.com/awscloudtrail/ shows them: as the API of each service
does, in camelCase. What a call changes of who holds what, policies of resources among it, is said as grants.
"""

import ipaddress
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ultravires.reading.effects import Json, effect, no_effect
from ultravires.reading.values import integer, mapping, sequence, text, truth
from ultravires.sources.aws.changes import Change, member

Effects = Callable[[Change], list[Json]]
_MOST_ITEMS = 500
_ADMIN_PORTS = (22, 23, 135, 445, 1433, 1521, 2375, 3306, 3389, 5432, 5985, 5986, 6379, 9200, 11211, 27017)
"""Ports of shells, remote desktops and databases: on these the whole internet has no business."""
_SHORTEST_RETENTION_DAYS = 90
"""For so long CloudTrail itself keeps events; a log that is kept for less shows less than the console does:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html"""
_SHORT_EXPIRY_DAYS = 7
_WORDS_OF_LOGS = ("trail", "log", "audit")


def _weakens(what: str, is_weaker: bool) -> list[Json]:
    """The effect `weakens_evidence` or `weakens_guard`, or that there is none."""
    named: Any = what
    return [effect(named)] if is_weaker else [no_effect(named)]


def _items(value: Any) -> Iterator[dict[str, Any]]:
    """The members of a list, also of one that a service writes as `{"items": [...]}`."""
    listed = value if type(value) is list else sequence(mapping(value).get("items"))
    return map(mapping, islice(listed, _MOST_ITEMS))


def _is_off(members: dict[str, Any], *names: str) -> bool:
    return any(truth(member(members, name)) is False for name in names)


def _is_on(members: dict[str, Any], name: str) -> bool:
    return truth(member(members, name)) is True


# Evidence


def _selectors(change: Change) -> list[Json]:
    """A trail that no longer records every management event, reading and writing, shows less."""
    basic = list(_items(change.request.get("eventSelectors")))
    advanced = list(_items(change.request.get("advancedEventSelectors")))
    is_whole = any(
        text(member(each, "readWriteType")) in (None, "All") and not _is_off(each, "includeManagementEvents")
        for each in basic
    ) or any(_is_of_all_management(each) for each in advanced)
    return _weakens("weakens_evidence", not is_whole)


def _is_of_all_management(selector: dict[str, Any]) -> bool:
    fields = list(_items(member(selector, "fieldSelectors")))
    categories = [sequence(member(each, "equals")) for each in fields if member(each, "field") == "eventCategory"]
    return ["Management"] in categories and len(fields) == 1


def _trail(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateTrail.html"""
    narrower = ("isMultiRegionTrail", "includeGlobalServiceEvents", "enableLogFileValidation", "isOrganizationTrail")
    return _weakens("weakens_evidence", _is_off(change.request, *narrower))


def _insights(change: Change) -> list[Json]:
    return _weakens("weakens_evidence", not any(_items(change.request.get("insightSelectors"))))


def _event_data_store(change: Change) -> list[Json]:
    evidence = _weakens("weakens_evidence", _is_off(change.request, "multiRegionEnabled", "organizationEnabled"))
    return evidence + ([effect("weakens_guard")] if _is_off(change.request, "terminationProtectionEnabled") else [])


def _detector(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_UpdateDetector.html"""
    is_feature_off = any(member(each, "status") == "DISABLED" for each in _items(change.request.get("features")))
    sources = mapping(change.request.get("dataSources"))
    is_source_off = any(_is_off(mapping(each), "enable") for each in islice(sources.values(), _MOST_ITEMS))
    return _weakens("weakens_evidence", _is_off(change.request, "enable") or is_feature_off or is_source_off)


def _finding_filter(change: Change) -> list[Json]:
    return _weakens("weakens_evidence", text(change.request.get("action")) == "ARCHIVE")


def _macie(change: Change) -> list[Json]:
    return _weakens("weakens_evidence", text(change.request.get("status")) == "PAUSED")


def _retention(change: Change) -> list[Json]:
    days = integer(change.request.get("retentionInDays"))
    return _weakens("weakens_evidence", days is not None and days < _SHORTEST_RETENTION_DAYS)


def _bucket_logging(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html: an empty status turns it off."""
    status = mapping(member(change.request, "BucketLoggingStatus"))
    return _weakens("weakens_evidence", not mapping(member(status, "LoggingEnabled")))


def _lifecycle(change: Change) -> list[Json]:
    """Objects that expire within days are gone; where they are logs, so is the evidence."""
    rules = member(mapping(member(change.request, "LifecycleConfiguration")), "Rule")
    listed = rules if type(rules) is list else [rules]
    expiries = [mapping(member(mapping(each), "Expiration")) for each in listed[:_MOST_ITEMS]]
    days = [found for each in expiries if (found := integer(member(each, "Days"))) is not None]
    if not days or min(days) > _SHORT_EXPIRY_DAYS:
        return [no_effect("weakens_guard")]
    bucket = (text(member(change.request, "bucketName")) or "").lower()
    is_of_logs = any(word in bucket for word in _WORDS_OF_LOGS)
    return [no_effect("weakens_guard"), effect("weakens_evidence" if is_of_logs else "destroys")]


def _cluster(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterConfig.html"""
    logging = mapping(change.request.get("logging"))
    is_off = any(_is_off(each, "enabled") for each in _items(member(logging, "clusterLogging")))
    network = mapping(change.request.get("resourcesVpcConfig"))
    is_open = _is_on(network, "endpointPublicAccess") and any(
        _is_everywhere(each) for each in sequence(member(network, "publicAccessCidrs"))[:_MOST_ITEMS]
    )
    return _weakens("weakens_evidence", is_off) + ([effect("exposes", target="public")] if is_open else [])


def _load_balancer(change: Change) -> list[Json]:
    attributes = {
        text(member(each, "key")): text(member(each, "value")) for each in _items(change.request.get("attributes"))
    }
    is_guard_off = attributes.get("deletion_protection.enabled") == "false"
    evidence = _weakens("weakens_evidence", attributes.get("access_logs.s3.enabled") == "false")
    return evidence + ([effect("weakens_guard")] if is_guard_off else [])


# Guards


def _versioning(change: Change) -> list[Json]:
    configuration = mapping(member(change.request, "VersioningConfiguration"))
    is_weaker = text(member(configuration, "Status")) not in (None, "Enabled")
    return _weakens("weakens_guard", is_weaker or text(member(configuration, "MfaDelete")) in ("Disabled", "false"))


def _public_access_block(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html"""
    configuration = mapping(member(change.request, "PublicAccessBlockConfiguration"))
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return _weakens("weakens_guard", _is_off(configuration, *names))


def _ownership(change: Change) -> list[Json]:
    rules = member(mapping(member(change.request, "OwnershipControls")), "Rule")
    listed = rules if type(rules) is list else [rules]
    owners = [member(mapping(each), "ObjectOwnership") for each in listed[:_MOST_ITEMS]]
    return _weakens("weakens_guard", any(owner in ("ObjectWriter", "BucketOwnerPreferred") for owner in owners))


def _database(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html"""
    found = _weakens("weakens_guard", _is_off(change.request, "deletionProtection"))
    if member(change.request, "masterUserPassword") is not None:
        found.append(effect("issues_credential"))
    return found + _if_public(change)


def _if_public(change: Change) -> list[Json]:
    return [effect("exposes", target="public")] if _is_on(change.request, "publiclyAccessible") else []


def _metadata_options(change: Change) -> list[Json]:
    """Without a session token whoever can have the machine fetch an address gets its credentials:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
    """
    options = mapping(member(change.request, "ModifyInstanceMetadataOptionsRequest")) or change.request
    return _weakens("weakens_guard", text(member(options, "httpTokens")) == "optional")


def _subnet(change: Change) -> list[Json]:
    return _weakens("weakens_guard", _is_on(mapping(member(change.request, "mapPublicIpOnLaunch")), "value"))


# What runs, and whose it is


def _machine(change: Change) -> list[Json]:
    """Only its user data is code: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html"""
    is_unprotected = _is_off(mapping(member(change.request, "disableApiTermination")), "value")
    guard = [effect("weakens_guard")] if is_unprotected else []
    is_code = member(change.request, "userData") is not None or member(change.request, "attribute") == "userData"
    return guard if is_code else [*guard, no_effect("runs_code"), effect("changes_workload")]


def _access_key(change: Change) -> list[Json]:
    is_active = text(change.request.get("status")) == "Active"
    return [] if is_active else [no_effect("issues_credential"), effect("takes_power", target="identity")]


def _parameters(change: Change) -> list[Json]:
    """Only what is decrypted is a secret that was read."""
    return [effect("reads_secret")] if _is_on(change.request, "withDecryption") else []


def _copy(change: Change) -> list[Json]:
    """An object that is written anew under a key of another account, or one that only its caller has, is lost to its
    owner once the first is gone: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
    """
    has_own_key = member(change.request, "x-amz-server-side-encryption-customer-algorithm") is not None
    return [effect("ransoms")] if has_own_key or _is_foreign_key(change.request, change.account) else []


def _bucket_encryption(change: Change) -> list[Json]:
    rules = member(mapping(member(change.request, "ServerSideEncryptionConfiguration")), "Rule")
    listed = rules if type(rules) is list else [rules]
    defaults = [mapping(member(mapping(each), "ApplyServerSideEncryptionByDefault")) for each in listed[:_MOST_ITEMS]]
    keys = [text(member(each, "KMSMasterKeyID")) for each in defaults]
    return [effect("ransoms")] if any(_is_of_another(key, change.account) for key in keys) else []


def _is_foreign_key(request: dict[str, Any], account: str | None) -> bool:
    return _is_of_another(text(member(request, "x-amz-server-side-encryption-aws-kms-key-id")), account)


def _is_of_another(arn: str | None, account: str | None) -> bool:
    owner = arn.split(":")[4] if arn and arn.startswith("arn:") and arn.count(":") >= 5 else None
    return bool(owner and account and owner != account)


# Exposure


def _ingress(change: Change) -> list[Json]:
    """The whole internet on ports of administration, on all ports, or by any protocol."""
    permissions = [*_items(change.request.get("ipPermissions")), change.request]
    is_public = any(_is_open(each) for each in permissions)
    return [effect("exposes", target="public", uids=_group(change))] if is_public else []


def _group(change: Change) -> list[str]:
    name = text(change.request.get("groupId")) or text(change.request.get("groupName"))
    return [name] if name else []


def _is_open(permission: dict[str, Any]) -> bool:
    ranges = [
        *(member(each, "cidrIp") for each in _items(permission.get("ipRanges"))),
        *(member(each, "cidrIpv6") for each in _items(permission.get("ipv6Ranges"))),
        permission.get("cidrIp"),
    ]
    return any(map(_is_everywhere, ranges)) and _has_admin_port(permission, "ipProtocol")


def _has_admin_port(permission: dict[str, Any], protocol: str) -> bool:
    if text(member(permission, protocol)) == "-1":
        return True
    first, last = integer(member(permission, "fromPort")), integer(member(permission, "toPort"))
    if first is None or first < 0:
        return True
    return any(first <= port <= (first if last is None else last) for port in _ADMIN_PORTS)


def _acl_entry(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html"""
    request = change.request
    ports = mapping(member(request, "portRange"))
    shaped = {"ipProtocol": member(request, "aclProtocol"), "fromPort": ports.get("from"), "toPort": ports.get("to")}
    is_allowed = text(member(request, "ruleAction")) == "allow" and not _is_on(request, "egress")
    is_public = is_allowed and _is_everywhere(member(request, "cidrBlock")) and _has_admin_port(shaped, "ipProtocol")
    return [effect("exposes", target="public")] if is_public else []


def _is_everywhere(network: Any) -> bool:
    try:
        return ipaddress.ip_network(network).prefixlen == 0
    except (ValueError, TypeError):
        return False


def _function_url(change: Change) -> list[Json]:
    is_open = text(change.request.get("authType")) == "NONE"
    return [effect("exposes", target="public")] if is_open else [no_effect("exposes")]


def _project_visibility(change: Change) -> list[Json]:
    is_open = text(change.request.get("projectVisibility")) == "PUBLIC_READ"
    return [effect("exposes", target="public")] if is_open else [no_effect("exposes")]


def _queue(change: Change) -> list[Json]:
    has_policy = member(mapping(member(change.request, "attributes")), "Policy") is not None
    return [] if has_policy else [no_effect("exposes")]


def _topic(change: Change) -> list[Json]:
    return [] if text(change.request.get("attributeName")) == "Policy" else [no_effect("exposes")]


EFFECTS: dict[str, Effects] = {
    "cloudtrail:PutEventSelectors": _selectors,
    "cloudtrail:UpdateTrail": _trail,
    "cloudtrail:PutInsightSelectors": _insights,
    "cloudtrail:UpdateEventDataStore": _event_data_store,
    "guardduty:UpdateDetector": _detector,
    "guardduty:CreateFilter": _finding_filter,
    "guardduty:UpdateFilter": _finding_filter,
    "macie2:UpdateMacieSession": _macie,
    "macie:UpdateMacieSession": _macie,
    "logs:PutRetentionPolicy": _retention,
    "s3:PutBucketLogging": _bucket_logging,
    "s3:PutBucketLifecycle": _lifecycle,
    "s3:PutBucketLifecycleConfiguration": _lifecycle,
    "eks:UpdateClusterConfig": _cluster,
    "elasticloadbalancing:ModifyLoadBalancerAttributes": _load_balancer,
    "s3:PutBucketVersioning": _versioning,
    "s3:PutBucketPublicAccessBlock": _public_access_block,
    "s3:PutAccountPublicAccessBlock": _public_access_block,
    "s3:PutBucketOwnershipControls": _ownership,
    "rds:ModifyDBInstance": _database,
    "rds:ModifyDBCluster": _database,
    "rds:CreateDBInstance": _if_public,
    "rds:RestoreDBInstanceFromDBSnapshot": _if_public,
    "ec2:ModifyInstanceMetadataOptions": _metadata_options,
    "ec2:ModifySubnetAttribute": _subnet,
    "ec2:ModifyInstanceAttribute": _machine,
    "iam:UpdateAccessKey": _access_key,
    "ssm:GetParameter": _parameters,
    "ssm:GetParameters": _parameters,
    "ssm:GetParametersByPath": _parameters,
    "ssm:GetParameterHistory": _parameters,
    "s3:CopyObject": _copy,
    "s3:PutObject": _copy,
    "s3:PutBucketEncryption": _bucket_encryption,
    "ec2:AuthorizeSecurityGroupIngress": _ingress,
    "ec2:CreateNetworkAclEntry": _acl_entry,
    "ec2:ReplaceNetworkAclEntry": _acl_entry,
    "lambda:CreateFunctionUrlConfig": _function_url,
    "lambda:UpdateFunctionUrlConfig": _function_url,
    "codebuild:UpdateProjectVisibility": _project_visibility,
    "sqs:SetQueueAttributes": _queue,
    "sns:SetTopicAttributes": _topic,
}
"""What a call says of its own effects, by its action."""
