"""Files of events: what counts of them, that they stay few, and that nothing is left of what was deleted."""

import resource
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st
from ultravires.errors import RunError, UsageError
from ultravires.schema import EVENTS
from ultravires.store.queries import transaction
from ultravires.store.segments import SMALL_FACTOR, SMALL_ROWS
from ultravires.store.warehouse import Warehouse, open_warehouse

AT = datetime(2026, 10, 5, 8, tzinfo=UTC)
OWNER_ONLY = 0o077


def events(ids: list[int]) -> pa.Table:
    """One event an id, an hour apart."""
    hours = [AT + timedelta(hours=number) for number in ids]
    plain = {
        "log": "l", "source": "l", "source_version": 1, "voice": "recorded", "ingested_at": AT,
        "file_id": "f", "kind": "activity", "class_uid": 6003, "activity_id": 1,
        "raw": "{}", "raw_hash": "0" * 32, "resource_uids": ["a", "b"],
        "keys": [{"kind": "k", "value": "v", "role": "uses"}],
    }  # fmt: skip
    rows = [
        plain | {"event_id": f"{n:032x}", "native_id": f"n{n}", "record_no": n, "event_at": at, "event_hour": at}
        for n, at in zip(ids, hours, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS)


def add(warehouse: Warehouse, ids: list[int]) -> None:
    with warehouse.transaction():
        warehouse.segments.add([warehouse.segments.write([events(ids)])])
        warehouse.segments.refresh_view()


def mark_deleted(warehouse: Warehouse, ids: set[int]) -> None:
    """What counts of these ids does not any more."""
    names = ", ".join(f"'{n:032x}'" for n in ids)
    live_rows = warehouse.segments.live_rows_between(datetime.min.replace(tzinfo=UTC), AT + timedelta(days=9_999))
    with warehouse.transaction():
        warehouse.segments.mark_deleted(f"(from {live_rows} where event_id in ({names}))")
        warehouse.segments.refresh_view()


def stored(warehouse: Warehouse) -> list[int]:
    found = warehouse.con.execute("select record_no from events order by record_no").fetchall()
    return [number for (number,) in found]


def files(home: Path) -> list[Path]:
    return sorted((home / "events").iterdir())


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "home") as warehouse:
        yield warehouse


def test_every_column_comes_back_as_it_was_written(warehouse: Warehouse) -> None:
    """Of the same types as those that the contract names, before and after there are events."""
    described = warehouse.con.execute("describe events").fetchall()
    table = events([1, 2])
    with warehouse.transaction():
        warehouse.segments.add([warehouse.segments.write([table])])
        warehouse.segments.refresh_view()
    assert warehouse.con.execute("describe events").fetchall() == described
    assert [row[0] for row in described] == EVENTS.names
    back = warehouse.con.sql("from events order by record_no").to_arrow_table()
    assert back.to_pylist() == table.to_pylist()


STEP = st.one_of(
    st.tuples(st.just("add"), st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True)),
    st.tuples(st.just("delete"), st.sets(st.integers(0, 30), min_size=1, max_size=5)),
    st.tuples(st.just("compact"), st.none()),
    st.tuples(st.just("reopen"), st.none()),
)


@trying(max_examples=15, deadline=None)
@given(steps=st.lists(STEP, max_size=14))
def test_events_are_what_was_added_and_not_deleted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[int]]]
) -> None:
    """In whatever order rows come and go, files are compacted and the home is opened again."""
    home, expected = tmp_path_factory.mktemp("home"), list[int]()
    for name, ids in steps:
        with open_warehouse(home) as warehouse:
            if name == "add":
                add(warehouse, ids)
                expected += ids
            elif name == "delete":
                mark_deleted(warehouse, set(ids))
                expected = [number for number in expected if number not in ids]
            elif name == "compact":
                warehouse.segments.compact()
            assert stored(warehouse) == sorted(expected)


def test_what_is_rolled_back_counts_for_nothing_and_is_removed(warehouse: Warehouse) -> None:
    """The view, the tables and at last the folder are as before."""
    add(warehouse, [1])
    before = files(warehouse.home)
    with pytest.raises(KeyboardInterrupt), transaction(warehouse.con):
        warehouse.segments.add([warehouse.segments.write([events([2, 3])])])
        warehouse.segments.refresh_view()
        assert stored(warehouse) == [1, 2, 3]
        raise KeyboardInterrupt
    assert stored(warehouse) == [1]
    assert len(files(warehouse.home)) == 2
    warehouse.segments.delete_orphans()
    assert files(warehouse.home) == before


def test_many_small_files_become_few_and_no_row_is_written_often(warehouse: Warehouse) -> None:
    """A year of small runs: files stay below some for each size, and each row is rewritten once a size."""
    n_written = 0
    for number in range(4 * SMALL_FACTOR**2):
        add(warehouse, [number])
        before = {path.name for path in files(warehouse.home)}
        warehouse.segments.compact()
        fresh = [path for path in files(warehouse.home) if path.name not in before]
        n_written += sum(pq.ParquetFile(path).metadata.num_rows for path in fresh)
        assert len(files(warehouse.home)) < 4 * SMALL_FACTOR
    assert n_written <= 2 * 4 * SMALL_FACTOR**2
    assert stored(warehouse) == list(range(4 * SMALL_FACTOR**2))


