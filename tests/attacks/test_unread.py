"""Attacks by what is never read: lines that come later, files that are moved, hidden, never ended or written anew."""

import gzip
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command_line
import pytest
from source_samples import SAMPLES
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.reading.locations import LocalPlace
from ultravires.reading.options import Options
from ultravires.reading.pool import file_reader
from ultravires.settings import Settings
from ultravires.store.conservation import broken_law, count_conserved
from ultravires.store.file_manifest import FileManifest
from ultravires.store.load import LoadCounts, Loader
from ultravires.store.snapshot import open_published
from ultravires.store.warehouse import open_warehouse

LINES = SAMPLES["kubernetes_audit"].splitlines(keepends=True)
LINES = [line if line.endswith(b"\n") else line + b"\n" for line in LINES]
BROKEN = b'{"kind":"Event","auditID": oops}\n'
LONG_AGO = time.time() - 7_200


class Home:
    """A home into which the folder `logs` is loaded as often as wanted."""

    def __init__(self, loader: Loader, logs: Path) -> None:
        self.loader = loader
        self.logs = logs
        self.log = logs / "audit.log"

    def load(self) -> LoadCounts:
        """What one load did; the conservation law holds after it."""
        self.loader.counts = LoadCounts()
        counts = self.loader.load(LocalPlace(self.logs))
        con = self.loader.con
        assert broken_law(count_conserved(con)) is None
        return counts

    def all(self, query: str) -> list[tuple[Any, ...]]:
        return self.loader.con.execute(query).fetchall()

    def n_events(self) -> int:
        return int(self.all("select count(*) from events")[0][0])

    def n_refused(self) -> int:
        return int(self.all("select count(*) from quarantine")[0][0])

    def replaced(self) -> list[str]:
        return [what for (what,) in self.all("select what from replaced_files order by what")]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "logs").mkdir()
    with open_warehouse(tmp_path / "home") as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        with file_reader(Options(hash_key=b"key"), tmp_path / "reading") as read:
            yield Home(Loader(engine, Settings(), read, lambda what, done, total: None), tmp_path / "logs")


def n_events_of(lines: list[bytes], tmp_path: Path) -> int:
    """How many events the lines are, in a home of their own."""
    folder = tmp_path / "apart"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "audit.log").write_bytes(b"".join(lines))
    with open_warehouse(folder / "home") as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        with file_reader(Options(hash_key=b"key"), folder / "reading") as read:
            return (
                Loader(engine, Settings(), read, lambda what, done, total: None)
                .load(LocalPlace(folder / "logs"))
                .events
            )


def test_what_is_appended_after_the_first_reading(home: Home, tmp_path: Path) -> None:
    """The file was read once, and what follows is hoped to be only called changed."""
    home.log.write_bytes(b"".join(LINES[:3]))
    home.load()
    with home.log.open("ab") as log:
        log.write(b"".join(LINES[3:]))
    counts = home.load()
    assert (counts.files, counts.duplicates) == (1, 0)
    assert home.n_events() == n_events_of(LINES, tmp_path)
    assert home.all("select n_records, n_bytes = size from files") == [(len(LINES), True)]


def test_history_is_rewritten(home: Home, tmp_path: Path) -> None:
    """A line that was read is another now: that is said, both are kept, and what follows is read."""
    home.log.write_bytes(b"".join(LINES[:4]))
    home.load()
    edited = LINES[1].replace(b'"verb": "', b'"verb": "un', 1)
    assert edited != LINES[1]
    home.log.write_bytes(b"".join([LINES[0], edited, *LINES[2:6]]))
    home.load()
    assert home.replaced() == ["rewritten"]
    assert home.n_events() == n_events_of([*LINES[:6], edited], tmp_path)
    assert home.all("select state from files order by state") == [("loaded",), ("replaced",)]
    assert home.load().files == 0


def test_history_is_rewritten_and_the_file_is_no_longer_than_it_was(home: Home) -> None:
    """A line is taken out of the middle, the rest stands."""
    home.log.write_bytes(b"".join(LINES[:6]))
    home.load()
    n_before = home.n_events()
    home.log.write_bytes(b"".join([*LINES[:2], *LINES[3:6]]))
    home.load()
    assert home.replaced() == ["rewritten"] and home.n_events() == n_before


