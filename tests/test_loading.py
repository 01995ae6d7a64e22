"""Files on their way into the warehouse: lost, growing, unreadable, many in one transaction."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SAMPLES
from source_samples import SAMPLES as RECORDS
from source_samples import SOURCE_SAMPLES
from ultravires import registry
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.formats.decompressing import FileBytes
from ultravires.reading import input_file, parts
from ultravires.reading.locations import LocalFile, LocalPlace, Skipped
from ultravires.reading.options import Options
from ultravires.reading.pool import file_reader
from ultravires.settings import Settings
from ultravires.store import load as loading
from ultravires.store.load import LoadCounts, Loader
from ultravires.store.warehouse import open_warehouse

APPROVALS = sorted((SAMPLES / "approvals").glob("*.jsonl"))


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[Loader]:
    with open_warehouse(tmp_path / "home") as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        with file_reader(Options(hash_key=b"key"), tmp_path / "reading") as read:
            yield Loader(engine, Settings(), read, lambda what, done, total: None)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for path in APPROVALS[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


class ListedPlace(LocalPlace):
    """A place as it was listed some time ago."""

    def __init__(self, listed: list[object]) -> None:
        super().__init__(Path("listed"))
        object.__setattr__(self, "listed", listed)

    def files(self) -> Iterator[object]:
        return iter(self.listed)


def conserved(loader: Loader) -> bool:
    """What the manifest says was stored is what stands in events."""
    (row,) = loader.con.execute(
        "select (select count(*) from events), (select coalesce(sum(n_events), 0) from files)"
    ).fetchall()
    return row[0] == row[1] == loader.counts.events


def test_every_file_is_in_the_manifest_with_what_became_of_its_records(loader: Loader, logs: Path) -> None:
    """Records emitted are events, duplicates or quarantined."""
    counts = loader.load(LocalPlace(logs))
    assert counts.files == 3
    assert counts.emitted == counts.events + counts.duplicates
    assert counts.records == counts.emitted + counts.quarantined + counts.ignored
    assert conserved(loader)


@pytest.mark.parametrize("rows_before_loss", [0, 1])
def test_a_file_that_vanishes_while_it_is_read_takes_nothing_with_it(
    loader: Loader, logs: Path, monkeypatch: pytest.MonkeyPatch, rows_before_loss: int
) -> None:
    """It is named, and the other files are loaded, also when some of its rows were stored already."""
    lost = logs / APPROVALS[1].name
    beginning = lost.read_bytes()[:1000]
    whole = input_file.read_bytes
    monkeypatch.setattr(loading, "FLUSH_ROWS", rows_before_loss)
    monkeypatch.setattr(parts, "STREAMED_BYTES", 1 if rows_before_loss else parts.STREAMED_BYTES)
    monkeypatch.setattr(parts, "SMALL_FILE", -1)
    monkeypatch.setattr(input_file, "HELD_BYTES", 0)

    def vanishing(file: FileBytes, *rest: object, **how: object) -> Iterator[object]:
        is_lost = file.head(1000) == beginning
        yield from whole(file, *rest, **how)
        if is_lost:
            lost.unlink()

    monkeypatch.setattr(input_file, "read_bytes", vanishing)
    counts = loader.load(LocalPlace(logs))
    assert counts.files == 2
    assert counts.unreadable == [Skipped(str(lost), "No such file or directory")]
    assert conserved(loader)


def test_files_that_vanish_before_they_are_read_are_named_once_each(loader: Loader, logs: Path) -> None:
    """What was listed and then deleted is one line; nothing is read twice for it."""
    listed = list(LocalPlace(logs).files())
    for path in sorted(logs.iterdir())[:2]:
        path.unlink()
    counts = loader.load(ListedPlace(listed))
    assert (counts.files, len(counts.unreadable)) == (1, 2)
    assert conserved(loader)


@pytest.mark.parametrize("held", [0, input_file.HELD_BYTES])
@pytest.mark.parametrize("name", ["whole.json", "lines.jsonl"])
def test_a_file_that_is_still_being_written_waits_if_it_has_no_lines(
    loader: Loader, logs: Path, monkeypatch: pytest.MonkeyPatch, held: int, name: str
) -> None:
    """Half a document is not loaded; the whole one is, later. Of lines what stands is read."""
    records = APPROVALS[2].read_bytes().splitlines()
    growing = logs / name
    growing.write_bytes(b"\n".join(records) if name == "lines.jsonl" else b"[\n" + b",\n".join(records) + b"\n]")
    (logs / APPROVALS[2].name).unlink()
    monkeypatch.setattr(input_file, "HELD_BYTES", held)
    monkeypatch.setattr(parts, "SMALL_FILE", held)
    stat = LocalFile.stat

    def growing_stat(self: LocalFile) -> object:
        if self.path == str(growing):
            with growing.open("ab") as handle:
                handle.write(b"\n")
        return stat(self)

    with monkeypatch.context() as patched:
        patched.setattr(LocalFile, "stat", growing_stat)
        first = loader.load(LocalPlace(logs))
        assert (first.files, len(first.waiting)) == ((3, 0) if name == "lines.jsonl" else (2, 1))
    events = first.events
    loader.counts = LoadCounts()
    second = loader.load(LocalPlace(logs))
    assert second.files == 1
    assert (second.events == 0) == (name == "lines.jsonl")
    assert loader.con.execute("select sum(n_events) from files").fetchall() == [(events + second.events,)]
    assert not second.waiting


def test_a_file_that_grew_after_it_was_loaded_is_read_on(loader: Loader, logs: Path) -> None:
    """Once, and under the id that it has."""
    loader.load(LocalPlace(logs))
    changed = logs / APPROVALS[0].name
    records = changed.read_bytes()
    known = loader.con.execute("select file_id, n_records from files where path = ?", [str(changed)]).fetchall()
    changed.write_bytes(records * 2)
    for n_files in (1, 0):
        loader.counts = LoadCounts()
        counts = loader.load(LocalPlace(logs))
        assert (counts.files, counts.changed) == (n_files, [])
        assert counts.records == n_files * records.count(b"\n")
    (row,) = known
    assert loader.con.execute("select file_id, n_records from files where path = ?", [str(changed)]).fetchall() == [
        (row[0], 2 * row[1])
    ]


def test_an_unrecognised_file_is_tried_again_after_an_upgrade(
    loader: Loader, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also as a member of an archive, whose other members stay as they are; and not in every run."""
    known = dict(registry.sources())
    with tarfile.open(logs / "all.tar", "w") as archive:
        archive.add(APPROVALS[3], "approvals.jsonl")
        archive.add(SAMPLES / "README.md", "README.md")
        archive.add(SOURCE_SAMPLES / "opa_decisions" / "sample.jsonl", "opa!decisions.jsonl")
    (logs / "opa.jsonl").write_bytes(RECORDS["opa_decisions"])
    with monkeypatch.context() as before:
        before.setattr(registry, "sources", lambda: {n: s for n, s in known.items() if n != "opa_decisions"})
        loader.readers = loading.readers_fingerprint()
        counts = loader.load(LocalPlace(logs))
        assert len(counts.unrecognised) == 3
        n_events = counts.events
    loader.counts, loader.readers = LoadCounts(), loading.readers_fingerprint()
    counts = loader.load(LocalPlace(logs))
    assert (counts.files, counts.events, counts.duplicates) == (4, 3, 3)
    assert counts.unrecognised == [f"{logs / 'all.tar'}!README.md"]
    rows = loader.con.execute("select count(*), count(distinct path), sum(n_events) from files").fetchall()
    assert rows == [(8, 8, n_events + 3)]
    loader.counts = LoadCounts()
    assert loader.load(LocalPlace(logs)).files == 0


