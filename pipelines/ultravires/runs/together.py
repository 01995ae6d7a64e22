"""Commands that live and die together, and with who started them: `python -m ultravires.runs.together`.

Their starter writes them on stdin, as one line of JSON, and keeps it open: a list of steps, each of them a list of
commands that run at once. All steps but the last are waited for. When stdin is closed, because the starter wants it or
because it is gone in whatever way, all that runs in this session ends; so it does when a command of the last step does,
or when one of an earlier step fails.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 12.0
_MOMENT = 0.1


def main() -> None:
    *first, last = json.loads(sys.stdin.buffer.readline())
    left_alone = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(left_alone,), daemon=True).start()
    # A handler of ours is not inherited by the commands, as to ignore the signal would be.
    signal.signal(signal.SIGINT, lambda *_: left_alone.set())
    children: list[subprocess.Popen[bytes]] = []
    if all(_all_succeed(step, left_alone) for step in first):
        children = _started(last)
        while not left_alone.is_set() and all(child.poll() is None for child in children):
            left_alone.wait(_MOMENT)
    os.killpg(0, signal.SIGINT)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(child.poll() is None for child in children) and time.monotonic() < deadline:
        time.sleep(_MOMENT)
    os.killpg(0, signal.SIGKILL)  # whatever they started, and this process


def _started(commands: list[list[str]]) -> list[subprocess.Popen[bytes]]:
    return [subprocess.Popen(command, stdin=subprocess.DEVNULL) for command in commands]  # noqa: S603 - our own words


def _all_succeed(commands: list[list[str]], left_alone: threading.Event) -> bool:
    children = _started(commands)
    while not left_alone.is_set() and any(child.poll() is None for child in children):
        left_alone.wait(_MOMENT)
    return all(child.returncode == 0 for child in children)


def _wait_for_the_end(left_alone: threading.Event) -> None:
    while os.read(0, 1 << 16):
        pass
    left_alone.set()


if __name__ == "__main__":
    main()
