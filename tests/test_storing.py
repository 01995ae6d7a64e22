"""Events are stored once: within a batch, across files, across runs, whichever copy comes first."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from ultravires.engines.duckdb import DuckDBEngine
from ultravires.pipeline import hourly_tables
from ultravires.schema import EVENTS
from ultravires.settings import Settings
from ultravires.storing import store_events
from ultravires.warehouse import open_warehouse

AT = datetime(2026, 10, 5, 8, 30, tzinfo=UTC)


def rows(*changes: dict[str, object]) -> pa.Table:
    """Events that differ from a plain one only by `changes`."""
    plain = {
        "event_id": "e1", "log": "aws_cloudtrail", "source": "aws_cloudtrail", "native_id": "n1", "source_version": 1,
        "event_at": AT, "event_hour": AT.replace(minute=0), "ingested_at": AT, "file_id": "f1", "record_no": 0,
        "kind": "activity", "class_uid": 6003, "activity_id": 1, "raw": "{}", "raw_hash": "b", "src_ip": "192.0.2.7",
    }  # fmt: skip
    return pa.Table.from_pylist([{**plain, **change} for change in changes], schema=EVENTS)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    with open_warehouse(tmp_path) as warehouse:
        yield DuckDBEngine(warehouse, hourly_tables())


def store(engine: DuckDBEngine, *changes: dict[str, object]) -> dict[str, int]:
    with engine.warehouse.transaction():
        return store_events(engine, Settings(), rows(*changes))


def stored(engine: DuckDBEngine) -> list[tuple[str, str, str]]:
    return engine.con.execute("select event_id, source, raw_hash from events order by all").fetchall()


def test_a_record_delivered_twice_is_one_event(engine: DuckDBEngine) -> None:
    """In one batch and again in the next."""
    assert store(engine, {}, {"file_id": "f2"}) == {"f1": 1}
    assert store(engine, {"file_id": "f3"}) == {}
    assert stored(engine) == [("e1", "aws_cloudtrail", "b")]


@pytest.mark.parametrize("is_copy_first", [True, False])
def test_the_native_record_beats_a_normalised_copy(engine: DuckDBEngine, is_copy_first: bool) -> None:
    """Whichever of the two arrives first, and though the copy's hash is smaller."""
    copy, native = {"source": "ocsf_json", "raw_hash": "a"}, {}
    for change in (copy, native) if is_copy_first else (native, copy):
        store(engine, change)
    assert stored(engine) == [("e1", "aws_cloudtrail", "b")]


@pytest.mark.parametrize("hashes", [("a", "b"), ("b", "a")])
def test_of_two_native_records_the_smaller_hash_stays(engine: DuckDBEngine, hashes: tuple[str, str]) -> None:
    """The order of arrival does not decide."""
    for value in hashes:
        store(engine, {"raw_hash": value})
    assert stored(engine) == [("e1", "aws_cloudtrail", "a")]


def test_new_events_touch_their_hours_for_every_reader(engine: DuckDBEngine) -> None:
    """The queue names each hourly table that reads events; a duplicate touches nothing."""
    store(engine, {})
    touched = engine.con.execute("select table_name, event_hour from touched").fetchall()
    readers = {name for name, table in hourly_tables().items() if "events" in table.inputs}
    assert {name for name, _ in touched} == readers
    engine.con.execute("delete from touched")
    store(engine, {})
    assert engine.con.execute("select count(*) from touched").fetchall() == [(0,)]


def test_an_address_gets_its_zone_or_its_neighbourhood(engine: DuckDBEngine) -> None:
    """A configured zone, else /24 or /48; what is no address has no network."""
    settings = Settings(networks={"office": ("192.0.2.0/25",)})
    with engine.warehouse.transaction():
        addresses = ("192.0.2.7", "192.0.2.200", "2001:db8:1:2::3", "AWS Internal")
        changes = [{"event_id": ip, "src_ip": ip} for ip in addresses]
        store_events(engine, settings, rows(*changes))
    named = dict(engine.con.execute("select src_ip, network from address_networks").fetchall())
    assert named == {
        "192.0.2.7": "office",
        "192.0.2.200": "192.0.2.0/24",
        "2001:db8:1:2::3": "2001:db8:1::/48",
        "AWS Internal": None,
    }
