"""Two homes held against each other: the same tables, but for the columns that may tell how the logs arrived."""

from pathlib import Path

import duckdb
from ultravires.store.snapshot import open_published

ARRIVAL = {"ingested_at", "recorded_at", "file_id", "record_no", "loaded_at", "revision", "run_id"}
"""SCHEMA: provenance, runs and alerts are the only things that may differ between orders of arrival."""
HISTORIES = {
    "runs",
    "alerts",
    "chain_aliases",
    "files",
    "quarantine",
    "lateness",
    "tombstones",
    "replaced_files",
    "unread_files",
    "unread_records",
}


def comparable(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[object, ...]]:
    """The rows of a table without the columns of arrival, as text, in a fixed order."""
    names = [row[0] for row in con.execute(f'describe "{table}"').fetchall() if row[0] not in ARRIVAL]
    columns = ", ".join(f'"{name}"::varchar as "{name}"' for name in names)
    where = " where state = 'open'" if table == "findings" else ""
    return con.execute(f'select {columns} from "{table}"{where} order by all').fetchall()


def differences(first: Path, second: Path) -> list[str]:
    """One line per published table in which the two homes differ; empty when they are equal."""
    found = []
    with open_published(first) as a, open_published(second) as b:
        tables = [row[0] for row in a.execute("select view_name from duckdb_views() where not internal").fetchall()]
        for table in sorted(set(tables) - HISTORIES):
            left, right = comparable(a, table), comparable(b, table)
            if left != right:
                only_left = [row for row in left if row not in set(right)][:2]
                only_right = [row for row in right if row not in set(left)][:2]
                found.append(f"{table}: {len(left)} rows and {len(right)} rows; {only_left} against {only_right}")
    return found
