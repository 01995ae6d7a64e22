"""One reader of times for all sources: a time is the same moment in whatever unit or form it comes, and a moment in
which nothing can have been logged makes no event.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from source_samples import as_lines, quarantined, replaced_at, rows, sample_records, values_in
from ultravires import registry
from ultravires.reading.values import is_possible, iso, micros

each_source = pytest.mark.parametrize("name", sorted(registry.sources()))
A_SECOND = 1_000_000
OTHER_FORMS = {
    "servicenow_approvals": "a time with slashes or names is in a user's own format and zone",
}
"""Sources that take only ISO 8601 and numbers, each with the reason."""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-10-05T07:05:40.269Z", "07:05:40.269000"),
        ("2026-10-05T09:05:40.1234567+02:00", "07:05:40.123456"),
        ("2026-10-05T07:05:40.123456789Z", "07:05:40.123456"),
        ("2026-10-05T07:05Z", "07:05:00.000000"),
        ("20261005T070500Z", "07:05:00.000000"),
        ("2026-10-05 07:05:00,123", "07:05:00.123000"),
        ("2026-10-05 07:05:00.5 UTC", "07:05:00.500000"),
        ("2026-10-05 09:05:00.123456789 +0200 CEST", "07:05:00.123456"),
        ("2026-10-05 09:05:00 +0200 +0200", "07:05:00.000000"),
        ("2026-10-05 07:05:00 CEST", None),
        ("2026-10-05 07:05:00.123456789 +0000 UTC m=+0.01", "07:05:00.123456"),
        ("2026/10/05 07:05:00", "07:05:00.000000"),
        ("10/5/2026 7:04:00 AM +00:00", "07:04:00.000000"),
        ("10/5/2026 12:04:00 AM", "00:04:00.000000"),
        ("10/05/2026 07:05:00", "07:05:00.000000"),
        ("10/5/2026, 12:04:00.25\u202fPM", "12:04:00.250000"),
        ("13/10/2026 07:05:00", None),
        ("Mon, 05 Oct 2026 07:05:00 GMT", "07:05:00.000000"),
        ("5 Oct 2026 00:05:00 -0700", "07:05:00.000000"),
        ("Mon Oct  5 07:05:00 UTC 2026", "07:05:00.000000"),
        ("05/Oct/2026:09:05:00 +0200", "07:05:00.000000"),
        ("Oct 5, 2026, 7:05:21 AM", "07:05:21.000000"),
        ("Oct 5, 2026 @ 07:05:00.007", "07:05:00.007000"),
        ("October 5, 2026 at 7:05:00 AM UTC", "07:05:00.000000"),
        ("1791183900", "07:05:00.000000"),
        ("1791183900.123456789", "07:05:00.123456"),
        ("1.7911839E9", "07:05:00.000000"),
        (1791183900, "07:05:00.000000"),
        (1791183900.25, "07:05:00.250000"),
        (1791183900123, "07:05:00.123000"),
        (1791183900123456, "07:05:00.123456"),
        ("1791183900123456789", "07:05:00.123456"),
        ("/Date(1791183900000)/", "07:05:00.000000"),
        ("/Date(1791183900123+0200)/", "07:05:00.123000"),
        ("/Date()/", None),
        ("Mon, 5 Oct 2026 07:05:00 +0000 (UTC)", "07:05:00.000000"),
        ("Mon Oct 05 2026 09:05:00 GMT+0200 (Central European Summer Time)", "07:05:00.000000"),
        (True, None),
        ("soon", None),
        ("", None),
        ("1" * 100_000, None),
        ("1/" * 100_000, None),
    ],
)
def test_the_forms_in_which_vendors_write_a_time(written: Any, expected: str | None) -> None:
    """What is no time is none; a date whose month could be its day is read as Azure writes it, month first."""
    found = micros(written)
    assert (found and iso(found)) == (expected and f"2026-10-05T{expected}Z")


def test_a_leap_second_is_the_second_after() -> None:
    """A record of that second must not be lost."""
    assert iso(micros("2016-12-31T23:59:60Z") or 0) == "2017-01-01T00:00:00.000000Z"


def other_ways(moment: int, *, only_iso: bool) -> Iterator[Any]:
    """The same moment, as other pipelines would write it."""
    yield from (moment * 1_000, str(moment * 1_000), moment)
    yield f"{iso(moment)[:-1]}123+00:00"
    if moment % 1_000 == 0:
        yield from (moment // 1_000, str(moment // 1_000))
    if moment % A_SECOND:
        return
    yield from (moment // A_SECOND, float(moment // A_SECOND), str(moment // A_SECOND))
    there = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
    yield f"{there + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}+0200"
    if not only_iso:
        yield f"{there:%m/%d/%Y %I:%M:%S %p} +00:00"
        yield f"{there:%a, %d %b %Y %H:%M:%S GMT}"


def times_in(record: dict[str, Any]) -> list[tuple[tuple[Any, ...], int]]:
    """Where a record holds what may be a time, and which."""
    found = []
    for path, value in values_in(record):
        moment = micros(value)
        if moment is not None and is_possible(moment):
            found.append((path, moment))
    return found


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.stress)])
@each_source
def test_a_time_is_the_same_moment_in_every_unit_and_form(name: str, every: int, tmp_path: Path) -> None:
    """Of each value of the sample that may be a time in turn: no event is lost, and none is of another time. Each is
    written in every third of the ways in `make test`, the next value in the next ones.
    """

    def read(record: dict[str, Any]) -> list[tuple[Any, ...]]:
        found = rows(name, as_lines([record]), tmp_path)
        return [(row["event_at"], row["issued_expires_at"], row["action"]) for row in found]

    n_times = 0
    for record in sample_records(name):
        expected = read(record)
        for path, moment in times_in(record):
            n_times += 1
            for other in islice(other_ways(moment, only_iso=name in OTHER_FORMS), n_times % every, None, every):
                assert read(replaced_at(record, path, other)) == expected, (path, other)
    assert n_times >= 3


@pytest.mark.cross
@each_source
@pytest.mark.parametrize("impossible", ["1999-10-05T07:05:00Z", "0001-01-01T00:00:00Z", 5_000, 20_000_000_000])
def test_a_time_in_which_nothing_was_logged_is_quarantine(name: str, impossible: Any, tmp_path: Path) -> None:
    """Never an event of 1970, which no window, no rule and no report would find."""
    for record in sample_records(name):
        if not rows(name, as_lines([record]), tmp_path):
            continue
        changed = record
        for path, _ in times_in(record):
            changed = replaced_at(changed, path, impossible)
        assert rows(name, as_lines([changed]), tmp_path) == []
        reasons = {row.reason for row in quarantined(name, as_lines([changed]), tmp_path)}
        assert reasons == {"impossible time"} or (reasons == {"no time"} and impossible == "0001-01-01T00:00:00Z")


def test_a_time_later_than_now_is_kept(tmp_path: Path) -> None:
    """A clock that runs ahead costs no event."""
    (record, *_) = sample_records("approvals")
    later = {key: "2099-01-01T00:00:00Z" if key.endswith("_at") else value for key, value in record.items()}
    assert [row["event_at"].year for row in rows("approvals", as_lines([later]), tmp_path)] == [2099]
