"""Which of the listed files are read, and from where on: new ones, those that grew, those that hold another content.

A file goes on if its beginning is what was read of it, under its own path, in its folder under another name, or in
another folder of the same origin under a name that begins as its own: so rotated logs are known again, also copied and
packed. What stands under the old path then is a file of its own.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import duckdb

from ultravires import registry
from ultravires.formats.decompressing import FileBytes
from ultravires.reading.growing import Before, LinesRead, ReadAnew, ReadOn, beginnings, is_settled
from ultravires.reading.head import HEAD_BYTES
from ultravires.reading.input_file import file_id_of, is_recognised_as
from ultravires.reading.locations import Location, Skipped, SomeMembers
from ultravires.reading.options import Options
from ultravires.store.queries import fetch_row

MOST_CANDIDATES = 64
"""Files of a folder of which one may have got another name; the youngest are looked at."""

_BLOCK = 1 << 20

_FILES = """
select
    file_id, path, size, modified_ns, state, readers is distinct from ? as is_other_readers, source, wrapper,
    n_records, n_bytes, sha256
from files
left join unrecognised_by using (path)
"""
_LINES = (
    "select n_bytes, sha256, is_wrapped, is_document, is_unfinished, n_behind, counts from lines_read where file_id = ?"
)


class Known(NamedTuple):
    """A file of the manifest."""

    file_id: str
    path: str
    size: int
    modified_ns: int
    state: str
    is_other_readers: bool
    """Whether other readers than ours looked at it; tells something of an unrecognised file only."""
    source: str | None
    wrapper: str | None
    n_records: int
    n_bytes: int | None
    sha256: str | None


@dataclass
class ToRead:
    """What is to be read, what was replaced by which new content (by path), and what else there is to say."""

    locations: list[Location] = field(default_factory=list)
    replaced: dict[str, Known] = field(default_factory=dict)
    changed: list[Location] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    grown: set[str] = field(default_factory=set)
    """Of those paths the ones where what was read still stands, and all is read again with what follows it."""
    listed: Collection[str] = ()
    """Where files are, as the manifest knows them."""


class KnownFiles:
    """The manifest as it stands before a load."""

    def __init__(self, con: duckdb.DuckDBPyConnection, readers: str, options: Options) -> None:
        self._con = con
        self._options = options
        every = [Known(*row) for row in con.execute(_FILES, [readers]).fetchall()]
        self._ids = {file.file_id for file in every}
        self._by_path = {file.path: file for file in every if file.state != "replaced"}
        self._unfinished = {
            file_id for (file_id,) in con.execute("select file_id from lines_read where is_unfinished").fetchall()
        }

    def to_read(self, listed: Iterable[Location | Skipped]) -> ToRead:
        """What of the listed files is new, or goes on, or is there instead of another."""
        found = ToRead()
        retried = _unrecognised_members(self._by_path)
        new: list[Location] = []
        lost: list[tuple[Location, Known]] = []
        order: dict[str, int] = {}
        for location in listed:
            if isinstance(location, Skipped):
                found.skipped.append(location)
                continue
            path = location.stored_path
            order[path] = len(order)
            before = self._by_path.get(path)
            if before is None:
                new.append(location)
            elif (before.size, before.modified_ns) == location.listed:
                found.locations += self._unchanged(location, before, retried)
            elif before.state == "unrecognised":
                new.append(location)
            elif before.state == "archive":
                found.changed.append(location)
            elif not self._standing(location, [before]):
                lost.append((location, before))
            elif self._is_recognised_as_before(location, before):
                found.locations.append(self._on(location, before))
            else:
                found.locations.append(self._unused(location))
                found.replaced[path] = before
                found.grown.add(path)
        self._follow(found, new, lost, order.keys())
        found.listed = order.keys()
        found.locations.sort(key=lambda location: order[location.stored_path])
        return found

    def _unchanged(self, location: Location, before: Known, retried: Mapping[str, set[str]]) -> Iterator[Location]:
        if before.state == "unrecognised":
            if before.is_other_readers:
                yield location
        elif before.path in retried:
            yield SomeMembers(location, frozenset(retried[before.path]))
        elif before.file_id in self._unfinished and is_settled(location.listed):
            yield self._on(location, before)

    def _follow(
        self, found: ToRead, new: Sequence[Location], lost: Sequence[tuple[Location, Known]], seen: Collection[str]
    ) -> None:
        """Look among what is under new names, or where something else was, for what is no more where it was."""
        homeless = _by_folder(
            file
            for file in (*(before for _, before in lost), *(f for p, f in self._by_path.items() if p not in seen))
            if file.n_bytes and not file.path.startswith("bytes:") and "://" not in file.path and file.state == "loaded"
        )
        taken: set[str] = set()
        others: dict[str, Known] = {location.stored_path: before for location, before in lost}
        every = (*(location for location, _ in lost), *new)
        instead = self._take_up(found, every, lambda location: homeless.get(_folder(location.stored_path), ()), taken)
        moved = _by_name(file for files in homeless.values() for file in files if file.path in others)
        instead = self._take_up(found, instead, lambda location: self._named_after(location, moved), taken)
        for location in instead:
            path = location.stored_path
            found.locations.append(self._unused(location))
            if path in others and others[path].file_id not in taken:
                found.replaced[path] = others[path]
                if _is_longer(location, others[path]):
                    found.grown.add(path)

    def _take_up(
        self,
        found: ToRead,
        locations: Iterable[Location],
        candidates_of: Callable[[Location], Iterable[Known]],
        taken: set[str],
    ) -> list[Location]:
        """Go on with the files that were read as one of their candidates; returns the others."""
        instead: list[Location] = []
        for location in locations:
            candidates = [file for file in candidates_of(location) if file.file_id not in taken]
            before = self._known_as(location, candidates) if candidates and not location.is_remote else None
            if before is None:
                instead.append(location)
            else:
                taken.add(before.file_id)
                found.locations.append(self._on(location, before))
        return instead

    def _named_after(self, location: Location, moved: Mapping[str, Sequence[Known]]) -> Iterator[Known]:
        """Logs that hold something else now, and whose rotated content may lie here, where it is believed alike."""
        path, origins = location.stored_path, self._options.origins
        name = os.path.basename(path)  # noqa: PTH119 - no Path per small file
        for stem, files in moved.items():
            if stem and name.startswith(stem):
                yield from (file for file in files if origins.of_file(file.path) == origins.of_file(path))

    def _known_as(self, location: Location, candidates: Sequence[Known]) -> Known | None:
        """The file of which the most is the beginning of this one."""
        return max(self._standing(location, candidates), key=lambda file: file.n_bytes or 0, default=None)

    def _standing(self, location: Location, candidates: Sequence[Known]) -> list[Known]:
        """Those with which the file begins."""
        sizes = [file.n_bytes for file in candidates if file.n_bytes is not None]
        try:
            hashes = beginnings(FileBytes(location, self._options).chunks(), sizes)
        except OSError:
            return []  # whoever reads it says why not
        return [
            file
            for file in candidates
            if file.n_bytes is not None and hashes.get(file.n_bytes) == self._lines(file).sha256
        ]

    def _is_recognised_as_before(self, location: Location, before: Known) -> bool:
        """A few lines may look like another log than the whole is."""
        try:
            head = FileBytes(location, self._options).head(HEAD_BYTES)
        except OSError:
            return True  # whoever reads it says why not
        return is_recognised_as(head, self._on(location, before).before, tuple(registry.sources().values()))

    def _on(self, location: Location, before: Known) -> ReadOn:
        assert before.source is not None
        return ReadOn(
            location,
            Before(before.file_id, before.source, before.wrapper, before.n_records, self._lines(before)),
        )

    def _lines(self, file: Known) -> LinesRead:
        row = fetch_row(self._con, _LINES, [file.file_id])
        assert row is not None
        return LinesRead(*row)

    def _unused(self, location: Location) -> Location:
        """The location under an id that no content of its path had."""
        generation = 0
        while file_id_of(location.stored_path, location.listed, generation) in self._ids:
            generation += 1
        return ReadAnew(location, generation) if generation else location


def _is_longer(location: Location, before: Known) -> bool:
    """Whether a document is as it was, with something behind it."""
    if before.n_bytes is not None or before.size >= location.listed.size:
        return False
    try:
        with location.open() as stream:
            found = beginnings(iter(lambda: stream.read(_BLOCK), b""), [before.size])
    except OSError:
        return False
    return found.get(before.size) == before.sha256


def _by_folder(files: Iterable[Known]) -> dict[str, list[Known]]:
    """The youngest files of each folder."""
    found: defaultdict[str, list[Known]] = defaultdict(list)
    for file in sorted(files, key=lambda file: file.modified_ns, reverse=True):
        of_folder = found[_folder(file.path)]
        if len(of_folder) < MOST_CANDIDATES:
            of_folder.append(file)
    return found


def _by_name(files: Iterable[Known]) -> dict[str, list[Known]]:
    """By the name without its last suffix, of which rotation makes the name in another folder."""
    found: defaultdict[str, list[Known]] = defaultdict(list)
    for file in files:
        of_name = found[_stem(file.path)]
        if len(of_name) < MOST_CANDIDATES:
            of_name.append(file)
    return found


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 - no Path per small file


def _folder(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120 - no Path per small file


def _unrecognised_members(known: Mapping[str, Known]) -> dict[str, set[str]]:
    """Archive -> its members that other readers than ours did not recognise, all as stored paths."""
    found: dict[str, set[str]] = {}
    for path, file in known.items():
        if file.state == "unrecognised" and file.is_other_readers and "!" in path:
            parts = path.split("!")
            archives = ("!".join(parts[:n]) for n in range(1, len(parts)))
            archive = next((name for name in archives if name in known and known[name].state == "archive"), None)
            if archive is not None:
                found.setdefault(archive, set()).add(path)
    return found
