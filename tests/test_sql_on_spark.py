"""Every SQL table means the same on Spark: the cases of tests/sql, run there. Started by `make spark`."""

import shutil
from importlib.util import find_spec
from threading import Timer

import pytest
from sql_cases import CASES, Case, read_cases, tables

pytestmark = pytest.mark.spark

NOT_ON_SPARK = {
    "escalation_paths": "a recursion that looks at what it has found so far (`using key`) finds the nearest ends first",
    "int_holdings": "a recursion that counts within each step, so that what it follows has a bound",
    "int_paths": "a recursion by UNION: a node is reached by several spines, and is climbed from once",
    "lifecycles": "a pause of 120 days comes back as 2,880 hours, which are as long and another text",
}
"""Tables that Spark refuses or says in other words, each with what that is."""
LONGEST_CASE_SECONDS = 180


def lacking() -> list[str]:
    """What this test needs and this machine has not."""
    java = [] if shutil.which("java") else ["Java 17"]
    return java + [name for name in ("pyspark", "sqlglot") if find_spec(name) is None]


def each_table() -> list[object]:
    """The tables by name; one that is listed has to differ."""
    marks = {name: [pytest.mark.xfail(reason=reason, strict=True)] for name, reason in NOT_ON_SPARK.items()}
    return [pytest.param(name, marks=marks.get(name, [])) for name in sorted(tables())]


@pytest.mark.skipif(lacking() != [], reason=f"lacks {', '.join(lacking())}; `make spark` installs all but Java")
@pytest.mark.parametrize("name", each_table())
def test_table_makes_the_same_rows_on_spark(name: str) -> None:
    """The SELECT that DuckDB runs, translated, makes of each case's given rows what the case expects."""
    cases = read_cases(CASES / f"{name}.yml")
    assert [f"{case.name}: {line}" for case in cases for line in unequal_in_time(case)] == []


def unequal_in_time(case: Case) -> list[str]:
    """What differs. A case over which Spark stands still is one that differs, and Spark is ended for the next one."""
    from py4j.protocol import Py4JError
    from spark_session import end
    from spark_sql import unequal_on_spark

    timer = Timer(LONGEST_CASE_SECONDS, end)
    timer.start()
    try:
        return unequal_on_spark(case)
    except (Py4JError, OSError):
        if timer.is_alive():
            raise
        return [f"takes longer than {LONGEST_CASE_SECONDS} seconds"]
    finally:
        timer.cancel()
