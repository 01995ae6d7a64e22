"""Microsoft 365 unified audit: what users, admins and applications did in Exchange, SharePoint, Teams, Entra and more.

Common and Entra schema:
https://learn.microsoft.com/en-us/office/office-365-management-api/office-365-management-activity-api-schema
Records of Entra's directory are copies of what the Entra logs tell; their operations have the same names and meanings.
"""

import re
from functools import cache, lru_cache, partial
from typing import Any

import msgspec

from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.object_fields import opened
from ultravires.reading.options import Options
from ultravires.reading.sign_ins import SecondFactor
from ultravires.reading.source import Source
from ultravires.reading.values import integer, label, mapping, sequence, text
from ultravires.sources.azure.exports import address, filled, request_keys
from ultravires.sources.entra.directory_change import Change, add_properties
from ultravires.sources.entra.effects import effects_of as effects_of_directory
from ultravires.sources.entra.effects import role_effects
from ultravires.sources.entra.iam_changes import grants_of
from ultravires.sources.entra.operations import further_keys, key_changes
from ultravires.sources.entra.operations import ocsf_class as ocsf_class_of_directory
from ultravires.sources.entra.second_factor import after_code
from ultravires.sources.m365.effects import effects_of
from ultravires.sources.m365.records import is_undecoded, recognise, records
from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHENTICATION, GROUP_MANAGEMENT, USER_ACCESS

_DIRECTORY = "AzureActiveDirectory"
_OBJECT = re.compile(r"(User|ServicePrincipal|Group|Role|Application)_([0-9a-fA-F-]{8,64})")
_MOST_TARGETS = 500
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PEOPLE = frozenset({0, 2, 10})
_SERVICES = frozenset({3, 4, 5, 6, 7, 8})
"""UserType: a regular user, an admin and a guest; Microsoft's own operators and system, applications and policies."""
_APPLICATION = "app@sharepoint"
_UNKNOWN_USERS = frozenset({"Not Available", "Unknown", "N/A"})
_OUTCOMES = {
    "success": "success",
    "succeeded": "success",
    "partiallysucceeded": "success",
    "true": "success",
    "failure": "failure",
    "failed": "failure",
    "false": "failure",
}
_LOGON, _ASSIGN, _REVOKE, _OTHER = 1, 1, 2, 99
_EXACT = {
    "userloggedin": (AUTHENTICATION, _LOGON),
    "userloginfailed": (AUTHENTICATION, _LOGON),
    "mailboxlogin": (AUTHENTICATION, _LOGON),
    "add-mailboxpermission": (USER_ACCESS, _ASSIGN),
    "add-mailboxfolderpermission": (USER_ACCESS, _ASSIGN),
    "add-recipientpermission": (USER_ACCESS, _ASSIGN),
    "add-rolegroupmember": (USER_ACCESS, _ASSIGN),
    "new-managementroleassignment": (USER_ACCESS, _ASSIGN),
    "new-serviceprincipal": (API_ACTIVITY, 1),
    "remove-mailboxpermission": (USER_ACCESS, _REVOKE),
    "remove-mailboxfolderpermission": (USER_ACCESS, _REVOKE),
    "remove-recipientpermission": (USER_ACCESS, _REVOKE),
    "remove-rolegroupmember": (USER_ACCESS, _REVOKE),
    "remove-managementroleassignment": (USER_ACCESS, _REVOKE),
    "sitecollectionadminadded": (USER_ACCESS, _ASSIGN),
    "sitecollectionadminremoved": (USER_ACCESS, _REVOKE),
    "addedtogroup": (GROUP_MANAGEMENT, 3),
    "removedfromgroup": (GROUP_MANAGEMENT, 4),
    "memberadded": (GROUP_MANAGEMENT, 3),
    "memberremoved": (GROUP_MANAGEMENT, 4),
}
_VERBS = (
    (1, re.compile(r"^(New-|Create)|(Created|Uploaded|Copied|Restored)$")),
    (2, re.compile(r"^(Get-|List|View|Search)|(Accessed|Previewed|Viewed|Downloaded|Searched|SearchQueryPerformed)$")),
    (3, re.compile(r"^(Set-|Add-|Enable-|Disable-|Update)|(Modified|Updated|Set|Moved|Renamed|Changed|Added)$")),
    (4, re.compile(r"^(Remove-|Delete|HardDelete|SoftDelete)|(Deleted|Removed|Recycled)$")),
)


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who did it, and through which application where the log says so."""

    uid: str | None
    kind: str
    name: str | None = None
    client: str | None = None


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One audit record to one activity, and to one event for each further key that it gives or takes.

    Raises NotParsed without a time or an operation, and where an export cut the record off.
    """
    if is_undecoded(record):
        raise NotParsed("AuditData is cut off or no JSON")
    at = event_time(record.get("CreationTime"))
    operation = filled(record.get("Operation"))
    if operation is None:
        raise NotParsed("no Operation: not a record of the unified audit log")
    is_directory = record.get("Workload") == _DIRECTORY
    actor = actor_of(record)
    access = mapping(record.get("AppAccessContext"))
    tenant = filled(record.get("OrganizationId"))
    outcome, error = _result(record, operation)
    class_uid, activity_id = ocsf_class(operation, is_directory=is_directory)
    added, removed = _keys_changed(record) if is_directory and outcome == "success" else ([], [])
    change = cache(partial(_change, record, actor))
    changes = grants_of(operation, change) if is_directory else []
    grants = changes if outcome == "success" else []
    effects = effects_of_directory(operation, change) if is_directory else []
    effects += role_effects(changes, has_happened=outcome == "success") or effects_of(operation, record)
    token = filled(access.get("UniqueTokenId"))
    correlated = (access.get("CorrelationId"), record.get("InterSystemsId"), record.get("CorrelationId"))
    event = Event(
        native_id=filled(record.get("Id")),
        event_at=at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=actor.uid,
        actor_kind=actor.kind,
        actor_name=actor.name,
        via_service=actor.client,
        account_uid=tenant,
        action=f"m365:{operation}",
        resource_uids=_resources(record, is_directory=is_directory),
        outcome=outcome,
        error_code=error,
        src_ip=address(record.get("ClientIP"), record.get("ClientIPAddress"), record.get("ActorIpAddress")),
        user_agent=filled(record.get("UserAgent")) or filled(record.get("ClientInfoString")),
        credential_uid=token,
        issued_credential_uid=added[0] if added else None,
        revoked_credential_uid=removed[0] if removed else None,
        keys=request_keys(tenant, *correlated),
        detail=present(
            event_type=filled(record.get("Workload")),
            grants=grants or None,
            effects=effects or None,
            second_factor=_second_factor(record) if class_uid == AUTHENTICATION else None,
            read_only=True if (class_uid, activity_id) == (API_ACTIVITY, 2) else None,
            credential_kind="session" if token else None,
        ),
    )
    return (event, *further_keys(event, added, removed))


