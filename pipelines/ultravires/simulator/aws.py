"""CloudTrail records of calls and logins; plain data in, one record out."""

from dataclasses import dataclass
from random import Random

from ultravires.simulator import ids
from ultravires.simulator.aws_calls import SHAPES, Json, region_of, split_action
from ultravires.simulator.cast import REGION, Call, Human, Role
from ultravires.simulator.moments import to_seconds, to_words

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
    def taken_role(self) -> Role:
        """The role of this session; ValueError where it is a user's."""
        if self.role is None:
            raise ValueError(f"{self.key} is no role's session")
        return self.role

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


def base_record(rng: Random, at: int, account: str, source: str, name: str) -> Json:
    return {
        "eventVersion": "1.11",
        "eventTime": to_seconds(at),
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "requestID": ids.uuid(rng),
        "eventID": ids.uuid(rng),
        "eventType": "AwsApiCall",
        "recipientAccountId": account,
    }


def tls_details(source: str, region: str) -> Json:
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
    record = base_record(rng, at, session.account, source, operation)
    record |= {
        "awsRegion": region,
        "userIdentity": identity_of(session),
        "sourceIPAddress": session.ip,
        "userAgent": session.user_agent.format(service=service),
        "requestParameters": shape.parameters(session.account, call.target),
        "responseElements": None,
        "readOnly": shape.is_read,
        "managementEvent": not shape.is_data,
        "eventCategory": "Data" if shape.is_data else "Management",
        "tlsDetails": tls_details(source, region),
    }
    if shape.arns:
        listed = shape.arns(session.account, call.target)
        record["resources"] = [{"accountId": session.account, "type": kind, "ARN": arn} for kind, arn in listed]
    if error:
        record |= {"errorCode": error, "errorMessage": _message(error, record, call)}
    return record


def _message(error: str, record: Json, call: Call) -> str:
    if error == "AccessDenied":
        arn = record["userIdentity"].get("arn", "")
        return f"User: {arn} is not authorized to perform: {call.action} because no resource-based policy allows it"
    return "Rate exceeded"


def new_key_record(rng: Random, at: int, session: Session, user: str, key: str) -> Json:
    """CreateAccessKey that succeeded: a long-lived credential for `user`."""
    record = call_record(rng, at, session, Call("iam:CreateAccessKey", user))
    made: Json = {"accessKeyId": key, "status": "Active", "userName": user, "createDate": to_words(at)}
    return record | {"responseElements": {"accessKey": made}}


def console_login_record(rng: Random, at: int, human: Human) -> Json:
    record = base_record(rng, at, human.account, "signin", "ConsoleLogin")
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
