"""The same events in many small files and in few large ones: what a file costs besides what it holds.

`python bench/small_files.py [--files 20000] [--json]`

CloudTrail records in files of 1 KB to 20 KB, and the very same records in files of 16 MB. Prints events/s of both,
their ratio, and the seconds to look at all the small files again when nothing is new.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from cloudtrail_files import START, records

SMALLEST, LARGEST, LARGE = 1_000, 20_000, 16_000_000
PER_FOLDER = 1_000
LONGEST_SECONDS = 3_600


def write_both(scratch: Path, count: int, seed: int) -> int:
    """Write `count` files below `small` and the same records below `large`; returns the number of records."""
    rng = Random(seed)  # noqa: S311 - measurements, not secrets
    lines = _lines(rng)
    kept: list[str] = []
    size = total = n_large = 0
    (scratch / "large").mkdir()
    for number in range(count):
        wanted, own, held = rng.randrange(SMALLEST, LARGEST), list[str](), 0
        while not own or held < wanted:
            own.append(next(lines))
            held += len(own[-1])
        folder = scratch / "small" / f"{number // PER_FOLDER:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:07d}.json").write_text(_file(own), encoding="utf-8")
        kept += own
        total += len(own)
        size += held
        if size >= LARGE or number == count - 1:
            (scratch / "large" / f"{n_large:05d}.json").write_text(_file(kept), encoding="utf-8")
            kept, size, n_large = [], 0, n_large + 1
    return total


def _file(lines: list[str]) -> str:
    return '{"Records":[' + ",".join(lines) + "]}"


def _lines(rng: Random) -> Iterator[str]:
    at = START
    while True:
        for record in records(rng, at, 1_000):
            yield json.dumps(record, separators=(",", ":"))
        at += timedelta(minutes=1)


def measure(count: int, seed: int) -> dict[str, Any]:
    """Seconds and events of both, loaded by fresh processes, large files first."""
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as folder:
        scratch = Path(folder)
        n_records = write_both(scratch, count, seed)
        result: dict[str, Any] = {"files": count, "records": n_records}
        for name in ("large", "small"):
            result[name] = _load(scratch / name, scratch / f"home-{name}")
            if result[name]["events"] != n_records:
                raise SystemExit(f"{name}: {result[name]['events']} events of {n_records} records")
        result["ratio"] = round(result["large"]["seconds"] / result["small"]["seconds"], 3)
    return result


def _load(folder: Path, home: Path) -> dict[str, Any]:
    for path in folder.rglob("*.json"):
        path.read_bytes()
    home.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("contend.py")), "ours", "small", str(folder), str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)  # noqa: S603
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Small files against large ones with the same events.")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    result = measure(chosen.files, chosen.seed)
    if chosen.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    lines = [
        f"{result[name]['events'] / result[name]['seconds']:>10,.0f} events/s in {name} files, "
        f"{result[name]['seconds']:.1f} s, {result[name]['rss_mb']:,} MB"
        for name in ("large", "small")
    ]
    lines.append(f"{result['ratio']:>10.2f} of the large files' speed; {result['files']:,} small files")
    lines.append(f"{result['small']['again_seconds']:>10.2f} s to find nothing new in the small files")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