def test_a_log_is_emptied_and_grows_to_the_size_that_it_had(home: Home, tmp_path: Path) -> None:
    """By its size nothing has changed; what it holds now is read, and that it began anew is said."""
    home.log.write_bytes(b"".join(LINES[:2]))
    home.load()
    size, rest = home.log.stat().st_size, b"".join(LINES[2:])
    home.log.write_bytes(rest[:size])
    os.utime(home.log, (LONG_AGO, LONG_AGO))
    home.load()
    assert home.replaced() == ["emptied"]
    with home.log.open("ab") as log:
        log.write(rest[size:])
    home.load()
    assert home.n_events() == n_events_of(LINES, tmp_path) and home.n_refused() == 0


def test_a_log_is_moved_before_its_end_was_read(home: Home, tmp_path: Path) -> None:
    """It is known under its new name: its end is read, and nothing of it twice, what was refused neither."""
    home.log.write_bytes(b"".join([*LINES[:3], BROKEN]))
    home.load()
    with home.log.open("ab") as log:
        log.write(LINES[3])
    home.log.rename(home.logs / "audit.log.1")
    home.log.write_bytes(b"".join(LINES[4:6]))
    counts = home.load()
    assert (counts.duplicates, home.n_refused(), home.replaced()) == (0, 1, [])
    (home.logs / "audit.log.1").rename(home.logs / "audit.log.2")
    home.log.rename(home.logs / "audit.log.1")
    home.log.write_bytes(b"".join(LINES[6:]))
    counts = home.load()
    assert (counts.duplicates, home.n_refused(), home.replaced()) == (0, 1, [])
    assert home.n_events() == n_events_of(LINES, tmp_path)
    names = [Path(path).name for (path,) in home.all("select path from files order by path")]
    assert names == ["audit.log", "audit.log.1", "audit.log.2"]


def test_a_log_is_moved_into_another_folder_before_its_end_was_read(home: Home, tmp_path: Path) -> None:
    """Known under a name that begins as its own: its end is read, nothing of it twice, and nobody emptied it."""
    home.log.write_bytes(b"".join([*LINES[:3], BROKEN]))
    home.load()
    old = home.logs / "old"
    old.mkdir()
    (old / "audit-20261005.log.gz").write_bytes(gzip.compress(b"".join([*LINES[:3], BROKEN, LINES[3]])))
    home.log.write_bytes(b"".join(LINES[4:]))
    counts = home.load()
    assert (counts.duplicates, home.n_refused(), home.replaced()) == (0, 1, [])
    assert home.n_events() == n_events_of(LINES, tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("other.log", LINES[:4]), ("audit-1.log", LINES[1:4])],
    ids=["another name", "another content"],
)
def test_a_log_is_emptied_beside_another_folder(name: str, content: list[bytes], home: Home) -> None:
    """What has another name, or another beginning, is no rotated log, and the emptying is told."""
    home.log.write_bytes(b"".join(LINES[:3]))
    home.load()
    old = home.logs / "old"
    old.mkdir()
    (old / name).write_bytes(b"".join(content))
    home.log.write_bytes(b"".join(LINES[4:]))
    home.load()
    assert home.replaced() == ["emptied"]


def test_a_log_is_packed_before_its_end_was_read(home: Home, tmp_path: Path) -> None:
    """What was read of it is the beginning of what is packed, and only the rest is read."""
    home.log.write_bytes(b"".join([*LINES[:3], BROKEN]))
    home.load()
    (home.logs / "audit.log.1.gz").write_bytes(gzip.compress(b"".join([*LINES[:3], BROKEN, *LINES[3:5]])))
    home.log.write_bytes(b"".join(LINES[5:]))
    counts = home.load()
    assert (counts.duplicates, home.n_refused(), home.replaced()) == (0, 1, [])
    assert home.n_events() == n_events_of(LINES, tmp_path)
    assert home.load().files == 0


