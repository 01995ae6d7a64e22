"""What a CloudTrail event issued or revoked, and which ids travel with the issued credential."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ultravires.reading.options import Options
from ultravires.reading.redaction import Redactor
from ultravires.reading.values import integer, label, mapping, micros, sequence, text, texts
from ultravires.sources.aws.arns import account_of, role_of_session
from ultravires.sources.aws.identities import Actor, credential_id
from ultravires.sources.github.runs import runs_named
from ultravires.sources.issuing import issuing_of

_DELETES_KEY, _UPDATES_KEY = "DeleteAccessKey", "UpdateAccessKey"
_ISSUING = issuing_of("aws_cloudtrail")
SIGN_INS = frozenset(action for action, row in _ISSUING.items() if row.issues in ("console", "portal"))
"""Actions that begin a session without a key of its own."""
_PLACES = {
    action: tuple(int(part) if part.isdigit() else part for part in row.credential.split("."))
    for action, row in _ISSUING.items()
}
"""Action -> the way to the new key's id in the response."""
_REVOKES = frozenset({_DELETES_KEY, _UPDATES_KEY})
_SECOND = 1_000_000
_POD_IDENTITY = "pods.eks.amazonaws.com"
_ROLE_CREDENTIALS = "sso:GetRoleCredentials"
_ACCOUNT, _PERMISSION_SET = re.compile(r"\d{12}"), re.compile(r"[\w+=,.@-]{1,32}", re.ASCII)
_LONGEST_SESSION = 129_600  # seconds; GetSessionToken and GetFederationToken allow 36 hours


class Issued(msgspec.Struct, frozen=True, gc=False):
    """A credential that the event made; for a role's session also the role."""

    credential_uid: str | None = None
    expires_at: int | None = None
    role_arn: str | None = None
    session_name: str | None = None
    duration_seconds: int | None = None
    target_account: str | None = None
    federated_subject: str | None = None
    source_identity: str | None = None
    kind: str | None = None
    """What it is where neither role nor end say that it is a session."""
    holder_uid: str | None = None
    """As whom its holder appears, where that is neither a role nor who asked for it."""
    role_pattern: str | None = None
    """The role that it lets its holder take, as a pattern, where its whole name is not logged."""


NOTHING_ISSUED = Issued()


def issued_by(action: str, request: Any, response: Any, event_at: int) -> Issued:
    """The session or access key in the response; empty where the event issued none. Times in microseconds."""
    if action not in _ISSUING or action in SIGN_INS or not response:
        return NOTHING_ISSUED
    request, response = mapping(request), mapping(response)
    place = _PLACES[action]
    credential = credential_id(_at(response, place))
    if _ISSUING[action].issues == "key":
        return Issued(credential_uid=credential)
    credentials, around = mapping(_at(response, place[:-1])), mapping(_at(response, place[:-2]))
    seconds = _seconds_of_session(request.get("durationSeconds"))
    expires_at = micros(credentials.get("expiration"))
    if expires_at is None and seconds is not None:
        expires_at = event_at + seconds * _SECOND
    role, session_name = _issued_role(request, around)
    return Issued(
        credential_uid=credential,
        expires_at=expires_at,
        role_arn=role,
        session_name=session_name,
        duration_seconds=seconds,
        target_account=account_of(role) or text(request.get("targetPrincipal")),
        federated_subject=_subject_of(response),
        source_identity=text(request.get("sourceIdentity")) or text(around.get("sourceIdentity")),
        kind="session" if role is None and expires_at is None else None,
        holder_uid=text(mapping(response.get("federatedUser")).get("arn")),
    )


def signed_in_by(action: str, event_id: str | None, actor: Actor, details: Iterable[Any]) -> Issued:
    """The session that a successful sign-in began: it is named after its event, for the keys of its acts are issued in
    no log. `details` are where a portal names account and permission set.
    """
    if not event_id:
        return NOTHING_ISSUED
    kind = _ISSUING[action].issues
    uid = f"aws:{kind}:{event_id}"
    if action == _ROLE_CREDENTIALS:
        return Issued(credential_uid=uid, kind=kind, session_name=actor.name, role_pattern=_reserved_role(details))
    role = actor.uid if actor.is_session else None
    return Issued(credential_uid=uid, kind=kind, role_arn=role, session_name=actor.session_name)


