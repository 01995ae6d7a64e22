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


def repeated_keys(con: duckdb.DuckDBPyConnection, table: str, delta: str | None = None) -> int:
    """How many values of the key of `table` stand more than once; with the rows that came since it was right, in
    `delta`, of theirs alone.
    """
    key = checked_key(table)
    if delta is not None and fetch_row(con, f'select 1 from "{delta}" where is_new limit 1') is None:
        return 0
    new = f'semi join (from "{delta}" where is_new) as new on ' + " and ".join(
        f"new.{column} is not distinct from standing.{column}" for column in key
    )
    grouped = ", ".join(f"standing.{column}" for column in key)
    standing = f'"{table}" as standing {new if delta is not None else ""}'
    row = fetch_row(con, f"select count(*) from (select 1 from {standing} group by {grouped} having count(*) > 1)")
    return int(row[0]) if row else 0
