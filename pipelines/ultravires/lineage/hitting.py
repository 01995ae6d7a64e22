"""The fewest changes that close every way: a minimum hitting set.

Nothing here knows what a change or a way is. The search is exact: ways that contain another and changes that another
does the work of are left out first, then depth after depth is tried. It ends at so many steps; what it has by then may
not be the smallest, and it says so.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
Cost = tuple[int, ...]
_MOST_STEPS = 100_000


@dataclass(frozen=True)
class Hitting(Generic[K]):
    """What was chosen, in order of cost, and whether no smaller or cheaper choice closes every way."""

    chosen: tuple[K, ...]
    is_smallest: bool


def hit_all(ways: Iterable[Collection[K]], costs: Mapping[K, Cost]) -> Hitting[K] | None:
    """The changes that meet every way: the fewest, and of those the cheapest in sum. None where nothing meets one of
    them. Costs are compared part by part and are all different, so that there is one answer.
    """
    least = _minimal(frozenset(way) for way in ways)
    if any(not way for way in least):
        return None
    search = _Search(_undominated(least, costs), costs)
    chosen = search.run()
    return Hitting(tuple(sorted(chosen, key=lambda change: costs[change])), search.is_whole)


class _Search(Generic[K]):
    def __init__(self, ways: list[frozenset[K]], costs: Mapping[K, Cost]) -> None:
        self.ways = ways
        self.costs = costs
        self.steps = 0
        self.is_whole = True
        self.best: tuple[Cost, tuple[K, ...]] | None = None

    def run(self) -> tuple[K, ...]:
        for depth in range(len(self.ways) + 1):
            self._try(self.ways, (), depth)
            if self.best is not None:
                return self.best[1]
            if not self.is_whole:
                break
        return _greedy(self.ways, self.costs)

    def _try(self, left: list[frozenset[K]], chosen: tuple[K, ...], depth: int) -> None:
        """Every choice of so many more, save those that cannot be enough."""
        self.steps += 1
        if self.steps > _MOST_STEPS:
            self.is_whole = False
            return
        if not left:
            cost = _sum(self.costs[change] for change in chosen)
            if self.best is None or cost < self.best[0]:
                self.best = cost, chosen
            return
        if _apart(left) > depth:
            return
        way = min(left, key=lambda each: (len(each), sorted(self.costs[change] for change in each)))
        for change in sorted(way, key=lambda each: self.costs[each]):
            self._try([each for each in left if change not in each], (*chosen, change), depth - 1)


def _minimal(ways: Iterable[frozenset[K]]) -> list[frozenset[K]]:
    """Who meets a way meets every way that has it in it."""
    found: list[frozenset[K]] = []
    for way in sorted(set(ways), key=len):
        if not any(other <= way for other in found):
            found.append(way)
    return found


def _undominated(ways: list[frozenset[K]], costs: Mapping[K, Cost]) -> list[frozenset[K]]:
    """The ways without changes in whose place another that costs no more meets all they do."""
    meets: dict[K, frozenset[int]] = {
        change: frozenset(place for place, way in enumerate(ways) if change in way) for way in ways for change in way
    }
    kept = {
        change
        for change, met in meets.items()
        if not any(costs[other] < costs[change] and met <= meets[other] for other in meets)
    }
    return [way & kept for way in ways]


def _apart(ways: list[frozenset[K]]) -> int:
    """A number of ways that share nothing: at least as many changes are needed."""
    seen: set[K] = set()
    n = 0
    for way in sorted(ways, key=len):
        if not way & seen:
            seen |= way
            n += 1
    return n


def _greedy(ways: list[frozenset[K]], costs: Mapping[K, Cost]) -> tuple[K, ...]:
    """Always the one that meets most, until every way is met."""
    chosen: list[K] = []
    left = ways
    while left:
        everything = {change for way in left for change in way}
        best = min(everything, key=lambda change: (-sum(change in way for way in left), costs[change]))
        chosen.append(best)
        left = [way for way in left if best not in way]
    return tuple(chosen)


def _sum(costs: Iterable[Cost]) -> Cost:
    return tuple(map(sum, zip(*costs, strict=True)))
