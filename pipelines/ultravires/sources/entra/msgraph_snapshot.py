"""What Microsoft Graph answers of who holds what in a directory: role assignments, directory roles and groups with
their members, app role assignments, and consents.

https://learn.microsoft.com/en-us/graph/api/resources/unifiedroleassignment and the pages of directoryRole, group,
appRoleAssignment and oAuth2PermissionGrant. The directory has answered, and nobody who is named in it speaks; who may
write where the file lies writes what it says, so it is `recorded` in its place only, as IAM's export of AWS is.

Everybody and everything is named by object id, as in the logs; a directory role by its template. A permission of an API
is `<object id of the API>/<scope, or id of the app role>`, for no answer says which application the API is. Members
that were expanded are at most twenty, and a list may be of one principal, so what is not listed is not said to be gone.

The members of one group or role alone (`/groups/<id>/members`) do not name it and are not read.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ultravires.reading.events import Event, Frame, NotParsed, present
from ultravires.reading.grants import Json, given, statement, written
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.snapshots import MOST_GRANTS, NO_PART, SNAPSHOT, Described, Export, event_of, snapshot_records
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, sequence, text

_DIRECTORY = "/"
_SCOPE = re.compile(r"[\w.:/+-]{1,200}", re.ASCII)
_EVERYBODY = "AllPrincipals"
_REQUESTED = frozenset({"status", "action"})
"""Members of requests and schedules, which are of assignments and none themselves."""
_SHAPES = {
    "unifiedRoleAssignment": frozenset({"principalId", "roleDefinitionId", "directoryScopeId"}),
    "directoryRole": frozenset({"id", "roleTemplateId", "members"}),
    "group": frozenset({"id", "securityEnabled", "members"}),
    "appRoleAssignment": frozenset({"appRoleId", "principalId", "resourceId"}),
    "oauth2PermissionGrant": frozenset({"clientId", "consentType", "resourceId", "scope"}),
}


def recognise(head: Head) -> bool:
    """Answers whose first object has the members of one of these, or a record as it is kept."""
    return any(
        _shape_of(keys) is not None or (SNAPSHOT in keys and not keys.isdisjoint(_SHAPES))
        for keys in head.first_keys("value")
    )


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The objects of all answers."""
    return snapshot_records(chunks, options, _EXPORT)


def events(value: dict[str, Any], options: Options) -> Iterable[Event]:
    """One object to one event. Raises NotParsed where the export has no time."""
    part = next((part for part in value if part in _SHAPES), None)
    found = _STATING[part](mapping(value.get(part))) if part is not None else None
    if part is None or found is None:
        raise NotParsed(NO_PART)
    uid, grants = found
    return (event_of(value, part, Described(part.lower(), uid, grants)),)


def _shape_of(keys: Iterable[str]) -> str | None:
    present_keys = frozenset(keys)
    if not _REQUESTED.isdisjoint(present_keys):
        return None
    return next((part for part, shape in _SHAPES.items() if present_keys >= shape), None)


def _part_of(record: dict[str, Any]) -> str | None:
    part = _shape_of(record)
    return part if part is not None and _STATING[part](record) is not None else None


def _role_assignment(said: Json) -> tuple[str, list[Json]] | None:
    principal, role, scope = (text(said.get(name)) for name in ("principalId", "roleDefinitionId", "directoryScopeId"))
    if principal is None or role is None or scope is None:
        return None
    uid = text(said.get("id")) or f"{principal}/{role}{scope}"
    return uid, [given("attached", principal, role, scope=scope)]


def _members(said: Json) -> list[str]:
    listed = (text(mapping(each).get("id")) for each in sequence(said.get("members"))[:MOST_GRANTS])
    return [member for member in listed if member is not None]


def _directory_role(said: Json) -> tuple[str, list[Json]] | None:
    role = text(said.get("roleTemplateId"))
    if role is None:
        return None
    return role, [given("attached", member, role, scope=_DIRECTORY) for member in _members(said)]


def _group(said: Json) -> tuple[str, list[Json]] | None:
    group = text(said.get("id"))
    return (group, [given("member", member, group) for member in _members(said)]) if group is not None else None


def _permission(api: str, value: str) -> Json:
    return written(f"{api}/{value}", [statement("allow", [f"{api}:{value}"], ["*"])])


def _app_role(said: Json) -> tuple[str, list[Json]] | None:
    principal, api, role = (text(said.get(name)) for name in ("principalId", "resourceId", "appRoleId"))
    if principal is None or api is None or role is None:
        return None
    uid = text(said.get("id")) or f"{principal}/{api}/{role}"
    return uid, [_permission(api, role), given("attached", principal, f"{api}/{role}")]


def _consents(said: Json) -> tuple[str, list[Json]] | None:
    """What a client may do for a person, or for everybody."""
    client, api, kind = (text(said.get(name)) for name in ("clientId", "resourceId", "consentType"))
    if client is None or api is None or kind is None or type(said.get("scope")) is not str:
        return None
    person = text(said.get("principalId"))
    terms = present(consentType=kind, principalId=person)
    where = _DIRECTORY if kind == _EVERYBODY else person
    found: list[Json] = []
    scopes = said["scope"].split()[:MOST_GRANTS]
    for scope in scopes if all(map(_SCOPE.fullmatch, scopes)) else ():
        edge = given("attached", client, f"{api}/{scope}", scope=where, binding=kind, condition=terms)
        found += [_permission(api, scope), edge]
    return text(said.get("id")) or f"{client}/{api}/{person or kind}", found


_STATING: dict[str, Callable[[Json], tuple[str, list[Json]] | None]] = {
    "unifiedRoleAssignment": _role_assignment,
    "directoryRole": _directory_role,
    "group": _group,
    "appRoleAssignment": _app_role,
    "oauth2PermissionGrant": _consents,
}


def _dates_in(record: dict[str, Any]) -> Iterator[Any]:
    yield record.get("createdDateTime")
    yield record.get("renewedDateTime")


_EXPORT = Export(
    source="msgraph_snapshot",
    opens=frozenset({"value"}),
    part_of=_part_of,
    dates_in=_dates_in,
    says_more=frozenset({"@odata.nextLink"}),
)

SOURCE = Source(
    name="msgraph_snapshot",
    log="msgraph_snapshot",
    version=1,
    title="Microsoft Graph, as exported",
    reads="answers of Microsoft Graph (`value`) or lists of their objects: roleManagement/directory/roleAssignments, "
    "directoryRoles and groups with `$expand=members`, appRoleAssignedTo, appRoleAssignments, oauth2PermissionGrants",
    recognised_by="the members of a unifiedRoleAssignment, directoryRole, group, appRoleAssignment or "
    "oAuth2PermissionGrant",
    grade="documentation",
    documentation="https://learn.microsoft.com/en-us/graph/api/resources/unifiedroleassignment",
    documented_at="2026-11-30",
    evidence_kinds=("inventory",),
    voice="recorded",
    join_keys=(),
    recognise=recognise,
    records=records,
    events=events,
    grants=True,
    dated_by_file=True,
    joins_lines=True,
)
