"""Rows of a Parquet file as JSON objects: members that are null are left out, times are ISO text.

Column by column, since pyarrow takes a row apart many times slower. A Parquet file may claim anything: what cannot be
read is one frame with a reason, and a small file may not unpack to more than the options allow.
Format: https://parquet.apache.org/docs/file-format/
"""

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ultravires.reading.events import Frame
from ultravires.reading.options import Options
from ultravires.reading.splitting import broken
from ultravires.reading.values import LAST_MICROS, iso

MAGIC = b"PAR1"
_ROWS_AT_ONCE = 1024
_MOST_LISTED = 100_000
"""Columns, row groups and names in the footer: Security Lake's files have some hundreds."""
_LEAST_ROW_BYTES = 64
"""What a row counts for: a file of a thousand bytes can hold a billion rows of nothing."""
_RATIO_FROM = 64 << 20
_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, NotImplementedError)
_DAMAGED = "Parquet is damaged"
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_MICROS = 1_000_000
_EPOCH_DAY = date(1970, 1, 1)


class _NotText:
    """Stands for bytes that should be UTF-8 and are not; no encoder takes it, so that its row is put aside."""


_NOT_TEXT = _NotText()
_encode = msgspec.json.Encoder().encode
_encode_any = msgspec.json.Encoder(enc_hook=lambda _: None).encode


def parquet_frames(data: bytes, options: Options, needed: Sequence[str], reason: str) -> Iterator[Frame]:
    """A frame for each row, in order. A file without the columns `needed` is one frame with `reason`.

    A row lies in pieces all over the file, so `offset` is 0. What the footer says of a column is never asked for:
    pyarrow 26 ends the process where its sizes contradict each other.
    """
    try:
        file = _opened(data)
        names = set(file.schema_arrow.names)
        claimed = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
    except _ERRORS:
        yield broken(0, data, _DAMAGED)
        return
    if not names.issuperset(needed):
        yield broken(0, data, reason)
    elif claimed > options.max_file_bytes:
        yield broken(0, data, f"file is larger than {options.max_file_bytes} bytes")
    else:
        yield from _rows_of(file, len(data), options)


def _opened(data: bytes) -> pq.ParquetFile:
    """Texts stay behind their dictionary: a long one that every row repeats would fill the memory."""
    limits = {"thrift_string_size_limit": len(data), "thrift_container_size_limit": _MOST_LISTED}
    source = pa.BufferReader(data)
    columns = pq.ParquetFile(source, **limits).metadata.schema
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(source, **limits, read_dictionary=texts, coerce_int96_timestamp_unit="us")


def _rows_of(file: pq.ParquetFile, packed: int, options: Options) -> Iterator[Frame]:
    size, was_damaged = 0, False
    for group in range(file.num_row_groups):
        try:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=[group]):
                for row in _objects(batch):
                    frame = _frame(row, options)
                    size += max(len(frame.data), _LEAST_ROW_BYTES)
                    if excess := _excess(size, packed, options):
                        yield broken(0, b"", excess)
                        return
                    yield frame
                    was_damaged = False
        except _ERRORS:
            if not was_damaged:
                yield broken(0, b"", _DAMAGED)
            was_damaged = True  # groups that are damaged one after the other are one damage: a file may claim many


def _excess(size: int, packed: int, options: Options) -> str | None:
    if size > options.max_file_bytes:
        return f"file is larger than {options.max_file_bytes} bytes"
    if size > _RATIO_FROM and size > options.max_ratio * packed:
        return f"Parquet expands more than {options.max_ratio} times"
    return None


def _frame(row: dict[str, Any], options: Options) -> Frame:
    try:
        data = _encode(row)
    except (TypeError, UnicodeEncodeError):
        return broken(0, _encode_any(row), "invalid UTF-8")
    except RecursionError:
        return broken(0, b"", "nested too deeply")
    if len(data) > options.max_record_bytes:
        return broken(0, data, f"record is longer than {options.max_record_bytes} bytes")
    return Frame(0, data, row)


def _objects(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    columns = [_values(column) for column in batch.columns]
    for values in zip(*columns, strict=True):
        yield {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _values(array: pa.Array) -> list[Any]:
    """One column as JSON values."""
    if isinstance(array, pa.StructArray):
        return _structs(array)
    if isinstance(array, pa.MapArray):
        return _maps(array)
    if isinstance(array, pa.ListArray | pa.LargeListArray):
        return _lists(array, _values(array.values))
    if isinstance(array, pa.DictionaryArray):
        return _looked_up(_values(array.dictionary), array.indices.to_pylist())
    return _leaves(array, array.type)


def _looked_up(known: list[Any], indices: list[int | None]) -> list[Any]:
    """Pages hold the indices, and pyarrow hands them over as they are."""
    if any(index is not None and not 0 <= index < len(known) for index in indices):
        raise ValueError("an index beyond its dictionary")
    return [None if index is None else known[index] for index in indices]


def _leaves(array: pa.Array, kind: pa.DataType) -> list[Any]:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(array)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return [_text(value) for value in array.to_pylist()]
    if pa.types.is_timestamp(kind):
        return [_moment(value, _PER_SECOND[kind.unit]) for value in array.cast(pa.int64()).to_pylist()]
    if pa.types.is_date(kind):
        return [_day(value) for value in array.cast(pa.date32()).cast(pa.int32()).to_pylist()]
    if pa.types.is_time(kind):
        array = array.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64())
    return [_plain(value) for value in array.to_pylist()]


def _structs(array: pa.StructArray) -> list[Any]:
    """A struct without any member is left out like a null: writers fill both in for the same thing."""
    names = [field.name for field in array.type]
    if not names:
        return [None] * len(array)
    columns = [_values(column) for column in array.flatten()]
    return [
        {name: value for name, value in zip(names, values, strict=True) if value is not None} or None
        for values in zip(*columns, strict=True)
    ]


def _lists(array: pa.Array, values: list[Any]) -> list[Any]:
    bounds = array.offsets.to_pylist()
    valid = array.is_valid().to_pylist()
    return [
        values[start:end] if is_valid else None for start, end, is_valid in zip(bounds, bounds[1:], valid, strict=False)
    ]


def _maps(array: pa.MapArray) -> list[Any]:
    pairs = [
        (key if type(key) is str else str(key), value)
        for key, value in zip(_values(array.keys), _values(array.items), strict=True)
    ]
    found = _lists(array, pairs)
    return [
        None if entries is None else {key: value for key, value in entries if value is not None} for entries in found
    ]


def _texts(array: pa.Array) -> list[Any]:
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        kind = pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
        return [_text(value) for value in array.view(kind).to_pylist()]


def _text(value: bytes | None) -> Any:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return _NOT_TEXT


def _moment(value: int | None, per_second: int) -> Any:
    """ISO text; a time that no calendar has stays its number."""
    if value is None:
        return None
    micros = value * _MICROS // per_second
    return iso(micros) if 0 <= micros <= LAST_MICROS else value


def _day(value: int | None) -> Any:
    try:
        return None if value is None else (_EPOCH_DAY + timedelta(days=value)).isoformat()
    except OverflowError:
        return value


def _plain(value: Any) -> Any:
    """Numbers and booleans; JSON has no infinity, and anything odd is written as text."""
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    return str(value)
