"""Given rows, expected rows: how the cases beside each SQL table are read, filled up and compared.

A case names only the columns that matter. The rest is NULL of the right type, which is taken from the same
tables built on an empty warehouse, so that a case breaks when a column is renamed and not when one is added.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml
from ultravires import registry
from ultravires.build.by_key import TOUCHED_IDS
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.reference import reference_tables, store_run_context
from ultravires.build.sql_tables import TOUCHED_HOURS, SqlTable, in_build_order, load_tables
from ultravires.settings import Settings
from ultravires.store.queries import parsed
from ultravires.store.warehouse import Warehouse, open_warehouse
from ultravires_models.describe import DETECTORS
from ultravires_models.hits import HITS

Row = Mapping[str, Any]
Columns = Mapping[str, str]

CASES = Path(__file__).parent / "sql"

TIMES = ("event_at", "node_at", "step_at", "called_at", "decided_at", "child_at")
"""The hour of a given row follows the first of these that it states, and its corrected time is that one too."""

PACKAGED = (
    "hop_actions",
    "escalation_kinds",
    "escalation_permissions",
    "identity_names",
    "link_weights",
    "name_comparison",
    "secret_actions",
    "severities",
    "vendor_prefixes",
)
"""Reference tables that a case does not give when it takes them as they are packaged."""


class _PlainTimes(yaml.CSafeLoader):
    """Leaves times as text: DuckDB reads them, in UTC, like those of the logs. Each worker reads all cases: in C."""


_PlainTimes.yaml_implicit_resolvers = {
    first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
    for first, entries in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Case:
    """One named behaviour of one table."""

    table: str
    name: str
    says: str
    given: Mapping[str, Sequence[Row]]
    expect: Sequence[Row]


def read_cases(path: Path) -> list[Case]:
    """The cases of one file; `background` holds rows that every case is given unless it gives that table itself."""
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainTimes)
    background = document.get("background", {})
    return [
        Case(path.stem, entry["name"], entry["says"], {**background, **entry["given"]}, entry["expect"])
        for entry in document["cases"]
    ]


@cache
def tables() -> dict[str, SqlTable]:
    """The SQL files by name, in build order."""
    tables = load_tables(registry.sql_root())
    return {name: tables[name] for name in in_build_order({name: table.inputs for name, table in tables.items()})}


def prepare(warehouse: Warehouse, as_of: datetime | None = None) -> DuckDBEngine:
    """Everything that SQL may read besides events, as an unconfigured home has it before the first log."""
    rows = reference_tables(Settings(), registry.sources().values())
    with warehouse.storing_references({**rows, "hits": HITS.empty_table(), "detectors": DETECTORS.empty_table()}):
        pass
    store_run_context(warehouse, as_of, timedelta(minutes=2))
    return DuckDBEngine(warehouse, tables())


def build_all(engine: DuckDBEngine) -> list[str]:
    """Each table in its order, in one transaction as a run makes them of few events; returns what became of them."""
    with engine.warehouse.together():
        return [engine.build(table).state for table in tables().values()]


@cache
def empty_columns() -> Mapping[str, Columns]:
    """Table -> column -> type, of every table in a home without a single event."""
    with TemporaryDirectory() as folder, open_warehouse(Path(folder) / "home") as warehouse:
        engine = prepare(warehouse)
        build_all(engine)
        rows = warehouse.con.execute(
            "select table_name, column_name, data_type from duckdb_columns() where not internal"
        ).fetchall()
    columns: dict[str, dict[str, str]] = {TOUCHED_HOURS: {"event_hour": "TIMESTAMP WITH TIME ZONE"}}
    for table_name, column, kind in rows:
        columns.setdefault(table_name, {})[column] = kind
    return columns


@cache
def assumed() -> Mapping[str, Sequence[Row]]:
    """What stands in these tables when a case says nothing else."""
    packaged = {name: rows.to_pylist() for name, rows in reference_tables(Settings(), ()).items() if name in PACKAGED}
    context = {"as_of": "2026-10-10 00:00", "first_as_of": "2026-10-10 00:00", "clock_tolerance": "2 minutes"}
    return {**packaged, "run_context": [context]}


def unequal(case: Case) -> list[str]:
    """What the case expects and the SQL does not give (-), and the other way round (+); empty when they agree."""
    table = tables()[case.table]
    con = _connection(table.macros)
    con.execute("begin")
    try:
        give(con, table, case.given)
        con.execute(parsed(con, f'create table "{table.name}" as {table.sql}'))
        return compare(con, table.name, case.expect)
    finally:
        con.execute("rollback")


@cache
def _connection(macros: str) -> duckdb.DuckDBPyConnection:
    """One for all cases, each of which takes back what it made: opening costs more than most of them."""
    con = duckdb.connect(config={"threads": 1})
    con.execute("set timezone = 'UTC'")
    con.execute(macros)
    return con


def give(con: duckdb.DuckDBPyConnection, table: SqlTable, given: Mapping[str, Sequence[Row]]) -> None:
    strange = set(given) - table.inputs - {TOUCHED_HOURS}
    assert not strange, f"{table.name} does not read {', '.join(sorted(strange))}"
    for name in sorted(table.inputs):
        rows = [with_hour(row, empty_columns()[name]) for row in given.get(name, assumed().get(name, ()))]
        fill(con, name, empty_columns()[name], rows)
    if table.mode == "by_hour":
        _touch(con, given)
    if table.by_key:
        units = f"select distinct id from ({table.by_key.units}) as units(id) where id is not null"
        con.execute(f"create table {TOUCHED_IDS} as {units}")


def _touch(con: duckdb.DuckDBPyConnection, given: Mapping[str, Sequence[Row]]) -> None:
    if TOUCHED_HOURS in given:
        fill(con, TOUCHED_HOURS, empty_columns()[TOUCHED_HOURS], given[TOUCHED_HOURS])
    else:
        con.execute(f"create table {TOUCHED_HOURS} as select distinct event_hour from events")


def with_hour(row: Row, columns: Columns) -> Row:
    stated = [name for name in TIMES if row.get(name)]
    if not stated:
        return row
    at = row[stated[0]]
    follows = {"event_hour": at[:13] + ":00", "corrected_at": at}
    return {**{name: value for name, value in follows.items() if name in columns}, **row}


def fill(con: duckdb.DuckDBPyConnection, name: str, columns: Columns, rows: Sequence[Row]) -> None:
    listed = ", ".join(f"{_quoted(c)} {kind}" for c, kind in columns.items())
    con.execute(parsed(con, f'create table "{name}" ({listed})'))
    for row in rows:
        unknown = set(row) - set(columns)
        assert not unknown, f"{name} has no column {', '.join(sorted(unknown))}"
        places = ", ".join(f"cast(? as {columns[column]})" for column in row)
        values = [_as_text(value) for value in row.values()]
        into = f'"{name}" ({", ".join(map(_quoted, row))})'
        con.execute(parsed(con, f"insert into {into} values ({places})"), values)


def compare(con: duckdb.DuckDBPyConnection, table: str, expect: Sequence[Row]) -> list[str]:
    named = list(expect[0]) if expect else []
    assert all(list(row) == named for row in expect), "every expected row names the same columns, in the same order"
    types = {row[0]: row[1] for row in con.execute(f'describe "{table}"').fetchall()}
    unknown = set(named) - set(types)
    assert not unknown, f"{table} has no column {', '.join(sorted(unknown))}"
    fill(con, "expected_rows", {name: types[name] for name in named} or {"nothing": "integer"}, expect)
    wanted, found = (_as_lines(con, name, named) for name in ("expected_rows", table))
    missing, extra = list(wanted), []
    for line in found:
        if line in missing:
            missing.remove(line)
        else:
            extra.append(line)
    return [*(f"- {line}" for line in missing), *(f"+ {line}" for line in extra)]


def _as_lines(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> list[str]:
    shown = ", ".join(f"{_quoted(c)}::varchar as {_quoted(c)}" for c in columns) or "'a row' as any_row"
    cursor = con.execute(f'select {shown} from "{table}" order by all')
    names = [column[0] for column in cursor.description or []]
    return [", ".join(f"{n}={v!r}" for n, v in zip(names, row, strict=True)) for row in cursor.fetchall()]


def _as_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
