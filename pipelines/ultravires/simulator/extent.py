"""How large a world is, when it plays, and whether anything goes wrong in it."""

from dataclasses import dataclass
from datetime import date

from ultravires.errors import UsageError
from ultravires.simulator.moments import DAY, DAYS, FIRST_DAY, first_moment

# A routine day of one identity leaves about so many records; only the length of the trail's files depends on it.
_EVENTS_A_DAY = 12
_STANDING = 90 * DAY


@dataclass(frozen=True)
class Extent:
    """n_events: about how many records to fill it up to, if any. n_identities: the size of the company, if given.

    is_whole: the whole company with every situation, and not the small one.
    """

    first_day: int
    n_days: int
    n_events: int | None = None
    n_identities: int | None = None
    is_whole: bool = False
    is_clean: bool = False

    def starts(self, number: int) -> int:
        """The first moment of day `number`; the days count from 0."""
        return self.first_day + number * DAY

    def standing_until(self, approved_at: int) -> int:
        """Until when an approval stands that is given for ninety days: a longer world would see it renewed."""
        return max(approved_at + _STANDING, self.starts(self.n_days + 1))

    def expected_events(self) -> int:
        return self.n_events or _EVENTS_A_DAY * self.n_days * (self.n_identities or 1)


def extent_of(
    *, events: int | None, identities: int | None, days: int | None, start: date | None, is_clean: bool
) -> Extent:
    """The extent that was asked for; UsageError where it is none. Without identities and days: the small company."""
    for name, asked, least in (("events", events, 1), ("identities", identities, 1), ("days", days, DAYS)):
        if asked is not None and asked < least:
            raise UsageError(f"--{name} is {asked}; it must be at least {least}")
    return Extent(
        first_day=FIRST_DAY if start is None else first_moment(start),
        n_days=days or DAYS,
        n_events=events,
        n_identities=identities,
        is_whole=identities is not None or days is not None,
        is_clean=is_clean,
    )
