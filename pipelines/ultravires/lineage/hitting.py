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
_MOST_STEPS = 50_000
_DEEPEST = 200
"""Larger sets are not searched for: whoever holds something on so many ways has each ended that meets the most."""


@dataclass(frozen=True)
class Hitting(Generic[K]):
    """What was chosen, in order of cost, and whether it is certain that no smaller choice closes every way."""

    chosen: tuple[K, ...]
    is_smallest: bool


def hit_all(ways: Iterable[Collection[K]], costs: Mapping[K, Cost]) -> Hitting[K] | None:
    """The changes that meet every way: the fewest, and of those the cheapest in sum. None where nothing meets one of
    them. Costs are compared part by part and are all different, so that there is one answer.
    """
    by_cost = sorted(costs, key=lambda change: costs[change])
    numbers = {change: number for number, change in enumerate(by_cost)}
    least = _minimal(frozenset(numbers[change] for change in way) for way in ways)
    if any(not way for way in least):
        return None
    search = _Search(_undominated(least), [costs[change] for change in by_cost])
    chosen = search.run()
    return Hitting(tuple(by_cost[number] for number in sorted(chosen)), search.is_whole)


class _Search:
    """Changes are numbers in the order of their costs, ways are bits: `meets` says of each change which it meets,
    `near` of each way which share a change with it. They stand the smallest first, so that the lowest bit is the way
    with the fewest choices.
    """

    def __init__(self, ways: list[frozenset[int]], costs: list[Cost]) -> None:
        self.costs = costs
        self.ways = sorted((sorted(way) for way in ways), key=lambda way: (len(way), way))
        self.meets = _meets(self.ways)
        self.near = [_union(self.meets[change] for change in way) for way in self.ways]
        self.steps = 0
        self.is_whole = True
        self.best: tuple[Cost, tuple[int, ...]] | None = None

    def run(self) -> tuple[int, ...]:
        forced = tuple(sorted({way[0] for way in self.ways if len(way) == 1}))
        left = ((1 << len(self.ways)) - 1) & ~_union(self.meets[change] for change in forced)
        least = self._apart(left)
        for depth in range(least, _DEEPEST + 1):
            self._try(left, forced, depth)
            if self.best is not None and self.is_whole:
                return self.best[1]
            if not self.is_whole:
                break
        chosen = self._greedy(left)
        self.is_whole = len(chosen) == least
        return *forced, *chosen

    def _try(self, left: int, chosen: tuple[int, ...], depth: int) -> None:
        """Every choice of so many more, save those that cannot be enough."""
        self.steps += 1
        if self.steps > _MOST_STEPS:
            self.is_whole = False
            return
        cost = _sum(self.costs[change] for change in chosen)
        if self.best is not None and cost >= self.best[0]:
            return
        if not left:
            self.best = cost, chosen
        elif self._apart(left) <= depth:
            self._further(left, chosen, depth)

    def _further(self, left: int, chosen: tuple[int, ...], depth: int) -> None:
        for change in self.ways[_lowest(left)]:
            self._try(left & ~self.meets[change], (*chosen, change), depth - 1)

    def _apart(self, left: int) -> int:
        """A number of ways that share nothing: at least as many changes are needed."""
        n = 0
        while left:
            left &= ~self.near[_lowest(left)]
            n += 1
        return n

    def _greedy(self, left: int) -> tuple[int, ...]:
        """Always the one that meets most, until every way is met."""
        chosen: list[int] = []
        while left:
            most = max((met & left).bit_count() for met in self.meets.values())
            best = min(change for change, met in self.meets.items() if (met & left).bit_count() == most)
            chosen.append(best)
            left &= ~self.meets[best]
        return tuple(chosen)


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _meets(ways: Iterable[Iterable[int]]) -> dict[int, int]:
    """By change the ways that it meets, as bits."""
    found: dict[int, int] = {}
    for place, way in enumerate(ways):
        for change in way:
            found[change] = found.get(change, 0) | 1 << place
    return found


def _minimal(ways: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """Who meets a way meets every way that has it in it."""
    found: list[frozenset[int]] = []
    for way in sorted(set(ways), key=len):
        if not any(other <= way for other in found):
            found.append(way)
    return found


def _undominated(ways: list[frozenset[int]]) -> list[frozenset[int]]:
    """The ways without changes in whose place a cheaper one meets all they do, and so is in each of their ways."""
    meets = _meets(ways)
    kept = {
        change
        for change, met in meets.items()
        if not any(other < change and met & ~meets[other] == 0 for other in ways[_lowest(met)])
    }
    return [way & kept for way in ways]


def _sum(costs: Iterable[Cost]) -> Cost:
    return tuple(map(sum, zip(*costs, strict=True)))
