"""How AWS decides, from all the policies that speak of a request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ultravires_models.policies.context import Context
from ultravires_models.policies.principals import Reach, context_of, is_service_linked
from ultravires_models.policies.questions import IN_AN_ACCOUNT, Answer, Documents, Held, Question, Result
from ultravires_models.policies.resource_policies import needs_resource_policy, said_of_resource
from ultravires_models.policies.statements import NOTHING, Asked, Found, Said, in_order, said, speaks_of
from ultravires_models.policies.truth import Truth, all_of, any_of, negate

_EVERYTHING = Said(denies=False, allows=True)
_FREE = "sts:getcalleridentity"
_NOT_FOR_ROOT = "sts:assumerole"


@dataclass(frozen=True)
class _Layers:
    """What each kind of policy says of the question; what that of the resource allows also by reach, where `open` is
    whether a policy that is not known could allow more.
    """

    identity: Said
    boundary: Said
    session: Said
    guardrails: Said
    resource_guardrails: Said
    resource: Said
    reaches: dict[Reach, Truth]
    open: bool

    @property
    def denying(self) -> list[Found]:
        every = (self.identity, self.boundary, self.session, self.guardrails, self.resource_guardrails, self.resource)
        return [found for each in every for found in each.denying]

    @property
    def denies(self) -> Truth:
        every = (self.identity, self.boundary, self.session, self.guardrails, self.resource_guardrails, self.resource)
        return any_of(each.denies for each in every)

    @property
    def limits(self) -> Truth:
        return all_of([self.boundary.allows, self.session.allows])

    def granted(self, *reaches: Reach) -> Truth:
        """Whether the policy of the resource allows by one of these reaches."""
        return any_of([*(self.reaches[reach] for reach in reaches), None if self.open else False])


def decide(question: Question, held: Held) -> Answer:
    """Whether the principal may do what is asked, with these policies.

    A statement that denies decides alone. Else every level of guardrails has to allow, and then, in one account, the
    policies of the identity within its boundary and session policy, or the policy of the resource; across accounts
    both. The policy of a KMS key and the trust policy of a role have to allow in any case. Nobody needs permission to
    ask who they are, and no root user assumes a role (GetCallerIdentity and AssumeRole in
    https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html).
    """
    if question.action.lower() == _FREE and question.principal.kind in IN_AN_ACCOUNT:
        return Answer("allow", "no permission is needed")
    layers = _layers(question, held)
    allows = _allows(question, layers)
    refused = _refused(question, layers, allows)
    if refused is not None:
        return refused
    if layers.denies is None:
        return _answer("unknown", "a deny may apply", layers.denying)
    if layers.guardrails.allows is None:
        return _answer("unknown", "guardrail may not allow", layers.guardrails.allowing)
    granting = [*layers.identity.allowing, *layers.resource.allowing]
    if allows is None:
        limiting = [*layers.boundary.allowing, *layers.session.allowing]
        return _answer("unknown", "not known to be allowed", [*granting, *limiting])
    return _answer("allow", _why(question, layers), [each for each in granting if each.applies])


def _refused(question: Question, layers: _Layers, allows: Truth) -> Answer | None:
    """The answer, where it is certain that the request is denied."""
    if layers.denies is True:
        return _answer("deny", "explicit deny", [each for each in layers.denying if each.applies])
    if layers.guardrails.allows is False:
        return Answer("deny", "guardrail does not allow")
    if question.action.lower() == _NOT_FOR_ROOT and question.principal.kind == "root":
        return Answer("deny", "root user may not assume roles")
    return Answer("deny", _why_not(question, layers)) if allows is False else None


def _layers(question: Question, held: Held) -> _Layers:
    principal, known = question.principal, context_of(question)
    is_limited = principal.kind in IN_AN_ACCOUNT and principal.kind != "root"
    has_boundary = is_limited and held.boundary is not None
    resource = said_of_resource(held.resource or (), question, known, has_boundary=has_boundary)
    boundary = _spoken(held.boundary, question, known) if is_limited and held.boundary is not None else _EVERYTHING
    session = _spoken(held.session, question, known) if is_limited and held.session is not None else _EVERYTHING
    if principal.kind == "federated" and held.session is None:
        session = NOTHING  # a federated user has from its user only what a session policy passes on
    return _Layers(
        identity=_spoken(held.identity, question, known) if is_limited else _of_root(question),
        boundary=boundary,
        session=session,
        guardrails=_guardrails(question, held, known),
        resource_guardrails=_resource_guardrails(question, held, known),
        resource=resource.whole,
        reaches=resource.allows,
        open=_is_open(question, held),
    )


def _spoken(documents: Documents, question: Question, known: Context) -> Said:
    asked = Asked(question.action, question.resource, known)
    return said(documents, lambda statement: speaks_of(statement, asked))


def _of_root(question: Question) -> Said:
    """The root user has full access; who has no account holds no policies."""
    return _EVERYTHING if question.principal.kind == "root" else NOTHING


def _guardrails(question: Question, held: Held, known: Context) -> Said:
    """Service control policies limit all in their account, each level for itself, save roles linked to services; they
    limit neither the management account nor who belongs to no account.

    https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
    """
    principal = question.principal
    limited = all_of(
        [
            principal.kind in IN_AN_ACCOUNT,
            negate(is_service_linked(principal)),
            negate(_is_management(principal.account, held)),
        ]
    )
    levels = [_spoken(level, question, known) for level in held.guardrails]
    allows = any_of([negate(limited), all_of(each.allows for each in levels)])
    return _joined(levels, limited, allows)


def _resource_guardrails(question: Question, held: Held, known: Context) -> Said:
    """Resource control policies only deny: a policy that allows everything is at every level, and stays there.

    https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
    """
    limited = all_of(
        [negate(is_service_linked(question.principal)), negate(_is_management(question.resource_account, held))]
    )
    levels = [_spoken(level, question, known) for level in held.resource_guardrails]
    return _joined(levels, limited, True)


def _joined(levels: Sequence[Said], limited: Truth, allows: Truth) -> Said:
    if limited is False:
        return _EVERYTHING
    return Said(
        denies=all_of([limited, any_of(each.denies for each in levels)]),
        allows=allows,
        denying=tuple(found for each in levels for found in each.denying),
        allowing=tuple(found for each in levels for found in each.allowing),
    )


def _is_management(account: str | None, held: Held) -> Truth:
    if held.management_account is None:
        return False
    return None if account is None else account == held.management_account


def _is_open(question: Question, held: Held) -> bool:
    """Whether a policy of the resource that is not known could allow: where one has to be, there is one."""
    if held.resource:
        return False
    if needs_resource_policy(question.action, question.resource):
        return True
    return held.resource is None and _is_same_account(question) is not True


def _is_same_account(question: Question) -> Truth:
    account = question.principal.account if question.principal.kind in IN_AN_ACCOUNT else ""
    return None if account is None or question.resource_account is None else account == question.resource_account


def _allows(question: Question, layers: _Layers) -> Truth:
    if question.principal.kind not in IN_AN_ACCOUNT:
        return layers.granted("direct")
    within, across = _allows_within(question, layers), _allows_across(layers)
    same = _is_same_account(question)
    if same is None:
        return within if within == across else None
    return within if same else across


def _allows_within(question: Question, layers: _Layers) -> Truth:
    """In one account: the identity's own policies, or that of the resource, whose grant to a user or session itself
    nothing limits, but that to a role the role's boundary and the session policy.
    """
    needs = needs_resource_policy(question.action, question.resource)
    own = all_of([layers.identity.allows, layers.limits, layers.granted("account") if needs else True])
    return any_of([own, all_of([layers.granted("issuer"), layers.limits]), layers.granted("direct")])


def _allows_across(layers: _Layers) -> Truth:
    """Across accounts: each side has to allow."""
    return all_of([layers.granted("direct", "issuer", "account"), layers.identity.allows, layers.limits])


def _why(question: Question, layers: _Layers) -> str:
    if question.principal.kind not in IN_AN_ACCOUNT:
        return "allowed by resource policy"
    if _is_same_account(question) is not True:
        return "allowed on both sides"
    if question.principal.kind == "root":
        return "root user of the account"
    own = all_of([layers.identity.allows, layers.limits])
    return "allowed by identity policy" if own else "allowed by resource policy"


def _why_not(question: Question, layers: _Layers) -> str:
    must_be_granted = (
        question.principal.kind not in IN_AN_ACCOUNT
        or _is_same_account(question) is False
        or needs_resource_policy(question.action, question.resource)
    )
    if must_be_granted and layers.granted("direct", "issuer", "account") is False:
        return "resource policy does not allow"
    if layers.identity.allows is False and layers.reaches["issuer"] is False:
        return "no statement allows"
    if layers.boundary.allows is False:
        return "boundary does not allow"
    return "session policy does not allow" if layers.session.allows is False else "no statement allows"


def _answer(result: Result, reason: str, found: Sequence[Found]) -> Answer:
    return Answer(result, reason, in_order(each.statement for each in found))
