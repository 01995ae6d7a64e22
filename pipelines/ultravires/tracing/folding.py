"""Long ways from credential to credential, told in fifteen nodes: the rest is one line that says how many they are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ultravires.tracing.chain_tree import Branch
from ultravires.tracing.nodes import Node

MOST_NODES = 15
_AT_EACH_END = 7
"""The middle one of fifteen is for the step that crossed, or whatever else has to be seen."""


@dataclass(frozen=True)
class Fold:
    """A stretch of hops that are not drawn, in the place of the first of them."""

    branch: Branch
    n_hops: int

    @property
    def words(self) -> str:
        return f"… {self.n_hops:,} more {'hop' if self.n_hops == 1 else 'hops'}"


def fold_ways(branches: Sequence[Branch], nodes: Mapping[str, Node], kept: Collection[str] = ()) -> list[Branch | Fold]:
    """The branches, with the middle of ways of more than fifteen credentials as folds; what is `kept` stays.

    What was done with a folded credential is folded with it.
    """
    folded = _folded_hops(branches, nodes) - set(kept)
    drawn: list[Branch | Fold] = []
    hidden: set[str] = set()
    first: Branch | None = None
    n_hops = 0
    for branch in branches:
        if branch.node_id in folded:
            first = first or branch
            n_hops += 1
            hidden.add(branch.node_id)
        elif _hangs_on(branch, nodes, hidden) and branch.node_id not in kept:
            hidden.add(branch.node_id)
        else:
            drawn += [Fold(first, n_hops)] if first else []
            first, n_hops = None, 0
            drawn.append(branch)
    return drawn + ([Fold(first, n_hops)] if first else [])


def _hangs_on(branch: Branch, nodes: Mapping[str, Node], hidden: Collection[str]) -> bool:
    return branch.parent_id in hidden and nodes[branch.node_id].kind != "credential"


def _folded_hops(branches: Sequence[Branch], nodes: Mapping[str, Node]) -> set[str]:
    """The credentials that are neither among the first nor the last seven of a long way."""
    before: dict[str, int] = {}
    above: dict[str, str] = {}
    for branch in branches:
        if nodes[branch.node_id].kind != "credential":
            continue
        parent = branch.parent_id if branch.parent_id in before else None
        before[branch.node_id] = before[parent] + 1 if parent else 1
        if parent:
            above[branch.node_id] = parent
    # Children stand behind their parents, so that from the end each is whole before its parent is asked.
    after = dict.fromkeys(before, 1)
    for node_id in reversed(before):
        if node_id in above:
            after[above[node_id]] = max(after[above[node_id]], after[node_id] + 1)
    return {
        node_id
        for node_id in before
        if before[node_id] + after[node_id] - 1 > MOST_NODES
        and before[node_id] > _AT_EACH_END
        and after[node_id] > _AT_EACH_END
    }
