"""rare_action: a non-human identity uses an action that neither it nor its peers are known for.

Each identity's actions of a day are draws from a distribution that is learned from the days before: its own
counts, blended with those of its peers, blended with those of everybody else, blended with a uniform share
for the vocabulary and one symbol for all that was never seen. A level passes on the weight
(t1 + 1) / (n + t1 + 1), where n are its draws and t1 the actions it drew once: an identity that repeats
itself hands little to the unknown, a versatile one much. (Escape estimation AX: Moffat, Neal, Witten,
"Arithmetic Coding Revisited", ACM TOIS 16(3), 1998, after methods P and X of Witten, Bell, "The
zero-frequency problem", IEEE Trans. Inf. Theory 37(4), 1991; the blending is interpolated back-off.)

The score of a first use is 1 - p, where p is the probability that a draw is as rare as this or rarer. With m
draws a day, m * p such draws are expected a day, and the threshold is a budget of false alarms: a use is
reported when an identity that behaves as before would show one like it once in `budget_days` days at most,
and when no peer ever did the same. An identity that kept bringing such novelties is erratic, and its first
uses tell nothing: it is left alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from sklearn.base import BaseEstimator

from ultravires_models.detector import Detector, Tables, file_version
from ultravires_models.hits import HITS

_DETECTOR_ID = "rare_action"
_UNSEEN = ""  # the symbol of all actions outside the vocabulary; no real action is empty
_SHOWN_CHARACTERS = 200
_EARLIEST = ("first_at", "first_event_id", "actor_uid")


class Use(NamedTuple):
    """One draw: an identity used an action on a day, however often."""

    identity_id: str
    action: str


class Profile(NamedTuple):
    """What makes identities peers before they have done anything: their kind, and who owns them."""

    kind: str
    owner: str | None


class RareActionModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """How unexpected an action is of an identity, by what it, its peers and everybody did on earlier days.

    `profiles` holds every identity. Peers are identities of the same kind with the same owner, or with a set
    of actions whose Jaccard similarity is at least `similar_from`. Below `warm_up_days` active days an
    identity is not judged; nor is an erratic one, which brought novelties on at least
    `erratic_days` judged days and on more than `erratic_share` of them.
    """

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        *,
        budget_days: int = 90,
        warm_up_days: int = 3,
        similar_from: float = 0.5,
        erratic_days: int = 3,
        erratic_share: float = 0.25,
    ) -> None:
        self.profiles = profiles
        self.budget_days = budget_days
        self.warm_up_days = warm_up_days
        self.similar_from = similar_from
        self.erratic_days = erratic_days
        self.erratic_share = erratic_share

    def fit(self, days: Iterable[Iterable[Use]]) -> "RareActionModel":
        """Learn from whole days of uses; forgets what was learned before."""
        self.counts_: dict[str, Counter[str]] = defaultdict(Counter)
        self.n_days_: Counter[str] = Counter()
        self.n_novel_days_: Counter[str] = Counter()
        self.total_: Counter[str] = Counter()
        for day in days:
            self.partial_fit(day)
        return self

    def partial_fit(self, day: Iterable[Use]) -> "RareActionModel":
        """Learn from one more day; a use counts once a day, so that a loop of retries teaches no more."""
        uses = set(day)
        self.n_novel_days_.update({use.identity_id for use in uses if self.is_novel(use)})
        for use in uses:
            self.counts_[use.identity_id][use.action] += 1
            self.total_[use.action] += 1
        self.n_days_.update({use.identity_id for use in uses})
        return self

    def score_samples(self, uses: Sequence[Use]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """In [0, 1], high is anomalous: 1 minus the probability that a draw is as rare as this or rarer."""
        return np.array([1.0 - self._tail(use) for use in uses], dtype=np.float64)

    def is_rare(self, uses: Sequence[Use]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether each is novel, of an identity that is not erratic, and beyond the budget of alarms."""
        return np.array([self._is_rare(use) for use in uses], dtype=np.bool_)

    def is_novel(self, use: Use) -> bool:
        """A use that is new to the identity and its peers, once the identity was active on enough days."""
        if self.n_days_[use.identity_id] < self.warm_up_days or use.action in self.counts_[use.identity_id]:
            return False
        return not any(use.action in self.counts_[peer] for peer in self.peers(use.identity_id))

    def is_erratic(self, identity_id: str) -> bool:
        """Whether novelties are what this identity is known for."""
        n_novel, n_judged = self.n_novel_days_[identity_id], self.n_days_[identity_id] - self.warm_up_days
        return n_novel >= self.erratic_days and n_novel > self.erratic_share * n_judged

    def peers(self, identity_id: str) -> list[str]:
        """The identities that this one is compared with, in a fixed order, itself not among them."""
        profile, actions = self.profiles[identity_id], set(self.counts_.get(identity_id, ()))
        return [
            other for other in sorted(self.counts_) if other != identity_id and self._is_peer(profile, actions, other)
        ]

    def _is_peer(self, profile: Profile, actions: set[str], other: str) -> bool:
        other_profile = self.profiles[other]
        if other_profile.kind != profile.kind:
            return False
        if profile.owner is not None and profile.owner == other_profile.owner:
            return True
        others = set(self.counts_[other])
        return len(actions & others) >= self.similar_from * len(actions | others)

    def _is_rare(self, use: Use) -> bool:
        if self.is_erratic(use.identity_id) or not self.is_novel(use):
            return False
        draws_a_day = self.counts_[use.identity_id].total() / self.n_days_[use.identity_id]
        return draws_a_day * self._tail(use) <= 1.0 / self.budget_days

    def _tail(self, use: Use) -> float:
        distribution = self._distribution(use.identity_id)
        observed = distribution.get(use.action, distribution[_UNSEEN])
        # equal probabilities can differ in their last bits, and must not fall out of the tail for that
        return min(1.0, sum(p for p in distribution.values() if p <= observed * (1.0 + 1e-9)))

    def _distribution(self, identity_id: str) -> dict[str, float]:
        own = self.counts_.get(identity_id, Counter())
        peers: Counter[str] = Counter()
        for peer in self.peers(identity_id):
            peers.update(self.counts_[peer])
        vocabulary = [*sorted(self.total_), _UNSEEN]
        blended = dict.fromkeys(vocabulary, 1.0 / len(vocabulary))
        for counts in (self.total_ - own, peers, own):
            blended = _blend(counts, blended)
        return blended


