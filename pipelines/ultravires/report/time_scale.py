"""Times to places on an axis that shows seconds and days side by side."""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

# A chain acts in bursts: within one, calls are a second apart; between two lie hours. Were distance
# proportional to time, every burst would be one dot, so it grows with the logarithm of the time between.
_LEAST_STEP = 0.35


@dataclass(frozen=True)
class TimeScale:
    """Known moments and their places, both ascending and of one length."""

    moments: tuple[datetime, ...]
    places: tuple[float, ...]

    def place(self, moment: datetime) -> float:
        """The place of `moment`; between two known moments proportional, outside all of them at the edge."""
        after = bisect_right(self.moments, moment)
        if after == 0:
            return self.places[0]
        if after == len(self.moments):
            return self.places[-1]
        before = after - 1
        share = (moment - self.moments[before]) / (self.moments[after] - self.moments[before])
        return self.places[before] + share * (self.places[after] - self.places[before])

    def ticks(self, least_distance: float) -> list[tuple[float, datetime]]:
        """(place, moment) of known moments at least `least_distance` apart, from the first on."""
        chosen: list[tuple[float, datetime]] = []
        for moment, place in zip(self.moments, self.places, strict=True):
            if not chosen or place - chosen[-1][0] >= least_distance:
                chosen.append((place, moment))
        return chosen


def scale_of(moments: Iterable[datetime], left: float, right: float) -> TimeScale:
    """A scale on which `moments` fill the space from `left` to `right`; a single one stands at the left."""
    known = tuple(sorted(set(moments)))
    steps = [_step(later - earlier) for earlier, later in pairwise(known)]
    unit = (right - left) / sum(steps) if steps else 0.0
    places = [left]
    for step in steps:
        places.append(places[-1] + step * unit)
    return TimeScale(known, tuple(places))


def _step(between: timedelta) -> float:
    return _LEAST_STEP + math.log10(1 + between.total_seconds())
