"""Reading in several processes: the same as in one, in the same order, and nobody is left behind."""

import contextlib
import gzip
import json
import multiprocessing
import operator
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import SAMPLES
from source_samples import SAMPLES as SAMPLES_OF
from source_samples import decision
from ultravires.errors import RunError
from ultravires.reading import parts, pool, small_files
from ultravires.reading.events import SOURCE_COLUMNS
from ultravires.reading.input_file import InputFile, read_file
from ultravires.reading.locations import LocalFile, Location, local_file
from ultravires.reading.options import Options
from ultravires.reading.part_files import read_part, write_part
from ultravires.reading.pool import Part, file_reader
from ultravires.reading.source import Source
from ultravires.schema import EVENTS

NOW = datetime.now(UTC)
OPTIONS = Options(hash_key=b"key")
PATHS = [*sorted((SAMPLES / "aws_cloudtrail").rglob("*.gz"))[:12], SAMPLES / "README.md"]
FILES = [local_file(path) for path in PATHS]


def names(read: list[Part]) -> list[str]:
    """The files of some parts, each once."""
    return list(dict.fromkeys(file.path for part in read for file in part.files))


def rows(read: list[Part]) -> list[dict[str, object]]:
    """The events of some parts in their order."""
    return [row for part in read for batch in part.events for row in batch.to_pylist()]


def taken_up(parts_read: Iterable[Part]) -> list[Part]:
    """The parts with the rows of their segments in memory, as if all had been read here."""
    found = []
    for part in parts_read:
        for written in part.written:
            table = pq.read_table(written.path).cast(EVENTS)
            assert set(table["ingested_at"].to_pylist()) == {NOW}
            assert (table.num_rows, table["event_hour"].to_pylist()) == (
                written.n_rows,
                [at.replace(minute=0, second=0, microsecond=0) for at in table["event_at"].to_pylist()],
            )
            hours = sorted(table["event_hour"].to_pylist())
            assert (written.first_hour, written.last_hour) == (hours[0], hours[-1])
            part.events += table.select([*SOURCE_COLUMNS.names, "file_id"]).to_batches()
        found.append(part)
    return found


class Starting:
    """Instead of the thread that starts processes: it is done when so many tasks were read here."""

    def __init__(self, n_tasks: int) -> None:
        self.answers = iter([True] * n_tasks)

    def is_alive(self) -> bool:
        return next(self.answers, False)

    def join(self, timeout: float | None = None) -> None:
        pass


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Processes start for the smallest input too, and all of it is theirs."""
    monkeypatch.setattr(pool, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(pool, "_start", lambda *_: Starting(0))


@pytest.mark.parametrize(("task_files", "n_while_starting"), [(1, 0), (5, 0), (1, 3), (5, 1), (5, 99)])
def test_processes_give_what_one_process_gives_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch, task_files: int, n_while_starting: int, tmp_path: Path
) -> None:
    """Events, counts, ids and unrecognised files are equal, however many files a process is sent at once, and however
    many are read before there is one.
    """
    monkeypatch.setattr(parts, "TASK_FILES", task_files)
    monkeypatch.setattr(pool, "_start", lambda *_: Starting(n_while_starting))
    one, two = tmp_path / "one", tmp_path / "two"
    with file_reader(OPTIONS, one, workers=1) as here, file_reader(OPTIONS, two, workers=2) as there:
        in_one, in_two = taken_up(here(FILES, NOW)), taken_up(there(FILES, NOW))
    assert names(in_two) == list(map(str, PATHS))
    assert sum(part.n_locations for part in in_two) == len(FILES)
    assert [file for part in in_two for file in part.files] == [file for part in in_one for file in part.files]
    assert rows(in_two) == rows(in_one)


def test_what_a_process_hands_over_is_what_it_read(tmp_path: Path) -> None:
    """Its events are a segment, all else is gone once it was taken; a pipe can carry its name whole."""
    read = Part()
    for part in in_one_process(FILES, tmp_path):
        read.n_locations += part.n_locations
        read.extend(part)
    folder = tmp_path / "over"
    folder.mkdir()
    expected = rows([read])
    name = write_part(read, folder, NOW)
    assert len(name) < select.PIPE_BUF / 4
    assert [path.stat().st_mode & 0o077 for path in folder.iterdir()] == [0, 0]
    taken = read_part(name, folder)
    assert list(folder.iterdir()) == [written.path for written in taken.written]
    assert rows(taken_up([taken])) == expected
    assert (taken.files, taken.n_locations) == (read.files, len(FILES))


def test_nothing_is_left_where_processes_hand_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither of this run nor of one that was killed before."""
    (tmp_path / "reading").mkdir()
    (tmp_path / "reading" / "left.arrow").write_bytes(b"of a run that was killed")
    monkeypatch.setattr(parts, "TASK_FILES", 1)
    with file_reader(OPTIONS, tmp_path / "reading", workers=2) as read:
        assert list((tmp_path / "reading").iterdir()) == []
        files = read(FILES, NOW)
        next(files), next(files)
    assert not (tmp_path / "reading").exists()


