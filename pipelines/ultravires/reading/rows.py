"""What the records of a file became, gathered row by row and turned into Arrow a batch at a time.

A plain record (`reading.plain_records`) is kept as it was written; any other is written back as JSON once. Either way
its decoded value is let go at once: holding thousands of decoded records costs more time than decoding them. What names
a secret is then looked for in all rows with one vectorised search, and only those rows are taken apart again.
"""

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.batch_redaction import BatchCleaner
from ultravires.reading.columns import array_of, keys_of, lists_of, replaced, taken
from ultravires.reading.companions import SERVER_LINES, is_of_server, is_server_object
from ultravires.reading.events import SOURCE_COLUMNS, Event, Frame, Ignored, NotParsed, event_ids, reason_of_none
from ultravires.reading.growing import Counts
from ultravires.reading.mending import NOTED, noted_marks
from ultravires.reading.named_fields import NamedFields
from ultravires.reading.nesting import with_many_brackets
from ultravires.reading.object_fields import has_text, tree_of, with_objects
from ultravires.reading.options import Options
from ultravires.reading.origins import ANYWHERE, FileOrigin, Verdict, joined
from ultravires.reading.plain_records import plain_redactor
from ultravires.reading.redaction import Redactor, json_texts
from ultravires.reading.source import Source
from ultravires.reading.splitting import KEPT_BYTES
from ultravires.reading.values import canonical
from ultravires.schema import UTC_MICROS

MAX_ROWS = 20_000
"""Of one batch."""
_HOUR = 3_600_000_000
_LEAST_SECRET = 6
_BEYOND = 4_096
"""Bytes behind those that are kept of a record: a secret that is cut there would not be known as one."""
_TOLD = tuple(Event.__struct_fields__.index(name) for name in ("user_agent", "task"))
"""Columns of free text. What was a secret in the record is one there too, without the name that told of it. Never those
that join: whoever writes `password=` before an id would take it out of the chain.
"""
_NO_KEYS: list[tuple[str, str, str]] = []
_NO_DETAIL: dict[str, Any] = {}
_RESOURCES = Event.__struct_fields__.index("resource_uids")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_astuple = msgspec.structs.astuple


@dataclass(frozen=True)
class Quarantined:
    """A record that was not read: which, where its decompressed bytes start, why, its first 64 KB, and whose it is.

    `raw` is redacted: where the record decoded as any other, else as text. `place` is what stood around it, and is
    not in `raw`.
    """

    record_no: int
    byte_offset: int
    reason: str
    raw: bytes
    log: str
    place: str | None = None


@dataclass(frozen=True)
class Batch:
    """Events as SOURCE_COLUMNS, and the count of records read for them: evented, ignored (not ours) or
    quarantined.
    """

    events: pa.RecordBatch
    quarantined: list[Quarantined]
    n_records: int
    n_ignored: int = 0
    ignored: list[tuple[int, str]] = field(default_factory=list)
    """Of the ignored records those of which is known why: the record's number and the reason."""


