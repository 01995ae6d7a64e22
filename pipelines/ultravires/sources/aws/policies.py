"""A policy of AWS as the statements it is made of.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from typing import Any
from urllib.parse import unquote

import msgspec

from ultravires.reading.grants import Effect, Json, statement
from ultravires.reading.values import text

_EFFECTS: dict[Any, Effect] = {"Allow": "allow", "Deny": "deny"}


def statements_of(document: Any) -> list[Json] | None:
    """The statements of a policy, which logs and exports write as an object, as JSON text, or as that URL-encoded. None
    where it is no policy, or one statement of it is none: then nothing is known of what it allows.
    """
    policy = _decoded(document)
    if type(policy) is not dict:
        return None
    listed = policy.get("Statement")
    listed = [listed] if type(listed) is dict else listed
    if type(listed) is not list:
        return None
    found = [_statement(each) for each in listed]
    return None if None in found else [each for each in found if each is not None]


def _decoded(document: Any) -> Any:
    if type(document) is not str:
        return document
    written = unquote(document) if document.lstrip()[:1] == "%" else document
    try:
        return msgspec.json.decode(written)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None


def _statement(each: Any) -> Json | None:
    effect = text(each.get("Effect")) if type(each) is dict else None
    if effect not in _EFFECTS:
        return None
    names = ("Action", "NotAction", "Resource", "NotResource")
    lists = {name: _texts(each.get(name)) for name in names}
    principals, not_principals = _principals(each.get("Principal")), _principals(each.get("NotPrincipal"))
    condition = each.get("Condition")
    is_whole = lists["Action"] or lists["NotAction"]
    if not is_whole or None in lists.values() or principals is None or not_principals is None:
        return None
    if condition is not None and type(condition) is not dict:
        return None
    return statement(
        _EFFECTS[effect],
        lists["Action"] or (),
        lists["Resource"] or (),
        not_actions=lists["NotAction"] or (),
        not_resources=lists["NotResource"] or (),
        principals=principals,
        not_principals=not_principals,
        condition=condition or None,
        sid=text(each.get("Sid")),
    )


def _texts(value: Any) -> list[str] | None:
    """One text or a list of texts; None where it is something else."""
    listed = [] if value is None else [value] if type(value) is str else value
    if type(listed) is not list or any(type(each) is not str for each in listed):
        return None
    return listed


def _principals(value: Any) -> list[str] | None:
    """`AWS:<arn or account or *>`, `Service:<name>`, `Federated:<provider>`, `CanonicalUser:<id>`; `*` for anybody."""
    if value is None or value == "*":
        return [] if value is None else ["*"]
    if type(value) is not dict:
        return None
    found: list[str] = []
    for kind, held in value.items():
        named = _texts(held)
        if named is None:
            return None
        found += [f"{kind}:{name}" for name in named]
    return found
