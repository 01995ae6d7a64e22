"""What a log source is: a pure function from one file's bytes to events. No clock, no network, no database.

A new source is one file in `ultravires.sources` that defines SOURCE. It says how to recognise the log by its
content, how the file falls into records (`ultravires.reading.framing`), and what one decoded record means (`events`).
Everything else (decompression, limits, redaction, quarantine, ids, columns) is done once for all sources in
`ultravires.reading.files`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ultravires.reading.dotted_names import has_objects_apart
from ultravires.reading.events import Event, Frame
from ultravires.reading.head import Head
from ultravires.reading.object_fields import tree_of, with_objects
from ultravires.reading.options import Options
from ultravires.reading.plain_records import Record

Voice = Literal["recorded", "reported", "declared"]
_GRANTING = frozenset({"approval", "decision"})


@dataclass(frozen=True)
class Source:
    """A log source.

    `reads` says in one line which files it takes, `recognised_by` by what it knows them. `grade` is `verified` where it
    was read against real records, else `documentation`, and then `documented_at` is the day (ISO) on which its page was
    read. `evidence_kinds` are the kinds whose absence from this log means something; `join_keys` the kinds of keys that
    its events may hold. `voice` is who speaks in the log: `recorded` where a system writes it that its subject cannot
    write to, `reported` where the subject tells of itself, `declared` where a configuration says it.
    """

    name: str
    log: str
    version: int
    title: str
    reads: str
    recognised_by: str
    grade: Literal["verified", "documentation"]
    documentation: str
    documented_at: str
    evidence_kinds: tuple[str, ...]
    voice: Voice
    join_keys: tuple[str, ...]
    recognise: Callable[[Head], bool]
    records: Callable[[Iterator[bytes], Options], Iterator[Frame]]
    events: Callable[[Any, Options], Iterable[Event]]
    """What one record means; it takes a `record`, or a dictionary where the source has none."""
    claim: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None
    """For a log that is delivered in one file with others: a record as `events` takes it, without the secrets that only
    this source knows of; None where it is not this log's. No record is claimed by two sources, and a claimed record is
    claimed again as it is. None for a log that has its files to itself."""
    record: type[Record] | None = None
    """The fields that `events` looks at (`ultravires.reading.plain_records`); None where it takes dictionaries."""

    approval_system: str | None = None
    """The system whose approvals the log tells of, where several logs tell of the same ones; None for the log's own.
    What another system says under the same id is another approval."""
    system: str | None = None
    """The system in which happens what the log records, in the word that `governs` of others has for it."""
    governs: tuple[str, ...] = ()
    """The systems in which it could have approved or decided, and nowhere else; empty where its records say so one by
    one, as a ticket names roles and actions of any system."""
    objects: tuple[str, ...] = ()
    """Fields (dotted paths) that hold objects or arrays, which some shippers write as JSON text: decoded before they
    mean anything (`ultravires.reading.object_fields`).
    """
    grants: bool = False
    """Whether it grants or decides although `evidence_kinds` does not say so."""
    delivered_in: tuple[str, ...] = ()
    """Where in systems that applications write to, too, only the log itself is written: globs of layers
    (`ultravires.reading.origins`), in any case.
    """
    place: Callable[[Any], str | None] | None = None
    """Where the record lay, where it says so itself: a layer. Takes what `events` takes."""
    never_text: frozenset[str] = frozenset()
    """Those of `objects` without which a record would be of nobody or a success: any other text there is refused."""

    dated_by_file: bool = False
    """Whether the name of a file, and what lies beside it, may say when its records were so: `options` says them."""
    joins_lines: bool = False
    """Whether `records` joins what stands in several lines of a file, such as a request and its answer."""

    @property
    def is_granting(self) -> bool:
        """Whether what it says allows others to act."""
        return self.voice == "recorded" and (self.grants or not _GRANTING.isdisjoint(self.evidence_kinds))

    def begins(self, head: Head) -> bool:
        """Whether a file that begins so is of this log, with the objects that it looks for as objects."""
        return self.recognise(head) and not any(has_objects_apart(names, self.objects) for names in head.first_keys())

    def with_objects(self, value: Any) -> Any:
        """A record with the objects in it decoded that were written as text. Raises NotParsed where one cannot be."""
        if type(value) is not dict or not self.objects:
            return value
        return with_objects(value, tree_of(self.objects), self.never_text)

    def read(self, value: Any, options: Options) -> Iterable[Event]:
        """The events of a record, which is a Record already or a decoded object. Raises NotParsed."""
        if self.record is None or type(value) is self.record:
            return self.events(value, options)
        return self.events(self.record.of(value), options)
