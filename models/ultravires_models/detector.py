"""The contract of anomaly models: tables in, HITS out, no connection, no clock, no file.

A module of `ultravires_models.detectors` is a model when it defines DETECTOR.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ultravires_models.errors import DetectorError
from ultravires_models.hits import HITS

Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Detector:
    """One anomaly model.

    `inputs` are the published tables it reads; `detect` takes them by name and returns HITS in a fixed order,
    the same for every order of the rows it is given. `severity` holds where a hit states none. `version`
    changes with the code (`file_version(__file__)`, and the other files it is made of).
    """

    detector_id: str
    title: str
    description: str
    inputs: tuple[str, ...]
    detect: Callable[[Tables], pa.Table]
    severity: str
    class_uid: int
    frameworks: tuple[str, ...]
    remediation: str
    version: str
    false_positives: tuple[str, ...] = ()


def file_version(*paths: str) -> str:
    """The first 12 hex digits of the sha256 of files: what findings carry as the version of their detector."""
    return hashlib.sha256(b"".join(Path(path).read_bytes() for path in paths)).hexdigest()[:12]


def run_detector(detector: Detector, tables: Tables) -> pa.Table:
    """The detector's HITS. DetectorError where an input is missing or the answer is not in HITS columns."""
    missing = sorted(set(detector.inputs) - set(tables))
    if missing:
        raise DetectorError(f"{detector.detector_id} reads {', '.join(missing)}, which it was not given")
    hits = detector.detect({name: tables[name] for name in detector.inputs})
    if hits.schema != HITS:
        raise DetectorError(f"{detector.detector_id} returned other columns than HITS: {hits.schema.names}")
    return hits
