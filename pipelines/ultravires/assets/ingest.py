"""Group ingest: the configuration, the loaded logs, the time a run judges as of, and days put back in the queue."""

import dagster as dg

from ultravires.build.pipeline import hourly_tables
from ultravires.build.reference import REFERENCE_NAMES, store_run_context
from ultravires.reading.pool import file_reader
from ultravires.runs.home import OpenHome, store_configuration
from ultravires.runs.not_read import lines, not_read
from ultravires.runs.progress import watcher
from ultravires.store.load import LoadCounts, Loader
from ultravires.store.queries import count_rows, fetch_row
from ultravires.store.tombstones import is_unsettled
from ultravires.store.upgrade import read_outdated_again

FIRST_DAY = "2020-01-01"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY)


def ingest_assets() -> list[dg.AssetsDefinition]:
    return [configuration, loaded_logs, run_context, requeued_days]


@dg.multi_asset(
    name="configuration",
    specs=[
        dg.AssetSpec(
            name,
            group_name="configuration",
            description=f"Reference table {name}: configuration or packaged data.",
        )
        for name in REFERENCE_NAMES
    ],
)
def configuration(home: dg.ResourceParam[OpenHome]):  # type: ignore[no-untyped-def]
    """ultravires.yaml and the packaged data as small tables."""
    for name, rows in store_configuration(home).items():
        yield dg.MaterializeResult(asset_key=name, metadata={"dagster/row_count": rows})


_LOADED = {
    "events": "One row per distinct vendor record, normalised; never changed after it is stored.",
    "files": "The manifest: one row per file read, with what became of its records.",
    "quarantine": "Records that could not be read: file, offset, reason and the raw bytes.",
    "address_networks": "The configured zone, or the /24 or /48, of every address seen.",
    "tombstones": "One row per prune: before when everything is gone on purpose, and how much went.",
    "pruned_hours": "The hours in which each log spoke and that were pruned: a pruned log is not a silent one.",
    "pruned_reach": "Until when what was pruned would still explain what came after it.",
}


@dg.multi_asset(
    name="loaded_logs",
    specs=[
        dg.AssetSpec(name, group_name="ingest", description=text, deps=["source_expectations", "networks"])
        for name, text in _LOADED.items()
    ],
)
def loaded_logs(home: dg.ResourceParam[OpenHome]):  # type: ignore[no-untyped-def]
    """Read again what an older reader read, then the new files of the input; nothing while a prune waits
    to be settled.
    """
    counts = LoadCounts() if is_unsettled(home.warehouse.con) else _load(home)
    home.not_read = not_read(counts)
    for line in lines(counts):
        watcher().say(line)
    if counts.pruned:
        watcher().say(f"{counts.pruned:,} events from before the tombstone of a prune were not stored")
    home.counts |= {
        name: getattr(counts, name)
        for name in ("files", "records", "events", "duplicates", "pruned", "quarantined", "ignored")
    }
    home.counts["unrecognised"] = len(counts.unrecognised)
    for name in _LOADED:
        rows = count_rows(home.warehouse.con, name)
        yield dg.MaterializeResult(asset_key=name, metadata={"dagster/row_count": rows, "new events": counts.events})


def _load(home: OpenHome) -> LoadCounts:
    home.counts["read_again"] = read_outdated_again(home)
    with file_reader(home.options(), home.path / "reading") as read:
        return Loader(home.engine, home.settings, read, watcher().step).load(home.input)


@dg.asset(
    group_name="ingest",
    deps=["events"],
    description="The time that this run judges as of, and the clock tolerance.",
)
def run_context(home: dg.ResourceParam[OpenHome]) -> None:
    con = home.warehouse.con
    as_of = home.as_of
    if as_of is None:
        # A record dated more than a day after we read it has a broken clock and must not move time for all others.
        row = fetch_row(con, "select max(event_at) from events where event_at <= ingested_at + interval 1 day")
        as_of = row[0] if row else None
    if as_of is None:  # a prune took every event; the time they had reached stands
        row = fetch_row(con, "select max_by(as_of, started_at) from runs where as_of is not null")
        as_of = row[0] if row else None
    con.execute("update runs set as_of = ? where run_id = ?", [as_of, home.run_id])
    store_run_context(home.warehouse, as_of, home.settings.clock_tolerance)


@dg.asset(
    group_name="ingest",
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Puts the hours of the chosen days back in the queue; the next run, or this backfill, rebuilds them.",
)
def requeued_days(context: dg.AssetExecutionContext, home: dg.ResourceParam[OpenHome]) -> None:
    window = context.partition_time_window
    with home.warehouse.transaction() as con:
        for table in hourly_tables().values():
            con.execute(
                "insert into touched select distinct ?, event_hour from events "
                "where event_hour >= ? and event_hour < ?",
                [table.name, window.start, window.end],
            )
