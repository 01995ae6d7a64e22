"""What is found in records that nobody of this project wrote: attacks, single calls, and tests of detections by others.

The bounds are those that are held to, not those that were measured: no rule is written to a test.
"""

from collections import defaultdict
from pathlib import Path

import pytest
from detection_scores import SUBJECTS, counted_tests, severities_by_event, subject_of, subjects, told_apart
from third_party import attack_records, detection_tests, single_calls

LOG = "aws_cloudtrail"
LOUD = {"medium", "high", "critical"}
LEAST_FOUND = 0.85
MOST_LOUD = 0.03


def test_every_recorded_technique_is_found(third_party: Path, tmp_path: Path) -> None:
    """Each of the attacks raises a finding of at least low."""
    records = list(attack_records(third_party))
    found = severities_by_event(tmp_path, [(LOG, record) for _, record in records])
    told: dict[str, set[str]] = defaultdict(set)
    for (technique, _), findings in zip(records, found, strict=True):
        told[technique] |= {detector for severity, detector in findings if severity != "informational"}
    assert len(told) == 18
    assert [technique for technique, detectors in told.items() if not detectors] == []


def test_reading_is_quiet(third_party: Path, tmp_path: Path) -> None:
    """At most one in ten single calls that only read is above low."""
    calls = [call for call in single_calls(third_party) if call.get("readOnly") is True]
    tests = [{"log": LOG, "event": call} for call in calls]
    found = severities_by_event(tmp_path, [(LOG, told_apart(test, number)) for number, test in enumerate(tests)])
    loud = [call["eventName"] for call, told in zip(calls, found, strict=True) if LOUD & {each for each, _ in told}]
    assert len(calls) > 100
    assert len(loud) <= len(calls) / 10, loud


@pytest.fixture(scope="module")
def scores(third_party: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bool, set[str]]]:
    """(rule and test, must fire, severities of what was found) of every test of a subject of ours.

    What must fire is one history, and so is what must not: the two share names, and one finding tells of both.
    """
    numbered = list(enumerate(counted_tests(third_party)))
    told: list[tuple[str, bool, set[str]]] = []
    for is_expected in (True, False):
        tests = [(number, test) for number, test in numbered if test["expected"] is is_expected]
        records = [(test["log"], told_apart(test, number)) for number, test in tests]
        found = severities_by_event(tmp_path_factory.mktemp("tests") / "of", records)
        told += [
            (f"{test['log']} {test['rule_id']}: {test['test']}", is_expected, {severity for severity, _ in each})
            for (_, test), each in zip(tests, found, strict=True)
        ]
    return told


def test_most_of_what_others_find_is_found(scores: list[tuple[str, bool, set[str]]]) -> None:
    must = [(name, told) for name, is_expected, told in scores if is_expected]
    missed = [name for name, told in must if not told - {"informational"}]
    assert len(must) > 150
    assert len(missed) <= len(must) * (1 - LEAST_FOUND), missed


def test_most_of_what_others_leave_in_peace_is_quiet(scores: list[tuple[str, bool, set[str]]]) -> None:
    must_not = [(name, told) for name, is_expected, told in scores if not is_expected]
    loud = [name for name, told in must_not if told & LOUD]
    assert len(must_not) > 120
    assert len(loud) <= len(must_not) * MOST_LOUD, loud


def test_every_rule_of_others_has_a_subject_and_a_reason(third_party: Path) -> None:
    """What is none of the four subjects says why; nothing is left out without a word."""
    tests = list(detection_tests(third_party))
    assert [test["rule_id"] for test in counted_tests(third_party) if subject_of(test) is None] == []
    assert set(subjects().values()) == {*SUBJECTS, "other"}
    assert {rule for rule, _ in subjects()} <= {test["rule_id"] for test in tests}
    of_one_test = {(rule, test) for rule, test in subjects() if test}
    assert of_one_test <= {(test["rule_id"], test["test"]) for test in tests if not test["expected"]}
