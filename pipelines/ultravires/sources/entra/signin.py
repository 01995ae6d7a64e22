"""Microsoft Entra sign-ins: of people, service principals, managed identities and agents. A sign-in issues a token.

Records of the diagnostic settings SignInLogs, NonInteractiveUserSignInLogs, ServicePrincipalSignInLogs,
MicrosoftServicePrincipalSignInLogs and ManagedIdentitySignInLogs, and Microsoft Graph's `signIn` objects, which are the
`properties` of the former.
https://learn.microsoft.com/en-us/graph/api/resources/signin?view=graph-rest-beta
"""

from functools import partial
from typing import Any

from ultravires.reading.events import Event, NoEvent, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, sequence, text
from ultravires.sources.azure.exports import (
    ANOTHER_LOG,
    ARRAYS,
    SIGN_INS,
    address,
    category_of,
    claim_of,
    family_of,
    filled,
    is_export,
    outer,
    place_of,
    request_keys,
    tenant_of,
)
from ultravires.sources.entra.identities import signed_in
from ultravires.sources.entra.second_factor import second_factor_of
from ultravires.sources.ocsf.classes import AUTHENTICATION

_LOGON = 1
_TYPES = frozenset(SIGN_INS.values())
_GRAPH_MEMBERS = ("createdDateTime", "appId", "correlationId", "status")
_GRAPH_ONLY = frozenset({"userPrincipalName", "servicePrincipalId", "conditionalAccessStatus", "signInEventTypes"})
_REFUSED = frozenset(
    {"50105", "50131", "53000", "53001", "53002", "53003", "53004", "53011", "530031", "530032", "530034", "530035"}
)
"""Error codes by which a policy refused somebody who had proved who they are."""
_WORDS = {"success": "success", "failure": "failure"}


