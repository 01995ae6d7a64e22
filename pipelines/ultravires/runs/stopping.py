"""Ctrl-C, whatever the process is at.

Dagster puts a handler of its own in place at every step, DuckDB makes an error of its own of what a handler raises, and
either can lose it. So the signal is seen here as well, below all handlers: what then ends, ends because it was asked
to, and what goes on after a while is ended from here. That is safe, for a kill at any moment loses nothing.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ultravires.errors import STOPPED

STOPPED_LINE = "stopped; run the same command again to go on"
GRACE_SECONDS = 1.2
"""What a run may take to stop in order: the answer has to come within two seconds."""

_MOMENT = 0.05
"""Seconds in which the thread that watches has noticed what the main thread may already be answering."""


@contextmanager
def ctrl_c_stops() -> Iterator[Callable[[], bool]]:
    """In the block Ctrl-C ends the process, in order or after a while; the value says whether it was asked to.

    Only for the main thread of a process that is ours to end.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    asked, ended = threading.Event(), threading.Event()
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, asked, ended), daemon=True).start()
    try:
        yield lambda: asked.wait(_MOMENT)
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        os.close(writer)


@contextmanager
def in_its_own_time() -> Iterator[None]:
    """In the block Ctrl-C is somebody else's: a child process that has to stop in order, however long it takes."""
    before = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


def is_interrupt(error: Exception) -> bool:
    """Whether it is Ctrl-C during a query, as DuckDB tells of it."""
    return isinstance(error, RuntimeError) and "Query interrupted" in str(error)


def _watch(reader: int, asked: threading.Event, ended: threading.Event) -> None:
    """Until `writer` is closed, or the grace after the first Ctrl-C is over."""
    while numbers := os.read(reader, 64):
        if signal.SIGINT in numbers:
            asked.set()
            if ended.wait(GRACE_SECONDS):
                break
            print(f"ultravires: {STOPPED_LINE}", file=sys.stderr, flush=True)  # noqa: T201 - nobody else will say it
            os._exit(STOPPED)
    os.close(reader)
