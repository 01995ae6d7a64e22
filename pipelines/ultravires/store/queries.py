"""The small things every user of a DuckDB connection needs: one answer, a count, all or nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa


def fetch_row(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] | Mapping[str, object] = ()
) -> tuple[Any, ...] | None:
    """The first row of `query`, or None; fetched to the end, since an unfinished result blocks the connection."""
    rows: list[tuple[Any, ...]] = con.execute(query, parameters or None).fetchall()
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