def _blend(counts: Counter[str], beneath: Mapping[str, float]) -> dict[str, float]:
    """The level's own share of each action, and the rest by the distribution beneath it (method AX)."""
    escape = 1 + sum(1 for count in counts.values() if count == 1)
    total = counts.total() + escape
    return {action: (counts[action] + escape * share) / total for action, share in beneath.items()}


def detect(tables: Tables) -> pa.Table:
    """HITS of first uses in `usage`, each judged by the days before its own; `identities` gives the peers."""
    identities = {row["identity_id"]: row for row in tables["identities"].to_pylist() if row["is_nonhuman"]}
    profiles = {key: Profile(row["identity_kind"] or "unknown", row["owner"]) for key, row in identities.items()}
    model = RareActionModel(profiles).fit([])
    hits = []
    for _, first_rows in _days(tables["usage"], identities):
        novel = sorted(use for use in first_rows if model.is_novel(use))
        for use, is_rare, score in zip(novel, model.is_rare(novel), model.score_samples(novel), strict=True):
            if is_rare:
                hits.append(_hit(first_rows[use], identities[use.identity_id], float(score), model))
        model.partial_fit(first_rows)
    return pa.Table.from_pylist(hits, schema=HITS)


def _days(usage: pa.Table, identities: Mapping[str, Any]) -> Iterator[tuple[date, dict[Use, dict[str, Any]]]]:
    """The days in order, each with the earliest row of every use, whatever the order of the rows."""
    days: dict[date, dict[Use, dict[str, Any]]] = defaultdict(dict)
    for row in _first_rows(usage):
        if row["identity_id"] in identities and row["action"]:
            days[row["day"]][Use(row["identity_id"], row["action"])] = row
    yield from sorted(days.items())


def _first_rows(usage: pa.Table) -> list[dict[str, Any]]:
    """Of every use of a day the earliest row: few, where an identity uses an action on many resources all day."""
    rows = pl.DataFrame(usage.select(["identity_id", "action", *_EARLIEST, "event_hour"]))
    of_days = rows.with_columns(day=pl.col("first_at").dt.date()).sort(_EARLIEST, nulls_last=True)
    return of_days.unique(["identity_id", "action", "day"], keep="first").to_dicts()


def _hit(row: Mapping[str, Any], identity: Mapping[str, Any], score: float, model: RareActionModel) -> dict[str, Any]:
    return {
        "detector_id": _DETECTOR_ID,
        "subject_kind": "actor_action",
        "subject_uid": f"{row['actor_uid'] or row['identity_id']} {row['action']}",
        "slot": "",
        "identity_id": row["identity_id"],
        "actor_uid": row["actor_uid"],
        "hit_at": row["first_at"],
        "event_hour": row["event_hour"],
        "evidence_event_ids": [row["first_event_id"]] if row["first_event_id"] else [],
        "message": _message(row, identity, model),
        "gaps": [],
        "score": score,
    }


def _message(row: Mapping[str, Any], identity: Mapping[str, Any], model: RareActionModel) -> str:
    name, action = _shown(identity["name"] or row["identity_id"]), _shown(row["action"])
    n_days, n_peers = model.n_days_[row["identity_id"]], len(model.peers(row["identity_id"]))
    return f"{name} used {action} for the first time in {n_days} active days; none of {n_peers} peers did"


def _shown(text: str) -> str:
    """A log's text, bounded and on one line."""
    return "".join(character if character.isprintable() else " " for character in text[:_SHOWN_CHARACTERS])


DETECTOR = Detector(
    detector_id=_DETECTOR_ID,
    title="Action that is new to an identity and its peers",
    description=(
        "A non-human identity used an action that neither it nor its peers used before, and by what was used "
        "on the days before, so rare a use is expected of it at most once in 90 days."
    ),
    inputs=("usage", "identities"),
    detect=detect,
    severity="medium",
    class_uid=2004,
    frameworks=("attack.t1078.004", "owasp-asi.asi10", "owasp-nhi.nhi05", "csa-maestro.l5", "nist-csf.de-ae"),
    remediation="Ask the owner about a new task; if there is none, end the sessions and remove the action.",
    version=file_version(__file__),
    false_positives=("A new version of a service that needs one more action.",),
)
