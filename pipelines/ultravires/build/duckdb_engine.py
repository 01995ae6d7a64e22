"""Builds a SQL table in DuckDB: whole, or the hours that were touched; nothing when nothing it reads has changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import duckdb
import pyarrow as pa
from ultravires_models.hits import HITS

from ultravires.build.sql_tables import TOUCHED_HOURS, SqlTable, load_macros
from ultravires.build.table_schemas import table_schemas
from ultravires.errors import RunError
from ultravires.registry import sql_root
from ultravires.schema import duckdb_type
from ultravires.store.queries import fetch_row
from ultravires.store.warehouse import NO_ROWS, Warehouse


def columns_of(table: str) -> dict[str, str]:
    """Column -> DuckDB type of a table that is built: as its .yml says, and of hits as rules and models give them."""
    schema = table_schemas().get(table)
    return schema.types() if schema is not None else {field.name: duckdb_type(field.type) for field in HITS}


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

    def stand_in(self, name: str) -> None:
        """Where `name` was never built, make it without rows, so that what reads it has something to read."""
        schema = table_schemas().get(name)
        if schema is not None:
            self.con.execute(schema.create_sql())
        elif not fetch_row(self.con, "select 1 from duckdb_tables() where table_name = ?", [name]):
            self.store(name, HITS.empty_table(), code_hash="", inputs={})

    def is_fresh(self, name: str, *, code_hash: str, inputs: Mapping[str, int]) -> bool:
        """True when the table stands as this code makes it of these versions of its inputs."""
        state = self.warehouse.state(name)
        return state is not None and state.code_hash == code_hash and state.inputs == dict(inputs)

    def versions(self, names: frozenset[str]) -> dict[str, int]:
        return self.warehouse.versions(names)

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
            content = self._create(table)
            changed = self.warehouse.record_build(table.name, code_hash=table.code_hash, inputs=inputs, content=content)
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
                self._create(table)
            else:
                self.con.execute(
                    f'delete from "{table.name}" where event_hour in (select event_hour from {TOUCHED_HOURS})'
                )
                if not self._has_no_rows(table):
                    self.con.execute(f'insert into "{table.name}" by name {table.sql}')
            self.con.execute("delete from touched where table_name = ?", [table.name])
            self.warehouse.record_hours(table.name, code_hash=table.code_hash, inputs=timeless)
            self.touch_readers(table.name, f"select event_hour from {TOUCHED_HOURS}")
        return Built(table.name, "built", self._count(table.name), n_hours)

    def _create(self, table: SqlTable) -> tuple[int, str] | None:
        """Make `table` anew; its fingerprint, where that is known beforehand."""
        if not self._has_no_rows(table):
            self.con.execute(f'create or replace table "{table.name}" as {table.sql}')
            return None
        columns = ", ".join(f'"{column}" {kind}' for column, kind in columns_of(table.name).items())
        self.con.execute(f'create or replace table "{table.name}"({columns})')
        return NO_ROWS

    def _has_no_rows(self, table: SqlTable) -> bool:
        """Whether what `table` reads is so empty that its SELECT, which costs more to plan than to run, gives none."""
        if any(all(map(self._is_empty, names)) for names in table.needed):
            return True
        return bool(table.probe) and fetch_row(self.con, table.probe) is None

    def _is_empty(self, table: str) -> bool:
        state = self.warehouse.state(table)
        if state is not None and state.n_rows is not None:
            return state.n_rows == 0
        return fetch_row(self.con, f'select 1 from "{table}" limit 1') is None

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

    def _count(self, table: str) -> int:
        state = self.warehouse.state(table)
        if state is not None and state.n_rows is not None:
            return state.n_rows
        row = fetch_row(self.con, f'select count(*) from "{table}"')
        return int(row[0]) if row else 0
