"""CloudTrail records, one function a kind of record; plain data in, one record out."""

from dataclasses import dataclass
from random import Random
from typing import Any

from ultravires.simulator import ids
from ultravires.simulator.aws_calls import SHAPES, Json, region_of, split_action
from ultravires.simulator.cast import REGION, Call, Human, Role
from ultravires.simulator.moments import SECOND, to_seconds, to_words

SESSION_SECONDS = 3600
SDK_AGENT = "aws-sdk-go-v2/1.36.3 os/linux lang/go#1.25.1 md/GOOS#linux md/GOARCH#arm64 api/{service}"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


@dataclass(frozen=True)
class Session:
    """A credential in use: who it makes the caller, and what travels with it."""

    key: str
    account: str
    ip: str
    role: Role | None = None
    name: str = ""
    issued_at: int = 0
    source_identity: str | None = None
    user_arn: str | None = None
    has_mfa: bool = False
    user_agent: str = SDK_AGENT

    @property
    def node(self) -> str:
        return f"credential:{self.key}"


def identity_of(session: Session) -> Json:
    """`userIdentity` of a call made with this credential."""
    if session.role is None:
        return _user_identity(session)
    principal = ids.principal_id("AROA", session.role.arn)
    issuer = {
        "type": "Role",
        "principalId": principal,
        "arn": session.role.arn,
        "accountId": session.account,
        "userName": session.role.name,
    }
    context: Json = {"sessionIssuer": issuer, "attributes": _attributes(session)}
    if session.source_identity:
        context["sourceIdentity"] = session.source_identity
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session.name}",
        "arn": f"arn:aws:sts::{session.account}:assumed-role/{session.role.name}/{session.name}",
        "accountId": session.account,
        "accessKeyId": session.key,
        "sessionContext": context,
    }


def _user_identity(session: Session) -> Json:
    arn = session.user_arn or ""
    identity: Json = {
        "type": "IAMUser",
        "principalId": ids.principal_id("AIDA", arn),
        "arn": arn,
        "accountId": session.account,
        "accessKeyId": session.key,
        "userName": arn.rpartition("/")[2],
    }
    if session.key.startswith("ASIA"):
        identity["sessionContext"] = {"attributes": _attributes(session)}
    return identity


def _attributes(session: Session) -> Json:
    return {"creationDate": to_seconds(session.issued_at), "mfaAuthenticated": str(session.has_mfa).lower()}


def _record(rng: Random, at: int, account: str, region: str, source: str, name: str) -> Json:
    return {
        "eventVersion": "1.11",
        "eventTime": to_seconds(at),
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "requestID": ids.uuid(rng),
        "eventID": ids.uuid(rng),
        "eventType": "AwsApiCall",
        "recipientAccountId": account,
    }


def _host(source: str, region: str) -> Json:
    host = "iam.amazonaws.com" if source == "iam" else f"{source}.{region}.amazonaws.com"
    return {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": host,
    }


def call_record(rng: Random, at: int, session: Session, call: Call, *, error: str | None = None) -> Json:
    """One API call as CloudTrail has it; `error` is the errorCode of a call that did not succeed."""
    service, operation = split_action(call)
    shape, region = SHAPES[call.action], region_of(call)
    source = "monitoring" if service == "cloudwatch" else service
    record = _record(rng, at, session.account, region, source, operation)
    record |= {
        "userIdentity": identity_of(session),
        "sourceIPAddress": session.ip,
        "userAgent": session.user_agent.format(service=service),
        "requestParameters": shape.parameters(session.account, call.target),
        "responseElements": None,
        "readOnly": shape.is_read,
        "managementEvent": not shape.is_data,
        "eventCategory": "Data" if shape.is_data else "Management",
        "tlsDetails": _host(source, region),
    }
    if shape.arns:
        listed = shape.arns(session.account, call.target)
        record["resources"] = [
            {"accountId": session.account, "type": kind, "ARN": arn} for kind, arn in listed
        ]
    if error:
        record |= {"errorCode": error, "errorMessage": _message(error, record, call)}
    return record


