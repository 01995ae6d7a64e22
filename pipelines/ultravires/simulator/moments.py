"""Time in the world: whole milliseconds since 1970, UTC, from a given first day; no clock is ever read."""

from datetime import UTC, date, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
DAYS = 10
FIRST_DAY = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp()) * SECOND


def first_moment(day: date) -> int:
    """The first millisecond of a day in UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at / SECOND, tz=UTC)


def to_seconds(at: int) -> str:
    """`2026-10-05T08:00:00Z`, as CloudTrail and the approvals write times."""
    return _utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_nanoseconds(at: int, rest: int = 0) -> str:
    """Nanoseconds since 1970 as a string, as OTLP JSON writes them; `rest` is below one millisecond."""
    return str(at * 1_000_000 + rest)


def to_fraction(at: int, rest: int = 0) -> str:
    """RFC 3339 with nanoseconds, as OPA writes times."""
    return f"{_utc(at):%Y-%m-%dT%H:%M:%S}.{at % SECOND:03d}{rest:06d}Z"


def to_micros(at: int) -> str:
    """RFC 3339 with microseconds, as Kubernetes and others write times."""
    return f"{_utc(at):%Y-%m-%dT%H:%M:%S}.{at % SECOND:03d}000Z"


def to_words(at: int) -> str:
    """`Oct 5, 2026, 9:31:21 PM`, as CloudTrail writes the expiration of a session."""
    utc = _utc(at)
    return f"{utc:%b} {utc.day}, {utc.year}, {utc.hour % 12 or 12}:{utc:%M:%S %p}"


def to_database(at: int) -> str:
    """`2026-10-05 08:00:00`, as ServiceNow's database holds times, in UTC."""
    return _utc(at).strftime("%Y-%m-%d %H:%M:%S")


def to_day(at: int) -> str:
    return _utc(at).strftime("%Y-%m-%d")


def to_folder(at: int) -> str:
    """`2026/10/05`, the folders of a trail's bucket."""
    return _utc(at).strftime("%Y/%m/%d")


def to_stamp(at: int) -> str:
    """`20261005T0800Z`, the time in the name of a trail's file."""
    return _utc(at).strftime("%Y%m%dT%H%MZ")
