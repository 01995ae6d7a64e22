"""What is older goes from a home, and a run brings its tables, findings and published files up to that."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ultravires.progress import watcher
from ultravires.runs.run import run_once
from ultravires.runs.run_result import RunResult
from ultravires.store.prune import Pruned, give_back_space, prune
from ultravires.store.queries import fetch_row
from ultravires.store.snapshot import open_published
from ultravires.store.warehouse import open_warehouse


def prune_and_run(
    home: Path, before: datetime, *, config: Path | None, keep_in_force: bool
) -> tuple[Pruned, RunResult]:
    """Prune `home`, and bring its tables, findings and published files up to that; raises as `run_once` does.

    Runs without new files before and after. The first makes sure that nothing but the prune changes in the second;
    when that is killed, the next run begins with it.
    """
    open_published(home).close()  # a home that never ran is refused before a warehouse is made in it
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="ultravires-no-logs-") as folder:
        nothing_new = Path(folder)
        run_once(nothing_new, home, config=config, as_of="", rules=None)
        with open_warehouse(home, say=watcher().say) as warehouse:
            size = warehouse.size()
            pruned = prune(warehouse, before, keep_in_force=keep_in_force)
        result = run_once(nothing_new, home, config=config, as_of="", rules=None)
    with open_warehouse(home, say=watcher().say) as warehouse:
        give_back_space(warehouse)
        row = fetch_row(warehouse.con, "select n_findings from tombstones where pruned_at >= ?", [started])
        n_findings = row[0] if row else 0
        return replace(pruned, n_findings=n_findings, bytes_before=size, bytes_after=warehouse.size()), result
