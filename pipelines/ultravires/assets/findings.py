"""Group findings: the detectors' descriptions, the findings and their outbox, delivery, aliases of chains."""

import dagster as dg

from ultravires.assets.schemas import Materialized, column_schema, description, key_checks, materialized, table_spec
from ultravires.build import pipeline
from ultravires.runs import steps
from ultravires.runs.home import OpenHome


def finding_assets() -> list[dg.AssetsDefinition]:
    return [detectors, findings, delivered_alerts, chain_aliases]


@dg.asset(
    group_name="findings",
    description=description("detectors"),
    metadata=column_schema("detectors"),
    check_specs=key_checks("detectors"),
)
def detectors(home: dg.ResourceParam[OpenHome]) -> Materialized:
    (made,) = steps.describe_detectors(home)
    return materialized(home, made)


@dg.multi_asset(
    specs=[table_spec(name, "findings", [pipeline.FINDING_INPUTS]) for name in ("findings", "alerts")],
    check_specs=key_checks("findings", "alerts"),
)
def findings(home: dg.ResourceParam[OpenHome]):  # type: ignore[no-untyped-def]
    """What the detectors say now, compared with what stood; what has to be told is queued."""
    yield from (materialized(home, made) for made in steps.find(home))


@dg.asset(group_name="findings", deps=["alerts"], description="Alerts handed to the sinks and acknowledged by them.")
def delivered_alerts(home: dg.ResourceParam[OpenHome]) -> Materialized:
    (made,) = steps.deliver_alerts(home)
    return materialized(home, made)


@dg.asset(
    group_name="findings",
    deps=["chain_steps", "chains"],
    description=description("chain_aliases"),
    metadata=column_schema("chain_aliases"),
    check_specs=key_checks("chain_aliases"),
)
def chain_aliases(home: dg.ResourceParam[OpenHome]) -> Materialized:
    (made,) = steps.follow_chain_ids(home)
    return materialized(home, made)
