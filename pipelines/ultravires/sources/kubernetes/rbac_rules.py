"""The rules of a Role or ClusterRole as statements, in the words in which audit events name actions and objects.

PolicyRule: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/cluster-role-v1/. RBAC knows
`*` for a whole verb, group or resource, `*/<subresource>`, and `*` at the end of a path; anywhere else it is a
character like others, which no object's name holds, so that what has it elsewhere allows nothing.
"""

from collections.abc import Iterator
from typing import Any

from ultravires.reading.grants import Json, statement

_MOST_RULES, _MOST_PATTERNS = 2_000, 5_000
_ANY = "*"
_CORE_TYPES = (
    "bindings",
    "componentstatuses",
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
)
"""Of the group without a name, whose objects begin with their type where they lie in no namespace."""


def statements_of(rules: Any) -> list[Json] | None:
    """One statement a rule that allows anything; None where these are no rules, or one of them is none."""
    if type(rules) is not list or len(rules) > _MOST_RULES:
        return None
    found: list[Json] = []
    for rule in rules:
        said = _of_rule(rule)
        if said is None:
            return None
        found += said
    return found


def _of_rule(rule: Any) -> list[Json] | None:
    if type(rule) is not dict:
        return None
    verbs, paths = _names(rule.get("verbs")), _names(rule.get("nonResourceURLs"))
    groups, types, names = (_names(rule.get(name)) for name in ("apiGroups", "resources", "resourceNames"))
    if verbs is None or paths is None or groups is None or types is None or names is None:
        return None
    if len(verbs) * (len(types) + 1) > _MOST_PATTERNS or len(groups) * len(types) * (len(names) + 1) > _MOST_PATTERNS:
        return None
    verbs = [verb for verb in verbs if verb == _ANY or _is_literal(verb)]
    paths = [path for path in paths if _is_literal(path.removesuffix(_ANY))]
    types = [each for each in types if each == _ANY or _is_literal(each.removeprefix("*/"))]
    found = []
    if verbs and paths:
        found.append(statement("allow", [f"k8s:nonresource:{verb}" for verb in verbs], paths))
    if verbs and groups and types:
        found += _of_objects(verbs, groups, types, names)
    return found


def _of_objects(verbs: list[str], groups: list[str], types: list[str], names: list[str]) -> list[Json]:
    actions = [f"k8s:{each}:{verb}" for each in types for verb in verbs]
    if _ANY in groups and not names:
        # a path is no object, so that all objects of all types are less than everything
        return [statement("allow", actions, not_resources=["/*"])]
    literal = [name for name in names if _is_literal(name)]
    if names and not literal:
        return []
    wanted: list[str | None] = [*literal] if names else [None]
    groups = [_ANY] if _ANY in groups else [group for group in groups if _is_literal(group)]
    patterns = (
        pattern for group in groups for each in types for name in wanted for pattern in _patterns(group, each, name)
    )
    resources = list(dict.fromkeys(patterns))
    return [statement("allow", actions, resources)] if resources else []


def _patterns(group: str, of_type: str, name: str | None) -> Iterator[str]:
    """Objects as `resource_uids` has them: `[<group>/][namespaces/<namespace>/]<type>[/<name>[/<subresource>]]`. Their
    type is in the action, so that only their group and their name need to stand here.
    """
    plain, _, part = of_type.partition("/")
    named = f"{name}/{part}" if part else name
    if group and name is None:
        yield f"{group}/*"
    elif group:
        yield from _named("*/" if group == _ANY else f"{group}/*/", named, of_type)
    elif name is None:
        yield "namespaces/*"
        for each in _CORE_TYPES if plain == _ANY else (plain,):
            yield from (each, f"{each}/*")
    else:
        for each in _CORE_TYPES if plain == _ANY else (plain,):
            yield from _named(f"{each}/", named, of_type)
        yield from _named(f"namespaces/*/{plain}/", named, of_type)


def _named(before: str, named: str | None, of_type: str) -> Iterator[str]:
    """An object; where the rule is of all types, its subresources are of it, too."""
    yield f"{before}{named}"
    if of_type == _ANY:
        yield f"{before}{named}/*"


def _names(value: Any) -> list[str] | None:
    """A list of texts, which may be missing; None where it is something else."""
    listed = [] if value is None else value
    if type(listed) is not list or len(listed) > _MOST_PATTERNS or any(type(each) is not str for each in listed):
        return None
    return listed


def _is_literal(name: str) -> bool:
    return "*" not in name and "?" not in name
