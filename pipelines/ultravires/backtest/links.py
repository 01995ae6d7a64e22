"""Precision and recall of links against the truth, by spine, kind and method."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from ultravires.backtest.labels import TrueLink, label_node

Pair = tuple[str, str]


@dataclass(frozen=True)
class FoundLink:
    """One link as published, its nodes in the labels' words."""

    child: str
    parent: str
    kind: str
    spine: str | None
    method: str
    n_candidates: int
    is_primary: bool
    n_weaker: int = 0
    """How many others fit the child by attribute_window alone, which are no links beside this one."""


@dataclass(frozen=True)
class LinkScore:
    """n_found: primary links made by the method, n_right of them true. n_true: true primary links that the
    method should find, n_recalled of them are primary links, by whatever method.

    A link with more than one candidate is never proof and says so: it is scored apart, as ambiguous.
    """

    spine: str | None
    kind: str
    method: str
    is_ambiguous: bool
    n_found: int
    n_right: int
    n_true: int
    n_recalled: int

    @property
    def precision(self) -> float | None:
        return self.n_right / self.n_found if self.n_found else None

    @property
    def recall(self) -> float | None:
        return self.n_recalled / self.n_true if self.n_true else None


@dataclass(frozen=True)
class Miss:
    """True links of one kind and method that are not primary links, why, and one of them as an example."""

    kind: str
    method: str
    reason: str
    n: int
    child: str
    parent: str


def published_links(
    con: duckdb.DuckDBPyConnection, nodes: Mapping[str, tuple[str, ...]], kinds: set[str]
) -> list[FoundLink]:
    """Every published link of one of `kinds`."""
    rows = con.execute(
        "select child_id, parent_id, kind, spine, method, n_candidates, is_primary, n_weaker from links"
        " where kind in (select unnest($kinds::varchar[]))",
        {"kinds": sorted(kinds)},
    ).fetchall()
    found = [FoundLink(label_node(child, nodes), label_node(parent, nodes), *rest) for child, parent, *rest in rows]
    return [link for link in found if link.child != link.parent]


def score_links(found: Sequence[FoundLink], truth: Sequence[TrueLink]) -> list[LinkScore]:
    """One score a spine, kind, method and ambiguity. Links on no spine (copies of one event) count both ways."""
    right_pairs = {pair for link in truth for pair in _pairs(link.kind, link.child, link.parent)}
    counted = [link for link in found if is_counted(link)]
    made = {pair for link in counted for pair in _pairs(link.kind, link.child, link.parent)}
    counts: dict[tuple[str | None, str, str, bool], Counter[str]] = defaultdict(Counter)
    for link in counted:
        count = counts[link.spine, link.kind, link.method, link.n_candidates > 1]
        count["found"] += 1
        count["right"] += (link.kind, link.child, link.parent) in right_pairs
    for wanted in truth:
        if wanted.is_primary:
            count = counts[wanted.spine, wanted.kind, wanted.method, False]
            count["true"] += 1
            count["recalled"] += (wanted.kind, wanted.child, wanted.parent) in made
    return [
        LinkScore(*key, count["found"], count["right"], count["true"], count["recalled"])
        for key, count in sorted(counts.items(), key=lambda item: (item[0][0] or "", *item[0][1:]))
    ]


def is_counted(link: FoundLink) -> bool:
    """A primary link, or one on no spine, where there is nothing to choose."""
    return link.is_primary or link.spine is None


def _pairs(kind: str, child: str, parent: str) -> list[tuple[str, str, str]]:
    """Which of two copies is the original is a matter of convention, so both ways are one link."""
    forth = (kind, child, parent)
    return [forth, (kind, parent, child)] if kind == "same_event" else [forth]


def explain_misses(found: Sequence[FoundLink], truth: Sequence[TrueLink], known: set[str]) -> list[Miss]:
    """Every true primary link that was not made, grouped by its reason. `known`: nodes that were loaded."""
    made = {pair for link in found if is_counted(link) for pair in _pairs(link.kind, link.child, link.parent)}
    by_pair = {(link.kind, link.child, link.parent): link for link in found}
    chosen = {(link.spine, link.child): link for link in found if link.is_primary}
    groups: dict[tuple[str, str, str], list[TrueLink]] = defaultdict(list)
    for link in truth:
        if link.is_primary and (link.kind, link.child, link.parent) not in made:
            candidate = by_pair.get((link.kind, link.child, link.parent))
            reason = _reason(link, candidate, chosen.get((link.spine, link.child)), known)
            groups[link.kind, link.method, reason].append(link)
    return [
        Miss(kind, method, reason, len(links), links[0].child, links[0].parent)
        for (kind, method, reason), links in sorted(groups.items())
    ]


def _reason(link: TrueLink, candidate: FoundLink | None, chosen: FoundLink | None, known: set[str]) -> str:
    absent = [node.partition(":")[0] for node in (link.child, link.parent) if node not in known]
    if absent:
        return f"the {absent[0]} was not loaded"
    if candidate and candidate.n_candidates > 1:
        return "ambiguous: one of several candidates, and another was taken"
    if candidate and chosen:
        return f"a candidate, but {chosen.kind} by {chosen.method} was preferred"
    if chosen and chosen.n_weaker and link.method == "attribute_window":
        return f"it could only fit by its time, and {chosen.kind} by {chosen.method} is better"
    if chosen:
        return f"no candidate; {chosen.kind} by {chosen.method} was taken instead"
    return "no candidate"


def known_nodes(nodes: Iterable[tuple[str, ...]], found: Iterable[FoundLink]) -> set[str]:
    """Every node that an event is about, or that a link names (a static key has no event of its own)."""
    linked = {node for link in found for node in (link.child, link.parent)}
    return linked | {node for names in nodes for node in names}
