"""Whether the key of a table, as its schema says it, stands once in it."""

import duckdb

from ultravires.build.table_schemas import table_schemas
from ultravires.store.queries import fetch_row

CHECKED_BY_LOADING = ("events",)
"""Loading stores every id once and `conservation` counts; to group all history in every run would cost what is old."""


def checked_key(table: str) -> tuple[str, ...]:
    """The columns whose values are to stand once; none where nothing is to be checked."""
    schema = table_schemas().get(table)
    return tuple(schema.key) if schema is not None and table not in CHECKED_BY_LOADING else ()


def repeated_keys(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many values of the key of `table` stand more than once."""
    columns = ", ".join(checked_key(table))
    row = fetch_row(con, f'select count(*) from (select 1 from "{table}" group by {columns} having count(*) > 1)')
    return int(row[0]) if row else 0
