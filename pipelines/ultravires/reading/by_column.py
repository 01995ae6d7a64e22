"""Reads whole texts of a source by the column (`reading.columns`), and by `Source.events` what is left.

Both ways lead to the same rows, and every way back is open: a text that is not plain is read as any other source's, and
a record that is odd or not of the usual kind alone.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ultravires.reading import native
from ultravires.reading.columns import Columnar, Fields, Mask, Places
from ultravires.reading.framing import frames_of
from ultravires.reading.rows import MAX_ROWS, RowBuilder
from ultravires.reading.source import SOURCE_COLUMNS, Frame, Options, Source

_HOUR = 3_600_000_000
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_LEFT = 0.5
"""Of the records of a text: where more are left to `events`, it is none of the usual kind and is read whole by them."""
_NO_KEY = b""
_NO_KEYS = pa.array([[]], SOURCE_COLUMNS.field("keys").type)
_NO_RESOURCES = pa.array([[]], SOURCE_COLUMNS.field("resource_uids").type)


class Text(NamedTuple):
    """A file unpacked, or some lines of it: why no more follow where it is damaged, and where in the file it starts."""

    data: bytes
    damage: str | None = None
    offset: int = 0


def reads_by_column(source: Source, options: Options) -> bool:
    """Whether this source can be read by the column here, under these options."""
    is_plain = all(map(_PLAIN_NAME.fullmatch, options.redact))
    return source.columnar is not None and not options.fields and is_plain and native.is_available()


def read_frames(
    texts: Sequence[Text], source: Source, options: Options, builder: RowBuilder, first_no: int = 1
) -> list[int]:
    """Reads texts record by record into `builder`; returns with which record each begins, numbered through, and with
    which one more would.
    """
    starts = [first_no]
    for text in texts:
        number = starts[-1]
        for frame in frames_of(text.data, text.damage, source, options):
            builder.add(number, frame._replace(offset=text.offset + frame.offset))
            number += 1
        starts.append(number)
    return starts


class ColumnReader:
    """Reads the texts of a source for which `reads_by_column`; what it leaves to `events` gets into `builder`."""

    def __init__(self, source: Source, options: Options, builder: RowBuilder) -> None:
        assert source.columnar is not None
        self._source = source
        self._options = options
        self._builder = builder
        self._columnar: Columnar = source.columnar
        self._paths = self._columnar.paths(options)
        self._layout = native.Layout(self._columnar, options)

    def read(self, texts: Sequence[Text], first_no: int = 1) -> tuple[list[int], list[pa.RecordBatch]]:
        """With which record each text begins, numbered through, and with which one more would; and the events that were
        read by the column, as SOURCE_COLUMNS.
        """
        plain = [text.data for text in texts if text.damage is None]
        with self._layout.scan(plain) as scan:
            taken = self._taken(scan)
            is_left = ~(taken.mask | taken.ignored)
            counts, first_row = iter(scan.counts.tolist()), 0
            numbers = np.zeros(len(scan.flags), np.int64)
            starts = [first_no]
            for text in texts:
                count = max(native.DECLINED if text.damage else next(counts), 0)
                rows = slice(first_row, first_row + count)
                if count and self._read_left(scan, rows, is_left[rows], starts[-1], text.offset):
                    self._builder.ignore(int(taken.ignored[rows].sum()))
                    numbers[rows] = np.arange(starts[-1], starts[-1] + count)
                    starts.append(starts[-1] + count)
                else:
                    taken.mask[rows] = False
                    starts.append(read_frames([text], self._source, self._options, self._builder, starts[-1])[-1])
                first_row += count
            return starts, list(self._batches(scan, taken, numbers))

    def _taken(self, scan: native.Scan) -> "_Taken":
        """Which records are read by the column, and what is kept in place of those with secrets."""
        plain = np.flatnonzero((scan.flags & native.ODD) == 0)
        mask, ignored = np.zeros(len(scan.flags), np.bool_), np.zeros(len(scan.flags), np.bool_)
        fields = Fields(scan, self._paths, plain)
        mask[plain] = self._columnar.takes(fields)
        if self._columnar.ignores is not None:
            ignored[plain] = self._columnar.ignores(fields)
        suspects = np.flatnonzero(mask & ((scan.flags & native.SUSPECT) != 0))
        changed, clean, too_deep = self._builder.without_secrets(
            scan.records(suspects, self._options.hash_key), range(len(suspects))
        )
        mask[suspects[too_deep]] = False
        return _Taken(mask, ignored, suspects[changed], clean)

    def _read_left(self, scan: native.Scan, rows: slice, is_left: Mask, first_no: int, offset: int) -> bool:
        """Read those records of one text that are left; false, and nothing is read, where that would not pay or one of
        them holds several.
        """
        left = np.flatnonzero(is_left)
        if len(left) > _MOST_LEFT * len(is_left):
            return False
        frames: list[Frame] = []
        for row, record in zip((rows.start + left).tolist(), scan.records(rows.start + left, _NO_KEY), strict=True):
            held = list(self._source.records(iter([record.as_py().encode()]), self._options))
            if len(held) != 1:
                return False
            frames.append(held[0]._replace(offset=offset + scan.offset(row)))
        for place, frame in zip(left.tolist(), frames, strict=True):
            self._builder.add(first_no + place, frame)
        return True

    def _batches(self, scan: native.Scan, taken: "_Taken", numbers: Places) -> Iterator[pa.RecordBatch]:
        rows = np.flatnonzero(taken.mask)
        for start in range(0, len(rows), MAX_ROWS):
            some = rows[start : start + MAX_ROWS]
            yield self._batch(scan, some, taken.among(some), numbers[some])

    def _batch(
        self, scan: native.Scan, rows: Places, redacted: "tuple[Places, pa.LargeStringArray]", numbers: Places
    ) -> pa.RecordBatch:
        count = len(rows)
        fields = Fields(scan, self._paths, rows)
        said = {name: _plain(column) for name, column in self._columnar.columns(fields, self._options).items()}
        said["detail"] = self._builder.redacted(said["detail"])
        moments = said["event_at"].cast(pa.int64())
        columns = said | {
            "event_id": native.event_ids(self._source.log, said["native_id"], moments, said["action"], said["outcome"]),
            "log": pa.repeat(self._source.log, count),
            "source": pa.repeat(self._source.name, count),
            "source_version": pa.repeat(pa.scalar(self._source.version, pa.int32()), count),
            "event_hour": pa.array(moments.to_numpy() // _HOUR * _HOUR),
            "record_no": pa.array(numbers),
            "raw": scan.records(rows, self._options.hash_key, *redacted),
            "raw_hash": scan.record_hashes(rows, self._options.hash_key),
        }
        columns.setdefault("keys", _NO_KEYS.take(pa.repeat(0, count)))
        columns.setdefault("resource_uids", _NO_RESOURCES.take(pa.repeat(0, count)))
        arrays = [
            columns[column.name].cast(column.type) if column.name in columns else pa.nulls(count, column.type)
            for column in SOURCE_COLUMNS
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=SOURCE_COLUMNS)


class _Taken(NamedTuple):
    """Of all records which are read by the column, and which hold nothing; and the rows, in order, of which something
    else is kept.
    """

    mask: Mask
    ignored: Mask
    redacted: Places
    clean: pa.LargeStringArray

    def among(self, rows: Places) -> tuple[Places, pa.LargeStringArray]:
        """The redacted ones of these rows, by their place among them."""
        places = np.searchsorted(rows, self.redacted)
        is_there = (places < len(rows)) & (rows[np.minimum(places, len(rows) - 1)] == self.redacted)
        return places[is_there], self.clean.filter(pa.array(is_there))


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
