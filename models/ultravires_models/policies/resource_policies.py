"""What the policy of a resource says of a principal, and how far what it allows reaches.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html
"""

from dataclasses import dataclass

from ultravires_models.policies.context import Context
from ultravires_models.policies.patterns import matches
from ultravires_models.policies.principals import REACHES, Reach, excepted, named
from ultravires_models.policies.questions import Documents, Json, Question
from ultravires_models.policies.statements import Asked, Said, Unreadable, members, said, speaks_of
from ultravires_models.policies.truth import Truth, all_of, any_of, negate

_OF_SERVICE = {"kms": "arn:*:kms:*:*:key/*", "sts": "arn:*:iam::*:role/*"}


@dataclass(frozen=True)
class ResourceSaid:
    """All that the policy says, and whether it allows by each reach."""

    whole: Said
    allows: dict[Reach, Truth]


def said_of_resource(documents: Documents, question: Question, known: Context, *, has_boundary: bool) -> ResourceSaid:
    """What these documents of the resource say of the question; `has_boundary` is whether the principal has one."""
    asked = Asked(question.action, question.resource, known, without_resource=True)

    def whom(statement: Json) -> dict[Reach, Truth]:
        try:
            return _whom(statement, question, has_boundary=has_boundary)
        except Unreadable:
            return dict.fromkeys(REACHES)

    whole = said(documents, lambda each: all_of([speaks_of(each, asked), any_of(whom(each).values())]))
    by_reach: dict[Reach, Truth] = {}
    for reach in REACHES:
        found = [all_of([speaks_of(each.statement, asked), whom(each.statement)[reach]]) for each in whole.allowing]
        by_reach[reach] = any_of([*found, None if whole.is_unread else False])
    return ResourceSaid(whole, by_reach)


def needs_resource_policy(action: str, resource: str) -> bool:
    """Whether policies of identities alone never allow this: a KMS key and the trust in a role have a policy of their
    own that must allow too, be it by naming the account.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
    """
    pattern = _OF_SERVICE.get(action.partition(":")[0].lower())
    return pattern is not None and matches(pattern, resource, "resource")


def _whom(statement: Json, question: Question, *, has_boundary: bool) -> dict[Reach, Truth]:
    """By reach, whether the statement speaks of the principal. Such a policy has no statement that names nobody."""
    principals, not_principals = members(statement, "principals"), members(statement, "not_principals")
    if principals is not None:
        return named(principals, question.principal)
    if not_principals is None:
        return dict.fromkeys(REACHES)
    is_deny = statement.get("effect") == "deny"
    left_out = excepted(not_principals, question.principal, is_deny=is_deny, has_boundary=has_boundary)
    return {"direct": negate(left_out), "issuer": False, "account": False}
