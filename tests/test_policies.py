"""What policies answer: the cases of `tests/policies`, each of which follows a page of the vendor."""

from typing import Any

import policy_cases
import pytest
from ultravires_models.policies.decide import decide
from ultravires_models.policies.decide_in_scopes import decide_in_scopes
from ultravires_models.policies.patterns import Style, action_covers, covers
from ultravires_models.policies.questions import Held, Principal, Question

AWS = policy_cases.read("cases.yml")
SCOPES = policy_cases.read("scope_cases.yml")


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=f"{case['page']}: {case['name']}") for case in cases]


@pytest.mark.parametrize("case", named(AWS["cases"]))
def test_what_aws_answers(case: dict[str, Any]) -> None:
    """Where a case gives a reason, for that reason."""
    answer = decide(policy_cases.asked(case, AWS["principals"]), policy_cases.held(case))
    assert answer.result == case["expect"], answer
    assert answer.reason == case.get("reason", answer.reason)


@pytest.mark.parametrize("case", named(SCOPES["cases"]))
def test_what_is_answered_at_scopes(case: dict[str, Any]) -> None:
    """Azure, Google Cloud and Kubernetes."""
    answer = decide_in_scopes(policy_cases.asked_in_scopes(case), policy_cases.granted(case))
    assert answer.result == case["expect"], answer
    assert answer.reason == case.get("reason", answer.reason)


COVERED = (
    ("s3:*", "s3:Get*", "text"),
    ("*", "s3:*", "text"),
    ("?*", "*?", "text"),
    ("a*c", "ab?c", "text"),
    ("arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}/*", "resource"),
    ("arn:aws:s3:::b/${aws:username}*", "arn:aws:s3:::b/${aws:username}/k", "resource"),
    ("arn:aws:s3:*", "arn:aws:s3:::b/*", "resource"),
    ("arn:aws:sqs:us-*:*:q", "arn:aws:sqs:us-east-1:*:q", "resource"),
)
NOT_COVERED = (
    ("s3:Get*", "s3:*", "text"),
    ("s3:Get?", "s3:Get*", "text"),
    ("a*b", "a*", "text"),
    ("arn:aws:s3:::b/????", "arn:aws:s3:::b/${x}", "resource"),
    ("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/${aws:userid}", "resource"),
    ("arn:aws:sqs:us-*-1:1:q", "arn:aws:sqs:*:1:q", "resource"),
    ("arn:aws:sqs:us-*-1:1:q", "arn:aws:sqs:us-east-1:*:q", "resource"),
)


@pytest.mark.parametrize(("pattern", "other", "style"), COVERED)
def test_a_wider_pattern_covers_a_narrower(pattern: str, other: str, style: Style) -> None:
    """Every text that the narrower matches is matched by the wider."""
    assert covers(pattern, other, style)


@pytest.mark.parametrize(("pattern", "other", "style"), NOT_COVERED)
def test_a_pattern_does_not_cover_what_it_does_not_match(pattern: str, other: str, style: Style) -> None:
    """Nor what it matches for some values of a variable only."""
    assert not covers(pattern, other, style)


def test_case_of_actions_does_not_count_for_what_is_covered() -> None:
    """As it does not for what matches."""
    assert action_covers("S3:get*", "s3:GetObject")
    assert not action_covers("S3:get*", "s3:PutObject")


def test_an_answer_names_the_statements_that_decided() -> None:
    """Those that allow, those that deny, or those of which it is not known; each once, however often it is held."""
    ask = Question(Principal("arn:aws:iam::1:user/ann", "user", "1"), "s3:GetObject", "arn:aws:s3:::b/k", "1")
    gives = {"effect": "allow", "actions": ["s3:*"], "resources": ["*"], "sid": "gives"}
    other = {"effect": "allow", "actions": ["ec2:*"], "resources": ["*"], "sid": "other"}
    takes = {"effect": "deny", "actions": ["s3:*"], "resources": ["*"], "sid": "takes"}
    maybe = {**takes, "condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}, "sid": "maybe"}
    assert decide(ask, Held(identity=[[gives, other], [gives]])).statements == (gives,)
    assert decide(ask, Held(identity=[[gives, takes, maybe]])).statements == (takes,)
    assert decide(ask, Held(identity=[[gives, maybe]])).statements == (maybe,)
    assert decide(ask, Held(identity=[[other]])).statements == ()


@pytest.mark.parametrize("file", [AWS, SCOPES], ids=["AWS", "scopes"])
def test_every_case_follows_a_page(file: dict[str, Any]) -> None:
    """Each page has a case, each case a page, and no two have one name."""
    assert {case["page"] for case in file["cases"]} == set(file["pages"])
    names = [(case["page"], case["name"]) for case in file["cases"]]
    assert len(names) == len(set(names))
    assert all(page.startswith("https://") for page in file["pages"].values())


def test_there_are_cases_of_each_answer() -> None:
    """At least 120 for AWS, and of no answer few."""
    answers = [case["expect"] for case in AWS["cases"]]
    assert len(answers) >= 120
    assert min(answers.count(each) for each in ("allow", "deny", "unknown")) >= 30
