"""Segments: immutable Parquet files of events, each written once, by the process that read them.

Rows go through no other process and no other format: what a file holds is compressed where it was read, while its
records are still near. Nothing here knows the warehouse; `ultravires.store.segments` says which files and rows count.
"""

import os
from binascii import unhexlify
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ultravires.errors import RunError
from ultravires.schema import EVENTS, UTC_MICROS
from ultravires.store.event_content import content_digests, native_digests

SUFFIX = ".parquet"
ROW_GROUP_ROWS = 20_480
"""What a reader takes up at once, and what a rewrite holds in memory."""
_COMPRESSION = {"compression": "zstd", "compression_level": 1}
"""Of short records that follow each other, level 3 takes a third longer and makes nothing smaller."""
_MOSTLY_DISTINCT = frozenset(
    ("event_id", "native_id", "event_at", "record_no", "src_ip", "args_hash", "resource_uids", "raw", "raw_hash")
)
_OF_LISTS = {
    "resource_uids": ("resource_uids.list.element",),
    "keys": tuple(f"keys.list.element.{name}" for name in ("kind", "value", "role")),
}
_REPEATING = [path for name in EVENTS.names if name not in _MOSTLY_DISTINCT for path in _OF_LISTS.get(name, (name,))]
_ZONED = ["event_at", "event_hour", "source", "source_version"]
"""Columns by whose range a reader leaves row groups out."""

_HEX_CHARACTERS = 32

Kept = npt.NDArray[np.bool_]


class Written(NamedTuple):
    """A finished segment file, of n_bytes on disk.

    `index` has a row for each event, in their order: `id_high` and `id_low`, the two halves of its id; `rank`, smaller
    for the better of two copies; `content` and `native`, digests of what it says and of the vendor's id; `event_hour`
    and `file_id`. `addresses` are the different ones in `src_ip`.
    """

    path: Path
    n_rows: int
    n_bytes: int
    first_hour: datetime
    last_hour: datetime
    index: pa.Table
    addresses: pa.Array


def with_provenance(batches: Sequence[pa.RecordBatch], ingested_at: datetime) -> pa.Table:
    """Events as EVENTS, of batches in SOURCE_COLUMNS and `file_id`."""
    table = pa.Table.from_batches(batches)
    stamp = pa.repeat(pa.scalar(ingested_at, UTC_MICROS), table.num_rows)
    return table.append_column("ingested_at", stamp).select(EVENTS.names).cast(EVENTS)


def write_segment(path: Path, tables: Iterable[pa.Table]) -> Written:
    """Write events (EVENTS; at least one) to the new file `path`, readable by its owner only. All
    is on disk when it is synchronised.

    Raises RunError where the disk does not take it.
    """
    indexes, addresses = [], []
    with reporting_write_errors(path.parent):
        path.touch(mode=0o600, exist_ok=False)
        with pq.ParquetWriter(
            path, EVENTS, **_COMPRESSION, use_dictionary=_REPEATING, write_statistics=_ZONED, store_schema=False
        ) as writer:
            for table in tables:
                indexes.append(_index(table))
                addresses.append(table["src_ip"].unique())
                writer.write_table(table.cast(EVENTS), row_group_size=ROW_GROUP_ROWS)
    index = pa.concat_tables(indexes)
    hours = pc.min_max(index["event_hour"]).as_py()
    known = pa.chunked_array(addresses).unique().drop_null()
    return Written(path, index.num_rows, path.stat().st_size, hours["min"], hours["max"], index, known)


@contextmanager
def reporting_write_errors(folder: Path) -> Iterator[None]:
    """A disk that takes nothing any more is one line."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise RunError(f"{folder}: cannot be written ({reason}); make room there and run again") from error


def _index(table: pa.Table) -> pa.Table:
    ids = _halves(table["event_id"])
    is_reported = pc.equal(table["voice"], "reported").to_numpy().astype(np.uint64)
    is_copy = pc.not_equal(table["source"], table["log"]).to_numpy().astype(np.uint64)
    # Of two copies the recorded one beats what is only told, the native reader's a normalised one, then the smaller
    # raw_hash.
    ranks = is_reported << np.uint64(63) | is_copy << np.uint64(62) | _halves(table["raw_hash"])[:, 0] >> np.uint64(2)
    columns = {"id_high": ids[:, 0], "id_low": ids[:, 1], "rank": ranks, "event_hour": table["event_hour"]}
    columns |= {"content": content_digests(table), "native": native_digests(table)}
    return pa.table(columns | {"file_id": table["file_id"].dictionary_encode()})


def _halves(texts: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Texts of 32 hexadecimal characters as two numbers each."""
    whole = pa.concat_arrays(texts.chunks)
    _, offsets, characters = whole.buffers()
    bounds = np.frombuffer(offsets, np.int32)[: len(whole) + 1]
    if not (np.diff(bounds) == _HEX_CHARACTERS).all():
        raise ValueError(f"an id of an event has {_HEX_CHARACTERS} characters")
    data = unhexlify(memoryview(characters)[bounds[0] : bounds[-1]])
    return np.frombuffer(data, ">u8").astype(np.uint64).reshape(-1, 2)


def read_live_rows(kept: Iterable[tuple[Path, Kept | None]]) -> Iterator[pa.Table]:
    """What is kept of some segments (None: all), in row groups of the usual size where there is enough."""
    waiting: list[pa.Table] = []
    for path, mask in kept:
        first = 0
        with pq.ParquetFile(path) as file:
            for n in range(file.num_row_groups):
                table = file.read_row_group(n).cast(EVENTS)
                last = first + table.num_rows
                waiting.append(table if mask is None else table.filter(pa.array(mask[first:last])))
                first = last
                if sum(table.num_rows for table in waiting) >= ROW_GROUP_ROWS:
                    yield pa.concat_tables(waiting).combine_chunks()
                    waiting = []
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def sync_to_disk(path: Path) -> None:
    """Return when the file, or the names in the folder, would outlast a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
