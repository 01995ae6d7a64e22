"""Group published: the Parquet files that readers see, and the report."""

import dagster as dg

from ultravires.assets.schemas import Materialized, materialized
from ultravires.build import pipeline
from ultravires.runs import steps
from ultravires.runs.home import OpenHome


def publish_assets() -> list[dg.AssetsDefinition]:
    return [published, report]


@dg.asset(
    group_name="published",
    deps=[
        *(name for name in pipeline.published_names() if name not in ("runs", "frameworks", "rules")),
        "delivered_alerts",
    ],
    description="Every table for readers: immutable Parquet files and one manifest that names them.",
)
def published(home: dg.ResourceParam[OpenHome]) -> Materialized:
    (made,) = steps.publish_tables(home)
    return materialized(home, made)


@dg.asset(group_name="published", deps=["published"], description="HOME/report.html: the run on one offline page.")
def report(home: dg.ResourceParam[OpenHome]) -> Materialized:
    (made,) = steps.draw_report(home)
    return materialized(home, made)
