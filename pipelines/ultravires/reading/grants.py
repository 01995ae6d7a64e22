"""What a record changes of who may do what: the words in which sources say it, as `detail["grants"]`.

Power is held along edges. A holder is a `member` of a group or role; to a holder, or to a group, something is
`attached` (a policy, a role's definition, a scope of OAuth) within a scope; a `boundary` limits one holder, a
`guardrail` all that lies in it; and a resource, account or project lies `within` another. What is attached has a
`document`: statements that say what it allows or denies. A record adds an edge, removes one, or says that it lists all
of them (`whole`), and it writes, chooses or removes a document. Nothing here knows a vendor: sources translate,
`sql/entitlements` makes times of it.

Holders are named as `actor_uid` names them in the same log, so that what an identity holds and does is of one identity.
Only what happened counts: the outcome of the record decides, and sources need not look at it.
"""

from collections.abc import Iterable
from typing import Any, Literal

from ultravires.reading.events import present

Json = dict[str, Any]
Relation = Literal["member", "attached", "boundary", "guardrail", "within"]
RELATIONS: tuple[Relation, ...] = ("member", "attached", "boundary", "guardrail", "within")
DocumentKind = Literal["permissions", "resource", "trust"]
Effect = Literal["allow", "deny"]


def given(
    relation: Relation,
    holder: str,
    held: str,
    *,
    scope: str | None = None,
    binding: str | None = None,
    condition: Json | None = None,
    expires_at: str | None = None,
) -> Json:
    """`holder` has `held` from now on. `scope` is where it counts, nothing where `held` itself says; `binding` the id
    of what joins the two, where the vendor has one and may later name only that; `expires_at` (ISO) when it ends.
    """
    return {
        "op": "add",
        "relation": relation,
        **present(holder=holder, held=held, scope=scope, binding=binding, condition=condition, expires_at=expires_at),
    }


def taken(
    relation: Relation,
    holder: str | None = None,
    held: str | None = None,
    *,
    scope: str | None = None,
    binding: str | None = None,
) -> Json:
    """Edges end: those that have each of the names that are given, of which there is at least one."""
    named = present(holder=holder, held=held, scope=scope, binding=binding)
    return {"op": "remove", "relation": relation, **named}


def whole(
    relation: Relation,
    *,
    holder: str | None = None,
    held: str | None = None,
    scope: str | None = None,
    binding: str | None = None,
    account: str | None = None,
    among: str | None = None,
) -> Json:
    """The record gives every edge of this relation that has these names: those end that it does not give. `account` is
    that of the records which made an edge. `among` is how the names of both holder and held begin, where the record
    knows only such edges: an export of IAM does not hold the grants of KMS and assignments of Identity Center.
    """
    named = present(holder=holder, held=held, scope=scope, binding=binding, account=account, among=among)
    return {"op": "whole", "relation": relation, **named}


def written(
    held: str,
    statements: Iterable[Json] | None,
    *,
    kind: DocumentKind = "permissions",
    version: str | None = None,
    in_force: bool = True,
) -> Json:
    """The document of `held` says this now, in place of what it said; `statements` None where they cannot be read. Of
    kind `resource` it says who may do what to the resource `held`, of kind `trust` who may become `held`. A `version`
    that is not `in_force` is kept until `chosen`.
    """
    said = None if statements is None else list(statements)
    return {"op": "write", "relation": "document", "held": held, "kind": kind, "statements": said} | present(
        version=version, in_force=None if in_force else False
    )


def chosen(held: str, version: str) -> Json:
    """Of the versions of a document this one is in force now."""
    return {"op": "choose", "relation": "document", "held": held, "kind": "permissions", "version": version}


def unwritten(held: str, *, kind: DocumentKind = "permissions") -> Json:
    """There is no document of `held` any more."""
    return {"op": "remove", "relation": "document", "held": held, "kind": kind}


def made(uid: str) -> Json:
    """A holder, group, role or policy is new: it held nothing before and nobody held it."""
    return {"op": "add", "relation": "exists", "holder": uid}


def gone(uid: str) -> Json:
    """A holder, group, role or policy was deleted: every edge from it and to it ends, and its documents."""
    return {"op": "remove", "relation": "exists", "holder": uid}


def statement(
    effect: Effect,
    actions: Iterable[str] = (),
    resources: Iterable[str] = (),
    *,
    not_actions: Iterable[str] = (),
    not_resources: Iterable[str] = (),
    principals: Iterable[str] = (),
    not_principals: Iterable[str] = (),
    condition: Json | None = None,
    sid: str | None = None,
    fingerprint: str | None = None,
) -> Json:
    """One statement. Patterns have `*` for anything and `?` for one character. `not_actions` are those that it does not
    speak of, all others then are; of a document without resources (a role of Google Cloud) they are `*`. `fingerprint`
    changes with what else makes it another statement, such as the description of a tool.
    """
    lists = {
        "actions": actions,
        "not_actions": not_actions,
        "resources": resources,
        "not_resources": not_resources,
        "principals": principals,
        "not_principals": not_principals,
    }
    said = {name: items for name, values in lists.items() if (items := list(values))}
    return {"effect": effect, **said, **present(condition=condition, sid=sid, fingerprint=fingerprint)}
