"""Where the steps of an identity's drift over time stand in its picture; plain numbers and paths, no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ultravires.report.time_scale import TimeScale
from ultravires.tracing.rows import Row

WIDTH, LEFT, RIGHT = 1080.0, 70.0, 1050.0
MARKS_AT, COUNTS_TOP, COUNTS_BOTTOM, WEIGHT_TOP, WEIGHT_BOTTOM = 14.0, 30.0, 110.0, 132.0, 192.0
HEIGHT = 212.0
_N_TICKS = 6
_MARK_DISTANCE = 17.0
LAYERS = (("approved", "n_approved"), ("granted", "n_granted"), ("used", "n_ever_used"))


@dataclass(frozen=True)
class MarkOfCause:
    """Where drift begins, its number in the table, and in `words` who did what; those that would overlap are one."""

    x: float
    label: str
    words: list[str]


@dataclass(frozen=True)
class DriftChart:
    """Two pictures over one time: how many rights of each layer, and below it what the open drift weighs."""

    lines: list[tuple[str, str]]
    """(layer, path)"""
    area: str
    most_rights: int
    most_weight: int
    marks: list[MarkOfCause]
    ticks: list[tuple[float, str]]
    words: str
    """The same in one sentence, for who does not see it."""


def draw_drift(daily: Sequence[Row], drift: Sequence[Row], as_of: datetime) -> DriftChart:
    """The picture of the rows of `drift_daily` of one identity, oldest first, up to `as_of`; each number holds until
    the next row. `drift` are its drift rows in the order in which they are listed.
    """
    first, last = daily[0]["day"], max(daily[-1]["day"], as_of.date())
    scale = _linear(_midnight(first), _midnight(last + timedelta(days=1)))
    most_rights = max(row[column] or 0 for row in daily for _, column in LAYERS)
    most_weight = max(row["weight"] or 0 for row in daily)
    weights = _steps(daily, "weight", scale, most_weight, (WEIGHT_TOP, WEIGHT_BOTTOM))
    return DriftChart(
        lines=[
            (layer, _steps(daily, column, scale, most_rights, (COUNTS_TOP, COUNTS_BOTTOM))) for layer, column in LAYERS
        ],
        area=f"{weights} V{WEIGHT_BOTTOM:.1f} H{scale.place(_midnight(first)):.1f} Z",
        most_rights=most_rights,
        most_weight=most_weight,
        marks=_marks(drift, scale),
        ticks=_ticks(first, last, scale),
        words=f"From {first} to {last}: {_range(daily, 'n_approved')} approved, {_range(daily, 'n_granted')} granted, "
        f"{_range(daily, 'n_ever_used')} used so far, weight of drift {_range(daily, 'weight')}",
    )


def _steps(daily: Sequence[Row], column: str, scale: TimeScale, most: int, between: tuple[float, float]) -> str:
    """A line that goes right to the next row and then up or down; rows that change nothing add no point."""
    top, bottom = between
    parts, before = [], None
    for row in daily:
        value = row[column] or 0
        if value == before:
            continue
        x, y = scale.place(_midnight(row["day"])), bottom - (bottom - top) * value / (most or 1)
        parts.append(f"M{x:.1f} {y:.1f}" if before is None else f"H{x:.1f} V{y:.1f}")
        before = value
    return " ".join([*parts, f"H{scale.places[-1]:.1f}"])


def _marks(drift: Sequence[Row], scale: TimeScale) -> list[MarkOfCause]:
    begun = sorted((row["first_at"], nth, row) for nth, row in enumerate(drift, start=1) if _is_marked(row))
    marks: list[MarkOfCause] = []
    for first_at, nth, row in begun:
        x = scale.place(first_at)
        words = f"{nth}. {first_at:%Y-%m-%d}, {row['cause_actor_uid'] or 'unknown'}: {row['sentence'] or ''}"
        if marks and x - marks[-1].x < _MARK_DISTANCE:
            marks[-1] = MarkOfCause(marks[-1].x, f"{marks[-1].label.rstrip('+')}+", [*marks[-1].words, words])
        else:
            marks.append(MarkOfCause(x, str(nth), [words]))
    return marks


def _is_marked(row: Row) -> bool:
    """What is not used begins with nobody's doing."""
    return bool(row["is_beyond"] and row["first_at"])


def _ticks(first: date, last: date, scale: TimeScale) -> list[tuple[float, str]]:
    n_days = (last - first).days
    days = sorted({first + timedelta(days=round(n_days * nth / (_N_TICKS - 1))) for nth in range(_N_TICKS)})
    return [(scale.place(_midnight(day)), f"{day:%d %b %Y}") for day in days]


def _range(daily: Sequence[Row], column: str) -> str:
    first, last = daily[0][column] or 0, daily[-1][column] or 0
    return f"{last:,}" if first == last else f"{first:,} to {last:,}"


def _linear(first: datetime, last: datetime) -> TimeScale:
    return TimeScale((first, last), (LEFT, RIGHT))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