def test_a_large_file_is_read_here_in_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It comes between the files it was asked for between."""
    monkeypatch.setattr(parts, "LARGE_FILE", sorted(file.listed.size for file in FILES)[-2])
    monkeypatch.setattr(parts, "STREAMED_BYTES", 1)
    with file_reader(OPTIONS, tmp_path / "reading", workers=2) as read:
        found = taken_up(read(FILES, NOW))
    assert names(found) == list(map(str, PATHS))
    assert re.fullmatch("(0+1){2}", "".join(str(part.n_locations) for part in found if part.streamed))


def test_a_small_file_that_unpacks_to_much_is_read_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process gives it up; it comes in its place with all that it holds, the others still from processes."""
    lines = b"".join(json.dumps(decision(decision_id=f"d-{n}")).encode() + b"\n" for n in range(20_000))
    (tmp_path / "much.gz").write_bytes(gzip.compress(lines))
    files = [*FILES[:3], local_file(tmp_path / "much.gz"), *FILES[3:]]
    assert len(lines) > parts.SMALL_UNPACKED
    monkeypatch.setattr(pool, "MOST_HANDED_OVER", 1 << 20)
    monkeypatch.setattr(parts, "TASK_FILES", 2)
    read_here: list[str] = []

    def noted(location: Location, sources: Sequence[Source], options: Options) -> Iterator[InputFile]:
        read_here.append(str(location))
        return read_file(location, sources, options)

    monkeypatch.setattr(parts, "read_file", noted)
    with file_reader(OPTIONS, tmp_path / "reading", workers=2) as read:
        in_two = taken_up(read(files, NOW))
    assert read_here == [str(tmp_path / "much.gz")]
    assert names(in_two) == list(map(str, files))
    assert len(rows(in_two)) == 20_000 + len(rows(in_one_process(FILES, tmp_path)))


def in_one_process(files: list[LocalFile], folder: Path) -> list[Part]:
    with file_reader(OPTIONS, folder / "one", workers=1) as read:
        return taken_up(read(files, NOW))


@pytest.mark.parametrize("small_file", [-1, parts.SMALL_FILE])
def test_small_files_that_share_a_batch_give_what_each_gives_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_file: int
) -> None:
    """Of several sources in turn, empty, damaged, with records refused and ignored and without ids of their own."""
    no_id = {key: value for key, value in decision().items() if key != "decision_id"}
    contents = [
        SAMPLES_OF["opa_decisions"],
        SAMPLES_OF["approvals"],
        json.dumps(no_id).encode() + b"\n" + json.dumps(no_id).encode(),
        json.dumps(no_id).encode(),
        b"",
        json.dumps(decision()).encode() + b"\nnot JSON\n" + json.dumps(decision(decision_id="x")).encode() + b"\n[]",
        gzip.compress(SAMPLES_OF["opa_decisions"])[:-20],
        SAMPLES_OF["aws_cloudtrail"],
        b"junk",
        SAMPLES_OF["opa_decisions"],
    ]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.log").write_bytes(content)
    files = [local_file(tmp_path / f"{number}.log") for number in range(len(contents))]
    monkeypatch.setattr(parts, "SMALL_FILE", -1)
    alone = in_one_process(files, tmp_path)
    monkeypatch.setattr(parts, "SMALL_FILE", small_file)
    monkeypatch.setattr(small_files, "MOST_BYTES", 3_000)
    together = in_one_process(files, tmp_path)
    assert [file for part in together for file in part.files] == [file for part in alone for file in part.files]
    key = operator.itemgetter("file_id", "record_no")
    assert sorted(rows(together), key=key) == sorted(rows(alone), key=key)
    assert refused_of(together) == refused_of(alone)
    assert len(refused_of(alone)) >= 3


def refused_of(read: list[Part]) -> list[tuple[str, int, str, bytes]]:
    found = [(file.path, one.record_no, one.reason, one.raw) for part in read for file, one in part.refused]
    return sorted(found)


