"""Who a CloudTrail event says it was: its `userIdentity`, of whatever type, as one Actor."""

import re
from typing import Any

import msgspec

from ultravires.reading.events import present
from ultravires.reading.plain_records import remembered
from ultravires.reading.values import iso, label, mapping, micros, text, truth
from ultravires.sources.aws.arns import role_of_session

_SSO_ROLE = "AWSReservedSSO_"
_HUMAN_TYPES = frozenset({"Root", "SAMLUser", "IdentityCenterUser"})
_FEDERATED = frozenset({"WebIdentityUser", "SAMLUser"})
_NO_TYPE = (None, "Unknown")
_ROLE_ID = "AROA"
"""How the unique id of a role begins:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
"""
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
MASKED = "*"
"""In an access key id: letters of it were taken out."""


class Actor(msgspec.Struct, frozen=True, gc=False):
    """The subject of an event, its session, the credential that it used, and whom it acts for."""

    uid: str | None
    kind: str
    name: str | None
    via_service: str | None
    credential_uid: str | None
    is_session: bool
    session_name: str | None
    session: str | None
    """The session by its role and name."""
    source_identity: str | None
    workload_uid: str | None
    """What the credential was issued to, else the instance that a session is named after."""
    has_mfa: bool | None
    federated_subject: str | None
    account_uid: str | None
    on_behalf_of_uid: str | None
    detail: dict[str, Any]
    """What of it has no column; copied for each event."""


# One credential makes many calls, so most identities were seen before.
@remembered
def actor_of(identity: Any, is_sign_in: bool, is_of_console: bool) -> Actor:
    """`userIdentity` to an Actor; an assumed-role session is its role, and all members may be missing. `is_of_console`:
    the event says that the session came from the console, where an IAM user is a person; a role is still the role.
    """
    of = mapping(identity).get
    context = mapping(of("sessionContext"))
    issuer = mapping(context.get("sessionIssuer"))
    kind, arn, principal, user_name = text(of("type")), text(of("arn")), text(of("principalId")), text(of("userName"))
    via_service, behalf = text(of("invokedBy")), text(mapping(of("onBehalfOf")).get("userId"))
    attributes = mapping(context.get("attributes"))
    has_mfa, created_at = truth(attributes.get("mfaAuthenticated")), micros(attributes.get("creationDate"))
    is_console = truth(of("sessionCredentialFromConsole")) or truth(context.get("sessionCredentialFromConsole"))
    # What delivers records in its own form may lose the type, but not the ARN of a session.
    is_session = kind == "AssumedRole" or (kind in _NO_TYPE and role_of_session(arn)[0] is not None)
    is_federated = kind in _FEDERATED
    role, said_name = role_of_session(arn) if is_session else (None, None)
    role = (text(issuer.get("arn")) or role) if is_session else None
    if kind == "AWSService":
        uid = via_service or arn or principal
    elif is_federated:
        uid = user_name or principal
    elif kind == "IdentityCenterUser":
        uid = behalf or user_name or principal
    else:
        by_principal = principal.partition(":")[0] if principal else None
        uid = arn or by_principal or user_name or label(of("accountId")) or via_service
    is_human = bool(is_sign_in or is_console or (kind == "IAMUser" and (has_mfa or is_of_console)))
    uid = role or uid
    session_name = said_name or (_session_of_principal(principal) if is_session else None)
    issued_to = text(mapping(of("inScopeOf")).get("credentialsIssuedTo"))
    is_of_instance = session_name is not None and _INSTANCE.fullmatch(session_name)
    return Actor(
        uid=uid,
        kind=_kind(kind, role, via_service, principal=principal, is_human=is_human),
        name=user_name or text(issuer.get("userName")) or said_name,
        via_service=via_service,
        credential_uid=credential_id(of("accessKeyId")) or _bearer_token(of("credentialId")),
        is_session=is_session,
        session_name=session_name,
        session=f"{uid}/{session_name}" if uid and session_name else None,
        source_identity=text(context.get("sourceIdentity")),
        workload_uid=issued_to or (session_name if is_of_instance else None),
        has_mfa=has_mfa,
        federated_subject=user_name if is_federated else None,
        account_uid=text(of("accountId")),
        on_behalf_of_uid=behalf,
        detail=present(
            role_arn=uid if is_session else None,
            session_name=session_name,
            mfa=has_mfa,
            session_created_at=iso(created_at) if created_at is not None else None,
        ),
    )


def credential_id(value: Any) -> str | None:
    """An access key id; None where it was masked with asterisks, for then many keys share it."""
    key = text(value)
    return key if key and MASKED not in key else None


def _bearer_token(value: Any) -> str | None:
    """A token of Identity Center, which stands where others show an access key; its id could be anybody's word."""
    token = credential_id(value)
    return f"aws:bearer:{token}" if token else None


def _kind(
    kind: str | None,
    role: str | None,
    via_service: str | None,
    principal: str | None,
    *,
    is_human: bool,
) -> str:
    """A key of an IAM user may be in anybody's hands: only sign-in, console or MFA shows a human. Without them nothing
    says who it is, a person with a key or a program.
    """
    if kind == "AWSService" or via_service:
        return "service"
    if kind in _HUMAN_TYPES or is_human:
        return "human"
    if role or kind == "AssumedRole":
        # IAM Identity Center alone can assume its reserved roles, and only for a person
        return "human" if role and f"/{_SSO_ROLE}" in role else "role"
    if kind == "WebIdentityUser":
        return "workload"
    return "role" if kind != "IAMUser" and principal and principal.startswith(_ROLE_ID) else "unknown"


def _session_of_principal(principal: str | None) -> str | None:
    return (principal.partition(":")[2] or None) if principal else None
