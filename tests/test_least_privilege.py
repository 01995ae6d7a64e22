"""A policy made of use: what it must hold, and that it never holds more than its holder has."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ultravires.review.aws_actions import known_action, known_actions, unseen_data_actions
from ultravires.review.facts import ApprovedRole, Facts, Reviewed, Right, Use, Window
from ultravires.review.least_privilege import MOST_ARNS, LeastPrivilege, least_privilege
from ultravires.review.matching import is_within, may_have_given
from ultravires.review.proposals import Proposed, propose
from ultravires.sources.aws.policies import statements_of
from ultravires_models.policies.decide import decide
from ultravires_models.policies.questions import Held, Principal, Question

NOW = datetime(2026, 10, 1, tzinfo=UTC)
USER = "arn:aws:iam::111122223333:user/robot"
ACTIONS = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "s3:ListAllMyBuckets",
    "sqs:SendMessage",
    "iam:PassRole",
    "iam:GetUser",
)
PATTERNS = ("*", "s3:*", "s3:Get*", "s3:?etObject", "S3:PUTOBJECT", "sqs:*", "iam:*", "iam:Pass*", *ACTIONS)
RESOURCES = (
    "arn:aws:s3:::data", "arn:aws:s3:::data/a.csv", "arn:aws:s3:::data/in/*", "arn:aws:s3:::data/in/b?.csv",
    "arn:aws:s3:::data/in/b1.csv", "arn:aws:s3:::other/$x", "arn:aws:sqs:eu-central-1:111122223333:jobs",
    "arn:aws:iam::111122223333:role/r", USER,
)  # fmt: skip
RESOURCE_PATTERNS = (
    "*",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::data/in/*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::data/${aws:username}/*",
    "arn:*",
    *RESOURCES,
)
CONDITIONS = (None, None, '[{"Bool":{"aws:SecureTransport":"true"}}]', '[{"Bool":{}},{"Bool":{}}]', "[7]", "no json")


def right(action: str | None = "s3:*", resource: str | None = "*", **changes: Any) -> Right:
    members: dict[str, Any] = {
        "entitlement_id": f"en_{action}_{resource}_{len(changes)}",
        "identity_id": "robot",
        "holder_uid": USER,
        "layer": "granted",
        "effect": "allow",
        "action_pattern": action,
        "resource_pattern": resource,
        "except_actions": [],
        "except_resources": [],
        "scope_uid": None,
        "condition": None,
        "valid_from": NOW - timedelta(days=200),
        "valid_until": None,
        "path": [],
        "start_by": "event",
        "event_id": "e",
        "cause_actor_uid": "ana",
        "approval_uid": None,
        "is_reported": False,
        "is_certain": True,
        "power": "data",
    }
    return Right(**{**members, **changes})


def use(action: str, resource: str | None = None, *, n: int = 1, n_done: int = 1, days_ago: int = 3) -> Use:
    return Use(action, action, resource, n, n_done, NOW - timedelta(days=days_ago))


def allowed(least: LeastPrivilege) -> list[tuple[list[str], list[str]]]:
    statements = (least.policy or {"Statement": []})["Statement"]
    return [(each["Action"], each["Resource"]) for each in statements if each["Effect"] == "Allow"]


def held_document(rights: list[Right]) -> list[dict[str, Any]] | None:
    """What is held in the words that policies are decided in."""
    document = []
    for each in rights:
        said: dict[str, Any] = {"effect": each.effect}
        said |= {"not_actions": each.except_actions} if each.except_actions else {"actions": [each.action_pattern]}
        said |= (
            {"not_resources": each.except_resources}
            if each.except_resources
            else {"resources": [each.resource_pattern]}
        )
        if each.condition:
            try:
                conditions = json.loads(each.condition)
            except ValueError:
                conditions = [None]
            said["condition"] = conditions[0] if len(conditions) == 1 else {"Never": {"known": "x"}}
        document.append(said)
    return document


def random_right(random: Random, nth: int, effect: str) -> Right:
    excepted = random.random() < 0.2
    return right(
        "*" if excepted else random.choice(PATTERNS),
        "*" if excepted else random.choice(RESOURCE_PATTERNS),
        entitlement_id=f"en_{nth}",
        effect=effect,
        except_actions=random.sample(PATTERNS[1:], 2) if excepted else [],
        except_resources=random.sample(RESOURCE_PATTERNS[1:], 2) if excepted and random.random() < 0.5 else [],
        condition=random.choice(CONDITIONS),
    )


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_it_never_holds_more_than_is_held(seed: int) -> None:
    """Whatever was used, approved and unseen: what the policy surely allows is surely allowed by what is held."""
    random = Random(seed)
    rights = [random_right(random, nth, "allow") for nth in range(random.randint(1, 4))]
    denies = [random_right(random, nth + 10, "deny") for nth in range(random.randint(0, 2))]
    uses = [use(random.choice(ACTIONS), random.choice((None, *RESOURCES))) for _ in range(random.randint(0, 30))]
    uses += [use("s3:GetObject", f"arn:aws:s3:::data/in/{nth}.csv") for nth in range(random.choice((0, 5, 40)))]
    approved = [random_right(random, nth + 20, "allow") for nth in range(2)]
    least = least_privilege(rights, denies=denies, uses=uses, approved=approved, unseen=random.sample(ACTIONS, 2))
    if least.policy is None:
        return
    statements = statements_of(json.dumps(least.policy))
    assert statements is not None
    held = Held(identity=[held_document([*rights, *denies])])
    narrow = Held(identity=[statements])
    for action in ACTIONS:
        for resource in ("*", "arn:aws:s3:::data/in/c.csv", "arn:aws:s3:::never/x", *RESOURCES):
            for context in ({}, {"aws:SecureTransport": "true"}, {"aws:SecureTransport": "false"}):
                principal = Principal(USER, "user", "111122223333")
                question = Question(principal, action, resource, "111122223333", context, complete=bool(context))
                if decide(question, narrow).result == "allow":
                    assert decide(question, held).result == "allow", (action, resource, context)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_it_is_the_same_in_any_order_and_names_what_there_is(seed: int) -> None:
    """Every action is one that AWS has, and the order of rows means nothing."""
    random = Random(seed)
    rights = [random_right(random, nth, "allow") for nth in range(3)]
    uses = [use(random.choice(ACTIONS), random.choice((None, *RESOURCES))) for _ in range(10)]
    least = least_privilege(rights, uses=uses, approved=[right("s3:Get*", "arn:aws:s3:::data/in/*")])
    shuffled = least_privilege(
        random.sample(rights, 3), uses=random.sample(uses, 10), approved=[right("s3:Get*", "arn:aws:s3:::data/in/*")]
    )
    assert shuffled.policy == least.policy
    for actions, _ in allowed(least):
        assert all(known_action(action) or known_actions(action) for action in actions)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_it_still_gives_what_was_used(seed: int) -> None:
    """Where nothing denies and nothing has conditions, each use that what is held allows is allowed."""
    random = Random(seed)
    rights = [
        right(random.choice(PATTERNS), random.choice(("*", *RESOURCE_PATTERNS[1:4])), entitlement_id=f"en_{nth}")
        for nth in range(3)
    ]
    uses = [use(random.choice(ACTIONS[:3]), random.choice(RESOURCES[:6])) for _ in range(40)]
    policy = least_privilege(rights, uses=uses).policy
    narrow = Held(identity=[statements_of(json.dumps(policy))] if policy else [])
    held = Held(identity=[held_document(rights)])
    for each in uses:
        question = Question(
            Principal(USER, "user", "111122223333"), each.action, str(each.resource_uid), "111122223333"
        )
        assert decide(question, narrow).result == decide(question, held).result


def test_a_name_with_a_star_in_it_is_no_pattern() -> None:
    """Whoever names an object chooses its name."""
    least = least_privilege(
        [right()],
        uses=[use("s3:GetObject", "arn:aws:s3:::data/*"), use("s3:GetObject", "arn:aws:s3:::data/${aws:username}?")],
    )
    assert allowed(least) == [
        (["s3:GetObject"], ["arn:aws:s3:::data/${$}{aws:username}${?}", "arn:aws:s3:::data/${*}"])
    ]


def test_many_resources_in_one_place_are_one_pattern() -> None:
    """Up to the bound by name, beyond it by place, and where the places are many by what is held."""
    few = [use("s3:GetObject", f"arn:aws:s3:::data/in/{nth}.csv") for nth in range(MOST_ARNS)]
    assert len(allowed(least_privilege([right()], uses=few))[0][1]) == MOST_ARNS
    many = [*few, use("s3:GetObject", "arn:aws:s3:::data/in/more.csv")]
    assert allowed(least_privilege([right()], uses=many)) == [(["s3:GetObject"], ["arn:aws:s3:::data/in/*"])]
    within = right(resource="arn:aws:s3:::data/in/*.csv")
    assert allowed(least_privilege([within], uses=many)) == [(["s3:GetObject"], ["arn:aws:s3:::data/in/*.csv"])]
    places = [use("s3:GetObject", f"arn:aws:s3:::data/{nth}/a") for nth in range(MOST_ARNS + 1)]
    held = right(resource="arn:aws:s3:::data/*")
    assert allowed(least_privilege([held], uses=places)) == [(["s3:GetObject"], ["arn:aws:s3:::data/*"])]


def test_privileged_and_conditional_rights_come_in_where_they_were_used() -> None:
    """And the conditions with them; a try that failed is no use."""
    rights = [
        right("s3:GetObject"),
        right("iam:*"),
        right("sqs:*", condition='[{"Bool":{"aws:SecureTransport":"true"}}]'),
    ]
    assert allowed(
        least_privilege(rights, uses=[use("s3:GetObject", "arn:aws:s3:::data/a"), use("iam:GetUser", USER, n_done=0)])
    ) == [(["s3:GetObject"], ["arn:aws:s3:::data/a"])]
    queue = "arn:aws:sqs:eu-central-1:111122223333:jobs"
    policy = least_privilege(rights, uses=[use("sqs:SendMessage", queue), use("iam:GetUser", USER)]).policy
    assert policy is not None
    assert [(each["Action"], each.get("Condition")) for each in policy["Statement"]] == [
        (["sqs:SendMessage"], {"Bool": {"aws:SecureTransport": "true"}}),
        (["iam:GetUser"], None),
    ]


def test_a_deny_stays_a_deny() -> None:
    """One without conditions keeps out what it takes back, which is said; one with conditions comes along."""
    deny = right("s3:Put*", effect="deny")
    uses = [use("s3:PutObject", "arn:aws:s3:::data/a"), use("s3:GetObject", "arn:aws:s3:::data/a")]
    least = least_privilege([right()], denies=[deny], uses=uses)
    assert allowed(least) == [(["s3:GetObject"], ["arn:aws:s3:::data/a"])]
    assert least.left_out == ["s3:PutObject: may be denied, or cannot be said in a policy of its own"]
    when = right("*", effect="deny", condition='[{"Bool":{"aws:SecureTransport":"false"}}]')
    policy = least_privilege([right()], denies=[when], uses=uses).policy
    assert policy is not None
    assert policy["Statement"][-1] == {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_what_no_log_shows_stays_as_it_is_held() -> None:
    """A trail without data events shows no reading of objects: nobody knows whether they are read."""
    unseen = unseen_data_actions(frozenset({"s3:ListAllMyBuckets", "sqs:SendMessage"}))
    assert "s3:GetObject" in unseen and "sqs:ReceiveMessage" not in unseen
    held = right("s3:Get*", "arn:aws:s3:::data/*")
    least = least_privilege([held], unseen=unseen)
    ((actions, resources),) = allowed(least)
    assert "s3:GetObject" in actions and "s3:PutObject" not in actions
    assert resources == ["arn:aws:s3:::data/*"]


def facts(*, days: int = 200, shown: tuple[str, ...] = ("s3:GetObject", "s3:PutObject", "sqs:SendMessage")) -> Facts:
    return Facts(NOW, Window(NOW - timedelta(days=days), NOW), frozenset(shown), [])


def proposed(
    one: Right, *uses: Use, known: Facts | None = None, approved: tuple[Right, ...] = (), **more: Any
) -> Proposed:
    reviewed = Reviewed("robot", rights=[one, *approved], uses=list(uses), **more)
    (found,) = propose(reviewed, known or facts())
    return found


APPROVED = {"layer": "approved", "start_by": "approval", "approval_uid": "APR-1"}
OBJECT = "arn:aws:s3:::data/a"


@pytest.mark.parametrize(
    ("one", "uses", "known", "decision", "reason"),
    [
        (right("s3:GetObject"), [], facts(), "revoke", "not used in 90 days"),
        (
            right("s3:GetObject"),
            [use("s3:GetObject", OBJECT, days_ago=91)],
            facts(),
            "revoke",
            "used 1 time by 1 action",
        ),
        (right("s3:GetObject"), [use("s3:GetObject", OBJECT, days_ago=89)], facts(), "narrow", "wider than its use"),
        (right("s3:GetObject", OBJECT), [use("s3:GetObject", OBJECT)], facts(), "keep", "no wider than its use"),
        (right("s3:GetObject", OBJECT), [use("s3:GetObject", "arn:aws:s3:::data/b")], facts(), "revoke", "not used"),
        (right("s3:GetObject", OBJECT), [use("s3:GetObject")], facts(), "keep", "no wider than its use"),
        (right("s3:GetObject"), [], facts(days=89), "keep", "unknown: the logs show 89 of the 90 days"),
        (
            right("s3:*"),
            [use("s3:GetObject", OBJECT)],
            facts(days=89),
            "keep",
            "unknown: the logs show 89 of the 90 days",
        ),
        (right("s3:GetObject", valid_from=NOW - timedelta(days=9)), [], facts(), "keep", "unknown: the logs show 9 of"),
        (right("ec2:RunInstances"), [], facts(), "keep", "unknown: no log shows such an action of anybody"),
        (right("s3:*"), [], facts(shown=("s3:CreateBucket",)), "keep", "unknown: it gives s3:"),
        (
            right("s3:GetObject"),
            [],
            Facts(NOW, Window(), frozenset({"s3:GetObject"}), []),
            "keep",
            "unknown: no log of activity",
        ),
        (right(None, None, effect="unknown"), [], facts(), "keep", "unknown: what it allows could not be read"),
        (right("s3:GetObject", is_certain=False), [], facts(), "keep", "unknown: it is not certain that it is held"),
        (
            right("s3:GetObject", "arn:aws:s3:::d/${aws:username}/*"),
            [],
            facts(),
            "keep",
            "unknown: on what it is held depends",
        ),
        (right("s3:*", condition="[7]"), [use("s3:GetObject", OBJECT)], facts(), "keep", "unknown: no narrower policy"),
    ],
)
def test_a_right_that_nobody_approved(one: Right, uses: list[Use], known: Facts, decision: str, reason: str) -> None:
    """By its use, and by what the logs can show of it."""
    found = proposed(one, *uses, known=known)
    assert found.decision == decision
    assert reason in found.reason


def test_an_approval_keeps_what_it_covers_and_narrows_what_is_wider() -> None:
    """Also unused; what is approved of a wider right is in the policy that would do."""
    within = proposed(right("s3:GetObject", OBJECT), approved=(right("s3:Get*", **APPROVED),))
    assert (within.decision, within.approved_by) == ("keep", "APR-1")
    wider = proposed(right("s3:*"), approved=(right("s3:GetObject", "arn:aws:s3:::data/*", **APPROVED),))
    assert wider.decision == "narrow" and wider.least is not None
    assert allowed(wider.least) == [(["s3:GetObject"], ["arn:aws:s3:::data/*"])]
    conditional = proposed(right("s3:GetObject"), approved=(right("s3:*", condition='[{"Bool":{}}]', **APPROVED),))
    assert conditional.decision == "revoke"


def test_an_approval_of_a_role_covers_what_it_gave_on_that_day() -> None:
    """What came later through the same role was not approved."""
    role = ApprovedRole("arn:role/r", "approval:APR-2", "bo", NOW - timedelta(days=150))
    early = proposed(right("s3:GetObject", path=["arn:role/r", "p"]), approved_roles=[role])
    late = proposed(
        right("s3:GetObject", path=["arn:role/r"], valid_from=NOW - timedelta(days=120)), approved_roles=[role]
    )
    elsewhere = proposed(right("s3:GetObject", path=["arn:role/s"]), approved_roles=[role])
    assert (early.decision, early.approved_by) == ("keep", "APR-2")
    assert [late.decision, elsewhere.decision] == ["revoke", "revoke"]


def test_other_clouds_are_told_which_actions_were_used() -> None:
    """No policy is written for them."""
    cloud = right("storage.*", "*", holder_uid="robot@project.iam.gserviceaccount.com", scope_uid="projects/p")
    found = proposed(
        cloud, use("storage.objects.get", "projects/_/buckets/b"), known=facts(shown=("storage.objects.get",))
    )
    assert (found.decision, found.least) == ("narrow", None)
    assert [each.permission for each in found.uses] == ["storage.objects.get"]


def test_matching_says_what_may_be_and_covering_what_is() -> None:
    """A resource that cannot be compared may have been the right's; exceptions and scopes are no cover."""
    assert may_have_given(right("s3:Get*", OBJECT), use("s3:GetObject"))
    assert may_have_given(
        right("ec2:Describe*", "arn:aws:ec2:*:*:instance/*"), use("ec2:DescribeInstances", "arn:aws:account::1:account")
    )
    assert not may_have_given(right("s3:*", except_actions=["s3:Get*"]), use("s3:GetObject", OBJECT))
    assert not may_have_given(right("s3:*", "*", except_resources=["arn:aws:s3:::data/*"]), use("s3:GetObject", OBJECT))
    assert is_within(right("s3:GetObject", OBJECT), right("s3:*"))
    assert not is_within(right("s3:*"), right("s3:GetObject"))
    assert not is_within(right("s3:GetObject"), right("s3:*", except_actions=["s3:Put*"]))
    assert not is_within(right("s3:GetObject"), right("s3:*", scope_uid="folder/1"))
    assert not is_within(right(None, None, effect="unknown"), right("*"))
