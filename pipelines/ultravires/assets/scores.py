"""Group models: one asset for the hits of every anomaly model."""

import dagster as dg
from ultravires_models.detector import Detector

from ultravires.assets.schemas import Materialized, materialized
from ultravires.build.pipeline import score_names
from ultravires.runs import steps
from ultravires.runs.home import OpenHome


def score_assets() -> list[dg.AssetsDefinition]:
    return [_asset(name, detector) for name, detector in score_names().items()]


def _asset(name: str, detector: Detector) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        group_name="models",
        deps=list(detector.inputs),
        description=f"Hits of the model {detector.detector_id}. {detector.description}",
        code_version=detector.version,
        kinds={"scikitlearn"},
    )
    def score(home: dg.ResourceParam[OpenHome]) -> Materialized:
        (made,) = steps.score(name, detector, home)
        return materialized(home, made)

    return score
