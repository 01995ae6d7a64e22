"""Builds a SQL table in DuckDB: whole, or what was touched of it; nothing when nothing it reads has changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import pyarrow as pa
from ultravires_models.hits import HITS
from ultravires_models.sigma.matches import MATCHES

from ultravires.build.bounded import ended_after, most_seconds
from ultravires.build.by_key import DELTA, TOUCHED_IDS, ByKey
from ultravires.build.sql_tables import TOUCHED_HOURS, SqlTable, load_macros
from ultravires.build.table_schemas import table_schemas
from ultravires.errors import RunError
from ultravires.registry import sql_root
from ultravires.schema import duckdb_type
from ultravires.store.deltas import listed
from ultravires.store.queries import fetch_row, parsed
from ultravires.store.table_states import TableState
from ultravires.store.warehouse import NO_ROWS, Warehouse

MOST_UNITS = 0.3
"""Of more than this share of its rows a table is made whole, which then costs no more."""
FEW_EVENTS = 5_000
"""In a home of so many it costs less to make every table whole than to find out what changed in each."""
SMALL_EVENTS = 20_000
"""A home of so many is built in one transaction, and with those rules alone that may say anything of them: to end a
hundred transactions and to plan hundreds of rules costs more than what is done.
"""
MATCHES_OF = "matches_"
"""How the tables are called that hold what the rules match of which correlations are made."""
ROWS_AT_ONCE = 75_000
"""Of a table by key whose largest input has more rows than these, or which has more by its `rows` line, the units are
made in as many parts: what a query holds in memory then does not grow with the home.
"""
_AFTER, _MADE, _ALL_UNITS = "after_rows", "made_rows", "all_units"


def columns_of(table: str) -> dict[str, str]:
    """Column -> DuckDB type of a table that is built: as its .yml says, and of hits as rules and models give them."""
    schema = table_schemas().get(table)
    return schema.types() if schema is not None else {field.name: duckdb_type(field.type) for field in _of_rules(table)}


def _of_rules(table: str) -> pa.Schema:
    return MATCHES if table.startswith(MATCHES_OF) else HITS


def unit_of(column: str) -> str:
    """The unit of a row as text: a row that says none (an approval of nobody) is of the unit without a name."""
    return f"""coalesce("{column}"::varchar, '')"""


def key_of(table: str) -> str:
    """What rows of one key share, so that of a unit only rows that differ are written anew; nothing where the table
    states no key.
    """
    schema = table_schemas().get(table)
    if schema is None or not schema.key:
        return ""
    listed = ", ".join(f'"{column}"' for column in schema.key)
    return f"hash({listed})"


@dataclass(frozen=True)
class Built:
    table: str
    state: Literal["built", "unchanged", "fresh"]
    """built: content changed; unchanged: rebuilt to the same content; fresh: nothing to do."""
    n_rows: int
    n_hours: int = 0
    n_units: int = 0
    """Units that were made anew; 0 of a table that was made whole."""


def made_anew(table: str, select: str) -> str:
    """The statement that makes the whole table."""
    return f'create or replace table "{table}" as {select}'


def _columns(table: SqlTable) -> str:
    return ", ".join(f'"{column}" {kind}' for column, kind in columns_of(table.name).items())


class DuckDBEngine:
    def __init__(self, warehouse: Warehouse, tables: Mapping[str, SqlTable]) -> None:
        """`tables` holds by name those that read each other: the touched hours of one are passed on to the by_hour
        tables that read it, and its changed rows to those that are built by_key.
        """
        self.warehouse = warehouse
        self.con = warehouse.con
        self.deltas = warehouse.deltas
        self.hourly = {name: table for name, table in tables.items() if table.mode == "by_hour"}
        self.followed = frozenset(
            name for table in tables.values() for name in table.inputs if table.by_key or name in table.only
        )
        self._counted = (-1, 0)
        """At which version of the events how many there were."""
        self.con.execute(load_macros(sql_root()))

    def build(self, table: SqlTable) -> Built:
        """Bring `table` up to date; RunError names the table when its SQL fails, or does not end."""
        build = {"full": self._build_full, "by_hour": self._build_by_hour, "by_key": self._build_by_key}[table.mode]
        try:
            with ended_after(self.con, most_seconds(self._n_events()), table.name):
                return build(table)
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
        return Built(name, "built" if changed else "unchanged", rows.num_rows)

    def stand_in(self, name: str) -> None:
        """Where `name` was never built, make it without rows, so that what reads it has something to read."""
        schema = table_schemas().get(name)
        if schema is not None:
            self.con.execute(schema.create_sql())
        elif not fetch_row(self.con, "select 1 from duckdb_tables() where table_name = ?", [name]):
            self.store(name, _of_rules(name).empty_table(), code_hash="", inputs={})

    def is_fresh(self, name: str, *, code_hash: str, inputs: Mapping[str, int]) -> bool:
        """True when the table stands as this code makes it of these versions of its inputs."""
        state = self.warehouse.state(name)
        return state is not None and state.code_hash == code_hash and state.inputs == dict(inputs)

    def inputs_of(self, table: SqlTable) -> dict[str, int]:
        """Versions of what the table is noted to be built from: an hourly one follows the hours of others by itself."""
        if table.mode != "by_hour":
            return self.versions(table.inputs)
        return self.versions(frozenset(name for name in table.inputs if name != "events" and name not in self.hourly))

    def make_beside(self, table: SqlTable) -> None:
        """What the table holds when it is made whole, as the temporary table `beside` with its columns in its order."""
        try:
            if table.by_key:
                self._touch([table.by_key.units])
            if table.mode == "by_hour":
                self._collect_hours(table, whole=True)
            self._select_into(_MADE, table, "" if self._lacks_needed(table) else table.sql)
            columns = listed(self.deltas.columns(table.name))
            self.con.execute(f"create or replace temp table beside as select {columns} from {_MADE}")
        except duckdb.Error as error:
            raise RunError(f"table {table.name}: {str(error).splitlines()[0]}") from error

    def versions(self, names: frozenset[str]) -> dict[str, int]:
        return self.warehouse.versions(names)

    def is_small(self) -> bool:
        """Whether what is done once costs more than what is done of each event."""
        return self._n_events() < SMALL_EVENTS

    def _n_events(self) -> int:
        version = self.warehouse.version("events")
        if self._counted[0] != version:
            self._counted = version, self.warehouse.segments.n_rows()
        return self._counted[1]

    def touch_readers(self, table: str, hours_sql: str) -> None:
        """Queue the hours that `hours_sql` selects for every hourly table that reads `table`."""
        for reader in self.hourly.values():
            if table in reader.inputs:
                self.con.execute(f"insert into touched select ?, event_hour from ({hours_sql})", [reader.name])

    def _build_full(self, table: SqlTable) -> Built:
        inputs = self.versions(table.inputs)
        if self.is_fresh(table.name, code_hash=table.code_hash, inputs=inputs):
            return Built(table.name, "fresh", self._count(table.name))
        with self.warehouse.transaction():
            others = self._other_inputs(table, inputs)
            if others is None or any(self._is_seen(table, name) for name in others):
                changed = self._make_whole(table, inputs)
            else:
                self.warehouse.record_unchanged(table.name, inputs=inputs)
                changed = False
        return Built(table.name, "built" if changed else "unchanged", self._count(table.name))

    def _other_inputs(self, table: SqlTable, inputs: Mapping[str, int]) -> list[str] | None:
        """The inputs that are others than those of which `table` was made; None where it is not known what changed."""
        before = self.warehouse.state(table.name)
        if before is None or before.code_hash != table.code_hash or set(before.inputs) != set(inputs):
            return None
        since = {name: before.inputs[name] for name, version in inputs.items() if before.inputs[name] != version}
        is_known = all(self.deltas.spans(name, version, inputs[name]) for name, version in since.items())
        if not is_known or self._n_events() < FEW_EVENTS:
            return None
        return sorted(since, key=table.only.__contains__)  # what is seen without a question comes first

    def _is_seen(self, table: SqlTable, name: str) -> bool:
        """Whether the rows of this input that changed differ in what `table` looks at in them."""
        only = table.only.get(name)
        return only is None or self.deltas.differs_in(name, only.columns, only.where)

    def _make_whole(self, table: SqlTable, inputs: Mapping[str, int]) -> bool:
        """Make every row anew; where others follow this table, note which of them changed, and write no others."""
        before = self.warehouse.state(table.name)
        if before is None or table.name not in self.followed or self._n_events() < FEW_EVENTS:
            content = self._create(table)
            return self.warehouse.record_build(table.name, code_hash=table.code_hash, inputs=inputs, content=content)
        self._select_into(_AFTER, table, self._select_of(table))
        content = self.warehouse.fingerprint(_AFTER)
        is_compared = self.deltas.compare(table.name, table.name, _AFTER)
        if not is_compared or not self._write_changes(table.name, before, content):
            self.con.execute(f'create or replace table "{table.name}" as from {_AFTER}')
        changed = self.warehouse.record_build(table.name, code_hash=table.code_hash, inputs=inputs, content=content)
        if is_compared:
            self.deltas.note(table.name, before.version, self.warehouse.version(table.name))
        return changed

    def _write_changes(self, name: str, before: TableState, content: tuple[int, str]) -> bool:
        """Write the rows in which `name` differs from what was made of it; False, and nothing is written, where they
        are many or do not lead from what stands to `content`, as where a row stands twice.
        """
        if before.n_rows is None or not before.fingerprint:
            return False
        columns = self.deltas.columns(name)
        more, hashes = self.deltas.counted(name, columns)
        if (before.n_rows + more, str(int(before.fingerprint) + hashes)) != content:
            return False
        if self._rows_in(f"{DELTA}{name}") > MOST_UNITS * before.n_rows:
            return False
        # All that share a hash with one that differs go together, so two rows that hash alike do no harm.
        hashed = f'select hash(t) from (select {listed(columns)} from "{DELTA}{name}") as t'
        self.con.execute(f'delete from "{name}" as t where hash(t) in ({hashed})')
        self.con.execute(f'insert into "{name}" from {_AFTER} as t where hash(t) in ({hashed})')
        return True

    def _select_into(self, name: str, table: SqlTable, select: str) -> None:
        """What the SELECT gives as a temporary table; without rows, with the columns of `table`, where it is empty."""
        made = f'create or replace temp table "{name}"'
        if select:
            self._make_in_parts(f"{made} as {select}", name, table, select)
        else:
            self.con.execute(parsed(self.con, f"{made}({_columns(table)})"))

    def _make_in_parts(self, create: str, name: str, table: SqlTable, select: str) -> None:
        """The relation `name` of what the SELECT gives, of many rows by key part by part."""
        n_parts = max(self._n_rows_of(table) // ROWS_AT_ONCE, 1) if table.by_key else 1
        if n_parts == 1:
            self.con.execute(parsed(self.con, create))
            return
        self.con.execute(f"create or replace temp table {_ALL_UNITS} as from {TOUCHED_IDS}")
        for part in range(n_parts):
            units = f"from {_ALL_UNITS} where hash(id) % {n_parts} = {part}"
            self.con.execute(f"create or replace temp table {TOUCHED_IDS} as {units}")
            self.con.execute(parsed(self.con, create if part == 0 else f'insert into "{name}" {select}'))
        self.con.execute(f"create or replace temp table {TOUCHED_IDS} as from {_ALL_UNITS}")
        self.con.execute(f"drop table {_ALL_UNITS}")

    def _n_rows_of(self, table: SqlTable) -> int:
        """About how many rows go through the query that makes the units in question."""
        assert table.by_key is not None
        if table.by_key.rows:
            row = fetch_row(self.con, table.by_key.rows)
            return int(row[0]) if row else 0
        names = [name for name in (*table.by_key.dirty, table.name) if self.warehouse.state(name)]
        rows = max(map(self._count, names), default=0)
        if rows < 2 * ROWS_AT_ONCE or not self.warehouse.state(table.name):
            return rows
        unit = unit_of(table.by_key.column)
        row = fetch_row(self.con, f'select count(*) from "{table.name}" where {unit} in (from {TOUCHED_IDS})')
        standing = row[0] if row else 0
        return int(rows * standing / max(self._count(table.name), 1))

    def _build_by_key(self, table: SqlTable) -> Built:
        assert table.by_key is not None
        inputs = self.versions(table.inputs)
        if self.is_fresh(table.name, code_hash=table.code_hash, inputs=inputs):
            return Built(table.name, "fresh", self._count(table.name))
        with self.warehouse.transaction():
            n_units = self._touch_units(table, table.by_key, inputs)
            if n_units is None:
                if not self._lacks_needed(table):
                    self._touch([table.by_key.units])
                changed = self._make_whole(table, inputs)
            elif n_units:
                changed = self._rewrite(table, inputs, unit_of(table.by_key.column), TOUCHED_IDS)
            else:
                self.warehouse.record_unchanged(table.name, inputs=inputs)
                changed = False
        return Built(table.name, "built" if changed else "unchanged", self._count(table.name), n_units=n_units or 0)

    def _touch_units(self, table: SqlTable, by_key: ByKey, inputs: Mapping[str, int]) -> int | None:
        """How many units may have changed, which are then in `touched_ids`; None where all have to be made."""
        others = self._other_inputs(table, inputs)
        if others is None:
            return None
        changed = [name for name in others if self._is_seen(table, name)]
        if not by_key.dirty.keys() >= set(changed):
            return None
        queries = [query for name in changed for query in by_key.dirty[name]]
        n_units = self._touch(queries, by_key.down) if queries else 0
        return None if n_units > MOST_UNITS * self._count(table.name) else n_units

    def _touch(self, queries: Sequence[str], down: str = "") -> int:
        """Make `touched_ids` of what these give and, by the pairs that `down` gives, of all that stands below."""
        found = " union ".join(f"from ({query}) as found(id)" for query in queries)
        ids = f"select distinct id from ({found}) where id is not null"
        self.con.execute(f"create or replace temp table {TOUCHED_IDS} as {ids}")
        if down:
            below = f"select pairs.unit from ({down}) as pairs(unit, above) join reached on reached.id = pairs.above"
            reached = f"with recursive reached(id) as (from {TOUCHED_IDS} union {below}) from reached"
            self.con.execute(f"create or replace temp table {TOUCHED_IDS} as {reached}")
        return self._rows_in(TOUCHED_IDS)

    def _rewrite(self, table: SqlTable, inputs: Mapping[str, int], unit: str, touched: str) -> bool:
        """Make anew the rows whose hour or `unit` is in the relation `touched`; what differs is written."""
        name, columns = table.name, self.deltas.columns(table.name)
        self._select_into(_MADE, table, self._select_of(table, is_part=True))
        stands = f'"{name}" where {unit} in (from {touched})'
        self.deltas.compare_rows(name, columns, stands, _MADE)
        changed = f'where {unit} in (select {unit} from "{DELTA}{name}")'
        if key := key_of(name):
            changed += f' and {key} in (select {key} from "{DELTA}{name}")'
        self.con.execute(f'delete from "{name}" {changed}')
        self.con.execute(f'insert into "{name}" select {listed(columns)} from {_MADE} {changed}')
        return self.warehouse.record_delta(name, code_hash=table.code_hash, inputs=inputs, columns=columns)

    def _build_by_hour(self, table: SqlTable) -> Built:
        # Inputs without hours of their own (configuration) make every hour stale when they change.
        timeless = self.inputs_of(table)
        whole = not self.is_fresh(table.name, code_hash=table.code_hash, inputs=timeless)
        with self.warehouse.transaction():
            n_hours = self._collect_hours(table, whole)
            if n_hours == 0 and not whole:
                return Built(table.name, "fresh", self._count(table.name))
            if whole:
                changed = self._make_whole(table, timeless)
            else:
                changed = self._rewrite(table, timeless, '"event_hour"', TOUCHED_HOURS)
            self.con.execute("delete from touched where table_name = ?", [table.name])
            if changed:
                self.touch_readers(table.name, f"select event_hour from {TOUCHED_HOURS}")
        return Built(table.name, "built" if changed else "unchanged", self._count(table.name), n_hours)

    def _create(self, table: SqlTable) -> tuple[int, str] | None:
        """Make `table` anew; its fingerprint, where that is known beforehand."""
        select = self._select_of(table)
        if select:
            self._make_in_parts(made_anew(table.name, select), table.name, table, select)
            return None
        self.con.execute(parsed(self.con, f'create or replace table "{table.name}"({_columns(table)})'))
        return NO_ROWS

    def _select_of(self, table: SqlTable, *, is_part: bool = False) -> str:
        """The SELECT that gives the rows of `table`; empty where it gives none: to plan it costs more than to run it
        over few rows. In a small home, and where a part of the table is made, it has only those rules that may say
        anything of them.
        """
        if self._lacks_needed(table):
            return ""
        if table.of_rules is not None and (is_part or self.is_small()):
            rows = self.con.execute(parsed(self.con, table.of_rules.candidates)).fetchall()
            names = frozenset(name for (name,) in rows if name is not None)
            return table.of_rules.select(names) if names else ""
        return "" if table.probe and fetch_row(self.con, table.probe) is None else table.sql

    def _lacks_needed(self, table: SqlTable) -> bool:
        return any(all(map(self._is_empty, names)) for names in table.needed)

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
        return self._rows_in(TOUCHED_HOURS)

    def _rows_in(self, table: str) -> int:
        row = fetch_row(self.con, f'select count(*) from "{table}"')
        return int(row[0]) if row else 0

    def _count(self, table: str) -> int:
        state = self.warehouse.state(table)
        if state is not None and state.n_rows is not None:
            return state.n_rows
        return self._rows_in(table)
