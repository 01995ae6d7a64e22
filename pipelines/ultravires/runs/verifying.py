"""`ultravires verify`: what the tables of a home hold against what a rebuild of each would give."""

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from ultravires.build import pipeline
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.verify import Verified, stale_tables, verify
from ultravires.errors import UsageError
from ultravires.progress import watcher
from ultravires.runs.rule_packs import take_rules_again
from ultravires.store.snapshot import open_published
from ultravires.store.warehouse import open_warehouse
from ultravires.tracing.terminal import Terminal, print_lines
from ultravires.tracing.visible import visible


def verify_home(home: Path) -> list[Verified]:
    """Every table that a SELECT makes, in build order; UsageError where there is no home, or a run has work to do."""
    open_published(home).close()  # a home that never ran is refused before a warehouse is made in it
    take_rules_again(home)
    tables = pipeline.sql_tables()
    with open_warehouse(home, say=watcher().say) as warehouse:
        engine = DuckDBEngine(warehouse, tables)
        stale = stale_tables(engine, tables)
        if stale:
            raise UsageError(
                f"{home}: {len(stale)} tables wait for a run ({stale[0]} is the first): the last one ended early, or "
                "this is a newer version; run `ultravires run` first"
            )
        found = []
        for done, verified in enumerate(verify(engine, tables)):
            watcher().step(verified.table, done, len(tables))
            found.append(verified)
        return found


def draw_verified(found: Sequence[Verified], console: Terminal) -> None:
    """A line for all that is right; of each table that is not, how many rows, and the first of them."""
    wrong = [verified for verified in found if not verified.is_right]
    lines = [line for verified in wrong for line in _lines(verified)]
    n_rows = sum(verified.n_rows for verified in found)
    right = f"{len(found) - len(wrong)} of {len(found)} tables hold what a rebuild gives ({n_rows:,} rows compared)"
    print_lines([*lines, Text(right)], console)


def _lines(verified: Verified) -> list[Text]:
    said = f"{verified.table}: {verified.n_missing:,} rows are missing, {verified.n_extra:,} are too many"
    missing = [f"  - {visible(dict(row), 1_000)}" for row in verified.missing]
    extra = [f"  + {visible(dict(row), 1_000)}" for row in verified.extra]
    return [Text(line) for line in (said, *missing, *extra)]
