"""Files read by as many processes as there are cores, and handed over in the order they were asked for.

Small inputs are read here: starting processes costs more than they save. Small files are sent to a process together,
and what they hold comes back as one segment. Large files are read here, batch by batch, because a process hands over
what it read whole. A small file may unpack to much: a process that finds more in it than it may hold gives it up, and
it is read here like a large one.
"""

import gc
import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol

from ultravires import registry
from ultravires.errors import RunError
from ultravires.reading.locations import Location
from ultravires.reading.options import Options
from ultravires.reading.part_files import read_part, write_part
from ultravires.reading.parts import TASK_FILES, Part, is_large, likely_bytes, read_alone, read_together, tasks
from ultravires.reading.source import Source

WORTH_PROCESSES = 24 << 20
"""Bytes to read, as they are likely to unpack, below which one process is done before others have started."""
WORTH_REQUESTS = 20
"""Remote files from which on it pays to ask for several at once, which only other processes do."""
MOST_HANDED_OVER = 192 << 20
"""Bytes of Arrow and of quarantined records that one process hands over at once."""
FIRST_BYTES = 8 << 20
"""What is read here at a time while the processes start, as it is likely to unpack."""
LONGEST_START = 2.0
"""Seconds after which nobody waits for a process any more."""
AHEAD = 6
"""Tasks in flight for each process: enough to keep it busy while rows are stored, few enough to hold on disk."""

_OF_READERS = {
    # batch after batch asks for as much memory again: what one gave back is kept for the next (glibc; others ignore it)
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    # nothing is multiplied there, but numpy's threads for it would spin for a tenth of a second
    "OPENBLAS_NUM_THREADS": "1",
    # Python takes modules from the working directory first, and people stand in the folder of their logs
    "PYTHONSAFEPATH": "1",
    # what a run that is ended in the middle had from the system is given back for it, and nobody has to be told
    "PYTHONWARNINGS": "ignore:resource_tracker",
}


class ReadFiles(Protocol):
    def __call__(self, locations: Iterable[Location], ingested_at: datetime) -> Iterator[Part]: ...


@contextmanager
def file_reader(options: Options, folder: Path, *, workers: int | None = None) -> Iterator[ReadFiles]:
    """Something that reads files; processes start when there is enough to read, and are gone after the block.

    They hand over what they read in `folder`, which is made for it and removed.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(mode=0o700, parents=True)
    pool = _Pool(options, folder, workers or os.cpu_count() or 1)
    try:
        with without_collector():
            yield pool.read
    finally:
        pool.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def without_collector() -> Iterator[None]:
    """Rows and decoded records hold no circles, and looking for some in them takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Pool:
    def __init__(self, options: Options, folder: Path, workers: int) -> None:
        self._options = options
        self._folder = folder
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None
        self._starting: threading.Thread | None = None
        self._ingested_at = datetime.min

    def read(self, locations: Iterable[Location], ingested_at: datetime) -> Iterator[Part]:
        """Parts in the order of `locations`; their segments are of that time of ingestion."""
        self._ingested_at = ingested_at
        found = list(locations)
        small = sum(likely_bytes(location) for location in found if not is_large(location))
        is_worth_it = small >= WORTH_PROCESSES or sum(location.is_remote for location in found) >= WORTH_REQUESTS
        if self._workers > 1 and (self._executor is not None or is_worth_it):
            yield from self._read_in_processes(found)
        else:
            yield from self._read_here(found)

    def stop(self) -> None:
        """End the processes now, whatever they are at; what they read is nobody's yet."""
        if self._executor is None:
            return
        if self._starting is not None:
            self._starting.join(LONGEST_START)  # one that is just being born cannot be ended, and would complain
        for process in multiprocessing.active_children():
            process.terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = None

    def _read_here(self, locations: Sequence[Location]) -> Iterator[Part]:
        for task in tasks(locations):
            rest = task
            while rest:
                part = Part() if is_large(rest[0]) else read_together(rest, _sources(), self._options, MOST_HANDED_OVER)
                if part.n_locations:
                    yield part
                else:
                    yield from self._read_alone(rest[0])
                rest = rest[part.n_locations or 1 :]

    def _read_alone(self, location: Location) -> Iterator[Part]:
        return read_alone(location, _sources(), self._options)

    def _read_in_processes(self, locations: list[Location]) -> Iterator[Part]:
        if self._executor is None:
            self._executor = _executor(self._workers)
            self._starting, n_read = _start(self._executor, self._workers), 0
            while self._starting.is_alive() and (task := _first_small(locations[n_read : n_read + TASK_FILES])):
                yield from self._read_here(task)
                n_read += len(task)
            self._starting.join()
            locations = locations[n_read:]
        waiting = tasks(locations)
        flying: deque[tuple[list[Location], Future[str] | None]] = deque()
        while True:
            for task in islice(waiting, AHEAD * self._workers - len(flying)):
                flying.append((task, None if is_large(task[0]) else self._submit(task)))
            if not flying:
                return
            task, future = flying.popleft()
            part = Part() if future is None else self._result(future)
            if part.n_locations:
                yield part
            else:
                yield from self._read_alone(task[0])
            if rest := task[part.n_locations or 1 :]:
                flying.appendleft((rest, self._submit(rest)))

    def _submit(self, task: list[Location]) -> "Future[str]":
        assert self._executor is not None
        with _reporting_dead_workers():
            return self._executor.submit(
                _read_task, task, self._options, MOST_HANDED_OVER, self._folder, self._ingested_at
            )

    def _result(self, future: "Future[str]") -> Part:
        with _reporting_dead_workers():
            name = future.result()
        return read_part(name, self._folder)


