"""A record as it lay in its file, the events that it means, and their ids."""

import hashlib
from collections.abc import Iterable
from typing import Any, Self

import msgspec
import pyarrow as pa

from ultravires.reading.values import FIRST_LOGGED, LAST_LOGGED, iso, micros, micros_of_text, moment_of_first
from ultravires.schema import EVENTS

SOURCE_COLUMNS = pa.schema([column for column in EVENTS if column.name not in ("ingested_at", "file_id")])
"""EVENTS without what only the loader knows."""


class NotParsed(Exception):
    """Raised by a source for a record it cannot read; the message is the reason given in quarantine."""


IMPOSSIBLE_TIME = "impossible time"


def event_time(first: Any, *others: Any) -> int:
    """When something was logged, by the first of these values that says so. Raises NotParsed: `no time` where none of
    them is a time, `impossible time` where none lies in the years 2006 to 2100.
    """
    moment = micros_of_text(first) if type(first) is str else micros(first)
    if moment is not None and FIRST_LOGGED <= moment < LAST_LOGGED:
        return moment
    return logged_at(moment_of_first((first, *others)))


def logged_at(moment: int | None) -> int:
    """The moment, where something can have been logged then. Raises NotParsed as `event_time` does."""
    if moment is None:
        raise NotParsed("no time")
    if not FIRST_LOGGED <= moment < LAST_LOGGED:
        raise NotParsed(IMPOSSIBLE_TIME)
    return moment


class NoEvent(tuple[()]):
    """What a source says of a record that holds no event: none, and why."""

    reason: str

    def __new__(cls, reason: str) -> Self:
        none = super().__new__(cls)
        none.reason = reason
        return none


NOT_AN_EVENT = "no event of this log"


def reason_of_none(found: object) -> str:
    """Why a record holds no event."""
    return found.reason if isinstance(found, NoEvent) else NOT_AN_EVENT


class Ignored(str):
    """The reason of a Frame that holds no record of a log that is read: counted by it, and not put into quarantine."""

    __slots__ = ()


class Frame(msgspec.Struct, gc=False):
    """One record as it lay in the file: where, its bytes, and either what they decoded to or why they did
    not. `written` is the record as it is kept, where that is known already; `mended` what was broken in its text
    and was replaced (`reading.mending`); `reader` the name of the source that recognised it, where it came out of a
    wrapper; `place` the layers of wrappers around it, as they state where it lay (`reading.origins`).
    """

    offset: int
    data: bytes
    value: Any
    reason: str | None = None
    written: bytes | None = None
    mended: tuple[str, ...] = ()
    reader: str | None = None
    place: str | None = None

    def _replace(self, **changes: Any) -> Self:
        """The same but for these fields."""
        return msgspec.structs.replace(self, **changes)


class Event(msgspec.Struct, kw_only=True, gc=False):
    """One row of EVENTS without provenance. Times are microseconds since 1970 UTC; keys are (kind, value,
    role).
    """

    native_id: str | None
    event_at: int
    kind: str
    class_uid: int
    activity_id: int
    actor_uid: str | None = None
    actor_kind: str | None = None
    actor_name: str | None = None
    on_behalf_of_uid: str | None = None
    via_service: str | None = None
    account_uid: str | None = None
    workload_uid: str | None = None
    action: str | None = None
    resource_uids: list[str] = []
    outcome: str | None = None
    error_code: str | None = None
    src_ip: str | None = None
    user_agent: str | None = None
    credential_uid: str | None = None
    issued_credential_uid: str | None = None
    issued_expires_at: int | None = None
    revoked_credential_uid: str | None = None
    approval_uid: str | None = None
    decision_uid: str | None = None
    tool_call_uid: str | None = None
    task: str | None = None
    args_hash: str | None = None
    keys: list[tuple[str, str, str]] = []
    detail: dict[str, Any] = {}
    log: str | None = None
    """The log that made the record, where the reader reads copies of several; None for the source's own log."""


def event_ids(
    logs: Iterable[str],
    native_ids: Iterable[str],
    moments: Iterable[int],
    actions: Iterable[str | None],
    outcomes: Iterable[str | None],
) -> list[str]:
    """The ids of events (docs/tables.md), of the columns that make them: first 32 hex of sha256; `moments` in
    microseconds since 1970.
    """
    sha256 = hashlib.sha256
    return [
        sha256(f"{log}\x1f{native_id}\x1f{at}\x1f{action or ''}\x1f{outcome or ''}".encode()).hexdigest()[:32]
        for log, native_id, at, action, outcome in zip(
            logs, native_ids, map(iso, moments), actions, outcomes, strict=True
        )
    ]


def event_id(log: str, native_id: str, event_at: int, action: str | None, outcome: str | None) -> str:
    """The id of one event."""
    return event_ids([log], [native_id], [event_at], [action], [outcome])[0]


def present(**members: Any) -> dict[str, Any]:
    """The given members without those that are None: in `detail`, missing means unknown."""
    return {name: value for name, value in members.items() if value is not None}
