"""What a first run costs as its logs grow: CPU seconds of each part and each table, and their growth per event.

`python bench/whole_run.py [--events 50000 100000 200000] [--identities 100] [--days 10] [--json]`
`python bench/whole_run.py --days 10 20 40`

The logs are mixed worlds of the simulator: approvals, decisions, spans and CloudTrail of one company. With `--events`
the same identities do more in the same days, so that more approvals, runs and credentials of each overlap; with several
`--days` they go on for longer. Growth is how much dearer an event is in a larger world than in the one before it: 1.0
is a run that costs twice as much where twice as much arrived. CPU seconds of all processes are counted, not those of a
clock.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from cpu_clock import cpu_seconds
from new_hour import PARTS, timed_parts
from rich.console import Console
from rich.table import Table
from ultravires.runs.run import run_once
from ultravires.simulator import write_world

Result = dict[str, Any]
N_SLOWEST = 14
ALL = "the whole run"
FIRST_DAY = date(2026, 10, 5)
EVENTS = (50_000, 100_000, 200_000)
LEAST_DAYS = 10
"""With fewer the simulator cannot fit all of its situations in."""


def measure(events: int | None, identities: int, days: int, seed: int) -> Result:
    """One world of so many days, or of about so many events in them, and a run over it into a new home."""
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        world, home = Path(scratch) / "world", Path(scratch) / "home"
        world.mkdir()
        write_world(world, seed=seed, events=events, identities=identities, days=days, start=FIRST_DAY)
        return measure_run(world, home)


def warm_up(seed: int) -> None:
    """A run over a small world: it imports what every run after it in this process finds imported."""
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        world = Path(scratch) / "world"
        world.mkdir()
        write_world(world, seed=seed, events=2_000, identities=None, days=None, start=FIRST_DAY)
        measure_run(world, Path(scratch) / "home")


def measure_run(logs: Path, home: Path) -> Result:
    """CPU seconds of a first run over `logs`, by part and by table."""
    config = logs / "ultravires.yaml"
    started = cpu_seconds()
    with timed_parts(cpu_seconds) as by_part:
        result = run_once(logs, home, config=config if config.exists() else None, as_of="")
    return {"events": result.events, "parts": {ALL: cpu_seconds() - started, **by_part}}


def worlds(events: Sequence[int] | None, days: Sequence[int]) -> list[tuple[int | None, int]]:
    """Events and days of each world, the smallest first: either of them grows."""
    if len(days) > 1:
        return [(None, number) for number in sorted(days)]
    return [(number, days[0]) for number in sorted(events or EVENTS)]


def growth(small: Result, large: Result, name: str) -> float | None:
    """How much dearer an event became from one world to the next; nothing where the smaller took no time."""
    before, after = small["parts"].get(name, 0.0), large["parts"].get(name, 0.0)
    if not before:
        return None
    return float((after / large["events"]) / (before / small["events"]))


def draw(results: Sequence[Result]) -> Table:
    """Parts and the slowest tables; a column of seconds for each world and of growth for each step."""
    table = Table(title="CPU seconds of a first run, and growth per event")
    table.add_column("")
    for number, result in enumerate(results):
        table.add_column(f"{result['events']:,} events", justify="right")
        if number:
            table.add_column("growth", justify="right")
    parts = results[-1]["parts"]
    names = [ALL, *(label for label, _, _ in PARTS)]
    for name in names:
        _add(table, results, name)
    table.add_section()
    for name in sorted((name for name in parts if name not in names), key=lambda name: -parts[name])[:N_SLOWEST]:
        _add(table, results, name)
    return table


def _add(table: Table, results: Sequence[Result], name: str) -> None:
    cells = [f"{results[0]['parts'].get(name, 0.0):.2f}"]
    for small, large in pairwise(results):
        ratio = growth(small, large, name)
        cells += [f"{large['parts'].get(name, 0.0):.2f}", "" if ratio is None else f"{ratio:.2f}"]
    table.add_row(name.removeprefix("table "), *cells)


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of a first run, by how much arrived.")
    parser.add_argument("--events", type=int, nargs="+", help="of each world; by default 50000 100000 200000")
    parser.add_argument("--identities", type=int, default=100)
    parser.add_argument("--days", type=int, nargs="+", default=[10], help="of each world; several go without --events")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    chosen = parser.parse_args()
    if min(chosen.days) < LEAST_DAYS or (chosen.events and len(chosen.days) > 1):
        parser.error(f"--days must be at least {LEAST_DAYS}, and one number where --events is given")
    errors, measured = Console(stderr=True), []
    warm_up(chosen.seed)
    for events, days in worlds(chosen.events, chosen.days):
        with errors.status(f"a world of {days} days, and a run over it"):
            measured.append(measure(events, chosen.identities, days, chosen.seed))
    if chosen.json:
        sys.stdout.write(json.dumps(measured) + "\n")
    else:
        Console().print(draw(measured))


if __name__ == "__main__":
    main()
