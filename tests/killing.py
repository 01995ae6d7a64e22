"""Runs killed with SIGKILL at a chosen moment, and what two homes must have in common whatever happened to them.

Moments are told by what the run leaves on disk, not by a clock alone: a loaded machine then kills at the same
place of the run as an idle one.
"""

import json
import os
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb
from command_line import Running, start, text_of
from ultravires.store.snapshot import open_published

LONGEST_SECONDS = 300.0
POLL_SECONDS = 0.004
# Nine files a transaction: so that a kill can come between the transactions of one load.
PROGRAM = (
    "import ultravires.store.load as loading, ultravires.reading.parts as parts; "
    "loading.GROUP_FILES = parts.TASK_FILES = 9; from ultravires.__main__ import main; main()"
)
# Every source has its next version, and so every event is read again, 500 records a transaction.
UPGRADED = """
from dataclasses import replace
import ultravires.registry as registry
import ultravires.runs.upgrade as upgrading
known = {name: replace(source, version=source.version + 1) for name, source in registry.sources().items()}
registry.sources, upgrading.PAGE_RECORDS = (lambda: known), 500
from ultravires.__main__ import main
main()
"""

MAY_DIFFER = frozenset(
    {"ingested_at", "recorded_at", "file_id", "record_no", "loaded_at", "run_id", "revision", "pruned_at", "settled_at"}
)
"""SCHEMA: provenance, and what counts runs."""
HISTORY = frozenset({"runs", "alerts", "lateness"})
"""`runs` has a line for each killed run too; of `alerts` only what was told is compared; `lateness` is of arrival."""


@dataclass(frozen=True)
class Command:
    """What is run: the words behind `ultravires` but --home and --config, and the Python that runs them."""

    words: tuple[str, ...]
    program: str = PROGRAM


def run(logs: Path) -> Command:
    return Command(("run", "--input", str(logs)))


@dataclass(frozen=True)
class Progress:
    """How far a run has come since it started: all numbers only grow."""

    seconds: float = 0.0
    written: int = 0
    """Bytes that the warehouse, its log and the files of events grew by."""
    told: int = 0
    """Bytes that alerts.jsonl grew by."""
    published: int = 0
    """Parquet files that were not there before."""
    announced: int = 0
    """1 once the manifest is another one: what is left to do is the report and the closing of the warehouse."""


@dataclass(frozen=True)
class Moment:
    """Comes when the run has reached `least` of one of the numbers of Progress."""

    number: str
    least: float

    def has_come(self, progress: Progress) -> bool:
        return bool(getattr(progress, self.number) >= self.least)


class Watch:
    """Looks at a home while a run works on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.started = time.monotonic()
        self.sizes = self._sizes()
        self.written = 0
        self.told = _size(home / "alerts.jsonl")
        self.files = self._files()
        self.manifest = _modified(home / "published" / "CURRENT")

    def look(self) -> Progress:
        before, self.sizes = self.sizes, self._sizes()
        # A checkpoint empties the log into the file, so growth is added up and shrinking left out.
        self.written += sum(max(0, now - then) for now, then in zip(self.sizes, before, strict=True))
        return Progress(
            seconds=time.monotonic() - self.started,
            written=self.written,
            told=_size(self.home / "alerts.jsonl") - self.told,
            published=len(self._files() - self.files),
            announced=int(_modified(self.home / "published" / "CURRENT") != self.manifest),
        )

    def _sizes(self) -> tuple[int, ...]:
        segments = sum(_size(path) for path in (self.home / "events").glob("*.parquet"))
        return _size(self.home / "warehouse.duckdb"), _size(self.home / "warehouse.duckdb.wal"), segments

    def _files(self) -> set[Path]:
        return set((self.home / "published").glob("*/*.parquet"))


def run_to_end(command: Command, home: Path, config: Path) -> Progress:
    """A run that nobody disturbs; what it had done shortly before its end. Fails where the run failed."""
    watch, last = Watch(home), Progress()
    with tempfile.TemporaryFile() as errors:
        process = _start(command, home, config, errors)
        while process.poll() is None:
            last = watch.look()
            time.sleep(POLL_SECONDS)
        assert process.returncode == 0, text_of(errors)
    return last


def run_and_kill(command: Command, home: Path, config: Path, moment: Moment) -> bool:
    """A run that is killed when `moment` has come; false when it ended before."""
    watch = Watch(home)
    with Path(os.devnull).open("wb") as nowhere:
        process = _start(command, home, config, nowhere)
    while process.poll() is None:
        progress = watch.look()
        assert progress.seconds < LONGEST_SECONDS, "the run hangs"
        if moment.has_come(progress):
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(POLL_SECONDS)
    return process.wait() == -signal.SIGKILL


def _start(command: Command, home: Path, config: Path, errors: IO[bytes]) -> Running:
    """It leads a process group of its own: the workers it may start die with it."""
    options = ("--home", home, "--config", config)
    return start(*command.words, *options, output=errors, errors=errors, program=command.program)


def differences(first: Path, second: Path) -> list[str]:
    """One line per published table, and one for the alerts, in which two homes differ; empty when they are equal."""
    found = []
    with open_published(first) as a, open_published(second) as b:
        names = set(_tables(a)) | set(_tables(b))
        for table in sorted(names - HISTORY):
            found += _difference(table, _rows(a, table), _rows(b, table))
        found += _difference("alerts", _outbox(a), _outbox(b))
    return found + _difference("alerts.jsonl", Counter(told_alerts(first)), Counter(told_alerts(second)))


def told_alerts(home: Path) -> list[str]:
    """What stands in alerts.jsonl without ids and revisions, which count runs: finding, activity and the facts."""
    told = []
    for alert in read_alerts(home):
        alert["metadata"] = {k: v for k, v in alert["metadata"].items() if k not in ("uid", "version", "sequence")}
        told.append(json.dumps(_without_revision(alert), sort_keys=True))
    return told


def read_alerts(home: Path) -> list[dict[str, dict[str, object]]]:
    """Every line of alerts.jsonl; a line that is no JSON fails. No file is no alert."""
    path = home / "alerts.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def _without_revision(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_revision(v) for k, v in value.items() if k != "revision"}
    return value


def _tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    return [row[0] for row in con.execute("select view_name from duckdb_views() where not internal").fetchall()]


def _rows(con: duckdb.DuckDBPyConnection, table: str) -> Counter[str]:
    names = [row[0] for row in con.execute(f'describe "{table}"').fetchall() if row[0] not in MAY_DIFFER]
    columns = ", ".join(f'"{name}"::varchar' for name in names)
    return Counter(map(str, con.execute(f'select {columns} from "{table}"').fetchall()))


def _outbox(con: duckdb.DuckDBPyConnection) -> Counter[str]:
    rows = con.execute("select finding_id, sink, activity_id, state, count(*) from alerts group by all").fetchall()
    return Counter(map(str, rows))


def _difference(name: str, first: Counter[str], second: Counter[str]) -> list[str]:
    if first == second:
        return []
    only = [[row[:600] for row in list(a - b)[:2]] for a, b in ((first, second), (second, first))]
    return [f"{name}: {first.total()} and {second.total()} rows; {only[0]} against {only[1]}"]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
