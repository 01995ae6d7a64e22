"""Group ingest: the configuration, the loaded logs, the time a run judges as of, and days put back in the queue."""

import dagster as dg

from ultravires.assets.schemas import column_schema, description, key_checks, materialized, table_spec
from ultravires.build.pipeline import hourly_tables
from ultravires.build.table_schemas import LOADED, REFERENCE, names_in
from ultravires.runs import steps
from ultravires.runs.home import OpenHome

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
    yield from (materialized(home, made) for made in steps.store_reference_tables(home))


@dg.multi_asset(
    name="loaded_logs",
    specs=[table_spec(name, "ingest", ["source_expectations", "networks"]) for name in names_in(LOADED)],
    check_specs=key_checks(*names_in(LOADED)),
)
def loaded_logs(home: dg.ResourceParam[OpenHome]):  # type: ignore[no-untyped-def]
    """What an older reader read, read again; then the new files of the input."""
    yield from (materialized(home, made) for made in steps.load_logs(home))


@dg.asset(
    group_name="ingest",
    deps=["events"],
    description=description("run_context"),
    metadata=column_schema("run_context"),
)
def run_context(home: dg.ResourceParam[OpenHome]) -> None:
    list(steps.judge_time(home))


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
