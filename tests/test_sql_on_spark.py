"""Every SQL table means the same on Spark: the cases of tests/sql, run there. Started by `make spark`."""

import shutil
from collections.abc import Sequence
from importlib.util import find_spec

import pytest
from sql_cases import CASES, read_cases, tables

pytestmark = pytest.mark.spark

DIFFERENT: dict[str, str] = {}
"""Table -> why it has other rows on Spark, or no translation."""


def missing() -> str | None:
    """What this test needs and this machine lacks; None when all is there."""
    if not shutil.which("java"):
        return "needs Java 17"
    lacking = [name for name in ("pyspark", "sqlglot") if find_spec(name) is None]
    return f"needs {' and '.join(lacking)}: pip install 'ultravires[spark]'" if lacking else None


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.parametrize("name", sorted(set(tables()) - set(DIFFERENT)))
def test_table_makes_the_same_rows_on_spark(name: str) -> None:
    """The SELECT that DuckDB runs, translated, makes of each case's given rows what the case expects."""
    assert differences(name) == []


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_a_table_listed_as_different_is_different(name: str) -> None:
    """A reason that outlives its difference is taken out of the list."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from sqlglot.errors import SqlglotError

    try:
        found: Sequence[str] = differences(name)
    except (SqlglotError, PySparkException, Py4JError) as error:
        found = [str(error)]
    assert found != []


def test_almost_every_table_is_the_same() -> None:
    """At most five of the tables may be listed as different, and each of these exists and has its reason."""
    assert len(DIFFERENT) <= 5
    assert all(name in tables() and reason for name, reason in DIFFERENT.items())


def differences(name: str) -> list[str]:
    from spark_sql import unequal_on_spark

    return [f"{case.name}: {line}" for case in read_cases(CASES / f"{name}.yml") for line in unequal_on_spark(case)]
