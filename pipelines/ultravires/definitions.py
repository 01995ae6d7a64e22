"""The whole Dagster graph on one screen: assets, checks, jobs, the hourly schedule and the sensor on new files."""

from pathlib import Path

import dagster as dg

from ultravires.assets.checks import asset_checks
from ultravires.assets.findings import finding_assets
from ultravires.assets.home_resource import HomeResource
from ultravires.assets.ingest import ingest_assets
from ultravires.assets.publish import publish_assets
from ultravires.assets.scores import score_assets
from ultravires.assets.sql import sql_assets
from ultravires.environment import configured_run
from ultravires.runs.new_files import new_files_sensor
from ultravires.runs.rule_packs import take_rules
from ultravires.runs.verifying import verify_home

_input, _home, _config = configured_run()
take_rules(_home, None if "://" in _input else Path(_input), config=_config, given=())

ASSETS = [*ingest_assets(), *sql_assets(), *score_assets(), *finding_assets(), *publish_assets()]
CHECKS = asset_checks()

REQUEUED = dg.AssetSelection.assets("requeued_days")
run_job = dg.define_asset_job(
    "run",
    selection=dg.AssetSelection.all() - REQUEUED,
    description="Load what is new, rebuild, judge, publish, deliver.",
)
backfill_job = dg.define_asset_job(
    "backfill",
    selection=REQUEUED,
    description="Put a range of days back in the queue; the next run rebuilds them.",
)
hourly = dg.ScheduleDefinition(name="hourly", job=run_job, cron_schedule="5 * * * *", execution_timezone="UTC")


@dg.op(name="every_table", description="Each table against a rebuild of it; fails where a row differs.")
def verify_tables() -> None:
    wrong = [verified.table for verified in verify_home(_home) if not verified.is_right]
    if wrong:
        raise dg.Failure(f"{', '.join(wrong)}: not what a rebuild gives; `ultravires verify` shows the rows")


@dg.job(name="verify", description="Once a week: whether what runs brought up to date is what a rebuild would give.")
def verify_job() -> None:
    verify_tables()


weekly = dg.ScheduleDefinition(name="weekly", job=verify_job, cron_schedule="35 3 * * 0", execution_timezone="UTC")

definitions = dg.Definitions(
    assets=ASSETS,
    asset_checks=CHECKS,
    jobs=[run_job, backfill_job, verify_job],
    schedules=[hourly, weekly],
    sensors=[new_files_sensor(run_job.name)],
    resources={"home": HomeResource(input=str(_input), home=str(_home), config=str(_config or ""))},
    executor=dg.in_process_executor,
)
