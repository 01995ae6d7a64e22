"""An open home with everything a run needs: opened once a run, closed whatever happens."""

import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ultravires import __version__, registry
from ultravires.alerting.findings import create_findings_tables
from ultravires.alerting.sink import Sink, SinkContext, close_sinks, open_sinks
from ultravires.build import pipeline
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.reference import reference_tables
from ultravires.config_file import load_settings, refuse_register_in_logs
from ultravires.environment import environment, hash_key
from ultravires.errors import ConfigError
from ultravires.progress import watcher
from ultravires.reading.growing import SETTLED_SECONDS
from ultravires.reading.locations import InputPlace, LocalPlace, Skipped
from ultravires.reading.named_fields import EVERY_SOURCE
from ultravires.reading.options import DEFAULT_OPA_INPUTS, Options
from ultravires.reading.origins import BoundPlace, Origins
from ultravires.runs import clock
from ultravires.runs.unchanged import forget_result
from ultravires.schema import SCHEMA_VERSION
from ultravires.settings import Settings
from ultravires.store.deduplicate import rename_networks
from ultravires.store.home_folder import remember_input
from ultravires.store.queries import fetch_row
from ultravires.store.warehouse import Warehouse, open_warehouse

_LEFT_OVER = ("files", "read_again", "judged_again", "files_waiting", "alerts_sent", "alerts_waiting")
_UNFINISHED = "select 1 from lines_read join files using (file_id) where is_unfinished and loaded_at > $since"
"""Where a last line had no end yet, a later run looks again."""


class Stored(NamedTuple):
    """A reference table as a run wrote it, or left it."""

    n_rows: int
    is_changed: bool


@dataclass
class OpenHome:
    """The one writer's hands: warehouse, engine, settings, and what this run has counted so far."""

    warehouse: Warehouse
    engine: DuckDBEngine
    settings: Settings
    input: InputPlace
    run_id: str
    as_of: datetime | None
    clock_doubt: str | None = None
    """What this run says of the machine's clock, where the logs do not agree with it."""
    counts: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    """Why how many records of this run hold no event."""
    not_read: list[Skipped] = field(default_factory=list)
    n_built: int = 0
    not_built: dict[str, str] = field(default_factory=dict)
    """Tables that stand as a run before this one left them, and why."""

    @property
    def path(self) -> Path:
        return self.warehouse.home

    def is_settled(self) -> bool:
        """Whether this run had nothing to load, to tell or to wait for, so that the next one would say the same."""
        con, since = self.warehouse.con, clock.now() - timedelta(seconds=SETTLED_SECONDS)
        from_future = fetch_row(con, "select 1 from run_context where future_from is not null")
        unfinished = fetch_row(con, _UNFINISHED, {"since": since})
        left = any(self.counts.get(name) for name in _LEFT_OVER)
        return not (from_future or unfinished or left or self.not_built)

    @contextmanager
    def sinks(self) -> Iterator[dict[str, Sink]]:
        """The configured sinks and the alerts file, open for the time of the block."""
        context = SinkContext(home=self.path, environ=environment())
        opened = open_sinks(self.settings.sinks, registry.sinks(), context)
        try:
            yield opened
        finally:
            close_sinks(opened)

    def options(self) -> Options:
        """What the sources may know of the configuration."""
        return Options(
            hash_key=hash_key(self.path),
            **self.settings.limits.model_dump(),
            fields=self._redacted_fields(),
            origins=self._origins(),
            opa_inputs={**self.settings.opa_inputs, **DEFAULT_OPA_INPUTS}
            if "*" not in self.settings.opa_inputs
            else self.settings.opa_inputs,
            approval_scopes={
                source: {words: scope.model_dump() for words, scope in scopes.items()}
                for source, scopes in self.settings.approval_scopes.items()
            },
        )

    def _origins(self) -> Origins:
        logs = {source.log for source in registry.sources().values()}
        unknown = sorted(self.settings.origins.keys() - {*registry.sources(), *logs})
        if unknown:
            known = ", ".join(sorted(registry.sources()))
            raise ConfigError(f"origins: there is no source '{unknown[0]}'; one of: {known}")
        places = [
            BoundPlace(
                source, place.path, place.log_group, place.google_log, place.azure_category, _written(place.captured_at)
            )
            for source, of_source in self.settings.origins.items()
            for place in of_source
        ]
        snapshots = {name for name, source in registry.sources().items() if source.dated_by_file}
        if undated := [each.source for each in places if each.captured_at and each.source not in snapshots]:
            raise ConfigError(
                f"origins: captured_at is for snapshots; the records of {undated[0]} have their own times"
            )
        return Origins(tuple(places), self.input.absolute())

    def _redacted_fields(self) -> dict[str, tuple[str, ...]]:
        unknown = sorted(self.settings.redact.keys() - {EVERY_SOURCE, *registry.sources()})
        if unknown:
            known = ", ".join(sorted(registry.sources()))
            raise ConfigError(f"redact: there is no source '{unknown[0]}'; a list, or one of: {known}")
        return self.settings.redact


