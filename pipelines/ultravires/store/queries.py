"""The small things every user of a DuckDB connection needs: one answer, a count, all or nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

_PARSED: dict[str, duckdb.Statement] = {}
_MOST_PARSED = 2_000


def parsed(con: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """A statement that is run again and again, such as a table's, and in a process parsed once: over few rows DuckDB
    takes about as long to parse as to run it.
    """
    if sql not in _PARSED:
        if len(_PARSED) >= _MOST_PARSED:
            _PARSED.clear()
        (_PARSED[sql],) = con.extract_statements(sql)
    return _PARSED[sql]


def fetch_row(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] | Mapping[str, object] = ()
) -> tuple[Any, ...] | None:
    """The first row of `query`, or None; fetched to the end, since an unfinished result blocks the connection."""
    rows: list[tuple[Any, ...]] = con.execute(parsed(con, query), parameters or None).fetchall()
    return rows[0] if rows else None


def count_rows(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = fetch_row(con, f'select count(*) from "{table}"')
    return int(row[0]) if row else 0


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """All or nothing: whatever ends the block early, Ctrl-C too, rolls it back. DuckDB refuses one inside another."""
    con.execute("begin")
    try:
        yield con
    except BaseException:
        con.execute("rollback")
        raise
    con.execute("commit")


@contextmanager
def registered(con: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> Iterator[None]:
    """`rows` as a table of this name, for the time of the block."""
    con.register(name, rows)
    try:
        yield
    finally:
        con.unregister(name)


def quoted(path: Path) -> str:
    """`path` as it stands between the quotes of an SQL string."""
    return str(path).replace("'", "''")