def test_a_lost_file_is_told_of_across_processes(tmp_path: Path) -> None:
    """The path and the reason survive the way, and the files beside it are read."""
    gone = local_file(tmp_path / "gone.json")
    with file_reader(OPTIONS, tmp_path / "reading", workers=2) as read:
        found = taken_up(read([FILES[0], gone, FILES[1]], NOW))
    assert names(found) == list(map(str, PATHS[:2]))
    (lost,) = [lost for part in found for lost in part.lost]
    assert lost.location == gone
    assert str(lost) == f"{gone}: No such file or directory"


def test_no_process_is_left_after_the_block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also when the block is left in the middle of the work."""
    monkeypatch.setattr(parts, "TASK_FILES", 1)
    with file_reader(OPTIONS, tmp_path / "reading", workers=2) as read:
        files = read(FILES, NOW)
        next(files), next(files)
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the system ended for want of memory is said, not shown as a traceback."""
    monkeypatch.setattr(parts, "TASK_FILES", 1)
    with file_reader(OPTIONS, tmp_path / "reading", workers=2) as read:
        files = read(FILES, NOW)
        next(files), next(files)  # the first was read here, while the processes started
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(RunError, match="ended from outside"):
            list(files) + taken_up(read(FILES, NOW))


_PARENT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from ultravires.reading import parts, pool
from ultravires.reading.locations import local_file
from ultravires.reading.options import Options
import multiprocessing
if __name__ == "__main__":
    pool.WORTH_PROCESSES, pool._first_small, parts.TASK_FILES = 0, lambda _: [], 1
    with pool.file_reader(Options(hash_key=b"key"), Path(__file__).parent / "reading", workers=2) as read:
        parts = read([local_file(Path(name)) for name in sys.argv[1:]], datetime.now(UTC))
        next(parts), next(parts)
        print(*[process.pid for process in multiprocessing.active_children()], flush=True)
        sys.stdin.read()
"""


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """kill -9 leaves no process behind."""
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    arguments = [sys.executable, str(script), *map(str, PATHS[:4])]
    parent = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdin is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


_STOPPED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from ultravires.reading import pool
from ultravires.reading.locations import local_file
from ultravires.reading.options import Options
from ultravires.runs.stopping import ctrl_c_stops
if __name__ == "__main__":
    pool.WORTH_PROCESSES = 0
    folder = Path(__file__).parent / "reading"
    try:
        with ctrl_c_stops(), pool.file_reader(Options(hash_key=b"key"), folder, workers=2) as read:
            print("reading", flush=True)
            while True:
                list(read([local_file(Path(name)) for name in sys.argv[1:]], datetime.now(UTC)))
    except KeyboardInterrupt:
        print("ultravires: stopped; run the same command again to go on", file=sys.stderr)
"""


@pytest.mark.parametrize("seconds", [0, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_ctrl_c_is_heard_by_nobody_but_the_parent(seconds: float, tmp_path: Path) -> None:
    """A terminal sends it to all of a run's processes, also to those that just start."""
    script = tmp_path / "stopped.py"
    script.write_text(_STOPPED)
    run = subprocess.Popen(
        [sys.executable, str(script), *map(str, PATHS[:4])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no other thread runs here
    )
    with run:
        try:
            assert run.stdout is not None and run.stdout.readline() == "reading\n"
            time.sleep(seconds)
            os.killpg(run.pid, signal.SIGINT)
            said = run.communicate(timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
    assert said == ("", "ultravires: stopped; run the same command again to go on\n")


_STUCK = _STOPPED.replace("import sys\n", "import sys\nimport time\n", 1).replace(
    "            while True:\n                list(",
    "            for attempt in range(2):\n                list(",
)
_STUCK = _STUCK.replace(
    "    except KeyboardInterrupt:\n",
    """            try:
                print("read", flush=True)
                time.sleep(60)
            except KeyboardInterrupt:
                time.sleep(60)
    except KeyboardInterrupt:
""",
)


def test_a_run_that_is_ended_after_its_grace_says_one_line(tmp_path: Path) -> None:
    """What it had from the system is given back by the tracker of resources, which has nothing to say of it."""
    script = tmp_path / "stuck.py"
    script.write_text(_STUCK)
    run = subprocess.Popen(
        [sys.executable, str(script), *map(str, PATHS[:4])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with run:
        try:
            assert run.stdout is not None
            assert [run.stdout.readline() for _ in range(2)] == ["reading\n", "read\n"]
            os.killpg(run.pid, signal.SIGINT)
            said = run.communicate(timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
    assert (run.returncode, said) == (130, ("", "ultravires: stopped; run the same command again to go on\n"))