@contextmanager
def open_home(
    where: InputPlace, path: Path, *, config: Path | None, as_of: datetime | None = None, wait_seconds: float = 600
) -> Iterator[OpenHome]:
    """The home at `path` for one run over the logs at `where`; waits for another run that holds it."""
    settings = load_settings(config)
    if isinstance(where, LocalPlace):
        refuse_register_in_logs(settings, where.path)
    with open_warehouse(path, wait_seconds=wait_seconds, say=watcher().say) as warehouse:
        forget_result(path)
        if isinstance(where, LocalPlace):
            remember_input(path, where.path)
        engine = DuckDBEngine(warehouse, pipeline.sql_tables())
        home = OpenHome(warehouse, engine, settings, where, uuid.uuid4().hex, as_of)
        prepare(home)
        yield home


def prepare(home: OpenHome) -> None:
    """Tables that must stand before the first load, and this run's line in `runs`."""
    con = home.warehouse.con
    create_findings_tables(con)
    if home.warehouse.version("address_networks") == 0:
        home.warehouse.bump_version("address_networks")
    config_hash = hashlib.sha256(home.settings.model_dump_json().encode()).hexdigest()[:16]
    con.execute(
        "insert into runs(run_id, started_at, software, schema_version, rules_hash, config_hash) "
        "values (?, ?, ?, ?, ?, ?)",
        [
            home.run_id,
            clock.now(),
            f"ultravires {__version__}",
            SCHEMA_VERSION,
            pipeline.rules_hash(),
            config_hash,
        ],
    )


def store_configuration(home: OpenHome) -> dict[str, Stored]:
    """Write the reference tables. New network zones rename the addresses seen before."""
    _refuse_governing_of_no_log(home.settings)
    tables = reference_tables(home.settings, registry.sources().values())
    with home.warehouse.storing_references(tables) as changed:
        if "networks" in changed:
            rename_networks(home.engine, home.settings)
    return {name: Stored(rows.num_rows, name in changed) for name, rows in tables.items()}


def _written(moment: datetime | None) -> str | None:
    """A time of the configuration as text; one without a zone is UTC."""
    return None if moment is None else moment.isoformat()


def _refuse_governing_of_no_log(settings: Settings) -> None:
    """Only a log of approvals, decisions or tool calls can govern anybody."""
    kinds = {"approval", "decision", "tool_call"}
    logs = {source.log for source in registry.sources().values() if not kinds.isdisjoint(source.evidence_kinds)}
    unknown = sorted(settings.governs.keys() - logs)
    if unknown:
        known = ", ".join(sorted(logs))
        raise ConfigError(f"governs: '{unknown[0]}' is no log of approvals, decisions or tool calls; one of: {known}")


def finish_run(home: OpenHome, counts: dict[str, Any]) -> None:
    """Complete this run's line in `runs`."""
    home.warehouse.con.execute(
        "update runs set finished_at = ?, n_files = ?, counts = ? where run_id = ?",
        [clock.now(), counts.get("files", 0), json.dumps(counts, sort_keys=True), home.run_id],
    )
