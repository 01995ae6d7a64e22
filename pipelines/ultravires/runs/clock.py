"""The time as of which a run judges: what the logs reach, as far as the machine's clock and the logs bear it out.

Only recorded logs move it, for their subjects cannot write to them; where none was read, all do. A record dated later
than the machine's clock by more than the tolerance is from the future: it is kept, and moves no time. Where most of
these logs speak from the future, it is not they who are wrong but the clock; the logs are then their own clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from ultravires.store.queries import fetch_row


@dataclass(frozen=True)
class JudgedTime:
    """`future_from` is the oldest record from the future; `clock` is the machine's, or what the logs reach where it is
    behind them; `clock_doubt` says where clock and logs do not agree.
    """

    as_of: datetime | None
    future_from: datetime | None
    clock: datetime
    clock_doubt: str | None


@dataclass(frozen=True)
class _Reach:
    """How far a log reaches; `known_until` is up to its newest record that is not from the future."""

    is_recorded: bool
    is_ahead: bool
    newest_at: datetime
    known_until: datetime | None


# What came last of a log says how its clock and the machine's stand now. Half of it decides, so that a few broken
# records of a good log prove nothing against the machine.
_REACHES = """
with loads as (
    select
        log,
        ingested_at,
        2 * count(*) filter (where event_at > $latest) > count(*) as is_ahead,
        max(event_at) as newest_at,
        max(event_at) filter (where event_at <= $latest) as known_until
    from events
    group by log, ingested_at
),

voices as (select log, max(voice) as voice from source_expectations group by log)

select
    coalesce(max(voices.voice) = 'recorded', false),
    max_by(loads.is_ahead, loads.ingested_at),
    max(loads.newest_at),
    max(loads.known_until)
from loads
left join voices on voices.log = loads.log
group by loads.log
"""


def now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def judged_time(
    con: duckdb.DuckDBPyConnection, *, clock: datetime, tolerance: timedelta, said: datetime | None
) -> JudgedTime:
    """The time of a run where the machine's clock says `clock`; `said` is the time that the user asked for, if any."""
    latest = clock + tolerance
    rows = con.execute(_REACHES, {"latest": latest}).fetchall()
    reaches = [_Reach(*row) for row in rows]
    speaking = [reach for reach in reaches if reach.is_recorded] or reaches
    if not speaking:
        return JudgedTime(said, None, clock, None)
    is_behind = 2 * sum(reach.is_ahead for reach in speaking) > len(speaking)
    if is_behind:
        reached = max(reach.newest_at for reach in speaking)
        latest = reached + tolerance
    else:
        reached = max(reach.known_until for reach in speaking if reach.known_until is not None)
    if said is not None:
        latest = max(latest, said)
    return JudgedTime(
        as_of=said or reached,
        future_from=_oldest_after(con, latest),
        clock=max(clock, reached) if is_behind else clock,
        clock_doubt=_behind(clock, reached) if is_behind else _ahead(con, clock, reached),
    )


def _oldest_after(con: duckdb.DuckDBPyConnection, latest: datetime) -> datetime | None:
    row = fetch_row(con, "select min(event_at) from events where event_at > ?", [latest])
    return row[0] if row else None


def _behind(clock: datetime, reached: datetime) -> str:
    return (
        f"this machine's clock says {_minute(clock)}, but the logs reach {_minute(reached)}: the clock is behind; "
        "judged by the logs"
    )


def _ahead(con: duckdb.DuckDBPyConnection, clock: datetime, reached: datetime) -> str | None:
    """Old logs and a clock that is ahead look alike, so both are said; from then on that every log would be silent."""
    row = fetch_row(con, "select max(max_silence) from source_expectations")
    if row is None or row[0] is None or clock - reached <= row[0]:
        return None
    return (
        f"the logs reach {_minute(reached)}, {(clock - reached).days:,} days before this machine's clock "
        f"({_minute(clock)}): they are old, or the clock is ahead; judged by the logs"
    )


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