def test_segments_that_are_not_small_stay_apart(warehouse: Warehouse) -> None:
    """To join them would cost what loading costs."""
    for start in range(SMALL_FACTOR):
        add(warehouse, list(range(start * SMALL_ROWS, (start + 1) * SMALL_ROWS)))
    before = files(warehouse.home)
    warehouse.segments.compact()
    assert files(warehouse.home) == before


def test_nothing_is_left_of_what_was_deleted_where_it_must_go(warehouse: Warehouse) -> None:
    """A prune rewrites the file; one of which nothing lives is gone."""
    add(warehouse, list(range(100)))
    add(warehouse, [200])
    mark_deleted(warehouse, {7, 200})
    assert sum(pq.ParquetFile(path).metadata.num_rows for path in files(warehouse.home)) == 101
    with warehouse.transaction():
        warehouse.segments.rewrite_without_deleted()
    warehouse.segments.delete_orphans()
    (left,) = files(warehouse.home)
    assert pq.read_table(left)["record_no"].to_pylist() == [n for n in range(100) if n != 7] == stored(warehouse)
    assert warehouse.con.execute("select count(*) from deleted_rows").fetchall() == [(0,)]
    assert warehouse.con.execute("select id_low from event_ids order by id_low").fetchall() == [
        (n,) for n in stored(warehouse)
    ]


def test_a_segment_of_which_much_is_deleted_is_written_anew(warehouse: Warehouse) -> None:
    """One of which little is, stays: rewriting it would cost more than leaving rows out."""
    add(warehouse, list(range(100)))
    mark_deleted(warehouse, set(range(10)))
    before = files(warehouse.home)
    warehouse.segments.compact()
    assert files(warehouse.home) == before
    mark_deleted(warehouse, set(range(10, 30)))
    warehouse.segments.compact()
    (anew,) = files(warehouse.home)
    assert pq.ParquetFile(anew).metadata.num_rows == 70
    assert stored(warehouse) == list(range(30, 100))


def test_only_their_owner_reads_them_and_any_tool_can(warehouse: Warehouse) -> None:
    """Plain Parquet, the hours by which readers leave files out in its statistics."""
    add(warehouse, [1, 5])
    (path,) = files(warehouse.home)
    assert path.stat().st_mode & OWNER_ONLY == 0
    assert path.parent.stat().st_mode & OWNER_ONLY == 0
    metadata = pq.ParquetFile(path).metadata
    column = metadata.row_group(0).column(EVENTS.get_field_index("event_hour"))
    assert (column.statistics.min, column.statistics.max) == (AT + timedelta(hours=1), AT + timedelta(hours=5))
    with duckdb.connect() as reader:
        assert reader.execute(f"select count(*) from '{path}'").fetchall() == [(2,)]


@pytest.mark.parametrize("name", ["it's a [h]*me", "plain"])
def test_a_home_may_have_any_name_and_be_moved(tmp_path: Path, name: str) -> None:
    """Names that SQL or a search for files would take for something else; and tables know no folder."""
    with open_warehouse(tmp_path / name) as warehouse:
        add(warehouse, [1])
        add(warehouse, [2])
        mark_deleted(warehouse, {1})
    (tmp_path / name).rename(tmp_path / "moved")
    with open_warehouse(tmp_path / "moved") as warehouse:
        assert stored(warehouse) == [2]


@pytest.mark.parametrize("damage", ["missing", "cut off", "longer"])
def test_a_file_that_is_not_what_was_written_is_one_line(tmp_path: Path, damage: str) -> None:
    """It says which and what to do; nothing is built on what is left, and nothing is removed."""
    with open_warehouse(tmp_path) as warehouse:
        add(warehouse, [1])
        add(warehouse, [2])
    path, other = files(tmp_path)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[:-20] if damage == "cut off" else whole + b"x")
    word = "is missing" if damage == "missing" else "is not what was written"
    with pytest.raises(RunError, match=rf"{path.name} {word}; restore it") as caught, open_warehouse(tmp_path):
        pass
    assert "\n" not in str(caught.value)
    assert other.exists()
    path.write_bytes(whole)
    with open_warehouse(tmp_path) as warehouse:
        assert stored(warehouse) == [1, 2]


def test_a_file_that_nobody_named_is_removed_when_the_home_is_opened(tmp_path: Path) -> None:
    """What a killed load left, and only that."""
    with open_warehouse(tmp_path) as warehouse:
        add(warehouse, [1])
    (named,) = files(tmp_path)
    shutil.copy(named, named.with_name("left.parquet"))
    (named.parent / "half.parquet").write_bytes(b"PAR1")
    with open_warehouse(tmp_path) as warehouse:
        assert stored(warehouse) == [1]
    assert files(tmp_path) == [named]


def test_a_home_that_duckdb_would_not_find_again_is_refused(tmp_path: Path) -> None:
    """It takes what follows a question mark for something else than a name, and would write its log elsewhere."""
    with pytest.raises(UsageError, match="question mark"), open_warehouse(tmp_path / "home?"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_one_line_and_nothing_is_lost(warehouse: Warehouse) -> None:
    """What could not be written whole does not count, and is removed."""
    add(warehouse, [1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a limit of one file's size is as good as a full disk
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
        with pytest.raises(RunError, match=r"events: cannot be written \(.*\); make room there and run again"):
            warehouse.segments.write([events(list(range(2, 2_000)))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    warehouse.segments.delete_orphans()
    assert stored(warehouse) == [1]
    assert len(files(warehouse.home)) == 1
