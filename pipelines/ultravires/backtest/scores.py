"""Scores a run over labelled history: are the links true, are the situations found, what else was said.

Reads published tables only (`events`, `links`, `findings`) and the labels that `ultravires simulate` writes.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from ultravires.backtest.findings import (
    DetectorScore,
    OpenFinding,
    SituationScore,
    open_findings,
    score_detectors,
    score_situations,
    unexplained_findings,
)
from ultravires.backtest.labels import nodes_of_events, read_labels
from ultravires.backtest.links import (
    LinkScore,
    Miss,
    explain_misses,
    known_nodes,
    published_links,
    score_links,
)


@dataclass(frozen=True)
class Scores:
    """What a backtest says; n_days counts the days from the first event to the last."""

    links: tuple[LinkScore, ...]
    misses: tuple[Miss, ...]
    situations: tuple[SituationScore, ...]
    detectors: tuple[DetectorScore, ...]
    unexplained: tuple[OpenFinding, ...]
    n_findings: int
    n_days: float

    @property
    def findings_a_day(self) -> float:
        """What a team that got every finding as an alert would have read a day."""
        return self.n_findings / max(self.n_days, 1.0)


def score(con: duckdb.DuckDBPyConnection, labels_dir: Path) -> Scores:
    """Scores of what `con` has published against the labels in `labels_dir`.

    Raises UsageError where the labels cannot be read.
    """
    truth, situations = read_labels(labels_dir)
    nodes = nodes_of_events(con)
    found = published_links(con, nodes, {link.kind for link in truth})
    findings = open_findings(con, nodes)
    situation_scores = score_situations(situations, findings)
    return Scores(
        links=tuple(score_links(found, truth)),
        misses=tuple(explain_misses(found, truth, known_nodes(nodes.values(), found))),
        situations=tuple(situation_scores),
        detectors=tuple(score_detectors(situations, situation_scores, findings)),
        unexplained=tuple(unexplained_findings(situations, findings)),
        n_findings=len(findings),
        n_days=_days(con),
    )


def _days(con: duckdb.DuckDBPyConnection) -> float:
    # An approval given months before is history, not a day on which anybody was on watch.
    row = con.execute(
        "select coalesce(epoch(max(event_at)) - epoch(min(event_at)), 0) / 86400 from events where kind <> 'approval'"
    ).fetchone()
    return float(row[0]) if row else 0.0


def as_dict(scores: Scores) -> dict[str, Any]:
    """The scores as one JSON-ready object, with precision and recall worked out."""
    ratios = ("precision", "recall")
    return {
        "links": [asdict(s) | {name: getattr(s, name) for name in ratios} for s in scores.links],
        "misses": [asdict(miss) for miss in scores.misses],
        "situations": [asdict(s) | {"is_found": s.is_found} for s in scores.situations],
        "detectors": [asdict(s) | {name: getattr(s, name) for name in ratios} for s in scores.detectors],
        "unexplained": [asdict(f) | {"nodes": sorted(f.nodes)} for f in scores.unexplained],
        "n_findings": scores.n_findings,
        "n_days": scores.n_days,
        "findings_a_day": scores.findings_a_day,
    }
