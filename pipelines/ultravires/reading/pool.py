"""Files read by as many processes as there are cores, handed over as Arrow in the order they were asked for.

Small inputs are read here: starting processes costs more than they save. Large files are read here too, batch by
batch, because a process hands over a file whole. A small file may unpack to much: a process that finds more in it
than it may hold gives it up, and it is read here like a large one.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol

from ultravires import registry
from ultravires.errors import RunError
from ultravires.reading.input_file import InputFile, read_file, stat_or_none
from ultravires.reading.source import Options

WORTH_PROCESSES = 8 << 20
"""Bytes to read below which one process is done before others have started."""
LARGE_FILE = 64 << 20
MOST_HANDED_OVER = 64 << 20
"""Bytes of Arrow and of quarantined records that one process hands over for one file."""
AHEAD = 2
"""Files in flight for each process: enough to keep it busy, few enough to hold in memory."""


class ReadFiles(Protocol):
    def __call__(self, paths: Sequence[Path]) -> Iterator[InputFile]: ...


@contextmanager
def file_reader(options: Options, *, workers: int | None = None) -> Iterator[ReadFiles]:
    """Something that reads files; processes start when there is enough to read, and are gone after the block."""
    pool = _Pool(options, workers or os.cpu_count() or 1)
    try:
        yield pool.read
    finally:
        pool.stop()


class _Pool:
    def __init__(self, options: Options, workers: int) -> None:
        self._options = options
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None

    def read(self, paths: Sequence[Path]) -> Iterator[InputFile]:
        sizes = [status.st_size if (status := stat_or_none(path)) else 0 for path in paths]
        small = sum(size for size in sizes if size < LARGE_FILE)
        if self._workers > 1 and (self._executor is not None or small >= WORTH_PROCESSES):
            yield from self._read_in_processes(list(zip(paths, sizes, strict=True)))
        else:
            for path in paths:
                yield from self._read_here(path)

    def stop(self) -> None:
        """End the processes now, whatever they are at; what they read is nobody's yet."""
        if self._executor is None:
            return
        for process in multiprocessing.active_children():
            process.terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = None

    def _read_here(self, path: Path) -> Iterator[InputFile]:
        return read_file(path, tuple(registry.sources().values()), self._options)

    def _read_in_processes(self, files: list[tuple[Path, int]]) -> Iterator[InputFile]:
        waiting = deque(files)
        flying: deque[tuple[Path, Future[InputFile | None] | None]] = deque()
        while waiting or flying:
            while waiting and len(flying) < AHEAD * self._workers:
                path, size = waiting.popleft()
                flying.append((path, None if size >= LARGE_FILE else self._submit(path)))
            path, future = flying.popleft()
            file = None if future is None else self._result(future)
            if file is None:
                yield from self._read_here(path)
            else:
                yield file

    def _submit(self, path: Path) -> "Future[InputFile | None]":
        if self._executor is None:
            context = multiprocessing.get_context("forkserver")
            self._executor = ProcessPoolExecutor(self._workers, context, initializer=_begin_work)
        return self._executor.submit(_read_whole, path, self._options, MOST_HANDED_OVER)

    def _result(self, future: "Future[InputFile | None]") -> InputFile | None:
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise RunError(
                "a process that reads files was ended from outside (perhaps for want of memory); run again to go on"
            ) from error


def _begin_work() -> None:
    """Ctrl-C is the parent's to answer; and a worker without a parent has nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _read_whole(path: Path, options: Options, most: int) -> InputFile | None:
    """The file with all that it holds; None as soon as that is more than `most` bytes."""
    for file in read_file(path, tuple(registry.sources().values()), options):
        held = sum(batch.nbytes for batch in file.pending) + sum(len(refused.raw) for refused in file.refused)
        if held > most:
            return None
    return file
