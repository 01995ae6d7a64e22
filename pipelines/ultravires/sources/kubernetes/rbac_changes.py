"""What a request changes of the roles and bindings of a cluster, as `detail["grants"]`.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/. A binding and the role that it names live apart: who
deletes a role leaves its bindings, which give what the next role of that name says. So roles have only documents here.
"""

from collections.abc import Iterator
from typing import Any

from ultravires.reading.grants import Json, given, taken, unwritten, whole, written
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.kubernetes.rbac_rules import statements_of
from ultravires.sources.kubernetes.subjects import named_uid, service_account

_GROUP = "rbac.authorization.k8s.io"
_KINDS = {
    "roles": "Role",
    "clusterroles": "ClusterRole",
    "rolebindings": "RoleBinding",
    "clusterrolebindings": "ClusterRoleBinding",
}
RESOURCES = frozenset(_KINDS)
_ROLES = frozenset({"roles", "clusterroles"})
_NAMESPACED = frozenset({"roles", "rolebindings"})
_WRITES = frozenset({"create", "update", "patch"})
_MOST = 5_000


def grants_of(event: dict[str, Any], verb: str | None, account: str | None, cluster: str | None) -> list[Json] | None:
    """What this request, which was answered with success, changed; None where that is nothing that is known."""
    target = mapping(event.get("objectRef"))
    if target.get("subresource") or target.get("apiGroup") not in (None, _GROUP) or _is_only_tried(event):
        return None
    prefix = f"{account}/{cluster}/" if account and cluster else f"{cluster}/" if cluster else ""
    if verb in _WRITES:
        return list(_written(event, target, prefix, is_patch=verb == "patch")) or None
    if verb == "delete":
        return list(_deleted(target, target, prefix)) or None
    if verb == "deletecollection":
        items = sequence(mapping(event.get("responseObject")).get("items"))[:_MOST]
        metadata = (mapping(mapping(item).get("metadata")) for item in items)
        return [grant for each in metadata for grant in _deleted(target, each, prefix)] or None
    return None


def stated_by(found: dict[str, Any]) -> tuple[str, list[Json]] | None:
    """The uid of a role or binding as an export holds it, and what it states; None of other objects. Its cluster is
    not in it.
    """
    resource = next((resource for resource, kind in _KINDS.items() if kind == found.get("kind")), None)
    if resource is None:
        return None
    metadata, target = mapping(found.get("metadata")), {"resource": resource}
    uid = _uid(resource, target, metadata, "")
    if uid is None:
        return None
    if resource in _ROLES:
        return uid, [written(uid, _statements(found))]
    return uid, list(_bound(found, uid, _namespace(target, metadata), ""))


def _is_only_tried(event: dict[str, Any]) -> bool:
    """Whether the request asked that nothing be kept of it."""
    return "dryRun=" in (text(event.get("requestURI")) or "").partition("?")[2]


def _written(event: dict[str, Any], target: dict[str, Any], prefix: str, *, is_patch: bool) -> Iterator[Json]:
    resource = str(target.get("resource"))
    found = _object(event.get("responseObject"), _KINDS[resource])
    if not found and not is_patch:
        # of a patch the request holds only a part
        found = _object(event.get("requestObject"), _KINDS[resource])
    uid = _uid(resource, target, mapping(found.get("metadata")), prefix)
    if uid is None:
        return
    if resource in _ROLES:
        yield written(uid, _statements(found))
    else:
        yield from _bound(found, uid, _namespace(target, mapping(found.get("metadata"))), prefix)


def _object(value: Any, kind: str) -> dict[str, Any]:
    """The role or binding in a request or its answer, which may also be a status or what to delete."""
    found = mapping(value)
    stated = text(found.get("kind")) or (text(found.get("@type")) or kind).rpartition(".")[2]
    return found if stated == kind else {}


def _statements(role: dict[str, Any]) -> list[Json] | None:
    """Of a role that gathers others' rules nothing is known until the cluster has filled them in."""
    rules = role.get("rules")
    if "rules" not in role or (role.get("aggregationRule") is not None and not rules):
        return None
    return [] if rules is None else statements_of(rules)


def _bound(binding: dict[str, Any], uid: str, namespace: str | None, prefix: str) -> Iterator[Json]:
    """Every subject of a binding as it is now; where one cannot be read, nothing says that these are all."""
    role = mapping(binding.get("roleRef"))
    name, kind = text(role.get("name")), role.get("kind")
    subjects = [] if binding.get("subjects") is None else binding["subjects"]
    if name is None or kind not in ("Role", "ClusterRole") or type(subjects) is not list or len(subjects) > _MOST:
        return
    if kind == "Role" and namespace is None:
        return
    held = f"{prefix}clusterrole/{name}" if kind == "ClusterRole" else f"{prefix}role/{namespace}/{name}"
    holders = [_holder(mapping(each), namespace) for each in subjects]
    if None not in holders:
        yield whole("attached", binding=uid)
    scope = f"namespace/{namespace}" if namespace else None
    for holder in dict.fromkeys(holders):
        if holder is not None:
            yield given("attached", holder, held, scope=scope, binding=uid)


def _holder(subject: dict[str, Any], namespace: str | None) -> str | None:
    """A subject as the log names who acts; of a service account that names no namespace it is the binding's."""
    name, kind = text(subject.get("name")), subject.get("kind")
    if name is None:
        return None
    if kind == "ServiceAccount":
        within = text(subject.get("namespace")) or namespace
        return service_account(within, name) if within else None
    if kind == "Group":
        return f"group:{name}"
    return named_uid(name) if kind == "User" else None


def _deleted(target: dict[str, Any], metadata: dict[str, Any], prefix: str) -> Iterator[Json]:
    resource = str(target.get("resource"))
    uid = _uid(resource, target, metadata, prefix)
    if uid is not None:
        yield unwritten(uid) if resource in _ROLES else taken("attached", binding=uid)


def _uid(resource: str, target: dict[str, Any], metadata: dict[str, Any], prefix: str) -> str | None:
    """`[<account>/<cluster>/]<kind>/[<namespace>/]<name>`: the same names mean other roles in another cluster."""
    name, namespace = text(metadata.get("name")) or text(target.get("name")), _namespace(target, metadata)
    if name is None or (resource in _NAMESPACED and namespace is None):
        return None
    within = f"{namespace}/" if resource in _NAMESPACED else ""
    return f"{prefix}{_KINDS[resource].lower()}/{within}{name}"


def _namespace(target: dict[str, Any], metadata: dict[str, Any]) -> str | None:
    if target.get("resource") not in _NAMESPACED:
        return None
    return text(target.get("namespace")) or text(metadata.get("namespace"))
