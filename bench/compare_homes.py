"""Whether two versions make the same of the same logs: homes built by one and by the other, compared row by row.

`python bench/compare_homes.py build --python PYTHON --inputs-root ROOT --shared SHARED --out DIR [--only NAME ...]`
`python bench/compare_homes.py compare --before DIR --after DIR [--ignore TABLE[.COLUMN] ...] [--json]`

`build` runs `PYTHON -m ultravires run` over each input and leaves one home each in DIR. The inputs are the samples (at
once and in parts) and the investigation of ROOT/data, each sample of a source in ROOT/data/sources, and the third-party
data in SHARED: as it lies there, and with the records taken out of what they are wrapped in. Both versions must be
given the same ROOT and SHARED, because a file's id is a hash of its path, size and modification time.

`compare` reads what the homes published. Nothing of Ultravires is imported here, so that homes of any version can be
read, and any Python that has DuckDB runs it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from compared_inputs import UNPACKED, Input, Json, inputs

HASH_KEY = b"the same key for every home here"
"""Arguments and records are hashed with a key that each home makes for itself, unless it finds one in `hash.key`."""
AS_OF = datetime(2026, 10, 15, 12, tzinfo=UTC)
"""As of when the last run over an input judges, a few hours after the newest event of data/samples; the run before it
judges as of a day earlier, and so on."""
NOT_COMPARED = {
    "runs": "one row for each run: its id, its start and its end",
    "lateness": "measured against the time at which this machine read the records",
}
"""Table -> why it differs between two runs of one version."""
OF_ONE_RUN = {
    "events": ("ingested_at",),  # the time of this machine
    "files": ("loaded_at",),  # likewise
    "alerts": ("run_id", "created_at", "sent_at"),  # ids are random, the rest is the time of this machine
    "chain_aliases": ("run_id",),
    "tombstones": ("pruned_at", "settled_at", "software"),  # the time of this machine, and the version
}
"""Table -> columns that differ between two runs of one version, or tell the version itself."""
RENAMED = {("quarantine", "source"): "log"}
"""(table, column as older versions called it) -> the name of now. Where a home has both, nothing is renamed."""
REWRITTEN = {
    # The product's version. All times in an alert come from events and from AS_OF.
    ("alerts", "body"): """json_merge_patch(body, '{"metadata": {"product": {"version": null}}}')::varchar"""
}
"""(table, column) -> the SQL by which it is compared."""

SHOWN_ROWS = 3
SHOWN_CHARACTERS = 160


@dataclass
class TableDifference:
    """One table of one home. `n_only_before` and `n_only_after` count rows that the other side lacks, as a multiset.

    `n_by_column` counts how many of those rows have a value in that column that the other side's rows lack.
    """

    home: str
    table: str
    only_on: str = ""
    """`before` or `after`, where one side alone has the table."""
    n_before: int = 0
    n_after: int = 0
    n_only_before: int = 0
    n_only_after: int = 0
    columns_only_before: list[str] = field(default_factory=list)
    columns_only_after: list[str] = field(default_factory=list)
    types: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Column -> its types before and after, where they differ; the values are then compared as text."""
    n_by_column: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        return not (
            self.only_on
            or self.n_only_before
            or self.n_only_after
            or self.columns_only_before
            or self.columns_only_after
            or self.types
        )


# Building


def build(python: Path, found: Iterable[Input], out: Path) -> bool:
    """A home of each input in `out`, with what the run said in NAME.log beside it; whether every run succeeded."""
    out.mkdir(parents=True, exist_ok=True)
    is_whole = True
    for one in found:
        started = time.monotonic()
        problem = build_home(python, one, out / one.name)
        _say(f"{one.name}: {problem or 'built in'} {time.monotonic() - started:.1f} s")
        is_whole = is_whole and not problem
    return is_whole


