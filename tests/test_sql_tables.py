"""Given/expect rows for every SQL table; the cases stand in sql/<table>.yml, each with a sentence on what it shows."""

from functools import cache

import pytest
from sql_cases import CASES, Case, read_cases, tables, unequal

WITHOUT_CASES: dict[str, str] = {}
"""Table -> why it has no cases."""


@cache
def all_cases() -> list[Case]:
    return [case for path in sorted(CASES.glob("*.yml")) for case in read_cases(path)]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.table}-{case.name}") for case in all_cases()])
def test_table_makes_the_expected_rows_of_the_given(case: Case) -> None:
    """Each case gives rows to a table's inputs and holds what the SELECT makes of them against what it expects."""
    assert unequal(case) == [], case.says


def test_every_table_has_cases_and_every_file_of_cases_a_table() -> None:
    """A SQL file without cases fails, and so does a file of cases whose table is gone."""
    assert {path.stem for path in CASES.glob("*.yml")} == set(tables()) - set(WITHOUT_CASES)


def test_no_case_stands_twice_and_each_says_what_it_shows() -> None:
    """Names are unique within a table, and a case's sentence is a sentence."""
    cases = all_cases()
    names = [(case.table, case.name) for case in cases]
    assert sorted(names) == sorted(set(names))
    assert [case.name for case in cases if not case.says.endswith(".") or len(case.says.split()) < 4] == []


def test_every_exclusion_names_a_table_and_its_reason() -> None:
    """An exclusion that outlives its table or states no reason is an error."""
    assert all(name in tables() and reason for name, reason in WITHOUT_CASES.items())
