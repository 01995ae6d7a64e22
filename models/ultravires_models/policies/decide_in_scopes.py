"""How systems decide that grant at scopes: what is granted at a scope counts for all that lies in it.

Azure: https://learn.microsoft.com/azure/role-based-access-control/overview and
https://learn.microsoft.com/azure/role-based-access-control/deny-assignments
Google Cloud: https://cloud.google.com/iam/docs/resource-hierarchy-access-control and
https://cloud.google.com/iam/docs/deny-overview
Kubernetes: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ultravires_models.policies.patterns import action_matches, matches
from ultravires_models.policies.questions import Answer, Document, Json
from ultravires_models.policies.statements import Found, Said, Unreadable, in_order, listed, said
from ultravires_models.policies.truth import Truth, all_of, any_of

_PLANES = {"actions": False, "dataActions": True}
"""`sid` of a statement that holds what a role of Azure lists under this name -> whether it speaks of data."""
EVERYBODY = frozenset({"*", "allusers", "principalset://goog/public:all"})
"""Names that mean anybody. `allAuthenticatedUsers` is not one: it is not known who signs in with what."""
_GROUPS = ("principalset:", "group:", "domain:", "allauthenticatedusers", "projectowner:", "projecteditor:")
"""Beginnings of names that stand for many, of whom it is not known here whether they hold the one who asks."""


@dataclass(frozen=True)
class ScopedQuestion:
    """May one who goes by these `names` (its own, and its groups') do this to the resource? `ancestors` are all scopes
    in which it lies, at whatever depth; None where they are not known. `is_data` is, where known, whether the action is
    one on the data in a resource, which Azure grants apart.
    """

    names: frozenset[str]
    action: str
    resource: str
    ancestors: Sequence[str] | None = None
    is_data: bool | None = None


@dataclass(frozen=True)
class ScopedGrant:
    """What somebody is granted, or denied, at a scope: the statements of a role or of a policy, None where they are not
    known. Without a scope it counts everywhere that its statements say. A `condition` of the binding is never decided.
    """

    statements: Document
    scope: str | None = None
    condition: Json | None = None


def decide_in_scopes(question: ScopedQuestion, grants: Sequence[ScopedGrant]) -> Answer:
    """Whether one of these grants allows and none denies. A statement of a role means whom the grant is given; one with
    principals of its own (a deny policy, a deny assignment) those, without those whom it excepts.
    """
    each = [_said(question, grant) for grant in grants]
    denies, allows = any_of(one.denies for one in each), any_of(one.allows for one in each)
    denying = [found for one in each for found in one.denying]
    allowing = [found for one in each for found in one.allowing]
    if denies is True:
        return Answer("deny", "explicit deny", _surely(denying))
    if allows is False:
        return Answer("deny", "no statement allows")
    if denies is None:
        return Answer("unknown", "a deny may apply", in_order(found.statement for found in denying))
    if allows is None:
        return Answer("unknown", "not known to be allowed", in_order(found.statement for found in allowing))
    return Answer("allow", "allowed at a scope", _surely(allowing))


def lies_in(scope: str, resource: str, ancestors: Sequence[str] | None) -> Truth:
    """Whether the resource is this scope or lies in it: by its ancestors, or by a name that goes on from the scope's,
    as those of Azure and Google Cloud do. Case does not count.

    https://learn.microsoft.com/azure/role-based-access-control/scope-overview
    """
    wanted, name = scope.casefold().rstrip("/"), resource.casefold().rstrip("/")
    if name == wanted or name.startswith(f"{wanted}/"):
        return True
    if ancestors is None:
        return None
    return any(each.casefold().rstrip("/") == wanted for each in ancestors)


def _said(question: ScopedQuestion, grant: ScopedGrant) -> Said:
    """A grant elsewhere says nothing, whether or not it can be read."""
    within = True if grant.scope is None else lies_in(grant.scope, question.resource, question.ancestors)
    if within is False:
        return Said(denies=False, allows=False)
    unconditional: Truth = None if grant.condition else True
    return said([grant.statements], lambda each: all_of([within, unconditional, _speaks_of(each, question)]))


def _speaks_of(statement: Json, question: ScopedQuestion) -> Truth:
    try:
        return all_of(
            [
                _is_of_plane(statement, question),
                listed(statement, "actions", lambda pattern: action_matches(pattern, question.action), None),
                listed(statement, "resources", lambda pattern: matches(pattern, question.resource), True),
                listed(statement, "principals", lambda name: _is_named(name, question.names), True),
                None if statement.get("condition") else True,
            ]
        )
    except Unreadable:
        return None


def _is_of_plane(statement: Json, question: ScopedQuestion) -> Truth:
    """Of a role of Azure, `*` on resources gives nothing of the data in them.

    https://learn.microsoft.com/azure/role-based-access-control/role-definitions#control-and-data-actions
    """
    is_data = _PLANES.get(str(statement.get("sid")))
    if is_data is None:
        return True
    return None if question.is_data is None else question.is_data == is_data


def _is_named(name: str, names: frozenset[str]) -> Truth:
    lowered = name.casefold()
    if lowered in EVERYBODY or lowered in {each.casefold() for each in names}:
        return True
    return None if lowered.startswith(_GROUPS) else False


def _surely(found: Sequence[Found]) -> tuple[Json, ...]:
    return in_order(each.statement for each in found if each.applies)
