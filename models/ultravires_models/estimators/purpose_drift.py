"""purpose_drift: the last weeks of a non-human identity are made of other things than its first ones.

Each day of an identity is a mix for each aspect: of actions, of what they give, of hours, networks and tools. A day
counts once, however much is done on it, so that one busy day is no change. What is measured is how far the mean mix of
the last weeks lies from that of the first (the Jensen-Shannon divergence in bits, summed over the aspects that both
have), and what it is measured against are the identity's own days: were nothing changed, any of them could as well
have been on the other side. So days are drawn to either side at random, Mondays among Mondays, as weeks have a rhythm,
and p is the share of draws that lie as far apart as what was seen (a permutation test, exact for days that can be
exchanged: Phipson, Smyth, "Permutation P-values Should Never Be Zero", 2010).

Work that lasts some days makes neighbours alike, and they cannot be exchanged then. So the same is asked of whole
weeks: of all ways to halve them the one that was seen has to be the only one so far apart, which happens by chance once
in 35 halvings of eight weeks; and each week has to lie nearer to the others of its own half than to the other half.
What stays that way for weeks on end is a change, and not told from one.

Over many identities p is held against the steps of Benjamini and Hochberg (J. R. Stat. Soc. B 57(1), 1995): of those
that are reported at most one in twenty is expected to be a chance. Draws go on until whoever is still ahead of most of
them has passed, or could pass no more, and the same draws serve everybody: an answer depends on no order and no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa

from ultravires_models.detector import Tables
from ultravires_models.hits import HITS

DETECTOR_ID = "purpose_drift"
_SHOWN_CHARACTERS = 120
_WEEK, _N_WEEKS = 7, 8
_N_DAYS = _WEEK * _N_WEEKS
_MOST_VALUES = 64
"""Of each aspect so many values of an identity are told apart, and the rest is one: an attacker may invent names."""
_BATCH = 500
_NOUNS = {"action": "", "access": "access to ", "hour": "hour ", "network": "network ", "tool": "tool "}

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Days:
    """The mixes of one identity: a row for each day of its eight weeks, the first four before the last.

    Of each aspect the shares of a day add up to one, or are all nought on a day without any.
    """

    shares: Floats
    aspects: Sequence[slice]
    """Which columns are of one aspect."""


class PurposeDriftModel:
    """Whether each identity's last weeks differ from its first.

    `level` is the share of chance among what is reported; who is exceeded by `n_exceeding` draws is given up, as no
    more draws make it rare; nobody is drawn for more than `most_draws` times.
    """

    def __init__(
        self, *, level: float = 0.05, n_exceeding: int = 10, most_draws: int = 200_000, random_state: int = 0
    ) -> None:
        self.level = level
        self.n_exceeding = n_exceeding
        self.most_draws = most_draws
        self.random_state = random_state

    def fit(self, identities: Sequence[Days]) -> Self:
        """Compare the halves of each; `p_values_` and `is_changed_` are in their order, which decides nothing."""
        is_judged = np.array([_has_every_week(days) for days in identities], dtype=np.bool_)
        of_judged = self._p_values([days for days, judged in zip(identities, is_judged, strict=True) if judged])
        self.p_values_: Floats = np.ones(len(identities))
        self.p_values_[is_judged] = of_judged
        # who is not judged is none of those among whom chances are counted
        self.is_changed_ = is_judged & (self.p_values_ <= _highest_step(of_judged, self.level))
        return self

    def score_samples(self) -> Floats:
        """In [0, 1], high is anomalous: 1 minus p."""
        return np.asarray(1.0 - self.p_values_, dtype=np.float64)

    def _p_values(self, judged: Sequence[Days]) -> Floats:
        p_values = np.ones(len(judged))
        ahead = [number for number, days in enumerate(judged) if _are_weeks_apart(days)]
        observed = {number: _distances(judged[number], ~_SEEN[None, :], _SEEN[None, :])[0] for number in ahead}
        n_exceeding = dict.fromkeys(ahead, 0)
        random, n_drawn = np.random.default_rng(self.random_state), 0
        most_draws = min(self.most_draws, int(np.ceil(len(judged) / self.level)))
        while ahead and n_drawn < most_draws:
            n_more = max(n_drawn, _BATCH)
            for n_batch in _in_batches(n_more):
                sides = _draw_sides(random, n_batch)
                for number in ahead:
                    n_exceeding[number] += int((_distances(judged[number], ~sides, sides) >= observed[number]).sum())
            n_drawn += n_more
            for number in ahead:
                p_values[number] = (n_exceeding[number] + 1) / (n_drawn + 1)
            enough = _highest_step(p_values, self.level)
            ahead = [n for n in ahead if p_values[n] > enough and n_exceeding[n] < self.n_exceeding]
        return p_values


_SEEN: Bools = np.arange(_N_DAYS) >= _N_DAYS // 2
_STRATA = np.arange(_N_DAYS) % _WEEK


def _halvings() -> Bools:
    """Each way to halve the weeks, the one that was seen first; a way and its mirror image are one."""
    rows = [np.isin(np.arange(_N_DAYS) // _WEEK, chosen) for chosen in combinations(range(_N_WEEKS), _N_WEEKS // 2)]
    return np.array(sorted((row for row in rows if not row[0]), key=lambda row: not (row == _SEEN).all()))


_HALVINGS = _halvings()
_WEEKS: Bools = np.arange(_N_DAYS) // _WEEK == np.arange(_N_WEEKS)[:, None]
_OTHER: Bools = (np.arange(_N_WEEKS) >= _N_WEEKS // 2)[:, None] != _SEEN
_OWN: Bools = ~_OTHER & ~_WEEKS


def _draw_sides(random: np.random.Generator, n: int) -> Bools:
    """`n` ways to put days on either side: of each day of the week as many on either as there were."""
    order = np.argsort(_STRATA + random.random((n, _N_DAYS)), axis=1)
    sides = np.empty((n, _N_DAYS), dtype=np.bool_)
    np.put_along_axis(sides, order, np.broadcast_to(_SEEN[np.argsort(_STRATA, kind="stable")], (n, _N_DAYS)), axis=1)
    return sides


def _in_batches(n: int) -> list[int]:
    return [_BATCH] * (n // _BATCH) + ([n % _BATCH] if n % _BATCH else [])


def _has_every_week(days: Days) -> bool:
    return bool((days.shares.sum(axis=1).reshape(_N_WEEKS, _WEEK).sum(axis=1) > 0).all())


def _are_weeks_apart(days: Days) -> bool:
    """Whether no other halving of the weeks lies as far apart, and each week is nearer to the others of its half."""
    distances = _distances(days, ~_HALVINGS, _HALVINGS)
    # two equal distances can differ in their last bits
    is_furthest = bool((distances[1:] < distances[0] * (1 - 1e-9)).all())
    return is_furthest and bool((_distances(days, _WEEKS, _OWN) < _distances(days, _WEEKS, _OTHER)).all())


def _distances(days: Days, one: Bools, other: Bools) -> Floats:
    """How far the mean days of two sides lie apart, for each row of the two, which say of each day whether it is in."""
    distances = np.zeros(len(one))
    for aspect in days.aspects:
        shares = days.shares[:, aspect]
        is_active = shares.any(axis=1)
        means = []
        has_both = np.ones(len(one), dtype=np.bool_)
        for side in (one.astype(np.float64), other.astype(np.float64)):
            n_active = side @ is_active
            means.append(side @ shares / np.maximum(n_active, 1)[:, None])
            has_both &= n_active > 0
        distances += np.where(has_both, _divergence(*means), 0.0)
    return distances


def _divergence(one: Floats, other: Floats) -> Floats:
    """The Jensen-Shannon divergence of each row, in bits."""
    return _entropy((one + other) / 2) - (_entropy(one) + _entropy(other)) / 2


def _entropy(shares: Floats) -> Floats:
    safe = np.maximum(shares, 1e-300)  # sums minus parts may be a trifle below nought
    return np.asarray(-(safe * np.log2(safe)).sum(axis=1), dtype=np.float64)


def _highest_step(p_values: Floats, level: float) -> float:
    """The largest p that is at or under its step of Benjamini and Hochberg, or one that none reaches."""
    ordered = np.sort(p_values)
    under = ordered <= level * np.arange(1, len(ordered) + 1) / max(len(ordered), 1)
    return float(ordered[under][-1]) if under.any() else -1.0


def hits_of(tables: Tables) -> pa.Table:
    """HITS of the identities in `habits` whose last weeks differ from their first; `identities` has their names."""
    groups = _placed(tables["habits"]).partition_by("identity_id", maintain_order=True)
    names = {row["identity_id"]: row["name"] for row in tables["identities"].to_pylist()}
    model = PurposeDriftModel().fit([days_of(group) for group in groups])
    found = zip(groups, model.is_changed_, model.score_samples(), strict=True)
    hits = [_hit(group, names, float(score)) for group, is_changed, score in found if is_changed]
    return pa.Table.from_pylist(hits, schema=HITS)


def _placed(habits: pa.Table) -> pl.DataFrame:
    """Each row with its share of its day and aspect, which of the 56 days that is, and the column of its value: the
    most frequent first. In an order of its own.
    """
    rows = pl.DataFrame(habits).filter(pl.col("n") > 0)
    first_days = rows.filter(pl.col("period") == "first").group_by("identity_id").agg(first_day=pl.col("day").min())
    columns = (
        rows.group_by("identity_id", "aspect", "value")
        .agg(total=pl.col("n").sum())
        .sort("identity_id", "aspect", "total", "value", descending=[False, False, True, False])
        .with_columns(column=pl.int_range(pl.len()).over("identity_id", "aspect").clip(upper_bound=_MOST_VALUES - 1))
    )
    # The last weeks begin a whole number of periods after the first.
    day = (pl.col("day") - pl.col("first_day")).dt.total_days() % (_N_DAYS // 2)
    return (
        rows.join(first_days, on="identity_id")
        .join(columns, on=["identity_id", "aspect", "value"])
        .with_columns(
            share=pl.col("n") / pl.col("n").sum().over("identity_id", "aspect", "day"),
            nth_day=day + (pl.col("period") == "last").cast(pl.Int64) * (_N_DAYS // 2),
        )
        .sort("identity_id", "aspect", "column", "value", "day")
    )


def days_of(group: pl.DataFrame) -> Days:
    """The rows of one identity as a matrix of days by values."""
    names, width = group["aspect"].to_list(), 0
    aspects: dict[str, slice] = {}
    of_row = group["column"].to_numpy()
    for name, column in zip(names, of_row, strict=True):
        start = aspects[name].start if name in aspects else width
        width = max(width, start + int(column) + 1)
        aspects[name] = slice(start, width)
    shares = np.zeros((_N_DAYS, width))
    starts = np.array([aspects[name].start for name in names])
    np.add.at(shares, (group["nth_day"].to_numpy(), starts + of_row), group["share"].to_numpy())
    return Days(shares, list(aspects.values()))


def _hit(group: pl.DataFrame, names: Mapping[str, str | None], score: float) -> dict[str, Any]:
    gains = _gains(group)
    identity_id, actor_uid = group["identity_id"][0], group["actor_uid"].min()
    evidence = [gain["first_event_id"] for gain in gains if gain["first_event_id"]]
    hit_at = gains[0]["first_at"]
    name = _shown(names.get(identity_id) or identity_id)
    first, last = (str(group.filter(period=period)["day"].min()) for period in ("first", "last"))
    is_new_secret = any((gain["aspect"], gain["value"], gain["before"]) == ("access", "secret", 0.0) for gain in gains)
    return {
        "detector_id": DETECTOR_ID,
        "subject_kind": "actor",
        "subject_uid": actor_uid or identity_id,
        "slot": "",
        "identity_id": identity_id,
        "actor_uid": actor_uid,
        "hit_at": hit_at,
        "event_hour": hit_at.replace(minute=0, second=0, microsecond=0),
        "evidence_event_ids": list(dict.fromkeys(evidence)),
        "message": f"{name} does other things in the four weeks from {last} than in those from {first}: "
        + "; ".join(_in_words(gain) for gain in gains),
        "gaps": [],
        "score": score,
        "severity": "medium" if is_new_secret else None,
        "act_event_ids": [],
    }


def _gains(group: pl.DataFrame) -> list[dict[str, Any]]:
    """Of each aspect what gained most of the mean day, and when it was first seen in the last weeks; most first."""
    n_days = group.group_by("aspect", "period").agg(n_days=pl.col("nth_day").n_unique())
    means = (
        group.group_by("aspect", "value", "period")
        .agg(share=pl.col("share").sum(), first_at=pl.col("first_at").min(), first_event_id=_earliest_event())
        .join(n_days, on=["aspect", "period"])
        .with_columns(share=pl.col("share") / pl.col("n_days"))
    )
    before = means.filter(period="first").select("aspect", "value", before="share")
    both = before.select("aspect").unique()
    return (
        means.filter(period="last")
        .join(both, on="aspect")
        .join(before, on=["aspect", "value"], how="left")
        .with_columns(before=pl.col("before").fill_null(0.0))
        .with_columns(gain=(pl.col("share") - pl.col("before")).round(9))
        .sort("gain", "aspect", "value", descending=[True, False, False])
        .unique("aspect", keep="first", maintain_order=True)
        .filter(pl.col("gain") > 0)
        .to_dicts()
    )


def _earliest_event() -> pl.Expr:
    return pl.col("first_event_id").sort_by("first_at", "first_event_id").first()


def _in_words(gain: Mapping[str, Any]) -> str:
    return f"{_NOUNS[gain['aspect']]}{_shown(gain['value'])} {gain['before']:.0%} to {gain['share']:.0%} of a day"


def _shown(text: str) -> str:
    """A log's text, bounded and on one line."""
    return "".join(character if character.isprintable() else " " for character in text[:_SHOWN_CHARACTERS])
