"""What a run is doing, told to whoever watches: a bar on a terminal, plain lines elsewhere, nothing in a library."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ultravires.tracing.terminal import Terminal
from ultravires.tracing.visible import LONGEST_LINE, visible

SLOW_SECONDS = 5.0


class Watcher(Protocol):
    def step(self, what: str, done: int, total: int) -> None: ...

    def say(self, line: str) -> None: ...


class Silent:
    def step(self, what: str, done: int, total: int) -> None:
        """A library call shows nothing."""

    def say(self, line: str) -> None:
        """A library call shows nothing."""


class PlainLines:
    """One line for every step that takes long, on stderr; fit for a log file."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def step(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= SLOW_SECONDS:
            self._last = now
            self.say(f"{what}: {done} of {total}")

    def say(self, line: str) -> None:
        print(visible(line, LONGEST_LINE), file=sys.stderr, flush=True)  # noqa: T201 - this is the place that prints


class Bar:
    """A progress bar on the terminal that names the step at work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None)

    def step(self, what: str, done: int, total: int) -> None:
        self._progress.update(self._task, description=what, completed=done, total=total)

    def say(self, line: str) -> None:
        self._progress.console.print(visible(line, LONGEST_LINE), markup=False, highlight=False)


_watcher: Watcher = Silent()


def watcher() -> Watcher:
    return _watcher


@contextmanager
def watched() -> Iterator[None]:
    """Show progress on stderr for the time of the block."""
    global _watcher  # noqa: PLW0603 - one process runs one run, and Dagster's assets cannot be handed a watcher
    before = _watcher
    try:
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            with Progress(*columns, console=Terminal(stderr=True), transient=True) as progress:
                _watcher = Bar(progress)
                yield
        else:
            _watcher = PlainLines()
            yield
    finally:
        _watcher = before
