"""Which situations were found, and which findings no situation explains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from ultravires.backtest.labels import Situation, label_node


@dataclass(frozen=True)
class OpenFinding:
    """One open finding and the nodes it is about: its subject, and what its evidence is about.

    is_delivered: a network sink is told of it, in a home that has followed the logs from the first day on. Nobody is
    told of what is suppressed, or only informational.
    """

    finding_id: str
    detector: str
    message: str
    nodes: frozenset[str]
    is_delivered: bool = True


@dataclass(frozen=True)
class SituationScore:
    """One labelled situation; missing: the expected detectors that say nothing about its nodes.

    Of one_of it expects one: where none speaks, all of them are missing. A benign situation is right where nobody
    accuses it; accused_by: the detectors of unexplained findings about its nodes.
    """

    situation: str
    identity: str
    expected: tuple[str, ...]
    missing: tuple[str, ...]
    is_benign: bool = False
    accused_by: tuple[str, ...] = ()

    @property
    def is_found(self) -> bool:
        """Found where something is wrong, left in peace where nothing is."""
        return not self.accused_by if self.is_benign else not self.missing


@dataclass(frozen=True)
class DetectorScore:
    """n_expected situations expect the detector, n_found of them it found; n_explained of its n_findings
    findings are about a situation that expects or allows them.
    """

    detector: str
    n_expected: int
    n_found: int
    n_findings: int
    n_explained: int

    @property
    def recall(self) -> float | None:
        return self.n_found / self.n_expected if self.n_expected else None

    @property
    def precision(self) -> float | None:
        return self.n_explained / self.n_findings if self.n_findings else None


def open_findings(con: duckdb.DuckDBPyConnection, nodes: Mapping[str, tuple[str, ...]]) -> list[OpenFinding]:
    rows = con.execute(
        """
        select finding_id, detector_id, coalesce(message, ''), subject_kind, subject_uid, evidence_event_ids,
            not is_suppressed and severity <> 'informational'
        from findings where state = 'open' order by finding_id
        """
    ).fetchall()
    return [
        OpenFinding(finding, detector, message, _nodes_of(kind, uid, evidence or [], nodes), is_delivered)
        for finding, detector, message, kind, uid, evidence, is_delivered in rows
    ]


def _nodes_of(
    subject_kind: str, subject_uid: str, evidence: Sequence[str], nodes: Mapping[str, tuple[str, ...]]
) -> frozenset[str]:
    events = [subject_uid.removeprefix("activity:"), *evidence]
    about = {node for event in events for node in nodes.get(event, ())}
    return frozenset(about | {label_node(subject_uid, nodes), f"{subject_kind}:{subject_uid}"})


def score_situations(situations: Sequence[Situation], findings: Sequence[OpenFinding]) -> list[SituationScore]:
    """A situation is found when each expected detector has an open finding that touches its nodes."""
    unexplained = unexplained_findings(situations, findings)
    return [_score_situation(label, findings, unexplained) for label in situations]


def _score_situation(
    label: Situation, findings: Sequence[OpenFinding], unexplained: Sequence[OpenFinding]
) -> SituationScore:
    silent = [detector for detector in label.expected if not _touching(label, detector, findings)]
    if not any(_touching(label, detector, findings) for detector in label.one_of):
        silent += label.one_of
    accusing = {found.detector for found in unexplained if found.nodes & set(label.nodes)} if label.is_benign else set()
    return SituationScore(
        label.situation,
        label.identity,
        (*label.expected, *label.one_of),
        tuple(silent),
        label.is_benign,
        tuple(sorted(accusing)),
    )


def _touching(label: Situation, detector: str, findings: Sequence[OpenFinding]) -> bool:
    nodes = set(label.nodes)
    return any(found.detector == detector and found.nodes & nodes for found in findings)


def unexplained_findings(situations: Sequence[Situation], findings: Sequence[OpenFinding]) -> list[OpenFinding]:
    """Findings about no situation that expects, or allows, their detector."""
    by_detector: dict[str, set[str]] = {}
    for label in situations:
        for detector in label.explains:
            by_detector.setdefault(detector, set()).update(label.nodes)
    return [found for found in findings if not found.nodes & by_detector.get(found.detector, set())]


def score_detectors(
    situations: Sequence[Situation], scores: Sequence[SituationScore], findings: Sequence[OpenFinding]
) -> list[DetectorScore]:
    """One score for each detector that a situation expects or that found anything."""
    unexplained = {found.finding_id for found in unexplained_findings(situations, findings)}
    names = {d for label in situations for d in label.expected} | {found.detector for found in findings}
    return [_score_detector(name, scores, findings, unexplained) for name in sorted(names)]


def _score_detector(
    name: str, scores: Sequence[SituationScore], findings: Sequence[OpenFinding], unexplained: set[str]
) -> DetectorScore:
    expecting = [score for score in scores if name in score.expected]
    own = [found for found in findings if found.detector == name]
    return DetectorScore(
        name,
        n_expected=len(expecting),
        n_found=sum(name not in score.missing for score in expecting),
        n_findings=len(own),
        n_explained=sum(found.finding_id not in unexplained for found in own),
    )