@dataclass
class Rows:
    """The records of one batch. Kept flat: few objects that Python has to make and visit."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    records: "array[int]" = field(default_factory=lambda: array("q"))
    """Of each event the place of its record among those kept."""
    key_offsets: "array[int]" = field(default_factory=lambda: array("i", [0]))
    keys: list[tuple[str, str, str]] = field(default_factory=list)
    details: list[bytes] = field(default_factory=list)
    record_nos: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    is_plain: list[bool] = field(default_factory=list)
    """Whether the record at this place is kept as it was written."""
    raw_hashes: list[str] = field(default_factory=list)
    voices: list[str] = field(default_factory=list)
    places: list[str | None] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    n_raw_bytes: int = 0
    n_records: int = 0
    n_ignored: int = 0
    ignored: list[tuple[int, str]] = field(default_factory=list)


class RowBuilder:
    """Turns the frames of one file into batches; remembers how often a record without an id occurred.

    Of several files, whose records are numbered through, `file_starts` says with which number each begins.
    """

    def __init__(self, source: Source, options: Options, origin: FileOrigin = ANYWHERE) -> None:
        self.source = source
        self.options = options
        self.origin = origin
        self.redactor = Redactor(options)
        self.named_fields = NamedFields.of(options, source.name)
        self.occurrences: Counter[tuple[int, str]] = Counter()
        self.file_starts: list[int] = []
        self.n_before = 0
        """Records of the file that were read before."""
        self.rows = Rows()
        self._verdicts: dict[tuple[str | None, str | None], Verdict] = {}
        self._place = source.place
        self._read = source.read
        self._objects = tree_of(source.objects)
        self._has_objects = bool(source.objects)
        self._keyed = hashlib.blake2b(key=options.hash_key, digest_size=16)
        self._cleaner = BatchCleaner(self.redactor, plain_redactor(source.record, self.redactor))

    def add(self, record_no: int, frame: Frame) -> None:
        """Adds one record's events, or counts it as ignored, or puts it into quarantine. Raises nothing."""
        rows = self.rows
        rows.n_records += 1
        rows.n_raw_bytes += len(frame.data)
        if frame.reason is not None:
            self._put_aside(record_no, frame, frame.reason)
            return
        try:
            if self._has_objects and type(frame.value) is dict and has_text(frame.value, self._objects):
                frame = self._with_objects(frame)
            read = frame
            if self.named_fields is not None:
                frame = self._without_named_fields(frame, self.named_fields)
            found = self._read(frame.value, self.options)
            events = list(found)
            if frame is not read:
                self._keep_hashes(read, events)
            if not events:
                self._ignore(record_no, reason_of_none(found))
                return
            if frame.mended or NOTED:
                _mark(events, (*frame.mended, *noted_marks()))
            place = frame.place if self._place is None else joined(frame.place, self._place(frame.value))
            verdict = self._verdicts.get((place, events[0].log)) or self._judge(place, events[0].log)
            if verdict.bound_to:
                raise NotParsed(verdict.reason(self.source.name))
            details = [_encode(events[0].detail)] if len(events) == 1 else [_encode(event.detail) for event in events]
            raw = frame.written or _encode(frame.value)
        except NotParsed as error:
            self._refuse(record_no, frame, str(error))
        except RecursionError:
            self._quarantine(record_no, frame.offset, "nested too deeply", frame.data, frame.place)
        except Exception as error:  # one strange record must not stop a file; tests hold that this stays unused
            self._quarantine(record_no, frame.offset, f"reader failed: {type(error).__name__}", frame.data, frame.place)
        else:
            self._keep(record_no, frame, events, details, raw)
            self.rows.voices.append(verdict.voice)
            self.rows.places.append(place)
        finally:
            NOTED.clear()

    def _judge(self, place: str | None, log: str | None) -> Verdict:
        verdict = self._verdicts[place, log] = self.origin.verdict(self.source, log, place)
        return verdict

    def _with_objects(self, frame: Frame) -> Frame:
        value = with_objects(frame.value, self._objects, self.source.never_text)
        return frame if value is frame.value else frame._replace(value=value, written=None)

    def _without_named_fields(self, frame: Frame, named_fields: NamedFields) -> Frame:
        hidden = named_fields.hide(frame.value)
        return frame if hidden is frame.value else frame._replace(value=hidden, written=None)

    def _keep_hashes(self, read: Frame, events: list[Event]) -> None:
        """Arguments are hashed before redaction, so that logs which redact otherwise still agree on them."""
        if any(event.args_hash for event in events):
            whole = list(self.source.read(read.value, self.options))
            for event, before in zip(events, whole, strict=False):
                event.args_hash = before.args_hash if len(events) == len(whole) else None

    def _keep(self, record_no: int, frame: Frame, events: list[Event], details: list[bytes], raw: bytes) -> None:
        rows = self.rows
        place = len(rows.record_nos)
        rows.raws.append(raw)
        rows.is_plain.append(raw is frame.data)
        rows.offsets.append(frame.offset)
        rows.record_nos.append(record_no)
        rows.details += details
        for event in events:
            rows.keys += event.keys
            rows.key_offsets.append(len(rows.keys))
            event.keys, event.detail = _NO_KEYS, _NO_DETAIL  # stored flat, above and as text
            rows.events.append(_astuple(event))
            rows.records.append(place)
        keyed = self._keyed.copy()
        keyed.update(frame.data)
        rows.raw_hashes.append(keyed.hexdigest())

    def _put_aside(self, record_no: int, frame: Frame, reason: str) -> None:
        NOTED.clear()
        if is_of_server(frame.data):
            self._ignore(record_no, SERVER_LINES)
        elif isinstance(reason, Ignored):
            self._ignore(record_no, reason)
        else:
            self._quarantine(record_no, frame.offset, reason, frame.data, frame.place)

    def _ignore(self, record_no: int, reason: str) -> None:
        self.rows.n_ignored += 1
        self.rows.ignored.append((record_no, reason))

    def _refuse(self, record_no: int, frame: Frame, reason: str) -> None:
        """Into quarantine with its secrets taken out, as a record that decoded; a server's own line is only counted."""
        if is_server_object(frame.value):
            self._ignore(record_no, SERVER_LINES)
            return
        try:
            value = _decode(frame.written) if frame.written else frame.value
            raw = _encode(self.redactor.redact(value))
        except (NotParsed, RecursionError):
            reason, raw = "nested too deeply", frame.data
        self._quarantine(record_no, frame.offset, reason, raw, frame.place)

    def _quarantine(self, record_no: int, offset: int, reason: str, raw: bytes, place: str | None = None) -> None:
        kept = self.redactor.redact_bytes(raw[: KEPT_BYTES + _BEYOND])[:KEPT_BYTES]
        if len(raw) >= KEPT_BYTES:
            kept = kept.ljust(KEPT_BYTES)  # by its length is known that it was cut
        self.rows.quarantined.append(Quarantined(record_no, offset, reason, kept, self.source.log, place))

    def batch(self) -> Batch:
        """The rows so far as a batch; starts anew."""
        rows = self.rows
        n_raws = len(rows.raws)
        # in one array: what a search costs before it has looked at anything is a part of what it costs
        texts = json_texts([*rows.raws, *rows.details])
        suspects = self.redactor.suspects(texts)
        of_raws = bisect_left(suspects, n_raws)
        raws, too_deep = self._redact_records(rows, texts[:n_raws], suspects[:of_raws])
        of_details = [place - n_raws for place in suspects[of_raws:]]
        details = self._redact_details(rows, texts[n_raws:], of_details, frozenset(too_deep))
        table = self._table(rows, raws, details)
        if too_deep:
            is_kept = pc.invert(pc.is_in(pa.array(rows.records, pa.int64()), pa.array(too_deep, pa.int64())))
            table = table.filter(is_kept)
        self.rows = Rows()
        quarantined = sorted(rows.quarantined, key=lambda refused: refused.record_no)
        return Batch(table, quarantined, rows.n_records, rows.n_ignored, rows.ignored)

    def _redact_records(
        self, rows: Rows, texts: pa.LargeStringArray, suspects: list[int]
    ) -> tuple[pa.LargeStringArray, list[int]]:
        """The records without secrets, and the places of those that are nested too deeply, which go to quarantine.
        Where a record may hold a secret, its columns are looked through, too.
        """
        suspects = sorted({*suspects, *with_many_brackets(texts, self.options.max_depth)})
        changed, told, too_deep = self._cleaner.clean(rows.raws, suspects, rows.is_plain)
        for place in too_deep:
            at, around = rows.record_nos[place], rows.places[place]
            self._quarantine(at, rows.offsets[place], "nested too deeply", rows.raws[place], around)
        for place, clean in changed.items():
            rows.raws[place] = clean
        self._redact_columns(rows, told)
        return replaced(texts, changed), too_deep

    def _redact_details(
        self, rows: Rows, texts: pa.LargeStringArray, suspects: list[int], too_deep: frozenset[int]
    ) -> pa.LargeStringArray:
        """The details without secrets; those of records that go to quarantine are let be."""
        suspects = [place for place in suspects if rows.records[place] not in too_deep]
        changed, _, lost = self._cleaner.clean(rows.details, suspects)
        changed |= dict.fromkeys(lost, b"{}")
        return replaced(texts, dict(sorted(changed.items())))

    def _redact_columns(self, rows: Rows, told: dict[int, dict[str, str]]) -> None:
        """Columns hold what a record says as it is: text with a secret in it, or of free text the secret alone."""
        of = np.flatnonzero(np.isin(np.frombuffer(rows.records, np.int64), list(told))).tolist() if told else []
        of = self._with_secrets(rows, of, told)
        texts = {row: [*_texts_of(rows, row)] for row in of}
        telling = self.redactor.telling(chain.from_iterable(texts.values()))
        redact = partial(self.redactor.redact, texts=telling)
        for row in of:
            if not told[rows.records[row]] and telling.isdisjoint(texts[row]):
                continue
            values = [redact(value) if type(value) is str else value for value in rows.events[row]]
            for column in _TOLD:
                values[column] = _without(values[column], told[rows.records[row]])
            values[_RESOURCES] = [redact(uid) for uid in values[_RESOURCES]]
            rows.events[row] = tuple(values)
            for at in range(rows.key_offsets[row], rows.key_offsets[row + 1]):
                kind, value, role = rows.keys[at]
                rows.keys[at] = (kind, redact(value), role)

    def _with_secrets(self, rows: Rows, of: list[int], told: dict[int, dict[str, str]]) -> list[int]:
        """Of these rows those whose records hid something, and those in whose columns something may stand."""
        if not of:
            return of
        ends = rows.key_offsets
        written = [_encode((rows.events[row], rows.keys[ends[row] : ends[row + 1]])) for row in of]
        found = set(self.redactor.suspects_in_texts(json_texts(written)))
        return [row for at, row in enumerate(of) if at in found or told[rows.records[row]]]

    def _table(self, rows: Rows, raws: pa.LargeStringArray, details: pa.LargeStringArray) -> pa.RecordBatch:
        count = len(rows.events)
        columns: dict[str, Any] = dict(zip(Event.__struct_fields__, zip(*rows.events, strict=True), strict=False))
        records = pa.array(rows.records, pa.int64())
        is_one_each = count == len(rows.record_nos)
        native_ids = self._native_ids(rows, columns, raws)
        moments, actions, outcomes = (columns.get(name, ()) for name in ("event_at", "action", "outcome"))
        logs = [log or self.source.log for log in columns.get("log", ())]
        event_at = np.fromiter(moments, np.int64, count)
        columns |= {
            "event_id": event_ids(logs, native_ids, moments, actions, outcomes),
            "event_at": pa.array(event_at).view(UTC_MICROS),
            "log": logs,
            "source": pa.repeat(self.source.name, count),
            "native_id": native_ids,
            "source_version": pa.repeat(pa.scalar(self.source.version, pa.int32()), count),
            "voice": taken(pa.array(rows.voices, pa.string()), records, is_one_each),
            "place": taken(pa.array(rows.places, pa.string()), records, is_one_each),
            "event_hour": pa.array(event_at // _HOUR * _HOUR).view(UTC_MICROS),
            "record_no": taken(pa.array(rows.record_nos, pa.int64()), records, is_one_each),
            "keys": keys_of(rows.keys, rows.key_offsets),
            "resource_uids": lists_of(columns.get("resource_uids", ())),
            "detail": details.cast(pa.string()),
            "raw": taken(raws, records, is_one_each),
            "raw_hash": taken(pa.array(rows.raw_hashes, pa.string()), records, is_one_each),
        }
        arrays = [array_of(columns.get(column.name, ()), column.type) for column in SOURCE_COLUMNS]
        return pa.RecordBatch.from_arrays(arrays, schema=SOURCE_COLUMNS)

    def _native_ids(self, rows: Rows, columns: dict[str, Any], raws: pa.LargeStringArray) -> list[str]:
        """The vendor's ids; where there is none, the content's hash with its how-manieth occurrence in the file."""
        said = columns.get("native_id", ())
        if all(said):
            return list(said)
        return [
            native_id or self._content_id(_decode(raws[record].as_py()), rows.record_nos[record])
            for native_id, record in zip(said, rows.records, strict=True)
        ]

    def remember(self, counts: Counts) -> None:
        """How often records without an id occurred in the file before what is read of it now."""
        for content, n in counts.get(self.source.name, {}).items():
            self.occurrences[0, content] = n

    def counts(self) -> dict[int, dict[str, dict[str, int]]]:
        """How often records without an id have occurred, by their file's number in `file_starts` and their reader."""
        found: dict[int, dict[str, dict[str, int]]] = {}
        for (file, content), n in self.occurrences.items():
            found.setdefault(file, {}).setdefault(self.source.name, {})[content] = n
        return found

    def _content_id(self, clean: Any, record_no: int) -> str:
        content = hashlib.sha256(canonical(clean)).hexdigest()[:32]
        in_file = bisect_right(self.file_starts, record_no), content
        self.occurrences[in_file] += 1
        return f"{content}:{self.occurrences[in_file]}"


def _texts_of(rows: Rows, row: int) -> Iterator[str]:
    """All texts in the columns of one row."""
    values = rows.events[row]
    yield from (value for value in values if type(value) is str)
    yield from values[_RESOURCES]
    yield from (value for _, value, _ in rows.keys[rows.key_offsets[row] : rows.key_offsets[row + 1]])


def _without(text: str | None, hidden: dict[str, str]) -> str | None:
    for secret, marker in hidden.items() if text else ():
        text = text.replace(secret, marker) if text and len(secret) >= _LEAST_SECRET else text
    return text


def _mark(events: list[Event], mended: tuple[str, ...]) -> None:
    """What was mended in the record's text stands in the detail of its events."""
    for event in events:
        event.detail = {**event.detail, "mended": [*dict.fromkeys(mended)]}
