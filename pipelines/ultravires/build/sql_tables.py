"""The SQL files: one SELECT each, with a header that says grain, build mode and why.

-- grain: one row per approval
-- build: full            (or by_hour: the file reads only the hours in `touched_hours`; or by_key: `build/by_key.py`)
-- why: ...
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

from ultravires.build.by_key import TOUCHED_IDS, ByKey, Only, parse_by_key, parse_only
from ultravires.build.needed_rows import NOTHING, Needed
from ultravires.build.select_reads import reads_of
from ultravires.build.table_schemas import read_header
from ultravires.errors import ConfigError

TOUCHED_HOURS = "touched_hours"
Mode = Literal["full", "by_hour", "by_key"]
MODES: Mapping[str, Mode] = {"full": "full", "by_hour": "by_hour", "by_key": "by_key"}
LAYERS = ("staging", "linking", "chains", "entitlements", "marts", "findings")
"""Folders of SQL files, in the order of reading: a table reads tables of its own layer and of those before it."""


@dataclass(frozen=True)
class OfRules:
    """How a table of rules is made where only some of them may say anything: with these alone."""

    candidates: str
    """A query of the names of those that may, and of nulls."""
    select: Callable[[frozenset[str]], str]
    """What gives the rows of `sql` where none but these say anything; empty where these say nothing by themselves."""


@dataclass(frozen=True)
class SqlTable:
    name: str
    layer: str
    mode: Mode
    grain: str
    why: str
    sql: str
    inputs: frozenset[str]
    macros: str = ""
    """The macros that the SELECT may use, as the statements that create them."""
    needed: Needed = NOTHING
    """Tables without whose rows it has none."""
    probe: str = ""
    """A query that gives a row where it may have any; none where only `needed` tells."""
    of_rules: OfRules | None = None
    by_key: ByKey | None = None
    """How it is brought up to date by unit, of a table that is."""
    only: Mapping[str, Only] = field(default_factory=dict)
    """Input -> what of it is looked at, where the header says so."""

    @cached_property
    def code_hash(self) -> str:
        return hashlib.sha256(f"{self.mode}\n{self.macros}\n{self.sql}".encode()).hexdigest()


def load_tables(root: Path) -> dict[str, SqlTable]:
    """Every .sql file under `root` by name; ConfigError names the file and what is wrong with it."""
    tables: dict[str, SqlTable] = {}
    macros = load_macros(root)
    for layer in LAYERS:
        for path in sorted((root / layer).glob("*.sql")):
            if path.stem in tables:
                raise ConfigError(f"{path.name} stands in two layers; a table has one file")
            tables[path.stem] = parse_table(path.stem, layer, path.read_text(encoding="utf-8"), macros)
    return tables


def load_macros(root: Path) -> str:
    """The statements that create what several files use; to be executed once in every session that builds tables."""
    return (root / "macros.sql").read_text(encoding="utf-8")


def parse_table(name: str, layer: str, text: str, macros: str = "") -> SqlTable:
    header = read_header(text)
    missing = [key for key in ("grain", "build", "why") if key not in header]
    if missing:
        raise ConfigError(f"{name}.sql: the header lacks {', '.join('-- ' + key + ':' for key in missing)}")
    mode, _, column = header["build"].partition(" ")
    if mode not in MODES or bool(column) != (mode == "by_key"):
        raise ConfigError(f"{name}.sql: -- build: is '{header['build']}'; it must be full, by_hour or by_key <column>")
    inputs, needed = reads_of(name, text, macros)
    for relation, reader in ((TOUCHED_HOURS, "by_hour"), (TOUCHED_IDS, "by_key")):
        if (mode == reader) != (relation in inputs):
            raise ConfigError(f"{name}.sql: a {reader} table, and only that, reads {relation}")
    inputs -= {TOUCHED_HOURS, TOUCHED_IDS}
    by_key = parse_by_key(name, column, text) if mode == "by_key" else None
    only = parse_only(name, text) if mode != "by_hour" else {}
    strangers = sorted({*(by_key.dirty if by_key else ()), *only} - inputs)
    if strangers:
        raise ConfigError(f"{name}.sql: the header names {strangers[0]}, which the SELECT does not read")
    return SqlTable(
        name=name,
        layer=layer,
        mode=MODES[mode],
        grain=header["grain"],
        why=header["why"],
        sql=text.rstrip().rstrip(";"),
        inputs=inputs,
        macros=macros,
        needed=frozenset(names for names in needed if not names & {TOUCHED_HOURS, TOUCHED_IDS}),
        by_key=by_key,
        only=only,
    )


def in_build_order(reads: Mapping[str, Iterable[str]]) -> list[str]:
    """Names of tables so that each comes after those that it reads, the same in every process; what is not among them
    is left out.
    """
    graph = {name: [each for each in sorted(inputs) if each in reads] for name, inputs in sorted(reads.items())}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ConfigError(f"the SQL files depend on each other in a circle: {' -> '.join(error.args[1])}") from error
