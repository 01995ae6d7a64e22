"""From files to `events`, `files`, `quarantine` and `touched`, one transaction a group of files.

A file's rows, its line in the manifest and the hours it touches commit together, so a crash or a repeat loads
nothing twice. A file that grew is read on (`store.known_files`); one that holds another content than it did is read as
a file of its own, and what was there is noted. One that no source recognised is tried again when it changed, and after
an upgrade.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from ultravires import __version__, registry
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.reading.files import Quarantined
from ultravires.reading.input_file import InputFile, LostFile
from ultravires.reading.locations import InputPlace, Location, Skipped
from ultravires.reading.options import Options
from ultravires.reading.parts import Part
from ultravires.reading.pool import ReadFiles
from ultravires.reading.splitting import TOO_LONG
from ultravires.reading.unwrapping import UNWRAPPING_VERSION
from ultravires.settings import Settings
from ultravires.store.deduplicate import store_segments
from ultravires.store.known_files import Known, KnownFiles
from ultravires.store.queries import fetch_row, registered
from ultravires.store.segment_files import Written, with_provenance
from ultravires.store.tombstones import newest_tombstone
from ultravires.store.unread import Unread, absolute, note_unread

FLUSH_ROWS = 61_440
"""Rows held in memory, after which they are written to a segment."""
FLUSH_REFUSED = 500
"""Records in quarantine of up to 64 KB each that are stored at once."""
GROUP_ROWS = 122_880
GROUP_FILES = 4_000
"""After which a transaction ends. A file that comes in several parts has a transaction of its own."""

Progress = Callable[[str, int, int], None]
"""progress(what, done, total)"""


@dataclass
class LoadCounts:
    """What one load did. records emit events stored, duplicates, pruned and quarantined; ignored ones hold no event.

    pruned: from before a tombstone, and not stored.
    """

    files: int = 0
    records: int = 0
    emitted: int = 0
    events: int = 0
    duplicates: int = 0
    pruned: int = 0
    quarantined: int = 0
    ignored: int = 0
    unrecognised: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)
    silent: list[Skipped] = field(default_factory=list)
    """Files of a known log that gave no event, nothing in quarantine and no duplicate, and what was in them instead."""
    ignored_as: Counter[str] = field(default_factory=Counter)
    """Why how many records of a known log hold no event."""
    skipped: list[Skipped] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    """Files that were read up to a last line that is still being written."""
    unreadable: list[Skipped] = field(default_factory=list)


class Loader:
    """Loads the new files of a place into an open warehouse."""

    def __init__(self, engine: DuckDBEngine, settings: Settings, read: ReadFiles, progress: Progress) -> None:
        """`read` gives what some files hold, in their order (`reading.pool`)."""
        self.engine = engine
        self.con = engine.con
        self.settings = settings
        self.read = read
        self.progress = progress
        self.ingested_at = datetime.now(UTC)
        self.counts = LoadCounts()
        self.tombstone = newest_tombstone(self.con)
        self.pruned: Counter[str] = Counter()
        """Events that the tombstone keeps out, by file_id, of the open transaction."""
        self.readers = readers_fingerprint()
        self.input = ""
        self.replaced: dict[str, Known] = {}
        """What a path held before, of those that hold another content now."""
        self.grown: Collection[str] = ()
        self.listed: Collection[str] = ()

    def load(self, where: InputPlace) -> LoadCounts:
        """Load what is new at `where`; raises UsageError or RunError when nothing can be listed there."""
        self.input = where.absolute()
        new = self._to_read(where)
        parts = self._with_progress(self.read(new, self.ingested_at), len(new))
        part = next(parts, None)
        while part is not None:
            part = self._load_group(_Group(), part, parts)
        self.engine.warehouse.segments.compact()
        note_unread(self.engine.warehouse, where.absolute(), self.listed, self._passed_over(), now=self.ingested_at)
        return self.counts

    def _passed_over(self) -> list[Unread]:
        """What this load did not read, but for what stands in the manifest."""
        counts = self.counts
        changed = [Skipped(path, "changed since it was loaded, not read again") for path in counts.changed]
        waiting = [Skipped(path, "still being written") for path in counts.waiting]
        of_states = {"skipped": counts.skipped, "unreadable": counts.unreadable, "waiting": waiting, "changed": changed}
        return [absolute(one, state) for state, every in of_states.items() for one in every]

    def _with_progress(self, parts: Iterator[Part], n_new: int) -> Iterator[Part]:
        """The parts as they come, and to whoever watches how many files they were."""
        done = 0
        for part in parts:
            done += part.n_locations
            self.progress("reading files", done, n_new)
            yield part

    def _to_read(self, where: InputPlace) -> list[Location]:
        """Files that are new or go on, and those that no source recognised, if they or our readers are others now."""
        options = Options(hash_key=b"none", **self.settings.limits.model_dump())
        found = KnownFiles(self.con, self.readers, options).to_read(where.files())
        self.counts.skipped += found.skipped
        self.counts.changed += map(str, found.changed)
        self.replaced, self.grown, self.listed = found.replaced, found.grown, found.listed
        return found.locations

    def _load_group(self, group: "_Group", part: Part | None, parts: Iterator[Part]) -> Part | None:
        """Load parts that commit together, the first of them `part`; returns the first that does not belong to them.

        A file that is lost after some of its rows were stored has a transaction of its own, which is rolled back.
        """
        self.pruned.clear()
        try:
            with self.engine.warehouse.transaction():
                while part is not None and group.takes(part):
                    self._take_back(group.add(part))
                    group.written += [self.engine.warehouse.segments.adopt(written) for written in part.written]
                    if group.is_lost:
                        raise _Lost
                    if len(group.refused) >= FLUSH_REFUSED:
                        self._store_quarantine(group)
                    if group.n_held >= FLUSH_ROWS:
                        self._flush(group)
                    part = next(parts, None)
                self._flush(group)
                self._write_manifest(group.files)
        except _Lost:
            part = next(parts, None)
        else:
            for file in group.files:
                self._count(file)
        for lost in group.lost:
            if lost.is_growing:
                self.counts.waiting.append(str(lost))
            else:
                self.counts.unreadable.append(Skipped(str(lost.location), lost.reason))
        return part

    def _flush(self, group: "_Group") -> None:
        """Store the waiting rows of `group` inside the open transaction."""
        self._store_quarantine(group)
        if group.events:
            table = with_provenance(group.events, self.ingested_at)
            group.written.append(self.engine.warehouse.segments.write([table]))
        if not group.written:
            return
        stored = store_segments(self.engine, self.settings, group.written, before=self.tombstone)
        self.pruned += stored.pruned
        by_id = {file.file_id: file for file in group.files}
        for file_id, n in stored.new.items():
            by_id[file_id].events += n
        group.events, group.written, group.n_held = [], [], 0

    def _store_quarantine(self, group: "_Group") -> None:
        rows = [
            (file.file_id, record.log, record.record_no, record.byte_offset, record.reason, record.raw, record.place)
            for file, record in group.refused
        ]
        for file, record in group.refused:
            line = f"{file.path}: {record.reason}"
            if record.reason.startswith(TOO_LONG) and line not in self.counts.too_long[-1:]:
                self.counts.too_long.append(line)
        if rows:
            self.con.executemany("insert into quarantine values (?, ?, ?, ?, ?, ?, ?)", rows)
            self.engine.warehouse.bump_version("quarantine")
        group.refused = []

    def _write_manifest(self, files: list[InputFile]) -> None:
        self._note_lines(files)
        self._note_replaced(files)
        if on := [file for file in files if file.before is not None]:
            self._write_on(on)
        self._write_new([file for file in files if file.before is None])

    def _write_on(self, files: list[InputFile]) -> None:
        """Add to the lines of files in the manifest what was read of them now."""
        for file in files:
            row = fetch_row(self.con, "select ignored_as from files where file_id = ?", [file.file_id])
            ignored_as = Counter(msgspec.json.decode(row[0]) if row and row[0] else {}) + file.ignored_as
            counts = [file.records, file.events, self._duplicates(file), self.pruned[file.file_id], file.quarantined]
            stands = [file.stored_path, *file.stat, file.sha256, file.message, _reasons(ignored_as), _n_bytes(file)]
            self.con.execute(_WRITE_ON, [*counts, file.ignored, *stands, self.input, self.ingested_at, file.file_id])
        self.engine.warehouse.bump_version("files")

    def _write_new(self, files: list[InputFile]) -> None:
        if not files:
            return
        columns = {
            "file_id": [file.file_id for file in files],
            "path": [file.stored_path for file in files],
            "size": [file.stat.size for file in files],
            "modified_ns": [file.stat.modified_ns for file in files],
            "sha256": [file.sha256 for file in files],
            "source": [file.source for file in files],
            "state": [file.state for file in files],
            "n_records": [file.records for file in files],
            "n_events": [file.events for file in files],
            "n_duplicates": [self._duplicates(file) for file in files],
            "n_pruned": [self.pruned[file.file_id] for file in files],
            "n_quarantined": [file.quarantined for file in files],
            "n_ignored": [file.ignored for file in files],
            "loaded_at": [self.ingested_at] * len(files),
            "message": [file.message for file in files],
            "input": [self.input] * len(files),
            "wrapper": pa.array([file.wrapper for file in files], pa.string()),
            "ignored_as": pa.array([_reasons(file.ignored_as) for file in files], pa.string()),
            "n_bytes": pa.array([_n_bytes(file) for file in files], pa.int64()),
        }
        self.con.register("manifest_rows", pa.table(columns))
        self.con.execute(
            "delete from files where state in ('unrecognised', 'archive') and path in (select path from manifest_rows)"
        )
        self.con.execute("delete from unrecognised_by where path in (select path from manifest_rows)")
        self.con.execute(
            "insert into unrecognised_by select path, ? from manifest_rows where state = 'unrecognised'", [self.readers]
        )
        self.con.execute("insert into files by name from manifest_rows")
        self.con.unregister("manifest_rows")
        self.engine.warehouse.bump_version("files")

    def _take_back(self, files: list[InputFile]) -> None:
        """What was read behind the last whole line of a file that went on after all is read again with its rest."""
        for file in files:
            if file.before is not None and file.before.lines.n_behind:
                behind = {"file_id": file.file_id, "n_bytes": file.before.lines.n_bytes}
                self.con.execute(_TAKE_BACK, {**behind, "n_behind": file.before.lines.n_behind})
                self.con.execute(_FORGET_BEHIND, behind)
                self.engine.warehouse.bump_version("quarantine")

    def _note_lines(self, files: list[InputFile]) -> None:
        """How far files were read to which lines can be added."""
        rows = [{"file_id": file.file_id, **asdict(file.lines)} for file in files if file.lines is not None]
        if not rows:
            return
        with registered(self.con, "lines_of_files", pa.Table.from_pylist(rows, _LINES_READ)):
            self.con.execute("insert or replace into lines_read by name from lines_of_files")

    def _note_replaced(self, files: list[InputFile]) -> None:
        """What was read under a path that holds another content now."""
        for file in files:
            before = self.replaced.get(file.stored_path)
            if before is None:
                continue
            n_again = self._duplicates(file)
            row = fetch_row(self.con, "select is_document from lines_read where file_id = ?", [before.file_id])
            is_log = row is not None and not row[0]
            what = ("rewritten" if n_again else "emptied") if is_log else "exported"
            what = "recognised" if is_log and file.stored_path in self.grown else what
            if file.stored_path in self.grown:
                self._forget_refused(before.file_id)
            self.con.execute("update files set state = 'replaced' where file_id = ?", [before.file_id])
            self.con.execute(
                "insert into replaced_files by name select ? as file_id, ? as replaced_by, ? as path, ? as source, "
                "? as what, ? as n_bytes, ? as n_again, ? as noticed_at",
                [
                    before.file_id,
                    file.file_id,
                    before.path,
                    before.source,
                    what,
                    before.n_bytes,
                    n_again,
                    self.ingested_at,
                ],
            )
            self.engine.warehouse.bump_version("replaced_files")

    def _forget_refused(self, file_id: str) -> None:
        """What could not be read of a document that only became longer is told of the whole one, if it still cannot."""
        self.con.execute(_TAKE_BACK, {"file_id": file_id, "n_bytes": 0, "n_behind": 0})
        self.con.execute(_FORGET_BEHIND, {"file_id": file_id, "n_bytes": 0})
        self.engine.warehouse.bump_version("quarantine")

    def _duplicates(self, file: InputFile) -> int:
        return file.emitted - file.events - self.pruned[file.file_id]

    def _count(self, file: InputFile) -> None:
        self.counts.files += 1
        self.counts.records += file.records
        self.counts.emitted += file.emitted
        self.counts.events += file.events
        self.counts.duplicates += self._duplicates(file)
        self.counts.pruned += self.pruned[file.file_id]
        self.counts.quarantined += file.quarantined
        self.counts.ignored += file.ignored
        self.counts.ignored_as.update({f"{file.source}: {reason}": n for reason, n in file.ignored_as.items()})
        if file.gave_nothing:
            self.counts.silent.append(Skipped(file.path, file.instead))
        if file.state == "unrecognised":
            self.counts.unrecognised.append(file.path)
        if file.lines is not None and file.lines.is_unfinished:
            self.counts.unfinished.append(file.path)
        if file.is_damaged:
            self.counts.damaged.append(f"{file.path}: {file.message}")


_LINES_READ = pa.schema(
    [
        pa.field("file_id", pa.string()),
        pa.field("n_bytes", pa.int64()),
        pa.field("sha256", pa.string()),
        pa.field("is_wrapped", pa.bool_()),
        pa.field("is_document", pa.bool_()),
        pa.field("is_unfinished", pa.bool_()),
        pa.field("n_behind", pa.int64()),
        pa.field("counts", pa.binary()),
    ]
)
_TAKE_BACK = """
update files set
    n_records = n_records - behind.n - least(n_ignored, greatest($n_behind - behind.n, 0)),
    n_quarantined = n_quarantined - behind.n,
    n_ignored = n_ignored - least(n_ignored, greatest($n_behind - behind.n, 0))
