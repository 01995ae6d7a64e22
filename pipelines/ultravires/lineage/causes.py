"""The events that brought something about, with the record of the file in which each stands, and in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb

from ultravires.tracing.rows import fetch_rows, has_table
from ultravires.tracing.visible import visible

_STARTED = {"snapshot": "shown by an export, and by no event", "vendor": "changed by the vendor"}


@dataclass(frozen=True)
class Cause:
    """One event. `path` and `record_no` say where its record was read, None where the file is not known."""

    event_id: str
    event_at: datetime
    log: str
    native_id: str | None
    actor_uid: str | None
    action: str | None
    path: str | None
    record_no: int | None


_EVENTS = """
select event_id, event_at, log, native_id, actor_uid, action, {path} as path, record_no
from events {join}
where event_id in (select unnest($ids::varchar[]))
order by event_at, event_id
"""


def read_causes(con: duckdb.DuckDBPyConnection, event_ids: Iterable[str | None]) -> dict[str, Cause]:
    """The events by their id; one that was pruned is not there."""
    ids = sorted({each for each in event_ids if each})
    with_files = has_table(con, "files")
    sql = _EVENTS.format(
        path="files.path" if with_files else "null", join="left join files using (file_id)" if with_files else ""
    )
    return {row["event_id"]: Cause(**row) for row in fetch_rows(con, sql, {"ids": ids})} if ids else {}


def cause_words(cause: Cause | None, actor: str | None, start_by: str | None) -> str:
    """Who brought it about by which event, or what else shows it."""
    if cause is None:
        by = f"by {visible(actor)}" if actor else "no event shows by whom"
        return _STARTED.get(start_by or "", by)
    return f"by {visible(cause.actor_uid or actor or 'somebody')}, {visible(cause.action)} ({visible(cause.event_id)})"


def under(approval_uid: str | None) -> str:
    """The approval behind a change."""
    return f", under {visible(approval_uid)}" if approval_uid else ", under no approval that names the change"
