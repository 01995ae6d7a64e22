"""Who is compared with whom: identities of one kind that share an owner, or at least half of what they do.

Nobody is compared with all others. Identities of one kind and owner that do the same are one group, with the sum of
what they did, and only groups are compared. Two sets with a Jaccard similarity of at least t share one of the first
|A| - ceil(t * |A|) + 1 actions of each, in whatever order all sets are written (the prefix filter of Chaudhuri, Ganti,
Kaushik, "A primitive operator for similarity joins", ICDE 2006; Bayardo, Ma, Srikant, "Scaling up all pairs similarity
search", WWW 2007). In an order that begins with what few do, few sets share one of those, and only those are compared.
The peers found are exactly those of a comparison of each with each.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

Actions = frozenset[str]


class Profile(NamedTuple):
    """What makes identities peers before they have done anything: their kind, and who owns them."""

    kind: str
    owner: str | None


class Peers(NamedTuple):
    """How many identities somebody is compared with, and what they did, summed."""

    n: int
    counts: Counter[str]


class Group:
    """Identities of one profile that know the same actions."""

    def __init__(self) -> None:
        self.n = 0
        self.counts: Counter[str] = Counter()


class PeerIndex:
    """Groups of identities by what they did, found by their owner or by their least usual actions."""

    def __init__(self, similar_from: float) -> None:
        self.similar_from = similar_from
        self._teams: dict[Profile, Group] = defaultdict(Group)
        self._groups: dict[tuple[str, Actions], dict[str | None, Group]] = {}
        self._by_prefix: dict[tuple[str, str], set[Actions]] = defaultdict(set)
        self._by_action: dict[tuple[str, str], set[Actions]] = defaultdict(set)
        self._ranks: dict[str, int] = {}

    def rank(self, uses: Mapping[str, int]) -> None:
        """Give new actions their place in the order, before all that were known: the most used of them last."""
        new = [action for action in uses if action not in self._ranks]
        for action in sorted(new, key=lambda action: (-uses[action], action)):
            self._ranks[action] = -len(self._ranks)

    def add(self, profile: Profile, own: Counter[str], actions: set[str]) -> None:
        """Somebody who did `own` before did `actions` on one more day."""
        if profile.owner is not None:
            self._teams[profile].n += not own
            self._teams[profile].counts.update(actions)
        if actions <= own.keys():
            self._groups[profile.kind, frozenset(own)][profile.owner].counts.update(actions)
        else:
            if own:
                self._leave(profile, own)
            self._join(profile, own + Counter(actions))

    def has_used(self, profile: Profile, own: Counter[str], action: str) -> bool:
        """Whether a peer of somebody who never used `action` did."""
        if profile.owner is not None and self._teams[profile].counts[action]:
            return True
        actions, users = frozenset(own), self._by_action.get((profile.kind, action), set())
        n_sharing = sum(len(self._by_prefix.get((profile.kind, first), ())) for first in self._prefix(actions))
        if len(users) <= n_sharing:
            return any(self._is_similar(actions, others) for others in users)
        return any(
            action in others and self._is_similar(actions, others) for others in self._sharing(profile.kind, actions)
        )

    def of(self, profile: Profile, own: Counter[str]) -> Peers:
        """All peers of an identity; `own` is what it did itself, and it is not among them."""
        n, counts = 0, Counter[str]()
        if profile.owner is not None:
            n, counts = self._teams[profile].n, self._teams[profile].counts.copy()
        actions = frozenset(own)
        for others in set(self._sharing(profile.kind, actions)):
            if self._is_similar(actions, others):
                for owner, group in self._groups[profile.kind, others].items():
                    if owner is None or owner != profile.owner:
                        n += group.n
                        counts.update(group.counts)
        return Peers(n - 1, counts - own) if own else Peers(n, counts)

    def _is_similar(self, actions: Actions, others: Actions) -> bool:
        n_common = len(actions & others)
        return n_common >= self.similar_from * (len(actions) + len(others) - n_common)

    def _sharing(self, kind: str, actions: Actions) -> Iterator[Actions]:
        """Sets of that kind that may be similar, some more than once."""
        for first in self._prefix(actions):
            yield from self._by_prefix.get((kind, first), ())

    def _prefix(self, actions: Actions) -> list[str]:
        """The first actions of a set in the order of all, so many that a similar set has to share one of them."""
        # a product that rounding lifts above a whole number must not take an action from the first
        n_shared = max(math.ceil(self.similar_from * len(actions) - 1e-9), 1)
        return sorted(actions, key=self._ranks.__getitem__)[: len(actions) - n_shared + 1]

    def _join(self, profile: Profile, counts: Counter[str]) -> None:
        actions = frozenset(counts)
        groups = self._groups.get((profile.kind, actions))
        if groups is None:
            groups = self._groups[profile.kind, actions] = {}
            for entry in self._entries(profile.kind, actions):
                entry.add(actions)
        group = groups.setdefault(profile.owner, Group())
        group.n += 1
        group.counts.update(counts)

    def _leave(self, profile: Profile, counts: Counter[str]) -> None:
        actions = frozenset(counts)
        groups = self._groups[profile.kind, actions]
        groups[profile.owner].n -= 1
        groups[profile.owner].counts.subtract(counts)
        if not groups[profile.owner].n:
            del groups[profile.owner]
        if not groups:
            del self._groups[profile.kind, actions]
            for entry in self._entries(profile.kind, actions):
                entry.discard(actions)

    def _entries(self, kind: str, actions: Iterable[str]) -> Iterator[set[Actions]]:
        """Where a set is found: under its first actions, and under each of its actions."""
        known = frozenset(actions)
        yield from (self._by_prefix[kind, first] for first in self._prefix(known))
        yield from (self._by_action[kind, action] for action in known)
