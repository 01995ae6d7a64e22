"""A table that is brought up to date by unit holds what it would hold if it were made whole."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from sql_cases import CASES, Row, assumed, empty_columns, fill, prepare, read_cases, tables, with_hour
from sql_world import random_events
from ultravires.build import duckdb_engine
from ultravires.build.by_key import DELTA, TOUCHED_IDS, parse_by_key, parse_only
from ultravires.build.duckdb_engine import DuckDBEngine, unit_of
from ultravires.build.sql_tables import SqlTable, load_macros
from ultravires.build.table_schemas import table_schemas
from ultravires.build.verify import stale_tables, verify
from ultravires.errors import ConfigError
from ultravires.registry import sql_root
from ultravires.settings import Settings
from ultravires.store.deduplicate import store_events
from ultravires.store.deltas import Deltas
from ultravires.store.queries import fetch_row
from ultravires.store.warehouse import open_warehouse

BY_KEY = {name: table for name, table in tables().items() if table.by_key}
FOLLOWING = {name: table for name, table in tables().items() if table.by_key or table.only}
"""And those that are made whole where something changed that they look at."""
MORE_SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(1, 30))]
N_CHANGES = 5
"""Of which the seed of `make test` takes two."""
N_UNITS = 4


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckDBEngine]:
    """One that goes by unit however many of them changed; in a small world that is most."""
    monkeypatch.setattr(duckdb_engine, "MOST_UNITS", 1_000)
    monkeypatch.setattr(duckdb_engine, "FEW_EVENTS", 0)
    with open_warehouse(tmp_path / "home") as warehouse:
        yield prepare(warehouse)


class World:
    """The rows of all cases of one table, of which some go and come."""

    def __init__(self, engine: DuckDBEngine, table: SqlTable, rng: random.Random) -> None:
        self.engine, self.table, self.rng = engine, table, rng
        self.inputs = sorted(table.inputs)
        engine.followed = frozenset(tables())
        for name, rows in rows_of_cases(table.name).items():
            columns = empty_columns()[name]
            fill(engine.con, f"all_{name}", columns, [with_hour(row, columns) for row in rows])

    def give(self, names: Sequence[str], share: float) -> None:
        """Put about so many of the rows into these inputs, as the builds before would have left them."""
        for name in names:
            n_rows = fetch_row(self.engine.con, f'select count(*) from "all_{name}"')
            assert n_rows is not None
            kept = [row for row in range(n_rows[0]) if name in assumed() or self.rng.random() < share]
            self._replace(name, kept)

    def _replace(self, name: str, kept: Sequence[int]) -> None:
        """One input, changed, with what is noted of a change."""
        con, warehouse, deltas = self.engine.con, self.engine.warehouse, self.engine.deltas
        since, schema = warehouse.version(name), table_schemas().get(name)
        once = ", ".join(f'"{column}"' for column in schema.key) if schema and schema.key else "all_rows"
        con.execute(
            f"create or replace temp table incoming as select distinct on ({once}) all_rows.* "
            f'from "all_{name}" as all_rows where list_contains({list(kept)}::bigint[], rowid) order by all'
        )
        if schema and schema.key and self.rng.random() < 0.5:
            self._shift_a_column([column.name for column in schema.columns if column.name not in schema.key], once)
        with warehouse.transaction():
            is_compared = since > 0 and deltas.compare(name, name, "incoming")
            con.execute(f'create or replace table "{name}" as from incoming')
            warehouse.record_build(name, code_hash="given", inputs={})
            if is_compared:
                deltas.note(name, since, warehouse.version(name))

    def _shift_a_column(self, columns: Sequence[str], order: str) -> None:
        """Give each incoming row what the next one says in one column: not only whole rows change."""
        column = self.rng.choice(columns) if columns else None
        if column is not None:
            shifted = f'lead("{column}", 1, "{column}") over (order by {order})'
            self.engine.con.execute(
                f'create or replace temp table incoming as select * replace ({shifted} as "{column}") from incoming'
            )

    def differences(self) -> list[object]:
        """Rows of the table that are not what its SELECT makes of all units, and rows that are missing."""
        self.engine.make_beside(self.table)
        stands = f'from "{self.table.name}"'
        extra = self.engine.con.execute(f"{stands} except all from beside").fetchall()
        missing = self.engine.con.execute(f"from beside except all {stands}").fetchall()
        return [*(("extra", row) for row in extra[:2]), *(("missing", row) for row in missing[:2])]


@pytest.mark.parametrize("seed", MORE_SEEDS)
@pytest.mark.parametrize("name", FOLLOWING)
def test_whatever_changed_the_table_is_as_if_made_whole(name: str, seed: int, engine: DuckDBEngine) -> None:
    """Some rows of some inputs go and come: the table, its fingerprint and what it hands on are those of a rebuild."""
    world = World(engine, FOLLOWING[name], random.Random(f"{name} {seed}"))
    world.give(world.inputs, 0.5)
    engine.build(world.table)
    for change in range(N_CHANGES if seed else 2):
        engine.con.execute(f'create or replace temp table stood as from "{name}"')
        since = engine.warehouse.version(name)
        changed = world.rng.sample(world.inputs, k=world.rng.randint(1, len(world.inputs)))
        world.give(changed, world.rng.choice((0.3, 0.6, 0.9)))
        built = engine.build(world.table)
        assert world.differences() == [], f"change {change}, of {changed}: {built}"
        state = engine.warehouse.state(name)
        assert state is not None
        assert (state.n_rows, state.fingerprint) == engine.warehouse.fingerprint(name), built
        assert handed_on(engine, name, since) == []


def handed_on(engine: DuckDBEngine, name: str, since: int) -> list[object]:
    """Rows by which what stood, less what went and with what came, is not what stands."""
    con, until = engine.con, engine.warehouse.version(name)
    if until == since:
        return con.execute(f'(from stood except from "{name}") union all (from "{name}" except from stood)').fetchall()
    assert engine.deltas.spans(name, since, until)
    came = f'select * exclude (is_new) from "{DELTA}{name}" where is_new'
    went = f'select * exclude (is_new) from "{DELTA}{name}" where not is_new'
    told = f"((from stood except {went}) union all {came})"
    return con.execute(f'({told} except from "{name}") union all (from "{name}" except {told})').fetchall()


@pytest.mark.parametrize("name", BY_KEY)
def test_one_unit_is_made_as_among_all(name: str, engine: DuckDBEngine) -> None:
    """What is asked for one unit alone is what it has in the whole table."""
    world, con = World(engine, BY_KEY[name], random.Random(name)), engine.con
    assert world.table.by_key is not None
    world.give(world.inputs, 1)
    engine.build(world.table)
    of_row = unit_of(world.table.by_key.column)
    units = [row[0] for row in con.execute(f'select distinct {of_row} from "{name}" order by 1').fetchall()]
    assert units, "the cases of a table give it rows"
    for unit in world.rng.sample(units, k=min(len(units), N_UNITS)):
        con.execute(f"create or replace temp table {TOUCHED_IDS} as select $unit as id", {"unit": unit})
        con.execute(f"create or replace temp table alone as {world.table.sql}")
        of_unit = f'from "{name}" where {of_row} = $unit'
        assert con.execute(f"({of_unit}) except all from alone", {"unit": unit}).fetchall() == []
        assert con.execute(f"from alone except all ({of_unit})", {"unit": unit}).fetchall() == []


@pytest.mark.parametrize("seed", MORE_SEEDS)
def test_a_world_that_comes_in_pieces_is_that_of_a_rebuild(seed: int, engine: DuckDBEngine) -> None:
    """Ids that collide, in any order, some of them twice: after each piece every table is what its SELECT gives."""
    rng, warehouse = random.Random(seed), engine.warehouse
    events = random_events(rng, rng.choice((40, 120, 200)))
    rows = rng.sample(range(events.num_rows), k=events.num_rows)
    cuts = sorted(rng.sample(range(1, len(rows)), k=2))
    for start, end in pairwise([0, *cuts, len(rows)]):
        again = rng.sample(rows[:start], k=min(start, 3))
        with warehouse.transaction():
            store_events(engine, Settings(), events.take([*rows[start:end], *again]))
        for table in tables().values():
            engine.build(table)
        assert [found for found in verify(engine, tables()) if not found.is_right] == []
    assert stale_tables(engine, tables()) == []


def test_where_what_changed_is_not_known_all_is_made_anew(engine: DuckDBEngine) -> None:
    """As after a run that was killed between a table and those that follow it."""
    world = World(engine, BY_KEY["int_windows"], random.Random(1))
    world.give(world.inputs, 0.5)
    engine.build(world.table)
    world.give(world.inputs, 0.9)
    engine.deltas.forget()
    assert engine.build(world.table).n_units == 0
    assert world.differences() == []


@pytest.mark.parametrize(("bound", "value"), [("MOST_UNITS", 0), ("FEW_EVENTS", 1)])
def test_of_many_units_or_few_events_the_table_is_made_whole(
    bound: str, value: int, engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_engine, bound, value)
    world = World(engine, BY_KEY["int_windows"], random.Random(1))
    world.give(world.inputs, 0.5)
    engine.build(world.table)
    world.give(world.inputs, 0.9)
    assert engine.build(world.table).n_units == 0
    assert world.differences() == []


def test_every_line_of_every_header_can_be_asked() -> None:
    """Also those that the cases of the table, and so the worlds above, give no row to."""
    con = duckdb.connect()
    con.execute(load_macros(sql_root()))
    for schema in table_schemas().values():
        con.execute(schema.create_sql())
    for name, table in tables().items():
        for each in {*(table.by_key.dirty if table.by_key else ()), *table.only}:
            con.execute(f'create or replace temp table "{DELTA}{each}" as select *, true as is_new from "{each}"')
        for lines in table.by_key.dirty.values() if table.by_key else ():
            for line in lines:
                assert con.execute(f"from ({line}) as found(id)").fetchall() == [], name
        if table.by_key and table.by_key.rows:
            con.execute(f"create or replace temp table {TOUCHED_IDS} as from ({table.by_key.units}) as units(id)")
            assert fetch_row(con, table.by_key.rows) == (0,), name
        for each, only in table.only.items():
            assert not Deltas(con).differs_in(each, only.columns, only.where), name


UNITS = "-- units: select id from t\n"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "has one -- units:"),
        (UNITS * 2, "has one -- units:"),
        (UNITS + "-- dirty: select id from t\n", "reads one delta_<input>"),
        (UNITS + "-- dirty: select id from delta_a join delta_b using (id)\n", "reads one delta_<input>"),
        (UNITS + "-- rows: select 1\n" * 2, "at most one -- down: and one -- rows:"),
        (UNITS + "-- only: t\n", "must be input(column, column)"),
        (UNITS + "-- only: t(*) where a\n", "must be input(column, column)"),
    ],
)
def test_a_header_that_cannot_be_followed_is_refused(header: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_only("some_table", header)
        parse_by_key("some_table", "id", header)
    assert str(refused.value).startswith("some_table.sql: ")
    assert says in str(refused.value)


def rows_of_cases(name: str) -> Mapping[str, Sequence[Row]]:
    """All rows that the cases of a table give, input by input; of the ones that are assumed where none gives any."""
    given: dict[str, list[Row]] = {table: [] for table in tables()[name].inputs}
    for case in read_cases(CASES / f"{name}.yml"):
        for table, rows in case.given.items():
            given[table].extend(row for row in rows if row not in given[table])
    return {table: rows or assumed().get(table, ()) for table, rows in given.items()}


@pytest.mark.parametrize("name", ["entitlements", "int_grants", "int_holdings"])
def test_made_in_parts_of_its_units_it_is_what_it_is_made_at_once(
    name: str, engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large input goes through the query part by part, and no row is lost or made twice."""
    table = tables()[name]
    World(engine, table, random.Random(1)).give(sorted(table.inputs), 1.0)
    engine.build(table)
    monkeypatch.setattr(duckdb_engine, "ROWS_AT_ONCE", 2)
    engine.make_beside(table)
    differing = fetch_row(
        engine.con,
        f'select count(*) from ((from "{name}" except all from beside) '
        f'union all (from beside except all from "{name}"))',
    )
    n_rows = fetch_row(engine.con, f'select count(*) from "{name}"')
    assert n_rows is not None
    assert n_rows[0] > 2
    assert differing == (0,)


def test_rows_are_counted_before_they_are_made(engine: DuckDBEngine) -> None:
    """A group of 30 with 40 policies is 70 edges and 1,270 ways; of one member it is those of that one."""
    members = [{"relation": "member", "holder_uid": f"u{i}", "held_uid": "all"} for i in range(30)]
    policies = [{"relation": "attached", "holder_uid": "all", "held_uid": f"p{i}"} for i in range(40)]
    fill(engine.con, "int_grants", empty_columns()["int_grants"], [*members, *policies])
    rows = tables()["int_holdings"].by_key
    assert rows is not None
    for units, n_rows in ((rows.units, 30 * 41 + 40), ("select 'u1'", 41), ("select 'nobody'", 0)):
        engine.con.execute(f"create or replace temp table {TOUCHED_IDS} as from ({units}) as units(id)")
        assert fetch_row(engine.con, rows.rows) == (n_rows,)
