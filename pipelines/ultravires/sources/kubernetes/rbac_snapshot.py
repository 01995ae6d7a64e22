"""Roles and bindings of a cluster, as printed by
`kubectl get roles,clusterroles,rolebindings,clusterrolebindings -A -o json`, or with `-o yaml`.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/. The cluster has answered, and nobody who is named in it
speaks; who may write where the file lies writes what it says, so it is `recorded` in its place only, as IAM's export
of AWS is.

No such file names its cluster, so that its roles and bindings are those of audit events that name none either, and what
it does not list is not said to be gone: another cluster may have it, or a selector left it out.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from ultravires.reading.events import Event, Frame, NoEvent, NotParsed
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.snapshots import NO_PART, SNAPSHOT, Described, Export, event_of, snapshot_records
from ultravires.reading.source import Source
from ultravires.reading.splitting import broken
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.kubernetes.rbac_changes import stated_by
from ultravires.sources.kubernetes.yaml_objects import MOST_BYTES, Refused, as_json, is_yaml

_API_VERSION = b"rbac.authorization.k8s.io/"
_KINDS = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})
_RULES = ("rules", "roleRef", "aggregationRule")
_OTHER = "object"
_MOST_FIELDS = 200
_ANOTHER_KIND = "object of another kind"


def recognise(head: Head) -> bool:
    """A role or binding, alone or as the first of a list, or a record as it is kept."""
    if _API_VERSION not in head.data:
        return False
    if is_yaml(head.data):
        return True
    return any(
        (keys.issuperset(("kind", "metadata", "apiVersion")) and not keys.isdisjoint(_RULES))
        or (SNAPSHOT in keys and keys & _KINDS)
        for keys in head.first_keys("items")
    )


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The objects of all lists, and those that stand alone."""
    beginning = next(chunks, b"")
    rest = chain((beginning,), chunks)
    if not is_yaml(beginning):
        return snapshot_records(rest, options, _EXPORT)
    return _of_yaml(rest, options)


def _of_yaml(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The same objects; a text that is not kubectl's, or too long, is refused as one record behind those before."""
    refused: list[str] = []

    def documents() -> Iterator[bytes]:
        found, size = [], 0
        for chunk in chunks:
            found.append(chunk)
            size += len(chunk)
            if size > MOST_BYTES:
                refused.append("YAML of more than 32 MB")
                return
        try:
            yield from as_json(b"".join(found))
        except Refused as error:
            refused.append(str(error))

    yield from snapshot_records(documents(), options, _EXPORT)
    for reason in refused:
        yield broken(0, b"", reason)


def events(value: dict[str, Any], options: Options) -> Iterable[Event]:
    """One role or binding to one event that states all of it. Raises NotParsed where the export has no time."""
    if _OTHER in value:
        return NoEvent(_ANOTHER_KIND)
    kind = next((part for part in value if part in _KINDS), None)
    found = stated_by({**mapping(value.get(kind)), "kind": kind}) if kind is not None else None
    if kind is None or found is None:
        raise NotParsed(NO_PART)
    uid, grants = found
    return (event_of(value, kind, Described(kind.lower(), uid, grants)),)


def _part_of(record: dict[str, Any]) -> str | None:
    kind, name = text(record.get("kind")), text(mapping(record.get("metadata")).get("name"))
    if kind is None or name is None:
        return None
    is_rbac = kind in _KINDS and (text(record.get("apiVersion")) or "").startswith(_API_VERSION.decode())
    return kind if is_rbac else _OTHER


def _dates_in(record: dict[str, Any]) -> Iterator[Any]:
    metadata = mapping(record.get("metadata"))
    yield metadata.get("creationTimestamp")
    yield from (mapping(each).get("time") for each in sequence(metadata.get("managedFields"))[:_MOST_FIELDS])


_EXPORT = Export(source="kubernetes_rbac_snapshot", opens=frozenset({"items"}), part_of=_part_of, dates_in=_dates_in)

SOURCE = Source(
    name="kubernetes_rbac_snapshot",
    log="kubernetes_rbac_snapshot",
    version=2,
    title="Kubernetes RBAC, as exported",
    reads="`kubectl get roles,clusterroles,rolebindings,clusterrolebindings -A -o json` or `-o yaml`: lists, or "
    "objects one after the other",
    recognised_by="roles and bindings of rbac.authorization.k8s.io, with rules or roleRef",
    grade="documentation",
    documentation="https://kubernetes.io/docs/reference/access-authn-authz/rbac/",
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
