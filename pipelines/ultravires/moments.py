"""Times as people write them on the command line."""

from datetime import UTC, date, datetime, time

from ultravires.errors import UsageError


def parse_moment(text: str, option: str) -> datetime:
    """`2026-10-01`, its begin in UTC, or a whole ISO 8601 time. UsageError, which names the option, for all else."""
    try:
        moment = datetime.combine(date.fromisoformat(text), time(0), UTC)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise UsageError(f"{option} {text}: not a date, such as 2026-10-01, and no ISO 8601 time") from error
    if moment.tzinfo is None:
        raise UsageError(f"{option} {text}: say the time zone, such as {text}Z")
    return moment
