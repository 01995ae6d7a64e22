"""Events are stored once: within a batch, across files, across runs, whichever copy comes first."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.errors import RunError
from ultravires.schema import EVENTS
from ultravires.settings import Settings
from ultravires.store.deduplicate import store_events
from ultravires.store.warehouse import open_warehouse

AT = datetime(2026, 10, 5, 8, 30, tzinfo=UTC)


def hexed(name: str) -> str:
    """A short name as an id or a hash, which are 32 hexadecimal characters; in the order of the names."""
    return name.encode().hex().ljust(32, "0")


def named(value: str) -> str:
    return bytes.fromhex(value).rstrip(b"\0").decode()


def rows(*changes: dict[str, object]) -> pa.Table:
    """Events that differ from a plain one only by `changes`."""
    plain = {
        "event_id": "e1", "log": "aws_cloudtrail", "source": "aws_cloudtrail", "native_id": "n1", "source_version": 1,
        "voice": "recorded", "event_at": AT, "event_hour": AT.replace(minute=0), "ingested_at": AT, "file_id": "f1",
        "record_no": 0, "kind": "activity", "class_uid": 6003, "activity_id": 1, "raw": "{}", "raw_hash": "b",
        "src_ip": "192.0.2.7",
    }  # fmt: skip
    changed = [{**plain, **change} for change in changes]
    ids = [{name: hexed(str(row[name])) for name in ("event_id", "raw_hash")} for row in changed]
    return pa.Table.from_pylist([row | of_row for row, of_row in zip(changed, ids, strict=True)], schema=EVENTS)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    with open_warehouse(tmp_path) as warehouse:
        yield DuckDBEngine(warehouse, hourly_tables())


def store(engine: DuckDBEngine, *changes: dict[str, object]) -> Counter[str]:
    with engine.warehouse.transaction():
        return store_events(engine, Settings(), rows(*changes)).new


def stored(engine: DuckDBEngine) -> list[tuple[str, str, str]]:
    found = engine.con.execute("select event_id, source, raw_hash from events order by all").fetchall()
    return [(named(event_id), source, named(raw_hash)) for event_id, source, raw_hash in found]


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


@pytest.mark.parametrize("is_forged_first", [True, False])
def test_another_content_under_a_known_id_is_an_event_of_its_own(engine: DuckDBEngine, is_forged_first: bool) -> None:
    """Whichever comes first, the one with the smaller hash bears the id, and the other an id of its content."""
    genuine, forged = {"actor_uid": "mallory", "file_id": "f1"}, {"actor_uid": "bob", "file_id": "f2", "raw_hash": "a"}
    counts = Counter[str]()
    for change in (forged, genuine) if is_forged_first else (genuine, forged):
        counts.update(store(engine, change))
    assert counts == {"f1": 1, "f2": 1}
    found = engine.con.execute("select event_id, actor_uid from events order by actor_uid").fetchall()
    assert [actor for _, actor in found] == ["bob", "mallory"]
    assert found[0][0] == hexed("e1") != found[1][0]
    assert store(engine, genuine, forged) == {}


def test_a_copy_that_says_less_is_no_event_and_one_that_says_otherwise_is(engine: DuckDBEngine) -> None:
    """Copies that no record confirms both stand, until one comes that does."""
    native = {"actor_uid": "mallory", "resource_uids": ["key", "bucket"]}
    less = {"source": "ocsf", "resource_uids": ["bucket"], "raw_hash": "c", "file_id": "f2"}
    least = {"source": "ocsf", "raw_hash": "d", "file_id": "f3"}
    other = {"source": "ocsf", "actor_uid": "bob", "raw_hash": "e", "file_id": "f4"}
    counts = Counter[str]()
    for change in (less, least, other):
        counts.update(store(engine, change))
    assert len(told(engine)) == 3
    counts.update(store(engine, native))
    found = engine.con.execute("select source, actor_uid from events order by all").fetchall()
    assert found == [("aws_cloudtrail", "mallory"), ("ocsf", "bob")]
    assert counts.total() == 2
    assert store(engine, less, least, other, native).total() == 0
    assert engine.con.execute("select actor_uid from events where event_id = ?", [hexed("e1")]).fetchall() == [
        ("mallory",)
    ]


ARRIVING = st.lists(
    st.builds(
        lambda number, file, source, raw_hash, actor: {
            "event_id": f"e{number}", "file_id": file, "source": source, "record_no": number,
            # The same bytes say the same.
            "raw_hash": raw_hash + actor, "actor_uid": actor or None, "resource_uids": ["r"] if raw_hash == "x" else [],
        },
        st.integers(0, 3), st.sampled_from("ab"), st.sampled_from(("aws_cloudtrail", "ocsf")), st.sampled_from("xyz"),
        st.sampled_from(("", "bob", "eve")),
    ),
    max_size=25,
)  # fmt: skip


def told(engine: DuckDBEngine) -> list[tuple[object, ...]]:
    return engine.con.execute(
        "select event_id, source, raw_hash, actor_uid, resource_uids from events order by all"
    ).fetchall()


@trying(max_examples=25, deadline=None)
@given(ARRIVING, st.integers(1, 7), st.randoms())
def test_events_stored_in_parts_are_those_stored_at_once(
    tmp_path_factory: pytest.TempPathFactory, arriving: list[dict[str, object]], flush: int, random: Random
) -> None:
    """Of one transaction, whose parts see what those before them stored; counted once a file; in any order, with
    records among them that disagree.
    """
    with open_warehouse(tmp_path_factory.mktemp("home")) as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        counts = Counter[str]()
        with warehouse.transaction():
            for start in range(0, len(arriving), flush):
                counts.update(store_events(engine, Settings(), rows(*arriving[start : start + flush])).new)
        by_parts = told(engine)
        assert counts.total() == len(by_parts) == len({row[0] for row in by_parts})
        assert {hexed(str(row["event_id"])) for row in arriving} <= {row[0] for row in by_parts}
        warehouse.segments.compact()
        assert by_parts == told(engine)
        engine.con.execute("delete from event_segments; delete from deleted_rows; delete from event_ids")
        engine.con.execute("delete from row_variants")
        if arriving:
            random.shuffle(arriving)
            store(engine, *arriving)
        assert by_parts == told(engine)


def test_a_home_of_the_sixth_schema_gets_what_its_ids_say(tmp_path: Path) -> None:
    """By its segments; what comes then is told from what it holds."""
    ids = "select * from event_ids order by all"
    genuine = {"actor_uid": "mallory", "keys": [{"kind": "ticket", "value": "T-1", "role": "carries"}]}
    with open_warehouse(tmp_path) as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        store(engine, genuine, {"event_id": "e2", "resource_uids": ["a", "b"]})
        store(engine, {"event_id": "e3", "native_id": "n3"})
        before = warehouse.con.execute(ids).fetchall()
        for column in ("content", "native"):
            warehouse.con.execute(f"alter table event_ids drop column {column}")
        warehouse.con.execute("drop table row_variants; update warehouse_schema set version = 6")
    with open_warehouse(tmp_path) as warehouse:
        assert warehouse.con.execute(ids).fetchall() == before
        engine = DuckDBEngine(warehouse, hourly_tables())
        assert store(engine, genuine) == {}
        assert store(engine, {**genuine, "actor_uid": "bob", "raw_hash": "a"}) == {"f1": 1}


def test_a_rewritten_segment_keeps_the_ids_of_variants(engine: DuckDBEngine) -> None:
    """Also where the one that bore the shared id goes."""
    store(engine, *({"actor_uid": actor, "raw_hash": actor} for actor in ("ann", "bob", "eve")))
    before = told(engine)
    with engine.warehouse.transaction():
        engine.warehouse.segments.mark_deleted("(select segment, row_no from event_ids where row_no = 0)")
        engine.warehouse.segments.rewrite_without_deleted()
    after = told(engine)
    assert sorted(actor for _, _, _, actor, _ in after) == ["bob", "eve"]
    assert [event_id for event_id, *_, actor, _ in after if actor == "bob"] == [hexed("e1")]
    assert [row for row in after if row[3] == "eve"] == [row for row in before if row[3] == "eve"]


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


def test_what_a_tombstone_keeps_out_leaves_nothing(engine: DuckDBEngine) -> None:
    """Neither an event, nor its record in a file, nor its address; what is younger, and in the same file, stays."""
    late = {
        "event_id": "old",
        "event_at": AT - timedelta(days=1),
        "event_hour": AT.replace(minute=0) - timedelta(days=1),
    }
    with engine.warehouse.transaction():
        table = rows({}, {**late, "src_ip": "198.51.100.9"}, {**late, "event_id": "e2", "file_id": "f2"})
        result = store_events(engine, Settings(), table, before=AT - timedelta(hours=1))
    engine.warehouse.segments.delete_orphans()
    assert (result.new, result.pruned) == ({"f1": 1}, {"f1": 1, "f2": 1})
    assert [event_id for event_id, _, _ in stored(engine)] == ["e1"]
    assert engine.con.execute("select src_ip from address_networks").fetchall() == [("192.0.2.7",)]
    (left,) = (engine.warehouse.home / "events").iterdir()
    assert pq.ParquetFile(left).metadata.num_rows == 1
    with engine.warehouse.transaction():
        store_events(engine, Settings(), rows({**late, "file_id": "f3"}), before=AT)
    engine.warehouse.segments.delete_orphans()
    assert [*(engine.warehouse.home / "events").iterdir()] == [left]


def test_what_memory_cannot_hold_spills_beside_the_warehouse(tmp_path: Path) -> None:
    """Not into the folder that somebody happened to start in."""
    with open_warehouse(tmp_path / "it's home") as warehouse:
        setting = "select value from duckdb_settings() where name = 'temp_directory'"
        assert warehouse.con.execute(setting).fetchall() == [(str(tmp_path / "it's home" / "warehouse.duckdb.tmp"),)]


@pytest.mark.parametrize("content", [b"SQLite format 3\x00" + bytes(4096), b"junk" * 3000])
def test_a_file_of_another_kind_in_the_warehouse_s_place_is_named(tmp_path: Path, content: bytes) -> None:
    """One line, and the file stays as it is; no extension is fetched for it."""
    (tmp_path / "warehouse.duckdb").write_bytes(content)
    with pytest.raises(RunError, match=r"cannot open the warehouse.*move it away"), open_warehouse(tmp_path):
        pass
    assert (tmp_path / "warehouse.duckdb").read_bytes() == content
