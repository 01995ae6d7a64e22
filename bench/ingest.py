"""What it costs to turn files into `events`, as ratios to DuckDB alone and to the hardware, measured in one run.

`python bench/ingest.py [--megabytes 200] [--runs 3] [--workload cloudtrail|spans|decisions|all] [--json]`

Each contender runs in a fresh process over the same generated files, which are in the page cache, in an order
that turns with every round; what is printed is the median of the CPU seconds of all its processes, which other work on
the machine changes less than seconds of a clock. docs/performance.md says what the columns mean.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cloudtrail_files import write_cloudtrail
from rich.console import Console
from rich.table import Table
from telemetry_files import write_decisions, write_spans

Write = Callable[[Path, float, int], int]
Result = dict[str, Any]
CONTENDERS = ("ours", "same", "fastest", "split", "floor")
LONGEST_SECONDS = 900
"""One contender on the default size takes under a minute; beyond this something hangs."""


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    write: Write
    share: float
    """Of --megabytes. The newline formats are read line by line, so a quarter shows the same as the whole."""


WORKLOADS = (
    Workload("cloudtrail", "CloudTrail files", write_cloudtrail, 1.0),
    Workload("spans", "OTLP spans, newline JSON", write_spans, 0.25),
    Workload("decisions", "OPA decisions, newline JSON", write_decisions, 0.25),
)


def measure(workload: Workload, megabytes: float, runs: int, seed: int, say: Callable[[str], None]) -> Result:
    """Medians of `runs` rounds over files made for it; `megabytes` of 10^6 bytes.

    Stops the bench where ours and DuckDB disagree on the number of events: then it was not the same work.
    """
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        folder = Path(scratch) / "input"
        folder.mkdir()
        say(f"writing {workload.title}")
        n_bytes = workload.write(folder, megabytes * workload.share, seed)
        rounds: dict[str, list[Result]] = {name: [] for name in CONTENDERS}
        for number in range(runs):
            turn = number % len(CONTENDERS)
            for name in (*CONTENDERS[turn:], *CONTENDERS[:turn]):
                say(f"{workload.name}: round {number + 1} of {runs}, {name}")
                rounds[name].append(_contend(name, workload.name, folder))
    medians = {name: _median(results) for name, results in rounds.items()}
    if medians["ours"]["events"] != medians["same"]["events"]:
        stored = {name: medians[name]["events"] for name in ("ours", "same")}
        raise SystemExit(f"{workload.name}: the events that stand in the end differ: {stored}")
    return {"megabytes": n_bytes / 1e6, "contenders": medians, "ratios": ratios(medians)}


def ratios(medians: dict[str, Result]) -> dict[str, float]:
    """How many times as much DuckDB's ways cost, and the floor as a share of what ours costs: over the same files."""
    ours = medians["ours"]["seconds"]
    return {
        "to_same": round(medians["same"]["seconds"] / ours, 3),
        "to_fastest": round(medians["fastest"]["seconds"] / ours, 3),
        "to_split": round(medians["split"]["seconds"] / ours, 3),
        "of_floor": round(medians["floor"]["seconds"] / ours, 3),
    }


def _median(results: list[Result]) -> Result:
    return {
        name: None if first is None else round(median(result[name] for result in results), 3)
        for name, first in results[0].items()
    }


def _contend(name: str, workload: str, folder: Path) -> Result:
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        command = [
            sys.executable,
            str(Path(__file__).with_name("contend.py")),
            name,
            workload,
            str(folder),
            scratch,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)  # noqa: S603
    if done.returncode != 0:
        raise SystemExit(f"{name} failed on {workload}:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def draw(workload: Workload, measured: Result, runs: int) -> Table:
    """One line a contender."""
    medians, size = measured["contenders"], measured["megabytes"]
    n_events = medians["ours"]["events"]
    table = Table(title=f"{workload.title}: {size:.0f} MB, {n_events:,.0f} events, {runs} runs")
    for heading in ("", "CPU seconds", "events/CPU s", "MB/CPU s", "peak MB", "ours against it"):
        table.add_column(heading, justify="right" if heading else "left")
    labels = {
        "ours": "Ultravires",
        "same": "DuckDB, same work",
        "fastest": "DuckDB without raw",
        "split": "split, typed, no raw",
        "floor": "floor, igzip+zstd",
    }
    verdicts = _verdicts(measured["ratios"])
    for name in CONTENDERS:
        row = medians[name]
        rates = f"{n_events / row['seconds']:,.0f}", f"{size / row['seconds']:,.0f}"
        table.add_row(labels[name], f"{row['seconds']:.2f}", *rates, f"{row['rss_mb']:,.0f}", verdicts[name])
    table.add_row("nothing new", f"{medians['ours']['again_seconds']:.2f}", "", "", "", "")
    return table


def _verdicts(ratio: dict[str, float]) -> dict[str, str]:
    return {
        "ours": "",
        "same": f"{ratio['to_same']:.2f}x as fast",
        "fastest": f"{ratio['to_fastest']:.2f}x as fast",
        "split": f"{ratio['to_split']:.2f}x as fast",
        "floor": f"{ratio['of_floor']:.1%} of it",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Ingest, as ratios to DuckDB alone and to the hardware.")
    parser.add_argument("--megabytes", type=float, default=200, help="CloudTrail before compression, in 10^6 bytes")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workload", choices=["all", *(workload.name for workload in WORKLOADS)], default="all")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    chosen = parser.parse_args()
    if chosen.megabytes <= 0 or chosen.runs < 1:
        parser.error("--megabytes must be above 0 and --runs at least 1")
    errors, results = Console(stderr=True), dict[str, Result]()
    for workload in WORKLOADS:
        if chosen.workload in ("all", workload.name):
            with errors.status("") as status:
                results[workload.name] = measure(workload, chosen.megabytes, chosen.runs, chosen.seed, status.update)
            if not chosen.json:
                Console().print(draw(workload, results[workload.name], chosen.runs))
    if chosen.json:
        sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
