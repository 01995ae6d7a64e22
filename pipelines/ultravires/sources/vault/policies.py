"""A policy of Vault that was written as JSON, as statements in the words in which audit entries name requests.

https://developer.hashicorp.com/vault/docs/concepts/policies. The path that fits a request best decides alone, so that
each statement leaves out what another path of the policy says more closely. Policies in HCL are not read.
"""

from typing import Any

import msgspec

from ultravires.reading.grants import Json, statement
from ultravires.sources.vault.paths import operation_of

_MOST_PATHS = 1_000
_OPERATIONS = frozenset({"create", "read", "update", "patch", "delete", "list"})
_KNOWN = _OPERATIONS | {"deny", "sudo", "subscribe", "recover"}
_PARAMETERS = ("allowed_parameters", "denied_parameters", "required_parameters", "min_wrapping_ttl", "max_wrapping_ttl")
_MARKS = ("*", "?", "+", "{{")
_TOKENS = "auth/token/"
_OF_TOKENS = {"create": "vault:token.*", "update": "vault:token.*", "read": "vault:token.lookup*"}


def statements_of(policy: Any, namespace: str) -> list[Json] | None:
    """The statements of a policy's text or object; None where it is none, or one path of it is none."""
    paths = _paths(_decoded(policy))
    if paths is None or len(paths) > _MOST_PATHS:
        return None
    found: list[Json] = []
    for path, said in paths.items():
        rule = _rule(path, said, namespace, [other for other in paths if _is_within(other, path)])
        if rule is None:
            return None
        found += rule
    return found


def _decoded(policy: Any) -> Any:
    if type(policy) is not str:
        return policy
    try:
        return msgspec.json.decode(policy)
    except (msgspec.DecodeError, RecursionError):
        return None


def _paths(policy: Any) -> dict[str, Any] | None:
    """`path` is an object, or a list of objects as HCL's blocks are written in JSON."""
    listed = policy.get("path") if type(policy) is dict else None
    listed = [listed] if type(listed) is dict else listed
    if type(listed) is not list or any(type(each) is not dict for each in listed):
        return None
    found: dict[str, Any] = {}
    for each in listed:
        if not found.keys().isdisjoint(each):
            return None
        found |= each
    return found


def _is_within(path: str, other: str) -> bool:
    return path != other and other.endswith("*") and path.startswith(other[:-1])


def _rule(path: str, said: Any, namespace: str, closer: list[str]) -> list[Json] | None:
    capabilities = said.get("capabilities") if type(said) is dict else None
    if type(capabilities) is not list or any(each not in _KNOWN for each in capabilities if type(each) is str):
        return None
    if any(type(each) is not str for each in capabilities):
        return None
    place, left_out = [namespace + _pattern(path)], [namespace + _pattern(each) for each in closer]
    condition = {name: said[name] for name in _PARAMETERS if said.get(name) is not None}
    if not _is_plain(path) or not all(map(_is_plain, closer)):
        condition["path"] = path
    if "deny" in capabilities:
        return [statement("deny", ["vault:*"], place, not_resources=left_out, condition=condition or None)]
    operations = [each for each in dict.fromkeys(capabilities) if each in _OPERATIONS]
    actions = list(dict.fromkeys(action for each in operations for action in _actions(path, each)))
    said_of_it = statement("allow", actions, place, not_resources=left_out, condition=condition or None)
    return [said_of_it] if actions else []


def _pattern(path: str) -> str:
    """`+` stands for one part of a path and `{{...}}` for what Vault knows of the caller: both may be anything here."""
    parts = path.removeprefix("/").split("/")
    return "/".join("*" if part == "+" or "{{" in part else part for part in parts)


def _is_plain(path: str) -> bool:
    """Whether a pattern says exactly what the path says."""
    return not any(mark in path.removesuffix("*") for mark in _MARKS)


def _actions(path: str, operation: str) -> list[str]:
    """Below `sys/` and `auth/token/` the path tells the action; elsewhere the engine does, of which a policy says
    nothing.
    """
    path = path.removeprefix("/")
    for start in ("sys/", _TOKENS):
        word = path[len(start) :].partition("/")[0] if path.startswith(start) else ""
        if word and not any(mark in word for mark in _MARKS):
            return [operation_of(path, operation, None).action]
    is_wider = path.startswith(_TOKENS) or (path.endswith("*") and _TOKENS.startswith(path[:-1]))
    of_tokens = _OF_TOKENS.get(operation) if is_wider else None
    return [f"vault:*.{operation}", of_tokens] if of_tokens else [f"vault:*.{operation}"]
