"""Group findings: the detectors' descriptions, the findings and their outbox, delivery, aliases of chains."""

from datetime import UTC, datetime

import dagster as dg
from ultravires_models.describe import describe

from ultravires import registry
from ultravires.alerting.findings import update_findings
from ultravires.alerting.outbox import deliver
from ultravires.build import pipeline
from ultravires.build.chain_aliases import follow_chains
from ultravires.runs.home import OpenHome
from ultravires.runs.progress import watcher
from ultravires.store.queries import count_rows
from ultravires.store.tombstones import is_unsettled


def finding_assets() -> list[dg.AssetsDefinition]:
    return [detectors, findings, delivered_alerts, chain_aliases]


@dg.asset(group_name="findings", description="One row per rule and model: title, severity, references, remediation.")
def detectors(home: dg.ResourceParam[OpenHome]) -> dg.MaterializeResult[None]:
    rows = describe(pipeline.rules(), list(registry.detectors().values()))
    home.warehouse.store_reference("detectors", rows)
    return dg.MaterializeResult(metadata={"dagster/row_count": rows.num_rows})


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            "findings",
            group_name="findings",
            deps=[pipeline.FINDING_INPUTS],
            description="One row per finding with its state, risk and evidence; ids stay the same from run to run.",
        ),
        dg.AssetSpec(
            "alerts",
            group_name="findings",
            deps=[pipeline.FINDING_INPUTS],
            description="The outbox: one row per finding revision and sink.",
        ),
    ]
)
def findings(home: dg.ResourceParam[OpenHome]):  # type: ignore[no-untyped-def]
    """Compare what the detectors say now with what stands, and queue what has to be told."""
    with home.sinks() as sinks, home.warehouse.transaction() as con:
        counts = update_findings(con, home.run_id, sinks=sorted(sinks), is_settling=is_unsettled(con))
    for name in ("findings", "alerts"):
        metadata = {"dagster/row_count": count_rows(home.warehouse.con, name), **counts}
        yield dg.MaterializeResult(asset_key=name, metadata=metadata)


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
    description="Old chain id -> the chain that its steps are in now.",
)
def chain_aliases(home: dg.ResourceParam[OpenHome]) -> dg.MaterializeResult[None]:
    rows = follow_chains(home.warehouse, home.run_id)
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})
