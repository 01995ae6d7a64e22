"""Builds a SQL table in DuckDB: whole, or the hours that were touched; nothing when nothing it reads has changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import duckdb
import pyarrow as pa

from ultravires.build.sql_tables import TOUCHED_HOURS, SqlTable, load_macros
from ultravires.errors import RunError
from ultravires.registry import sql_root
from ultravires.store.queries import fetch_row
from ultravires.store.warehouse import Warehouse


@dataclass(frozen=True)
class Built:
    table: str
    state: Literal["built", "unchanged", "fresh"]
    """built: content changed; unchanged: rebuilt to the same content; fresh: nothing to do."""
    n_rows: int
    n_hours: int


class DuckDBEngine:
    def __init__(self, warehouse: Warehouse, hourly: Mapping[str, SqlTable]) -> None:
        """`hourly` holds all by_hour tables by name: a table's touched hours are passed on to those that read it."""
        self.warehouse = warehouse
        self.con = warehouse.con
        self.hourly = hourly
        self.con.execute(load_macros(sql_root()))

    def build(self, table: SqlTable) -> Built:
        """Bring `table` up to date; RunError names the table when its SQL fails."""
        try:
            return self._build_by_hour(table) if table.mode == "by_hour" else self._build_full(table)
        except duckdb.Error as error:
            raise RunError(f"table {table.name}: {str(error).splitlines()[0]}") from error

    def store(self, name: str, rows: pa.Table, *, code_hash: str, inputs: Mapping[str, int]) -> Built:
        """Write the rows that a model made, as a full table."""
        self.con.register("model_rows", rows)
        try:
            with self.warehouse.transaction():
                self.con.execute(f'create or replace table "{name}" as from model_rows')
                changed = self.warehouse.record_build(name, code_hash=code_hash, inputs=dict(inputs))
        finally:
            self.con.unregister("model_rows")
        return Built(name, "built" if changed else "unchanged", rows.num_rows, 0)

    def is_fresh(self, name: str, *, code_hash: str, inputs: Mapping[str, int]) -> bool:
        """True when the table stands as this code makes it of these versions of its inputs."""
        state = fetch_row(self.con, "select code_hash from table_state where table_name = ?", [name])
        if state is None or state[0] != code_hash:
            return False
        rows = self.con.execute("select input_name, input_version from built_from where table_name = ?", [name])
        return dict(rows.fetchall()) == dict(inputs)

    def versions(self, names: frozenset[str]) -> dict[str, int]:
        return {name: self.warehouse.version(name) for name in sorted(names)}

    def touch_readers(self, table: str, hours_sql: str) -> None:
        """Queue the hours that `hours_sql` selects for every hourly table that reads `table`."""
        for reader in self.hourly.values():
            if table in reader.inputs:
                self.con.execute(f"insert into touched select ?, event_hour from ({hours_sql})", [reader.name])

    def _build_full(self, table: SqlTable) -> Built:
        inputs = self.versions(table.inputs)
        if self.is_fresh(table.name, code_hash=table.code_hash, inputs=inputs):
            return Built(table.name, "fresh", self._count(table.name), 0)
        with self.warehouse.transaction():
            self.con.execute(f'create or replace table "{table.name}" as {table.sql}')
            changed = self.warehouse.record_build(table.name, code_hash=table.code_hash, inputs=inputs)
        return Built(table.name, "built" if changed else "unchanged", self._count(table.name), 0)

    def _build_by_hour(self, table: SqlTable) -> Built:
        # Inputs without hours of their own (configuration) make every hour stale when they change.
        timeless = self.versions(frozenset(i for i in table.inputs if i != "events" and i not in self.hourly))
        whole = not self.is_fresh(table.name, code_hash=table.code_hash, inputs=timeless)
        with self.warehouse.transaction():
            n_hours = self._collect_hours(table, whole)
            if n_hours == 0 and not whole:
                return Built(table.name, "fresh", self._count(table.name), 0)
            if whole:
                self.con.execute(f'create or replace table "{table.name}" as {table.sql}')
            else:
                self.con.execute(
                    f'delete from "{table.name}" where event_hour in (select event_hour from {TOUCHED_HOURS})'
                )
                self.con.execute(f'insert into "{table.name}" by name {table.sql}')
            self.con.execute("delete from touched where table_name = ?", [table.name])
            self.warehouse.bump_version(table.name)
            self._note_code(table, timeless)
            self.touch_readers(table.name, f"select event_hour from {TOUCHED_HOURS}")
        return Built(table.name, "built", self._count(table.name), n_hours)

    def _collect_hours(self, table: SqlTable, whole: bool) -> int:
        if whole:
            origins = [name for name in sorted(table.inputs) if name == "events" or name in self.hourly]
            hours = " union ".join(f'select event_hour from "{name}"' for name in origins)
        else:
            hours = "select event_hour from touched where table_name = $table_name"
        parameters = {} if whole else {"table_name": table.name}
        self.con.execute(
            f"create or replace temp table {TOUCHED_HOURS} as select distinct event_hour from ({hours})",
            parameters,
        )
        row = fetch_row(self.con, f"select count(*) from {TOUCHED_HOURS}")
        return int(row[0]) if row else 0

    def _note_code(self, table: SqlTable, timeless: Mapping[str, int]) -> None:
        self.con.execute("update table_state set code_hash = ? where table_name = ?", [table.code_hash, table.name])
        self.con.execute("delete from built_from where table_name = ?", [table.name])
        for name, version in timeless.items():
            self.con.execute("insert into built_from values (?, ?, ?)", [table.name, name, version])

    def _count(self, table: str) -> int:
        row = fetch_row(self.con, f'select count(*) from "{table}"')
        return int(row[0]) if row else 0
