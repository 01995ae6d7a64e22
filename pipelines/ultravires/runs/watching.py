"""Run after run in one process: what is new is read and judged soon after it is written, at next to no cost between."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from ultravires.errors import UltraviresError, UsageError
from ultravires.progress import PlainLines, watched
from ultravires.reading.input_place import input_place
from ultravires.runs.run_result import RunResult
from ultravires.runs.unchanged import unchanged_result
from ultravires.settings import parse_duration


def watch(folder: str, home: Path, *, config: Path | None, every: timedelta, tell: Callable[[RunResult], None]) -> None:
    """A run over `folder` every so often, until Ctrl-C; `tell` hears of the first, and of each that has news.

    What goes wrong in the first run is raised. Later it is said once, and tried again: a full disk is cleared, a
    receiver comes back, and alerts wait in the outbox meanwhile.
    """
    where = input_place(folder)
    said: str | None = None
    is_first = True
    while True:
        began = time.monotonic()
        try:
            result = unchanged_result(where, home, config=config, as_of="")
            if result is None:
                result = _run(folder, home, config)
            if is_first or is_news(result):
                tell(result)
            is_first, said = False, None
        except UltraviresError as error:
            if is_first:
                raise
            if str(error) != said:
                said = str(error)
                PlainLines().say(f"ultravires: {said}; tried again every {every.total_seconds():g} s")
        time.sleep(max(0.0, every.total_seconds() - (time.monotonic() - began)))


def parse_interval(text: str) -> timedelta:
    """`30s`, `5m`, `1h`; UsageError for anything else, and for none at all."""
    every = parse_duration(text)
    if not isinstance(every, timedelta) or not every:
        raise UsageError(f"--every {text}: not a length of time, such as 30s, 5m or 1h")
    return every


def is_news(result: RunResult) -> bool:
    """Whether the run read something or sent something."""
    return bool(result.files or result.alerts_sent)


def _run(folder: str, home: Path, config: Path | None) -> RunResult:
    from ultravires.runs.run import run_once

    with watched():
        return run_once(folder, home, config=config, as_of="")
