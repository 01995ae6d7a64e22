"""What a run costs that adds one hour, on a home with some days of history and on one with ten times as many.

`python bench/new_hour.py [--days 2] [--events-an-hour 400] [--runs 3] [--json]`

The whole run is measured, from the open home to published tables, delivered alerts and the report; where its
seconds go is told by part and by table. The logs are CloudTrail of a steady rate, so the hour that is added is
always alike.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from unittest.mock import patch

from cloudtrail_files import START, records
from rich.console import Console
from rich.table import Table
from ultravires.build.duckdb_engine import Built, DuckDBEngine
from ultravires.runs import steps
from ultravires.runs.run import run_once
from ultravires.store.load import Loader

Result = dict[str, Any]
TIMES = 10
N_SLOWEST = 8
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


def measure(days: int, an_hour: int, runs: int, seed: int) -> Result:
    """A home of `days` of history, then `runs` runs that add an hour each and one that adds nothing; seconds."""
    rng = Random(seed)  # noqa: S311 - measurements, not secrets
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        logs, home = Path(scratch) / "logs", Path(scratch) / "home"
        logs.mkdir()
        for hour in range(days * 24):
            _write_hour(logs, rng, START + timedelta(hours=hour), an_hour)
        first = run_once(logs, home, config=None, as_of="")
        added, parts = [], []
        for more in range(runs):
            _write_hour(logs, rng, START + timedelta(hours=days * 24 + more), an_hour)
            with timed_parts() as by_part:
                added.append(_seconds(logs, home))
            parts.append(by_part)
        nothing = _seconds(logs, home)
    return {
        "days": days,
        "events": first.events,
        "first_run": first.seconds,
        "new_hour": round(median(added), 3),
        "nothing_new": round(nothing, 3),
        "parts": {name: round(median(part.get(name, 0.0) for part in parts), 4) for name in parts[0]},
    }


def _seconds(logs: Path, home: Path) -> float:
    started = time.perf_counter()
    run_once(logs, home, config=None, as_of="")
    return time.perf_counter() - started


def _write_hour(folder: Path, rng: Random, hour: datetime, count: int) -> None:
    lines = []
    for part in range(12):
        at = hour + timedelta(minutes=5 * part)
        lines += [json.dumps(record, separators=(",", ":")) for record in records(rng, at, count // 12)]
    data = '{"Records":[' + ",".join(lines) + "]}"
    (folder / f"{hour:%Y%m%dT%H}.json.gz").write_bytes(gzip.compress(data.encode(), mtime=0))


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


def draw(small: Result, large: Result, runs: int) -> Table:
    """The two homes side by side, and the tables that cost most on the larger."""
    table = Table(title=f"A run that adds one hour, medians of {runs}")
    table.add_column("seconds")
    for home in (small, large):
        table.add_column(f"{home['days']} days, {home['events']:,} events", justify="right")
    table.add_column("ratio", justify="right")
    for label, name in (("one hour more", "new_hour"), ("nothing new", "nothing_new"), ("first run", "first_run")):
        _add(table, label, small[name], large[name])
    table.add_section()
    parts = large["parts"]
    names = [label for label, _, _ in PARTS]
    slowest = sorted((name for name in parts if name not in names), key=lambda name: -parts[name])
    for name in (*names, *slowest[:N_SLOWEST]):
        _add(table, name.removeprefix("table "), small["parts"].get(name, 0.0), parts.get(name, 0.0))
    return table


def _add(table: Table, label: str, small: float, large: float) -> None:
    table.add_row(label, f"{small:.2f}", f"{large:.2f}", f"{large / small:.2f}" if small else "")


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of one more hour, by the length of the history.")
    parser.add_argument(
        "--days", type=int, default=2, help=f"of the smaller home; the larger holds {TIMES} times as many"
    )
    parser.add_argument("--events-an-hour", type=int, default=400)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    chosen = parser.parse_args()
    if min(chosen.days, chosen.runs) < 1 or chosen.events_an_hour < 12:
        parser.error("--days and --runs must be at least 1, --events-an-hour at least 12")
    errors, measured = Console(stderr=True), []
    for days in (chosen.days, chosen.days * TIMES):
        with errors.status(f"{days} days of history, then an hour more"):
            measured.append(measure(days, chosen.events_an_hour, chosen.runs, chosen.seed))
    if chosen.json:
        sys.stdout.write(json.dumps({"small": measured[0], "large": measured[1]}) + "\n")
    else:
        Console().print(draw(measured[0], measured[1], chosen.runs))


if __name__ == "__main__":
    main()
