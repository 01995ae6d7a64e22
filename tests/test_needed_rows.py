"""A SELECT is not planned where its syntax says that it gives no rows; what the syntax says is true of every table."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sql_cases import prepare, tables
from sql_world import AS_OF, random_events
from ultravires.build import duckdb_engine
from ultravires.build.by_key import TOUCHED_IDS
from ultravires.build.duckdb_engine import SMALL_EVENTS, DuckDBEngine, columns_of
from ultravires.build.needed_rows import needed_rows
from ultravires.build.pipeline import hourly_tables, sql_tables
from ultravires.build.sql_tables import TOUCHED_HOURS, SqlTable, load_macros
from ultravires.errors import RunError
from ultravires.registry import sql_root
from ultravires.settings import Settings
from ultravires.store.deduplicate import store_events
from ultravires.store.warehouse import open_warehouse

UNPLANNED = "select no_such_column from run_context"
MACROS = """
create temp macro doubled(x) as x + x;
create temp macro total(x) as sum(x);
create temp macro half_of_total(x) as total(x) / 2;
create temp macro quoted(x) as x || ' sum(x)';
"""


@pytest.mark.parametrize(
    ("sql", "needed"),
    [
        ("select a from t", "t"),
        ("select a, b from t join u using (a)", "t & u"),
        ("select a from t, u where t.a = u.a", "t & u"),
        ("select a from t left join u using (a)", "t"),
        ("select a from t right join u using (a)", "u"),
        ("select a from t full join u using (a)", ""),
        ("select a from t semi join u using (a)", "t & u"),
        ("select a from t anti join u using (a)", "t"),
        ("select a from t positional join u", ""),
        ("select a from t where exists (select 1 from u)", "t"),
        ("select a from t union all select b from u", "t|u"),
        ("select a from t join v using (a) union select b from u join v using (b)", "v & t|u"),
        ("select a from t except select b from u", ""),
        ("select a from t union all select 1", ""),
        ("select a from t union all (values (1))", ""),
        ("with c as (select a from t) select a from c join u using (a)", "t & u"),
        ("with c as (select 1 as a) select a from c join u using (a)", "u"),
        ("with recursive c as (select a from t union select u.a from c join u using (a)) select a from c", "t"),
        ("select a from (select a from t)", "t"),
        ("select a, n from t, unnest(t.b) as u(n)", "t"),
        ("select unnest(b) from t", "t"),
        ("select count(*) from t", ""),
        ("select coalesce(max(a), 0) from t", ""),
        ("select a, count(*) from t group by a", "t"),
        ("select a, count(*) from t group by rollup (a)", ""),
        ("select count(*) from t group by ()", ""),
        ("select a, count(*) from t group by all", ""),
        ("select 1 from t having count(*) = 0", ""),
        ("select 1 from t order by count(*)", ""),
        ("select count(*) over () from t", "t"),
        ("select sum(count(*)) over () from t", ""),
        ("select n from (select count(*) as n from t) join u on true", "u"),
        ("select doubled(a), nullif(a, 1), quoted(b) from t", "t"),
        ("select total(a) from t", ""),
        ("select half_of_total(a) from t", ""),
        ("select unheard_of(a) from t", ""),
    ],
)
def test_what_a_select_needs_stands_in_its_syntax(sql: str, needed: str) -> None:
    assert written(needed_rows(parsed(sql), MACROS)) == needed


def written(needed: frozenset[frozenset[str]]) -> str:
    return " & ".join(
        "|".join(sorted(names)) for names in sorted(needed, key=lambda names: (len(names), sorted(names)))
    )


def parsed(sql: str) -> dict[str, object]:
    with duckdb.connect() as con:
        row = con.execute("select json_serialize_sql(?::varchar)", [sql]).fetchone()
    assert row is not None
    statement: dict[str, object] = json.loads(row[0])["statements"][0]
    return statement


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which most tables have rows."""
    home = tmp_path_factory.mktemp("needed") / "home"
    with open_warehouse(home) as warehouse:
        engine = prepare(warehouse, AS_OF)
        with warehouse.transaction():
            store_events(engine, Settings(), random_events(random.Random(1), 400))
        for table in tables().values():
            engine.build(table)
    return home


def test_no_table_has_rows_where_what_it_needs_has_none(filled: Path) -> None:
    """Each table's own SELECT, over the same rows but for those that it needs."""
    n_given_without = 0
    with open_warehouse(filled) as warehouse:
        con = warehouse.con
        con.execute(load_macros(sql_root()))
        con.execute(f"create or replace temp table {TOUCHED_HOURS} as select distinct event_hour from events")
        for table in tables().values():
            touch_all(con, table)
            for names in table.needed:
                con.execute("begin")
                for name in names:
                    con.execute(f'create or replace temp table "{name}" as from "{name}" limit 0')
                assert con.execute(table.sql).fetchall() == [], f"{table.name} has rows without {sorted(names)}"
                con.execute("rollback")
            n_given_without += bool(table.needed and con.execute(f'select 1 from "{table.name}"').fetchall())
    assert n_given_without > 30, "most tables have rows in this world, else nothing was shown"


