"""Events whose place was judged by other bindings, judged by the present ones: a home does not go on believing.

All in one transaction. An event whose place belongs to another log now goes to quarantine, as it would have when it was
read; what lay there for that reason and no longer does comes back.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from ultravires import registry
from ultravires.progress import watcher
from ultravires.reading.origins import VERDICTS_VERSION, Origins
from ultravires.runs.home import OpenHome
from ultravires.runs.retry_quarantine import retry
from ultravires.store.conservation import book_to_files
from ultravires.store.queries import fetch_row, registered

_JUDGED = """
select distinct events.file_id, files.path, files.input, events.source, events.log, events.place, events.voice
from events join files using (file_id)
"""

_MISJUDGED = """
create or replace temp table misjudged as
select stored.segment, stored.row_no, stored.file_id, stored.record_no, stored.event_hour, stored.log, verdicts.reason
from {live_rows} as stored
join verdicts
    on verdicts.file_id = stored.file_id and verdicts.source = stored.source and verdicts.log = stored.log
    and verdicts.place is not distinct from stored.place
"""

_TO_QUARANTINE = """
insert into quarantine(file_id, log, record_no, reason, raw, place)
select
    misjudged.file_id, min(misjudged.log), misjudged.record_no, min(misjudged.reason),
    any_value(encode(stored.raw)), any_value(stored.place)
from misjudged
join {live_rows} as stored on stored.segment = misjudged.segment and stored.row_no = misjudged.row_no
where misjudged.reason is not null
group by misjudged.file_id, misjudged.record_no
"""

_BOOK = """
update files set n_events = files.n_events - gone.n_events, n_quarantined = n_quarantined + gone.n_records
from (
    select file_id, count(*) as n_events, count(distinct record_no) as n_records
    from misjudged
    where reason is not null
    group by file_id
) as gone
where gone.file_id = files.file_id
"""


class _Judged(NamedTuple):
    """What one verdict is of."""

    file_id: str
    source: str
    log: str
    place: str | None


def judge_again(home: OpenHome) -> int:
    """Bring the voice of all events to what the configuration says now; returns for how many it was another."""
    con, origins = home.warehouse.con, home.options().origins
    present = _fingerprint(origins)
    if fetch_row(con, "select 1 from judged_by where verdicts = ?", [present]):
        return 0
    with home.warehouse.transaction():
        n_changed = _judge(home, origins)
        con.execute("delete from judged_by")
        con.execute("insert into judged_by values (?)", [present])
    if n_changed:
        watcher().say(f"the places of {n_changed:,} events were judged anew, by other origins than before")
    retry(home, only_misplaced=True)
    home.warehouse.segments.compact()
    return n_changed


def _fingerprint(origins: Origins) -> str:
    """Of all that a verdict depends on besides the event."""
    sources = [
        (name, source.voice, source.is_granting, source.delivered_in) for name, source in registry.sources().items()
    ]
    return hashlib.sha256(repr((VERDICTS_VERSION, origins.places, sources)).encode()).hexdigest()[:16]


def _judge(home: OpenHome, origins: Origins) -> int:
    con, segments = home.warehouse.con, home.warehouse.segments
    verdicts = _other_verdicts(home, origins)
    if not verdicts:
        return 0
    live_rows = segments.live_rows(segments.paths())
    columns = [*zip(*verdicts, strict=True), *zip(*verdicts.values(), strict=True)]
    names = (*_Judged._fields, "voice", "reason")
    table = pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    with registered(con, "verdicts", table):
        con.execute(_MISJUDGED.format(live_rows=live_rows))
    book_to_files(con)
    con.execute(_TO_QUARANTINE.format(live_rows=live_rows))
    con.execute(_BOOK)
    segments.mark_deleted("(select segment, row_no from misjudged where reason is not null)")
    for (name,) in con.execute("select distinct segment from misjudged where reason is null").fetchall():
        segments.replace_rows(name, lambda events: _with_voices(events, verdicts))
    segments.refresh_view()
    home.engine.touch_readers("events", "select distinct event_hour from misjudged")
    for changed in ("events", "files", "quarantine"):
        home.warehouse.bump_version(changed)
    counted = fetch_row(con, "select count(*) from misjudged")
    assert counted is not None
    return int(counted[0])


def _other_verdicts(home: OpenHome, origins: Origins) -> dict[_Judged, tuple[str, str | None]]:
    """(voice, why it goes to quarantine) of what is judged otherwise now than it stands."""
    sources = registry.sources()
    found: dict[_Judged, tuple[str, str | None]] = {}
    for file_id, path, root, source, log, place, voice in home.warehouse.con.execute(_JUDGED).fetchall():
        if source not in sources:
            continue
        verdict = origins.of_file(path, root).verdict(sources[source], log, place)
        if verdict.voice != voice or verdict.bound_to:
            found[_Judged(file_id, source, log, place)] = verdict.voice, verdict.reason(source)
    return found


def _with_voices(events: pa.Table, verdicts: Mapping[_Judged, tuple[str, str | None]]) -> pa.Table:
    whose = zip(*(events[name].to_pylist() for name in _Judged._fields), strict=True)
    stand = events["voice"].to_pylist()
    voices = [verdicts[_Judged(*key)][0] if key in verdicts else voice for key, voice in zip(whose, stand, strict=True)]
    at = events.schema.get_field_index("voice")
    return events.set_column(at, "voice", pa.array(voices, pa.string()))
