"""Scores a run over labelled history: are the links true, are the situations found, what else was said.

Reads published tables only (`events`, `links`, `findings`, `chain_steps`, `drift`), and the labels that
`ultravires simulate` writes.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from ultravires.backtest.drift import DriftScore, WrongDrift, published_drift, score_drift, wrong_drift
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
    """What a backtest says; n_days counts the days from the first event to the last.

    n_identities: those that any log saw acting.
    """

    links: tuple[LinkScore, ...]
    misses: tuple[Miss, ...]
    situations: tuple[SituationScore, ...]
    detectors: tuple[DetectorScore, ...]
    unexplained: tuple[OpenFinding, ...]
    drift: tuple[DriftScore, ...]
    wrong_drift: tuple[WrongDrift, ...]
    n_findings: int
    n_days: float
    n_identities: int

    @property
    def identity_days(self) -> float:
        """What false findings are counted by: so many identities, watched for so many days."""
        return self.n_identities * max(self.n_days, 1.0)

    @property
    def unexplained_delivered(self) -> tuple[OpenFinding, ...]:
        return tuple(found for found in self.unexplained if found.is_delivered)

    @property
    def false_per_1000_identity_days(self) -> float:
        """Delivered findings that no label explains, for each 1,000 identity-days."""
        return 1000 * len(self.unexplained_delivered) / max(self.identity_days, 1.0)

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
    drift = published_drift(con, nodes)
    situation_scores = score_situations(situations, findings)
    return Scores(
        links=tuple(score_links(found, truth)),
        misses=tuple(explain_misses(found, truth, known_nodes(nodes.values(), found))),
        situations=tuple(situation_scores),
        detectors=tuple(score_detectors(situations, situation_scores, findings)),
        unexplained=tuple(unexplained_findings(situations, findings)),
        drift=tuple(score_drift(situations, drift)),
        wrong_drift=tuple(wrong_drift(situations, drift)),
        n_findings=len(findings),
        n_days=_days(con),
        n_identities=_identities(con),
    )


def _days(con: duckdb.DuckDBPyConnection) -> float:
    # An approval given months before is history, not a day on which anybody was on watch.
    row = con.execute(
        "select coalesce(epoch(max(event_at)) - epoch(min(event_at)), 0) / 86400 from events where kind <> 'approval'"
    ).fetchone()
    return float(row[0]) if row else 0.0


def _identities(con: duckdb.DuckDBPyConnection) -> int:
    # The copy of a record for the other account knows its caller by an id that resolves to nobody.
    row = con.execute(
        "select count(distinct identity_id) from chain_steps"
        " where is_counted and node_kind in ('activity', 'tool_call')"
    ).fetchone()
    return int(row[0]) if row else 0


def as_dict(scores: Scores) -> dict[str, Any]:
    """The scores as one JSON-ready object, with precision and recall worked out."""
    ratios = ("precision", "recall")
    return {
        "links": [asdict(s) | {name: getattr(s, name) for name in ratios} for s in scores.links],
        "misses": [asdict(miss) for miss in scores.misses],
        "situations": [asdict(s) | {"is_found": s.is_found} for s in scores.situations],
        "detectors": [asdict(s) | {name: getattr(s, name) for name in ratios} for s in scores.detectors],
        "unexplained": [asdict(f) | {"nodes": sorted(f.nodes)} for f in scores.unexplained],
        "drift": [asdict(s) | {name: getattr(s, name) for name in (*ratios, "onset", "actor")} for s in scores.drift],
        "wrong_drift": [asdict(wrong) for wrong in scores.wrong_drift],
        "n_findings": scores.n_findings,
        "n_days": scores.n_days,
        "n_identities": scores.n_identities,
        "identity_days": scores.identity_days,
        "n_unexplained_delivered": len(scores.unexplained_delivered),
        "false_per_1000_identity_days": scores.false_per_1000_identity_days,
        "findings_a_day": scores.findings_a_day,
    }
