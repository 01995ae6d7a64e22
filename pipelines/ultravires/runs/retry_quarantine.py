"""Reads the quarantined records again with the present readers: after an upgrade, what parses now becomes events.

All in one transaction. A record keeps its place (file and number) and moves in the manifest from quarantined to
events, duplicates or ignored, so records stay conserved. Only a record that was kept whole can be read again.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from ultravires import registry
from ultravires.reading.events import Frame
from ultravires.reading.options import Options
from ultravires.reading.origins import MISPLACED, FileOrigin
from ultravires.reading.source import Source
from ultravires.reading.splitting import KEPT_BYTES
from ultravires.runs.home import OpenHome
from ultravires.schema import EVENTS, UTC_MICROS
from ultravires.store.deduplicate import store_events
from ultravires.store.reread import RecordPlace, holds_redactions, read_again
from ultravires.store.tombstones import newest_tombstone

PAGE_ROWS = 1_000
"""Of at most 64 KB each: what is held in memory at once."""


# A record that lay in the place of another log is its own source's, whichever recognised the file.
_SOURCE = f"nullif(regexp_extract(reason, '^a record of (\\S+) {MISPLACED}', 1), '')"
_FILES = f"""
select distinct file_id, path, input, wrapper, coalesce({_SOURCE}, files.source) as reader
from quarantine join files using (file_id)
where not ? or {_SOURCE} is not null
order by path, reader
"""
_PAGE = f"""
select record_no, byte_offset, raw, place
from quarantine join files using (file_id)
where file_id = ? and record_no > ? and coalesce({_SOURCE}, files.source) = ?
order by record_no
limit ?
"""


@dataclass
class Retried:
    """What became of the records in quarantine; n_cut_off (too long, only the beginning kept) are part of n_staying.

    n_pruned: from before a tombstone, and not stored.
    """

    n_events: int = 0
    n_duplicates: int = 0
    n_ignored: int = 0
    n_pruned: int = 0
    n_staying: int = 0
    n_cut_off: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class _File:
    """One file's records while they are read again."""

    file_id: str
    source: Source
    origin: FileOrigin
    wrapper: str | None = None
    leaving: list[int] = field(default_factory=list)
    emitted: int = 0
    stored: int = 0
    pruned: int = 0
    ignored: int = 0

    @property
    def duplicates(self) -> int:
        return self.emitted - self.stored - self.pruned


def retry(home: OpenHome, *, only_misplaced: bool = False) -> Retried:
    """Read every record in quarantine again, in one transaction; what does not parse stays as it is. Or only those
    that lay in the place of another log.
    """
    result = Retried()
    sources = registry.sources()
    with home.warehouse.transaction() as con:
        origins = home.options().origins
        for file_id, path, root, wrapper, name in con.execute(_FILES, [only_misplaced]).fetchall():
            if name in sources:
                origin = origins.of_file(path, root)
                _retry_file(home, _File(file_id, sources[name], origin, wrapper), result)
        result.n_staying, result.n_cut_off = con.execute(
            "select count(*), count(*) filter (where octet_length(raw) >= ?) from quarantine", [KEPT_BYTES]
        ).fetchall()[0]
    home.warehouse.segments.compact()
    return result


def _retry_file(home: OpenHome, file: _File, result: Retried) -> None:
    options = home.options()
    tombstone = newest_tombstone(home.warehouse.con)
    for again in read_again(_records(home, file, options), file.source, options, file.origin):
        file.leaving += [place.record_no for place in (*again.evented, *again.ignored)]
        file.emitted += again.events.num_rows
        file.ignored += len(again.ignored)
        stored = store_events(home.engine, home.settings, _with_provenance(again.events), before=tombstone)
        file.stored += stored.new.total()
        file.pruned += stored.pruned.total()
    if file.leaving:
        _move_in_manifest(home, file)
    result.n_events += file.stored
    result.n_duplicates += file.duplicates
    result.n_ignored += file.ignored
    result.n_pruned += file.pruned


def _records(home: OpenHome, file: _File, options: Options) -> Iterator[tuple[RecordPlace, Frame]]:
    """The records of `file` that fall into exactly themselves; each page is fetched when the last one is through."""
    last = -1
    while page := home.warehouse.con.execute(
        _PAGE,
        [file.file_id, last, file.source.name, PAGE_ROWS],
    ).fetchall():
        last = page[-1][0]
        for record_no, offset, raw, place in page:
            frame = _only_frame(file.source, raw, options)
            if frame is not None:
                around = place or file.wrapper or frame.place
                yield RecordPlace(file.file_id, record_no), frame._replace(offset=offset or 0, place=around)


def _only_frame(source: Source, raw: bytes, options: Options) -> Frame | None:
    """The record that `raw` is; None where it is none, several, or the cut-off beginning of one."""
    if not 0 < len(raw) < KEPT_BYTES:
        return None
    frames = list(source.records(iter([raw]), options))
    if len(frames) != 1 or frames[0].reason is not None or frames[0].data.strip() != raw.strip():
        return None
    return frames[0]


def _with_provenance(events: pa.Table) -> pa.Table:
    # A hash of arguments whose secrets were already redacted equals no hash of the same arguments elsewhere.
    known = pc.if_else(holds_redactions(events), pa.scalar(None, pa.string()), events["args_hash"])
    stamp = pa.array([datetime.now(UTC)] * events.num_rows, UTC_MICROS)
    columns = {name: events[name] for name in events.column_names} | {"args_hash": known, "ingested_at": stamp}
    return pa.table(columns).select(EVENTS.names).cast(EVENTS)


def _move_in_manifest(home: OpenHome, file: _File) -> None:
    con = home.warehouse.con
    con.execute(
        "delete from quarantine where file_id = ? and record_no in (select unnest(?))", [file.file_id, file.leaving]
    )
    con.execute(
        "update files set n_events = n_events + ?, n_duplicates = n_duplicates + ?, n_ignored = n_ignored + ?, "
        "n_pruned = n_pruned + ?, n_quarantined = n_quarantined - ? where file_id = ?",
        [file.stored, file.duplicates, file.ignored, file.pruned, len(file.leaving), file.file_id],
    )
    home.warehouse.bump_version("quarantine")
    home.warehouse.bump_version("files")