def recognise(head: Head) -> bool:
    """The envelope of a diagnostic setting with a sign-in category, or Graph's signIn objects."""
    if is_export(head, "resourceid", "properties"):
        return family_of(head) == "sign-in"
    found = [keys for keys in head.first_keys(*ARRAYS) if keys.issuperset(_GRAPH_MEMBERS)]
    return any(keys & _GRAPH_ONLY for keys in found)


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One sign-in to one activity that issues a token; none for a record of another log in the same export.

    Raises NotParsed without a time.
    """
    category = category_of(record)
    is_graph = category is None and "createdDateTime" in record
    if not is_graph and not (type(category) is str and category in SIGN_INS):
        return NoEvent(ANOTHER_LOG)
    sign_in = record if is_graph else mapping(outer(record, "properties"))
    event_at = event_time(sign_in.get("createdDateTime"), None if is_graph else outer(record, "time"))
    event_type = _event_type(sign_in, category)
    subject = signed_in(sign_in, event_type)
    outcome, error = _result(sign_in, None if is_graph else outer(record, "resultType"))
    tenant = _tenant(record, sign_in)
    request = filled(sign_in.get("id"))
    event = Event(
        native_id=request,
        event_at=event_at,
        kind="activity",
        class_uid=AUTHENTICATION,
        activity_id=_LOGON,
        actor_uid=subject.uid,
        actor_kind=subject.kind,
        actor_name=subject.name,
        on_behalf_of_uid=subject.on_behalf_of,
        account_uid=tenant,
        workload_uid=_workload(sign_in) if subject.kind == "workload" else None,
        action="entra:signIn",
        resource_uids=_resources(sign_in),
        outcome=outcome,
        error_code=error,
        src_ip=address(sign_in.get("ipAddress"), outer(record, "callerIpAddress")),
        user_agent=text(sign_in.get("userAgent")),
        credential_uid=filled(sign_in.get("servicePrincipalCredentialKeyId"))
        or filled(sign_in.get("federatedCredentialId")),
        issued_credential_uid=filled(sign_in.get("uniqueTokenIdentifier")) if outcome == "success" else None,
        keys=request_keys(tenant, sign_in.get("correlationId"), outer(record, "correlationId"), request),
        detail=present(
            event_type=event_type,
            mfa=_has_mfa(sign_in, outcome),
            second_factor=second_factor_of(sign_in, outcome, error),
        ),
    )
    return (event,)


def _event_type(sign_in: dict[str, Any], category: Any) -> str:
    if type(category) is str:
        return SIGN_INS[category]
    for name in sequence(sign_in.get("signInEventTypes")):
        if type(name) is str and name in _TYPES:
            return name
    if filled(sign_in.get("userId")):
        return "nonInteractiveUser" if sign_in.get("isInteractive") is False else "interactiveUser"
    managed = filled(sign_in.get("managedIdentityType")) or filled(_managed(sign_in).get("msiType"))
    return "managedIdentity" if managed else "servicePrincipal"


def _managed(sign_in: dict[str, Any]) -> dict[str, Any]:
    return mapping(sign_in.get("managedServiceIdentity"))


def _workload(sign_in: dict[str, Any]) -> str | None:
    """The Azure resource whose managed identity signed in."""
    return filled(_managed(sign_in).get("associatedResourceId")) or filled(sign_in.get("azureResourceId"))


def _tenant(record: dict[str, Any], sign_in: dict[str, Any]) -> str | None:
    named = None if record is sign_in else tenant_of(record)
    return named or filled(sign_in.get("resourceTenantId")) or filled(sign_in.get("homeTenantId"))


def _resources(sign_in: dict[str, Any]) -> list[str]:
    """What the token is for: the application id of the API, which is the same in every tenant."""
    resource = filled(sign_in.get("resourceId")) or filled(sign_in.get("resourceServicePrincipalId"))
    resource = resource or filled(sign_in.get("resourceDisplayName"))
    return [resource] if resource else []


def _result(sign_in: dict[str, Any], result: Any) -> tuple[str, str | None]:
    """(outcome, error code): `status.errorCode`, else the envelope's resultType, which is a code or a word."""
    code = label(mapping(sign_in.get("status")).get("errorCode")) or label(result)
    if code is None:
        return "unknown", None
    if code == "0":
        return "success", None
    if code.isdigit():
        return ("denied" if code in _REFUSED else "failure"), code
    return _WORDS.get(code.lower(), "unknown"), None


def _has_mfa(sign_in: dict[str, Any], outcome: str) -> bool | None:
    """Whether more than one factor was asked for; a requirement says nothing of a sign-in that failed."""
    required = sign_in.get("authenticationRequirement")
    if required == "singleFactorAuthentication":
        return False
    return True if required == "multiFactorAuthentication" and outcome == "success" else None


SOURCE = Source(
    name="entra_signin",
    log="entra_signin",
    version=4,
    title="Microsoft Entra sign-in logs",
    reads='`{"records": [...]}` or lines of a diagnostic setting (SignInLogs, NonInteractiveUserSignInLogs, '
    'ServicePrincipalSignInLogs, ManagedIdentitySignInLogs); Graph `{"value": [...]}` of signIn',
    recognised_by="time, category, operationName, resourceId with a sign-in category; or Graph's signIn members",
    grade="verified",
    documentation="https://learn.microsoft.com/en-us/graph/api/resources/signin?view=graph-rest-beta",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="entra",
    place=place_of,
    delivered_in=(
        *(f"azure:{category}" for category in SIGN_INS),
        "elastic:azure.signinlogs",
        "splunk:azure:aad:signin",
        "splunk:azure:monitor:aad",
        "wazuh:ms-graph",
    ),
    join_keys=("request",),
    recognise=recognise,
    records=partial(json_records, arrays=ARRAYS),
    events=events,
    claim=claim_of("sign-in"),
    objects=(
        "properties",
        "properties.status",
        "properties.managedServiceIdentity",
        "properties.agent",
        "status",
        "managedServiceIdentity",
        "agent",
    ),
    never_text=frozenset({"properties"}),
)
