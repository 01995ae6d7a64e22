"""What Ultravires itself does from files to committed `events`, by the same calls that a run makes."""

from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from cpu_clock import cpu_seconds
from ultravires.build import pipeline
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.reading.locations import LocalPlace
from ultravires.reading.pool import file_reader
from ultravires.runs.home import OpenHome, prepare, store_configuration
from ultravires.settings import Settings
from ultravires.store.load import LoadCounts, Loader
from ultravires.store.warehouse import open_warehouse


def load(folder: Path, home: Path) -> tuple[float, int]:
    """Load what is new under `folder` into `home`; returns (seconds until all is on disk, events that stand).

    Opening the home and storing the configuration are outside of the clock, closing the warehouse is inside.
    """
    with ExitStack() as stack:
        warehouse = stack.enter_context(open_warehouse(home))
        engine = DuckDBEngine(warehouse, pipeline.hourly_tables())
        opened = OpenHome(warehouse, engine, Settings(), LocalPlace(folder), uuid4().hex, None)
        prepare(opened)
        store_configuration(opened)
        started = cpu_seconds()
        loader = Loader(
            engine,
            opened.settings,
            stack.enter_context(file_reader(opened.options(), home / "reading")),
            lambda *_: None,
        )
        counts = loader.load(opened.input)
        _refuse_losses(counts)
        row = warehouse.con.execute("select count(*) from events").fetchone()
    return cpu_seconds() - started, int(row[0]) if row else 0


def _refuse_losses(counts: LoadCounts) -> None:
    # A fast run that put records aside would be no result.
    lost = [*counts.unrecognised, *counts.changed, *counts.waiting, *counts.unreadable]
    if lost or counts.quarantined or counts.ignored:
        raise SystemExit(f"not every record became an event: {counts}")
    if counts.emitted != counts.events + counts.duplicates:
        raise SystemExit(f"records were lost: {counts}")
