"""Reading in several processes: the same as in one, in the same order, and nobody is left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import SAMPLES
from ultravires.errors import RunError
from ultravires.reading import pool
from ultravires.reading.input_file import InputFile, LostFile, read_file
from ultravires.reading.pool import file_reader
from ultravires.reading.source import Options, Source

OPTIONS = Options(hash_key=b"key")
FILES = [*sorted((SAMPLES / "aws_cloudtrail").rglob("*.gz"))[:12], SAMPLES / "README.md"]


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes start for the smallest input too."""
    monkeypatch.setattr(pool, "WORTH_PROCESSES", 0)


def test_processes_give_what_one_process_gives_in_the_same_order() -> None:
    """Batches, counts, ids and unrecognised files are equal."""
    with file_reader(OPTIONS, workers=1) as here, file_reader(OPTIONS, workers=2) as there:
        in_one = {file.path: file for file in here(FILES)}
        in_two = list(there(FILES))
    assert [file.path for file in in_two] == FILES
    for file in in_two:
        other = in_one[file.path]
        assert (file.file_id, file.source, file.records, file.state) == (
            other.file_id,
            other.source,
            other.records,
            other.state,
        )
        assert [batch.to_pydict() for batch in file.pending] == [batch.to_pydict() for batch in other.pending]


def test_a_large_file_is_read_here_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in batches and between the files it was asked for between."""
    monkeypatch.setattr(pool, "LARGE_FILE", sorted(path.stat().st_size for path in FILES)[-2])
    with file_reader(OPTIONS, workers=2) as read:
        order = list(dict.fromkeys(file.path for file in read(FILES)))
    assert order == FILES


def test_a_small_file_that_unpacks_to_much_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process gives it up; it comes in its place with all that it holds, the others still from processes."""
    with file_reader(OPTIONS, workers=1) as here:
        in_one = {file.path: file for file in here(FILES)}
    sizes = {path: sum(batch.nbytes for batch in file.pending) for path, file in in_one.items()}
    largest = max(sizes, key=lambda path: sizes[path])
    monkeypatch.setattr(pool, "MOST_HANDED_OVER", sizes[largest] - 1)
    read_here: list[Path] = []

    def noted(path: Path, sources: Sequence[Source], options: Options) -> Iterator[InputFile]:
        read_here.append(path)
        return read_file(path, sources, options)

    monkeypatch.setattr(pool, "read_file", noted)
    with file_reader(OPTIONS, workers=2) as read:
        in_two = {file.path: file for file in read(FILES)}
    assert read_here == [path for path in FILES if sizes[path] == sizes[largest]]
    assert list(in_two) == FILES
    for path, file in in_two.items():
        assert [batch.to_pydict() for batch in file.pending] == [b.to_pydict() for b in in_one[path].pending]


def test_a_lost_file_is_told_of_across_processes(tmp_path: Path) -> None:
    """The path and the reason survive the way."""
    with file_reader(OPTIONS, workers=2) as read, pytest.raises(LostFile, match=r"gone\.json: No such file") as lost:
        list(read([FILES[0], tmp_path / "gone.json"]))
    assert lost.value.path == tmp_path / "gone.json"


def test_no_process_is_left_after_the_block() -> None:
    """Also when the block is left in the middle of the work."""
    with file_reader(OPTIONS, workers=2) as read:
        next(iter(read(FILES)))
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_is_one_line() -> None:
    """What the system ended for want of memory is said, not shown as a traceback."""
    with file_reader(OPTIONS, workers=2) as read:
        files = read(FILES)
        next(files)
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(RunError, match="ended from outside"):
            list(files) + list(read(FILES))


_PARENT = """
import sys
from pathlib import Path
from ultravires.reading import pool
from ultravires.reading.source import Options, Source
import multiprocessing
if __name__ == "__main__":
    pool.WORTH_PROCESSES = 0
    with pool.file_reader(Options(hash_key=b"key"), workers=2) as read:
        next(iter(read([Path(name) for name in sys.argv[1:]])))
        print(*[process.pid for process in multiprocessing.active_children()], flush=True)
        sys.stdin.read()
"""


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """kill -9 leaves no process behind."""
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    arguments = [sys.executable, str(script), *map(str, FILES[:4])]
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
