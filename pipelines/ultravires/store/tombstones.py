"""What a prune leaves behind: from when on the warehouse is complete, and who may not enter any more.

A tombstone says that everything before its `before_at` is gone on purpose. A record from before it that is delivered
later is counted as pruned and not stored. Until a run has rebuilt the tables and compared the findings after a prune,
its tombstone is not settled, and no new file is read: what changes in that run, the prune alone has changed.
"""

from datetime import datetime

import duckdb

from ultravires.store.queries import fetch_row


def newest_tombstone(con: duckdb.DuckDBPyConnection) -> datetime | None:
    """The time before which nothing is stored; None in a home that was never pruned."""
    row = fetch_row(con, "select max(before_at) from tombstones")
    return row[0] if row else None


def is_unsettled(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether a prune waits for the run that rebuilds the tables after it."""
    return fetch_row(con, "select 1 from tombstones where settled_at is null limit 1") is not None