def actor_of(record: dict[str, Any]) -> Actor:
    """The user, or the application where none stands behind it. A directory record names its actor by object id, as
    the Entra logs do.
    """
    user, user_type = filled(record.get("UserId")), integer(record.get("UserType"))
    client = _client(record)
    identifier = _object_id(user) or _object_of_actor(record) or _user_key(record)
    is_principal = _is_principal(user) or (identifier is not None and user_type in _SERVICES)
    if user == _APPLICATION or user in _UNKNOWN_USERS:
        user = None
    if is_principal:
        name = _name_of_actor(record)
        return Actor(identifier, "service", name)
    if user is None:
        return Actor(client, "service") if client else Actor(None, "unknown")
    if user_type in _SERVICES or _is_system(user):
        return Actor(client or user, "service", user if client else None)
    kind = "human" if "@" in user and (user_type in _PEOPLE or user_type is None) else "unknown"
    return Actor(identifier or user, kind, user if identifier else None, client)


def _client(record: dict[str, Any]) -> str | None:
    """The application that acted, or that the user acted with."""
    access = mapping(record.get("AppAccessContext"))
    names = ("ClientAppId", "AppId", "ApplicationId")
    return filled(access.get("ClientAppId")) or next((c for name in names if (c := filled(record.get(name)))), None)


def _is_principal(user: str | None) -> bool:
    return user is not None and user.startswith("ServicePrincipal_")


def _is_system(user: str) -> bool:
    return user.startswith("NT AUTHORITY\\") or user.startswith("NT SERVICE\\")


@lru_cache(maxsize=65536)
def _object_id(written: str | None) -> str | None:
    """The id in `User_<id>` and the like."""
    match = _OBJECT.fullmatch(written) if written else None
    return match[2] if match else None


def _ids(parties: Any) -> list[str]:
    return [found for party in sequence(parties) if (found := text(mapping(party).get("ID")))]


def _object_of_actor(record: dict[str, Any]) -> str | None:
    return next((found for written in _ids(record.get("Actor")) if (found := _object_id(written))), None)


def _user_key(record: dict[str, Any]) -> str | None:
    """Of sign-ins the object id, where other workloads write ids of their own."""
    key = text(record.get("UserKey")) if record.get("Workload") == _DIRECTORY else None
    return key if key and _GUID.fullmatch(key) else None


def _name_of_actor(record: dict[str, Any]) -> str | None:
    """The display name of an application, which stands first."""
    named = (text(mapping(party).get("ID")) for party in sequence(record.get("Actor")) if _is_name(mapping(party)))
    return next((name for name in named if name), None)


def _is_name(party: dict[str, Any]) -> bool:
    return integer(party.get("Type")) == 1


