"""What a long history costs: the time of each million events more, and the memory of all processes together.

`python bench/many_events.py [--millions 10] [--json]`

One home, loaded a million CloudTrail events at a time, each million the next days of the same estate. Writing the files
is outside of the clock, closing the warehouse inside. Memory is the largest sum over this process and all it started of
their resident memory, what they share divided among them (Linux's Pss), looked at five times a second.
"""

import argparse
import gzip
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import ours
from rich.console import Console
from rich.table import Table

START = datetime(2026, 1, 1, tzinfo=UTC)
FILES_A_MILLION = 40
DAYS_A_MILLION = 10
_SEED = 11
_LOOK_SECONDS = 0.2
_CALLS = (
    ("s3", "GetObject"),
    ("s3", "PutObject"),
    ("kms", "Decrypt"),
    ("ec2", "DescribeInstances"),
    ("sts", "AssumeRole"),
)


@dataclass
class Memory:
    """The largest sum of resident memory that was seen, in bytes."""

    peak: int = 0


def write_million(folder: Path, number: int, count: int) -> None:
    """`count` events of the days of million `number`, as gzipped newline JSON."""
    rng = Random(_SEED + number)  # noqa: S311 - measurements, not secrets
    first = START + timedelta(days=DAYS_A_MILLION * number)
    for file in range(FILES_A_MILLION):
        at = first + timedelta(days=DAYS_A_MILLION) * file / FILES_A_MILLION
        lines = "".join(_line(rng, at) for _ in range(count // FILES_A_MILLION))
        (folder / f"{number:03d}-{file:03d}.json.gz").write_bytes(gzip.compress(lines.encode(), 1, mtime=0))


def _line(rng: Random, at: datetime) -> str:
    service, name = _CALLS[rng.randrange(len(_CALLS))]
    role, bits = rng.randrange(200), rng.getrandbits(128)
    moment = (at + timedelta(seconds=rng.randrange(20_000))).strftime("%Y-%m-%dT%H:%M:%SZ")
    arn = f"arn:aws:sts::111122223333:assumed-role/svc-{role}/run-{role}"
    return (
        f'{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","arn":"{arn}","accountId":"111122223333",'
        f'"accessKeyId":"ASIA{role:016d}","sessionContext":{{"sessionIssuer":{{"type":"Role",'
        f'"arn":"arn:aws:iam::111122223333:role/svc-{role}"}}}}}},"eventTime":"{moment}",'
        f'"eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"eu-central-1",'
        f'"sourceIPAddress":"10.1.{role}.{bits % 200}","userAgent":"aws-sdk-go-v2/1.36.3 os/linux",'
        f'"requestParameters":{{"bucketName":"exports-{bits % 50}","key":"part-{bits % 100_000:05d}.parquet"}},'
        f'"responseElements":null,"requestID":"{bits:032x}","eventID":"{bits ^ _SEED:032x}","readOnly":true,'
        f'"eventType":"AwsApiCall","recipientAccountId":"111122223333"}}\n'
    )


@contextmanager
def watched_memory() -> Iterator[Memory]:
    """Looks at the memory of this process and its descendants until the block ends."""
    memory, is_over = Memory(), threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOK_SECONDS):
            memory.peak = max(memory.peak, _resident(os.getpid()))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield memory
    finally:
        is_over.set()
        watcher.join()


def _resident(pid: int) -> int:
    """Resident memory of a process and all below it, in bytes; shared pages count in parts."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0
    own = sum(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:"))
    return own + sum(_resident(int(child)) for child in children)


def main(millions: int, count: int) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch, watched_memory() as memory:
        home = Path(scratch) / "home"
        for number in range(millions):
            folder = Path(scratch) / f"input-{number}"
            folder.mkdir()
            write_million(folder, number, count)
            seconds, stored = ours.load(folder, home)
            rows.append({"million": number + 1, "seconds": seconds, "events": stored, "peak_mb": memory.peak >> 20})
            Console(stderr=True).print(rows[-1], style="dim")
            for path in folder.iterdir():
                path.unlink()
    return rows


def draw(rows: list[dict[str, float]]) -> Table:
    table = Table(title=f"the last took {rows[-1]['seconds'] / rows[0]['seconds']:.2f} times as long as the first")
    for heading in ("million", "seconds", "events in all", "peak MB so far"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            f"{row['million']:.0f}", f"{row['seconds']:.1f}", f"{row['events']:,.0f}", f"{row['peak_mb']:.0f}"
        )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=int, default=10)
    parser.add_argument("--count", type=int, default=1_000_000, help="events in each million")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    measured = main(chosen.millions, chosen.count)
    Console().print(json.dumps(measured) if chosen.json else draw(measured))