def _message(error: str, record: Json, call: Call) -> str:
    if error == "AccessDenied":
        arn = record["userIdentity"].get("arn", "")
        return f"User: {arn} is not authorized to perform: {call.action} because no resource-based policy allows it"
    return "Rate exceeded"


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
    role = issued.role
    if role is None:
        raise ValueError("AssumeRole issues a role's session")
    record = _record(rng, at, caller.account, REGION, "sts", "AssumeRole")
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
        "tlsDetails": _host("sts", REGION),
    }


def shared_copy(rng: Random, record: Json, caller: Session, account: str) -> tuple[Json, Json]:
    """The record and its copy for the account that owns the role: one sharedEventID, two eventIDs.

    The owner's copy does not know the caller's access key, only its account and principal.
    """
    shared = {"sharedEventID": ids.uuid(rng)}
    principal = record["userIdentity"]["principalId"]
    stranger = {"type": "AWSAccount", "principalId": principal, "accountId": caller.account}
    copy = (
        record | shared | {"eventID": ids.uuid(rng), "recipientAccountId": account, "userIdentity": stranger}
    )
    return record | shared, copy


def web_identity_record(
    rng: Random, at: int, issued: Session, subject: str, tags: Json, *, is_transitive: bool
) -> Json:
    """AssumeRoleWithWebIdentity by a CI job or a cluster workload, known by its token's subject."""
    role = issued.role
    if role is None:
        raise ValueError("a web identity takes a role")
    issuer, audience = _provider(subject)
    provider = f"arn:aws:iam::{role.account}:oidc-provider/{issuer}"
    record = _record(rng, at, role.account, REGION, "sts", "AssumeRoleWithWebIdentity")
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
        "tlsDetails": _host("sts", REGION),
    }


def _provider(subject: str) -> tuple[str, str]:
    if subject.startswith("repo:"):
        return "token.ci.acme.example", "sts.amazonaws.com"
    return f"oidc.eks.{REGION}.amazonaws.com/id/5C1D9E0A7B3F48E2", "sts.amazonaws.com"


def session_token_record(rng: Random, at: int, caller: Session, issued: Session) -> Json:
    """GetSessionToken: a person trades a long-lived key and a second factor for a session."""
    record = _record(rng, at, caller.account, REGION, "sts", "GetSessionToken")
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
        "tlsDetails": _host("sts", REGION),
    }


def new_key_record(rng: Random, at: int, session: Session, user: str, key: str) -> Json:
    """CreateAccessKey that succeeded: a long-lived credential for `user`."""
    record = call_record(rng, at, session, Call("iam:CreateAccessKey", user))
    made: Json = {"accessKeyId": key, "status": "Active", "userName": user, "createDate": to_words(at)}
    return record | {"responseElements": {"accessKey": made}}


def console_login_record(rng: Random, at: int, human: Human) -> Json:
    record = _record(rng, at, human.account, REGION, "signin", "ConsoleLogin")
    del record["requestID"]
    return record | {
        "eventType": "AwsConsoleSignIn",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": ids.principal_id("AIDA", human.arn),
            "arn": human.arn,
            "accountId": human.account,
            "userName": human.user,
        },
        "sourceIPAddress": human.ip,
        "userAgent": BROWSER,
        "requestParameters": None,
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {"MobileVersion": "No", "MFAUsed": "Yes"},
        "readOnly": False,
        "managementEvent": True,
        "eventCategory": "Management",
    }


def service_assume_record(rng: Random, at: int, issued: Session, service: str) -> Json:
    """A provider's own service takes a role to run the customer's function."""
    role = issued.role
    if role is None:
        raise ValueError("a service takes a role")
    host = f"{service}.amazonaws.com"
    record = _record(rng, at, role.account, REGION, "sts", "AssumeRole")
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
