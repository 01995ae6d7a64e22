"""Whether a run would find everything as the last one left it; asked before any large library is loaded, so that a
schedule of every minute costs little.

A run that had nothing to load, to tell or to wait for keeps its result in the home, with a digest of all that it
depends on: how each file of the input stands, the configuration, our own environment variables, the installed code, and
the home's files. While that digest is the same, its result is the answer.
"""

import hashlib
import json
import os
import secrets
import site
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ultravires.config_file import load_settings
from ultravires.environment import environment
from ultravires.errors import UltraviresError
from ultravires.reading.locations import InputPlace, LocalPlace, Skipped
from ultravires.registry import sql_root
from ultravires.runs.rule_packs import pack_places, standing_files
from ultravires.runs.run_result import RunResult
from ultravires.store.atomic_file import write_atomically

KEPT = "unchanged.json"
LONGEST_SECONDS = 3600
"""What depends on the machine's clock alone is looked at once an hour."""
_OF_HOME = ("warehouse.duckdb", "warehouse.duckdb.wal", "published/CURRENT", "report.html", "hash.key")


class _Told(NamedTuple):
    """What the command was told besides the input."""

    config: Path | None
    as_of: str
    rules: Sequence[Path]


def unchanged_result(
    where: InputPlace, home: Path, *, config: Path | None, as_of: str, rules: Sequence[Path] = ()
) -> RunResult | None:
    """What the last run said, where a run over `where` now would say the same; None where that is not certain."""
    started, told = time.monotonic(), _Told(config, as_of, rules)
    try:
        kept = json.loads((home / KEPT).read_bytes())
        age = time.time() - kept["kept_at"]
        if not 0 <= age <= LONGEST_SECONDS or kept["digest"] != _digest(where, home, told, kept["salt"]):
            return None
        result = RunResult(**kept["result"])
    except (OSError, ValueError, KeyError, TypeError, UltraviresError):
        return None
    not_read = [Skipped(*skipped) for skipped in result.not_read]
    return replace(result, not_read=not_read, seconds=round(time.monotonic() - started, 2))


def keep_result(
    where: InputPlace, home: Path, *, config: Path | None, as_of: str, result: RunResult, rules: Sequence[Path] = ()
) -> None:
    """Let `result` be the answer until something changes; called when the home is closed. For its owner's eyes only."""
    salt, told = secrets.token_hex(16), _Told(config, as_of, rules)
    digest = _digest(where, home, told, salt)
    if digest is None:
        return
    kept = {"kept_at": time.time(), "salt": salt, "digest": digest, "result": vars(result)}
    # The run is done; where the disk has no room left, the next one does its work again.
    with suppress(OSError):
        write_atomically(home / KEPT, json.dumps(kept))


def forget_result(home: Path) -> None:
    """Whatever a run that begins now leaves behind, the last result says nothing of it."""
    (home / KEPT).unlink(missing_ok=True)


def _digest(where: InputPlace, home: Path, told: _Told, salt: str) -> str | None:
    """Of everything that a run depends on; None for an object store, whose listing is most of such a run."""
    if not isinstance(where, LocalPlace):
        return None
    config = told.config
    settings = config.read_bytes() if config is not None else b""
    variables = sorted(item for item in environment().items() if item[0].startswith("ULTRAVIRES_"))
    found = hashlib.blake2b(digest_size=32, key=salt.encode())
    packs = pack_places(load_settings(config), config, told.rules)
    for part in (where.absolute(), told.as_of, str(config), settings, variables, packs):
        found.update(repr(part).encode("utf-8", "surrogateescape"))
    for location in where.files():
        found.update(repr(location).encode("utf-8", "surrogateescape"))
    depends_on = (*standing_files(packs), *(home / name for name in _OF_HOME))
    for line in (*_installed(), *map(_standing, depends_on)):
        found.update(line.encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def _installed() -> Iterator[str]:
    """Every file of ours, and the names and versions of the libraries."""
    import ultravires_models

    import ultravires

    for package in (*ultravires.__path__, *ultravires_models.__path__, str(sql_root())):
        for folder, _, names in sorted(os.walk(package)):
            if not folder.endswith("__pycache__"):
                yield from (_standing(Path(folder, name)) for name in sorted(names))
    for libraries in sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}):
        yield from _libraries_in(libraries)


def _libraries_in(folder: str) -> list[str]:
    """Debian's Python names folders of which not all are there."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".dist-info"))  # noqa: PTH208
    except FileNotFoundError:
        return []


def _standing(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{path}: missing"
    return f"{path}: {status.st_size} {status.st_mtime_ns} {status.st_ino}"