def build_home(python: Path, one: Input, home: Path) -> str:
    """Run PYTHON over one input into a home that must not exist yet; returns what went wrong, or nothing."""
    if home.exists():
        return "NOT BUILT, there is a home already; choose another --out:"
    home.mkdir(mode=0o700)
    (home / "hash.key").write_bytes(HASH_KEY)
    log = home.with_name(f"{home.name}.log")
    for n_later, folder in reversed(list(enumerate(reversed(one.folders)))):
        as_of = (AS_OF - timedelta(days=n_later)).isoformat()
        command = ["run", "--input", str(folder), "--home", str(home), "--as-of", as_of, "--json"]
        command += ["--config", str(one.config)] if one.config else []
        if code := _run([str(python), "-m", "ultravires", *command], log):
            return f"FAILED with exit code {code}, see {log}:"
    return ""


def _run(command: Sequence[str], log: Path) -> int:
    """Run a command, append what it says to `log`, and return its exit code."""
    with log.open("a", encoding="utf-8") as said:
        # Started where no ultravires.yaml and no module lies that could be taken for its own.
        return subprocess.run(  # noqa: S603 - no shell, our own words
            command, cwd=log.parent, env=_environment(), stdout=said, stderr=subprocess.STDOUT, check=False
        ).returncode


def _environment() -> dict[str, str]:
    """This process's own, without what would make another Ultravires, or other hashes, of it."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ULTRAVIRES_HASH_KEY")}


# Comparing


def homes(folder: Path) -> set[str]:
    """Names of the homes in a folder that have published something."""
    return {path.parents[1].name for path in folder.glob("*/published/CURRENT")}


def compare(before: Path, after: Path, ignored: frozenset[str]) -> Iterator[TableDifference]:
    """Every table of every home that both folders hold, equal or not; `ignored` are `table` or `table.column`."""
    for name in sorted(homes(before) & homes(after)):
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            old = open_tables(con, before / name, "before")
            new = open_tables(con, after / name, "after")
            for table in sorted((old | new) - NOT_COMPARED.keys() - ignored):
                if table in old and table in new:
                    yield compare_table(con, name, table, ignored)
                else:
                    yield TableDifference(name, table, only_on="before" if table in old else "after")


def open_tables(con: duckdb.DuckDBPyConnection, home: Path, schema: str) -> set[str]:
    """Make a view of each published table of `home` in a schema of `con`; returns the tables' names."""
    folder = home / "published"
    tables = json.loads((folder / "CURRENT").read_text(encoding="utf-8"))["tables"]
    con.execute(f"create schema {schema}")
    for table, entry in tables.items():
        files = ", ".join("'" + str(folder / file).replace("'", "''") + "'" for file in entry["files"])
        con.execute(f'create view {schema}."{table}" as from read_parquet([{files}])')
    return set(tables)


def compare_table(con: duckdb.DuckDBPyConnection, home: str, table: str, ignored: frozenset[str]) -> TableDifference:
    """Compare a table that both schemas have, without regard to the order of its rows."""
    old, new = _columns(con, "before", table, ignored), _columns(con, "after", table, ignored)
    both = [name for name in old if name in new]
    found = TableDifference(home, table)
    found.columns_only_before = [name for name in old if name not in new]
    found.columns_only_after = [name for name in new if name not in old]
    found.types = {name: (old[name].type, new[name].type) for name in both if old[name].type != new[name].type}
    for schema, columns in (("before", old), ("after", new)):
        selected = ", ".join(f'{_compared(columns[name], name in found.types)} as "{name}"' for name in both)
        con.execute(f'create or replace temp table {schema}_rows as select {selected} from {schema}."{table}"')
    for here, there in (("before", "after"), ("after", "before")):
        con.execute(f"create or replace temp table only_{here} as from {here}_rows except all from {there}_rows")
    found.n_before, found.n_after = _count(con, "from before_rows"), _count(con, "from after_rows")
    found.n_only_before, found.n_only_after = _count(con, "from only_before"), _count(con, "from only_after")
    if found.n_only_before or found.n_only_after:
        counts = {name: _n_differing(con, name) for name in both}
        found.n_by_column = {name: n for name, n in counts.items() if n}
        found.examples = list(_examples(con, both))
    return found


