"""Small files of one log read into common batches: a batch has a price of its own, however little is in it.

Their records are numbered through while they are read; at the end each row gets its file and its number in it back.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ultravires.reading.framing import frames_of
from ultravires.reading.growing import packed_counts
from ultravires.reading.input_file import InputFile, dated_by
from ultravires.reading.mixing import row_builder
from ultravires.reading.options import Options
from ultravires.reading.origins import ANYWHERE, FileOrigin
from ultravires.reading.rows import Quarantined
from ultravires.reading.source import Source

MOST_BYTES = 16 << 20
"""Of one batch, after which it should be finished."""

Numbers = npt.NDArray[np.int64]


class SmallFiles:
    """Gathers files of one source in which the same is bound. The events of `finish` are SOURCE_COLUMNS and file_id."""

    def __init__(self, source: Source, options: Options, origin: FileOrigin = ANYWHERE) -> None:
        self.source = source
        self.options = options
        self.origin = origin
        self.files: list[InputFile] = []
        self.n_bytes = 0
        self._contents: list[tuple[bytes, str | None]] = []

    @property
    def is_full(self) -> bool:
        return self.n_bytes >= MOST_BYTES

    def add(self, file: InputFile, data: bytes, damage: str | None) -> None:
        """One more file: all its bytes, and why there are no more where it is damaged."""
        self.files.append(file)
        self.n_bytes += len(data)
        self._contents.append((data, damage))

    def finish(self) -> tuple[pa.RecordBatch, list[tuple[InputFile, Quarantined]]]:
        """The rows of all files and the records of each that were refused; the files' counts are complete then."""
        starts, events, quarantined, ignored = self._read()
        numbers = events["record_no"].to_numpy()
        for file, n_records in zip(self.files, np.diff(starts).tolist(), strict=True):
            file.records = n_records
        starts = starts[:-1]
        refused = list(self._refused(starts, quarantined))
        for file, _ in refused:
            file.quarantined += 1
        n_emitted = np.bincount(_places(starts, numbers), minlength=len(self.files))
        n_kept = np.bincount(_places(starts, np.unique(numbers)), minlength=len(self.files))
        for file, emitted, kept in zip(self.files, n_emitted.tolist(), n_kept.tolist(), strict=True):
            file.emitted = emitted
            file.ignored = file.records - file.quarantined - kept
        places = _places(starts, np.array([number for number, _ in ignored], np.int64)).tolist()
        for place, (_, reason) in zip(places, ignored, strict=True):
            self.files[place].ignored_as[reason] += 1
        return self._with_files(events, starts), refused

    def _read(self) -> tuple[Numbers, pa.RecordBatch, list[Quarantined], list[tuple[int, str]]]:
        """With which record each file begins and the next one would, the events, and what was refused or ignored."""
        builder, starts = row_builder(self.source, self.options, self.origin), [1]
        for file, (data, damage) in zip(self.files, self._contents, strict=True):
            number = starts[-1]
            end = file.lines.n_bytes if file.lines is not None else len(data)
            n_behind = 0
            for frame in frames_of(data, damage, self.source, dated_by(file, self.source, self.options)):
                builder.add(number, frame)
                number += 1
                n_behind += frame.offset >= end
            if file.lines is not None and n_behind:
                file.lines = replace(file.lines, n_behind=n_behind)
            starts.append(number)
        builder.file_starts += starts[:-1]
        batch = builder.batch()
        for place, counts in builder.counts().items():
            file = self.files[place - 1]
            if file.lines is not None:
                file.lines = replace(file.lines, counts=packed_counts(counts))
        return np.array(starts, np.int64), batch.events, batch.quarantined, batch.ignored

    def _refused(self, starts: Numbers, quarantined: list[Quarantined]) -> Iterator[tuple[InputFile, Quarantined]]:
        numbers = np.array([record.record_no for record in quarantined], np.int64)
        for record, place in zip(quarantined, _places(starts, numbers).tolist(), strict=True):
            yield self.files[place], replace(record, record_no=record.record_no - int(starts[place]) + 1)

    def _with_files(self, events: pa.RecordBatch, starts: Numbers) -> pa.RecordBatch:
        numbers: Numbers = events["record_no"].to_numpy()
        places = _places(starts, numbers)
        ids = pa.array([file.file_id for file in self.files], pa.string()).take(pa.array(places))
        at = events.schema.get_field_index("record_no")
        in_file = pa.array(numbers - starts[places] + 1)
        return events.set_column(at, events.schema.field(at), in_file).append_column("file_id", ids)


def _places(starts: Numbers, numbers: Numbers) -> Numbers:
    """Of each number the place of the file that it is in; an empty file begins where the next one does."""
    return np.searchsorted(starts, numbers, side="right") - 1
