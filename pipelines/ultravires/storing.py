"""Events into the warehouse, each once, with the hours they touch; called inside the loader's transaction.

The rows are in segment files already (`ultravires.segments`). What is decided here is which of them count, by a few
narrow columns; the records themselves are not moved again.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from ultravires.asking import ask
from ultravires.engines.duckdb import DuckDBEngine
from ultravires.reading.segment_files import Written
from ultravires.reference import network_names
from ultravires.settings import Settings


class Stored(NamedTuple):
    """By file_id: the events that are new, and those from before the tombstone, which are kept out."""

    new: Counter[str]
    pruned: Counter[str]


_INCOMING = """
create or replace temp table incoming as
select path, row_no, event_id, event_at, event_hour, file_id, record_no, source <> log as is_copy, raw_hash, src_ip
from {rows}
"""

# Of two copies the native reader's beats a normalised one, then the smaller raw_hash.
_STRUCK = """
create or replace temp table struck as
select path, row_no from (
    select
        path, row_no,
        row_number() over (
            partition by event_id order by is_copy, raw_hash, file_id, record_no, path, row_no) as nth
    from incoming
    where event_id in (select event_id from incoming group by event_id having count(*) > 1)
) where nth > 1
"""

_STANDING = """
create or replace temp table standing as
select path, row_no, event_id, source <> log as is_copy, raw_hash
from {living}
where event_id in (select event_id from incoming)
"""

_STRIKE_INCOMING = """
insert into struck
select incoming.path, incoming.row_no
from incoming join standing using (event_id)
where (standing.is_copy, standing.raw_hash) <= (incoming.is_copy, incoming.raw_hash)
"""

_ARRIVED = """
create or replace temp table arrived as
select incoming.event_id, incoming.event_hour, incoming.file_id
from incoming anti join struck using (path, row_no)
"""

_REPLACED = """
create or replace temp table replaced as
from standing where event_id in (select event_id from arrived)
"""

_NEW = """
select file_id, count(*) from arrived where event_id not in (select event_id from replaced) group by file_id
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
    con.execute(_INCOMING.format(rows=segments.rows(one.path for one in written)))
    pruned = _keep_out(engine, before)
    _name_networks(engine, settings)
    new = _distinct(engine)
    segments.add(written)
    if pruned:
        segments.rewrite_struck(one.path.name for one in written)
    segments.show()
    return Stored(new, pruned)


def rename_networks(engine: DuckDBEngine, settings: Settings) -> None:
    """Name every known address anew, after the configured networks changed."""
    con = engine.con
    con.execute("create or replace temp table known_addresses as select src_ip from address_networks")
    con.execute("delete from address_networks")
    _insert_networks(engine, settings, "from known_addresses")
    engine.warehouse.bump("address_networks")


def _keep_out(engine: DuckDBEngine, before: datetime | None) -> Counter[str]:
    """Strike what is from before the tombstone."""
    if before is None:
        return Counter()
    late = f"incoming where event_at < '{before.isoformat()}'::timestamptz"
    pruned = Counter(dict(engine.con.execute(f"select file_id, count(*) from {late} group by file_id").fetchall()))
    if pruned:
        engine.warehouse.segments.strike(late)
        engine.con.execute(f"delete from {late}")
    return pruned


def _distinct(engine: DuckDBEngine) -> Counter[str]:
    """Strike every row of `incoming` but the best of each event, and the stored ones that are worse than it."""
    con, segments = engine.con, engine.warehouse.segments
    hours = ask(con, "select min(event_hour), max(event_hour) from incoming")
    if hours is None or hours[0] is None:
        return Counter()
    con.execute(_STRUCK)
    con.execute(_STANDING.format(living=segments.living_between(*hours)))
    con.execute(_STRIKE_INCOMING)
    con.execute(_ARRIVED)
    con.execute(_REPLACED)
    segments.strike("struck")
    segments.strike("replaced")
    n_arrived = ask(con, "select count(*) from arrived")
    if n_arrived and n_arrived[0]:
        engine.touch_readers("events", "select distinct event_hour from arrived")
        engine.warehouse.bump("events")
    return Counter(dict(con.execute(_NEW).fetchall()))


def _name_networks(engine: DuckDBEngine, settings: Settings) -> None:
    _insert_networks(
        engine,
        settings,
        "select distinct src_ip from incoming "
        "where src_ip is not null and src_ip not in (select src_ip from address_networks)",
    )


def _insert_networks(engine: DuckDBEngine, settings: Settings, addresses: str) -> None:
    """Name the addresses that this SQL selects."""
    con = engine.con
    found = con.sql(addresses).to_arrow_table()["src_ip"].combine_chunks()
    if not len(found):
        return
    con.register("named_networks", pa.table({"src_ip": found, "network": network_names(settings.networks, found)}))
    con.execute("insert into address_networks select src_ip, network from named_networks")
    con.unregister("named_networks")
