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

_COLUMNS = ", ".join(EVENTS.names)


def store_events(engine: DuckDBEngine, settings: Settings, incoming: pa.Table) -> dict[str, int]:
    """Insert `incoming` (EVENTS) without what is stored already; returns new events by file_id."""
    if not incoming.num_rows:
        return {}
    con = engine.con
    con.register("incoming", incoming.append_column("place", pa.array(np.arange(incoming.num_rows))))
    try:
        _name_networks(engine, settings)
        return _insert(engine, incoming, _distinct(con, incoming.num_rows))
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


def _insert(engine: DuckDBEngine, incoming: pa.Table, is_distinct: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Insert what is in `arrived` for what stands of it; returns new events by file_id."""
    if not is_distinct.any():
        return {}
    con = engine.con
    replaced = "select event_id from arrived join standing using (event_id)"
    con.execute(f"delete from events where event_id in ({replaced})")
    _insert_rows(con, incoming, is_distinct)
    engine.touch_readers("events", "select distinct event_hour from arrived")
    engine.warehouse.bump("events")
    fresh = f"select file_id, count(*) from arrived where event_id not in ({replaced}) group by file_id"
    return {file_id: int(n) for file_id, n in con.execute(fresh).fetchall()}


def _insert_rows(con: duckdb.DuckDBPyConnection, incoming: pa.Table, is_distinct: npt.NDArray[np.bool_]) -> None:
    # `+ 0` keeps the filter from Arrow, which would copy every row that it leaves.
    con.register("marked", incoming.append_column("mark", pa.array(is_distinct.view(np.int8))))
    try:
        con.execute(f"insert into events ({_COLUMNS}) select {_COLUMNS} from marked where mark + 0 = 1")
    finally:
        con.unregister("marked")


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
