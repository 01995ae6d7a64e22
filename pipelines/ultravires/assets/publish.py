"""Group published: the Parquet files that readers see, and the report."""

import dagster as dg
from ultravires_models.frameworks import frameworks_table

from ultravires.build import pipeline
from ultravires.report.report import write_report
from ultravires.runs.home import OpenHome, finish_run
from ultravires.store.publish import publish
from ultravires.store.snapshot import open_published


def publish_assets() -> list[dg.AssetsDefinition]:
    return [published, report]


@dg.asset(
    group_name="published",
    deps=[
        *(name for name in pipeline.published_names() if name not in ("runs", "frameworks")),
        "delivered_alerts",
    ],
    description="Every table for readers: immutable Parquet files and one manifest that names them.",
)
def published(home: dg.ResourceParam[OpenHome]) -> dg.MaterializeResult[None]:
    home.warehouse.store_reference("frameworks", frameworks_table())
    rows = publish(home.warehouse, pipeline.published_names(), run_id=home.run_id)
    home.counts |= {name: rows[name] for name in ("links", "chains", "findings")}
    finish_run(home, home.counts)
    return dg.MaterializeResult(metadata={"tables": len(rows), "rows": sum(rows.values())})


@dg.asset(group_name="published", deps=["published"], description="HOME/report.html: the run on one offline page.")
def report(home: dg.ResourceParam[OpenHome]) -> dg.MaterializeResult[None]:
    path = home.path / "report.html"
    with open_published(home.path) as con:
        write_report(con, path)
    return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(str(path))})
