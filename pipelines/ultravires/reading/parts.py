"""What reading gives, part by part: of some small files all at once, of a large one in its turn."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa

from ultravires.formats.decompressing import FileBytes
from ultravires.reading.file_content import HeldFile
from ultravires.reading.files import Quarantined
from ultravires.reading.growing import ReadOn, falls_into_lines
from ultravires.reading.input_file import (
    InputFile,
    LostFile,
    hold_file,
    lines_of,
    read_file,
    recognise_log,
    refuse_unready,
)
from ultravires.reading.locations import Location
from ultravires.reading.options import Options
from ultravires.reading.origins import FileOrigin
from ultravires.reading.small_files import SmallFiles
from ultravires.reading.source import Source
from ultravires.store.segment_files import Written

LARGE_FILE = 64 << 20
STREAMED_BYTES = 16 << 20
"""Bytes of Arrow and of quarantined records after which a file that is read alone is handed over in parts."""
TASK_BYTES = 40 << 20
LEAST_TASK_BYTES = 12 << 20
TASK_FILES = 1_000
"""What is read at once, as it is likely to unpack: enough that asking for it and writing it costs little."""
TASK_SHARE = 1 / 8
"""Of what is left to read: tasks grow smaller towards the end, so that all processes end together (guided
self-scheduling, Polychronopoulos and Kuck 1987).
"""
PACKED = (".gz", ".zst", ".bz2", ".xz", ".tgz")
UNPACKS_TO = 12
"""Times its size, of a log with such a name. A name that misleads costs some time and no record."""
SMALL_FILE = 256 << 10
SMALL_UNPACKED = 4 << 20
"""Up to here a file shares its batch with others, if what it unpacks to is small too."""
REQUESTS_AT_ONCE = 16
"""Of each process to an object store."""


@dataclass
class Part:
    """What one step of reading gives: `n_locations` that are done with it.

    `events` are SOURCE_COLUMNS and file_id, or another process wrote them to segments already.

    A `streamed` location comes in several parts, one after another, with the same objects in `files`; it can be lost
    after some of them.
    """

    n_locations: int = 0
    files: list[InputFile] = field(default_factory=list)
    events: list[pa.RecordBatch] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    refused: list[tuple[InputFile, Quarantined]] = field(default_factory=list)
    lost: list[LostFile] = field(default_factory=list)
    streamed: Location | None = None

    def add(self, file: InputFile) -> None:
        """Takes what is pending of `file`."""
        if not self.files or self.files[-1] is not file:
            self.files.append(file)
        self.events += file.pending
        self.refused += [(file, refused) for refused in file.refused]
        file.pending, file.refused = [], []

    def extend(self, later: "Part") -> None:
        self.files += later.files
        self.events += later.events
        self.refused += later.refused
        self.lost += later.lost


def is_large(location: Location) -> bool:
    """Whether the file has to be read alone, batch by batch."""
    return _left_of(location) >= LARGE_FILE


def _left_of(location: Location) -> int:
    """Bytes that were not read before; to hash the others costs little."""
    read = location.before.lines.n_bytes if isinstance(location, ReadOn) else 0
    return max(0, location.listed.size - read)


def likely_bytes(location: Location) -> int:
    """How much there is likely to read of it, unpacked."""
    return _left_of(location) * (UNPACKS_TO if location.stored_path.endswith(PACKED) else 1)


def tasks(locations: Sequence[Location], first_bytes: int = TASK_BYTES) -> Iterator[list[Location]]:
    """Locations in their order: a large one alone, small ones together; the first task holds about `first_bytes`."""
    task: list[Location] = []
    size, most = 0, first_bytes
    left = sum(map(likely_bytes, locations))
    for location in locations:
        is_alone = is_large(location)
        likely = likely_bytes(location)
        if task and (is_alone or size + likely > most or len(task) >= TASK_FILES):
            yield task
            left -= size
            task, size, most = [], 0, min(TASK_BYTES, max(LEAST_TASK_BYTES, int(left * TASK_SHARE)))
        task.append(location)
        size += likely
        if is_alone:
            yield task
            left -= size
            task, size = [], 0
    if task:
        yield task


def read_alone(location: Location, sources: Sequence[Source], options: Options) -> Iterator[Part]:
    """One part where little is in the file, else a streamed part for each of its batches."""
    part, held = Part(), 0
    try:
        for file in read_file(location, sources, options):
            held += _held(file)
            part.add(file)
            if held > STREAMED_BYTES:
                part.streamed = location
                yield part
                part, held = Part(streamed=location), 0
    except LostFile as lost:
        part = Part(lost=[lost], streamed=part.streamed)
    part.n_locations = 1
    yield part


def read_together(task: Sequence[Location], sources: Sequence[Source], options: Options, most: int) -> Part:
    """What the first locations of `task` hold: all of them, or as many as hold about `most` bytes.

    None at all (`n_locations` is 0) where the first one holds more: then it has to be read alone.
    """
    return _Together(sources, options, most).read(task)


@contextmanager
def _held_ahead(task: Sequence[Location]) -> "Iterator[dict[Location, Future[tuple[InputFile, HeldFile]]]]":
    """Small remote files on their way into memory, many at once: a store answers late, but answers many.

    Only for a process that can be ended at any time; who answers Ctrl-C must not wait for threads.
    """
    small = [location for location in task if location.is_remote and location.listed.size <= SMALL_FILE]
    remote = [location for location in small if not isinstance(location, ReadOn)]
    if len(remote) < 2 or multiprocessing.parent_process() is None:
        yield {}
        return
    with ThreadPoolExecutor(min(REQUESTS_AT_ONCE, len(remote))) as threads:
        yield {location: threads.submit(hold_file, location) for location in remote}


class _Together:
    def __init__(self, sources: Sequence[Source], options: Options, most: int) -> None:
        self._sources = sources
        self._options = options
        self._most = most
        self._part = Part()
        self._held = 0
        self._gathered: dict[tuple[str, FileOrigin], SmallFiles] = {}
        self._held_already: dict[Location, Future[tuple[InputFile, HeldFile]]] = {}

    def read(self, task: Sequence[Location]) -> Part:
        with _held_ahead(task) as self._held_already:
            self._read(task)
        return self._part

    def _read(self, task: Sequence[Location]) -> None:
        for location in task:
            gathered = sum(files.n_bytes for files in self._gathered.values())
            if self._part.n_locations and self._held + gathered > self._most // 2:
                break
            try:
                is_read = self._gather(location) or self._read_one(location)
            except LostFile as lost:
                self._part.lost.append(lost)
                is_read = True
            if not is_read:
                break
            self._part.n_locations += 1
        for files in list(self._gathered.values()):
            self._finish(files)

    def _gather(self, location: Location) -> bool:
        """Read a small file into the batch of its source; false where it is not one of those."""
        if location.listed.size > SMALL_FILE or isinstance(location, ReadOn):
            return False
        ahead = self._held_already.pop(location, None)
        file, content = ahead.result() if ahead else hold_file(location)
        bytes_ = FileBytes(content, self._options)
        data = bytes_.head(SMALL_UNPACKED + 1)
        source = recognise_log(data, self._sources) if len(data) <= SMALL_UNPACKED else None
        if source is None:
            return False
        file.source, file.sha256 = source.name, content.sha256()
        file.note_damage(bytes_.damage)
        if not bytes_.is_packed and falls_into_lines(data, is_wrapped=False):
            data = self._whole_lines(file, data, source)
        refuse_unready(location, file, is_changed=content.is_changed)
        origin = self._options.origins.of_file(file.stored_path)
        if (source.name, origin) not in self._gathered:
            self._gathered[source.name, origin] = SmallFiles(source, self._options, origin)
        files = self._gathered[source.name, origin]
        files.add(file, data, bytes_.damage)
        self._part.files.append(file)
        if files.is_full:
            self._finish(files)
        return True

    def _whole_lines(self, file: InputFile, data: bytes, source: Source) -> bytes:
        """The lines of a file that may grow; its counts of records without an id are known when it was read."""
        lines = lines_of(file.stat, data, None, source, self._options, is_wrapped=False)
        data = b"".join(lines.chunks(iter([data])))
        file.lines = lines.read(data, is_wrapped=False, counts=b"")
        return data

    def _finish(self, files: SmallFiles) -> None:
        del self._gathered[files.source.name, files.origin]
        events, refused = files.finish()
        self._held += _memory_of([events]) + sum(len(record.raw) for _, record in refused)
        self._part.events += [events] if events.num_rows else []
        self._part.refused += refused

    def _read_one(self, location: Location) -> bool:
        """Read any other file; false, and nothing of it is kept, where it holds too much."""
        one, held = Part(), 0
        for file in read_file(location, self._sources, self._options):
            held += _held(file)
            one.add(file)
            if self._held + held > self._most:
                return False
        self._held += held
        self._part.extend(one)
        return True


def _held(file: InputFile) -> int:
    return _memory_of(file.pending) + sum(len(refused.raw) for refused in file.refused)


def _memory_of(batches: Sequence[pa.RecordBatch]) -> int:
    """Bytes of what they refer to, each once: `raw` of several may be views of one text."""
    buffers = (buffer for batch in batches for column in batch for buffer in column.buffers())
    return sum({buffer.address: buffer.size for buffer in buffers if buffer is not None}.values())
