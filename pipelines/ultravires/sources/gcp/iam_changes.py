"""What an entry of Cloud Audit Logs changes of who may do what: policies, custom roles, deny policies, and where
projects and folders lie.

Allow policies: https://cloud.google.com/iam/docs/reference/rest/v1/Policy
Their changes: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditData
Deny policies: https://cloud.google.com/iam/docs/reference/rest/v2/policies

Holders are members as `principals.holder_of` names them. What they hold is a role by its id (`roles/owner`,
`projects/<project>/roles/<role>`). A scope is `projects/<project>`, `folders/<number>` or `organizations/<number>`, and
of anything else its full resource name (`//storage.googleapis.com/projects/_/buckets/<bucket>`), a project by its id
and a service account by its address where the entry shows them. A binding with a condition is another one than that
without, so the condition is the binding's id; who loses a role without one loses it in all bindings of that scope.

An operation that takes long has an entry where it starts, which alone may hold the request, and one where it ends: both
speak.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from ultravires.reading.events import present
from ultravires.reading.grants import Json, given, gone, made, statement, taken, unwritten, whole, written
from ultravires.reading.object_fields import opened
from ultravires.reading.values import iso, mapping, micros, sequence, text
from ultravires.sources.gcp.credentials import operation_of, service_account_of
from ultravires.sources.gcp.principals import before_deletion, holder_of

_MOST = 5_000
"""So many members of a policy, permissions of a role or rules are looked at; Google allows fewer."""
_IAM, _BIGQUERY = "iam.googleapis.com", "bigquery.googleapis.com"
_RESOURCE_MANAGER = "cloudresourcemanager.googleapis.com"
_CONTAINER = re.compile(r"(projects|folders|organizations)/[^/]+")
_PARENT = re.compile(r"(folders|organizations)/\d+")
_NUMBERED_PROJECT = re.compile(r"^((?://[^/]+/)?)projects/(?:\d+|-)(?=/|$)")
_SERVICE_ACCOUNT = "/serviceAccounts/"
_BUCKET = re.compile(r"//storage\.googleapis\.com/projects/_/buckets/[^/]+")
_ROLE = re.compile(r"(?:projects|organizations)/[^/]+/roles/[^/]+")
_DENY_POLICY = re.compile(r"policies/([^/]+)/denypolicies(?:/([^/]+))?")
_ENDING = re.compile(r"\s*request\.time\s*<=?\s*timestamp\(\s*(?:\"([^\"]+)\"|'([^']+)')\s*\)\s*")
_OTHER_SERVICES = {"cloudresourcemanager": "resourcemanager"}
"""Services that permissions of roles name otherwise than deny policies do."""
_OF_BIGQUERY = ("datasetChange", "datasetCreation", "tableChange", "tableCreation")


def grants_of(method: str, payload: Json, record: Json) -> list[Json]:
    """The changes that a successful call made; none of most calls."""
    change = _CHANGES.get(operation_of(method))
    deltas = _deltas(payload)
    if change is None and deltas is None:
        return []
    labels = mapping(mapping(record.get("resource")).get("labels"))
    if deltas is not None:
        return _delta_grants(deltas, _scope(payload, labels), labels)
    return change(payload, labels) if change else []


def policy_grants(scope: str, policy: Json) -> list[Json]:
    """Every edge of an allow policy, and that these are all of its scope; not that where some cannot be read."""
    bindings = policy.get("bindings")
    found: list[Json] = []
    is_whole = bindings is None or type(bindings) is list
    for binding in map(mapping, sequence(bindings)[:_MOST]):
        role, members = text(binding.get("role")), binding.get("members")
        if role is None or (members is not None and type(members) is not list):
            is_whole = False
            continue
        for member in sequence(members)[: _MOST - len(found)]:
            if edge := _edge(text(member), role, scope, binding.get("condition")):
                found.append(edge)
            else:
                is_whole = False
    if len(found) >= _MOST:
        is_whole = False
    return [whole("attached", scope=scope), *found] if is_whole else found


def _deltas(payload: Json) -> list[Any] | None:
    """`bindingDeltas`, empty where a delta says that none changed; None where the entry has no delta of a policy."""
    for name in ("serviceData", "metadata"):
        delta = opened(payload.get(name)).get("policyDelta")
        if type(delta) is dict:
            return sequence(delta.get("bindingDeltas"))
    if payload.get("serviceName") == _BIGQUERY:
        metadata = mapping(payload.get("metadata"))
        listed = (mapping(metadata.get(name)).get("bindingDeltas") for name in _OF_BIGQUERY)
        return next((deltas for deltas in listed if type(deltas) is list), None)
    return None


def _delta_grants(deltas: list[Any], scope: str | None, labels: Json) -> list[Json]:
    if scope is None:
        return []
    found: list[Json] = []
    for delta in map(mapping, deltas[:_MOST]):
        role, member, condition = text(delta.get("role")), text(delta.get("member")), delta.get("condition")
        if role is None or member is None:
            continue
        if delta.get("action") == "ADD" and (edge := _edge(member, role, scope, condition)):
            found.append(edge)
        if delta.get("action") == "REMOVE":
            holders = [holder_of(member), before_deletion(member)]
            binding = _binding_of(condition)
            found += [taken("attached", holder, role, scope=scope, binding=binding) for holder in holders if holder]
    return _placed_bucket(scope, labels) + found if found else []


def _edge(member: str | None, role: str, scope: str, condition: Any) -> Json | None:
    if member is None:
        return None
    kept = _condition(condition)
    return given(
        "attached",
        holder_of(member),
        role,
        scope=scope,
        binding=_binding_of(condition),
        condition=kept,
        expires_at=_end_of(kept) if kept else None,
    )


def _condition(condition: Any) -> Json | None:
    """What a condition says. One that cannot be read is still one."""
    if not condition:
        return None
    said = mapping(condition)
    kept = {name: text(said.get(name)) for name in ("title", "description", "expression")}
    return present(**kept) or {"unread": True}


def _binding_of(condition: Any) -> str | None:
    kept = _condition(condition)
    return f"if {kept.get('expression') or kept.get('title') or 'unread'}" if kept else None


def _end_of(condition: Json) -> str | None:
    """When a binding ends whose condition says nothing but that."""
    match = _ENDING.fullmatch(condition.get("expression") or "")
    moment = micros(match[1] or match[2]) if match else None
    return iso(moment) if moment is not None else None


def _scope(payload: Json, labels: Json) -> str | None:
    """The resource whose policy it is, in its one form."""
    named = text(payload.get("resourceName")) or text(mapping(payload.get("request")).get("resource"))
    service = text(payload.get("serviceName"))
    return resource_name(named, service, labels) if named else None


def resource_name(named: str, service: str | None, labels: Json) -> str | None:
    """A resource in the one form of the scopes here; `labels` are those of the entry's resource."""
    name = named.removeprefix(f"//{_RESOURCE_MANAGER}/")
    if project := text(labels.get("project_id")):
        name = _NUMBERED_PROJECT.sub(lambda match: f"{match[1]}projects/{project}", name, count=1)
    if _CONTAINER.fullmatch(name) or name.startswith("//"):
        return name
    if _SERVICE_ACCOUNT in name and (address := text(labels.get("email_id"))):
        name = name.partition(_SERVICE_ACCOUNT)[0] + _SERVICE_ACCOUNT + address
    return f"//{service}/{name}" if service else None


