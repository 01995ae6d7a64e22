"""Small files of one log read into common batches: a batch has a price of its own, however little is in it.

Their records are numbered through while they are gathered; at the end each row gets its file and its number in it back.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ultravires.reading.files import frames_of
from ultravires.reading.input_file import InputFile
from ultravires.reading.mixing import row_builder
from ultravires.reading.rows import Quarantined
from ultravires.reading.source import Options, Source

MOST_BYTES = 16 << 20
MOST_RECORDS = 20_000
"""Of one batch, after which it should be finished."""

Numbers = npt.NDArray[np.int64]


class SmallFiles:
    """Gathers files of one source. `events` of `finish` are SOURCE_COLUMNS and file_id."""

    def __init__(self, source: Source, options: Options) -> None:
        self.source = source
        self.options = options
        self.files: list[InputFile] = []
        self._builder = row_builder(source, options)
        self._next = 1

    @property
    def n_bytes(self) -> int:
        return self._builder.rows.n_raw_bytes

    @property
    def is_full(self) -> bool:
        return self.n_bytes >= MOST_BYTES or self._next > MOST_RECORDS

    def add(self, file: InputFile, data: bytes, damage: str | None) -> None:
        """Read one more file: all its bytes, and why there are no more where it is damaged."""
        self.files.append(file)
        self._builder.file_starts.append(self._next)
        for frame in frames_of(data, damage, self.source, self.options):
            self._builder.add(self._next, frame)
            self._next += 1
        file.records = self._next - self._builder.file_starts[-1]

    def finish(self) -> tuple[pa.RecordBatch, list[tuple[InputFile, Quarantined]]]:
        """The rows of all files and the records of each that were refused; the files' counts are complete then."""
        batch = self._builder.batch()
        starts = np.array(self._builder.file_starts, np.int64)
        numbers: Numbers = batch.events["record_no"].to_numpy()
        places = _places(starts, numbers)
        refused = list(self._refused(starts, batch.quarantined))
        for file, _ in refused:
            file.quarantined += 1
        n_emitted = np.bincount(places, minlength=len(self.files))
        n_kept = np.bincount(_places(starts, np.unique(numbers)), minlength=len(self.files))
        for file, emitted, kept in zip(self.files, n_emitted.tolist(), n_kept.tolist(), strict=True):
            file.emitted = emitted
            file.ignored = file.records - file.quarantined - kept
        return self._with_files(batch.events, places, numbers - starts[places] + 1), refused

    def _refused(self, starts: Numbers, quarantined: list[Quarantined]) -> Iterator[tuple[InputFile, Quarantined]]:
        numbers = np.array([record.record_no for record in quarantined], np.int64)
        for record, place in zip(quarantined, _places(starts, numbers).tolist(), strict=True):
            yield self.files[place], replace(record, record_no=record.record_no - int(starts[place]) + 1)

    def _with_files(self, events: pa.RecordBatch, places: Numbers, numbers: Numbers) -> pa.RecordBatch:
        ids = pa.array([file.file_id for file in self.files], pa.string()).take(pa.array(places))
        at = events.schema.get_field_index("record_no")
        return events.set_column(at, events.schema.field(at), pa.array(numbers)).append_column("file_id", ids)


def _places(starts: Numbers, numbers: Numbers) -> Numbers:
    """Of each number the place of the file that it is in; an empty file begins where the next one does."""
    return np.searchsorted(starts, numbers, side="right") - 1
