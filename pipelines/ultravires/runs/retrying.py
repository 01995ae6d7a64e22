"""What is in quarantine is read again, and a run judges what became of it."""

import tempfile
from pathlib import Path

from ultravires.build import pipeline
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.config_file import load_settings
from ultravires.progress import watcher
from ultravires.reading.locations import LocalPlace
from ultravires.runs.home import OpenHome
from ultravires.runs.retry_quarantine import Retried, retry
from ultravires.runs.rule_packs import take_rules
from ultravires.runs.run import run_once
from ultravires.runs.run_result import RunResult
from ultravires.store.snapshot import open_published
from ultravires.store.warehouse import open_warehouse


def retry_and_run(home: Path, *, config: Path | None) -> tuple[Retried, RunResult]:
    """Retry what is in quarantine in `home`, then run without new files; raises as `run_once` does."""
    open_published(home).close()  # a home that never ran is refused before a warehouse is made in it
    settings = load_settings(config)
    take_rules(home, None, config=config, given=None)
    with open_warehouse(home, say=watcher().say) as warehouse:
        engine = DuckDBEngine(warehouse, pipeline.hourly_tables())
        retried = retry(OpenHome(warehouse, engine, settings, LocalPlace(home), "", None))
    with tempfile.TemporaryDirectory(prefix="ultravires-no-logs-") as nothing_new:
        return retried, run_once(Path(nothing_new), home, config=config, as_of="", rules=None)
