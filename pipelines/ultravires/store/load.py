"""From files to `events`, `files`, `quarantine` and `touched`, one transaction a group of files.

A file's rows, its line in the manifest and the hours it touches commit together, so a crash or a repeat loads
nothing twice. A file that grew is read on (`store.known_files`); one that holds another content than it did is read as
a file of its own, and what was there is noted. One that no source recognised is tried again when it changed, and after
an upgrade.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
from ultravires.store.file_manifest import FileManifest
from ultravires.store.known_files import KnownFiles, ToRead
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

    manifest: FileManifest
    """Of the load that is going on."""

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
        self.readers = readers_fingerprint()

    def load(self, where: InputPlace) -> LoadCounts:
        """Load what is new at `where`; raises UsageError or RunError when nothing can be listed there."""
        warehouse, found = self.engine.warehouse, self._to_read(where)
        self.manifest = FileManifest(
            warehouse, where.absolute(), self.readers, self.ingested_at, found.replaced, found.grown
        )
        parts = self._with_progress(self.read(found.locations, self.ingested_at), len(found.locations))
        part = next(parts, None)
        while part is not None:
            part = self._load_group(_Group(), part, parts)
        warehouse.segments.compact()
        note_unread(warehouse, where.absolute(), found.listed, self._passed_over(), now=self.ingested_at)
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

    def _to_read(self, where: InputPlace) -> ToRead:
        """Files that are new or go on, and those that no source recognised, if they or our readers are others now."""
        options = Options(hash_key=b"none", **self.settings.limits.model_dump())
        found = KnownFiles(self.con, self.readers, options).to_read(where.files())
        self.counts.skipped += found.skipped
        self.counts.changed += map(str, found.changed)
        return found

    def _load_group(self, group: "_Group", part: Part | None, parts: Iterator[Part]) -> Part | None:
        """Load parts that commit together, the first of them `part`; returns the first that does not belong to them.

        A file that is lost after some of its rows were stored has a transaction of its own, which is rolled back.
        """
        self.manifest.pruned.clear()
        try:
            with self.engine.warehouse.transaction():
                while part is not None and group.takes(part):
                    self.manifest.take_back(group.add(part))
                    group.written += [self.engine.warehouse.segments.adopt(written) for written in part.written]
                    if group.is_lost:
                        raise _Lost
                    if len(group.refused) >= FLUSH_REFUSED:
                        self._store_quarantine(group)
                    if group.n_held >= FLUSH_ROWS:
                        self._flush(group)
                    part = next(parts, None)
                self._flush(group)
                self.manifest.write(group.files)
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
        self.manifest.pruned += stored.pruned
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

    def _count(self, file: InputFile) -> None:
        self.counts.files += 1
        self.counts.records += file.records
        self.counts.emitted += file.emitted
        self.counts.events += file.events
        self.counts.duplicates += self.manifest.duplicates(file)
        self.counts.pruned += self.manifest.pruned[file.file_id]
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
