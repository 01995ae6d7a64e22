"""Events into the warehouse, each once, with the hours they touch; called inside the loader's transaction.

The rows are in segment files already (`ultravires.store.segments`). Which of them count is decided here, by a few
narrow columns; the records themselves are not moved again.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.settings import Settings
from ultravires.store.networks import network_names
from ultravires.store.queries import count_rows, fetch_row, registered
from ultravires.store.segment_files import Written
from ultravires.store.segments import index_of

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Stored(NamedTuple):
    """By file_id: the events that are new, and those from before the tombstone, which are kept out."""

    new: Counter[str]
    pruned: Counter[str]


# Few events come twice. Nearly all others are told from them by half of their ids, which DuckDB does while it scans.
_STORED = """
create or replace temp table stored as
select segment, row_no, id_high, id_low, rank, content
from (from {stored_ids} semi join incoming using (id_low))
semi join incoming using (id_high, id_low)
anti join deleted_rows using (segment, row_no)
"""

# The same bytes are the same record, and of those that say the same the best stays: each content of an id once.
_RIVALS = """
create or replace temp table rivals as
with contested as (
    select id_high, id_low from incoming group by id_high, id_low having count(*) > 1
    union
    select id_high, id_low from stored
),
gathered as (
    select segment, row_no, id_high, id_low, rank, content, file_id, true as is_incoming
    from incoming semi join contested using (id_high, id_low)
    union all
    select segment, row_no, id_high, id_low, rank, content, null, false from stored
),
records as (
    select
        *,
        row_number() over (
            partition by id_high, id_low, rank order by is_incoming, file_id, row_no, segment) > 1 as is_repeated
    from gathered
)
select
    * exclude (is_repeated),
    is_repeated or row_number() over (
        partition by id_high, id_low, is_repeated, content order by rank, is_incoming, file_id, row_no, segment
    ) > 1 as is_out
from records
"""

_MIXED = """
create or replace temp table mixed as
select segment, row_no, id_high, id_low, (rank >> 62) & 1 = 1 as is_copy
from rivals
where not is_out
qualify min(is_copy) over (partition by id_high, id_low) <> max(is_copy) over (partition by id_high, id_low)
"""

# Mappings leave things out of a record, and add what they know of them. A copy that names no other actor and no other
# targets than a native record of its id tells the same; the record stands for it, so that what it adds proves nothing.
_CONFIRMED_COPIES = """
create or replace temp table confirmed as
with told as (
    select segment, row_no, id_high, id_low, is_copy, actor_uid, coalesce(resource_uids, []) as resource_uids
    from {rows} join mixed using (segment, row_no)
),
natives as (
    select id_high, id_low, bool_or(actor_uid is null) as is_of_nobody, bool_or(len(resource_uids) = 0) as has_no_target
    from told
    where not is_copy
    group by id_high, id_low
),
actors as (select distinct id_high, id_low, actor_uid from told where not is_copy),
targets as (select distinct id_high, id_low, unnest(resource_uids) as target from told where not is_copy),
of_same_targets as (
    select distinct segment, row_no
    from (select segment, row_no, id_high, id_low, unnest(resource_uids) as target from told where is_copy)
    semi join targets using (id_high, id_low, target)
)
select told.segment, told.row_no
from told
join natives using (id_high, id_low)
left join actors using (id_high, id_low, actor_uid)
left join of_same_targets
    on of_same_targets.segment = told.segment and of_same_targets.row_no = told.row_no
where told.is_copy
    and (told.actor_uid is null or natives.is_of_nobody or actors.id_low is not null)
    and (len(told.resource_uids) = 0 or natives.has_no_target or of_same_targets.segment is not null)
"""

_DISAGREEING = """(
    select id_high, id_low from rivals where not is_out group by id_high, id_low having count(*) > 1
)"""

_HOURS = """
create or replace temp table new_hours as
select distinct event_hour
from incoming anti join (select segment, row_no from rivals where is_out) using (segment, row_no)
"""

# Of one id, what comes takes first the places of what goes; the file that had those keeps them in its count.
_PLACES = """
create or replace temp table places as
select
    segment, row_no, file_id, is_incoming,
    row_number() over (partition by id_high, id_low, is_incoming order by rank, content, segment, row_no)
        <= least(
            count(*) filter (where is_incoming) over (partition by id_high, id_low),
            count(*) filter (where not is_incoming) over (partition by id_high, id_low)) as is_taken
from rivals
where is_incoming <> is_out
"""

_NEW = """
select file_id, n_incoming - coalesce(n_known, 0)
from (select file_id, count(*) as n_incoming from incoming group by file_id)
left join (
    select rivals.file_id, count(*) as n_known
    from rivals left join places using (segment, row_no)
    where rivals.is_incoming and (rivals.is_out or places.is_taken)
    group by rivals.file_id
) using (file_id)
"""

# Two copies were two events, until a record came that confirmed both.
_LOST = """
create or replace temp table lost_places as
select file_id, count(*) as n
from {rows} semi join (from places where not is_incoming and not is_taken) using (segment, row_no)
group by file_id
"""
_BOOK_LOST = """
update files set n_events = n_events - n, n_duplicates = n_duplicates + n
from lost_places
where lost_places.file_id = files.file_id
"""
_LOST_OF_OPEN_FILES = "select file_id, n from lost_places anti join files using (file_id)"


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
    segments.name_variants(_DISAGREEING)
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
    """Take out the rows of an event that say nothing else than a better one, in `incoming` and of those stored."""
    con, segments = engine.con, engine.warehouse.segments
    hours = fetch_row(con, "select min(event_hour), max(event_hour) from incoming")
    assert hours is not None
    first, last = hours if hours[0] is not None else (_NEVER, _NEVER)
    con.execute(_STORED.format(stored_ids=segments.stored_ids(first, last)))
    con.execute(_RIVALS)
    _mark_confirmed_copies(engine)
    segments.mark_deleted("rivals where is_out")
    con.execute(_HOURS)
    if count_rows(con, "new_hours"):
        engine.touch_readers("events", "select event_hour from new_hours")
        engine.warehouse.bump_version("events")
    con.execute(_PLACES)
    new = Counter({file_id: n for file_id, n in con.execute(_NEW).fetchall() if n})
    _book_lost_places(engine, new)
    return new


def _mark_confirmed_copies(engine: DuckDBEngine) -> None:
    con = engine.con
    con.execute(_MIXED)
    if count_rows(con, "mixed"):
        con.execute(_CONFIRMED_COPIES.format(rows=_rows_of(engine, "mixed")))
        con.execute(
            "update rivals set is_out = true where (segment, row_no) in (select segment, row_no from confirmed)"
        )


def _book_lost_places(engine: DuckDBEngine, new: Counter[str]) -> None:
    """Stored rows that went, without another one in their place, count for their files no more."""
    con = engine.con
    if fetch_row(con, "select 1 from places where not is_incoming and not is_taken limit 1"):
        con.execute(_LOST.format(rows=_rows_of(engine, "places")))
        con.execute(_BOOK_LOST)
        new.subtract(dict(con.execute(_LOST_OF_OPEN_FILES).fetchall()))


def _rows_of(engine: DuckDBEngine, table: str) -> str:
    """SQL of a table: all rows of the files that hold some of `table`."""
    names = [name for (name,) in engine.con.execute(f"select distinct segment from {table} order by 1").fetchall()]
    return engine.warehouse.segments.rows(engine.warehouse.segments.folder / name for name in names)


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
