"""Microsoft Graph activity logs: every request to Microsoft Graph, with the token that it was made with.

Records of the diagnostic setting MicrosoftGraphActivityLogs, and rows of the table of that name as Log Analytics
exports them (`TimeGenerated`, `RequestUri` ...).
https://learn.microsoft.com/en-us/azure/azure-monitor/reference/tables/microsoftgraphactivitylogs
"""

import re
from functools import partial
from typing import Any

from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, text
from ultravires.sources.azure.exports import (
    ANOTHER_LOG,
    ARRAYS,
    GRAPH_CALLS,
    address,
    category_of,
    claim_of,
    family_of,
    filled,
    is_export,
    outer,
    place_of,
    request_keys,
    status_outcome,
    tenant_of,
)
from ultravires.sources.entra.identities import NOBODY, Subject
from ultravires.sources.ocsf.classes import API_ACTIVITY

_OTHER = 99
_ROW_MEMBERS = ("TimeGenerated", "RequestUri", "RequestMethod", "SignInActivityId")
_ACTIVITY = {"POST": 1, "GET": 2, "HEAD": 2, "PATCH": 3, "PUT": 3, "DELETE": 4}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_ROW_NAMES = {
    "timeGenerated": "TimeGenerated",
    "requestId": "RequestId",
    "clientRequestId": "ClientRequestId",
    "operationId": "OperationId",
    "requestMethod": "RequestMethod",
    "requestUri": "RequestUri",
    "responseStatusCode": "ResponseStatusCode",
    "ipAddress": "IPAddress",
    "userAgent": "UserAgent",
    "userId": "UserId",
    "servicePrincipalId": "ServicePrincipalId",
    "appId": "AppId",
    "signInActivityId": "SignInActivityId",
    "tenantId": "AadTenantId",
}
_VERSIONS = frozenset({"v1.0", "beta"})
_PART = re.compile(r"[^/()']+")
_SHORTEST_ID = 20
_FUNCTIONS = ("get", "microsoft.graph.")
_LONGEST_PATH = 300


def recognise(head: Head) -> bool:
    """The envelope of a diagnostic setting with the category, or rows of the table."""
    if head.holds(*_ROW_MEMBERS, arrays=ARRAYS):
        return True
    return is_export(head, "resourceid", "properties") and family_of(head) == "graph"


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One request to one activity; none for a record of another log in the same export.

    Raises NotParsed without a time, or without method and address.
    """
    is_row = "TimeGenerated" in record and "RequestUri" in record
    if is_row:
        call = {name: record.get(column) for name, column in _ROW_NAMES.items()}
    elif category_of(record) == GRAPH_CALLS:
        call = mapping(outer(record, "properties"))
    else:
        return NoEvent(ANOTHER_LOG)
    at = event_time(call.get("timeGenerated"), None if is_row else outer(record, "time"))
    method, uri = text(call.get("requestMethod")), text(call.get("requestUri"))
    if method is None or uri is None:
        raise NotParsed("no requestMethod and requestUri: not a request to Microsoft Graph")
    resource = uri.partition("?")[0]
    tenant = filled(call.get("tenantId")) or (None if is_row else tenant_of(record))
    outcome, error = status_outcome(call.get("responseStatusCode"))
    subject = caller_of(call)
    request, token = filled(call.get("requestId")), filled(call.get("signInActivityId"))
    event = Event(
        native_id=request,
        event_at=at,
        kind="activity",
        class_uid=API_ACTIVITY,
        activity_id=_ACTIVITY.get(method.upper(), _OTHER),
        actor_uid=subject.uid,
        actor_kind=subject.kind,
        account_uid=tenant,
        action=f"msgraph:{method.upper()} {template_of(resource)}",
        resource_uids=[resource],
        outcome=outcome,
        error_code=error,
        src_ip=address(call.get("ipAddress"), None if is_row else outer(record, "callerIpAddress")),
        user_agent=filled(call.get("userAgent")),
        credential_uid=token,
        keys=request_keys(tenant, request, call.get("clientRequestId"), call.get("operationId")),
        detail=present(read_only=method.upper() in _READS, credential_kind="session" if token else None),
    )
    return (event,)


def caller_of(call: dict[str, Any]) -> Subject:
    """A person whose token it is, else the service principal that called for itself."""
    if user := filled(call.get("userId")):
        return Subject(user, "human")
    principal = filled(call.get("servicePrincipalId"))
    if principal is None and call.get("C_Idtyp") == "user" and (user := filled(call.get("UserPrincipalObjectID"))):
        return Subject(user, "human")
    uid = principal or filled(call.get("appId"))
    return Subject(uid, "service") if uid else NOBODY


def template_of(resource: str) -> str:
    """The path of a request without host and version, ids replaced by `{id}`: the operation, however often called."""
    path = resource.partition("://")[2].partition("/")[2] if "://" in resource else resource.lstrip("/")
    version, slash, rest = path.partition("/")
    if version in _VERSIONS:
        path = rest if slash else ""
    return "/" + _PART.sub(_shown, path[:_LONGEST_PATH].strip("/"))


def _shown(match: re.Match[str]) -> str:
    """A part of a path: a number, a mail address or a long word with digits is an id; `alerts_v2` is none, nor is the
    function `getOffice365ActiveUserDetail`.
    """
    part = match.group()
    is_long = len(part) >= _SHORTEST_ID and not part.startswith(_FUNCTIONS)
    is_id = part.isdigit() or "@" in part or "%40" in part or (is_long and any(map(str.isdigit, part)))
    return "{id}" if is_id else part


SOURCE = Source(
    name="msgraph_activity",
    log="msgraph_activity",
    version=3,
    title="Microsoft Graph activity logs",
    reads='`{"records": [...]}` or lines of the diagnostic setting MicrosoftGraphActivityLogs; rows of the table of '
    "that name",
    recognised_by="time, category, operationName, resourceId with the category MicrosoftGraphActivityLogs; or "
    "TimeGenerated, RequestUri, RequestMethod, SignInActivityId",
    grade="documentation",
    documentation="https://learn.microsoft.com/en-us/azure/azure-monitor/reference/tables/microsoftgraphactivitylogs",
    documented_at="2026-11-25",
    evidence_kinds=("activity",),
    voice="recorded",
    system="entra",
    place=place_of,
    delivered_in=(
        f"azure:{GRAPH_CALLS}",
        "elastic:azure.graphactivitylogs",
    ),
    join_keys=("request",),
    recognise=recognise,
    records=partial(json_records, arrays=ARRAYS),
    events=events,
    claim=claim_of("graph"),
    objects=("properties",),
    never_text=frozenset({"properties"}),
)
