"""A log read by the column and by the record: both must give the same rows, counts and refusals."""

from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from source_samples import OPTIONS
from ultravires.reading import by_column, native
from ultravires.reading.files import read
from ultravires.reading.source import Options, Source


class Reading(NamedTuple):
    """All that came of a file."""

    rows: list[dict[str, Any]]
    n_records: int
    n_ignored: int
    quarantined: list[Any]


def reading(file: Path, source: Source, options: Options = OPTIONS) -> Reading:
    batches = list(read(file, source, options))
    rows = [row for batch in batches for row in batch.events.to_pylist()]
    return Reading(
        sorted(rows, key=lambda row: row["record_no"]),
        sum(batch.n_records for batch in batches),
        sum(batch.n_ignored for batch in batches),
        sorted((q.record_no, q.byte_offset, q.reason, q.raw) for batch in batches for q in batch.quarantined),
    )


def same_both_ways(data: bytes, source: Source, folder: Path, most_left: float = 1.0) -> Reading:
    """Holds what is read by the column against what `events` says, all columns, counts and quarantine."""
    file = folder / "both.log"
    file.write_bytes(data)
    with patch.object(by_column, "_MOST_LEFT", most_left):
        by_the_column = reading(file, source)
    with patch.object(native, "is_available", lambda: False):
        one_by_one = reading(file, source)
    assert by_the_column == one_by_one
    return one_by_one