def test_a_log_is_copied_and_emptied(home: Home, tmp_path: Path) -> None:
    """Between the copy and the emptying both stand; after it the copy goes on where the log was read to."""
    home.log.write_bytes(b"".join([*LINES[:3], BROKEN]))
    home.load()
    shutil.copy(home.log, home.logs / "audit.log.1")
    with (home.logs / "audit.log.1").open("ab") as log:
        log.write(LINES[3])
    home.log.write_bytes(b"")
    home.load()
    home.log.write_bytes(b"".join(LINES[4:]))
    counts = home.load()
    assert (counts.duplicates, home.n_refused(), home.replaced()) == (0, 1, [])
    assert home.n_events() == n_events_of(LINES, tmp_path)


def test_a_packed_log_is_read_while_it_is_written(home: Home, tmp_path: Path) -> None:
    """What is cut off today is whole tomorrow: it is read anew, its records are known, and nothing is in doubt."""
    whole = gzip.compress(b"".join(LINES[:8]), 1) + gzip.compress(b"".join(LINES[8:]), 1)
    packed = home.logs / "audit.log.gz"
    packed.write_bytes(whole[: len(whole) - 40])
    home.load()
    assert home.n_refused() > 0
    packed.write_bytes(whole)
    home.load()
    assert (home.n_events(), home.n_refused()) == (n_events_of(LINES, tmp_path), 0)
    assert home.replaced() == ["exported"]


def test_another_log_takes_the_name_size_and_time_of_a_moved_one(home: Home) -> None:
    """Two files under one id would stop every later run."""
    home.log.write_bytes(LINES[0])
    os.utime(home.log, (LONG_AGO, LONG_AGO))
    home.load()
    home.log.rename(home.logs / "audit.log.1")
    home.load()
    other = LINES[0].replace(b"a", b"b", 1)
    home.log.write_bytes(other)
    os.utime(home.log, (LONG_AGO, LONG_AGO))
    assert home.load().files == 1


def test_a_line_that_is_never_ended(home: Home, tmp_path: Path) -> None:
    """It waits while it may be written, is told of when it no longer is, and is read if it goes on after all."""
    half = len(LINES[2]) // 2
    home.log.write_bytes(b"".join(LINES[:2]) + LINES[2][:half])
    counts = home.load()
    assert (counts.unfinished, home.n_refused()) == ([str(home.log)], 0)
    assert home.all("select state, reason from unread_files") == [("waiting", "its last line is not finished")]
    os.utime(home.log, (LONG_AGO, LONG_AGO))
    home.load()
    assert home.n_refused() == 1 and home.all("select count(*) from unread_files") == [(0,)]
    with home.log.open("ab") as log:
        log.write(LINES[2][half:] + b"".join(LINES[3:]))
    home.load()
    assert home.n_refused() == 0 and home.n_events() == n_events_of(LINES, tmp_path)
    assert home.all("select n_records from files") == [(len(LINES),)]
    with home.log.open("ab") as log:
        log.write(LINES[2][:half])
    os.utime(home.log, (4_070_908_800, 4_070_908_800))  # nobody waits for the year 2099
    home.load()
    assert home.n_refused() == 1


def test_what_is_appended_begins_as_another_format(home: Home, tmp_path: Path) -> None:
    """How a file falls into records is told by its beginning, not by where it was read on."""
    for number, bait in enumerate((b"PAR1\n", b'{"a":[\n', b"name,other,third\n", b"[\n", b"\x00\x00\x00\x05\n")):
        log = home.logs / f"{number}" / "audit.log"
        log.parent.mkdir()
        log.write_bytes(b"".join(LINES[:2]))
        home.load()
        with log.open("ab") as appended:
            appended.write(bait + b"".join(LINES[2:]))
        counts = home.load()
        assert counts.emitted == n_events_of(LINES[2:], tmp_path), bait


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"", id="a first record"),
        pytest.param(b"\n" * 70_000, id="blank lines"),
        pytest.param(b"a line of another program\n" * 4_000, id="other lines"),
        pytest.param(b'{"a": 1}\n' * 9_000, id="other records"),
        pytest.param(b'{"a": "' + b"x" * 2_000_000 + b'"}\n', id="a record of two megabytes"),
        pytest.param(b' {\n  "a": [\n   {"b": 1}]}\n', id="a document over several lines"),
        pytest.param(b' {\n  "a": [\n', id="a document that is never closed"),
    ],
)
def test_what_comes_first_hides_a_log(home: Home, before: bytes) -> None:
    """The first 64 KB of a file do not tell what it is."""
    record = json.loads(LINES[0])
    long = {"padding": "x" * 70_000, **record} if not before else record
    home.log.write_bytes(before + json.dumps(long).encode() + b"\n" + b"".join(LINES[1:]))
    counts = home.load()
    assert counts.unrecognised == [] and counts.events > 0
    assert home.all("select source from files") == [("kubernetes_audit",)]