def _placed_bucket(scope: str, labels: Json) -> list[Json]:
    """Where a bucket lies, whose name does not show its project."""
    project = text(labels.get("project_id"))
    bucket = _BUCKET.match(scope)
    return [given("within", bucket[0], f"projects/{project}")] if bucket and project else []


def _policy(payload: Json, labels: Json) -> list[Json]:
    """The whole policy, where the entry does not say what changed in it."""
    scope, request = _scope(payload, labels), mapping(payload.get("request"))
    mask = _mask(request)
    answer = mapping(payload.get("response"))
    policy = answer if "bindings" in answer else request.get("policy")
    if scope is None or type(policy) is not dict or (mask and "bindings" not in mask):
        return []
    found = policy_grants(scope, policy)
    return _placed_bucket(scope, labels) + found if found else []


def _mask(request: Json) -> str | None:
    """The fields that a request changes; nothing where it changes those that are usual."""
    mask = _said(request, "updateMask", "update_mask")
    return text(mask) or ",".join(map(str, sequence(mapping(mask).get("paths"))[:_MOST])) or None


def _said(value: Json, *names: str) -> Any:
    """A member, which entries write in the words of JSON or of the protocol."""
    return next((value[name] for name in names if value.get(name) is not None), None)


def _role_written(payload: Json, labels: Json) -> list[Json]:
    """A custom role is made, changed or brought back: the permissions that it has now."""
    if payload.get("serviceName") != _IAM or (role := _role(payload)) is None:
        return []
    request, answer = mapping(payload.get("request")), mapping(payload.get("response"))
    delta = mapping(opened(payload.get("serviceData")).get("permissionDelta"))
    is_new = operation_of(str(payload.get("methodName"))) == "createrole"
    permissions = _said(answer, "includedPermissions", "included_permissions")
    mask = _mask(request)
    if permissions is None and (is_new or mask is None or "ermissions" in mask):
        permissions = _said(mapping(request.get("role")), "includedPermissions", "included_permissions")
    if permissions is None and is_new:
        permissions = _said(delta, "addedPermissions", "added_permissions") or []
    if permissions is None and mask and "ermissions" not in mask and not delta:
        return []
    new = [made(role)] if is_new else []
    return [*new, written(role, _permitted(permissions))]


