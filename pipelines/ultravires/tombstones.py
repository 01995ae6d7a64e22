"""What a prune leaves behind: from when on the warehouse is complete, and who may not enter any more.

A tombstone says that everything before its `before_at` is gone on purpose. A record from before it that is delivered
later is counted as pruned and not stored. Until a run has rebuilt the tables and compared the findings after a prune,
its tombstone is not settled, and no new file is read: what changes in that run, the prune alone has changed.
"""

from collections import Counter
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.asking import ask
from ultravires.schema import UTC_MICROS


def newest_tombstone(con: duckdb.DuckDBPyConnection) -> datetime | None:
    """The time before which nothing is stored; None in a home that was never pruned."""
    row = ask(con, "select max(before_at) from tombstones")
    return row[0] if row else None


def is_unsettled(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether a prune waits for the run that rebuilds the tables after it."""
    return ask(con, "select 1 from tombstones where settled_at is null limit 1") is not None


def without_pruned(events: pa.Table, before: datetime | None) -> tuple[pa.Table, Counter[str]]:
    """The rows of `events` that a tombstone at `before` lets in, and how many it keeps out, by file_id."""
    if before is None:
        return events, Counter()
    is_late = pc.less(events["event_at"], pa.scalar(before, UTC_MICROS))
    refused = Counter(events["file_id"].filter(is_late).to_pylist())
    return (events.filter(pc.invert(is_late)), refused) if refused else (events, refused)
