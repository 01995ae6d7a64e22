"""Files on their way into the warehouse: lost, growing, unreadable, many in one transaction."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SAMPLES
from ultravires import loading
from ultravires.engines.duckdb import DuckDBEngine
from ultravires.loading import Loader, list_files
from ultravires.pipeline import hourly_tables
from ultravires.reading import input_file
from ultravires.reading.pool import file_reader
from ultravires.reading.source import Options
from ultravires.settings import Settings
from ultravires.warehouse import open_warehouse

APPROVALS = sorted((SAMPLES / "approvals").glob("*.jsonl"))


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[Loader]:
    with open_warehouse(tmp_path / "home") as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        with file_reader(Options(hash_key=b"key")) as read:
            yield Loader(engine, Settings(), read, lambda what, done, total: None)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for path in APPROVALS[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def conserved(loader: Loader) -> bool:
    """What the manifest says was stored is what stands in events."""
    (row,) = loader.con.execute(
        "select (select count(*) from events), (select coalesce(sum(n_events), 0) from files)"
    ).fetchall()
    return row[0] == row[1] == loader.counts.events


def test_every_file_is_in_the_manifest_with_what_became_of_its_records(loader: Loader, logs: Path) -> None:
    """Records emitted are events, duplicates or quarantined."""
    counts = loader.load(logs)
    assert counts.files == 3
    assert counts.emitted == counts.events + counts.duplicates
    assert counts.records == counts.emitted + counts.quarantined + counts.ignored
    assert conserved(loader)


@pytest.mark.parametrize("rows_before_loss", [0, 1])
def test_a_file_that_vanishes_while_it_is_read_takes_nothing_with_it(
    loader: Loader, logs: Path, monkeypatch: pytest.MonkeyPatch, rows_before_loss: int
) -> None:
    """It is named, and the other files of its transaction are loaded, also when some rows were stored already."""
    lost = APPROVALS[1].name
    whole = input_file.read
    monkeypatch.setattr(loading, "FLUSH_ROWS", rows_before_loss)

    def vanishing(path: Path, *rest: object) -> Iterator[object]:
        yield from whole(path, *rest)
        if path.name == lost:
            raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(input_file, "read", vanishing)
    counts = loader.load(logs)
    assert counts.files == 2
    assert len(counts.unreadable) == 1
    assert lost in counts.unreadable[0]
    assert conserved(loader)


def test_a_file_that_is_still_being_written_waits_for_the_next_run(
    loader: Loader, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file is not loaded; the whole one is, later."""
    growing = logs / APPROVALS[2].name
    whole = input_file.read

    def growing_read(path: Path, *rest: object) -> Iterator[object]:
        yield from whole(path, *rest)
        if path.name == growing.name:
            with growing.open("ab") as handle:
                handle.write(b"\n")

    monkeypatch.setattr(input_file, "read", growing_read)
    first = loader.load(logs)
    assert (first.files, len(first.waiting)) == (2, 1)
    monkeypatch.setattr(input_file, "read", whole)
    second = loader.load(logs)
    assert second.files == 3
    assert conserved(loader)


def test_a_loop_of_links_ends_and_hidden_files_are_left_alone(tmp_path: Path) -> None:
    """Each folder is entered once, however links point to it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.json").touch()
    (tmp_path / "a" / ".hidden").touch()
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    assert [path.name for path in list_files(tmp_path)] == ["log.json"]


def test_a_batch_of_rows_larger_than_the_memory_for_it_is_stored_in_parts(
    loader: Loader, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of rows that wait does not change what is stored."""
    monkeypatch.setattr(loading, "FLUSH_ROWS", 1)
    loader.load(logs)
    assert conserved(loader)
    assert loader.counts.events > 3
