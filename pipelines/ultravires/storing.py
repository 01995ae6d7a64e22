"""Events into the warehouse, each once, with the hours they touch; called inside the loader's transaction."""

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ultravires.asking import ask
from ultravires.engines.duckdb import DuckDBEngine
from ultravires.reference import network_namer
from ultravires.schema import EVENTS
from ultravires.settings import Settings
from ultravires.warehouse import ROW_GROUP_ROWS

_COLUMNS = ", ".join(EVENTS.names)


def store_events(engine: DuckDBEngine, settings: Settings, incoming: pa.Table) -> dict[str, int]:
    """Insert `incoming` (EVENTS) without what is stored already; returns new events by file_id."""
    return _store(engine, settings, incoming, multiple_of=1)[0]


def store_row_groups(engine: DuckDBEngine, settings: Settings, incoming: pa.Table) -> tuple[dict[str, int], pa.Table]:
    """As `store_events`, but only as many as fill whole row groups; the others come back.

    DuckDB compresses whole row groups while they are inserted. What is left of one it writes to its log first and
    compresses at the next checkpoint, with the rows that stand before it in its group.
    """
    return _store(engine, settings, incoming, multiple_of=ROW_GROUP_ROWS)


def _store(
    engine: DuckDBEngine, settings: Settings, incoming: pa.Table, multiple_of: int
) -> tuple[dict[str, int], pa.Table]:
    if not incoming.num_rows:
        return {}, incoming
    con = engine.con
    con.register("incoming", incoming.append_column("place", pa.array(np.arange(incoming.num_rows))))
    try:
        _name_networks(engine, settings)
        is_distinct = _distinct(con, incoming.num_rows)
        distinct = incoming if is_distinct.all() else incoming.filter(pa.array(is_distinct))
        count = distinct.num_rows - distinct.num_rows % multiple_of
        _put_back(con, count)
        return _insert(engine, distinct.slice(0, count)), distinct.slice(count)
    finally:
        con.unregister("incoming")


def rename_networks(engine: DuckDBEngine, settings: Settings) -> None:
    """Name every known address anew, after the configured networks changed."""
    con = engine.con
    addresses = [row[0] for row in con.execute("select src_ip from address_networks").fetchall()]
    con.execute("delete from address_networks")
    _insert_networks(engine, settings, addresses)
    engine.warehouse.bump("address_networks")


def _distinct(con: duckdb.DuckDBPyConnection, n_incoming: int) -> npt.NDArray[np.bool_]:
    """Which rows of `incoming` are to be stored. Leaves them in `arrived`, and in `standing` what stands of them."""
    # What is compared is narrow; the records themselves are moved once, by the insert.
    # Of two copies the native reader's beats a normalised one, then the smaller raw_hash.
    hours = ask(con, "select min(event_hour), max(event_hour) from incoming")
    assert hours is not None
    con.execute(
        """
        create or replace temp table arrived as
        select place, event_id, event_hour, file_id, is_copy, raw_hash from (
            select place, event_id, event_hour, file_id, source <> log as is_copy, raw_hash, row_number() over (
                partition by event_id order by source <> log, raw_hash, file_id, record_no) as nth
            from incoming
        ) where nth = 1
        """
    )
    # The literal range lets DuckDB skip all history outside it; a join alone reads everything.
    con.execute(
        f"""
        create or replace temp table standing as
        select event_id, source <> log as is_copy, raw_hash from events
        where event_hour between '{hours[0].isoformat()}'::timestamptz and '{hours[1].isoformat()}'::timestamptz
            and event_id in (select event_id from arrived)
        """
    )
    con.execute(
        """
        delete from arrived using standing
        where arrived.event_id = standing.event_id
            and (standing.is_copy, standing.raw_hash) <= (arrived.is_copy, arrived.raw_hash)
        """
    )
    is_distinct = np.zeros(n_incoming, dtype=bool)
    is_distinct[con.execute("select place from arrived").fetchnumpy()["place"]] = True
    return is_distinct


def _put_back(con: duckdb.DuckDBPyConnection, count: int) -> None:
    """Leave in `arrived` its first `count` rows by their place."""
    con.execute(
        "delete from arrived where place >= (select place from arrived order by place limit 1 offset ?)", [count]
    )


def _insert(engine: DuckDBEngine, events: pa.Table) -> dict[str, int]:
    """Insert what is in `arrived`, whose rows are `events`, for what stands of it; returns new events by file_id."""
    if not events.num_rows:
        return {}
    con = engine.con
    replaced = "select event_id from arrived join standing using (event_id)"
    con.execute(f"delete from events where event_id in ({replaced})")
    _insert_in_order(con, events)
    engine.touch_readers("events", "select distinct event_hour from arrived")
    engine.warehouse.bump("events")
    fresh = f"select file_id, count(*) from arrived where event_id not in ({replaced}) group by file_id"
    return {file_id: int(n) for file_id, n in con.execute(fresh).fetchall()}


def _insert_in_order(con: duckdb.DuckDBPyConnection, events: pa.Table) -> None:
    # In order, and in pieces as large as a row group, DuckDB compresses each of them on the way, and none again later.
    starts = range(0, events.num_rows, ROW_GROUP_ROWS)
    pieces = [events.slice(start, ROW_GROUP_ROWS).combine_chunks() for start in starts]
    con.register("row_groups", pa.concat_tables(pieces))
    con.execute("set preserve_insertion_order = true")
    try:
        con.execute(f"insert into events ({_COLUMNS}) select {_COLUMNS} from row_groups")
    finally:
        con.execute("set preserve_insertion_order = false")
        con.unregister("row_groups")


def _name_networks(engine: DuckDBEngine, settings: Settings) -> None:
    fresh = engine.con.execute(
        "select distinct src_ip from incoming "
        "where src_ip is not null and src_ip not in (select src_ip from address_networks)"
    ).fetchall()
    _insert_networks(engine, settings, [ip for (ip,) in fresh])


def _insert_networks(engine: DuckDBEngine, settings: Settings, addresses: list[str]) -> None:
    if not addresses:
        return
    name = network_namer(settings.networks)
    named = pa.table(
        {
            "src_ip": pa.array(addresses, pa.string()),
            "network": pa.array([name(ip) for ip in addresses], pa.string()),
        }
    )
    engine.con.register("named_networks", named)
    engine.con.execute("insert into address_networks select src_ip, network from named_networks")
    engine.con.unregister("named_networks")
