"""One run in this process, by the same steps that Dagster shows as assets; and Dagster's page itself."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ultravires.config_file import CONFIG_NAME, load_settings
from ultravires.environment import STARTED_IN, environment
from ultravires.errors import DeliveryError, RunError, UltraviresError, UsageError
from ultravires.progress import watcher
from ultravires.reading.input_place import input_place
from ultravires.reading.locations import LocalPlace
from ultravires.runs.rule_packs import remember_rules, take_rules
from ultravires.runs.run_result import COUNTED, RunResult
from ultravires.runs.stopping import in_its_own_time, is_interrupt
from ultravires.runs.unchanged import keep_result
from ultravires.store.home_folder import prepare_home, private_files

if TYPE_CHECKING:
    from ultravires.runs.home import OpenHome
    from ultravires.runs.steps import Step

DAGSTER_YAML = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs: {max_concurrent_runs: 1}
"""
_REPEATS_NOTHING = (0, 1)
"""Numbers of rows in which no key can stand twice."""


def run_once(
    folder: str | Path,
    home: Path,
    *,
    config: Path | None,
    as_of: str,
    rules: Sequence[Path] | None = (),
    wait_seconds: float = 600,
) -> RunResult:
    """Take every step of a run in this process; raises what went wrong as one of our errors.

    `folder` is a path, or a URL as `ultravires.reading.locations` knows them. `rules` are packs beside those of the
    configuration, None the ones that the last run of this home was given.
    """
    started = time.monotonic()
    moment = _moment(as_of)
    where = input_place(folder)
    where.refuse_missing()
    beside = where.path / CONFIG_NAME if isinstance(where, LocalPlace) else None
    if config is None and beside is not None and beside.is_file() and beside.parent.resolve() != Path.cwd():
        watcher().say(f"{beside} lies beside the logs and is not used; to trust it, pass it as --config")
    from ultravires.build import pipeline, select_reads
    from ultravires.runs.home import open_home
    from ultravires.runs.steps import steps
    from ultravires.runs.unbound import unbound
    from ultravires.store.tombstones import is_unsettled

    take_rules(home, where.path if isinstance(where, LocalPlace) else None, config=config, given=rules)
    select_reads.recall(home)
    planned = steps()  # what is wrong with the SQL is told before a home is begun
    with open_home(where, home, config=config, as_of=moment, wait_seconds=wait_seconds) as opened:
        # A prune that is not settled takes a run of its own, in which no file is read.
        remember_rules(home, config=config, given=rules)
        select_reads.remember(home)
        n_passes = 2 if is_unsettled(opened.warehouse.con) and any(where.files()) else 1
        for _ in range(n_passes):
            opened.n_built, opened.not_built = 0, {}
            _take_steps(planned, opened)
        of_origins = unbound(opened.warehouse.con, opened.settings, where.absolute())
        is_settled = n_passes == 1 and opened.is_settled()
    result = RunResult(
        **{name: opened.counts.get(name, 0) for name in COUNTED},
        seconds=round(time.monotonic() - started, 2),
        ignored=opened.ignored,
        clock=opened.clock_doubt,
        origins=of_origins,
        n_not_read=len(opened.not_read),
        not_read=opened.not_read,
        rules_refused=pipeline.rule_book().refused(),
    )
    if is_settled and rules is not None:
        keep_result(where, home, config=config, as_of=as_of, rules=rules or (), result=result)
    return result


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
    steps = [
        # Both commands make Dagster's databases where there are none, and one would find what the other has half made.
        [[sys.executable, "-P", "-c", "from dagster import DagsterInstance; DagsterInstance.get().dispose()"]],
        [
            [*python, "ultravires.runs.page", str(port), *graph],
            [*python, "dagster._daemon", "run", *graph],
        ],
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
                together.stdin.write(json.dumps(steps).encode() + b"\n")
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


def _take_steps(steps: "Sequence[Step]", home: "OpenHome") -> None:
    """All steps of a run. Raises errors of ours as they are, any other as one line that names the step."""
    for makes_tables, members in groupby(steps, key=lambda step: step.makes_table):
        together = list(members)
        if not (makes_tables and home.engine.is_small() and _are_taken_together(together, home)):
            for step in together:
                _take(step, home)


def _are_taken_together(steps: "Sequence[Step]", home: "OpenHome") -> bool:
    """Whether the tables of these steps were made in one transaction. Where one of them cannot be, none is, and each
    has to be made by itself: then the others stand.
    """
    n_built = home.n_built
    try:
        with home.warehouse.together():
            for step in steps:
                _take(step, home)
    except Exception:  # whatever it was, whoever is taken alone next meets it again and says it
        home.n_built = n_built
        return False
    return True


def _take(step: "Step", home: "OpenHome") -> None:
    try:
        for made in step.take(home):
            if made.is_changed and made.metadata.get("dagster/row_count") not in _REPEATS_NOTHING:
                _say_repeated_keys(home, made.name)
    except DeliveryError as error:
        raise _failed_at(step.name, error) from error
    except UltraviresError:
        raise
    except Exception as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from error
        raise _failed_at(step.name, error) from error


def _say_repeated_keys(home: "OpenHome", table: str) -> None:
    from ultravires.build.by_key import DELTA
    from ultravires.build.table_keys import checked_key, repeated_keys

    if not checked_key(table):
        return
    warehouse = home.warehouse
    delta = f"{DELTA}{table}" if warehouse.deltas.is_known(table, warehouse.version(table)) else None
    if repeated := repeated_keys(warehouse.con, table, delta):
        watcher().say(f"table {table}: {repeated:,} keys stand more than once; please report this")


def _failed_at(step: str, error: Exception) -> RunError:
    return RunError(f"the run failed at {step}: {type(error).__name__}: {' '.join(str(error).split())[:500]}")
