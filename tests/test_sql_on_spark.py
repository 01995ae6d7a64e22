"""Every SQL table means the same on Spark: the cases of tests/sql, run there. Started by `make spark`."""

import shutil
from importlib.util import find_spec

import pytest
from sql_cases import CASES, read_cases, tables

pytestmark = pytest.mark.spark


def lacking() -> list[str]:
    """What this test needs and this machine has not."""
    java = [] if shutil.which("java") else ["Java 17"]
    return java + [name for name in ("pyspark", "sqlglot") if find_spec(name) is None]


@pytest.mark.skipif(lacking() != [], reason=f"lacks {', '.join(lacking())}; `make spark` installs all but Java")
@pytest.mark.parametrize("name", sorted(tables()))
def test_table_makes_the_same_rows_on_spark(name: str) -> None:
    """The SELECT that DuckDB runs, translated, makes of each case's given rows what the case expects."""
    from spark_sql import unequal_on_spark

    cases = read_cases(CASES / f"{name}.yml")
    assert [f"{case.name}: {line}" for case in cases for line in unequal_on_spark(case)] == []
