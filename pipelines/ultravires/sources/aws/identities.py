"""Who a CloudTrail event says it was: its `userIdentity`, of whatever type, as one Actor."""

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from ultravires.reading.values import label, mapping, text, truth
from ultravires.sources.aws.arns import role_of_session

_SSO_ROLE = "AWSReservedSSO_"
_HUMAN_TYPES = frozenset({"Root", "SAMLUser", "IdentityCenterUser"})
_SIGN_IN = "ConsoleLogin"
MASKED = "*"
"""In an access key id: letters of it were taken out."""


class Actor(msgspec.Struct, frozen=True, gc=False):
    """The subject of an event, its session, and the credential that it used."""

    uid: str | None
    kind: str
    name: str | None
    via_service: str | None
    credential_uid: str | None
    is_session: bool
    session_name: str | None
    source_identity: str | None
    issued_to: str | None
    has_mfa: bool | None
    federated_subject: str | None


def actor_of(identity: dict[str, Any], event_name: str) -> Actor:
    """`userIdentity` to an Actor; an assumed-role session is its role, and all members may be missing."""
    of = identity.get
    context = mapping(of("sessionContext"))
    issuer = mapping(context.get("sessionIssuer"))
    said = _Said(
        of("type"),
        of("arn"),
        of("principalId"),
        of("userName"),
        label(of("accountId")),
        of("accessKeyId"),
        of("invokedBy"),
        mapping(of("inScopeOf")).get("credentialsIssuedTo"),
        mapping(of("onBehalfOf")).get("userId"),
        issuer.get("arn"),
        issuer.get("userName"),
        context.get("sourceIdentity"),
        truth(mapping(context.get("attributes")).get("mfaAuthenticated")),
        truth(of("sessionCredentialFromConsole")) or truth(context.get("sessionCredentialFromConsole")),
        event_name == _SIGN_IN,
    )
    try:
        return _actor(said)
    except TypeError:  # a list or an object where a name should be
        return _actor(_Said._make(value if type(value) in (str, bool) else None for value in said))


class _Said(NamedTuple):
    """What an identity says of itself; unchecked where the type is Any. Equal values must mean the same."""

    kind: Any
    arn: Any
    principal: Any
    user_name: Any
    account: str | None
    access_key: Any
    invoked_by: Any
    issued_to: Any
    behalf: Any
    issuer_arn: Any
    issuer_name: Any
    source_identity: Any
    has_mfa: bool | None
    is_console: bool | None
    is_sign_in: bool


# One credential makes many calls, so most identities were seen before.
@lru_cache(maxsize=16_384)
def _actor(said: _Said) -> Actor:
    kind, arn, principal, user_name = (text(value) for value in said[:4])
    via_service, has_mfa = text(said.invoked_by), said.has_mfa
    is_session = kind == "AssumedRole"
    role, session_name = role_of_session(arn) if is_session else (None, None)
    role = (text(said.issuer_arn) or role) if is_session else None
    if kind == "AWSService":
        uid = via_service or arn or principal
    elif kind in ("WebIdentityUser", "SAMLUser"):
        uid = user_name or principal
    elif kind == "IdentityCenterUser":
        uid = text(said.behalf) or user_name or principal
    else:
        uid = arn or (principal.partition(":")[0] if principal else None) or user_name or said.account or via_service
    return Actor(
        uid=role or uid,
        kind=_kind(
            kind,
            role,
            via_service,
            is_human=bool(said.is_sign_in or said.is_console or (kind == "IAMUser" and has_mfa)),
        ),
        name=user_name or text(said.issuer_name) or session_name,
        via_service=via_service,
        credential_uid=credential_id(said.access_key),
        is_session=is_session,
        session_name=session_name or (_session_of_principal(principal) if is_session else None),
        source_identity=text(said.source_identity),
        issued_to=text(said.issued_to),
        has_mfa=has_mfa,
        federated_subject=user_name if kind in ("WebIdentityUser", "SAMLUser") else None,
    )


def on_behalf_of(identity: dict[str, Any]) -> str | None:
    """The person that an identity says it acts for."""
    return text(mapping(identity.get("onBehalfOf")).get("userId"))


def credential_id(value: Any) -> str | None:
    """An access key id; None where it was masked with asterisks, for then many keys share it."""
    key = text(value)
    return key if key and MASKED not in key else None


def _kind(kind: str | None, role: str | None, via_service: str | None, *, is_human: bool) -> str:
    """A key of an IAM user may be in anybody's hands: only sign-in, console or MFA shows a human."""
    if kind == "AWSService" or via_service:
        return "service"
    if kind in _HUMAN_TYPES or is_human:
        return "human"
    if kind == "AssumedRole":
        # IAM Identity Center alone can assume its reserved roles, and only for a person
        return "human" if role and f"/{_SSO_ROLE}" in role else "role"
    return "workload" if kind == "WebIdentityUser" else "unknown"


def _session_of_principal(principal: str | None) -> str | None:
    return (principal.partition(":")[2] or None) if principal else None
