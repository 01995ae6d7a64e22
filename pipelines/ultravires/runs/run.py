"""One run in this process, over the same assets that Dagster shows; and Dagster's page itself."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ultravires import errors
from ultravires.errors import DeliveryError, RunError, UltraviresError, UsageError
from ultravires.reading.input_place import input_place
from ultravires.reading.locations import LocalPlace, Skipped
from ultravires.runs.progress import watcher
from ultravires.runs.stopping import in_its_own_time
from ultravires.settings import CONFIG_NAME, STARTED_IN, environment, load_settings
from ultravires.store.home_folder import prepare_home, private_files

DAGSTER_YAML = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs: {max_concurrent_runs: 1}
"""

MOST_NAMED = 1_000
COUNTED = ("files", "events", "duplicates", "quarantined", "unrecognised", "links", "chains", "findings", "alerts_sent")


@dataclass(frozen=True)
class RunResult:
    """What `ultravires run --json` prints. files, events, duplicates, quarantined and alerts_sent are of this run.

    ignored says of this run why how many records of which log hold no event (`otel_genai: span of no agent`).
    clock says where the machine's clock and the logs do not agree, else it is null.
    not_read names up to MOST_NAMED of the n_not_read files and folders that were passed over or gave nothing, with the
    reason.
    """

    files: int
    events: int
    duplicates: int
    quarantined: int
    unrecognised: int
    links: int
    chains: int
    findings: int
    alerts_sent: int
    seconds: float
    ignored: dict[str, int]
    clock: str | None
    n_not_read: int
    not_read: list[Skipped]

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "not_read": [skipped._asdict() for skipped in self.not_read]}


def run_once(
    folder: str | Path, home: Path, *, config: Path | None, as_of: str, wait_seconds: float = 600
) -> RunResult:
    """Materialize every asset but the backfill's in this process; raises what went wrong as one of our errors.

    `folder` is a path, or a URL as `ultravires.reading.locations` knows them.
    """
    started = time.monotonic()
    moment = _moment(as_of)
    where = input_place(folder)
    where.refuse_missing()
    beside = where.path / CONFIG_NAME if isinstance(where, LocalPlace) else None
    if config is None and beside is not None and beside.is_file() and beside.parent.resolve() != Path.cwd():
        watcher().say(f"{beside} lies beside the logs and is not used; to trust it, pass it as --config")
    import dagster as dg

    from ultravires.definitions import ASSETS, CHECKS, REQUEUED
    from ultravires.runs.home import open_home
    from ultravires.store.tombstones import is_unsettled

    with (
        open_home(where, home, config=config, as_of=moment, wait_seconds=wait_seconds) as opened,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        # A prune that is not settled takes a run of its own, in which no file is read.
        n_passes = 2 if is_unsettled(opened.warehouse.con) and any(where.files()) else 1
        for _ in range(n_passes):
            opened.n_built = 0
            result = dg.materialize(
                [*ASSETS, *CHECKS],
                selection=dg.AssetSelection.all() - REQUEUED,
                resources={"home": opened},
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            if not result.success:
                raise _ours(result)
    return RunResult(
        **{name: opened.counts.get(name, 0) for name in COUNTED},
        seconds=round(time.monotonic() - started, 2),
        ignored=opened.ignored,
        clock=opened.clock_doubt,
        n_not_read=len(opened.not_read),
        not_read=opened.not_read[:MOST_NAMED],
    )


def serve(folder: str | Path, home: Path, *, config: Path | None, port: int) -> int:
    """Run Dagster over this project until it is stopped; returns the exit code."""
    where = input_place(folder)
    where.refuse_missing()
    load_settings(config)
    prepare_home(home)
    instance = home.absolute() / "dagster"
    with private_files():
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        (instance / "dagster.yaml").write_text(DAGSTER_YAML, encoding="utf-8")
        return _serve(instance, _variables(instance, where.absolute(), home, config), port)


def _variables(instance: Path, where: str, home: Path, config: Path | None) -> dict[str, str]:
    """The environment of Dagster's processes."""
    variables = {
        **environment(),
        "PYTHONWARNINGS": "ignore",  # Dagster's advice to its developers is nothing for people who watch logs
        "PYTHONSAFEPATH": "1",
        "DAGSTER_HOME": str(instance),
        "ULTRAVIRES_INPUT": where,
        "ULTRAVIRES_HOME": str(home.absolute()),
        STARTED_IN: str(Path.cwd()),
    }
    if config is not None:
        variables["ULTRAVIRES_CONFIG"] = str(config.absolute())
    return variables


def _serve(instance: Path, variables: dict[str, str], port: int) -> int:
    """Run Dagster's page and daemon in the folder `instance` until Ctrl-C, or until this process is gone.

    Dagster takes modules, `.env` and settings from where it is started, which may be the folder of the logs.
    """
    python = [sys.executable, "-P", "-m"]
    graph = ["-m", "ultravires.definitions", "-d", str(instance)]
    commands = [
        [*python, "ultravires.runs.page", str(port), *graph],
        [*python, "dagster._daemon", "run", *graph],
    ]
    with subprocess.Popen(  # noqa: S603 - no shell, our own words
        [*python, "ultravires.runs.together"],
        stdin=subprocess.PIPE,
        cwd=instance,
        env=variables,
        start_new_session=True,
    ) as together:
        assert together.stdin is not None
        try:
            with in_its_own_time():
                together.stdin.write(json.dumps(commands).encode() + b"\n")
                together.stdin.flush()
                together.wait()
                return 1  # one of them ended by itself, and has said why
        except KeyboardInterrupt:
            return 0


def _moment(as_of: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(as_of) if as_of else None
    except ValueError as error:
        raise UsageError(f"--as-of {as_of}: not an ISO 8601 time, such as 2026-10-14T12:00:00Z") from error
    if moment is not None and moment.tzinfo is None:
        raise UsageError(f"--as-of {as_of}: say the time zone, such as {as_of}Z")
    return moment


def _ours(result: Any) -> UltraviresError:
    """The error of ours that stopped the run, or one line that names the step and the first cause."""
    for evaluation in result.get_asset_check_evaluations():
        if evaluation.blocking and not evaluation.passed:
            return RunError(evaluation.description or f"the check {evaluation.check_name} failed")
    failure = result.get_step_failure_events()[0]
    causes = [failure.step_failure_data.error]
    while causes[-1].cause is not None:
        causes.append(causes[-1].cause)
    if any(_is_interrupt(cause) for cause in causes):
        raise KeyboardInterrupt
    for cause in causes:
        kind = getattr(errors, cause.cls_name or "", None)
        if kind is not None and issubclass(kind, UltraviresError) and kind is not DeliveryError:
            ours: UltraviresError = kind(_message(cause))
            return ours
    return RunError(f"the run failed at {failure.step_key}: {causes[-1].cls_name}: {_message(causes[-1])}")


def _is_interrupt(cause: Any) -> bool:
    """Ctrl-C, as Dagster tells of it, and as DuckDB does where it came during a query."""
    is_of_duckdb = cause.cls_name == "RuntimeError" and "Query interrupted" in cause.message
    return is_of_duckdb or cause.cls_name == "DagsterExecutionInterruptedError"


def _message(cause: Any) -> str:
    """Dagster's text of an exception starts with the class's qualified name."""
    return " ".join(str(cause.message).split(": ", 1)[-1].split())[:500]
