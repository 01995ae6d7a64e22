"""An evaluator by others answers as ours does, over thousands of random questions.

`make oracles` installs it. It runs as a process of its own, in tests only: its licence (AGPL) is not ours.
"""

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import policy_random
import pytest
from policy_random import Case
from ultravires_models.policies.decide import decide
from ultravires_models.policies.questions import Answer
from ultravires_models.policies.resource_policies import needs_resource_policy

FOLDER = Path(__file__).parent / "oracles" / "iam_simulate"
PACKAGE = "@cloud-copilot/iam-simulate"
EQUAL = 4_000
MARGIN = 120
"""More questions than that, since those with a difference that is explained do not count."""
RESULTS = {"Allowed": "allow", "ImplicitlyDenied": "deny", "ExplicitlyDenied": "deny"}

needs_oracle = pytest.mark.skipif(
    shutil.which("node") is None or not (FOLDER / "node_modules" / PACKAGE).is_dir(),
    reason=f"{PACKAGE} is not here; `make oracles` installs it where Node is",
)


@needs_oracle
def test_answers_are_those_of_an_evaluator_by_others() -> None:
    """At least 4,000 are equal, many of each kind, and every other is of a class of differences that is explained."""
    random = Random(17)
    cases = [policy_random.random_case(random) for _ in range(EQUAL + MARGIN)]
    equal: Counter[str] = Counter()
    explained: Counter[str] = Counter()
    for case, theirs in zip(cases, answers_of_others(cases), strict=True):
        ours = decide(case.question, case.held)
        if ours.result == theirs:
            equal[theirs] += 1
        else:
            reason = difference(case, ours, theirs)
            assert reason, (case, ours, theirs)
            explained[reason] += 1
    assert equal.total() >= EQUAL, explained
    assert min(equal["allow"], equal["deny"]) >= EQUAL // 8, equal


def answers_of_others(cases: list[Case]) -> list[str]:
    """The answers of the oracle, from one process. It has to take every case as it is, keys of the request and all."""
    lines = "".join(f"{json.dumps(policy_random.as_simulation(case))}\n" for case in cases)
    run = subprocess.run(
        ["node", "run.mjs"], cwd=FOLDER, input=lines, capture_output=True, text=True, check=True, timeout=300
    )
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert [each for each in found if "error" in each or each["ignored"]] == []
    return [RESULTS[each["result"]] for each in found]


def difference(case: Case, ours: Answer, theirs: str) -> str | None:
    """Why the answers differ, where the vendor's pages say that ours is right."""
    held, question = case.held, case.question
    if ours.result == "unknown" and needs_resource_policy(question.action, question.resource) and not held.resource:
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html: there is one, only it is not known
        return "a key or role without its policy"
    if theirs == "deny" and held.session and held.resource and ours.reason == "allowed by resource policy":
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
        return "a resource that names a session beyond its session policy"
    if question.principal.kind != "user" and "${aws:username}" in json.dumps(negated_parts(case)):
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-no-value
        return "a variable without a value in what is negated"
    return None


def negated_parts(case: Case) -> list[Any]:
    """What stands in NotResource, and under operators with Not."""
    held = case.held
    groups = [held.identity, held.boundary or [], held.session or [], held.resource or [], *held.guardrails]
    statements = [each for group in groups for document in group for each in document or ()]
    excluded = [each.get("not_resources") for each in statements]
    return excluded + [
        keys for each in statements for operator, keys in each.get("condition", {}).items() if "Not" in operator
    ]


def test_the_lock_of_the_oracle_names_no_registry() -> None:
    """Who installs it takes it from where they take packages, by its hash; the version is one."""
    lock, package = ((FOLDER / name).read_text(encoding="utf-8") for name in ("package-lock.json", "package.json"))
    assert "resolved" not in lock
    assert "://" not in lock
    installed = {name: each for name, each in json.loads(lock)["packages"].items() if name}
    assert all(each["integrity"].startswith("sha512-") for each in installed.values())
    assert json.loads(package)["dependencies"] == {PACKAGE: installed[f"node_modules/{PACKAGE}"]["version"]}
