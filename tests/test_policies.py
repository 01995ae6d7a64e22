"""What policies answer: the cases of `tests/policies`, each of which follows a page of the vendor."""

from typing import Any

import policy_cases
import pytest
from ultravires_models.policies.decide import decide
from ultravires_models.policies.decide_in_scopes import decide_in_scopes

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
