"""Which rights that came to a holder beyond what was approved were found, with their cause, actor and onset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from ultravires.backtest.labels import Situation, TrueDrift, label_node

Drift = tuple[str, str, str]
"""Holder, kind and cause, by which one is told from another."""


@dataclass(frozen=True)
class FoundDrift:
    """One row of `drift` that has a change as its cause and is told: certain, and more than informational."""

    kind: str
    holder: str
    cause: str
    actor: str | None
    onset: datetime | None
    sentence: str

    @property
    def key(self) -> Drift:
        return self.holder, self.kind, self.cause


@dataclass(frozen=True)
class DriftScore:
    """Of one kind: n_true are labelled, n_found were told, n_right of them are labelled so; of these n_onset begin at
    the labelled moment and n_actor name who made the change.
    """

    kind: str
    n_true: int
    n_found: int
    n_right: int
    n_onset: int
    n_actor: int

    @property
    def precision(self) -> float | None:
        return self.n_right / self.n_found if self.n_found else None

    @property
    def recall(self) -> float | None:
        return self.n_right / self.n_true if self.n_true else None

    @property
    def onset(self) -> float | None:
        return self.n_onset / self.n_right if self.n_right else None

    @property
    def actor(self) -> float | None:
        return self.n_actor / self.n_right if self.n_right else None


@dataclass(frozen=True)
class WrongDrift:
    """What is labelled and not told so, or told and not labelled."""

    kind: str
    holder: str
    cause: str
    what: str


def published_drift(con: duckdb.DuckDBPyConnection, nodes: Mapping[str, tuple[str, ...]]) -> list[FoundDrift]:
    """Drift that somebody is told of, its cause in the labels' words."""
    rows = con.execute(
        """
        select kind, coalesce(actor_uid, identity_id), cause_event_id, cause_actor_uid, first_at, coalesce(sentence, '')
        from drift
        where is_certain and severity <> 'informational' and cause_event_id is not null and kind <> 'overreach'
        order by all
        """
    ).fetchall()
    return [
        FoundDrift(kind, holder, label_node(f"activity:{cause}", nodes), *rest) for kind, holder, cause, *rest in rows
    ]


def score_drift(situations: Sequence[Situation], found: Sequence[FoundDrift]) -> list[DriftScore]:
    """One score for each kind that is labelled or was told."""
    truth, told = _labelled(situations), {drift.key: drift for drift in found}
    kinds = sorted({kind for _, kind, _ in (*truth, *told)})
    return [_score(kind, truth, told) for kind in kinds]


def _score(kind: str, truth: Mapping[Drift, TrueDrift], told: Mapping[Drift, FoundDrift]) -> DriftScore:
    wanted = {key for key in truth if key[1] == kind}
    found = {key for key in told if key[1] == kind}
    right = wanted & found
    return DriftScore(
        kind,
        n_true=len(wanted),
        n_found=len(found),
        n_right=len(right),
        n_onset=sum(told[key].onset == truth[key].onset for key in right),
        n_actor=sum(told[key].actor == truth[key].actor for key in right),
    )


def wrong_drift(situations: Sequence[Situation], found: Sequence[FoundDrift]) -> list[WrongDrift]:
    """Every label that was missed or told with another onset or actor, and all that was told without a label."""
    truth, told = _labelled(situations), {drift.key: drift for drift in found}
    wrong = [
        WrongDrift(kind, holder, cause, _difference(truth[holder, kind, cause], told.get((holder, kind, cause))))
        for holder, kind, cause in sorted(truth)
    ]
    beyond = [told[key] for key in sorted(set(told) - set(truth))]
    wrong += [WrongDrift(drift.kind, drift.holder, drift.cause, f"no label: {drift.sentence}") for drift in beyond]
    return [each for each in wrong if each.what]


def _difference(wanted: TrueDrift, found: FoundDrift | None) -> str:
    if found is None:
        return "not told"
    onset = f"begins at {found.onset}, and not at {wanted.onset}" if found.onset != wanted.onset else ""
    actor = f"made by {found.actor}, and not by {wanted.actor}" if found.actor != wanted.actor else ""
    return "; ".join(each for each in (onset, actor) if each)


def _labelled(situations: Sequence[Situation]) -> dict[Drift, TrueDrift]:
    return {(each.holder, each.kind, each.cause): each for label in situations for each in label.drift}
