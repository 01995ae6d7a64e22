"""A table that is brought up to date by unit holds what it would hold if it were made whole, whatever changed before it."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from sql_cases import CASES, Row, assumed, empty_columns, fill, prepare, read_cases, tables, with_hour
from ultravires.build import duckdb_engine
from ultravires.build.by_key import DELTA
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.sql_tables import SqlTable
from ultravires.store.warehouse import open_warehouse

BY_KEY = {name: table for name, table in tables().items() if table.by_key}
SEEDS = range(3)
N_CHANGES = 6


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckDBEngine]:
    """One that goes by unit however many of them changed; in a small world that is most."""
    monkeypatch.setattr(duckdb_engine, "MOST_UNITS", 1_000)
    with open_warehouse(tmp_path / "home") as warehouse:
        yield prepare(warehouse)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", BY_KEY)
def test_whatever_changed_the_table_is_as_if_made_whole(name: str, seed: int, engine: DuckDBEngine) -> None:
    """The rows of all cases of a table are its world; some of them go and come, in some of its inputs at once."""
    rng, table, world = random.Random(f"{name} {seed}"), BY_KEY[name], rows_of_cases(name)
    give(engine, table, world, rng, share=0.5, names=sorted(table.inputs))
    engine.build(table)
    for change in range(N_CHANGES):
        changed = rng.sample(sorted(table.inputs), k=rng.randint(1, len(table.inputs)))
        give(engine, table, world, rng, share=rng.choice((0.3, 0.6, 0.9)), names=changed)
        built = engine.build(table)
        assert differences(engine, table) == [], f"change {change}, of {changed}: {built}"
        state = engine.warehouse.state(name)
        assert state is not None
        assert (state.n_rows, state.fingerprint) == engine.warehouse.fingerprint(name), built


@pytest.mark.parametrize("name", BY_KEY)
def test_each_change_is_handed_on(name: str, engine: DuckDBEngine) -> None:
    """What went and what came, added to what stood, is what stands."""
    rng, table, world, con = random.Random(name), BY_KEY[name], rows_of_cases(name), engine.con
    engine.followed = frozenset(tables())
    give(engine, table, world, rng, share=0.5, names=sorted(table.inputs))
    engine.build(table)
    for _ in range(N_CHANGES):
        con.execute(f'create or replace temp table stood as from "{name}"')
        since = engine.warehouse.version(name)
        give(engine, table, world, rng, share=0.7, names=rng.sample(sorted(table.inputs), k=1))
        engine.build(table)
        if engine.warehouse.version(name) == since:
            assert con.execute(f'(from stood except all from "{name}") union all (from "{name}" except all from stood)').fetchall() == []
            continue
        assert engine.deltas.spans(name, since, engine.warehouse.version(name))
        added = (
            f"select * from stood union all select * exclude (is_new) from \"{DELTA}{name}\" where is_new "
        )
        removed = f'select * exclude (is_new) from "{DELTA}{name}" where not is_new'
        assert con.execute(f'(({added}) except all ({removed})) except all from "{name}"').fetchall() == []
        assert con.execute(f'from "{name}" except all (({added}) except all ({removed}))').fetchall() == []


@pytest.mark.parametrize("name", BY_KEY)
def test_one_unit_is_made_as_among_all(name: str, engine: DuckDBEngine) -> None:
    """What is asked for one unit alone is what it has in the whole table."""
    table, world, con = BY_KEY[name], rows_of_cases(name), engine.con
    assert table.by_key is not None
    give(engine, table, world, random.Random(name), share=1, names=sorted(table.inputs))
    engine.build(table)
    column = table.by_key.column
    units = [row[0] for row in con.execute(f'select distinct "{column}" from "{name}" order by 1').fetchall()]
    assert units, "the cases of a table give it rows"
    for unit in units:
        con.execute("create or replace temp table touched_ids as select ?::varchar as id", [unit])
        con.execute(f"create or replace temp table alone as {table.sql}")
        of_unit = f'select * from "{name}" where "{column}" = ?'
        assert con.execute(f"({of_unit}) except all from alone", [unit]).fetchall() == []
        assert con.execute(f"from alone except all ({of_unit})", [unit]).fetchall() == []


def rows_of_cases(name: str) -> Mapping[str, Sequence[Row]]:
    """All rows that the cases of a table give, input by input; of the ones that are assumed where none gives any."""
    cases = read_cases(CASES / f"{name}.yml")
    given: dict[str, list[Row]] = {}
    for case in cases:
        for table, rows in case.given.items():
            given.setdefault(table, []).extend(row for row in rows if row not in given.get(table, []))
    return {**assumed(), **given}


def give(
    engine: DuckDBEngine,
    table: SqlTable,
    world: Mapping[str, Sequence[Row]],
    rng: random.Random,
    *,
    share: float,
    names: Sequence[str],
) -> None:
    """Put about so many of the rows into these inputs, as the builds before would have left them."""
    for name in names:
        columns, rows = empty_columns()[name], world.get(name, ())
        some = [with_hour(row, columns) for row in rows if name in assumed() or rng.random() < share]
        replace(engine, name, columns, some)


def replace(engine: DuckDBEngine, name: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
    """One input, changed, with what is noted of a change."""
    con, warehouse = engine.con, engine.warehouse
    since, key = warehouse.version(name), keys().get(name, ())
    con.execute("drop table if exists incoming")
    fill(con, "incoming", columns, rows)
    if key:
        listed = ", ".join(f'"{column}"' for column in key)
        con.execute(f"create or replace table incoming as select distinct on ({listed}) * from incoming order by all")
    with warehouse.transaction():
        is_compared = since > 0 and engine.deltas.compare(name, name, "incoming")
        con.execute(f'create or replace table "{name}" as from incoming')
        warehouse.record_build(name, code_hash="given", inputs={})
        if is_compared:
            engine.deltas.note(name, since, warehouse.version(name))


def keys() -> Mapping[str, Sequence[str]]:
    from ultravires.build.table_schemas import table_schemas

    return {name: schema.key for name, schema in table_schemas().items()}


def differences(engine: DuckDBEngine, table: SqlTable) -> list[object]:
    """Rows of the table that are not what its SELECT makes of all units, and rows that are missing."""
    assert table.by_key is not None
    con = engine.con
    con.execute(f"create or replace temp table touched_ids as select distinct id from ({table.by_key.units}) as units(id) where id is not null")
    con.execute(f"create or replace temp table whole as {table.sql}")
    extra = con.execute(f'from "{table.name}" except all from whole').fetchall()
    missing = con.execute(f'from whole except all from "{table.name}"').fetchall()
    return [*(("extra", row) for row in extra[:2]), *(("missing", row) for row in missing[:2])]