def _executor(workers: int) -> ProcessPoolExecutor:
    """Processes to come: what all of them need is imported once, by the one that they part from, which begins now."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *(source.events.__module__ for source in registry.sources().values())])
    with _environment(**_OF_READERS):
        resource_tracker.ensure_running()  # it would let Ctrl-C through again
        with _interrupts_blocked():
            forkserver.ensure_running()
    return ProcessPoolExecutor(workers, context, initializer=_begin_work)


def _start(executor: ProcessPoolExecutor, workers: int) -> threading.Thread:
    """Start the processes; the thread ends when all are on their way and the first is there. They start in it, because
    Ctrl-C is never raised in it: a start that is broken off in the middle leaves processes that complain.
    """

    def start_and_wait() -> None:
        with suppress(Exception):  # who asks for the next task is told, if anybody does
            first, *_ = [executor.submit(os.getpid) for _ in range(workers)]
            first.result()

    thread = threading.Thread(target=start_and_wait, daemon=True)
    thread.start()
    return thread


def _first_small(locations: Sequence[Location]) -> list[Location]:
    """The first few that are read together; none where the first is large."""
    task = next(tasks(locations, FIRST_BYTES), [])
    return [] if task and is_large(task[0]) else task


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """What starts within has these variables, too."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """What starts within never hears Ctrl-C, not even while it imports; the parent hears it after the block."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _reporting_dead_workers() -> Iterator[None]:
    try:
        yield
    except (BrokenProcessPool, EOFError) as error:
        raise RunError(
            "a process that reads files was ended from outside (perhaps for want of memory); run again to go on"
        ) from error


def _sources() -> tuple[Source, ...]:
    return tuple(registry.sources().values())


def _begin_work() -> None:
    """A worker without a parent has nobody to work for."""
    gc.freeze()
    gc.disable()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _read_task(task: list[Location], options: Options, most: int, folder: Path, ingested_at: datetime) -> str:
    """What the first locations of `task` hold, handed over in `folder`."""
    part = read_together(task, _sources(), options, most)
    gc.collect(0)  # what little went in circles on the way
    return write_part(part, folder, ingested_at)
