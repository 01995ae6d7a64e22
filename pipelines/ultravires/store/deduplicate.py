"""Events into the warehouse, each once, with the hours they touch; called inside the loader's transaction.

The rows are in segment files already (`ultravires.store.segments`). Which of them count is decided here, by a few
narrow columns; the records themselves are not moved again.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.settings import Settings
from ultravires.store.networks import network_names
from ultravires.store.queries import count_rows, fetch_row, registered
from ultravires.store.segment_files import Written
from ultravires.store.segments import index_of


class Stored(NamedTuple):
    """By file_id: the events that are new, and those from before the tombstone, which are kept out."""

    new: Counter[str]
    pruned: Counter[str]


# Few events come twice. Nearly all others are told from them by half of their ids, which DuckDB does while it scans.
_STORED = """
create or replace temp table stored as
select segment, row_no, id_high, id_low, rank
from (from {stored_ids} semi join incoming using (id_low))
semi join incoming using (id_high, id_low)
anti join deleted_rows using (segment, row_no)
"""

# Of two copies that are as good, the one that was first.
_RIVALS = """
create or replace temp table rivals as
with contested as (
    select id_high, id_low from incoming group by id_high, id_low having count(*) > 1
    union
    select id_high, id_low from stored
)
select
    segment, row_no, file_id, is_incoming,
    row_number() over (
        partition by id_high, id_low order by rank, is_incoming, file_id, row_no, segment) as place,
    bool_and(is_incoming) over (partition by id_high, id_low) as is_new
from (
    select segment, row_no, id_high, id_low, rank, file_id, true as is_incoming
    from incoming semi join contested using (id_high, id_low)
    union all
    select segment, row_no, id_high, id_low, rank, null, false from stored
)
"""

_HOURS = """
create or replace temp table new_hours as
select distinct event_hour
from incoming anti join (select segment, row_no from rivals where place > 1) using (segment, row_no)
"""

_NEW = """
select file_id, n_incoming - coalesce(n_known, 0)
from (select file_id, count(*) as n_incoming from incoming group by file_id)
left join (
    select file_id, count(*) as n_known from rivals where is_incoming and (place > 1 or not is_new) group by file_id
) using (file_id)
"""


def store_events(
    engine: DuckDBEngine, settings: Settings, incoming: pa.Table, *, before: datetime | None = None
) -> Stored:
    """Store `incoming` (EVENTS) as `store_segments` does."""
    if not incoming.num_rows:
        return Stored(Counter(), Counter())
    written = engine.warehouse.segments.write([incoming])
    return store_segments(engine, settings, [written], before=before)


def store_segments(
    engine: DuckDBEngine, settings: Settings, written: Sequence[Written], *, before: datetime | None
) -> Stored:
    """Let the events of some new segments count: without what is stored already, and what a tombstone keeps out."""
    con, segments = engine.con, engine.warehouse.segments
    with registered(con, "index_of_written", index_of(written)):
        con.execute("create or replace temp table incoming as from index_of_written")
    paths = [one.path for one in written]
    pruned = _keep_out(engine, paths, before)
    new = _distinct(engine)
    addresses = pa.chunked_array([one.addresses for one in written]).unique()
    segments.add(written)
    if pruned:
        of_live_rows = f"select distinct src_ip from {segments.live_rows(paths)} where src_ip is not null"
        addresses = con.sql(of_live_rows).to_arrow_table()["src_ip"].combine_chunks()
        segments.rewrite_without_deleted(path.name for path in paths)
    segments.refresh_view()
    _name_networks(engine, settings, addresses)
    return Stored(new, pruned)


def rename_networks(engine: DuckDBEngine, settings: Settings) -> None:
    """Name every known address anew, after the configured networks changed."""
    addresses = engine.con.sql("select src_ip from address_networks").to_arrow_table()["src_ip"].combine_chunks()
    engine.con.execute("delete from address_networks")
    _name_networks(engine, settings, addresses)
    engine.warehouse.bump_version("address_networks")


def _keep_out(engine: DuckDBEngine, paths: Sequence[Path], before: datetime | None) -> Counter[str]:
    """Strike what is from before the tombstone."""
    if before is None:
        return Counter()
    con, segments = engine.con, engine.warehouse.segments
    con.execute(
        "create or replace temp table late as "
        f"select segment, row_no, file_id from {segments.rows(paths)} where event_at < $before",
        {"before": before},
    )
    segments.mark_deleted("late")
    con.execute("delete from incoming where (segment, row_no) in (select segment, row_no from late)")
    return Counter(dict(con.execute("select file_id, count(*) from late group by file_id").fetchall()))


def _distinct(engine: DuckDBEngine) -> Counter[str]:
    """Strike all rows of an event but the best, of those in `incoming` and those that are stored."""
    con, segments = engine.con, engine.warehouse.segments
    hours = fetch_row(con, "select min(event_hour), max(event_hour) from incoming")
    if hours is None or hours[0] is None:
        return Counter()
    con.execute(_STORED.format(stored_ids=segments.stored_ids(*hours)))
    con.execute(_RIVALS)
    segments.mark_deleted("rivals where place > 1")
    con.execute(_HOURS)
    if count_rows(con, "new_hours"):
        engine.touch_readers("events", "select event_hour from new_hours")
        engine.warehouse.bump_version("events")
    return Counter({file_id: n for file_id, n in con.execute(_NEW).fetchall() if n})


def _name_networks(engine: DuckDBEngine, settings: Settings, addresses: pa.Array) -> None:
    """Name the networks of those addresses that were not seen before."""
    with registered(engine.con, "addresses", pa.table({"src_ip": addresses})):
        unknown = "select src_ip from addresses where src_ip not in (select src_ip from address_networks)"
        found = engine.con.sql(unknown).to_arrow_table()["src_ip"].combine_chunks()
    if not len(found):
        return
    named = pa.table({"src_ip": found, "network": network_names(settings.networks, found)})
    with registered(engine.con, "named_networks", named):
        engine.con.execute("insert into address_networks select src_ip, network from named_networks")
