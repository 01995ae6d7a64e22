"""Events into the warehouse, each once, with the hours they touch; called inside the loader's transaction."""

import pyarrow as pa

from ultravires.asking import ask
from ultravires.engines.duckdb import DuckDBEngine
from ultravires.reference import network_namer
from ultravires.schema import EVENTS
from ultravires.settings import Settings

_COLUMNS = ", ".join(EVENTS.names)


def store_events(engine: DuckDBEngine, settings: Settings, incoming: pa.Table) -> dict[str, int]:
    """Insert `incoming` (EVENTS) without what is stored already; returns new events by file_id."""
    engine.con.register("incoming", incoming)
    try:
        _name_networks(engine, settings)
        return _store_distinct(engine)
    finally:
        engine.con.unregister("incoming")


def rename_networks(engine: DuckDBEngine, settings: Settings) -> None:
    """Name every known address anew, after the configured networks changed."""
    con = engine.con
    addresses = [row[0] for row in con.execute("select src_ip from address_networks").fetchall()]
    con.execute("delete from address_networks")
    _insert_networks(engine, settings, addresses)
    engine.warehouse.bump("address_networks")


def _store_distinct(engine: DuckDBEngine) -> dict[str, int]:
    # Of two copies the native reader's beats a normalised one, then the smaller raw_hash.
    con = engine.con
    hours = ask(con, "select min(event_hour), max(event_hour) from incoming")
    assert hours is not None
    con.execute(
        f"""
        create or replace temp table arrived as
        select {_COLUMNS} from (
            select *, row_number() over (
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
            and (standing.is_copy, standing.raw_hash) <= (arrived.source <> arrived.log, arrived.raw_hash)
        """
    )
    replaced = "select event_id from arrived join standing using (event_id)"
    con.execute(f"delete from events where event_id in ({replaced})")
    con.execute(f"insert into events ({_COLUMNS}) select {_COLUMNS} from arrived")
    engine.touch_readers("events", "select distinct event_hour from arrived")
    stored = ask(con, "select count(*) from arrived")
    if stored is not None and stored[0]:
        engine.warehouse.bump("events")
    fresh = f"select file_id, count(*) from arrived where event_id not in ({replaced}) group by file_id"
    return {file_id: int(n) for file_id, n in con.execute(fresh).fetchall()}


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
