"""A run over what the last one left costs next to nothing, and never hides that something is new."""

import errno
import os
import shutil
import site
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from restoring import restored
from small_logs import DAY, RUNNER, WORKER, approval, assume, call, session, write_lines
from ultravires.reading.input_place import input_place
from ultravires.runs import clock, unchanged
from ultravires.runs.pruning import prune_and_run
from ultravires.runs.run import run_once
from ultravires.runs.run_result import RunResult
from ultravires.runs.unchanged import KEPT, keep_result, unchanged_result

NOON_LATER = DAY + timedelta(days=30)


class Place:
    """A folder of logs, its configuration and its home."""

    def __init__(self, folder: Path) -> None:
        self.logs, self.home, self.config = folder / "logs", folder / "home", folder / "ultravires.yaml"

    def run(self) -> RunResult:
        return run_once(self.logs, self.home, config=self.config, as_of="")

    def asked(self, as_of: str = "") -> RunResult | None:
        return unchanged_result(input_place(self.logs), self.home, config=self.config, as_of=as_of)


def settle(folder: Path) -> None:
    """Two runs over the same files."""
    place = Place(folder)
    place.logs.mkdir()
    place.config.write_text("{}")
    write_lines(place.logs / "approvals.jsonl", [approval("APR-1", 0)])
    issued = assume("e-1", 1, session(RUNNER, "ASIARUNNER"), "ASIAWORKER")
    write_lines(
        place.logs / "trail.jsonl", [issued, call("e-2", 2, "iam:PutRolePolicy", session(WORKER, "ASIAWORKER"))]
    )
    (place.logs / "notes.bin").write_bytes(b"\x00\x01 no log")
    first = place.run()
    assert first.files > 0
    assert place.asked() is None, "a run that loaded something may have left something for the next"
    assert place.run().files == 0


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Settled files, and a run over them: as copies they are other files than those that the last answer was about."""
    place = Place(restored(tmp_path_factory.getbasetemp() / "unchanged", settle))
    assert place.run().files == 0
    return place


def test_python_may_name_folders_of_libraries_that_are_not_there(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's does, also in an environment of one's own."""
    named = [*site.getsitepackages(), str(tmp_path / "dist-packages")]
    monkeypatch.setattr(site, "getsitepackages", lambda: named)
    assert place.asked() is not None


def test_the_answer_is_what_a_whole_run_says(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of one moment: what is said of this machine's clock names its minute."""
    monkeypatch.setattr(clock, "now", lambda: NOON_LATER)
    place.run()
    place.run()
    answer = place.asked()
    assert answer is not None
    told = answer.as_dict() | {"seconds": 0}
    (place.home / KEPT).unlink()
    assert place.run().as_dict() | {"seconds": 0} == told
    assert told["n_not_read"] == len(told["not_read"])


def append(place: Place) -> None:
    with (place.logs / "trail.jsonl").open("a") as file:
        file.write("\n")


def rewrite_in_place(place: Place) -> None:
    path = place.logs / "trail.jsonl"
    path.write_bytes(path.read_bytes().replace(b"e-2", b"e-3"))


CHANGES: dict[str, Callable[[Place], object]] = {
    "a line more": append,
    "same size, other content": rewrite_in_place,
    "a new file": lambda place: (place.logs / "new.jsonl").write_text("{}"),
    "a new hidden file": lambda place: (place.logs / ".new").write_text("{}"),
    "a file less": lambda place: (place.logs / "notes.bin").unlink(),
    "a file in a new folder": lambda place: shutil.copytree(place.logs, place.logs / "more"),
    "configuration": lambda place: place.config.write_text("clock_tolerance: 3m"),
    "no report": lambda place: (place.home / "report.html").unlink(),
    "nothing published": lambda place: (place.home / "published" / "CURRENT").unlink(),
    "another key": lambda place: (place.home / "hash.key").write_bytes(b"x" * 32),
    "a run that was killed": lambda place: (place.home / "warehouse.duckdb.wal").write_bytes(b"x"),
    "a prune": lambda place: prune_and_run(
        place.home, DAY + timedelta(minutes=1.5), config=place.config, keep_in_force=False
    ),
    "a broken answer": lambda place: (place.home / KEPT).write_text('{"kept_at": 1}'),
    "an answer of others": lambda place: (place.home / KEPT).write_text("[]"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_looked_at(change: Callable[[Place], object], place: Place) -> None:
    change(place)
    assert place.asked() is None


def test_what_was_asked_otherwise(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another time to judge as of, another configuration, another key, another version of ours, an hour later."""
    assert place.asked(as_of="2026-10-05T09:00:00Z") is None
    assert unchanged_result(input_place(place.logs), place.home, config=None, as_of="") is None
    assert unchanged_result(input_place(place.logs.parent), place.home, config=place.config, as_of="") is None
    with monkeypatch.context() as patch:
        patch.setenv("ULTRAVIRES_HASH_KEY", "another")
        assert place.asked() is None
    with monkeypatch.context() as patch:
        patch.setattr(unchanged, "_installed", lambda: iter(["ultravires 99"]))
        assert place.asked() is None
    now = unchanged.time.time()
    for later in (unchanged.LONGEST_SECONDS + 1, -60):
        with monkeypatch.context() as patch:
            patch.setattr(unchanged.time, "time", lambda later=later: now + later)
            assert place.asked() is None
    assert place.asked() is not None


def test_nobody_else_may_read_it(place: Place) -> None:
    assert (place.home / KEPT).stat().st_mode & 0o077 == 0
    assert "another" not in (place.home / KEPT).read_text()


def test_a_full_disk_ends_no_run_that_is_done(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept then, and nothing half-written stays; the next run does its work again."""
    result = place.asked()
    assert result is not None
    (place.home / KEPT).unlink()

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(Path, "replace", full)
    keep_result(input_place(place.logs), place.home, config=place.config, as_of="", result=result)
    assert place.asked() is None
    assert [path.name for path in place.home.iterdir() if KEPT in path.name] == []


def test_a_file_that_is_still_written_keeps_the_next_run_looking(tmp_path: Path) -> None:
    """A last line without its end may be whole a moment later, also where the file stays as it is."""
    place = Place(tmp_path)
    place.logs.mkdir()
    place.config.write_text("{}")
    write_lines(place.logs / "approvals.jsonl", [approval("APR-1", 0)])
    with (place.logs / "approvals.jsonl").open("a") as file:
        file.write('{"approval_id": "APR-2", ')
    place.run()
    place.run()
    assert place.asked() is None
    os.utime(place.logs / "approvals.jsonl", (1, 1))
    assert place.run().files == 1
    place.run()
    assert place.asked() is not None
