"""CloudTrail records of credentials being issued: roles taken, tokens traded, sessions made."""

from random import Random
from typing import Any

from ultravires.simulator import ids
from ultravires.simulator.aws import Session, base_record, identity_of, tls_details
from ultravires.simulator.aws_calls import Json
from ultravires.simulator.cast import REGION, Role
from ultravires.simulator.moments import SECOND, to_words

# Benign sessions live at most an hour.
SESSION_SECONDS = 3600


def _credentials(rng: Random, key: str, at: int, seconds: int) -> Json:
    expiration = to_words(at + seconds * SECOND)
    return {"accessKeyId": key, "sessionToken": ids.session_token(rng), "expiration": expiration}


def _assumed(role: Role, name: str) -> Json:
    return {
        "assumedRoleId": f"{ids.principal_id('AROA', role.arn)}:{name}",
        "arn": f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}",
    }


def assume_role_record(
    rng: Random,
    at: int,
    caller: Session,
    issued: Session,
    *,
    names_source: bool,
    incoming_tags: Json | None = None,
) -> Json:
    """The caller's account's record of AssumeRole; `issued` is the session that it made.

    names_source: the request sets the source identity itself (it cannot be set again further down a chain).
    """
    role = issued.taken_role
    record = base_record(rng, at, caller.account, "sts", "AssumeRole")
    parameters: Json = {
        "roleArn": role.arn,
        "roleSessionName": issued.name,
        "durationSeconds": SESSION_SECONDS,
    }
    if names_source and issued.source_identity:
        parameters["sourceIdentity"] = issued.source_identity
    if incoming_tags:
        parameters["incomingTransitiveTags"] = incoming_tags
    response: Json = {
        "credentials": _credentials(rng, issued.key, at, SESSION_SECONDS),
        "assumedRoleUser": _assumed(role, issued.name),
    }
    if issued.source_identity:
        response["sourceIdentity"] = issued.source_identity
    return record | {
        "userIdentity": identity_of(caller),
        "sourceIPAddress": caller.ip,
        "userAgent": caller.user_agent.format(service="sts"),
        "requestParameters": parameters,
        "responseElements": response,
        "resources": [{"accountId": role.account, "type": "AWS::IAM::Role", "ARN": role.arn}],
        "readOnly": True,
        "managementEvent": True,
        "eventCategory": "Management",
        "tlsDetails": tls_details("sts", REGION),
    }


def shared_copy(rng: Random, record: Json, caller: Session, account: str) -> tuple[Json, Json]:
    """The record and its copy for the account that owns the role: one sharedEventID, two eventIDs.

    The owner's copy does not know the caller's access key, only its account and principal.
    """
    shared = {"sharedEventID": ids.uuid(rng)}
    principal = record["userIdentity"]["principalId"]
    stranger = {"type": "AWSAccount", "principalId": principal, "accountId": caller.account}
    copy = record | shared | {"eventID": ids.uuid(rng), "recipientAccountId": account, "userIdentity": stranger}
    return record | shared, copy


def web_identity_record(
    rng: Random, at: int, issued: Session, subject: str, tags: Json, *, is_transitive: bool
) -> Json:
    """AssumeRoleWithWebIdentity by a CI job or a cluster workload, known by its token's subject."""
    role = issued.taken_role
    issuer, audience = _provider(subject)
    provider = f"arn:aws:iam::{role.account}:oidc-provider/{issuer}"
    record = base_record(rng, at, role.account, "sts", "AssumeRoleWithWebIdentity")
    parameters: Json = {
        "roleArn": role.arn,
        "roleSessionName": issued.name,
        "durationSeconds": SESSION_SECONDS,
    }
    if tags:
        parameters |= {"principalTags": tags, "transitiveTagKeys": sorted(tags) if is_transitive else []}
    return record | {
        "userIdentity": {
            "type": "WebIdentityUser",
            "principalId": f"{provider}:{audience}:{subject}",
            "userName": subject,
            "identityProvider": provider,
        },
        "sourceIPAddress": issued.ip,
        "userAgent": issued.user_agent.format(service="sts"),
        "requestParameters": parameters,
        "responseElements": {
            "credentials": _credentials(rng, issued.key, at, SESSION_SECONDS),
            "subjectFromWebIdentityToken": subject,
            "assumedRoleUser": _assumed(role, issued.name),
            "provider": provider,
            "audience": audience,
        },
        "resources": [{"accountId": role.account, "type": "AWS::IAM::Role", "ARN": role.arn}],
        "readOnly": True,
        "managementEvent": True,
        "eventCategory": "Management",
        "tlsDetails": tls_details("sts", REGION),
    }


def _provider(subject: str) -> tuple[str, str]:
    if subject.startswith("repo:"):
        return "token.ci.acme.example", "sts.amazonaws.com"
    return f"oidc.eks.{REGION}.amazonaws.com/id/5C1D9E0A7B3F48E2", "sts.amazonaws.com"


def session_token_record(rng: Random, at: int, caller: Session, issued: Session) -> Json:
    """GetSessionToken: a person trades a long-lived key and a second factor for a session."""
    record = base_record(rng, at, caller.account, "sts", "GetSessionToken")
    device = (caller.user_arn or "").replace(":user/", ":mfa/")
    return record | {
        "userIdentity": identity_of(caller),
        "sourceIPAddress": caller.ip,
        "userAgent": "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux cfg/retry-mode#standard",
        "requestParameters": {"durationSeconds": SESSION_SECONDS, "serialNumber": device},
        "responseElements": {"credentials": _credentials(rng, issued.key, at, SESSION_SECONDS)},
        "readOnly": True,
        "managementEvent": True,
        "eventCategory": "Management",
        "tlsDetails": tls_details("sts", REGION),
    }


def service_assume_record(rng: Random, at: int, issued: Session, service: str) -> Json:
    """A provider's own service takes a role to run the customer's function."""
    role = issued.taken_role
    host = f"{service}.amazonaws.com"
    record = base_record(rng, at, role.account, "sts", "AssumeRole")
    answer: dict[str, Any] = {"credentials": _credentials(rng, issued.key, at, SESSION_SECONDS)}
    return record | {
        "userIdentity": {"type": "AWSService", "invokedBy": host},
        "sourceIPAddress": host,
        "userAgent": host,
        "requestParameters": {"roleArn": role.arn, "roleSessionName": issued.name},
        "responseElements": answer | {"assumedRoleUser": _assumed(role, issued.name)},
        "resources": [{"accountId": role.account, "type": "AWS::IAM::Role", "ARN": role.arn}],
        "readOnly": True,
        "managementEvent": True,
        "eventCategory": "Management",
        "sharedEventID": ids.uuid(rng),
    }
