"""The answer to one question, and the fewest changes after which it is no longer allow.

A way is what suffices to be allowed: one row, or two where each side has to allow (across accounts, a key and its
policy). What suffices is asked of `judge` itself, so that ways and answers cannot differ. To take something away never
allows more, also where a deny goes with it: a deny without anything that allows denies nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import product

from ultravires_models.policies.questions import Answer, Result

from ultravires.lineage.changes import Change, after, changes_of, lost
from ultravires.lineage.entitlement import Entitlement
from ultravires.lineage.hitting import Cost, hit_all
from ultravires.lineage.judging import Asked, Rows, judge, speaks_of_action

MOST_WAYS = 2_000
_FROM_ANYBODY = 1_000_000_000
"""Weighs more than any number of others who are known by name."""
Others = dict[Change, int | None]
"""How many other holders would lose something by a change; None where it is anybody."""


@dataclass(frozen=True)
class Way:
    """Rows that suffice together, and the changes of which each ends it."""

    rows: tuple[Entitlement, ...]
    changes: dict[Change, int]


@dataclass(frozen=True)
class Revocation:
    """`changes` end every way of `n_ways`; None where one is ended by no change. Then the answer is `result`. What is
    left then is not known to allow; `to_be_sure` ends that too, where anything does.
    """

    changes: list[Change] | None
    is_smallest: bool
    n_ways: int
    result: Result
    reason: str
    to_be_sure: list[Change] = field(default_factory=list)


def answer(rows: Rows, questions: Sequence[Asked]) -> tuple[Answer, list[Asked]]:
    """The answer over all questions (the same action on several resources), and of which it is."""
    if not questions:
        return Answer("deny", "no statement allows"), []
    found = [(_on_pattern(judge(rows, asked), asked), asked) for asked in questions]
    results: tuple[Result, ...] = ("allow", "unknown", "deny")
    result = next(each for each in results if any(one.result == each for one, _ in found))
    of_it = [(one, asked) for one, asked in found if one.result == result]
    statements = [each for one, _ in of_it for each in one.statements]
    unique = tuple(each for place, each in enumerate(statements) if each not in statements[:place])
    return Answer(result, of_it[0][0].reason, unique), [asked for _, asked in of_it]


def ways_of(rows: Rows, questions: Sequence[Asked], results: Collection[Result]) -> list[Way]:
    """The ways on which one of the questions gets one of these answers, up to `MOST_WAYS`."""
    found: dict[tuple[str, ...], Way] = {}
    for asked in questions:
        for together in _sufficient(rows, asked, results):
            if len(found) == MOST_WAYS:
                break
            key = tuple(sorted(row.entitlement_id for row in together))
            found[key] = Way(together, _merged(together))
    return list(found.values())


def all_changes(ways: Sequence[Way]) -> list[Change]:
    return sorted({change for way in ways for change in way.changes})


def revoke(rows: Rows, questions: Sequence[Asked], others: Others) -> Revocation | None:
    """The fewest changes; None where it is not held. At equal size those come first that take the least from others,
    then the least else from the holder, then the nearest to it.
    """
    first, _ = answer(rows, questions)
    if first.result == "deny":
        return None
    results: tuple[Result, ...] = ("allow",) if first.result == "allow" else ("unknown", "allow")
    ways = ways_of(rows, questions, results)
    chosen, is_smallest = _chosen(ways, rows, questions, others)
    left = after(rows, chosen or (), questions[0].action)
    then, _ = answer(left, questions)
    more: list[Change] = []
    if chosen and then.result == "unknown":
        more = _chosen(ways_of(left, questions, ("unknown", "allow")), left, questions, others)[0] or []
    return Revocation(chosen, is_smallest, len(ways), then.result, then.reason, more)


def _chosen(
    ways: Sequence[Way], rows: Rows, questions: Sequence[Asked], others: Others
) -> tuple[list[Change] | None, bool]:
    costs = _costs(ways, rows, questions[0].action, others)
    hit = hit_all([list(way.changes) for way in ways], costs)
    if not ways or hit is None:
        return None, True
    return list(hit.chosen), hit.is_smallest and len(ways) < MOST_WAYS


def _costs(ways: Sequence[Way], rows: Rows, action: str, others: Others) -> dict[Change, Cost]:
    """The place by name comes last, so that no two cost the same."""
    distances: dict[Change, int] = {}
    for way in ways:
        for change, distance in way.changes.items():
            distances[change] = min(distance, distances.get(change, distance))
    costs: dict[Change, Cost] = {}
    for place, change in enumerate(sorted(distances)):
        n_others = others.get(change, 0)
        n_own = len(lost(rows, change, action))
        costs[change] = (_FROM_ANYBODY if n_others is None else n_others, n_own, distances[change], place)
    return costs


def _merged(rows: Sequence[Entitlement]) -> dict[Change, int]:
    merged: dict[Change, int] = {}
    for row in rows:
        for change, distance in changes_of(row).items():
            merged[change] = min(distance, merged.get(change, distance))
    return merged


def _sufficient(rows: Rows, asked: Asked, results: Collection[Result]) -> list[tuple[Entitlement, ...]]:
    """Single rows that suffice within what limits, and pairs of the others, of the identity and of the resource."""
    limits = [row for row in rows if row.layer == "limit"]
    if judge(limits, asked).result in results:
        return []
    giving = [
        row for row in rows if row.layer == "granted" and row.effect != "deny" and speaks_of_action(row, asked.action)
    ]
    alone = {row.entitlement_id for row in giving if judge([*limits, row], asked).result in results}
    found: list[tuple[Entitlement, ...]] = [(row,) for row in giving if row.entitlement_id in alone]
    rest = [row for row in giving if row.entitlement_id not in alone]
    sides = [row for row in rest if row.resource is None], [row for row in rest if row.resource is not None]
    for pair in list(product(*sides))[:MOST_WAYS]:
        if judge([*limits, *pair], asked).result in results:
            found.append(pair)
    return found


def _on_pattern(found: Answer, asked: Asked) -> Answer:
    """Of a pattern of resources, a deny of all but some says nothing for certain."""
    is_open = "*" in asked.resource and any(each.get("not_resources") for each in found.statements)
    return Answer("unknown", "it depends on the resource", found.statements) if is_open else found