def test_an_empty_file_is_read_when_it_was_filled(loader: Loader, logs: Path) -> None:
    """Nothing of it was loaded, so nothing can be read twice."""
    later = logs / "later.jsonl"
    later.touch()
    loader.load(LocalPlace(logs))
    later.write_bytes(RECORDS["opa_decisions"])
    loader.counts = LoadCounts()
    counts = loader.load(LocalPlace(logs))
    assert (counts.files, counts.events, counts.changed) == (1, 3, [])


def test_a_loop_of_links_ends_with_a_line_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    """Each folder is entered once, however links point to it; a hidden file is no log."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.json").touch()
    (tmp_path / "a" / ".hidden").touch()
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    found = list(LocalPlace(tmp_path).files())
    assert [Path(str(file)).name for file in found if not isinstance(file, Skipped)] == ["log.json"]
    skipped = [str(folder) for folder in found if isinstance(folder, Skipped)]
    assert skipped == [
        f"{tmp_path / 'a' / '.hidden'}: hidden",
        f"{tmp_path / 'a' / 'back'}: leads to a folder that is read already",
        f"{tmp_path / 'again'}: leads to a folder that is read already",
    ]


def test_a_home_inside_the_input_is_no_log(loader: Loader, logs: Path) -> None:
    """The Parquet files that a run wrote are not read by the next."""
    home = loader.engine.warehouse.home
    (logs.parent / "inbox").mkdir()
    (logs.parent / "inbox" / "home").symlink_to(home)
    counts = loader.load(LocalPlace(logs.parent / "inbox"))
    assert (counts.files, counts.skipped) == (0, [Skipped(str(logs.parent / "inbox" / "home"), "a home of Ultravires")])


def test_a_batch_of_rows_larger_than_the_memory_for_it_is_stored_in_parts(
    loader: Loader, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of rows that wait does not change what is stored."""
    monkeypatch.setattr(loading, "FLUSH_ROWS", 1)
    loader.load(LocalPlace(logs))
    assert conserved(loader)
    assert loader.counts.events > 3
