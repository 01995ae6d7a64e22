"""Reads whole texts of a source by the column (`reading.columns`), and by `Source.events` what is left.

Both ways lead to the same rows, and every way back is open: a text that is not plain is read as any other source's, and
a record that is odd or not of the usual kind alone.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ultravires.reading import native
from ultravires.reading.columns import Columnar, Fields, Mask, Places
from ultravires.reading.rows import MAX_ROWS, RowBuilder
from ultravires.reading.source import SOURCE_COLUMNS, Frame, Options, Source
from ultravires.schema import in_views

_COLUMNS = in_views(SOURCE_COLUMNS)
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

    def read(self, texts: Sequence[Text]) -> "Read":
        """What can be read of these texts by the column."""
        plain = [text.data for text in texts if text.damage is None]
        try:
            with self._layout.scan(plain) as scan:
                return self._read(scan, texts)
        except Exception as error:  # a mistake of ours in one log must not stop the others; the tests do stop
            warnings.warn(f"{self._source.name} is read by the record: {error!r}", RuntimeWarning, stacklevel=2)
            return Read(self._builder, [_Part(slice(0, 0)) for _ in texts], [], [])

    def _read(self, scan: native.Scan, texts: Sequence[Text]) -> "Read":
        taken = self._taken(scan)
        is_left = ~(taken.mask | taken.ignored)
        counts, first_row = iter(scan.counts.tolist()), 0
        parts = []
        for text in texts:
            count = max(native.DECLINED if text.damage else next(counts), 0)
            rows = slice(first_row, first_row + count)
            part = _Part(rows, n_ignored=int(taken.ignored[rows].sum()))
            part.is_plain = count > 0 and self._add_left(part, scan, is_left[rows], text.offset)
            taken.mask[rows] &= part.is_plain
            parts.append(part)
            first_row += count
        rows_taken = np.flatnonzero(taken.mask)
        starts = range(0, len(rows_taken), MAX_ROWS)
        batches = [rows_taken[start : start + MAX_ROWS] for start in starts]
        return Read(self._builder, parts, batches, [self._columns(scan, taken.fields.at(rows)) for rows in batches])

    def _taken(self, scan: native.Scan) -> "_Taken":
        """Which records are read by the column, and which hold no event."""
        plain = np.flatnonzero((scan.flags & (native.ODD | native.SUSPECT)) == 0)
        mask, ignored = np.zeros(len(scan.flags), np.bool_), np.zeros(len(scan.flags), np.bool_)
        fields = Fields(scan, self._paths, plain)
        mask[plain] = self._columnar.takes(fields)
        if self._columnar.ignores is not None:
            ignored[plain] = self._columnar.ignores(fields)
        return _Taken(fields, mask, ignored)

    def _add_left(self, part: "_Part", scan: native.Scan, is_left: Mask, offset: int) -> bool:
        """Add those records of a text that are left; false where that is much of it, or where one holds several."""
        places = np.flatnonzero(is_left)
        if not len(places) or len(places) > _MOST_LEFT * len(is_left):
            return not len(places)
        rows = part.rows.start + places
        records = [record.as_py().encode() for record in scan.records(rows, _NO_KEY)]
        frames = list(self._source.records(iter([b"\n".join(records)]), self._options))
        ends = np.cumsum([len(record) + 1 for record in records])
        of_frames = np.searchsorted(ends, [frame.offset for frame in frames], side="right")
        if not np.array_equal(of_frames, np.arange(len(records))):
            return False
        for place, row, frame in zip(places.tolist(), rows.tolist(), frames, strict=True):
            part.left.append((place, frame._replace(offset=offset + scan.offset(row))))
        return True

    def _columns(self, scan: native.Scan, fields: Fields) -> dict[str, pa.Array]:
        rows, count = fields.rows, len(fields)
        said = dict(self._columnar.columns(fields, self._options))
        said["detail"] = self._redacted(said["detail"])
        said = {name: _plain(column) for name, column in said.items()}
        moments = said["event_at"].cast(pa.int64())
        columns = said | {
            "event_id": native.event_ids(self._source.log, said["native_id"], moments, said["action"], said["outcome"]),
            "log": pa.repeat(self._source.log, count),
            "source": pa.repeat(self._source.name, count),
            "source_version": pa.repeat(pa.scalar(self._source.version, pa.int32()), count),
            "event_hour": pa.array(moments.to_numpy() // _HOUR * _HOUR),
            "raw": scan.records(rows, self._options.hash_key),
            "raw_hash": scan.record_hashes(rows, self._options.hash_key),
        }
        columns.setdefault("keys", _NO_KEYS.take(pa.repeat(0, count)))
        columns.setdefault("resource_uids", _NO_RESOURCES.take(pa.repeat(0, count)))
        return columns

    def _redacted(self, texts: pa.Array) -> pa.Array:
        if isinstance(texts, pa.DictionaryArray):
            return pa.DictionaryArray.from_arrays(texts.indices, self._redacted(texts.dictionary))
        return self._builder.redacted(texts) if self._layout.may_hold_secrets(texts) else texts


@dataclass
class _Part:
    """One text: the rows of its records in the scan, which of them are left to `events` (by their place in the text),
    how many hold no event.
    """

    rows: slice
    n_ignored: int = 0
    is_plain: bool = False
    left: list[tuple[int, Frame]] = field(default_factory=list)


class Read:
    """What was read of some texts. `number` is called for each that `is_plain`, in their order, and then `events`."""

    def __init__(
        self, builder: RowBuilder, parts: list[_Part], rows: list[Places], columns: list[dict[str, pa.Array]]
    ) -> None:
        self._builder = builder
        self._parts = parts
        self._rows = rows
        self._columns = columns
        self._numbers = np.zeros(max((part.rows.stop for part in parts), default=0), np.int64)

    def is_plain(self, text: int) -> bool:
        """Whether this text can be read so; one that cannot is left as a whole."""
        return self._parts[text].is_plain

    def number(self, text: int, first_no: int) -> int:
        """Number the records of a text; returns the number of the next one. The builder has what is left of it then."""
        part = self._parts[text]
        for place, frame in part.left:
            self._builder.add(first_no + place, frame)
        self._builder.ignore(part.n_ignored)
        next_no = first_no + part.rows.stop - part.rows.start
        self._numbers[part.rows] = np.arange(first_no, next_no)
        return int(next_no)

    def events(self) -> Iterator[pa.RecordBatch]:
        """The events that were read by the column, as SOURCE_COLUMNS `in_views`, a batch at a time."""
        for rows, columns in zip(self._rows, self._columns, strict=True):
            numbered = columns | {"record_no": pa.array(self._numbers[rows])}
            arrays = [
                numbered[column.name].cast(column.type) if column.name in numbered else pa.nulls(len(rows), column.type)
                for column in _COLUMNS
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=_COLUMNS)


class _Taken(NamedTuple):
    """The fields of plain records; of all records which are read by the column, and which hold no event."""

    fields: Fields
    mask: Mask
    ignored: Mask


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
