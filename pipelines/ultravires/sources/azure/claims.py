"""Who called Azure Resource Manager: the claims of the caller's token, as the activity log keeps them.

Claims of agents: https://learn.microsoft.com/en-us/entra/agent-id/agent-token-claims
"""

from typing import Any

import msgspec

from ultravires.reading.values import text
from ultravires.sources.azure.exports import address, filled
from ultravires.sources.entra.identities import Subject

_SCHEMAS = "http://schemas.microsoft.com/identity/claims/"
_OBJECT = _SCHEMAS + "objectidentifier"
_SCOPE = _SCHEMAS + "scope"
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
_METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"
_AGENT_FACET, _AGENT_USER_FACET = "11", "13"
_KINDS = {"User": "human", "ServicePrincipal": "service"}


class Caller(msgspec.Struct, frozen=True, gc=False):
    """The caller's Subject, its token, and what else the claims say."""

    subject: Subject
    credential_uid: str | None
    workload_uid: str | None
    has_mfa: bool | None
    src_ip: str | None


def caller_of(claims: dict[str, Any], evidence: dict[str, Any], named: str | None) -> Caller:
    """Claims, the evidence of the authorization, and the caller as REST names it, to a Caller.

    `uti` is the identifier that the sign-in log calls uniqueTokenIdentifier.
    """
    managed = filled(claims.get("xms_mirid"))
    methods = text(claims.get(_METHODS))
    return Caller(
        subject=_subject(claims, evidence, named, is_managed=managed is not None),
        credential_uid=filled(claims.get("uti")),
        workload_uid=managed,
        has_mfa=None if methods is None else "mfa" in methods.split(","),
        src_ip=address(claims.get("ipaddr")),
    )


def _subject(claims: dict[str, Any], evidence: dict[str, Any], named: str | None, *, is_managed: bool) -> Subject:
    upn, app = filled(claims.get(_UPN)), filled(claims.get("appid"))
    name = upn or filled(claims.get("name"))
    uid = filled(claims.get(_OBJECT)) or upn or named or app or name
    if uid is None:
        return Subject(None, None)
    subject_facets = (text(claims.get("xms_sub_fct")) or "").split()
    if _AGENT_FACET in subject_facets or _AGENT_USER_FACET in subject_facets:
        return Subject(uid, "agent", name)
    kind = _kind(claims, evidence, name or (named if named and "@" in named else None), is_managed=is_managed)
    if kind == "human" and app and _AGENT_FACET in (text(claims.get("xms_act_fct")) or "").split():
        return Subject(app, "agent", filled(claims.get("app_displayname")), on_behalf_of=uid)
    return Subject(uid, kind, name or named if uid != named else name)


def _kind(claims: dict[str, Any], evidence: dict[str, Any], name: str | None, *, is_managed: bool) -> str:
    """An application's token says so or names no user; a managed identity's names its resource."""
    if is_managed:
        return "workload"
    if claims.get("idtyp") == "app":
        return "service"
    if name or claims.get("idtyp") == "user" or filled(claims.get(_SCOPE)):
        return "human"
    principal = evidence.get("principalType")
    if type(principal) is str and principal in _KINDS:
        return _KINDS[principal]
    return "service" if filled(claims.get("appid")) else "unknown"
