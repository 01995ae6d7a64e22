"""True, false, and not known: the strong logic of Kleene, in which a part that is not known only matters where the rest
leaves the whole open.
"""

from collections.abc import Iterable

Truth = bool | None
"""None is not known."""


def all_of(parts: Iterable[Truth]) -> Truth:
    """Whether every part holds. One that does not decides, whatever is not known of the others."""
    known = True
    for part in parts:
        if part is False:
            return False
        known = known and part is not None
    return True if known else None


def any_of(parts: Iterable[Truth]) -> Truth:
    """Whether some part holds. One that does decides, whatever is not known of the others."""
    known = True
    for part in parts:
        if part is True:
            return True
        known = known and part is not None
    return False if known else None


def negate(part: Truth) -> Truth:
    """Whether it does not hold."""
    return None if part is None else not part
