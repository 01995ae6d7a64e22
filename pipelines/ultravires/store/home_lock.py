"""One writer at a time: the lock of a home, which names the process that holds it."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ultravires.errors import HomeBusy, UsageError


@contextmanager
def home_lock(home: Path, wait_seconds: float, say: Callable[[str], None] | None) -> Iterator[None]:
    with _open_lock(home) as handle:
        deadline = time.monotonic() + wait_seconds
        told = False
        while not _try_lock(handle):
            holder = _holder(handle)
            if time.monotonic() >= deadline:
                raise HomeBusy(f"{home}: another run{holder} is using this home; try again when it has finished")
            if say is not None and not told:
                say(f"another run{holder} is using {home}; waiting for it to finish")
                told = True
            time.sleep(0.2)
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _open_lock(home: Path) -> IO[str]:
    try:
        return (home / "lock").open("a+")
    except OSError as error:
        raise UsageError(f"{home}: cannot lock this home ({error.strerror}); choose another --home") from error


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: IO[str]) -> str:
    handle.seek(0)
    pid = handle.read(20).strip()
    return f" (process {pid})" if pid.isdigit() else ""
