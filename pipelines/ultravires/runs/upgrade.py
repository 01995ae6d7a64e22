"""Events that an older version of their source read, read again from their own `raw`.

A newer reader may see another action, outcome or key in the same record, so its events take the place of the old ones:
same file and record number, same `raw`, `raw_hash` and time of arrival, perhaps another `event_id`. Only secrets that
are known as such since go from `raw`, and a record without a vendor's id then has the id that it would get today:
delivered once more it is a duplicate. What is in quarantine is looked through for them as well. A page of records is
one transaction; after a kill the next run goes on with what is still outdated.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from ultravires import registry
from ultravires.progress import watcher
from ultravires.reading.events import Frame, event_id
from ultravires.reading.redaction import Redactor
from ultravires.reading.source import Source
from ultravires.reading.splitting import KEPT_BYTES, decode_object
from ultravires.runs.home import OpenHome
from ultravires.schema import EVENTS, UTC_MICROS
from ultravires.store.conservation import book_to_files
from ultravires.store.deduplicate import store_events
from ultravires.store.queries import fetch_row
from ultravires.store.reread import REDACTED, ReadAgain, RecordPlace, read_again

PAGE_RECORDS = 5_000
PAGE_BYTES = 32 << 20
_CONTENT_ID = re.compile(r"[0-9a-f]{32}:\d+")

_OLDEST = "select source, min(source_version) from events group by source"

# In the order of their hours, so that a page reads and rewrites few of them.
_OUTDATED = """
create or replace temp table outdated as
with records as (
    select file_id, record_no, min(event_hour) as first_hour, max(event_hour) as last_hour, max(strlen(raw)) as size
    from events
    where source = $source and source_version < $version
    group by file_id, record_no
),
placed as (
    select
        *,
        row_number() over (order by first_hour, file_id, record_no) as nth,
        sum(size) over (order by first_hour, file_id, record_no) as bytes
    from records
)
select
    file_id, record_no, nth,
    ((nth - 1) // $page_records + bytes::bigint // $page_bytes)::bigint as page,
    min(first_hour) over (partition by page) as from_hour,
    max(last_hour) over (partition by page) as until_hour
from placed
"""

_PAGE = """
create or replace temp table page_events as
select
    outdated.nth, stored.segment, stored.row_no, stored.event_id, stored.event_hour, stored.file_id, stored.record_no,
    stored.log, stored.voice, stored.place,
    stored.native_id, stored.ingested_at, stored.args_hash, stored.detail, stored.raw,
    stored.raw_hash
from {live_rows} as stored
join outdated on outdated.file_id = stored.file_id and outdated.record_no = stored.record_no
where outdated.page = {page}
"""

_OLD = """
select
    file_id, record_no, log, voice, place, native_id, ingested_at, args_hash,
    json_extract_string(detail, '$.mended[*]') as mended,
    raw, raw_hash
from page_events
order by nth, try_cast(split_part(native_id, ':', 2) as bigint), native_id, event_id
"""

_BOOK = """
update files set n_events = n_events + ?, n_duplicates = n_duplicates + ?, n_quarantined = n_quarantined + ?,
    n_ignored = n_ignored + ?
where file_id = ?
"""


@dataclass
class _Old:
    """One record as it stands, without secrets of which is known since that they are some, and what its events were."""

    raw: str
    raw_hash: str
    ingested_at: Any
    voice: str
    place: str | None
    mended: tuple[str, ...] = ()
    logs: set[str] = field(default_factory=set)
    native_ids: list[str] = field(default_factory=list)
    has_new_content: bool = False
    """Whether a secret went, so that an id of its content is another one."""
    args_hashes: dict[str, str | None] = field(default_factory=dict)


@dataclass
class _Counts:
    """Per file: events that went, those that came out of the records, and what became of both."""

    removed: Counter[str] = field(default_factory=Counter)
    emitted: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)


def read_outdated_again(home: OpenHome) -> int:
    """Replace every event whose source has a newer version by what that makes of its record; returns the records."""
    oldest = dict(home.warehouse.con.execute(_OLDEST).fetchall())
    outdated = [
        source for name, source in registry.sources().items() if oldest.get(name, source.version) < source.version
    ]
    if outdated:
        with home.warehouse.transaction():
            _redact_quarantine(home)
    return sum(_upgrade(home, source) for source in outdated)


def _upgrade(home: OpenHome, source: Source) -> int:
    con = home.warehouse.con
    page = {"page_records": PAGE_RECORDS, "page_bytes": PAGE_BYTES}
    con.execute(_OUTDATED, {"source": source.name, "version": source.version, **page})
    pages = con.execute("select page, count(*) from outdated group by page order by page").fetchall()
    if not pages:
        return 0
    n_records = sum(int(n) for _, n in pages)
    watcher().say(f"{source.name}: reading {n_records:,} records again with version {source.version} of its reader")
    with home.warehouse.transaction():
        book_to_files(con)
    for done, (number, _) in enumerate(pages):
        watcher().step(f"reading {source.name} again", done, len(pages))
        with home.warehouse.transaction():
            _replace_page(home, source, number)
    with home.warehouse.transaction():
        book_to_files(con)
    home.warehouse.segments.compact()
    return n_records


def _redact_quarantine(home: OpenHome) -> None:
    """Take out what is a secret by what is known today; nothing changes in what was looked through already."""
    con, redactor = home.warehouse.con, Redactor(home.options())
    places = con.execute("select file_id, record_no from quarantine order by all").fetchall()
    for place in places:
        ((raw,),) = con.execute("select raw from quarantine where file_id = ? and record_no = ?", place).fetchall()
        clean = redactor.redact_bytes(raw)
        if clean != raw:
            kept = clean.ljust(KEPT_BYTES) if len(raw) >= KEPT_BYTES else clean
            con.execute(
                "update quarantine set raw = ? where file_id = ? and record_no = ?", [kept[:KEPT_BYTES], *place]
            )
            home.warehouse.bump_version("quarantine")


def _replace_page(home: OpenHome, source: Source, page: int) -> None:
    con, counts = home.warehouse.con, _Counts()
    hours = fetch_row(con, "select min(from_hour), max(until_hour) from outdated where page = ?", [page])
    assert hours is not None
    live_rows = home.warehouse.segments.live_rows_between(*hours)
    con.execute(_PAGE.format(page=page, live_rows=live_rows))
    old = _old_records(home, counts)
    _redact(old, Redactor(home.options()))
    home.warehouse.segments.mark_deleted("page_events")
    home.engine.touch_readers("events", "select distinct event_hour from page_events")
    for again in read_again(_frames(old), source, home.options()):
        counts.refused.update(place.file_id for place, _ in again.refused)
        counts.ignored.update(place.file_id for place in again.ignored)
        counts.emitted.update(again.events["file_id"].to_pylist())
        _store_refused(home, again)
        if again.events.num_rows:
            events = _as_before(again.events, old)
            counts.stored.update(store_events(home.engine, home.settings, events).new)
    home.warehouse.segments.refresh_view()
    _book(home, counts)


def _old_records(home: OpenHome, counts: _Counts) -> dict[RecordPlace, _Old]:
    records: dict[RecordPlace, _Old] = {}
    for row in home.warehouse.con.execute(_OLD).fetchall():
        file_id, record_no, log, voice, place, native_id, ingested_at, args_hash, mended, raw, raw_hash = row
        fresh = _Old(raw, raw_hash, ingested_at, voice, place, tuple(mended))
        old = records.setdefault(RecordPlace(file_id, record_no), fresh)
        old.logs.add(log)
        old.native_ids.append(native_id)
        old.args_hashes[native_id] = args_hash
        counts.removed[file_id] += 1
    return records


def _redact(records: dict[RecordPlace, _Old], redactor: Redactor) -> None:
    olds = list(records.values())
    for place in redactor.suspects(pa.array([old.raw for old in olds], pa.large_string())):
        old = olds[place]
        value = msgspec.json.decode(old.raw)
        clean = redactor.redact(value)
        if clean is not value:
            old.raw, old.has_new_content = msgspec.json.encode(clean).decode(), True


def _frames(records: dict[RecordPlace, _Old]) -> Iterator[tuple[RecordPlace, Frame]]:
    """`raw` is one decoded record written back, so it is decoded again and not split like a file."""
    for place, old in records.items():
        data = old.raw.encode()
        yield place, Frame(0, data, decode_object(data), mended=old.mended)


def _as_before(events: pa.Table, records: dict[RecordPlace, _Old]) -> pa.Table:
    """The new events with everything that must not change by reading again."""
    rows = events.select(["file_id", "record_no", "log", "native_id", "event_at", "action", "outcome", "args_hash"])
    of_rows = [
        records[RecordPlace(file_id, number)]
        for file_id, number in zip(rows["file_id"].to_pylist(), rows["record_no"].to_pylist(), strict=True)
    ]
    native_ids = _native_ids(rows, of_rows)
    kept = {
        "native_id": pa.array(native_ids, pa.string()),
        "event_id": pa.array(_event_ids(rows, native_ids), pa.string()),
        "args_hash": pa.array(_args_hashes(rows, native_ids, of_rows), pa.string()),
        "raw": pa.array([old.raw for old in of_rows], pa.large_string()),
        "raw_hash": pa.array([old.raw_hash for old in of_rows], pa.string()),
        # Where a record lay stands around it, and is not in `raw`.
        "voice": pa.array([old.voice for old in of_rows], pa.string()),
        "place": pa.array([old.place for old in of_rows], pa.string()),
        "ingested_at": pa.array([old.ingested_at for old in of_rows], UTC_MICROS),
    }
    return pa.table({name: events[name] for name in events.column_names} | kept).select(EVENTS.names).cast(EVENTS)


def _native_ids(rows: pa.Table, of_rows: list[_Old]) -> list[str]:
    """A record without a vendor's id keeps the ones it got: which occurrence it was, only its whole file can tell.

    Not where it is now known to be another log's: then what it got is an id of the copy, and the record has its own.
    """
    seen: defaultdict[int, int] = defaultdict(int)
    found = []
    names = rows["native_id"].to_pylist(), rows["log"].to_pylist()
    for native_id, log, old in zip(*names, of_rows, strict=True):
        if _CONTENT_ID.fullmatch(native_id) and log in old.logs:
            before = [known for known in old.native_ids if _CONTENT_ID.fullmatch(known)]
            nth = seen[id(old)]
            seen[id(old)] += 1
            found.append(_content_id(native_id, before[nth], old) if nth < len(before) else native_id)
        else:
            found.append(native_id)
    return found


def _content_id(now: str, before: str, old: _Old) -> str:
    """The one it got, but for the content where that changed; which occurrence it was stays."""
    return f"{now.split(':', maxsplit=1)[0]}:{before.split(':')[1]}" if old.has_new_content else before


def _event_ids(rows: pa.Table, native_ids: list[str]) -> list[str]:
    times = rows["event_at"].cast(pa.int64()).to_pylist()
    logs, actions, outcomes = (rows[name].to_pylist() for name in ("log", "action", "outcome"))
    return [event_id(*parts) for parts in zip(logs, native_ids, times, actions, outcomes, strict=True)]


def _args_hashes(rows: pa.Table, native_ids: list[str], of_rows: list[_Old]) -> list[str | None]:
    """Taken before redaction, so where `raw` is redacted only the one that stands can be right."""
    return [
        _kept_hash(old, native_id) if REDACTED in old.raw else fresh
        for native_id, fresh, old in zip(native_ids, rows["args_hash"].to_pylist(), of_rows, strict=True)
    ]


def _kept_hash(old: _Old, native_id: str) -> str | None:
    only = next(iter(old.args_hashes.values())) if len(old.args_hashes) == 1 else None
    return old.args_hashes.get(native_id, only)


def _store_refused(home: OpenHome, again: ReadAgain) -> None:
    rows = [(*place, record.reason, record.raw, record.log) for place, record in again.refused]
    if rows:
        home.warehouse.con.executemany(
            "insert into quarantine(file_id, record_no, reason, raw, log) values (?, ?, ?, ?, ?)", rows
        )
        home.warehouse.bump_version("quarantine")


def _book(home: OpenHome, counts: _Counts) -> None:
    """Move in the manifest what moved in the tables. A record that holds several events may have had some of them
    elsewhere, as duplicates, and they are that still; so only what it had itself can become one.
    """
    for file_id in {*counts.removed}:
        removed, stored = counts.removed[file_id], counts.stored[file_id]
        duplicates = max(0, min(removed, counts.emitted[file_id]) - stored)
        values = [stored - removed, duplicates, counts.refused[file_id], counts.ignored[file_id], file_id]
        home.warehouse.con.execute(_BOOK, values)
    home.warehouse.bump_version("files")
    home.warehouse.bump_version("events")
