"""Requests of Privileged Identity Management as they stand now, and the answers to them.

Microsoft Graph's `unifiedRoleAssignmentScheduleRequest` (directory roles), its counterpart for groups and `approval`,
and Azure Resource Manager's `roleAssignmentScheduleRequests` (Azure roles). Eligibility is no approval, for it gives no
power yet. The steps that PIM writes into the directory's audit log are read by entra_audit.
https://learn.microsoft.com/en-us/graph/api/resources/unifiedroleassignmentschedulerequest
"""

from functools import partial
from typing import Any

from ultravires.reading.events import Event, NoEvent, NotParsed
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, text
from ultravires.sources.azure.exports import ARRAYS
from ultravires.sources.entra.pim_requests import SCOPES, request_of_azure, states_of_approval, states_of_request
from ultravires.sources.tickets.approval_states import approval_event

_REQUEST = frozenset({"id", "status", "action", "principalId", "createdDateTime", "scheduleInfo"})
_OF_WHAT = ("roleDefinitionId", "groupId")
_AZURE = frozenset({"properties", "name", "type", "id"})
_AZURE_TYPE = "microsoft.authorization/roleassignmentschedulerequests"
_ELIGIBILITY = b"ligibilityScheduleRequest"
_STEPS = ("steps", "stages")


def recognise(head: Head) -> bool:
    """The members of a request with what it is for, Azure's type of a request, or an approval's reviewed steps."""
    if _ELIGIBILITY in head.data:
        return False
    for keys in head.first_keys(*ARRAYS):
        if keys >= _REQUEST and any(name in keys for name in _OF_WHAT):
            return True
        if keys >= _AZURE and any(kind.lower() == _AZURE_TYPE for kind in values_at(head, "type")):
            return True
        if "id" in keys and any(name in keys for name in _STEPS) and values_at(head, "reviewResult"):
            return b'"reviewedDateTime"' in head.data
    return False


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One request to the states that it tells of; one answered approval to its answers; none for eligibility.

    Raises NotParsed without a time, or where it is neither.
    """
    if _is_of_eligibility(record):
        return NoEvent("eligibility, not an activation")
    if "reviewResult" in _first_step(record):
        answers = states_of_approval(record)
        return tuple(approval_event(state, SCOPES, options) for state in answers) or NoEvent("nobody has answered yet")
    is_azure = (text(record.get("type")) or "").lower() == _AZURE_TYPE
    request = request_of_azure(record) if is_azure else record
    if not text(request.get("id")) or not text(request.get("status")) or not text(request.get("action")):
        raise NotParsed("no id, status and action: not a request of PIM")
    states = states_of_request(request)
    found = tuple(approval_event(state, SCOPES, options) for state in states)
    return found or NoEvent("request that only tried, or ends nothing")


def _is_of_eligibility(record: dict[str, Any]) -> bool:
    kind = text(record.get("@odata.type")) or text(record.get("type")) or ""
    return "eligibility" in kind.lower()


def _first_step(record: dict[str, Any]) -> dict[str, Any]:
    for name in _STEPS:
        steps = record.get(name)
        if type(steps) is list and steps:
            return mapping(steps[0])
    return {}


SOURCE = Source(
    name="entra_pim",
    log="entra_pim",
    approval_system="entra",
    version=3,
    title="Privileged Identity Management requests",
    reads='Graph `{"value": [...]}` of roleAssignmentScheduleRequests, PIM for groups and their approvals; Azure '
    'Resource Manager `{"value": [...]}` of roleAssignmentScheduleRequests; lines of the same',
    recognised_by="id, status, action, principalId, createdDateTime, scheduleInfo with roleDefinitionId or groupId; "
    "or Azure's type roleAssignmentScheduleRequests; or steps with reviewResult",
    grade="documentation",
    documentation="https://learn.microsoft.com/en-us/graph/api/resources/unifiedroleassignmentschedulerequest",
    documented_at="2026-11-25",
    evidence_kinds=("approval",),
    voice="recorded",
    governs=("entra", "azure", "m365"),
    join_keys=("approval", "ticket"),
    recognise=recognise,
    records=partial(json_records, arrays=ARRAYS),
    events=events,
    objects=(
        "properties",
        "createdBy",
        "scheduleInfo",
        "ticketInfo",
        "roleDefinition",
        "steps",
        "stages",
    ),
    never_text=frozenset({"properties", "createdBy", "scheduleInfo"}),
)
