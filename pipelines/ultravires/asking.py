"""One answer from DuckDB, fetched to the end: a connection with an unfinished result refuses all other work."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb


def ask(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] | Mapping[str, object] = ()
) -> tuple[Any, ...] | None:
    """The first row of `query`, or None."""
    rows: list[tuple[Any, ...]] = con.execute(query, parameters or None).fetchall()
    return rows[0] if rows else None


def count_rows(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = ask(con, f'select count(*) from "{table}"')
    return int(row[0]) if row else 0