from (select count(*) as n from quarantine where file_id = $file_id and byte_offset >= $n_bytes) as behind
where files.file_id = $file_id
"""
_FORGET_BEHIND = "delete from quarantine where file_id = $file_id and byte_offset >= $n_bytes"
_WRITE_ON = """
update files set
    n_records = n_records + ?, n_events = n_events + ?, n_duplicates = n_duplicates + ?, n_pruned = n_pruned + ?,
    n_quarantined = n_quarantined + ?, n_ignored = n_ignored + ?, path = ?, size = ?, modified_ns = ?, sha256 = ?,
    message = ?, ignored_as = ?, n_bytes = ?, input = ?, loaded_at = ?
where file_id = ?
"""


def _n_bytes(file: InputFile) -> int | None:
    return file.lines.n_bytes if file.lines is not None else None


def _reasons(counts: Mapping[str, int]) -> str | None:
    """Why how many records were ignored, as JSON; None where nothing is to be said."""
    return msgspec.json.encode(dict(sorted(counts.items()))).decode() if counts else None


def readers_fingerprint() -> str:
    """Changes with the software, with any source of it, and with what can be unwrapped."""
    parts = [f"{name} {source.version}" for name, source in sorted(registry.sources().items())]
    parts += [f"unwrapping {UNWRAPPING_VERSION}", *registry.renamings()]
    return hashlib.sha256("\n".join([__version__, *parts]).encode()).hexdigest()[:16]


class _Lost(Exception):
    """Rolls the transaction of a streamed file back."""


@dataclass
class _Group:
    """Files that commit together: small ones by the batch, one that comes in several parts alone."""

    n_locations: int = 0
    n_rows: int = 0
    n_held: int = 0
    files: list[InputFile] = field(default_factory=list)
    events: list[pa.RecordBatch] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    refused: list[tuple[InputFile, Quarantined]] = field(default_factory=list)
    lost: list[LostFile] = field(default_factory=list)
    streamed: Location | None = None
    is_begun: bool = False

    @property
    def is_lost(self) -> bool:
        return self.streamed is not None and bool(self.lost)

    def takes(self, part: Part) -> bool:
        if not self.is_begun:
            return True
        if part.streamed is not self.streamed or (self.streamed is not None and self.n_locations):
            return False
        return self.streamed is not None or (self.n_rows < GROUP_ROWS and self.n_locations < GROUP_FILES)

    def add(self, part: Part) -> list[InputFile]:
        """Returns the files of which this is the first part."""
        n_files = len(self.files)
        self.is_begun, self.streamed = True, part.streamed
        self.n_locations += part.n_locations
        self.lost += part.lost
        for file in part.files:
            if not self.files or self.files[-1] is not file:
                self.files.append(file)
        self.events += part.events
        self.n_held += sum(batch.num_rows for batch in part.events)
        self.n_rows += sum(batch.num_rows for batch in part.events) + sum(one.n_rows for one in part.written)
        self.refused += part.refused
        return self.files[n_files:]
