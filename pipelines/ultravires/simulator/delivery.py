"""How records reach files: late, twice, and never in the order of their own times; one day in memory."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ultravires.simulator import ids
from ultravires.simulator.moments import HOUR, MINUTE, SECOND, to_day, to_folder, to_stamp

_LATE, _TWICE = 0.02, 0.01
"""Share of records delivered up to an hour late, and delivered again in a later file."""


def delivery_times(rng: Random, at: int) -> list[int]:
    """When a record made at `at` arrives; more than once where delivery repeats itself."""
    wait = rng.randrange(10 * MINUTE, 58 * MINUTE) if rng.random() < _LATE else rng.randrange(2 * MINUTE, 9 * MINUTE)
    again = [at + wait + rng.randrange(30 * SECOND, 50 * MINUTE)] if rng.random() < _TWICE else []
    return [at + wait, *again]


@dataclass
class TrailFiles:
    """CloudTrail's files in the S3 layout, one for each account, region and `every` milliseconds of delivery."""

    root: Path
    every: int
    rng: Random
    n_records: int = 0
    n_files: int = 0
    _slots: dict[tuple[str, str, int], list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, record: dict[str, Any], at: int) -> int:
        """Store one record made at `at`; how often it will be delivered."""
        text = json.dumps(record, separators=(",", ":"))
        times = delivery_times(self.rng, at)
        for arrives in times:
            slot = arrives // self.every
            self._slots[record["recipientAccountId"], record["awsRegion"], slot].append((arrives, text))
        self.n_records += len(times)
        return len(times)

    def flush(self, until: int | None) -> None:
        """Write every slot that is over by `until`, or all of them."""
        ready = [key for key in self._slots if until is None or (key[2] + 1) * self.every <= until]
        for key in sorted(ready, key=lambda key: (key[2], key)):
            self._write(*key, sorted(self._slots.pop(key)))

    def _write(self, account: str, region: str, slot: int, records: list[tuple[int, str]]) -> None:
        ends = (slot + 1) * self.every
        folder = self.root / "AWSLogs" / account / "CloudTrail" / region / to_folder(ends)
        name = f"{account}_CloudTrail_{region}_{to_stamp(ends)}_{ids.file_suffix(self.rng)}.json.gz"
        folder.mkdir(parents=True, exist_ok=True)
        body = '{"Records":[' + ",".join(text for _, text in records) + "]}"
        # No time in the header: the same seed must give the same bytes.
        (folder / name).write_bytes(gzip.compress(body.encode(), compresslevel=6, mtime=0))
        self.n_files += 1


@dataclass
class DayFiles:
    """Newline JSON, one file for each day of delivery."""

    root: Path
    stem: str
    n_records: int = 0
    n_files: int = 0
    _lines: list[tuple[int, bytes]] = field(default_factory=list)

    def add(self, line: bytes, times: Iterable[int], n_records: int = 1) -> int:
        """Store one line that arrives at each of `times`; how many records that makes."""
        arrivals = list(times)
        self._lines += [(at, line) for at in arrivals]
        self.n_records += n_records * len(arrivals)
        return n_records * len(arrivals)

    def flush(self, until: int | None) -> None:
        """Write the lines that arrived before `until` (the start of a day), or all of them."""
        ready = [entry for entry in self._lines if until is None or entry[0] < until]
        self._lines = [entry for entry in self._lines if until is not None and entry[0] >= until]
        by_day: dict[str, list[bytes]] = defaultdict(list)
        for at, line in sorted(ready):
            by_day[to_day(at)].append(line)
        self.root.mkdir(parents=True, exist_ok=True)
        for day, lines in by_day.items():
            path = self.root / f"{self.stem}-{day}.jsonl"
            self.n_files += 0 if path.exists() else 1
            with path.open("ab") as file:
                file.write(b"\n".join(lines) + b"\n")


def slot_length(n_events: int) -> int:
    """Five minutes in a large world, as CloudTrail delivers; longer in a small one, to keep its files few."""
    if n_events >= 500_000:
        return 5 * MINUTE
    return HOUR if n_events >= 50_000 else 6 * HOUR
