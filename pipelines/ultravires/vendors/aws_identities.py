"""Who a CloudTrail event says it was: its `userIdentity`, of whatever type, as one Actor."""

from typing import Any

import msgspec

from ultravires.reading.values import label, mapping, text, truth
from ultravires.vendors.aws_arns import role_of_session

_SSO_ROLE = "AWSReservedSSO_"
_HUMAN_TYPES = frozenset({"Root", "SAMLUser", "IdentityCenterUser"})
_SIGN_IN = "ConsoleLogin"


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
    kind = text(identity.get("type"))
    context = mapping(identity.get("sessionContext"))
    issuer = mapping(context.get("sessionIssuer"))
    is_session = kind == "AssumedRole"
    role, session_name = role_of_session(text(identity.get("arn"))) if is_session else (None, None)
    uid = (text(issuer.get("arn")) or role) if is_session else None
    via_service = text(identity.get("invokedBy"))
    has_mfa = truth(mapping(context.get("attributes")).get("mfaAuthenticated"))
    return Actor(
        uid=uid or _uid(identity, kind, via_service),
        kind=_kind(
            identity=identity,
            kind=kind,
            context=context,
            via_service=via_service,
            event_name=event_name,
            has_mfa=has_mfa,
            role=uid,
        ),
        name=text(identity.get("userName")) or text(issuer.get("userName")) or session_name,
        via_service=via_service,
        credential_uid=credential_id(identity.get("accessKeyId")),
        is_session=is_session,
        session_name=session_name or (_session_of_principal(identity) if is_session else None),
        source_identity=text(context.get("sourceIdentity")),
        issued_to=text(mapping(identity.get("inScopeOf")).get("credentialsIssuedTo")),
        has_mfa=has_mfa,
        federated_subject=text(identity.get("userName")) if kind in ("WebIdentityUser", "SAMLUser") else None,
    )


def credential_id(value: Any) -> str | None:
    """An access key id; None where it was masked with asterisks, for then many keys share it."""
    key = text(value)
    return key if key and "*" not in key else None


def _uid(identity: dict[str, Any], kind: str | None, via_service: str | None) -> str | None:
    if kind == "AWSService":
        return via_service or text(identity.get("arn")) or text(identity.get("principalId"))
    if kind in ("WebIdentityUser", "SAMLUser"):
        return text(identity.get("userName")) or text(identity.get("principalId"))
    if kind == "IdentityCenterUser":
        behalf = mapping(identity.get("onBehalfOf"))
        return text(behalf.get("userId")) or text(identity.get("userName")) or text(identity.get("principalId"))
    principal = text(identity.get("principalId"))
    return (
        text(identity.get("arn"))
        or (principal.partition(":")[0] if principal else None)
        or text(identity.get("userName"))
        or label(identity.get("accountId"))
        or via_service
    )


def _kind(
    *,
    identity: dict[str, Any],
    kind: str | None,
    context: dict[str, Any],
    via_service: str | None,
    event_name: str,
    has_mfa: bool | None,
    role: str | None,
) -> str:
    """A key of an IAM user may be in anybody's hands: only sign-in, console or MFA shows a human."""
    if kind == "AWSService" or via_service:
        return "service"
    is_console = truth(identity.get("sessionCredentialFromConsole")) or truth(
        context.get("sessionCredentialFromConsole")
    )
    if kind in _HUMAN_TYPES or event_name == _SIGN_IN or is_console or (kind == "IAMUser" and has_mfa):
        return "human"
    if kind == "AssumedRole":
        # IAM Identity Center alone can assume its reserved roles, and only for a person
        return "human" if role and f"/{_SSO_ROLE}" in role else "role"
    return "workload" if kind == "WebIdentityUser" else "unknown"


def _session_of_principal(identity: dict[str, Any]) -> str | None:
    principal = text(identity.get("principalId"))
    return (principal.partition(":")[2] or None) if principal else None
