"""The table `detectors`: one row per rule and per anomaly model, what findings and alerts say about them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ultravires_models.correlation import Correlation
from ultravires_models.detector import Detector
from ultravires_models.rule import Rule

DETECTORS = pa.schema(
    [
        pa.field("detector_id", pa.string(), nullable=False),
        pa.field("detector_kind", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("description", pa.string(), nullable=False),
        pa.field("severity", pa.string(), nullable=False),
        pa.field("class_uid", pa.int32(), nullable=False),
        pa.field("frameworks", pa.list_(pa.string()), nullable=False),
        pa.field("remediation", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("base_score", pa.float64(), nullable=False),
        pa.field("false_positives", pa.list_(pa.string()), nullable=False),
    ]
)

BASE_SCORES = {"informational": 5.0, "low": 20.0, "medium": 40.0, "high": 60.0, "critical": 80.0}
"""Where a risk score of 0 to 100 starts for a severity; the rest is for what is known about the finding."""


def describe(rules: Sequence[Rule | Correlation], detectors: Sequence[Detector]) -> pa.Table:
    """The table `detectors`, in the order of the ids."""
    rows = [*(_describe(rule, "rule") for rule in rules), *(_describe(model, "model") for model in detectors)]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["detector_id"]), schema=DETECTORS)


def _describe(entry: Rule | Correlation | Detector, kind: str) -> dict[str, Any]:
    return {
        "detector_id": entry.detector_id,
        "detector_kind": kind,
        "title": entry.title,
        "description": entry.description,
        "severity": entry.severity,
        "class_uid": entry.class_uid,
        "frameworks": list(entry.frameworks),
        "remediation": entry.remediation,
        "version": entry.version,
        "base_score": BASE_SCORES[entry.severity],
        "false_positives": list(entry.false_positives),
    }
