"""Group ingest: the configuration, the loaded logs, the time a run judges as of, and days put back in the queue."""

import dagster as dg

from ultravires.assets.schemas import column_schema, description, key_checks, materialized, table_spec
from ultravires.build.pipeline import hourly_tables
from ultravires.build.reference import last_run_context, store_run_context
from ultravires.build.table_schemas import LOADED, REFERENCE, names_in
from ultravires.reading.pool import file_reader
from ultravires.runs import clock
from ultravires.runs.home import OpenHome, store_configuration
from ultravires.runs.not_read import lines, not_read
from ultravires.runs.progress import watcher
from ultravires.store.load import LoadCounts, Loader
from ultravires.store.queries import count_rows
from ultravires.store.tombstones import is_unsettled
from ultravires.store.upgrade import read_outdated_again

FIRST_DAY = "2020-01-01"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY)


def ingest_assets() -> list[dg.AssetsDefinition]:
    return [configuration, loaded_logs, run_context, requeued_days]


@dg.multi_asset(
    name="configuration",
    specs=[table_spec(name, "configuration") for name in names_in(REFERENCE)],
    check_specs=key_checks(*names_in(REFERENCE)),
)
def configuration(home: dg.ResourceParam[OpenHome]):  # type: ignore[no-untyped-def]
    """ultravires.yaml and the packaged data as small tables."""
    for name, rows in store_configuration(home).items():
        yield materialized(home, name, {"dagster/row_count": rows})


@dg.multi_asset(
    name="loaded_logs",
    specs=[table_spec(name, "ingest", ["source_expectations", "networks"]) for name in names_in(LOADED)],
    check_specs=key_checks(*names_in(LOADED)),
)
def loaded_logs(home: dg.ResourceParam[OpenHome]):  # type: ignore[no-untyped-def]
    """Read again what an older reader read, then the new files of the input; nothing while a prune waits
    to be settled.
    """
    counts = LoadCounts() if is_unsettled(home.warehouse.con) else _load(home)
    home.not_read = not_read(counts)
    home.ignored = dict(sorted(counts.ignored_as.items()))
    for line in lines(counts):
        watcher().say(line)
    if counts.pruned:
        watcher().say(f"{counts.pruned:,} events from before the tombstone of a prune were not stored")
    home.counts |= {
        name: getattr(counts, name)
        for name in ("files", "records", "events", "duplicates", "pruned", "quarantined", "ignored")
    }
    home.counts["unrecognised"] = len(counts.unrecognised)
    for name in names_in(LOADED):
        rows = count_rows(home.warehouse.con, name)
        yield materialized(home, name, {"dagster/row_count": rows, "new events": counts.events})


def _load(home: OpenHome) -> LoadCounts:
    home.counts["read_again"] = read_outdated_again(home)
    with file_reader(home.options(), home.path / "reading") as read:
        return Loader(home.engine, home.settings, read, watcher().step).load(home.input)


@dg.asset(
    group_name="ingest",
    deps=["events"],
    description=description("run_context"),
    metadata=column_schema("run_context"),
)
def run_context(home: dg.ResourceParam[OpenHome]) -> None:
    con = home.warehouse.con
    tolerance = home.settings.clock_tolerance
    # The clock as it is now: what was written while this run was reading is not from the future.
    time = clock.judged_time(con, clock=clock.now(), tolerance=tolerance, said=home.as_of)
    home.clock_doubt = time.clock_doubt
    # Where a prune took every event, the time that they had reached stands.
    as_of = time.as_of or last_run_context(home.warehouse, "as_of")
    con.execute("update runs set as_of = ? where run_id = ?", [as_of, home.run_id])
    store_run_context(home.warehouse, as_of, tolerance, time.future_from)


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
