"""What a run costs that has next to nothing to do: CPU seconds of a whole run over one record, and where they go.

`python bench/tiny_run.py [--runs 7] [--json]`

A new home with one CloudTrail record, that home with one record more, and with nothing new, each in a process that has
run before, so that imports and compiled rules are outside. CPU seconds of all processes; the parts are of this one.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median

from cloudtrail_files import START, records
from cpu_clock import cpu_seconds
from new_hour import PARTS, timed_parts
from rich.console import Console
from rich.table import Table
from ultravires.runs.run import run_once

KINDS = ("new home", "one record more", "nothing new")
N_SLOWEST = 8
Costs = dict[str, float]
"""Seconds of a run in all, of its parts, and of each table."""


def measure(runs: int, seed: int) -> dict[str, Costs]:
    """Medians over so many runs of each kind, in a turning order."""
    rng = Random(seed)  # noqa: S311 - measurements, not secrets
    costs: dict[str, list[Costs]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        for number in range(runs + 1):
            for kind, cost in _one_of_each(Path(scratch) / str(number), rng):
                costs[kind].append(cost)
    return {kind: _medians(of_kind[1:]) for kind, of_kind in costs.items()}  # the first ones import and compile


def _one_of_each(folder: Path, rng: Random) -> Iterator[tuple[str, Costs]]:
    logs = folder / "logs"
    logs.mkdir(parents=True)
    _write_record(logs, rng, START)
    yield KINDS[0], _cost(logs, folder / "home")
    _write_record(logs, rng, START + timedelta(hours=1))
    yield KINDS[1], _cost(logs, folder / "home")
    yield KINDS[2], _cost(logs, folder / "home")


def _write_record(folder: Path, rng: Random, at: datetime) -> None:
    data = json.dumps({"Records": list(records(rng, at, 1))})
    (folder / f"{at:%Y%m%dT%H}.json.gz").write_bytes(gzip.compress(data.encode(), mtime=0))


def _cost(logs: Path, home: Path) -> Costs:
    started = cpu_seconds()
    with timed_parts(time.process_time) as by_part:
        run_once(logs, home, config=None, as_of="")
    return {"all": cpu_seconds() - started, **by_part}


def _medians(costs: list[Costs]) -> Costs:
    return {name: round(median(cost.get(name, 0.0) for cost in costs), 4) for name in costs[0]}


def draw(costs: dict[str, Costs], runs: int) -> Table:
    """One line a part, and the tables that cost most where a record came."""
    table = Table(title=f"CPU seconds of a run over one record, medians of {runs}")
    table.add_column("")
    for kind in KINDS:
        table.add_column(kind, justify="right")
    of_tables = {name: cost for name, cost in costs[KINDS[1]].items() if name.startswith("table ")}
    slowest = sorted(of_tables, key=lambda name: -of_tables[name])[:N_SLOWEST]
    for name in ("all", *(label for label, _, _ in PARTS), *slowest):
        table.add_row(name, *(f"{costs[kind].get(name, 0.0):.3f}" for kind in KINDS))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="What a run costs that has next to nothing to do.")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    chosen = parser.parse_args()
    costs = measure(chosen.runs, chosen.seed)
    if chosen.json:
        sys.stdout.write(json.dumps(costs) + "\n")
        return
    Console().print(draw(costs, chosen.runs))


if __name__ == "__main__":
    main()
