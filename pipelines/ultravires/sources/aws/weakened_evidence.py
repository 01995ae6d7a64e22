"""Which calls of AWS have less logged, kept or watched than before, where only their parameters say it."""

from typing import Any

from ultravires.reading.effects import Json, effect, no_effect
from ultravires.reading.values import integer, mapping, sequence, text
from ultravires.sources.aws.asked import MOST_ITEMS, Effects, is_everywhere, is_off, is_on, items, number, weakens
from ultravires.sources.aws.changes import Change, inner, member

_SHORTEST_RETENTION_DAYS = 90
"""For so long CloudTrail itself keeps events; a log that is kept for less shows less than the console does:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html"""
_SHORT_EXPIRY_DAYS = 7
_WORDS_OF_LOGS = ("trail", "log", "audit")
_SELDOM = "SIX_HOURS"
"""The longest time after which GuardDuty and Macie tell of what goes on."""


def _selectors(change: Change) -> list[Json]:
    """A trail that no longer records every management event, reading and writing, shows less."""
    basic, advanced = items(member(change.request, "eventSelectors")), member(change.request, "advancedEventSelectors")
    is_whole = any(
        text(member(each, "readWriteType")) in (None, "All") and not is_off(each, "includeManagementEvents")
        for each in basic
    ) or any(_is_of_all_management(each) for each in items(advanced))
    return weakens("weakens_evidence", not is_whole)


def _is_of_all_management(selector: dict[str, Any]) -> bool:
    fields = list(items(member(selector, "fieldSelectors")))
    categories = [sequence(member(each, "equals")) for each in fields if member(each, "field") == "eventCategory"]
    return ["Management"] in categories and len(fields) == 1