def _permitted(permissions: Any) -> list[Json] | None:
    if type(permissions) is not list or len(permissions) > _MOST or not all(map(text, permissions)):
        return None
    return [statement("allow", permissions, ["*"])] if permissions else []


def _role_deleted(payload: Json, labels: Json) -> list[Json]:
    """Bindings of a deleted role stay and give nothing, until it is brought back."""
    role = _role(payload) if payload.get("serviceName") == _IAM else None
    return [unwritten(role)] if role else []


def _role(payload: Json) -> str | None:
    request = mapping(payload.get("request"))
    parent, uid = text(request.get("parent")), text(_said(request, "roleId", "role_id"))
    names = (
        mapping(payload.get("response")).get("name"),
        request.get("name"),
        payload.get("resourceName"),
        f"{parent}/roles/{uid}" if parent and uid else None,
    )
    return next((name for name in names if type(name) is str and _ROLE.fullmatch(name)), None)


def _deny_policy(payload: Json, labels: Json) -> list[Json]:
    """A deny policy is written or deleted. What it does not deny it leaves to others, which it says itself here."""
    policy = _deny_policy_name(payload, labels) if payload.get("serviceName") == _IAM else None
    if policy is None:
        return []
    place = policy.partition("/denypolicies/")[0]
    if operation_of(str(payload.get("methodName"))) == "deletepolicy":
        return [gone(policy)]
    request, answer = mapping(payload.get("request")), mapping(payload.get("response"))
    rules = _said(answer, "rules")
    rules = _said(mapping(request.get("policy")), "rules") if rules is None else rules
    if rules is None and operation_of(str(payload.get("methodName"))) == "updatepolicy":
        return []
    return [given("guardrail", place, policy), written(policy, _denials(rules))]


def _deny_policy_name(payload: Json, labels: Json) -> str | None:
    """`projects/<project>/denypolicies/<id>`, whose attachment point stands encoded in the name."""
    request = mapping(payload.get("request"))
    parent, uid = text(request.get("parent")), text(_said(request, "policyId", "policy_id"))
    names = (
        mapping(payload.get("response")).get("name"),
        mapping(request.get("policy")).get("name"),
        request.get("name"),
        f"{parent}/{uid}" if parent and uid else None,
        payload.get("resourceName"),
    )
    for name in names:
        match = _DENY_POLICY.fullmatch(name) if type(name) is str else None
        if match and match[2]:
            place = unquote(match[1]).removeprefix(f"{_RESOURCE_MANAGER}/")
            place = resource_name(place, None, labels) or ""
            return f"{place}/denypolicies/{match[2]}" if _CONTAINER.fullmatch(place) else None
    return None


def _denials(rules: Any) -> list[Json] | None:
    if rules is not None and (type(rules) is not list or len(rules) > _MOST):
        return None
    denials = [_denial(mapping(_said(mapping(rule), "denyRule", "deny_rule"))) for rule in sequence(rules)]
    if None in denials:
        return None
    return [statement("allow", ["*"], ["*"]), *(denial for denial in denials if denial is not None)]


