"""What readers get: a consistent snapshot, read-only, and nothing else of the machine."""

from pathlib import Path

import duckdb
import pytest
import ultravires
from ultravires.errors import UsageError
from ultravires.pipeline import published_names, sql_tables


def test_every_mart_is_published(sample_home: Path) -> None:
    """A table of sql/marts can be read by its name."""
    with ultravires.open(sample_home) as con:
        views = {row[0] for row in con.execute("select view_name from duckdb_views() where not internal").fetchall()}
    assert {name for name, table in sql_tables().items() if table.layer == "marts"} <= views
    assert {*published_names(), "events", "events_raw"} == views


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to '{home}/stolen.csv'",
        "select * from read_text('/etc/hostname')",
        "attach '{home}/warehouse.duckdb' as w",
        "set enable_external_access = true",
    ],
)
def test_a_query_can_neither_write_nor_leave_the_published_tables(sample_home: Path, statement: str) -> None:
    """The connection is locked before the caller gets it."""
    with ultravires.open(sample_home) as con, pytest.raises(duckdb.Error):
        con.execute(statement.format(home=sample_home))


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    """Nothing published is one line, not a traceback."""
    with pytest.raises(UsageError, match="ultravires run --input DIR"):
        ultravires.open(tmp_path)


def test_everything_in_a_home_is_readable_by_its_owner_only(sample_home: Path) -> None:
    """Logs are not for everybody on the machine."""
    for path in [sample_home, *sample_home.rglob("*")]:
        if path.is_file() and path.name != "lock":
            assert path.stat().st_mode & 0o077 == 0, path
