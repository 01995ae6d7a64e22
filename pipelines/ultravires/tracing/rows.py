"""Rows of the published tables as plain dictionaries, for the code that shows them."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import duckdb

from ultravires.store.queries import fetch_row, parsed

Row: TypeAlias = dict[str, Any]


def fetch_rows(
    con: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object] | dict[str, object] = ()
) -> list[Row]:
    """All rows of `sql`, each a dictionary by column name; `values` are bound, never written into it."""
    cursor = con.execute(parsed(con, sql), values or None)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def has_table(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether `name` can be read here; reference tables are not part of every home."""
    found = fetch_row(con, "select 1 from information_schema.tables where table_name = ? limit 1", [name])
    return found is not None
