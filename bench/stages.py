"""Where the time of one record goes, from its bytes to its row in Parquet, and how much of it no Python of ours costs.

`python bench/stages.py [--megabytes 100] [--workload cloudtrail|spans|decisions|all] [--json]`

CPU microseconds a record, in one process, warm: each stage of a load over files of the ingest bench, and the calls into
libraries alone that any reader with the same columns has to make. The second sum is what is left when meaning is free.
"""

import argparse
import gc
import gzip
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from ingest import WORKLOADS, Workload
from rich.console import Console
from rich.table import Table
from ultravires import registry
from ultravires.reading.events import Frame
from ultravires.reading.framing import frames_of
from ultravires.reading.options import Options
from ultravires.reading.redaction import Redactor
from ultravires.reading.rows import Batch, RowBuilder
from ultravires.reading.source import Source
from ultravires.store.segment_files import with_provenance, write_segment

SOURCES = {"cloudtrail": "aws_cloudtrail", "spans": "otel_genai", "decisions": "opa_decisions"}
OPTIONS = Options(hash_key=b"of a bench, not a secret")
SEED = 7
_ID_BYTES = 110
"""About the length of what an event's id is the hash of."""


def measure(workload: Workload, megabytes: float) -> dict[str, float]:
    """Microseconds a record of each stage, and below `libraries:` of each call that is not ours."""
    source = registry.sources()[SOURCES[workload.name]]
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        folder = Path(scratch) / "input"
        folder.mkdir()
        workload.write(folder, megabytes * workload.share, SEED)
        files = [gzip.decompress(path.read_bytes()) for path in sorted(folder.rglob("*.gz"))]
        _stages(source, files, Path(scratch) / "warm.parquet")
        return _stages(source, files, Path(scratch) / "segment.parquet")


def _stages(source: Source, files: list[bytes], path: Path) -> dict[str, float]:
    frames, split = _timed(lambda: [frame for data in files for frame in frames_of(data, None, source, OPTIONS)])
    _, meaning = _timed(lambda: [list(source.read(frame.value, OPTIONS)) for frame in frames])
    builder = RowBuilder(source, OPTIONS)
    _, rows = _timed(lambda: _add(builder, frames))
    batch, columns = _timed(builder.batch)
    _, written = _timed(lambda: _write(batch, path))
    seconds = {
        "split, decoded, written back": split,
        "meaning": meaning,
        "hash, details, keys and rows": rows - meaning,
        "secrets, ids, columns": columns,
        "Parquet": written,
    }
    return {name: round(value / len(frames) * 1e6, 1) for name, value in (seconds | _libraries(batch, written)).items()}


def _libraries(batch: Batch, written: float) -> dict[str, float]:
    """The calls that are left when Python costs nothing, over the same records."""
    raws = [raw.encode() for raw in batch.events["raw"].to_pylist()]
    decoder = msgspec.json.Decoder()
    values = [column.to_pylist() for column in batch.events]
    types = batch.events.schema.types
    key = hashlib.blake2b(key=OPTIONS.hash_key, digest_size=16)
    calls: dict[str, Callable[[], Any]] = {
        "decode": lambda: [None for raw in raws if decoder.decode(raw) is None],
        "keyed hash": lambda: [_keyed(key, raw) for raw in raws],
        "hash of the id": lambda: [hashlib.sha256(raw[:_ID_BYTES]).hexdigest() for raw in raws],
        "search for secrets": lambda: Redactor(OPTIONS).suspects(batch.events["raw"].cast(pa.large_string())),
        "columns to Arrow": lambda: [pa.array(column, kind) for column, kind in zip(values, types, strict=True)],
    }
    return {f"libraries: {name}": _timed(call)[1] for name, call in calls.items()} | {"libraries: Parquet": written}


def _add(builder: RowBuilder, frames: list[Frame]) -> None:
    for number, frame in enumerate(frames, 1):
        builder.add(number, frame)


def _keyed(key: hashlib.blake2b, raw: bytes) -> str:
    keyed = key.copy()
    keyed.update(raw)
    return keyed.hexdigest()


def _write(batch: Batch, path: Path) -> None:
    events = batch.events.append_column("file_id", pa.repeat("file", batch.events.num_rows))
    write_segment(path, [with_provenance([events], datetime.now(UTC))])


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    result = call()
    return result, time.process_time() - started


def draw(workload: Workload, measured: dict[str, float]) -> Table:
    """One line a stage, the sums at the end."""
    table = Table(title=f"{workload.title}: CPU microseconds a record")
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in (measured | sums(measured)).items():
        table.add_row(name, f"{value:.1f}")
    return table


def sums(measured: dict[str, float]) -> dict[str, float]:
    """Of the stages, and of the libraries alone."""
    of_libraries = sum(value for name, value in measured.items() if name.startswith("libraries: "))
    return {"all": round(sum(measured.values()) - of_libraries, 1), "libraries alone": round(of_libraries, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the time of a record goes.")
    parser.add_argument("--megabytes", type=float, default=100, help="CloudTrail before compression, in 10^6 bytes")
    parser.add_argument("--workload", choices=["all", *SOURCES], default="all")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    chosen = parser.parse_args()
    gc.disable()  # as in a load
    results = {
        workload.name: measure(workload, chosen.megabytes)
        for workload in WORKLOADS
        if chosen.workload in ("all", workload.name)
    }
    if chosen.json:
        sys.stdout.write(json.dumps({name: found | sums(found) for name, found in results.items()}) + "\n")
        return
    for workload in WORKLOADS:
        if workload.name in results:
            Console().print(draw(workload, results[workload.name]))


if __name__ == "__main__":
    main()
