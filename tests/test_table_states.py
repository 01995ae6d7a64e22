"""What a run knows of its tables is what stands in the warehouse, whatever became of the transaction that said so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.sql_tables import parse_table
from ultravires.errors import RunError
from ultravires.store.table_states import read_states, rows_digest
from ultravires.store.warehouse import Warehouse, open_warehouse

HEADER = "-- grain: one row per thing\n-- build: full\n-- why: it is counted\n"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "home") as opened:
        yield opened


def assert_known_is_standing(warehouse: Warehouse) -> None:
    assert warehouse._known_states() == read_states(warehouse.con)


def things(*names: str) -> pa.Table:
    return pa.table({"thing": pa.array(names, pa.string())})


def test_what_is_known_is_what_stands(warehouse: Warehouse) -> None:
    engine = DuckDBEngine(warehouse, {})
    warehouse.store_reference("things", things("a", "b"))
    table = parse_table("counted", "marts", HEADER + "select thing, count(*) as n from things group by thing")
    assert [engine.build(table).state for _ in range(2)] == ["built", "fresh"]
    warehouse.bump_version("files")
    assert_known_is_standing(warehouse)
    warehouse.store_reference("things", things("a"))
    assert (engine.build(table).state, warehouse.version("counted")) == ("built", 2)
    assert_known_is_standing(warehouse)


def test_what_was_rolled_back_is_not_known(warehouse: Warehouse) -> None:
    warehouse.store_reference("things", things("a"))
    with pytest.raises(ValueError, match="killed"), warehouse.transaction():
        warehouse.bump_version("things")
        raise ValueError("killed")
    assert warehouse.version("things") == 1
    assert_known_is_standing(warehouse)
    with pytest.raises(ValueError, match="killed"), warehouse.storing_references({"things": things("b")}) as changed:
        assert changed == {"things"}
        raise ValueError("killed")
    assert warehouse.con.execute("from things").fetchall() == [("a",)]
    assert_known_is_standing(warehouse)
    assert warehouse.store_reference("things", things("b"))


def test_the_same_rows_are_not_written_again(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether something is written shows in the fingerprint that is then taken."""
    taken: list[str] = []
    fingerprint = Warehouse.fingerprint

    def noting(self: Warehouse, table: str) -> tuple[int, str]:
        taken.append(table)
        return fingerprint(self, table)

    monkeypatch.setattr(Warehouse, "fingerprint", noting)
    assert [warehouse.store_reference("things", things("a", "b")) for _ in range(2)] == [True, False]
    assert taken == ["things"]
    assert not warehouse.store_reference("things", things("b", "a")), "the same rows in another order are no change"
    assert taken == ["things", "things"]
    assert warehouse.version("things") == 1
    warehouse.bump_version("things")
    warehouse.store_reference("things", things("b", "a"))
    assert taken == ["things"] * 3, "what was changed by others is written again"


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"thing": ["a", "c"]}),
        pa.table({"name": ["a", "b"]}),
        pa.table({"thing": ["a"]}),
        pa.table({"thing": pa.array(["a", "b"], pa.large_string())}),
        pa.table({"thing": pa.array(["a", None])}),
    ],
)
def test_other_rows_have_another_digest(other: Any) -> None:
    assert rows_digest(other) != rows_digest(things("a", "b")) == rows_digest(things("a", "b"))


def test_a_table_is_built_anew_when_its_code_changes(warehouse: Warehouse) -> None:
    engine = DuckDBEngine(warehouse, {})
    warehouse.store_reference("things", things("a"))
    assert engine.build(parse_table("counted", "marts", HEADER + "select thing from things")).state == "built"
    other = parse_table("counted", "marts", HEADER + "select thing || thing as thing from things")
    assert engine.build(other).state == "built"
    assert warehouse.con.execute("from counted").fetchall() == [("aa",)]


def test_a_broken_statement_leaves_the_table_and_what_is_known(warehouse: Warehouse) -> None:
    warehouse.store_reference("things", things("a"))
    with pytest.raises(duckdb.Error), warehouse.transaction() as con:
        warehouse.bump_version("things")
        con.execute("select no_such_column from things")
    assert_known_is_standing(warehouse)


def counted_things(engine: DuckDBEngine, name: str = "counted", thing: str = "thing") -> str:
    """What became of a table of each thing, and how often it stands there."""
    select = f"select {thing}, count(*) as n from things group by all"
    return engine.build(parse_table(name, "marts", HEADER + select)).state


def test_transactions_together_are_one(warehouse: Warehouse) -> None:
    """Each sees what those before it made, and all of it stands at the end."""
    engine = DuckDBEngine(warehouse, {})
    with warehouse.together():
        warehouse.store_reference("things", things("a", "b"))
        assert [counted_things(engine) for _ in range(2)] == ["built", "fresh"]
        warehouse.store_reference("things", things("a", "b", "b"))
        assert counted_things(engine) == "built"
        assert read_states(warehouse.con) == {}, "it is written once, at the end"
    assert_known_is_standing(warehouse)
    assert warehouse.versions(["things", "counted"]) == {"things": 2, "counted": 2}
    assert warehouse.con.execute("from counted order by all").fetchall() == [("a", 1), ("b", 2)]


def test_an_error_undoes_all_that_is_together(warehouse: Warehouse) -> None:
    """The one that comes while rows are made, which ends the transaction, too; what comes then is by itself."""
    engine = DuckDBEngine(warehouse, {})
    warehouse.store_reference("things", things("a"))
    with pytest.raises(RunError, match="Could not convert"), warehouse.together():
        assert counted_things(engine) == "built"
        counted_things(engine, "broken", "thing::integer")
    assert warehouse.state("counted") is None
    assert_known_is_standing(warehouse)
    assert counted_things(engine) == "built"
    with pytest.raises(RunError, match="Could not convert"):
        counted_things(engine, "broken", "thing::integer")
    assert warehouse.con.execute("from counted").fetchall() == [("a", 1)]
    assert_known_is_standing(warehouse)