def test_a_long_record_hides_in_a_wrapper(home: Home, tmp_path: Path) -> None:
    """It comes first, so that the beginning of the file does not tell whose its records are."""
    long = {"padding": "x" * 70_000, **json.loads(LINES[0])}
    lines = [json.dumps(long).encode() + b"\n", *LINES[1:]]
    n_whole = n_events_of(LINES, tmp_path)
    home.log.write_bytes(b"".join(b"2026-10-05T07:01:00.123456789Z stdout F " + line for line in lines))
    assert home.load().events == n_whole


def test_a_killed_run_neither_loses_nor_doubles_what_was_appended(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far a file was read is stored with what was read of it, or not at all."""
    home.log.write_bytes(b"".join([*LINES[:3], BROKEN]))
    home.load()
    with home.log.open("ab") as log:
        log.write(b"".join(LINES[3:]) + BROKEN)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(FileManifest, "_write_on", killed)
        home.load()
    assert home.all("select n_records from files") == [(4,)]
    home.load()
    assert (home.n_events(), home.n_refused()) == (n_events_of(LINES, tmp_path), 2)


def run(logs: Path, where: Path) -> dict[str, Any]:
    """One whole run, and what it counted."""
    ran = command_line.run("run", "--json", "--input", logs, "--home", where)
    assert ran.returncode == 0, ran.stderr
    counts: dict[str, Any] = json.loads(ran.stdout)
    return counts


def alerts_by(rule: str, where: Path) -> list[dict[str, Any]]:
    lines = (where / "alerts.jsonl").read_text().splitlines()
    return [alert for alert in map(json.loads, lines) if rule in json.dumps(alert["metadata"])]


def test_rewritten_history_is_told(tmp_path: Path) -> None:
    """As a finding that is delivered; and the whole run goes on."""
    logs, where = tmp_path / "logs", tmp_path / "home"
    logs.mkdir()
    (logs / "audit.log").write_bytes(b"".join(LINES[:4]))
    run(logs, where)
    (logs / "audit.log").write_bytes(b"".join([*LINES[:2], *LINES[3:]]))
    assert run(logs, where)["files"] == 1
    (alert,) = alerts_by("ultravires_log_rewritten", where)
    assert alert["severity"] == "High" and str(logs / "audit.log") in alert["message"]


def test_what_lies_beside_a_recorded_log_is_not_read(tmp_path: Path) -> None:
    """A pipe stops nobody; it, a hidden log and a link that leads nowhere are named, and one finding tells of them."""
    logs, where = tmp_path / "logs", tmp_path / "home"
    (logs / "other").mkdir(parents=True)
    (logs / "audit.log").write_bytes(b"".join(LINES[:4]))
    (logs / ".audit.log").write_bytes(b"".join(LINES[4:]))
    (logs / "gone.log").symlink_to(logs / "nowhere")
    os.mkfifo(logs / "pipe.log")
    (logs / "README.md").write_text("# what these are")
    (logs / "other" / ".hidden").write_text("x")
    named = {Path(one["path"]).name for one in run(logs, where)["not_read"]}
    assert named == {".audit.log", "gone.log", "pipe.log", "README.md", ".hidden"}
    (alert,) = alerts_by("ultravires_unread_evidence", where)
    assert "kubernetes_audit" in alert["message"]
    with open_published(where) as con:
        rows = con.execute("select path, is_evidence from unread_files").fetchall()
    told = {Path(path).name: is_evidence for path, is_evidence in rows}
    assert told == {".audit.log": True, "gone.log": True, "pipe.log": True, "README.md": False, ".hidden": False}
