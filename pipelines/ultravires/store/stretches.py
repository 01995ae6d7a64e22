"""A large table as stretches of whole days, each of which is published as one file: so a run writes the days that
changed, and a reader opens few files however long the history is.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ultravires.store.deltas import listed
from ultravires.store.warehouse import Warehouse

PART_ROWS = 10_000
"""From which on a stretch is full: the next day begins another one."""
NO_DAY = "none"
"""Where the rows without an hour are; sorts behind every day."""
_DAY = f"coalesce(date_trunc('day', event_hour)::date::varchar, '{NO_DAY}')"


class Content(NamedTuple):
    """How many rows, and the sum of their hashes."""

    n_rows: int
    hashes: int

    def plus(self, other: "Content") -> "Content":
        return Content(self.n_rows + other.n_rows, self.hashes + other.hashes)


class Stretch(NamedTuple):
    """From the day under which it stands until this one."""

    until: str
    content: Content


NOTHING = Content(0, 0)
Stretches = Mapping[str, Stretch]


def stretches_of(warehouse: Warehouse, table: str, rows: Content, known: Stretches) -> dict[str, Stretch]:
    """The stretches of a table with `rows` in it by their first days; those that are known stay as they begin.

    Where all that changed since they were known is known, too, nothing else is looked at.
    """
    if warehouse.deltas.is_known(table, warehouse.version(table)):
        columns = warehouse.deltas.columns(table)
        by_day = dict(_changed_days(warehouse, table, columns))
        before = rows.plus(_sum(Content(-each.n_rows, -each.hashes) for each in by_day.values()))
        if before == _sum(stretch.content for stretch in known.values()):
            return _placed(by_day, known)
    empty = {day: stretch._replace(content=NOTHING) for day, stretch in known.items()}
    return _placed(dict(_days(warehouse, table)), empty)


def where(day: str, stretch: Stretch) -> str:
    """The condition for rows of this stretch. It asks the hour as it stands: to make a day of each row costs more."""
    if day == NO_DAY:
        return "event_hour is null"
    return f"event_hour between '{day} 00:00:00+00' and '{stretch.until} 23:00:00+00'"


def _placed(by_day: Mapping[str, Content], known: Stretches) -> dict[str, Stretch]:
    """The known stretches with the content of these days added to that of the stretch in which each lies."""
    stretches = dict(known)
    for day, content in sorted(by_day.items()):
        begin = _begin_of(day, stretches)
        found = stretches.get(begin, Stretch(day, NOTHING))
        stretches[begin] = Stretch(max(day, found.until), found.content.plus(content))
    return {day: stretches[day] for day in sorted(stretches) if stretches[day].content.n_rows}


def _begin_of(day: str, stretches: Stretches) -> str:
    before = [begin for begin in stretches if begin <= day and begin != NO_DAY]
    begin = max(before, default=day)
    if day in (NO_DAY, begin):
        return day
    is_full = stretches[begin].content.n_rows >= PART_ROWS and day > stretches[begin].until
    return day if is_full else begin


def _days(warehouse: Warehouse, table: str) -> Iterator[tuple[str, Content]]:
    found = warehouse.con.execute(
        f'select {_DAY} as day, count(*), sum(hash(t)::hugeint)::varchar from "{table}" as t group by day'
    )
    return ((day, Content(n_rows, int(hashes))) for day, n_rows, hashes in found.fetchall())


def _changed_days(warehouse: Warehouse, table: str, columns: list[str]) -> Iterator[tuple[str, Content]]:
    def of(which: str, sign: int) -> str:
        rows = f'(select {listed(columns)} from "delta_{table}" where {which}) as t'
        return (
            f"select {_DAY} as day, {sign} * count(*) as n, {sign} * sum(hash(t)::hugeint) as h from {rows} group by 1"
        )

    both = f"{of('is_new', 1)} union all {of('not is_new', -1)}"
    found = warehouse.con.execute(f"select day, sum(n)::bigint, sum(h)::varchar from ({both}) group by day")
    return ((day, Content(n_rows, int(hashes))) for day, n_rows, hashes in found.fetchall())


def _sum(contents: Iterator[Content]) -> Content:
    total = NOTHING
    for each in contents:
        total = total.plus(each)
    return total
