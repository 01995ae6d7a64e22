"""What a CloudTrail event issued or revoked, and which ids travel with the issued credential."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ultravires.reading.options import Options
from ultravires.reading.redaction import Redactor
from ultravires.reading.values import integer, mapping, micros, sequence, text, texts
from ultravires.sources.aws.arns import account_of, role_of_session
from ultravires.sources.aws.identities import Actor, credential_id

_ISSUES_SESSION = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "GetSessionToken",
        "GetFederationToken",
    }
)
_CREATES_KEY, _DELETES_KEY, _UPDATES_KEY = "CreateAccessKey", "DeleteAccessKey", "UpdateAccessKey"
_ISSUES = _ISSUES_SESSION | {_CREATES_KEY}
_REVOKES = frozenset({_DELETES_KEY, _UPDATES_KEY})
_SECOND = 1_000_000
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


NOTHING_ISSUED = Issued()


def issued_by(name: str, request: Any, response: Any, event_at: int) -> Issued:
    """The session or access key in the response; empty where the event issued none. Times in microseconds."""
    if name not in _ISSUES or not response:
        return NOTHING_ISSUED
    request, response = mapping(request), mapping(response)
    if name == _CREATES_KEY:
        return Issued(credential_uid=credential_id(mapping(response.get("accessKey")).get("accessKeyId")))
    credentials = mapping(response.get("credentials"))
    seconds = _seconds_of_session(request.get("durationSeconds"))
    expires_at = micros(credentials.get("expiration"))
    if expires_at is None and seconds is not None:
        expires_at = event_at + seconds * _SECOND
    role, session_name = _issued_role(request, response)
    return Issued(
        credential_uid=credential_id(credentials.get("accessKeyId")),
        expires_at=expires_at,
        role_arn=role,
        session_name=session_name,
        duration_seconds=seconds,
        target_account=account_of(role) or text(request.get("targetPrincipal")),
        federated_subject=text(response.get("subjectFromWebIdentityToken")) or text(response.get("subject")),
        source_identity=text(request.get("sourceIdentity")) or text(response.get("sourceIdentity")),
    )


def _seconds_of_session(duration: Any) -> int | None:
    """For how long a session was asked for, where it can be so long."""
    seconds = integer(duration)
    return seconds if seconds is not None and 0 < seconds <= _LONGEST_SESSION else None


def _issued_role(request: dict[str, Any], response: dict[str, Any]) -> tuple[str | None, str | None]:
    """The role as requested (with its path), else as in the session's ARN."""
    requested, named = text(request.get("roleArn")), text(request.get("roleSessionName"))
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
    if subject := issued.federated_subject or actor.federated_subject:
        yield "federated_subject", subject, "carries"
    tags, incoming = list(_tags(request)), mapping(request.get("incomingTransitiveTags"))
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
