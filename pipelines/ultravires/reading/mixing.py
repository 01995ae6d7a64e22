"""A file that mixes logs: each record is read by the source of its log, whichever source recognised the file.

Exports of cloud providers deliver many logs in one file. The source that recognised it says how the file falls into
records; then the sources that share their files with others are asked whose each record is. Nobody's records are left
to the one that recognised the file, which counts them as ignored or refuses them.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ultravires import registry
from ultravires.reading.events import Frame
from ultravires.reading.growing import Counts
from ultravires.reading.options import Options
from ultravires.reading.origins import ANYWHERE, FileOrigin
from ultravires.reading.rows import Batch, RowBuilder
from ultravires.reading.source import Source


def row_builder(
    source: Source, options: Options, origin: FileOrigin = ANYWHERE, *, is_wrapped: bool = False
) -> RowBuilder:
    """What turns the frames of a file that `source` recognised into batches; one that mixes only where logs mix: in
    exports of cloud providers, and where records of any log came through another system.
    """
    is_mixed = is_wrapped or source.claim is not None
    return MixedRowBuilder(source, options, origin) if is_mixed else RowBuilder(source, options, origin)


class MixedRowBuilder(RowBuilder):
    """Builds the rows of the file's own source, and has a builder beside it for every other source it meets."""

    def __init__(self, source: Source, options: Options, origin: FileOrigin = ANYWHERE) -> None:
        super().__init__(source, options, origin)
        others = [each for each in registry.sources().values() if each.claim and each.name != source.name]
        self._readers: tuple[Source, ...] = (source, *others) if source.claim else tuple(others)
        self._guests: dict[str, RowBuilder] = {}
        self._counts_before: Counts = {}

    def add(self, record_no: int, frame: Frame) -> None:
        reader, frame = self._read_by(frame)
        if reader.name == self.source.name:
            super().add(record_no, frame)
            return
        self._guest(reader).add(record_no, frame)
        # counted here for all readers: how full a batch is does not depend on whose its records are
        self.rows.n_records += 1
        self.rows.n_raw_bytes += len(frame.data)

    def batch(self) -> Batch:
        n_records = self.rows.n_records
        batches = [super().batch(), *(guest.batch() for guest in self._guests.values() if guest.rows.n_records)]
        return batches[0] if len(batches) == 1 else _merged(batches, n_records)

    def remember(self, counts: Counts) -> None:
        super().remember(counts)
        self._counts_before = counts

    def counts(self) -> dict[int, dict[str, dict[str, int]]]:
        found = super().counts()
        for guest in self._guests.values():
            for file, of_readers in guest.counts().items():
                found.setdefault(file, {}).update(of_readers)
        for name in self._counts_before.keys() - {self.source.name, *self._guests}:
            found.setdefault(0, {})[name] = dict(self._counts_before[name])
        return found

    def _read_by(self, frame: Frame) -> tuple[Source, Frame]:
        """The source of the record's log, and the frame with the record as that source takes it."""
        recognised = self.source if frame.reader is None else registry.sources()[frame.reader]
        if frame.reason is not None or recognised.claim is None:
            return recognised, frame
        try:
            for reader in self._readers:
                if reader.claim and (claimed := reader.claim(frame.value)) is not None:
                    return reader, frame if claimed is frame.value else frame._replace(value=claimed)
        except Exception as error:  # as in reading: one strange record must not stop a file
            return recognised, frame._replace(value=None, reason=f"reader failed: {type(error).__name__}")
        return recognised, frame

    def _guest(self, reader: Source) -> RowBuilder:
        if reader.name not in self._guests:
            guest = self._guests[reader.name] = RowBuilder(reader, self.options, self.origin)
            guest.file_starts = self.file_starts
            guest.remember(self._counts_before)
        return self._guests[reader.name]


def _merged(batches: Sequence[Batch], n_records: int) -> Batch:
    """One batch with everything in the order of the records."""
    events = pa.concat_batches([batch.events for batch in batches])
    in_order = events.take(pc.sort_indices(events["record_no"]))  # stable: the events of one record keep their order
    quarantined = (refused for batch in batches for refused in batch.quarantined)
    n_ignored = sum(batch.n_ignored for batch in batches)
    ignored = [one for batch in batches for one in batch.ignored]
    return Batch(in_order, sorted(quarantined, key=lambda refused: refused.record_no), n_records, n_ignored, ignored)
