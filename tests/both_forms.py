"""A log read as it is written, and with every record decoded to a dictionary: both must give the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
from source_samples import OPTIONS
from ultravires.reading import plain_records
from ultravires.reading.files import read
from ultravires.reading.options import Options
from ultravires.reading.rows import Quarantined
from ultravires.reading.source import Source


class Reading(NamedTuple):
    """All that came of a file."""

    rows: list[dict[str, Any]]
    n_records: int
    n_ignored: int
    quarantined: list[Quarantined]


def reading(file: Path, source: Source, options: Options = OPTIONS) -> Reading:
    """What a file holds; each of its batches is valid Arrow, so no text in it is anything but UTF-8."""
    batches = list(read(file, source, options))
    for batch in batches:
        batch.events.validate(full=True)
    return Reading(
        [row for batch in batches for row in batch.events.to_pylist()],
        sum(batch.n_records for batch in batches),
        sum(batch.n_ignored for batch in batches),
        [refused for batch in batches for refused in batch.quarantined],
    )


@contextmanager
def all_as_dictionaries() -> Iterator[None]:
    """No record counts as written plainly, since none is what it would be written back as."""
    with patch.object(plain_records, "_encode", lambda _: b""):
        yield


def same_in_both_forms(data: bytes, source: Source, folder: Path, options: Options = OPTIONS) -> Reading:
    """Holds what is read of these bytes against the reading by dictionaries: all columns, counts and quarantine."""
    file = folder / "both.log"
    file.write_bytes(data)
    return same_file_in_both_forms(file, source, options)


def same_file_in_both_forms(file: Path, source: Source, options: Options = OPTIONS) -> Reading:
    as_written = reading(file, source, options)
    with all_as_dictionaries():
        by_dictionaries = reading(file, source, options)
    assert as_written == by_dictionaries
    return as_written


def n_plain(data: bytes, source: Source, options: Options = OPTIONS) -> int:
    """How many records of these bytes are taken as they are written."""
    return sum(type(frame.value) is source.record for frame in source.records(iter([data]), options))


def plainly_written(record: dict[str, Any], source: Source) -> bytes:
    """A record without blanks, its members in the order of the source's fields, others behind them."""
    fields = msgspec.structs.fields(source.record) if source.record else ()
    places = {field.encode_name: place for place, field in enumerate(fields)}
    return msgspec.json.encode(dict(sorted(record.items(), key=lambda member: places.get(member[0], len(places)))))


def decoded_records(data: bytes, source: Source) -> list[dict[str, Any]]:
    """The records of these bytes as dictionaries."""
    with all_as_dictionaries():
        return [frame.value for frame in source.records(iter([data]), OPTIONS) if frame.reason is None]
