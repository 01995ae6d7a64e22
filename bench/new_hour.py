"""What a run costs that adds one hour, on homes with more and more days of history.

`python bench/new_hour.py [--days 10 30] [--identities 200] [--runs 3] [--json]`

The logs are a company's of the simulator: approvals, decisions, spans and CloudTrail. The records of some hours of a
working day are held back and added one hour after the other. The whole run is measured, from the open home to
published tables, delivered alerts and the report, in CPU seconds of all processes; where they go is told by part and by
table.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from cpu_clock import cpu_seconds
from held_back import busy_hours, hold_back, put_back
from rich.console import Console
from rich.table import Table
from ultravires.build.duckdb_engine import Built, DuckDBEngine
from ultravires.reading.input_place import input_place
from ultravires.runs import steps
from ultravires.runs.run import run_once
from ultravires.runs.run_result import RunResult
from ultravires.runs.unchanged import unchanged_result
from ultravires.simulator import write_world
from ultravires.store.load import Loader

Result = dict[str, Any]
FIRST_DAY = date(2026, 10, 5)
LEAST_DAYS = 10
"""With fewer the simulator cannot fit all of its situations in."""
MOST_RUNS = 8
N_SLOWEST = 14
PARTS: tuple[tuple[str, Any, str], ...] = (
    ("configuration", steps, "store_configuration"),
    ("loading", Loader, "load"),
    ("SQL tables", DuckDBEngine, "build"),
    ("models", steps, "run_detector"),
    ("findings", steps, "update_findings"),
    ("delivery", steps, "deliver"),
    ("publishing", steps, "publish"),
    ("report", steps, "write_report"),
)
"""What is told apart; the rest of a run is imports, checks, and opening and closing of the home."""


def measure(days: int, identities: int, runs: int, seed: int) -> Result:
    """A home of `days` of a company's history, then `runs` runs that add an hour each and one that adds nothing; CPU
    seconds of all processes.
    """
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        world, home = Path(scratch) / "world", Path(scratch) / "home"
        world.mkdir()
        write_world(world, seed=seed, events=None, identities=identities, days=days, start=FIRST_DAY)
        midnight = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
        late = hold_back(world, busy_hours(midnight, days, runs))
        first_run, first = timed_run(world, home)
        added, parts, records = [], [], []
        for files in late.values():
            put_back(files)
            with timed_parts(cpu_seconds) as by_part:
                seconds, result = timed_run(world, home)
            added.append(seconds)
            parts.append(by_part)
            records.append(result.events)
        nothing, _ = timed_run(world, home)
        size = (home / "warehouse.duckdb").stat().st_size
    return {
        "days": days,
        "events": first.events,
        "more": round(median(records)),
        "first_run": round(first_run, 2),
        "new_hour": round(median(added), 2),
        "nothing_new": round(nothing, 2),
        "warehouse_mb": round(size / 1e6),
        "parts": {name: round(median(part.get(name, 0.0) for part in parts), 3) for name in parts[0]},
    }


def timed_run(world: Path, home: Path) -> tuple[float, RunResult]:
    """CPU seconds of a run over `world`, as `ultravires run` takes it, and what it says."""
    config, began = world / "ultravires.yaml", cpu_seconds()
    result = unchanged_result(input_place(world), home, config=config, as_of="") if home.exists() else None
    result = result or run_once(world, home, config=config, as_of="")
    return cpu_seconds() - began, result


@contextmanager
def timed_parts(clock: Callable[[], float] = time.perf_counter) -> Iterator[dict[str, float]]:
    """Seconds by `clock` that each part of a run, and each SQL table in it, took, for the time of the block."""
    seconds: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for label, owner, name in PARTS:
            timed = _timed(seconds, label, getattr(owner, name), clock)
            stack.enter_context(patch.object(owner, name, timed))
        yield seconds


def _timed(
    seconds: dict[str, float], label: str, function: Callable[..., Any], clock: Callable[[], float]
) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = clock()
        result = function(*args, **kwargs)
        took = clock() - started
        seconds[label] += took
        if isinstance(result, Built):
            seconds[f"table {result.table}"] += took
        return result

    return timed


def draw(results: Sequence[Result], runs: int) -> Table:
    """A column for each home, then the ratio of the last to the first; and the tables that cost most on the last."""
    table = Table(title=f"A run that adds one hour, medians of {runs}")
    table.add_column("CPU seconds")
    for home in results:
        table.add_column(f"{home['days']} days, {home['events']:,} events, {home['more']} more", justify="right")
    table.add_column("ratio", justify="right")
    for label, name in (("one hour more", "new_hour"), ("nothing new", "nothing_new"), ("first run", "first_run")):
        _add(table, label, [home[name] for home in results])
    _add(table, "warehouse.duckdb, MB", [home["warehouse_mb"] for home in results])
    table.add_section()
    parts = results[-1]["parts"]
    names = [label for label, _, _ in PARTS]
    slowest = sorted((name for name in parts if name not in names), key=lambda name: -parts[name])
    for name in (*names, *slowest[:N_SLOWEST]):
        _add(table, name.removeprefix("table "), [home["parts"].get(name, 0.0) for home in results])
    return table


def _add(table: Table, label: str, seconds: Sequence[float]) -> None:
    ratio = f"{seconds[-1] / seconds[0]:.2f}" if seconds[0] else ""
    table.add_row(label, *(f"{each:.2f}" for each in seconds), ratio)


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of one more hour, by the length of the history.")
    parser.add_argument("--days", type=int, nargs="+", default=[10, 30], help="of history, at least 10 each")
    parser.add_argument("--identities", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3, help="hours that are added, at most 8")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    chosen = parser.parse_args()
    if min(chosen.days) < LEAST_DAYS or not 1 <= chosen.runs <= MOST_RUNS:
        parser.error(f"--days must be at least {LEAST_DAYS}, --runs from 1 to {MOST_RUNS}")
    errors, measured = Console(stderr=True), []
    for days in sorted(chosen.days):
        with errors.status(f"{days} days of history, then an hour more"):
            measured.append(measure(days, chosen.identities, chosen.runs, chosen.seed))
    if chosen.json:
        sys.stdout.write(json.dumps(measured) + "\n")
    else:
        Console().print(draw(measured, chosen.runs))


if __name__ == "__main__":
    main()