@dataclass(frozen=True)
class Column:
    """A column of one side: the SQL by which it is compared, and its type."""

    sql: str
    type: str


def _columns(con: duckdb.DuckDBPyConnection, schema: str, table: str, ignored: frozenset[str]) -> dict[str, Column]:
    """The columns to compare, by the name of now."""
    described = {row[0]: row[1] for row in con.execute(f'describe {schema}."{table}"').fetchall()}
    columns = {}
    for name, type_ in described.items():
        current = RENAMED.get((table, name), name)
        if current != name and current in described:
            current = name
        if current not in OF_ONE_RUN.get(table, ()) and f"{table}.{current}" not in ignored:
            columns[current] = Column(REWRITTEN.get((table, name), f'"{name}"'), type_)
    return columns


def _compared(column: Column, is_as_text: bool) -> str:
    return f"({column.sql})::varchar" if is_as_text else column.sql


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(f"select count(*) from ({query})").fetchone()
    assert row is not None
    return int(row[0])


def _n_differing(con: duckdb.DuckDBPyConnection, column: str) -> int:
    values = [f'select "{column}" from only_{side}' for side in ("before", "after")]
    return max(_count(con, " except all ".join(order)) for order in (values, values[::-1]))


def _examples(con: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> Iterator[str]:
    """The first rows that only one side has: beside the row with the same id, else the most similar row whose id the
    other side has not, else alone. A row's id is its first column.
    """
    first = f'"{columns[0]}"'
    same = " + ".join(f'(old.line."{name}" is not distinct from new.line."{name}")::integer' for name in columns)
    is_same_id = f"old.line.{first} is not distinct from new.line.{first}"
    con.execute(
        f"create or replace temp table new_rows as select rows as line, not exists (from only_before as old "
        f"where old.{first} is not distinct from rows.{first}) as has_new_id from only_after as rows"
    )
    pairs = con.execute(
        f"with old as (select rows as line, row_number() over () as n from "
        f"(from only_before order by all limit {SHOWN_ROWS}) as rows) "
        f"select old.line, new.line, {same} as n_same from old left join new_rows as new on has_new_id or {is_same_id} "
        f"qualify row_number() over (partition by n order by {is_same_id} desc, n_same desc) = 1 order by n"
    ).fetchall()
    for old, new, n_same in pairs:
        if new is None or 2 * n_same < len(columns):
            yield f"only before: {_shown(old)}"
        else:
            yield _pair(old, new, columns)
    if len(pairs) < SHOWN_ROWS:
        added = f"select line from new_rows where has_new_id order by all limit {SHOWN_ROWS}"
        yield from (f"only after: {_shown(row)}" for (row,) in con.execute(added).fetchall())


def _pair(old: Json, new: Json, columns: Sequence[str]) -> str:
    lines = [f"{columns[0]} = {_cut(str(old[columns[0]]))}"]
    for name in columns:
        if old[name] != new[name]:
            before, after = _around_difference(str(old[name]), str(new[name]))
            lines += [f"  {name}", f"    before {before}", f"    after  {after}"]
    return "\n".join(lines)


def _around_difference(old: str, new: str) -> tuple[str, str]:
    """Both texts, cut to what can be read, beginning shortly before the first character in which they differ."""
    n_same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, n_same - SHOWN_CHARACTERS // 4)
    lead = "…" if start else ""
    return lead + _cut(old[start:]), lead + _cut(new[start:])


def _shown(row: Json) -> str:
    return "{" + ", ".join(f"{name}: {_cut(str(value))}" for name, value in row.items() if value is not None) + "}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


# Telling


def tell(home: str, tables: Sequence[TableDifference], *, is_every_table: bool) -> None:
    """Print one home: a line for it, and a line with its details for each table that differs, or for every table."""
    differing = [table for table in tables if not table.is_equal]
    verdict = f"{len(differing)} DIFFER: {', '.join(table.table for table in differing)}" if differing else "equal"
    _say(f"{home}: {len(tables)} tables, {sum(table.n_before for table in tables):,} rows before, {verdict}")
    for table in tables if is_every_table else differing:
        _tell_table(table)


def _tell_table(table: TableDifference) -> None:
    if table.only_on:
        _say(f"  {table.table}: only {table.only_on}")
        return
    n_differing = max(table.n_only_before, table.n_only_after)
    _say(f"  {table.table}: {table.n_before:,} rows before, {table.n_after:,} after, {n_differing:,} differ")
    for side, names in (("before", table.columns_only_before), ("after", table.columns_only_after)):
        if names:
            _say(f"    columns only {side}: {', '.join(names)}")
    for name, (old, new) in table.types.items():
        _say(f"    type of {name}: {old} before, {new} after")
    if table.n_by_column:
        _say("    differing values: " + ", ".join(f"{name} {n:,}" for name, n in table.n_by_column.items()))
    for example in table.examples:
        _say("    " + example.replace("\n", "\n    "))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


# Commands


def run_build(chosen: argparse.Namespace) -> int:
    """0 where a home of every chosen input was built, 1 where a run failed."""
    # Not resolved: the Python of a virtual environment is a link, and is another one under another name.
    python, root, shared = chosen.python.absolute(), chosen.inputs_root.resolve(), chosen.shared.resolve()
    found = [one for one in inputs(root, shared, UNPACKED) if not chosen.only or one.name in chosen.only]
    if unknown := set(chosen.only) - {one.name for one in found}:
        _say(f"no input is called {', '.join(sorted(unknown))}")
        return 2
    return 0 if build(python, found, chosen.out.resolve()) else 1


def run_compare(chosen: argparse.Namespace) -> int:
    """0 where the homes are equal, 1 where anything differs, 2 where there is nothing to compare."""
    before, after = homes(chosen.before), homes(chosen.after)
    if not before & after:
        _say(f"{chosen.before} and {chosen.after} have no home in common; build them first")
        return 2
    tables: dict[str, list[TableDifference]] = {}
    for table in compare(chosen.before, chosen.after, frozenset(chosen.ignore)):
        tables.setdefault(table.home, []).append(table)
    differing = [table for of_home in tables.values() for table in of_home if not table.is_equal]
    lone = {"only_before": sorted(before - after), "only_after": sorted(after - before)}
    if chosen.json:
        summary = {"homes": len(tables), "is_equal": not differing and before == after, **lone}
        _say(json.dumps(summary | {"differing": [asdict(table) for table in differing]}, default=str))
    else:
        for home, of_home in tables.items():
            tell(home, of_home, is_every_table=chosen.all)
        for side, names in lone.items():
            if names:
                _say(f"homes {side.replace('_', ' ')}: {', '.join(names)}")
        _say(f"{len(tables)} homes compared, {len(differing)} tables differ")
    return 1 if differing or before != after else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    building = commands.add_parser("build", help="make a home of each input with one version")
    building.add_argument("--python", type=Path, required=True, help="the Python in which that version is installed")
    building.add_argument("--inputs-root", type=Path, required=True, help="a checkout whose data/ is read")
    building.add_argument("--shared", type=Path, required=True, help="the folder of third-party data")
    building.add_argument("--out", type=Path, required=True, help="the folder for the homes")
    building.add_argument("--only", nargs="+", default=[], metavar="NAME", help="the inputs of these names alone")
    building.set_defaults(run=run_build)
    comparing = commands.add_parser("compare", help="compare the homes of two builds; exit code 1 where they differ")
    comparing.add_argument("--before", type=Path, required=True)
    comparing.add_argument("--after", type=Path, required=True)
    comparing.add_argument(
        "--ignore",
        nargs="+",
        default=[],
        metavar="TABLE[.COLUMN]",
        help="what is meant to differ, such as events.detail",
    )
    comparing.add_argument("--all", action="store_true", help="a line for every table, also where it is equal")
    comparing.add_argument("--json", action="store_true", help="one JSON object on stdout")
    comparing.set_defaults(run=run_compare)
    chosen = parser.parse_args()
    return int(chosen.run(chosen))


if __name__ == "__main__":
    sys.exit(main())
