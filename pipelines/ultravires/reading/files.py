"""Reads one file with one source into Arrow batches; what cannot be read goes to quarantine, and the file
goes on.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from ultravires.reading.decompressing import FileBytes
from ultravires.reading.framing import peek
from ultravires.reading.head import Head
from ultravires.reading.redaction import Redactor
from ultravires.reading.source import SOURCE_COLUMNS, Event, Frame, NotParsed, Options, Source, event_id, keyed_hash
from ultravires.reading.splitting import KEPT_BYTES
from ultravires.reading.values import canonical
from ultravires.schema import KEY

MAX_ROWS = 20_000
MAX_RAW_BYTES = 32 << 20
_HOUR = 3_600_000_000
_RECOGNISING = Options(hash_key=b"recognising")
_NO_KEYS: list[tuple[str, str, str]] = []
_NO_DETAIL: dict[str, Any] = {}
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Quarantined:
    """A record that was not read: which, where its decompressed bytes start, why, and its first 64 KB.

    `raw` is redacted where the record decoded; undecodable bytes cannot be, and stay as they are.
    """

    record_no: int
    byte_offset: int
    reason: str
    raw: bytes


@dataclass(frozen=True)
class Batch:
    """Events as SOURCE_COLUMNS, and the count of records read for them: evented, ignored (not ours) or
    quarantined.
    """

    events: pa.RecordBatch
    quarantined: list[Quarantined]
    n_records: int
    n_ignored: int = 0


@dataclass
class _Rows:
    """What a batch is built from. Kept flat: few objects that Python's garbage collector has to visit."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    hours: list[int] = field(default_factory=list)
    key_offsets: list[int] = field(default_factory=lambda: [0])
    key_kinds: list[str] = field(default_factory=list)
    key_values: list[str] = field(default_factory=list)
    key_roles: list[str] = field(default_factory=list)
    native_ids: list[str] = field(default_factory=list)
    event_ids: list[str] = field(default_factory=list)
    record_nos: list[int] = field(default_factory=list)
    details: list[bytes] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    raw_hashes: list[str] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    n_raw_bytes: int = 0
    n_records: int = 0
    n_ignored: int = 0


def recognise(path: Path, sources: Sequence[Source]) -> Source | None:
    """The source whose log this file holds, judged by its first 64 KB decompressed; None for junk or
    unreadable.
    """
    try:
        head, _ = peek(FileBytes(path, _RECOGNISING).chunks())
    except OSError:
        return None
    beginning = Head(head)
    return next((source for source in sources if source.recognise(beginning)), None)


def read(path: Path, source: Source, options: Options) -> Iterator[Batch]:
    """Batches of at most 20,000 events or about 32 MB of records. Raises OSError where the file cannot be
    read.
    """
    yield from read_bytes(FileBytes(path, options), source, options)


def read_bytes(file: FileBytes, source: Source, options: Options) -> Iterator[Batch]:
    """As `read`, of a file whose beginning may have been looked at already."""
    frames = source.records(file.chunks(), options)
    yield from batches(chain(frames, _damage(file)), source, options)


def _damage(file: FileBytes) -> Iterator[Frame]:
    """One more frame for what ended the file early; evaluated when all others are through."""
    if file.damage:
        yield Frame(file.size, b"", None, file.damage)


def batches(frames: Iterable[Frame], source: Source, options: Options) -> Iterator[Batch]:
    """Frames of one file to batches; record numbers start at 1."""
    reader = _Reader(source, options)
    for record_no, frame in enumerate(frames, 1):
        if reader.rows.n_records and reader.is_full(len(frame.data)):
            yield reader.batch()
        reader.add(record_no, frame)
    if reader.rows.n_records:
        yield reader.batch()