def _trail(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateTrail.html"""
    narrower = ("isMultiRegionTrail", "includeGlobalServiceEvents", "enableLogFileValidation", "isOrganizationTrail")
    return weakens("weakens_evidence", is_off(change.request, *narrower))


def _insights(change: Change) -> list[Json]:
    return weakens("weakens_evidence", not any(items(member(change.request, "insightSelectors"))))


def _event_data_store(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateEventDataStore.html"""
    days = number(change.request, "retentionPeriod")
    is_short = days is not None and days < _SHORTEST_RETENTION_DAYS
    evidence = weakens(
        "weakens_evidence", is_short or is_off(change.request, "multiRegionEnabled", "organizationEnabled")
    )
    return evidence + ([effect("weakens_guard")] if is_off(change.request, "terminationProtectionEnabled") else [])


def _recorder(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/config/latest/APIReference/API_RecordingGroup.html: all types, or some of them."""
    group = inner(change.request, "configurationRecorder", "recordingGroup")
    return [effect("weakens_evidence")] if is_off(group, "allSupported") else []


def _detector(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_UpdateDetector.html"""
    is_less = is_off(change.request, "enable") or _is_feature_off(change)
    return weakens("weakens_evidence", is_less) + _told_seldom(change)


def _member_detectors(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/guardduty/latest/APIReference/API_UpdateMemberDetectors.html"""
    return weakens("weakens_evidence", _is_feature_off(change))


def _is_feature_off(change: Change) -> bool:
    features = items(member(change.request, "features"))
    sources = list(mapping(member(change.request, "dataSources")).values())[:MOST_ITEMS]
    return any(member(each, "status") == "DISABLED" for each in features) or any(map(_is_source_off, sources))


def _is_source_off(source: Any) -> bool:
    """A source of GuardDuty's, or one that has parts: `{"kubernetes": {"auditLogs": {"enable": false}}}`."""
    held = mapping(source)
    return is_off(held, "enable") or any(is_off(mapping(part), "enable") for part in list(held.values())[:MOST_ITEMS])


def _told_seldom(change: Change) -> list[Json]:
    return [effect("weakens_guard")] if member(change.request, "findingPublishingFrequency") == _SELDOM else []


def _new_members(change: Change) -> list[Json]:
    """Accounts that join are no longer watched without being asked: `autoEnable` of an organisation, off."""
    is_none = member(change.request, "autoEnableOrganizationMembers") == "NONE"
    return weakens("weakens_evidence", is_none or is_off(change.request, "autoEnable"))


def _finding_filter(change: Change) -> list[Json]:
    return weakens("weakens_evidence", text(member(change.request, "action")) == "ARCHIVE")


def _macie(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/macie/latest/APIReference/macie.html"""
    is_paused = text(member(change.request, "status")) == "PAUSED"
    return weakens("weakens_evidence", is_paused) + _told_seldom(change)


def _control(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_UpdateStandardsControl.html"""
    return weakens("weakens_evidence", text(member(change.request, "controlStatus")) == "DISABLED")


def _retention(change: Change) -> list[Json]:
    days = number(change.request, "retentionInDays")
    return weakens("weakens_evidence", days is not None and days < _SHORTEST_RETENTION_DAYS)


def _model_logging(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_LoggingConfig.html: of what is not said, nothing goes
    to the log unless there is a place for it.
    """
    config = mapping(member(change.request, "loggingConfig"))
    places = ("cloudWatchConfig", "s3Config")
    has_place = any(mapping(member(config, name)) for name in places)
    return weakens("weakens_evidence", not has_place or is_off(config, "textDataDeliveryEnabled"))


def _bucket_logging(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html: an empty status turns it off."""
    return weakens("weakens_evidence", not inner(change.request, "BucketLoggingStatus", "LoggingEnabled"))


def _lifecycle(change: Change) -> list[Json]:
    """Objects that expire within days are gone; where they are logs, so is the evidence. A rule may be disabled:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
    """
    rules = items(member(inner(change.request, "LifecycleConfiguration"), "Rule", "Rules"))
    expiries = [mapping(member(each, "Expiration")) for each in rules if member(each, "Status") != "Disabled"]
    days = [found for each in expiries if (found := integer(member(each, "Days"))) is not None]
    if not days or min(days) > _SHORT_EXPIRY_DAYS:
        return [no_effect("weakens_guard")]
    bucket = (text(member(change.request, "bucketName")) or "").lower()
    is_of_logs = any(word in bucket for word in _WORDS_OF_LOGS)
    return [no_effect("weakens_guard"), effect("weakens_evidence" if is_of_logs else "destroys")]


def _cluster(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterConfig.html"""
    logging = items(member(inner(change.request, "logging"), "clusterLogging"))
    network = inner(change.request, "resourcesVpcConfig")
    places = sequence(member(network, "publicAccessCidrs"))[:MOST_ITEMS]
    # where it says from nowhere in particular it is from everywhere
    is_open = is_on(network, "endpointPublicAccess") and (not places or any(map(is_everywhere, places)))
    found = weakens("weakens_evidence", any(is_off(each, "enabled") for each in logging))
    found += [effect("weakens_guard")] if is_off(change.request, "deletionProtection") else []
    return found + ([effect("exposes", target="public")] if is_open else [])


def _load_balancer(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyLoadBalancerAttributes.html"""
    listed = items(member(change.request, "attributes"))
    attributes = {text(member(each, "key")): text(member(each, "value")) for each in listed}
    is_guard_off = attributes.get("deletion_protection.enabled") == "false"
    evidence = weakens("weakens_evidence", attributes.get("access_logs.s3.enabled") == "false")
    return evidence + ([effect("weakens_guard")] if is_guard_off else [])


def _subscription(change: Change) -> list[Json]:
    """A stream of the log to another account, which a destination there takes:
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
    """
    parts = (text(member(change.request, "destinationArn")) or "").split(":")
    owner = parts[4] if len(parts) > 5 else ""
    return [effect("exposes", target="identity", uids=[owner])] if owner and owner != change.account else []


WEAKENED_EVIDENCE: dict[str, Effects] = {
    "bedrock:PutModelInvocationLoggingConfiguration": _model_logging,
    "cloudtrail:PutEventSelectors": _selectors,
    "cloudtrail:PutInsightSelectors": _insights,
    "cloudtrail:UpdateEventDataStore": _event_data_store,
    "cloudtrail:UpdateTrail": _trail,
    "config:PutConfigurationRecorder": _recorder,
    "eks:UpdateClusterConfig": _cluster,
    "elasticloadbalancing:ModifyLoadBalancerAttributes": _load_balancer,
    "guardduty:CreateFilter": _finding_filter,
    "guardduty:UpdateDetector": _detector,
    "guardduty:UpdateFilter": _finding_filter,
    "guardduty:UpdateMemberDetectors": _member_detectors,
    "guardduty:UpdateOrganizationConfiguration": _new_members,
    "logs:PutRetentionPolicy": _retention,
    "logs:PutSubscriptionFilter": _subscription,
    "macie2:UpdateMacieSession": _macie,
    "macie2:UpdateMemberSession": _macie,
    "macie2:UpdateOrganizationConfiguration": _new_members,
    "macie:UpdateMacieSession": _macie,
    "s3:PutBucketLifecycle": _lifecycle,
    "s3:PutBucketLifecycleConfiguration": _lifecycle,
    "s3:PutBucketLogging": _bucket_logging,
    "securityhub:UpdateOrganizationConfiguration": _new_members,
    "securityhub:UpdateStandardsControl": _control,
}
"""Action -> what its call says of evidence, and of what else is set with it."""
