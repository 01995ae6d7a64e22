"""What of the input was not read: summed by folder for people, by path for `--json`."""

import re
from collections.abc import Iterable, Iterator

from ultravires.reading.locations import Skipped
from ultravires.store.load import LoadCounts

MOST_LINES = 20
MOST_NAMES = 3
_NO_LOG = re.compile(r"(^|[/!])(README(\.\w+)?|ultravires\.yaml|labels/(links|situations)\.json)$")
"""What our samples and simulated worlds hold beside their logs, and nobody takes for a log."""


def not_read(counts: LoadCounts) -> list[Skipped]:
    """Every file and folder that was passed over in this run or gave nothing, and why.

    A path is text that any parser of JSON takes.
    """
    passed_over = [
        *(Skipped(path, "no source recognises it") for path in counts.unrecognised),
        *(Skipped(path, "changed since it was loaded, not read again") for path in counts.changed),
        *(Skipped(path, "still being written, left for the next run") for path in counts.waiting),
        *(Skipped(path, "its last line is not finished, left for the next run") for path in counts.unfinished),
        *counts.unreadable,
        *counts.skipped,
        *counts.silent,
    ]
    return [Skipped(path.encode(errors="backslashreplace").decode(), reason) for path, reason in passed_over]


def lines(counts: LoadCounts) -> Iterator[str]:
    """The same for people, and what was read in part; a folder is one line, however many files of it are meant."""
    yield from _of_folders("no source recognises", (path for path in counts.unrecognised if not _NO_LOG.search(path)))
    yield from _of_folders("changed since it was loaded, not read again:", counts.changed)
    for reason in dict.fromkeys(silent.reason for silent in counts.silent):
        silent = (silent.path for silent in counts.silent if silent.reason == reason)
        yield from _of_folders(f"{reason}:", silent)
    yield from _at_most("still being written, left for the next run:", counts.waiting)
    yield from _at_most("read up to a last line that is not finished:", counts.unfinished)
    yield from _at_most("cannot be read:", counts.unreadable)
    yield from _at_most("read up to its damage:", counts.damaged)
    yield from _at_most("put aside, of", counts.too_long)
    for reason in dict.fromkeys(skipped.reason for skipped in counts.skipped):
        yield from _of_folders(
            f"not entered, {reason}:", (skipped.path for skipped in counts.skipped if skipped.reason == reason)
        )


def _of_folders(what: str, paths: Iterable[str]) -> Iterator[str]:
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path[: max(path.rfind("/"), path.rfind("!")) + 1], []).append(path)
    yield from _at_most(what, [_summed(folder, of_folder) for folder, of_folder in folders.items()])


def _summed(folder: str, paths: list[str]) -> str:
    if len(paths) == 1:
        return paths[0]
    names = ", ".join(path.removeprefix(folder) for path in paths[:MOST_NAMES])
    return f"{len(paths):,} files in {folder or './'} ({names}{', ...' if len(paths) > MOST_NAMES else ''})"


def _at_most(what: str, shown: Iterable[object]) -> Iterator[str]:
    every = [f"{what} {one}" for one in shown]
    yield from every[:MOST_LINES]
    if len(every) > MOST_LINES:
        yield f"{what} {len(every) - MOST_LINES:,} more"
