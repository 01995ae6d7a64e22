"""CPU seconds of this process and of all processes that it started, those that still run included.

Other work on the machine stretches seconds of a clock, and hardly these.
"""

import os
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM = 1, 11, 12
"""Places in /proc/PID/stat behind the name of the command (proc(5))."""


def cpu_seconds() -> float:
    """Seconds so far; the difference of two calls is what was used between them."""
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system + _of_running_children()


def _of_running_children() -> float:
    """Processes that have not been waited for yet, and what they started; on Linux only, elsewhere none."""
    stats = {pid: stat for pid, stat in map(_stat, Path("/proc").glob("[0-9]*")) if stat}
    ours, found = {os.getpid()}, 0.0
    while more := {pid for pid, stat in stats.items() if int(stat[_PARENT]) in ours and pid not in ours}:
        ours |= more
        found += sum(int(stats[pid][_USER]) + int(stats[pid][_SYSTEM]) for pid in more) / _TICKS
        # a child that ended already is in what its parent has waited for
        found += sum(int(stats[pid][_USER + 2]) + int(stats[pid][_SYSTEM + 2]) for pid in more) / _TICKS
    return found


def _stat(folder: Path) -> tuple[int, list[str]]:
    try:
        text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it ended while we looked
        return int(folder.name), []
    return int(folder.name), text.rpartition(")")[2].split()
