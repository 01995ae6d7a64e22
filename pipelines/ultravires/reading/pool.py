"""Files read by as many processes as there are cores, handed over as Arrow in the order they were asked for.

Small inputs are read here: starting processes costs more than they save. Small files are sent to a process by the
dozen, and what they hold comes back in one piece. Large files are read here, batch by batch, because a process hands
over what it read whole. A small file may unpack to much: a process that finds more in it than it may hold gives it up,
and it is read here like a large one.
"""

import gc
import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from ultravires import registry
from ultravires.errors import RunError
from ultravires.reading.files import Quarantined
from ultravires.reading.handing_over import WORTH_A_FILE, take_batches, write_batches
from ultravires.reading.input_file import InputFile, LostFile, read_file
from ultravires.reading.locations import Location
from ultravires.reading.source import Options, Source

WORTH_PROCESSES = 8 << 20
"""Bytes to read below which one process is done before others have started."""
LARGE_FILE = 64 << 20
STREAMED_BYTES = 16 << 20
"""Bytes of Arrow and of quarantined records after which a file that is read here is handed over in parts."""
TASK_BYTES = 4 << 20
TASK_FILES = 100
"""What one process is sent at once: small files by the dozen, so that asking for them costs little."""
MOST_HANDED_OVER = 64 << 20
"""Bytes of Arrow and of quarantined records that one process hands over at once."""
AHEAD = 2
"""Tasks in flight for each process: enough to keep it busy, few enough to hold in memory."""


@dataclass
class Part:
    """What one step of reading gives: `n_locations` that are done with it. `events` are SOURCE_COLUMNS and file_id.

    A `streamed` location comes in several parts, one after another, with the same objects in `files`; it can be lost
    after some of them.
    """

    n_locations: int = 0
    files: list[InputFile] = field(default_factory=list)
    events: list[pa.RecordBatch] = field(default_factory=list)
    refused: list[tuple[InputFile, Quarantined]] = field(default_factory=list)
    lost: list[LostFile] = field(default_factory=list)
    streamed: Location | None = None
    handed_over: Path | None = None
    """Where `events` lie while they are on the way from one process to another."""

    def add(self, file: InputFile) -> None:
        """Takes what is pending of `file`."""
        if not self.files or self.files[-1] is not file:
            self.files.append(file)
        self.events += file.pending
        self.refused += [(file, refused) for refused in file.refused]
        file.pending, file.refused = [], []

    def extend(self, later: "Part") -> None:
        self.n_locations += later.n_locations
        self.files += later.files
        self.events += later.events
        self.refused += later.refused
        self.lost += later.lost


class ReadFiles(Protocol):
    def __call__(self, locations: Iterable[Location]) -> Iterator[Part]: ...


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

    def read(self, locations: Iterable[Location]) -> Iterator[Part]:
        found = list(locations)
        small = sum(location.listed.size for location in found if location.listed.size < LARGE_FILE)
        if self._workers > 1 and (self._executor is not None or small >= WORTH_PROCESSES):
            yield from self._read_in_processes(found)
        else:
            for location in found:
                yield from self._read_here(location)

    def stop(self) -> None:
        """End the processes now, whatever they are at; what they read is nobody's yet."""
        if self._executor is None:
            return
        for process in multiprocessing.active_children():
            process.terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = None

    def _read_here(self, location: Location) -> Iterator[Part]:
        """One part where little is in the file, else a streamed part for each of its batches."""
        part, held = Part(), 0
        try:
            for file in read_file(location, _sources(), self._options):
                held += _held(file)
                part.add(file)
                if held > STREAMED_BYTES:
                    part.streamed = location
                    yield part
                    part, held = Part(streamed=location), 0
        except LostFile as lost:
            part = Part(lost=[lost], streamed=part.streamed)
        part.n_locations = 1
        yield part

    def _read_in_processes(self, locations: list[Location]) -> Iterator[Part]:
        tasks = iter(list(_tasks(locations)))
        flying: deque[tuple[list[Location], Future[Part] | None]] = deque()
        while True:
            for task in islice(tasks, AHEAD * self._workers - len(flying)):
                is_large = task[0].listed.size >= LARGE_FILE
                flying.append((task, None if is_large else self._submit(task)))
            if not flying:
                return
            task, future = flying.popleft()
            if future is None:
                yield from self._read_here(task[0])
                continue
            part = self._result(future)
            yield part
            rest = task[part.n_locations :]
            if rest and part.n_locations == 0:
                yield from self._read_here(rest.pop(0))
            if rest:
                flying.appendleft((rest, self._submit(rest)))

    def _submit(self, task: list[Location]) -> "Future[Part]":
        if self._executor is None:
            context = multiprocessing.get_context("forkserver")
            self._executor = ProcessPoolExecutor(self._workers, context, initializer=_begin_work)
        return self._executor.submit(_read_many, task, self._options, MOST_HANDED_OVER, self._folder)

    def _result(self, future: "Future[Part]") -> Part:
        try:
            part = future.result()
            if part.handed_over is not None:
                part.events, part.handed_over = take_batches(part.handed_over), None
            return part
        except BrokenProcessPool as error:
            raise RunError(
                "a process that reads files was ended from outside (perhaps for want of memory); run again to go on"
            ) from error


def _sources() -> tuple[Source, ...]:
    return tuple(registry.sources().values())


def _tasks(locations: Iterable[Location]) -> Iterator[list[Location]]:
    """Locations in their order: a large one alone, small ones together."""
    task: list[Location] = []
    size = 0
    for location in locations:
        is_large = location.listed.size >= LARGE_FILE
        if task and (is_large or size + location.listed.size > TASK_BYTES or len(task) >= TASK_FILES):
            yield task
            task, size = [], 0
        task.append(location)
        size += location.listed.size
        if is_large:
            yield task
            task, size = [], 0
    if task:
        yield task


def _begin_work() -> None:
    """Ctrl-C is the parent's to answer; and a worker without a parent has nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.disable()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _read_many(task: list[Location], options: Options, most: int, folder: Path) -> Part:
    """What the first locations of `task` hold, up to the one with which it would be more than `most` bytes."""
    part, held = Part(), 0
    for location in task:
        one = Part()
        try:
            for file in read_file(location, _sources(), options):
                held += _held(file)
                one.add(file)
                if held > most:
                    return _handed_over(part, folder)
        except LostFile as lost:
            one = Part(lost=[lost])
        one.n_locations = 1
        part.extend(one)
    gc.collect(0)  # what little went in circles on the way
    return _handed_over(part, folder)


def _held(file: InputFile) -> int:
    n_bytes: int = sum(batch.nbytes for batch in file.pending)
    return n_bytes + sum(len(refused.raw) for refused in file.refused)


def _handed_over(part: Part, folder: Path) -> Part:
    """Much goes by a file, little in one piece: one batch costs a fraction of many on the way to another process."""
    if sum(batch.nbytes for batch in part.events) >= WORTH_A_FILE:
        part.handed_over, part.events = write_batches(part.events, folder), []
    elif len(part.events) > 1:
        part.events = pa.Table.from_batches(part.events).combine_chunks().to_batches()
    return part
