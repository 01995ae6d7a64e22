"""The .yml of every table: it says what the table is, and a wrong one is one line."""

import shutil
from pathlib import Path

import duckdb
import pytest
from ultravires import registry
from ultravires.build.pipeline import published_names, sql_tables
from ultravires.build.reference import reference_tables
from ultravires.build.sql_tables import LAYERS, load_tables
from ultravires.build.table_schemas import REFERENCE, load_schemas, names_in, table_schemas
from ultravires.errors import ConfigError
from ultravires.schema import EVENTS
from ultravires.settings import Settings
from ultravires.store.warehouse import open_warehouse

RIGHT = """
grain: one row per thing
why: things are told apart
key: [thing_id]
columns:
  thing_id: {type: varchar, meaning: The thing.}
"""


def built_columns(home: Path) -> dict[str, dict[str, str]]:
    """Table -> column -> type, as they stand in the warehouse of a home."""
    with open_warehouse(home) as warehouse:
        return {name: described(warehouse.con, name) for name in table_schemas()}


def described(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    rows = con.execute(f'describe "{table}"').fetchall()
    return {row[0]: row[1].lower().replace("timestamp with time zone", "timestamptz").replace('"', "") for row in rows}


@pytest.fixture(scope="module")
def columns(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Of a copy of the warehouse: the home of the session is for reading only."""
    copy = tmp_path_factory.mktemp("columns") / "home"
    shutil.copytree(sample_home, copy)
    return built_columns(copy)


@pytest.mark.parametrize("table", table_schemas())
def test_a_table_has_exactly_the_columns_that_its_schema_says(table: str, columns: dict[str, dict[str, str]]) -> None:
    """Names, order and types, of what a run over the samples built."""
    assert list(columns[table].items()) == list(table_schemas()[table].types().items())


def test_every_table_of_sql_lies_beside_its_schema() -> None:
    """One .yml beside each .sql, in the same folder."""
    layers = {name: table.layer for name, table in load_tables(registry.sql_root()).items()}
    assert {name: table_schemas()[name].layer for name in layers} == layers


def test_every_reference_table_is_written() -> None:
    """What is described as configuration is made of the configuration."""
    assert set(reference_tables(Settings(), [])) == set(names_in(REFERENCE))


def test_the_events_are_those_of_the_sources() -> None:
    """The meaning stands in the .yml, names and types in schema.py: neither has a column that the other lacks."""
    assert list(table_schemas()["events"].types()) == EVENTS.names


def test_every_meaning_is_one_sentence() -> None:
    """A reader understands a column without the rest of the page."""
    columns = [(name, column) for name, table in table_schemas().items() for column in table.columns]
    assert [f"{name}.{c.name}" for name, c in columns if ". " in c.meaning or len(c.meaning.split()) < 2] == []


def test_what_readers_get_is_said_in_the_schemas() -> None:
    """Every table of a layer that is no part of another, and what the loader and a run write for readers."""
    parts = ("stg_", "int_")
    whole = {name for name, table in sql_tables().items() if table.layer in LAYERS and not name.startswith(parts)}
    assert whole <= set(published_names())
    assert {"findings", "alerts", "files", "quarantine", "runs"} <= set(published_names())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("grain: one row per thing\n", ""), "grain is missing"),
        (("why:", "reason:"), "unknown field `reason`"),
        (("key: [thing_id]", "key: [other]"), "key names other, which is no column"),
        (("type: varchar, ", ""), "thing_id: type is missing"),
        (("meaning: The thing.", "meaning: The thing"), "thing_id: meaning is no sentence"),
        (("meaning: The thing.", "means: x"), "unknown field `means`"),
        (("columns:", "columns: ["), "thing.yml"),
        (("key:", "then_columns_of: nothing\nkey:"), "then_columns_of names nothing"),
        (("key:", "rules: {at: x}\nkey:"), "unknown field `at`"),
        (("key:", "published: perhaps\nkey:"), "published"),
    ],
)
def test_a_wrong_schema_is_one_line_that_names_the_file(tmp_path: Path, changed: tuple[str, str], words: str) -> None:
    """Whoever writes one finds the place at once."""
    (tmp_path / "loaded").mkdir()
    (tmp_path / "loaded" / "thing.yml").write_text(RIGHT.replace(*changed), encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as raised:
        load_schemas(tmp_path)
    assert "thing.yml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_grain_is_said_once(tmp_path: Path) -> None:
    """It stands in the header of the .sql, which may not be contradicted beside it."""
    (tmp_path / "marts").mkdir()
    (tmp_path / "marts" / "thing.yml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "marts" / "thing.sql").write_text("-- grain: one row per thing\nselect 1 as thing_id", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"thing\.yml: grain stands in the header of thing\.sql"):
        load_schemas(tmp_path)


def test_a_table_is_described_in_one_place(tmp_path: Path) -> None:
    """Two folders with one name are refused."""
    for layer in ("loaded", "runs"):
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "thing.yml").write_text(RIGHT, encoding="utf-8")
    with pytest.raises(ConfigError, match="another folder describes thing already"):
        load_schemas(tmp_path)