class _Reader:
    """Turns the frames of one file into rows; remembers how often a record without an id occurred."""

    def __init__(self, source: Source, options: Options) -> None:
        self.source = source
        self.options = options
        self.redactor = Redactor(options)
        self.occurrences: Counter[str] = Counter()
        self.rows = _Rows()

    def is_full(self, next_bytes: int) -> bool:
        rows = self.rows
        n_rows = max(len(rows.events), rows.n_records)
        return n_rows >= MAX_ROWS or rows.n_raw_bytes + next_bytes > MAX_RAW_BYTES

    def add(self, record_no: int, frame: Frame) -> None:
        """Adds one record's events, or counts it as ignored, or puts it into quarantine. Raises nothing."""
        rows = self.rows
        rows.n_records += 1
        rows.n_raw_bytes += len(frame.data)
        if frame.reason is not None:
            self._quarantine(record_no, frame, frame.reason, frame.data)
            return
        clean: Any = None
        try:
            clean = self.redactor.redact(frame.value)
            events = list(self.source.events(frame.value, self.options))
            details = [_encode(self.redactor.redact(event.detail)) for event in events]
            raw = _encode(clean)
        except NotParsed as error:
            self._quarantine(record_no, frame, str(error), _encode(clean) if clean is not None else frame.data)
        except RecursionError:
            self._quarantine(record_no, frame, "nested too deeply", frame.data)
        except Exception as error:  # one strange record must not stop a file; tests hold that this stays unused
            self._quarantine(record_no, frame, f"reader failed: {type(error).__name__}", frame.data)
        else:
            self._keep(record_no, frame, clean, raw=raw, events=events, details=details)

    def _keep(
        self,
        record_no: int,
        frame: Frame,
        clean: Any,
        *,
        raw: bytes,
        events: list[Event],
        details: list[bytes],
    ) -> None:
        rows = self.rows
        if not events:
            rows.n_ignored += 1
            return
        raw_hash = keyed_hash(frame.data, self.options)
        log = self.source.log
        for event, detail in zip(events, details, strict=True):
            native_id = event.native_id or self._content_id(clean)
            for kind, value, role in event.keys:
                rows.key_kinds.append(kind)
                rows.key_values.append(value)
                rows.key_roles.append(role)
            rows.key_offsets.append(len(rows.key_kinds))
            event.keys, event.detail = _NO_KEYS, _NO_DETAIL  # stored flat, above and as text
            rows.events.append(msgspec.structs.astuple(event))
            rows.hours.append(event.event_at // _HOUR * _HOUR)
            rows.native_ids.append(native_id)
            rows.event_ids.append(event_id(log, native_id, event.event_at, event.action, event.outcome))
            rows.record_nos.append(record_no)
            rows.details.append(detail)
            rows.raws.append(raw)
            rows.raw_hashes.append(raw_hash)

    def _content_id(self, clean: Any) -> str:
        content = hashlib.sha256(canonical(clean)).hexdigest()[:32]
        self.occurrences[content] += 1
        return f"{content}:{self.occurrences[content]}"

    def _quarantine(self, record_no: int, frame: Frame, reason: str, raw: bytes) -> None:
        self.rows.quarantined.append(Quarantined(record_no, frame.offset, reason, raw[:KEPT_BYTES]))

    def batch(self) -> Batch:
        """The rows so far as a batch; starts anew."""
        rows, self.rows = self.rows, _Rows()
        return Batch(_table(rows, self.source), rows.quarantined, rows.n_records, rows.n_ignored)


def _table(rows: _Rows, source: Source) -> pa.RecordBatch:
    count = len(rows.events)
    columns: dict[str, Any] = dict(zip(Event.__struct_fields__, zip(*rows.events, strict=True), strict=False))
    columns |= {
        "event_id": rows.event_ids,
        "log": pa.repeat(source.log, count),
        "source": pa.repeat(source.name, count),
        "native_id": rows.native_ids,
        "source_version": pa.repeat(pa.scalar(source.version, pa.int32()), count),
        "event_hour": rows.hours,
        "record_no": rows.record_nos,
        "keys": _keys(rows),
        "detail": rows.details,
        "raw": rows.raws,
        "raw_hash": rows.raw_hashes,
    }
    arrays = [_array(columns.get(column.name, ()), column.type) for column in SOURCE_COLUMNS]
    return pa.RecordBatch.from_arrays(arrays, schema=SOURCE_COLUMNS)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def _keys(rows: _Rows) -> pa.Array:
    """list<struct> from three flat columns: pyarrow takes three times as long for a list of dicts."""
    parts = [pa.array(part, pa.string()) for part in (rows.key_kinds, rows.key_values, rows.key_roles)]
    structs = pa.StructArray.from_arrays(parts, fields=list(KEY))
    return pa.ListArray.from_arrays(pa.array(rows.key_offsets, pa.int32()), structs)
