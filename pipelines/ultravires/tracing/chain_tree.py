"""The order in which a chain is read: every node once, under one parent, earlier ones first."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Placed(Protocol):
    """What the tree needs of a node."""

    @property
    def node_id(self) -> str: ...
    @property
    def corrected_at(self) -> datetime | None: ...
    @property
    def parent_id(self) -> str | None: ...


class Joined(Protocol):
    """What the tree needs of a link."""

    @property
    def child_id(self) -> str: ...
    @property
    def parent_id(self) -> str: ...


@dataclass(frozen=True)
class Branch:
    """A node's place: how deep, under which node, and for each level whether more follow below it there."""

    node_id: str
    parent_id: str | None
    rails: tuple[bool, ...]


def tree_parents(nodes: Mapping[str, Placed], links: Iterable[Joined]) -> dict[str, str]:
    """Node -> the one parent it is drawn under: that of the spine its root was found on, else a shown one."""
    parents: dict[str, list[str]] = defaultdict(list)
    for link in links:
        parents[link.child_id].append(link.parent_id)
    chosen: dict[str, str] = {}
    for node_id, node in nodes.items():
        shown = [parent for parent in parents[node_id] if parent in nodes]
        if shown:
            chosen[node_id] = node.parent_id if node.parent_id in shown else shown[0]
    return chosen


def branches(nodes: Mapping[str, Placed], links: Iterable[Joined]) -> list[Branch]:
    """Every node in reading order, parents before children; nodes in a circle start at their least id."""
    parent_of = tree_parents(nodes, links)
    children: dict[str, list[str]] = defaultdict(list)
    for child, parent in parent_of.items():
        children[parent].append(child)

    def by_time(ids: Iterable[str]) -> list[str]:
        return sorted(ids, key=lambda node_id: (nodes[node_id].corrected_at or _BEGINNING, node_id))

    tops = by_time(node_id for node_id in nodes if node_id not in parent_of)
    walked: list[Branch] = []
    seen: set[str] = set()
    for start in [*tops, *sorted(parent_of)]:
        # Whatever no top leads to hangs on a circle; it is reached from the least id of the rest.
        stack = [] if start in seen else [Branch(start, None, ())]
        while stack:
            branch = stack.pop()
            if branch.node_id in seen:
                continue
            seen.add(branch.node_id)
            walked.append(branch)
            below = [child for child in by_time(children[branch.node_id]) if child not in seen]
            stack.extend(
                Branch(child, branch.node_id, (*branch.rails, child != below[-1])) for child in reversed(below)
            )
    return walked
