"""Group models: one asset for the hits of every anomaly model."""

from typing import Any

import dagster as dg
from ultravires_models.detector import run_detector

from ultravires.build.pipeline import score_names
from ultravires.runs.home import OpenHome


def score_assets() -> list[dg.AssetsDefinition]:
    return [_asset(name, detector) for name, detector in score_names().items()]


def _asset(name: str, detector: Any) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        group_name="models",
        deps=list(detector.inputs),
        description=f"Hits of the model {detector.detector_id}. {detector.description}",
        code_version=detector.version,
        kinds={"scikitlearn"},
    )
    def score(home: dg.ResourceParam[OpenHome]) -> dg.MaterializeResult[None]:
        engine = home.engine
        inputs = engine.versions(frozenset(detector.inputs))
        if engine.is_fresh(name, code_hash=detector.version, inputs=inputs):
            return dg.MaterializeResult(metadata={"state": "fresh"})
        tables = {table: engine.con.table(table).to_arrow_table() for table in detector.inputs}
        built = engine.store(name, run_detector(detector, tables), code_hash=detector.version, inputs=inputs)
        return dg.MaterializeResult(metadata={"dagster/row_count": built.n_rows, "state": built.state})

    return score