def _denial(rule: Json) -> Json | None:
    """One rule; None where it cannot be read whole."""
    principals = _names(_said(rule, "deniedPrincipals", "denied_principals"))
    spared = _names(_said(rule, "exceptionPrincipals", "exception_principals"))
    permissions = _names(_said(rule, "deniedPermissions", "denied_permissions"))
    left = _names(_said(rule, "exceptionPermissions", "exception_permissions"))
    if not principals or not permissions or spared is None or left is None:
        return None
    return statement(
        "deny",
        map(_permission, permissions),
        ["*"],
        not_actions=map(_permission, left),
        principals=["*" if who == "allUsers" else who for who in map(holder_of, principals)],
        not_principals=map(holder_of, spared),
        condition=_condition(_said(rule, "denialCondition", "denial_condition")),
    )


def _names(value: Any) -> list[str] | None:
    listed = [] if value is None else value
    if type(listed) is not list or len(listed) > _MOST or not all(map(text, listed)):
        return None
    return listed


def _permission(named: str) -> str:
    """`iam.googleapis.com/roles.create` as roles name it: `iam.roles.create`."""
    service, slash, action = named.partition("/")
    first = service.partition(".")[0]
    return f"{_OTHER_SERVICES.get(first, first)}.{action}" if slash else named


def _placed(payload: Json, labels: Json) -> list[Json]:
    """A project or folder is made or moved: it lies in one folder or organization."""
    if payload.get("serviceName") != _RESOURCE_MANAGER:
        return []
    request, answer = mapping(payload.get("request")), mapping(payload.get("response"))
    asked = [mapping(request.get(name)) for name in ("project", "folder")]
    child = _child(payload, request, [*asked, answer], labels)
    moved_to = _said(request, "destinationParent", "destination_parent")
    parents = (moved_to, *(value.get("parent") for value in (*asked, answer, request)))
    parent = next((found for value in parents if (found := _parent(value))), None)
    if child is None or parent is None or child == parent:
        return []
    return [whole("within", holder=child), given("within", child, parent)]


def _child(payload: Json, request: Json, described: list[Json], labels: Json) -> str | None:
    ids = (_said(each, "projectId", "project_id") for each in described)
    if project := next((found for value in ids if (found := text(value))), None):
        return f"projects/{project}"
    names = (*(each.get("name") for each in described), request.get("name"), payload.get("resourceName"))
    named = (resource_name(name, None, labels) for name in names if type(name) is str and name)
    return next((name for name in named if name and _CONTAINER.fullmatch(name)), None) or _labelled(labels)


def _labelled(labels: Json) -> str | None:
    folder = text(labels.get("folder_id"))
    return f"folders/{folder}" if folder else None


def _parent(value: Any) -> str | None:
    """`folders/<number>`, which older requests write as a type and an id."""
    if type(value) is dict:
        value = f"{value.get('type')}s/{value.get('id')}"
    return value if type(value) is str and _PARENT.fullmatch(value) else None


def _account_made(payload: Json, labels: Json) -> list[Json]:
    answer = mapping(payload.get("response"))
    address = text(answer.get("email")) or service_account_of(answer.get("name")) or text(labels.get("email_id"))
    return [made(address)] if address else []


def _account_deleted(payload: Json, labels: Json) -> list[Json]:
    named = service_account_of(mapping(payload.get("request")).get("name"))
    address = text(labels.get("email_id")) or named or service_account_of(payload.get("resourceName"))
    return [gone(address)] if address else []


_CHANGES: dict[str, Callable[[Json, Json], list[Json]]] = {
    "setiampolicy": _policy,
    "setiampermissions": _policy,
    "createrole": _role_written,
    "updaterole": _role_written,
    "undeleterole": _role_written,
    "deleterole": _role_deleted,
    "createpolicy": _deny_policy,
    "updatepolicy": _deny_policy,
    "deletepolicy": _deny_policy,
    "createproject": _placed,
    "updateproject": _placed,
    "moveproject": _placed,
    "createfolder": _placed,
    "movefolder": _placed,
    "create": _placed,
    "move": _placed,
    "createserviceaccount": _account_made,
    "deleteserviceaccount": _account_deleted,
}
