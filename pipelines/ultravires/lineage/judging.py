"""Rows of `entitlements` as the policies that `ultravires_models.policies` decides by, and what it answers.

A row is one action and resource of a statement; that a statement was taken apart changes no answer. Rows of AWS are
decided as AWS does, all others at their scopes. Policies of sessions are in no log and taken to be none.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ultravires_models.policies.context import Missing
from ultravires_models.policies.decide import decide
from ultravires_models.policies.decide_in_scopes import ScopedGrant, ScopedQuestion, decide_in_scopes
from ultravires_models.policies.patterns import action_matches
from ultravires_models.policies.questions import Answer, Document, Documents, Held, Principal, PrincipalKind, Question

from ultravires.lineage.entitlement import Entitlement

Rows = Sequence[Entitlement]
Json = dict[str, Any]

FULL_ACCESS = "p-FullAWSAccess"
_ALLOW_ALL: Json = {"effect": "allow", "actions": ["*"], "resources": ["*"]}
_ARN = re.compile(r"arn:aws[^:]*:(?:iam|sts)::([0-9]{12}):(user|role|group|root|assumed-role|federated-user)(/.*)?")
_PATHED = re.compile(r"(arn:aws[^:]*:iam::[0-9]*:(?:user|role|group)/)(?:.+/)([^/]+)")
_ACTION_OF_AWS = re.compile(r"[a-zA-Z0-9-]+:[A-Za-z0-9]+")
_KINDS: dict[str, PrincipalKind] = {
    "user": "user",
    "role": "role",
    "group": "user",
    "root": "root",
    "assumed-role": "session",
    "federated-user": "federated",
}
_UNKNOWN_OF_GROUP = dict.fromkeys(("aws:username", "aws:userid", "aws:principalarn"), Missing.UNKNOWN)
_ORDER = {"allow": 0, "unknown": 1, "deny": 2}


@dataclass(frozen=True)
class Asked:
    """May one who goes by these names do this? `account` is that of the resource, None where it is not known."""

    names: tuple[str, ...]
    action: str
    resource: str
    account: str | None = None


def judge(rows: Rows, asked: Asked) -> Answer:
    """What the rows that stand at one moment answer."""
    answers = [_of_aws(rows, asked, name) for name in _askers(rows, asked)]
    if not answers:
        return _in_scopes([row for row in rows if not is_of_aws(row)], asked)
    return min(answers, key=lambda answer: _ORDER[answer.result])


def speaks_of_action(row: Entitlement, action: str) -> bool:
    """Whether the row is about this action, whatever its resource and condition."""
    if row.action_pattern is None:
        return row.effect == "unknown"
    left_out = any(action_matches(pattern, action) for pattern in row.except_actions)
    return not left_out and action_matches(row.action_pattern, action)


def is_of_aws(row: Entitlement) -> bool:
    """By the name of its holder, or of the resource whose document it is; guardrails hang on accounts."""
    if row.limits_as == "guardrail":
        return (row.holder_uid or "").isdigit()
    return any((name or "").startswith("arn:aws") for name in (row.holder_uid, row.resource))


def account_of(name: str) -> str | None:
    """The account in which a holder of AWS lies, by its ARN."""
    found = _ARN.fullmatch(name)
    return found[1] if found else None


def without_path(name: str) -> str:
    """The name of a user, role or group without its path: in an account it is unique without."""
    found = _PATHED.fullmatch(name)
    return found[1] + found[2] if found else name


def may_lie_in(resource: str, asked: str) -> bool:
    """Whether the document of this resource speaks of what is asked for, which may be a part of it (a bucket's)."""
    return asked == resource or asked.startswith((f"{resource}/", f"{resource}:"))


def _askers(rows: Rows, asked: Asked) -> list[str]:
    """The names under which AWS decides; none where the question is for another system."""
    named = sorted({name for name in asked.names if _ARN.fullmatch(name)})
    others = [row for row in rows if not is_of_aws(row) and row.action_pattern not in (None, "*")]
    is_of_others = any(speaks_of_action(row, asked.action) for row in others)
    return [] if is_of_others or not _ACTION_OF_AWS.fullmatch(asked.action) else named


def _of_aws(rows: Rows, asked: Asked, name: str) -> Answer:
    found = _ARN.fullmatch(name)
    assert found is not None
    account, kind = found[1], _KINDS[found[2]]
    of_aws = [row for row in rows if is_of_aws(row)]
    own = [row for row in of_aws if without_path(row.holder_uid or "") == without_path(name)]
    boundary = _documents(row for row in own if row.limits_as == "boundary")
    resource = _documents(row for row in of_aws if row.resource and may_lie_in(row.resource, asked.resource))
    question = Question(
        Principal(name, kind, account),
        asked.action,
        asked.resource,
        account if asked.account is None else asked.account,
        context=_UNKNOWN_OF_GROUP if found[2] == "group" else {},
    )
    held = Held(
        identity=_documents(row for row in own if row.layer == "granted" and row.resource is None),
        boundary=boundary or None,
        guardrails=_levels(row for row in of_aws if row.holder_uid == account and row.limits_as == "guardrail"),
        resource_guardrails=_resource_levels(of_aws, asked.account or account),
        resource=resource or None,
    )
    return decide(question, held)


def _documents(rows: Iterable[Entitlement]) -> list[Document]:
    """The documents of which the rows are parts, None for one that could not be read."""
    by_document: dict[tuple[str | None, str | None], list[Json] | None] = {}
    for row in rows:
        key = row.document_uid, row.document_kind
        said = by_document.setdefault(key, [])
        if row.effect == "unknown":
            by_document[key] = None
        elif said is not None:
            said.append(statement_of(row))
    return list(by_document.values())


def statement_of(row: Entitlement) -> Json:
    """The row in the words of `reading/grants.py`."""
    resource = row.resource if row.resource and row.resource_pattern == row.document_uid else row.resource_pattern
    lists = {
        "actions": [row.action_pattern],
        "resources": [resource],
        "not_actions": row.except_actions,
        "not_resources": row.except_resources,
        "principals": [row.principal] if row.principal and not row.except_principals else [],
        "not_principals": row.except_principals,
    }
    said = {name: values for name, values in lists.items() if values}
    condition = condition_of(row)
    return {"effect": row.effect, **said, **({} if condition is None else {"condition": condition})}


def condition_of(row: Entitlement) -> Any:
    """The condition of a row; of several one that nobody can decide, as all of them have to hold."""
    if row.condition is None:
        return None
    try:
        conditions = json.loads(row.condition)
    except (ValueError, RecursionError):
        return {"unreadable": None}
    if isinstance(conditions, list) and len(conditions) == 1:
        return conditions[0]
    return {"all of": conditions}


def _levels(rows: Iterable[Entitlement]) -> list[Documents]:
    """Guardrails by the account or unit to which they are attached.

    AWS attaches the policy that allows everything to every level when it turns such policies on, and no record shows
    it: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html. So a level has it
    that no record shows to be without it, which are those that an export lists and those where it ended.
    """
    by_level: dict[str, list[Entitlement]] = {}
    for row in rows:
        by_level.setdefault(row.path[-2] if len(row.path) > 1 else row.holder_uid or "", []).append(row)
    return [_level(found) for _, found in sorted(by_level.items())]


def _level(rows: list[Entitlement]) -> Documents:
    is_listed = any(row.effect == "allow" and row.start_by != "event" for row in rows)
    known = [row for row in rows if row.document_uid is None or not row.document_uid.endswith(FULL_ACCESS)]
    full = [] if is_listed and len(known) == len(rows) else [[_ALLOW_ALL]]
    return [*full, *_documents(row for row in known if row.effect != "unknown" or row.document_kind == "permissions")]


def _resource_levels(rows: Rows, account: str | None) -> list[Documents]:
    """Resource control policies at the account of the resource and above it."""
    attached = {row.document_uid for row in rows if row.limits_as == "guardrail" and row.holder_uid == account}
    found = _documents(row for row in rows if row.document_kind == "resource" and row.document_uid in attached)
    return [found] if found else []


def _in_scopes(rows: Rows, asked: Asked) -> Answer:
    about = [row for row in rows if row.resource in (None, asked.resource)]
    grants: dict[tuple[str | None, str | None, str | None], list[Entitlement]] = {}
    for row in about:
        if row.layer == "granted" or (row.limits_as == "guardrail" and row.effect == "deny"):
            scope = row.holder_uid if row.layer == "limit" else row.scope_uid
            grants.setdefault((row.document_uid, scope, row.layer), []).append(row)
    names = frozenset([*asked.names, *(each for row in about if row.layer == "granted" for each in row.path)])
    question = ScopedQuestion(names, asked.action, asked.resource, is_data=_is_data(about, asked.action))
    return decide_in_scopes(
        question,
        [
            ScopedGrant(None if any(row.effect == "unknown" for row in found) else _scoped(found), scope)
            for (_, scope, _), found in grants.items()
        ],
    )


def _scoped(rows: list[Entitlement]) -> list[Json]:
    return [statement_of(row) | ({"sid": row.plane} if row.plane else {}) for row in rows]


def _is_data(rows: Rows, action: str) -> bool | None:
    """Whether the action is one on data, by the lists of roles in which it stands by name."""
    planes = {row.plane for row in rows if row.plane and row.action_pattern != "*" and speaks_of_action(row, action)}
    return None if len(planes) != 1 else planes == {"dataActions"}


def put_to(asked: Asked, resource: str, account: str | None) -> Asked:
    """The same question of another resource."""
    return replace(asked, resource=resource, account=account)
