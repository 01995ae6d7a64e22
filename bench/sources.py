"""How fast each source reads, in events a second on one core: from a file's bytes to Arrow batches.

`python bench/sources.py [--events 20000] [--runs 5] [--json] [SOURCE ...]`

The records are those of data/sources/<source>, over and over with other ids in each copy, so that nothing is
remembered that a real log would not repeat. CPU seconds of this process, medians; starting up is outside of the clock.
"""

import argparse
import gc
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median

from rich.console import Console
from rich.table import Table
from ultravires import registry
from ultravires.reading.files import read
from ultravires.reading.options import Options
from ultravires.reading.source import Source

SAMPLES = Path(__file__).parent.parent / "data" / "sources"
LEAST = 20_000
"""Events a second a core below which a source needs a reason."""
_ID = re.compile(rb"\b(?=[0-9]*[a-f])[0-9a-f]{12,}|\d{7,9}(?=\")")
"""Never a long number: that may be a time, and another one is perhaps none."""
_SEED = 7


def copies(data: bytes, count: int) -> bytes:
    """`count` copies of a sample of lines or documents, one behind the other; ids in lower-case hex and short numbers
    differ in each."""
    rng = Random(_SEED)  # noqa: S311 - measurements, not secrets
    return b"\n".join(_ID.sub(lambda found: _other(found[0], rng), data.strip()) for _ in range(count)) + b"\n"


def _other(identifier: bytes, rng: Random) -> bytes:
    digits = b"0123456789" if identifier.isdigit() else b"0123456789abcdef"
    return bytes(rng.choices(digits, k=len(identifier)))


def events_a_second(source: Source, folder: Path, n_events: int, runs: int) -> float:
    """Median over `runs` of one core's speed on about `n_events` events."""
    (sample,) = (SAMPLES / source.name).glob("sample.*")
    path, options = folder / sample.name, Options(hash_key=b"bench")
    path.write_bytes(sample.read_bytes())
    in_one = max(1, _count(path, source, options))
    if sample.suffix in (".json", ".jsonl", ".csv"):
        path.write_bytes(copies(sample.read_bytes(), max(1, n_events // in_one)))
    return median(_speed(path, source, options, n_events) for _ in range(runs))


def _count(path: Path, source: Source, options: Options) -> int:
    return sum(batch.events.num_rows for batch in read(path, source, options))


def _speed(path: Path, source: Source, options: Options, n_events: int) -> float:
    started, done = time.process_time(), 0
    while done < n_events:
        done += _count(path, source, options)
    return done / (time.process_time() - started)


def main(names: Sequence[str], n_events: int, runs: int, say: Callable[[str], None]) -> dict[str, int]:
    found = registry.sources()
    speeds = {}
    gc.freeze()
    gc.disable()  # as in the processes that read
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as folder:
        for name in names or sorted(found):
            say(name)
            speeds[name] = round(events_a_second(found[name], Path(folder), n_events, runs))
    return speeds


def draw(speeds: dict[str, int]) -> Table:
    table = Table(title="events a second on one core, from bytes to Arrow")
    table.add_column("source")
    table.add_column("events/s", justify="right")
    table.add_column("")
    for name, speed in sorted(speeds.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{speed:,.0f}", "" if speed >= LEAST else f"below {LEAST:,}")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    console = Console(stderr=True)
    measured = main(chosen.names, chosen.events, chosen.runs, lambda line: console.print(line, style="dim"))
    Console().print(json.dumps(measured) if chosen.json else draw(measured))
