"""Role assignments and definitions of Azure as `az role assignment list --all -o json` and `az role definition list -o
json` print them.

https://learn.microsoft.com/en-us/cli/azure/role/assignment#az-role-assignment-list. Azure has answered, and nobody who
is named in it speaks; who may write where the file lies writes what it says, so it is `recorded` in its place only, as
IAM's export of AWS is.

The lists do not say of which scopes they hold everything (a resource group, a principal, or with what lies above), so
an assignment that is not listed is not said to be gone.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from ultravires.reading.events import Event, Frame, NotParsed
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options
from ultravires.reading.snapshots import NO_PART, SNAPSHOT, Described, Export, event_of, snapshot_records
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, text
from ultravires.sources.azure.iam_changes import stated_by

_TYPES = {
    "microsoft.authorization/roleassignments": "roleAssignment",
    "microsoft.authorization/roledefinitions": "roleDefinition",
    "microsoft.authorization/denyassignments": "denyAssignment",
}
_PARTS = frozenset(_TYPES.values())
_FLAT = (frozenset({"principalId", "roleDefinitionId"}), frozenset({"assignableScopes", "permissions"}))
_SUBSCRIPTION = "/subscriptions/"


def recognise(head: Head) -> bool:
    """Resources of these types, flat or with `properties`, or a record as it is kept."""
    keys_of_first = head.first_keys("value")
    if any(SNAPSHOT in keys and keys & _PARTS for keys in keys_of_first):
        return True
    is_alike = any(
        keys.issuperset(("id", "name", "type")) and ("properties" in keys or any(keys >= flat for flat in _FLAT))
        for keys in keys_of_first
    )
    return is_alike and any(kind.lower() in _TYPES for kind in values_at(head, "type"))


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The resources of the list that the command prints or of the answers of the API."""
    return snapshot_records(chunks, options, _EXPORT)


def events(value: dict[str, Any], options: Options) -> Iterable[Event]:
    """One assignment or definition to one event. Raises NotParsed where the export has no time."""
    part = next((part for part in value if part in _PARTS), None)
    found = stated_by(mapping(value.get(part))) if part is not None else None
    if part is None or found is None:
        raise NotParsed(NO_PART)
    uid, grants = found
    return (event_of(value, part, Described(part.lower(), uid, grants, _subscription_in(uid))),)


def _subscription_in(uid: str) -> str | None:
    return uid.split("/")[2] if uid.startswith(_SUBSCRIPTION) else None


def _part_of(record: dict[str, Any]) -> str | None:
    kind = text(record.get("type"))
    return _TYPES.get(kind.lower()) if kind and text(record.get("id")) else None


def _dates_in(record: dict[str, Any]) -> Iterator[Any]:
    for said in (record, mapping(record.get("properties"))):
        yield from (said.get("createdOn"), said.get("updatedOn"))


_EXPORT = Export(source="azure_role_snapshot", opens=frozenset({"value"}), part_of=_part_of, dates_in=_dates_in)

SOURCE = Source(
    name="azure_role_snapshot",
    log="azure_role_snapshot",
    version=1,
    title="Azure role assignments and definitions, as exported",
    reads="`az role assignment list --all -o json`, `az role definition list -o json`, and the answers of that API "
    "(`value`)",
    recognised_by="type Microsoft.Authorization/roleAssignments, roleDefinitions or denyAssignments",
    grade="documentation",
    documentation="https://learn.microsoft.com/en-us/cli/azure/role/assignment",
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
