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

What a first use gives decides how much it is worth. Asking which things there are gives nothing to act with, and a
cloud has more of such actions than anybody uses before the end of a year, so that firsts of them go on for ever: these
are informational, kept for whoever asks and delivered to nobody. Reading what is in them is low. A change, and reading
a secret, has the detector's own severity.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
import pyarrow as pa

from ultravires_models.detector import Tables
from ultravires_models.estimators.peers import PeerIndex, Peers, Profile
from ultravires_models.hits import HITS

DETECTOR_ID = "rare_action"
_SHOWN_CHARACTERS = 200
_SEVERITIES = {"list": "informational", "read": "low"}
_USE = ("identity_id", "action", "day")
_EARLIEST = ("first_at", "first_event_id", "actor_uid")


class Use(NamedTuple):
    """One draw: an identity used an action on a day, however often."""

    identity_id: str
    action: str


class RareActionModel:
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

    def fit(self, days: Iterable[Iterable[Use]]) -> Self:
        """Learn from whole days of uses; forgets what was learned before."""
        self.counts_: dict[str, Counter[str]] = {}
        self.n_days_: Counter[str] = Counter()
        self.n_novel_days_: Counter[str] = Counter()
        self.total_: Counter[str] = Counter()
        self.n_drawn_: Counter[int] = Counter()
        self.peers_ = PeerIndex(self.similar_from)
        for day in days:
            self.partial_fit(day)
        return self

    def partial_fit(self, day: Iterable[Use]) -> Self:
        """Learn from one more day; a use counts once a day, so that a loop of retries teaches no more."""
        uses = set(day)
        self.n_novel_days_.update({use.identity_id for use in uses if self.is_novel(use)})
        actions_of: dict[str, set[str]] = defaultdict(set)
        for use in uses:
            actions_of[use.identity_id].add(use.action)
        self.peers_.rank(Counter(use.action for use in uses))
        for identity_id, actions in actions_of.items():
            own = self.counts_.setdefault(identity_id, Counter())
            self.peers_.add(self.profiles[identity_id], own, actions)
            own.update(actions)
        for action, n in Counter(use.action for use in uses).items():
            self.n_drawn_[self.total_[action]] -= 1
            self.total_[action] += n
            self.n_drawn_[self.total_[action]] += 1
        self.n_days_.update(actions_of.keys())
        return self

    def score_samples(self, uses: Sequence[Use]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """In [0, 1], high is anomalous: 1 minus the probability that a draw is as rare as this or rarer."""
        return np.array([1.0 - self._tail(use) for use in uses], dtype=np.float64)

    def is_rare(self, uses: Sequence[Use]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether each is novel, of an identity that is not erratic, and beyond the budget of alarms."""
        return np.array([self._is_rare(use) for use in uses], dtype=np.bool_)

    def is_novel(self, use: Use) -> bool:
        """A use that is new to the identity and its peers, once the identity was active on enough days."""
        own = self.counts_.get(use.identity_id, Counter())
        if self.n_days_[use.identity_id] < self.warm_up_days or use.action in own:
            return False
        return not self.peers_.has_used(self.profiles[use.identity_id], own, use.action)

    def is_erratic(self, identity_id: str) -> bool:
        """Whether novelties are what this identity is known for."""
        n_novel, n_judged = self.n_novel_days_[identity_id], self.n_days_[identity_id] - self.warm_up_days
        return n_novel >= self.erratic_days and n_novel > self.erratic_share * n_judged

    def peers(self, identity_id: str) -> Peers:
        """How many identities this one is compared with, itself not among them, and what they did."""
        return self.peers_.of(self.profiles[identity_id], self.counts_.get(identity_id, Counter()))

    def _is_rare(self, use: Use) -> bool:
        if self.is_erratic(use.identity_id) or not self.is_novel(use):
            return False
        draws_a_day = self.counts_[use.identity_id].total() / self.n_days_[use.identity_id]
        return draws_a_day * self._tail(use) <= 1.0 / self.budget_days

    def _tail(self, use: Use) -> float:
        observed, shares = self._shares(use)
        # equal probabilities can differ in their last bits, and must not fall out of the tail for that
        return min(1.0, sum(n * share for share, n in shares if share <= observed * (1.0 + 1e-9)))

    def _shares(self, use: Use) -> tuple[float, list[tuple[float, int]]]:
        """The probability of this use, and of all that can be drawn: a probability, and how many actions have it.

        What neither the identity nor a peer did is as likely as everything else that was drawn as often, so it is
        counted by that number and not gone through one by one.
        """
        own = self.counts_.get(use.identity_id, Counter())
        peers = self.peers(use.identity_id).counts
        known = own.keys() | peers.keys()
        n_elsewhere = self.n_drawn_ - Counter(self.total_[action] for action in known)
        others = Level(
            n_drawn=sum(n_drawn * n for n_drawn, n in self.n_drawn_.items()) - own.total(),
            n_once=n_elsewhere[1] + sum(1 for action in known if self.total_[action] - own[action] == 1),
        )
        levels = (others, _level(peers), _level(own))
        uniform = 1.0 / (len(self.total_) + 1)

        def share(n_of_others: int, n_of_peers: int, n_of_own: int) -> float:
            blended = uniform
            for level, n in zip(levels, (n_of_others, n_of_peers, n_of_own), strict=True):
                blended = level.blend(n, blended)
            return blended

        def share_of(action: str) -> float:
            return share(self.total_[action] - own[action], peers[action], own[action])

        shares = [(share(0, 0, 0), 1), *((share(n_drawn, 0, 0), n) for n_drawn, n in sorted(n_elsewhere.items()))]
        shares += [(share_of(action), 1) for action in sorted(known)]
        return share_of(use.action), shares


class Level(NamedTuple):
    """What one level passes on: how many draws it has seen, and how many actions only once."""

    n_drawn: int
    n_once: int

    def blend(self, n: int, beneath: float) -> float:
        """The level's own share of an action that it drew `n` times, and the rest by the level beneath (method AX)."""
        escape = 1 + self.n_once
        return (n + escape * beneath) / (self.n_drawn + escape)


def _level(counts: Counter[str]) -> Level:
    return Level(n_drawn=counts.total(), n_once=sum(1 for count in counts.values() if count == 1))


def hits_of(tables: Tables) -> pa.Table:
    """HITS of first uses in `usage`, each judged by the days before its own; `identities` gives the peers."""
    identities = {row["identity_id"]: row for row in tables["identities"].to_pylist() if row["is_nonhuman"]}
    profiles = {key: Profile(row["identity_kind"] or "unknown", row["owner"]) for key, row in identities.items()}
    model = RareActionModel(profiles).fit([])
    hits = []
    for day in _days(tables["usage"], identities):
        uses = [Use(*row) for row in day.select("identity_id", "action").iter_rows()]
        rare = [number for number, is_rare in enumerate(model.is_rare(uses)) if is_rare]
        for number, score in zip(rare, model.score_samples([uses[number] for number in rare]), strict=True):
            row = day.row(number, named=True)
            hits.append(_hit(row, identities[row["identity_id"]], float(score), model))
        model.partial_fit(uses)
    return pa.Table.from_pylist(hits, schema=HITS)


def _days(usage: pa.Table, identities: Iterable[str]) -> list[pl.DataFrame]:
    """The days in order, each with the earliest row of every use by one of `identities`, in an order of its own."""
    known = pl.col("identity_id").is_in(list(identities)) & (pl.col("action") != "")
    return _first_rows(usage).filter(known).sort("day", *Use._fields).partition_by("day", maintain_order=True)


def _first_rows(usage: pa.Table) -> pl.DataFrame:
    """Of every use of a day the earliest row: few, where an identity uses an action on many resources all day."""
    columns = ["identity_id", "action", *_EARLIEST, "event_hour", "n", "n_failed", "access"]
    rows = pl.DataFrame(usage.select(columns)).with_columns(day=pl.col("first_at").dt.date())
    totals = rows.group_by(_USE).agg(
        is_failed=pl.col("n_failed").sum() >= pl.col("n").sum(),
    )
    firsts = rows.sort(_EARLIEST, nulls_last=True).unique(_USE, keep="first")
    return firsts.join(totals, on=_USE, nulls_equal=True)


def _hit(row: Mapping[str, Any], identity: Mapping[str, Any], score: float, model: RareActionModel) -> dict[str, Any]:
    return {
        "detector_id": DETECTOR_ID,
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
        "severity": _SEVERITIES.get(row["access"]),
        "outcome": "failure" if row["is_failed"] else None,
        "act_event_ids": [row["first_event_id"]] if row["first_event_id"] else [],
    }


def _message(row: Mapping[str, Any], identity: Mapping[str, Any], model: RareActionModel) -> str:
    name, action = _shown(identity["name"] or row["identity_id"]), _shown(row["action"])
    n_days, n_peers = model.n_days_[row["identity_id"]], model.peers(row["identity_id"]).n
    return f"{name} used {action} for the first time in {n_days} active days; none of {n_peers} peers did"


def _shown(text: str) -> str:
    """A log's text, bounded and on one line."""
    return "".join(character if character.isprintable() else " " for character in text[:_SHOWN_CHARACTERS])
