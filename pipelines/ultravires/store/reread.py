"""Records that were kept, read again with the present readers: what quarantine and outdated events share.

A record keeps its place (file and record number) whatever becomes of it, so the manifest can follow it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.events import Frame
from ultravires.reading.files import Quarantined, batches
from ultravires.reading.options import Options
from ultravires.reading.origins import ANYWHERE, FileOrigin
from ultravires.reading.source import Source

REDACTED = "redacted:"


class RecordPlace(NamedTuple):
    """Where a record stands for good."""

    file_id: str
    record_no: int


@dataclass(frozen=True)
class ReadAgain:
    """What became of some records: `events` in SOURCE_COLUMNS and `file_id`, each with its record's own number."""

    events: pa.Table
    evented: set[RecordPlace]
    refused: list[tuple[RecordPlace, Quarantined]]
    ignored: list[RecordPlace]


def read_again(
    records: Iterable[tuple[RecordPlace, Frame]], source: Source, options: Options, origin: FileOrigin = ANYWHERE
) -> Iterator[ReadAgain]:
    """Batches of the records in their order; each record is asked for when the ones before it are through. `origin` is
    what is bound in the file of all of them.
    """
    places: list[RecordPlace] = []
    n_done = 0
    for batch in batches(_noting(records, places), source, options, origin):
        of_batch = places[n_done : n_done + batch.n_records]
        n_done += batch.n_records
        evented = [places[number - 1] for number in batch.events["record_no"].to_pylist()]
        refused = [(places[record.record_no - 1], record) for record in batch.quarantined]
        gone = {*evented, *(place for place, _ in refused)}
        yield ReadAgain(
            _placed(batch.events, evented), set(evented), refused, [place for place in of_batch if place not in gone]
        )


def holds_redactions(events: pa.Table) -> pa.ChunkedArray:
    """For each event whether its record was redacted: a hash of its arguments is then none of what they were."""
    return pc.match_substring(events["raw"], REDACTED)


def _noting(records: Iterable[tuple[RecordPlace, Frame]], places: list[RecordPlace]) -> Iterator[Frame]:
    for place, frame in records:
        places.append(place)
        yield frame


def _placed(events: pa.RecordBatch, places: list[RecordPlace]) -> pa.Table:
    table = pa.Table.from_batches([events])
    numbers = pa.array([place.record_no for place in places], pa.int64())
    table = table.set_column(table.schema.get_field_index("record_no"), "record_no", numbers)
    return table.append_column("file_id", pa.array([place.file_id for place in places], pa.string()))
