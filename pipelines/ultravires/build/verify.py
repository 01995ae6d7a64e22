"""Whether every table holds what its SELECT gives of what it reads: made whole beside what stands, and compared.

Where each table is right by those that it reads, all of them are what a rebuild from the events would give.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.sql_tables import SqlTable

N_SHOWN = 3


@dataclass(frozen=True)
class Verified:
    """`missing` and `extra` are the first rows that the table lacks and that it holds too many, of as many as said."""

    table: str
    n_rows: int
    n_missing: int
    n_extra: int
    missing: tuple[Mapping[str, Any], ...] = ()
    extra: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_right(self) -> bool:
        return not self.n_missing and not self.n_extra

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_right": self.is_right}


def stale_tables(engine: DuckDBEngine, tables: Mapping[str, SqlTable]) -> list[str]:
    """Those that a run has still to bring up to date: they are behind, and nothing can be said of them."""
    waiting = {str(name) for (name,) in engine.con.execute("select distinct table_name from touched").fetchall()}
    return [
        name
        for name, table in tables.items()
        if name in waiting or not engine.is_fresh(name, code_hash=table.code_hash, inputs=engine.inputs_of(table))
    ]


def verify(engine: DuckDBEngine, tables: Mapping[str, SqlTable]) -> Iterator[Verified]:
    """Each of these tables, in their order; RunError where one cannot be made."""
    for table in tables.values():
        engine.make_beside(table)
        yield _compared(engine.con, table.name)


def _compared(con: duckdb.DuckDBPyConnection, table: str) -> Verified:
    stands, whole = f'from "{table}"', "from beside"
    missing, n_missing = _first(con, f"({whole} except all {stands})")
    extra, n_extra = _first(con, f"({stands} except all {whole})")
    n_rows = con.execute("select count(*) from beside").fetchall()[0][0]
    con.execute("drop table beside")
    return Verified(table, n_rows, n_missing, n_extra, missing, extra)


def _first(con: duckdb.DuckDBPyConnection, rows: str) -> tuple[tuple[Mapping[str, Any], ...], int]:
    con.execute(f"create or replace temp table differing as {rows}")
    found = con.sql(f"from differing order by all limit {N_SHOWN}").to_arrow_table().to_pylist()
    n = con.execute("select count(*) from differing").fetchall()[0][0]
    con.execute("drop table differing")
    return tuple(found), int(n)
