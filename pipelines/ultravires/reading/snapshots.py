"""Snapshots: exports that show who holds what, read record by record, each with when and of what the export is.

A record of an export does not say when the export was taken, nor which others belong to it. So it is kept as
`{"snapshot": {"id", "at", "by", "until", "account"}, "<part>": <the record>}`: what stands in `raw` says all that its
event says. Behind the records of an export that is whole comes one more, its `extent`, which says of what it holds
everything. Where the time stands in no name and in no file beside it, records wait until the export is through, because
only then its fields and newest date are known.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from ultravires.reading.captures import (
    Capture,
    as_members,
    at_least,
    newest_of,
    of_members,
    stated_inside,
    stated_outside,
)
from ultravires.reading.documents import Closed, Element, Member, Rest, documents
from ultravires.reading.events import Event, Frame, present
from ultravires.reading.grants import Json
from ultravires.reading.options import Options
from ultravires.reading.splitting import Splitter, broken, decode_object
from ultravires.reading.values import iso, mapping, text
from ultravires.sources.ocsf.classes import USER_INVENTORY

SNAPSHOT = "snapshot"
EXTENT = "extent"
MOST_GRANTS = 20_000
"""What is looked at in the lists of one record."""
MOST_HELD = 128 << 20
"""Bytes of an export that wait for its end. A larger one has to say outside of it when it was taken."""
NO_PART = "no record of such an export"
_COLLECT = 2
_ID_LENGTH = 16
_CAPTURED_AT = "captured_at"


class Described(NamedTuple):
    """What a record describes: in which word, its uid, what it states of grants and, in the words of
    `reading/lifecycle.py`, of its life.
    """

    what: str
    uid: str
    grants: list[Json]
    account: str | None = None
    """The account that the record itself is of, where not all of an export are of one."""
    lifecycle: Sequence[Json] = ()


@dataclass
class Seen:
    """What was seen of an export: how many records of each part, and whose they are."""

    accounts: set[str] = field(default_factory=set)
    parts: Counter[str] = field(default_factory=Counter)
    is_whole: bool = True


@dataclass(frozen=True)
class Export:
    """A form of export. `opens` names the lists in which its records stand, `part_of` says what a record is and None of
    what is none, `dates_in` when it can have been exported at the earliest, `account_of` of which account it is, where
    all records of an export are of one.
    """

    source: str
    opens: frozenset[str]
    part_of: Callable[[dict[str, Any]], str | None]
    dates_in: Callable[[dict[str, Any]], Iterable[Any]]
    account_of: Callable[[dict[str, Any]], str | None] | None = None
    extent_of: Callable[[Seen], dict[str, Any] | None] = lambda _seen: None
    """What the export holds everything of, as its last record; None where that cannot be known."""
    time_of_member: Callable[[str, Any], Any] = lambda _name, _value: None
    """What a member of the document says of when it was exported; `captured_at` is asked of each."""
    says_more: frozenset[str] = frozenset()
    """Members with which a page says that it is not the last one."""
    marks_of: Callable[[dict[str, Any]], Iterable[str]] = lambda _record: ()
    """What else of a record is counted in `Seen.parts`, for `extent_of`."""


def snapshot_records(chunks: Iterator[bytes], options: Options, export: Export) -> Iterator[Frame]:
    """The records of an export, each with its snapshot around it."""
    return _Reading(options, export).frames(chunks)


class _Reading:
    def __init__(self, options: Options, export: Export) -> None:
        self._export = export
        self._splitter = Splitter((), decode_object, options.max_record_bytes)
        self._limit = options.max_record_bytes
        self._outside = stated_outside(options, export.source)
        self._inside: Capture | None = None
        self._newest: int | None = None
        self._seen = Seen()
        self._page_goes_on = False
        self._account: str | None = None
        self._first = ""
        self._held: list[tuple[Frame, str]] = []
        self._n_held = 0
        self._snapshot: dict[str, str] | None = None
        """What is written around the records, as soon as it is known."""

    def frames(self, chunks: Iterator[bytes]) -> Iterator[Frame]:
        for found in documents(chunks, self._export.opens, self._limit):
            if type(found) is Element:
                yield from self._record(self._splitter.frame(found.offset, found.data))
            elif type(found) is Member:
                self._note(found)
            elif type(found) is Closed:
                yield from self._closed(found)
            elif type(found) is Rest:
                self._seen.is_whole = False
                for frame in self._splitter.stream(found.chunks, found.offset):
                    yield from self._record(frame)
        yield from self._let_go()

    def _note(self, member: Member) -> None:
        """What a member of the document says of the whole export."""
        if len(member.data) > _ID_LENGTH << 10:
            return
        try:
            value = msgspec.json.decode(member.data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        if member.name in self._export.says_more and value not in (None, False, "", "false"):
            self._page_goes_on = True
        said = value if member.name == _CAPTURED_AT else self._export.time_of_member(member.name, value)
        capture = stated_inside(said)
        if capture is not None and (self._inside is None or capture > self._inside):
            self._inside = capture

    def _closed(self, document: Closed) -> Iterator[Frame]:
        """The end of a page, or a document that is one record."""
        if not document.opened:
            yield from self._record(self._splitter.frame(document.start, document.data))
            return
        goes_on, self._page_goes_on = self._page_goes_on, False
        if goes_on:
            return
        seen, self._seen = self._seen, Seen()
        extent = self._export.extent_of(seen) if seen.is_whole else None
        if extent is None:
            return
        frame = Frame(document.end - 1, b"", extent)
        if self._snapshot is None:
            self._held.append((frame, EXTENT))
        elif "at" in self._snapshot:
            yield self._around(frame, EXTENT)

    def _record(self, frame: Frame) -> Iterator[Frame]:
        value = frame.value
        if frame.reason is not None or type(value) is not dict:
            self._seen.is_whole = False
            yield frame if frame.reason is not None else broken(frame.offset, frame.data, NO_PART)
            return
        if SNAPSHOT in value:
            yield frame
            return
        part = self._export.part_of(value)
        if part is None:
            self._seen.is_whole = False
            yield broken(frame.offset, frame.data, NO_PART)
            return
        self._see(frame, part, value)
        if self._snapshot is not None:
            yield self._around(frame, part)
            return
        self._held.append((frame._replace(value=None), part))
        self._n_held += len(frame.data)
        is_dated = any(capture is not None and capture.until is None for capture in (self._outside, self._inside))
        is_named = self._account is not None or self._export.account_of is None
        if self._n_held > MOST_HELD or (is_dated and is_named):
            yield from self._let_go()

    def _see(self, frame: Frame, part: str, value: dict[str, Any]) -> None:
        account = self._export.account_of(value) if self._export.account_of else None
        if account is not None:
            self._account = self._account or account
            self._seen.accounts.add(account)
        self._seen.parts.update((part, *self._export.marks_of(value)))
        self._first = self._first or hashlib.sha256(frame.data).hexdigest()
        self._newest = newest_of(self._export.dates_in(value), self._newest)

    def _let_go(self) -> Iterator[Frame]:
        """The records that waited, with what is known by now of the export."""
        if self._snapshot is None:
            capture = self._capture()
            whose = "\x1f".join((self._export.source, iso(capture.at) if capture else "", self._account or self._first))
            identity = hashlib.sha256(whose.encode()).hexdigest()[:_ID_LENGTH]
            self._snapshot = {"id": identity, **as_members(capture), **present(account=self._account)}
        held, self._held = self._held, []
        for frame, part in held:
            if part == EXTENT:
                yield from [self._around(frame, part)] if "at" in self._snapshot else []
                continue
            again = self._splitter.frame(frame.offset, frame.data)
            yield self._around(again._replace(mended=frame.mended), part)

    def _capture(self) -> Capture | None:
        if self._outside is not None and self._outside.until is None:
            return self._outside
        if self._inside is not None and self._inside.until is None:
            return self._inside
        if self._n_held > MOST_HELD:  # what comes later could be newer
            return self._outside
        return at_least(self._newest, self._outside or self._inside)

    def _around(self, frame: Frame, part: str) -> Frame:
        return frame._replace(value={SNAPSHOT: self._snapshot, part: frame.value}, written=None)


def event_of(value: dict[str, Any], part: str, described: Described) -> Event:
    """The event of a record with its snapshot around it. Raises NotParsed where that says no time."""
    snapshot = mapping(value.get(SNAPSHOT))
    capture = of_members(snapshot)
    identity = text(snapshot.get("id")) or ""
    return Event(
        native_id=f"{identity}/{described.what}/{described.uid}",
        event_at=capture.at,
        kind="inventory",
        class_uid=USER_INVENTORY,
        activity_id=_COLLECT,
        account_uid=described.account or text(snapshot.get("account")),
        action=f"inventory:{described.what}",
        resource_uids=[described.uid] if part != EXTENT else [],
        outcome="success",
        detail=present(
            grants=described.grants or None,
            lifecycle=list(described.lifecycle) or None,
            snapshot=identity or None,
            captured_by=capture.by,
            captured_until=None if capture.until is None else iso(capture.until),
        ),
    )
