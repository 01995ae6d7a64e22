"""What every table holds: one .yml a table, beside its .sql or, where no SQL makes it, in the folder of what does.

sql/loaded holds what the loader writes, sql/reference what the configuration and packaged data say, sql/runs what a run
writes of itself and of what it found. The page of tables, the unique-key checks, Dagster's column schemas, the
published list, the relations of rules and the tables of an empty home all come from here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import pyarrow as pa

from ultravires.errors import ConfigError
from ultravires.registry import sql_root
from ultravires.schema import ARROW_TYPES, EVENTS, duckdb_type

LOADED, REFERENCE, RUNS = "loaded", "reference", "runs"
_NOT_NULL = " not null"
_HEADER = re.compile(r"^-- (grain|build|why): (.+)$", re.MULTILINE)


class RuleColumns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a row becomes a hit of a rule, where the defaults of `ultravires_models.relation` do not fit.

    `row_kind` is a word; the others are SQL over the columns of the row.
    """

    time: str | None = None
    hour: str | None = None
    row_kind: str | None = None
    row_uid: str | None = None
    identity: str | None = None
    actor: str | None = None
    chain: str | None = None
    gaps: str | None = None
    evidence: str | None = None
    acts: str | None = None
    where: str | None = None


class _Column(msgspec.Struct, forbid_unknown_fields=True):
    meaning: str
    type: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    columns: dict[str, _Column]
    grain: str | None = None
    why: str | None = None
    published: bool = False
    key: tuple[str, ...] = ()
    then_columns_of: str | None = None
    rules: RuleColumns = RuleColumns()


@dataclass(frozen=True)
class Column:
    """`type` is DuckDB's, in lower case; `meaning` one sentence."""

    name: str
    type: str
    meaning: str
    is_required: bool = False


@dataclass(frozen=True)
class TableSchema:
    """One table: `layer` is its folder, `key` the columns that are unique together (none where rows may repeat)."""

    name: str
    layer: str
    grain: str
    why: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    is_published: bool
    is_by_hour: bool
    rules: RuleColumns

    def types(self) -> dict[str, str]:
        """Column -> DuckDB type, in the table's order."""
        return {column.name: column.type for column in self.columns}

    def arrow(self) -> pa.Schema:
        """The same for Arrow."""
        return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in self.columns])

    def create_sql(self) -> str:
        """The statement that makes the empty table, where it does not stand yet."""
        columns = (f"{c.name} {c.type}{_NOT_NULL if c.is_required else ''}" for c in self.columns)
        return f"create table if not exists {self.name}({', '.join(columns)})"


@cache
def table_schemas() -> Mapping[str, TableSchema]:
    """Every table's schema by name, those that came with the product."""
    return load_schemas(sql_root())


def names_in(layer: str) -> tuple[str, ...]:
    """Names of the tables of one folder."""
    return tuple(name for name, schema in table_schemas().items() if schema.layer == layer)


def load_schemas(root: Path) -> dict[str, TableSchema]:
    """The schema of every .yml in the folders of `root`; ConfigError, one line, names the file and what is wrong."""
    files: dict[str, tuple[Path, _File]] = {}
    for path in sorted(root.glob("*/*.yml")):
        if path.stem in files:
            raise ConfigError(f"{path}: another folder describes {path.stem} already; a table has one .yml")
        files[path.stem] = path, _read(path)
    return {name: _schema(path, file, files) for name, (path, file) in files.items()}


def read_header(text: str) -> dict[str, str]:
    """What the first comments of a .sql say: grain, build and why."""
    return dict(_HEADER.findall(text))


def _read(path: Path) -> _File:
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error


def _schema(path: Path, file: _File, files: Mapping[str, tuple[Path, _File]]) -> TableSchema:
    said = {"grain": file.grain, "why": file.why}
    sql = path.with_suffix(".sql")
    if sql.exists():
        twice = [word for word, text in said.items() if text is not None]
        if twice:
            raise ConfigError(f"{path}: {twice[0]} stands in the header of {sql.name}; take it out here")
        said.update(read_header(sql.read_text(encoding="utf-8")))
    missing = [word for word, text in said.items() if not text]
    if missing:
        raise ConfigError(f"{path}: {missing[0]} is missing")
    columns = _columns(path, file, files)
    unknown = sorted(set(file.key) - {column.name for column in columns})
    if unknown:
        raise ConfigError(f"{path}: key names {unknown[0]}, which is no column")
    return TableSchema(
        name=path.stem,
        layer=path.parent.name,
        grain=str(said["grain"]),
        why=str(said["why"]),
        key=file.key,
        columns=columns,
        is_published=file.published,
        is_by_hour=said.get("build") == "by_hour" or path.stem == "events",
        rules=file.rules,
    )


def _columns(path: Path, file: _File, files: Mapping[str, tuple[Path, _File]]) -> tuple[Column, ...]:
    own = tuple(_column(path, name, column) for name, column in file.columns.items())
    if file.then_columns_of is None:
        return own
    if file.then_columns_of not in files:
        raise ConfigError(f"{path}: then_columns_of names {file.then_columns_of}, which no .yml describes")
    return (*own, *_columns(*files[file.then_columns_of], files))


def _column(path: Path, name: str, column: _Column) -> Column:
    kind = column.type
    if path.stem == "events":
        if kind is not None or name not in EVENTS.names:
            raise ConfigError(
                f"{path}: {name}: names and types of events stand in ultravires/schema.py; give its meaning"
            )
        kind = duckdb_type(EVENTS.field(name).type)
    if kind is None:
        raise ConfigError(f"{path}: {name}: type is missing")
    if not column.meaning.endswith("."):
        raise ConfigError(f"{path}: {name}: meaning is no sentence; end it with a full stop")
    return Column(name, kind.removesuffix(_NOT_NULL), column.meaning, kind.endswith(_NOT_NULL))