def _resources(record: dict[str, Any], *, is_directory: bool) -> list[str]:
    """What was acted on: of a directory record the ids of its targets and of the role given, as the Entra logs have
    them; else the object, the mailbox or the site.
    """
    if is_directory:
        found = [identifier for written in _ids(record.get("Target")) if (identifier := _object_id(written))]
        found += [role for change in _changes(record, "Role.ObjectID") if (role := _unquoted(change))]
        if found:
            return list(dict.fromkeys(found))
    names = ("ObjectId", "MailboxOwnerUPN", "SiteUrl", "TeamName", "ItemName")
    named = next((value for name in names if (value := filled(record.get(name)))), None)
    return [named] if named and named not in _UNKNOWN_USERS else []


def _changes(record: dict[str, Any], name: str) -> list[Any]:
    changes = map(mapping, sequence(record.get("ModifiedProperties")))
    return [change.get("NewValue") or change.get("OldValue") for change in changes if change.get("Name") == name]


def _unquoted(value: Any) -> str | None:
    """Values of properties are JSON in a text: `"62e90394-..."`."""
    return filled(value.strip('" ')) if type(value) is str else None


def _keys_changed(record: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The keys that an application got and lost, by the ids that its sign-ins show."""
    changes = [
        {"displayName": change.get("Name"), "oldValue": change.get("OldValue"), "newValue": change.get("NewValue")}
        for change in map(mapping, sequence(record.get("ModifiedProperties")))
    ]
    return key_changes([{"modifiedProperties": changes}])


def _change(record: dict[str, Any], actor: Actor) -> Change:
    """A record of the directory in the terms of the Entra logs."""
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    add_properties(record.get("ModifiedProperties"), ("Name", "OldValue", "NewValue"), old, new)
    targets = (_OBJECT.fullmatch(written) for written in _ids(record.get("Target"))[:_MOST_TARGETS])
    extended = map(mapping, sequence(record.get("ExtendedProperties"))[:_MOST_TARGETS])
    more = next((opened(each.get("Value")) for each in extended if each.get("Name") == "additionalDetails"), {})
    return Change(
        targets=list(dict.fromkeys((match[1], match[2]) for match in targets if match)),
        old=old,
        new=new,
        details={name: value for name, value in more.items() if type(value) is str and filled(value)},
        initiator=actor.uid,
        address=text(record.get("UserId")),
    )


def _result(record: dict[str, Any], operation: str) -> tuple[str, str | None]:
    """(outcome, error code). Workloads that tell only of what was done write no result."""
    result = record.get("ResultStatus")
    said = str(result) if type(result) is bool else filled(label(result))
    outcome = _OUTCOMES.get(said.lower(), "unknown") if said else "success"
    outcome = "failure" if operation == "UserLoginFailed" else outcome
    if outcome != "failure":
        return outcome, None
    error = filled(record.get("LogonError")) or label(record.get("ErrorNumber")) or filled(record.get("ResultDetail"))
    return outcome, error


def _second_factor(record: dict[str, Any]) -> SecondFactor | None:
    """By the number of the error, which is that of the sign-in logs."""
    return after_code(label(record.get("ErrorNumber")), text(record.get("LogonError")))


@lru_cache(maxsize=8192)
def ocsf_class(operation: str, *, is_directory: bool) -> tuple[int, int]:
    """(class_uid, activity_id); operations of the directory as in the Entra logs, others by how their name begins or
    ends.
    """
    if found := _EXACT.get(operation.lower().rstrip(".")):
        return found
    if is_directory:
        return ocsf_class_of_directory(operation, _directory_type(operation))
    return API_ACTIVITY, next((activity for activity, pattern in _VERBS if pattern.search(operation)), _OTHER)


def _directory_type(operation: str) -> str | None:
    """What the Entra logs call operationType: the verb with which the operation begins."""
    verb = operation.partition(" ")[0]
    return {"Add": "Add", "Update": "Update", "Set": "Update", "Delete": "Delete", "Remove": "Delete"}.get(verb)


SOURCE = Source(
    name="m365_audit",
    log="m365_audit",
    version=5,
    title="Microsoft 365 unified audit log",
    reads="records of the Management Activity API (arrays or lines); Purview's CSV export and Search-UnifiedAuditLog "
    "with the record in AuditData; auditLogRecord of Microsoft Graph",
    recognised_by="CreationTime, Operation, OrganizationId and RecordType; or a column or member AuditData",
    grade="verified",
    documentation="https://learn.microsoft.com/en-us/office/office-365-management-api/"
    "office-365-management-activity-api-schema",
    documented_at="2026-11-29",
    evidence_kinds=("activity", "credential"),
    voice="recorded",
    system="m365",
    delivered_in=(
        "elastic:o365.audit",
        "splunk:o365:management:activity",
        "wazuh:office365",
    ),
    join_keys=("request",),
    recognise=recognise,
    records=records,
    events=events,
    objects=(
        "Actor",
        "Target",
        "ModifiedProperties",
        "ExtendedProperties",
        "AppAccessContext",
        "Parameters",
        "Members",
    ),
)
