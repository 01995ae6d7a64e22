"""Group findings: the detectors' descriptions, the findings and their outbox, delivery, aliases of chains."""

from datetime import UTC, datetime

import dagster as dg
from ultravires_models.describe import describe

from ultravires import registry
from ultravires.alerting.findings import update_findings
from ultravires.alerting.outbox import deliver
from ultravires.assets.schemas import Materialized, column_schema, description, key_checks, materialized, table_spec
from ultravires.build import pipeline
from ultravires.build.chain_aliases import follow_chains
from ultravires.runs.home import OpenHome
from ultravires.runs.progress import watcher
from ultravires.store.queries import count_rows
from ultravires.store.tombstones import is_unsettled


def finding_assets() -> list[dg.AssetsDefinition]:
    return [detectors, findings, delivered_alerts, chain_aliases]


@dg.asset(
    group_name="findings",
    description=description("detectors"),
    metadata=column_schema("detectors"),
    check_specs=key_checks("detectors"),
)
def detectors(home: dg.ResourceParam[OpenHome]) -> Materialized:
    rows = describe(pipeline.rules(), list(registry.detectors().values()))
    home.warehouse.store_reference("detectors", rows)
    return materialized(home, "detectors", {"dagster/row_count": rows.num_rows})


@dg.multi_asset(
    specs=[table_spec(name, "findings", [pipeline.FINDING_INPUTS]) for name in ("findings", "alerts")],
    check_specs=key_checks("findings", "alerts"),
)
def findings(home: dg.ResourceParam[OpenHome]):  # type: ignore[no-untyped-def]
    """Compare what the detectors say now with what stands, and queue what has to be told."""
    with home.sinks() as sinks, home.warehouse.transaction() as con:
        counts = update_findings(con, home.run_id, sinks=sorted(sinks), is_settling=is_unsettled(con))
    for name in ("findings", "alerts"):
        metadata = {"dagster/row_count": count_rows(home.warehouse.con, name), **counts}
        yield materialized(home, name, metadata)


@dg.asset(group_name="findings", deps=["alerts"], description="Alerts handed to the sinks and acknowledged by them.")
def delivered_alerts(home: dg.ResourceParam[OpenHome]) -> dg.MaterializeResult[None]:
    with home.sinks() as sinks:
        delivery = deliver(home.warehouse.con, sinks, now=datetime.now(UTC))
    home.counts["alerts_sent"] = delivery.sent
    for sink, problem in delivery.problems.items():
        watcher().say(f"sink {sink}: {problem}")
    return dg.MaterializeResult(metadata={"sent": delivery.sent, "waiting": delivery.waiting, "held": delivery.held})


@dg.asset(
    group_name="findings",
    deps=["chain_steps", "chains"],
    description=description("chain_aliases"),
    metadata=column_schema("chain_aliases"),
    check_specs=key_checks("chain_aliases"),
)
def chain_aliases(home: dg.ResourceParam[OpenHome]) -> Materialized:
    rows = follow_chains(home.warehouse, home.run_id)
    return materialized(home, "chain_aliases", {"dagster/row_count": rows})