def _reserved_role(details: Iterable[Any]) -> str | None:
    """The role that Identity Center makes of a permission set in an account, with a code at its end."""
    for detail in details:
        of = mapping(detail).get
        account, name = label(of("account_id")) or label(of("accountId")), text(of("role_name")) or text(of("roleName"))
        if account and name and _ACCOUNT.fullmatch(account) and _PERMISSION_SET.fullmatch(name):
            return f"arn:aws*:iam::{account}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_{name}_*"
    return None


def _at(value: Any, place: tuple[str | int, ...]) -> Any:
    for part in place:
        if isinstance(part, int):
            found = sequence(value)
            value = found[part] if part < len(found) else None
        else:
            value = mapping(value).get(part)
    return value


def _subject_of(response: dict[str, Any]) -> str | None:
    """Whom the credential was given to, in the words of who vouched for it: a web identity, a Kubernetes service
    account, the subject of a certificate, an identity of Cognito.
    """
    named = response.get("subjectFromWebIdentityToken") or response.get("subject")
    if type(named) is dict:
        return _service_account(named.get("namespace"), named.get("serviceAccount"))
    return text(named) or text(response.get("subjectArn")) or text(response.get("identityId"))


def _service_account(namespace: Any, name: Any) -> str | None:
    return f"system:serviceaccount:{namespace}:{name}" if text(namespace) and text(name) else None


def _seconds_of_session(duration: Any) -> int | None:
    """For how long a session was asked for, where it can be so long."""
    seconds = integer(duration)
    return seconds if seconds is not None and 0 < seconds <= _LONGEST_SESSION else None


def _issued_role(request: dict[str, Any], response: dict[str, Any]) -> tuple[str | None, str | None]:
    """The role as requested (with its path), else as in the session's ARN."""
    requested = text(request.get("roleArn")) or text(response.get("roleArn")) or text(request.get("customRoleArn"))
    named = text(request.get("roleSessionName"))
    if requested and named:
        return requested, named
    role, session_name = role_of_session(text(mapping(response.get("assumedRoleUser")).get("arn")))
    return requested or role, named or session_name


def revoked_by(name: str, request: Any) -> str | None:
    """The access key that a successful event deleted or switched off."""
    if name not in _REVOKES:
        return None
    request = mapping(request)
    is_off = name == _DELETES_KEY or (name == _UPDATES_KEY and request.get("status") == "Inactive")
    return credential_id(request.get("accessKeyId")) if is_off else None


def session_keys(request: Any, issued: Issued, actor: Actor, options: Options) -> Iterator[tuple[str, str, str]]:
    """Ids that travel with the issued credential. A transitive tag is one also where it was inherited."""
    request = mapping(request)
    if issued.source_identity:
        yield "source_identity", issued.source_identity, "carries"
    if issued.role_arn and issued.session_name:
        yield "session_name", f"{issued.role_arn}/{issued.session_name}", "carries"
    tags, incoming = list(_tags(request)), mapping(request.get("incomingTransitiveTags"))
    # Anybody may write these tags; only EKS itself writes them of a pod.
    of_pod = dict(tags) if actor.via_service == _POD_IDENTITY else {}
    pod_account = _service_account(of_pod.get("kubernetes-namespace"), of_pod.get("kubernetes-service-account"))
    if subject := issued.federated_subject or actor.federated_subject or pod_account:
        yield "federated_subject", subject, "carries"
        for run in runs_named(subject, issued.session_name):
            yield "run", run, "uses"
    if not tags and not incoming:
        return
    transitive = frozenset(texts(request.get("transitiveTagKeys")))
    redactor = Redactor(options)
    for name, value in tags:
        kind = "transitive_tag" if name in transitive else "session_tag"
        yield kind, f"{name}={redactor.redact({name: value})[name]}", "carries"
    for name, value in incoming.items():
        if type(value) is str:
            yield "transitive_tag", f"{name}={redactor.redact({name: value})[name]}", "carries"


def _tags(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for tag in sequence(request.get("tags")):
        name, value = text(mapping(tag).get("key")), mapping(tag).get("value")
        if name and type(value) is str:
            yield name, value
    for name, value in mapping(request.get("principalTags")).items():
        if type(value) is str:
            yield name, value
