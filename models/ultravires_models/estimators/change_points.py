"""Days on which a series of counts changed its level: binary segmentation with the penalty of BIC.

A series is cut where two levels fit it better than one, each part again in the same way, as long as the gain is more
than a level and a place cost by the Bayesian information criterion: two parameters, ln n each (Scott, Knott, "A Cluster
Analysis Method for Grouping Means in the Analysis of Variance", Biometrics 30(3), 1974; Yao, "Estimating the number of
change-points via Schwarz' criterion", Statistics & Probability Letters 6(3), 1988). Nothing is to be set.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

_ROUNDING = 1 / 12
"""The variance of what rounds to one whole number: counts are not known better than that."""


class ChangePoints(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Where the level of a series changes. `change_points_` are the places of the first values of new levels."""

    def fit(self, values: Sequence[float]) -> "ChangePoints":
        """`values` in the order of time, one for each day."""
        series = np.asarray(values, dtype=np.float64)
        self.change_points_: list[int] = []
        waiting, price = [(0, len(series))], 2 * np.log(max(len(series), 1))
        variance = _noise(series)
        while waiting:
            start, end = waiting.pop()
            gain, place = _best_cut(series[start:end])
            if gain / variance > price:
                self.change_points_.append(start + place)
                waiting += [(start, start + place), (start + place, end)]
        self.change_points_.sort()
        return self


def _noise(series: "np.ndarray[Any, np.dtype[np.float64]]") -> float:
    """The variance about a level, by differences of neighbours, of which a change of level is only one."""
    if len(series) < 2:
        return _ROUNDING
    spread = float(np.median(np.abs(np.diff(series)))) / (0.6745 * np.sqrt(2))
    return float(max(spread**2, _ROUNDING))


def _best_cut(part: "np.ndarray[Any, np.dtype[np.float64]]") -> tuple[float, int]:
    """By how much the best cut lessens the sum of squares about the mean, and where it is."""
    n = len(part)
    if n < 2:
        return 0.0, 0
    places = np.arange(1, n)
    left = np.cumsum(part)[:-1]
    right = part.sum() - left
    gains = left**2 / places + right**2 / (n - places) - part.sum() ** 2 / n
    best = int(np.argmax(gains))
    return float(gains[best]), int(places[best])
