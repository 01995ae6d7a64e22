"""What readers get: a consistent snapshot, read-only, and nothing else of the machine."""

import os
import shutil
import time
from pathlib import Path

import duckdb
import pytest
import ultravires
from ultravires.build.pipeline import published_names, sql_tables
from ultravires.build.sql_tables import LAYERS
from ultravires.errors import RunError, UsageError
from ultravires.store import publish as publishing
from ultravires.store import stretches
from ultravires.store.warehouse import Warehouse, open_warehouse


def test_every_table_without_a_prefix_is_published(sample_home: Path) -> None:
    """A table of any layer whose name is a plain word can be read by it; what SQL keeps to itself cannot."""
    with ultravires.open(sample_home) as con:
        views = {row[0] for row in con.execute("select view_name from duckdb_views() where not internal").fetchall()}
    files = {name for name, table in sql_tables().items() if table.layer in LAYERS}
    assert {name for name in files if not name.startswith(("stg_", "int_"))} <= views
    assert not {name for name in views if name.startswith(("stg_", "int_", "hits"))}
    assert {*published_names(), "events", "events_raw"} == views


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to '{home}/stolen.csv'",
        "select * from read_text('/etc/hostname')",
        "attach '{home}/warehouse.duckdb' as w",
        "set enable_external_access = true",
    ],
)
def test_a_query_can_neither_write_nor_leave_the_published_tables(sample_home: Path, statement: str) -> None:
    """The connection is locked before the caller gets it."""
    with ultravires.open(sample_home) as con, pytest.raises(duckdb.Error):
        con.execute(statement.format(home=sample_home))


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    """Nothing published is one line, not a traceback."""
    with pytest.raises(UsageError, match="ultravires run --input DIR"):
        ultravires.open(tmp_path)


def test_everything_in_a_home_is_readable_by_its_owner_only(sample_home: Path) -> None:
    """Logs are not for everybody on the machine."""
    for path in [sample_home, *sample_home.rglob("*")]:
        if path.is_file() and path.name != "lock":
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_large_table_is_published_by_the_day_and_only_days_that_changed_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are those of the table, also without an hour; what did not change keeps its file."""
    monkeypatch.setattr(publishing, "LARGE_ROWS", 10)
    monkeypatch.setattr(stretches, "PART_ROWS", 1)
    hours = "select i, '2026-10-05'::timestamptz + to_hours(i) as event_hour from range(72) as t(i)"
    with open_warehouse(tmp_path) as warehouse:
        con = warehouse.con
        con.execute(f"create table acts as {hours} union all select -1, null")

        def published() -> dict[str, list[str]]:
            publishing.publish(warehouse, ["acts"], run_id="r")
            entry = publishing.read_manifest(tmp_path / "published")["tables"]["acts"]
            with ultravires.open(tmp_path) as reader:
                everything = "select * from acts order by all"
                assert reader.execute(everything).fetchall() == con.execute(everything).fetchall()
            return {day: part["files"] for day, part in entry["days"].items()}

        first = published()
        assert [*first] == ["2026-10-05", "2026-10-06", "2026-10-07", "none"]
        assert published() == first
        con.execute("update acts set i = i + 1000 where event_hour = '2026-10-06 03:00:00+00'")
        second = published()
        assert [day for day in first if first[day] != second[day]] == ["2026-10-06"]
        for path in (tmp_path / "published").rglob("*.parquet"):
            assert path.stat().st_mode & 0o077 == 0
        (tmp_path / "published" / second["2026-10-07"][0]).unlink()
        published()
        con.execute("delete from acts where event_hour >= '2026-10-07'")  # as a prune takes whole days
        assert published() == {day: files for day, files in second.items() if day != "2026-10-07"}
        con.execute("delete from acts where event_hour is null or event_hour > '2026-10-05 05:00:00+00'")
        publishing.publish(warehouse, ["acts"], run_id="r")
        assert "days" not in publishing.read_manifest(tmp_path / "published")["tables"]["acts"]


class Publisher:
    """A table whose content is new in each publication, and a clock."""

    def __init__(self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.time()
        monkeypatch.setattr(publishing.time, "time", lambda: self.now)
        self._warehouse = warehouse

    def publish(self, content: int) -> Path:
        self._warehouse.con.execute(f"create or replace table acts as select {content} as i")
        publishing.publish(self._warehouse, ["acts"], run_id="r")
        folder = self._warehouse.home / "published"
        (file,) = publishing.read_manifest(folder)["tables"]["acts"]["files"]
        return folder / file


def test_a_superseded_file_stays_for_a_day_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However old it was when it was superseded: who opened it a moment ago goes on reading."""
    with open_warehouse(tmp_path) as warehouse:
        publisher = Publisher(warehouse, monkeypatch)
        first = publisher.publish(1)
        os.utime(first, (publisher.now - 864_000,) * 2)
        second = publisher.publish(2)
        with ultravires.open(tmp_path) as reader:
            publisher.now += 86_000
            third = publisher.publish(3)
            assert first.exists() and second.exists()
            assert reader.execute("select i from acts").fetchall() == [(2,)]
        publisher.now += 1_000
        publisher.publish(3)
        assert not first.exists() and second.exists() and third.exists()


def test_superseded_files_take_no_more_room_than_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, but none of the last ten minutes."""
    monkeypatch.setattr(publishing, "KEEP_LEAST_BYTES", 0)
    with open_warehouse(tmp_path) as warehouse:
        publisher = Publisher(warehouse, monkeypatch)
        files = []
        for content in range(40):
            files.append(publisher.publish(content))
            publisher.now += 120
        stand = [file.exists() for file in files]
        assert stand[-6:] == [True] * 6, "the current one, and those of ten minutes"
        assert stand[:20] == [False] * 20


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tables": 1}', '{"run_id": "r", "tables": {"links": {}}}', "\xff"])
def test_a_damaged_manifest_is_one_line_with_the_cure(text: str, tmp_path: Path) -> None:
    """However it is damaged; every reader meets it in this place."""
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "CURRENT").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=r"published is damaged; delete it and publish anew: ultravires run --input DIR"):
        ultravires.open(tmp_path)


def test_what_is_damaged_is_published_anew(tmp_path: Path) -> None:
    """A damaged manifest, and a folder that was deleted as the message says, because a table was cut off."""
    with open_warehouse(tmp_path) as warehouse:
        warehouse.con.execute("create table acts as select 7 as i")

        def published() -> list[tuple[int]]:
            publishing.publish(warehouse, ["acts"], run_id="r")
            with ultravires.open(tmp_path) as reader:
                return reader.execute("from acts").fetchall()

        assert published() == [(7,)]
        (tmp_path / "published" / "CURRENT").write_text("{")
        assert published() == [(7,)]
        (table,) = (tmp_path / "published" / "acts").glob("*.parquet")
        os.truncate(table, 10)
        with pytest.raises(RunError, match="published is damaged"):
            ultravires.open(tmp_path)
        shutil.rmtree(tmp_path / "published")
        assert published() == [(7,)]