def test_an_empty_table_has_the_columns_of_its_select(filled: Path) -> None:
    """It is made of what its .yml says, or of what all hits are."""
    with open_warehouse(filled) as warehouse:
        con = warehouse.con
        con.execute(load_macros(sql_root()))
        con.execute(f"create or replace temp table {TOUCHED_HOURS} as select distinct event_hour from events")
        for table in sql_tables().values():
            touch_all(con, table)
            for name in (name for name in table.inputs if name.startswith(("hits_", "matches_"))):
                con.execute(f"create table if not exists {as_said(name)}")
            con.execute(f"create or replace temp table said_{as_said(table.name)}")
            said = con.execute(f"describe said_{table.name}").fetchall()
            found = con.execute(f"describe {table.sql}").fetchall()
            assert [row[:2] for row in said] == [row[:2] for row in found], table.name


def touch_all(con: duckdb.DuckDBPyConnection, table: SqlTable) -> None:
    """Every unit of a table that is made by key."""
    if table.by_key:
        con.execute(f"create or replace temp table {TOUCHED_IDS} as from ({table.by_key.units}) as units(id)")


def as_said(table: str) -> str:
    return f"{table}({', '.join(f'{column} {kind}' for column, kind in columns_of(table).items())})"


def broken(table: SqlTable) -> SqlTable:
    """The table with a SELECT that cannot be planned: whoever plans it sees an error."""
    of_rules = table.of_rules and replace(table.of_rules, select=lambda names: UNPLANNED)
    return replace(table, sql=UNPLANNED, of_rules=of_rules)


def test_a_table_without_rows_is_not_planned_and_one_with_rows_is(filled: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(filled, home)
    calls = tables()["tool_calls"]
    with open_warehouse(home) as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        with pytest.raises(RunError, match="no_such_column"):
            engine.build(broken(calls))
        warehouse.store_reference("stg_tool_calls", warehouse.con.table("stg_tool_calls").to_arrow_table().slice(0, 0))
        built = engine.build(broken(calls))
        assert (built.state, built.n_rows) == ("built", 0)
        assert warehouse.con.execute("select count(*) from tool_calls").fetchall() == [(0,)]


@pytest.mark.parametrize("few", [SMALL_EVENTS, 0], ids=["a small home", "a large home"])
def test_rules_over_a_log_are_not_planned_where_none_can_match(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """All rules over raw CloudTrail are one long SELECT, and most records are of nothing that a rule is about."""
    monkeypatch.setattr(duckdb_engine, "SMALL_EVENTS", few)
    home = tmp_path / "home"
    shutil.copytree(filled, home)
    table = broken(sql_tables()["hits_aws_cloudtrail"])
    with open_warehouse(home) as warehouse:
        assert warehouse.con.execute("select count(*) from events where log = 'aws_cloudtrail'").fetchall() != [(0,)]
        engine = DuckDBEngine(warehouse, {table.name: table})
        assert (engine.build(table).state, engine.build(table).state) == ("built", "fresh")
        engine.touch_readers("events", "select min(event_hour) as event_hour from events")
        assert engine.build(table).n_hours == 1, "its hours are done, and are not asked for again"
        assert engine.build(table).n_hours == 0
        with pytest.raises(RunError, match="no_such_column"):
            engine.build(replace(table, sql=table.sql + " ", **any_rule(table)))


def any_rule(table: SqlTable) -> dict[str, Any]:
    """That any rule may say something, for those who ask whether one does and for those who ask which."""
    assert table.of_rules is not None
    return {"probe": "select 1", "of_rules": replace(table.of_rules, candidates="select 'a_rule'")}


def test_over_few_events_rules_say_the_same_by_those_that_may_say_anything(filled: Path) -> None:
    """And what none of them may say is not planned at all."""
    n_rows = n_choices = 0
    with open_warehouse(filled) as warehouse:
        con = warehouse.con
        con.execute(load_macros(sql_root()))
        con.execute(f"create or replace temp table {TOUCHED_HOURS} as select distinct event_hour from events")
        for table in (table for table in sql_tables().values() if table.of_rules is not None):
            for name in (name for name in table.inputs if name.startswith("matches_")):
                con.execute(f"create or replace temp table {name} as {sql_tables()[name].sql}")
            names = frozenset(name for (name,) in con.execute(table.of_rules.candidates).fetchall() if name)
            said = con.execute(f"from ({table.sql}) order by all").fetchall()
            select = table.of_rules.select(names) if names else ""
            chosen = con.execute(f"from ({select}) order by all").fetchall() if select else []
            assert chosen == said, table.name
            n_rows, n_choices = n_rows + len(said), n_choices + bool(select and select != table.sql)
    assert n_rows > 20 and n_choices > 5, "rules match in this world, and seldom all of them, else nothing was shown"
