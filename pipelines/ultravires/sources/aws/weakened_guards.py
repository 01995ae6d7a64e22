"""Which calls of AWS take a protection away or make it wider, where only their parameters say it."""

from typing import Any

from ultravires.reading.effects import Json, effect, no_effect
from ultravires.reading.values import mapping, text
from ultravires.sources.aws.asked import Effects, is_off, is_on, items, names_in, number, weakens
from ultravires.sources.aws.changes import Change, inner, member

_SHORTEST_PASSWORD = 14
"""What the CIS benchmark for AWS asks of passwords of IAM users; IAM itself asks for 8."""
_WIDEST = 1
"""The greatest network that WAF takes is half of the internet, `/1`:
https://docs.aws.amazon.com/waf/latest/APIReference/API_UpdateIPSet.html"""


def _versioning(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html"""
    configuration = inner(change.request, "VersioningConfiguration")
    is_weaker = text(member(configuration, "Status")) not in (None, "Enabled")
    return weakens("weakens_guard", is_weaker or text(member(configuration, "MfaDelete")) in ("Disabled", "false"))


def _public_access_block(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html"""
    configuration = inner(change.request, "PublicAccessBlockConfiguration")
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return weakens("weakens_guard", is_off(configuration, *names))


def _clusters_public_access_block(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/emr/latest/APIReference/API_PutBlockPublicAccessConfiguration.html"""
    configuration = inner(change.request, "blockPublicAccessConfiguration")
    return weakens("weakens_guard", is_off(configuration, "blockPublicSecurityGroupRules"))


def _ownership(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html: lists count again."""
    rules = items(member(inner(change.request, "OwnershipControls"), "Rule", "Rules"))
    owners = [member(each, "ObjectOwnership") for each in rules]
    return weakens("weakens_guard", any(owner in ("ObjectWriter", "BucketOwnerPreferred") for owner in owners))


def _object_lock(change: Change) -> list[Json]:
    """Without a rule new objects are not kept:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html
    """
    return weakens("weakens_guard", not inner(change.request, "ObjectLockConfiguration", "Rule"))


def _database(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html: no days of retention are no
    backups.
    """
    is_weaker = is_off(change.request, "deletionProtection") or number(change.request, "backupRetentionPeriod") == 0
    found = weakens("weakens_guard", is_weaker)
    if member(change.request, "masterUserPassword") is not None:
        found.append(effect("issues_credential"))
    return found + ([effect("exposes", target="public")] if is_on(change.request, "publiclyAccessible") else [])


def _table(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html"""
    return [effect("weakens_guard")] if is_off(change.request, "deletionProtectionEnabled") else []


def _table_backups(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html"""
    settings = inner(change.request, "pointInTimeRecoverySpecification")
    return weakens("weakens_guard", is_off(settings, "pointInTimeRecoveryEnabled"))


def _protection(name: str, change: Change) -> list[Json]:
    return weakens("weakens_guard", is_off(change.request, name))


def _stack(change: Change) -> list[Json]:
    return _protection("enableTerminationProtection", change)


def _log_group(change: Change) -> list[Json]:
    return _protection("deletionProtectionEnabled", change)


def _user_pool(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html"""
    is_unprotected = text(member(change.request, "deletionProtection")) == "INACTIVE"
    return [effect("weakens_guard")] if is_unprotected or _has_no_factor(change) else []


def _factor_of_user_pool(change: Change) -> list[Json]:
    return weakens("weakens_guard", _has_no_factor(change))


def _has_no_factor(change: Change) -> bool:
    return text(member(change.request, "mfaConfiguration")) in ("OFF", "OPTIONAL")


def _factor_of_user(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminSetUserMFAPreference.html"""
    request = change.request
    settings = [mapping(member(request, name)) for name in ("sMSMfaSettings", "softwareTokenMfaSettings")]
    return weakens("weakens_guard", any(is_off(each, "enabled") for each in settings))


def _factor_of_directory(change: Change) -> list[Json]:
    """How often Identity Center asks for a second factor, as its console sets it. The same call sets other things."""
    words = _words_in(member(change.request, "ssoConfiguration", "configuration"), depth=4)
    about = {name for name, _ in words if "mfa" in name}
    is_off_now = any("mfa" in name and value in ("DISABLED", "NEVER", "OFF", "false") for name, value in words)
    return weakens("weakens_guard", bool(about) and is_off_now)


def _words_in(value: Any, *, depth: int) -> list[tuple[str, str]]:
    """(name in small letters, value) of all settings in an object, however deep."""
    if not depth:
        return []
    found = []
    for name, held in list(mapping(value).items())[:100]:
        if type(held) is dict:
            found += _words_in(held, depth=depth - 1)
        elif type(held) in (str, bool):
            found.append((name.lower(), str(held).lower() if type(held) is bool else held))
    return found


def _passwords(change: Change) -> list[Json]:
    """What is not said is as by default, so that the policy is what the call says:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html
    """
    length = number(change.request, "minimumPasswordLength")
    is_strict = length is not None and length >= _SHORTEST_PASSWORD
    return [no_effect("weakens_guard")] if is_strict else []


def _metadata_options(change: Change) -> list[Json]:
    """Without a session token whoever can have the machine fetch an address gets its credentials:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
    """
    options = inner(change.request, "ModifyInstanceMetadataOptionsRequest") or change.request
    return weakens("weakens_guard", text(member(options, "httpTokens")) == "optional")


def _subnet(change: Change) -> list[Json]:
    return weakens("weakens_guard", is_on(inner(change.request, "mapPublicIpOnLaunch"), "value"))


def _addresses(change: Change) -> list[Json]:
    """A list of addresses that is emptied blocks nobody, and one of half of the internet lets everybody in. What a
    longer list was before, its call does not say.
    """
    listed = member(change.request, "addresses")
    if type(listed) is not list:
        return []
    lengths = [name.rpartition("/")[2] for name in names_in(listed)]
    return weakens(
        "weakens_guard", not lengths or any(length.isdigit() and int(length[:4]) <= _WIDEST for length in lengths)
    )


def _tags(change: Change) -> list[Json]:
    """Images whose tags can be written anew: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/"""
    return weakens("weakens_guard", text(member(change.request, "imageTagMutability")) == "MUTABLE")


def _image_scan(change: Change) -> list[Json]:
    settings = inner(change.request, "imageScanningConfiguration")
    return weakens("weakens_guard", is_off(settings, "scanOnPush"))


def _setting(change: Change) -> list[Json]:
    """Whether documents may be public:
    https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-ssm-sharing.html
    """
    name, value = text(member(change.request, "settingId")) or "", text(member(change.request, "settingValue"))
    return weakens("weakens_guard", name.endswith("/public-sharing-permission") and value == "Enable")


WEAKENED_GUARDS: dict[str, Effects] = {
    "cloudformation:UpdateTerminationProtection": _stack,
    "cognito-idp:AdminSetUserMFAPreference": _factor_of_user,
    "cognito-idp:SetUserPoolMfaConfig": _factor_of_user_pool,
    "cognito-idp:UpdateUserPool": _user_pool,
    "dynamodb:UpdateContinuousBackups": _table_backups,
    "dynamodb:UpdateTable": _table,
    "ec2:ModifyInstanceMetadataOptions": _metadata_options,
    "ec2:ModifySubnetAttribute": _subnet,
    "ecr:PutImageScanningConfiguration": _image_scan,
    "ecr:PutImageTagMutability": _tags,
    "elasticmapreduce:PutBlockPublicAccessConfiguration": _clusters_public_access_block,
    "iam:UpdateAccountPasswordPolicy": _passwords,
    "logs:PutLogGroupDeletionProtection": _log_group,
    "rds:ModifyDBCluster": _database,
    "rds:ModifyDBInstance": _database,
    "s3:PutAccountPublicAccessBlock": _public_access_block,
    "s3:PutBucketOwnershipControls": _ownership,
    "s3:PutBucketPublicAccessBlock": _public_access_block,
    "s3:PutBucketVersioning": _versioning,
    "s3:PutObjectLockConfiguration": _object_lock,
    "s3:PutBucketObjectLockConfiguration": _object_lock,
    "ssm:UpdateServiceSetting": _setting,
    "sso:UpdateSsoConfiguration": _factor_of_directory,
    "wafv2:UpdateIPSet": _addresses,
}
"""Action -> what its call says of guards, and of what else is set with them."""
