"""What of the input was not read, as a table that stays until it is read or gone: by whom it stands, and since when."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from ultravires import registry
from ultravires.build.table_schemas import table_schemas
from ultravires.reading.locations import Skipped
from ultravires.store.warehouse import Warehouse

LONGEST_WAIT = timedelta(hours=1)
"""After which a file that is still being written is told of: its last line may never be ended."""
UNFINISHED = "its last line is not finished"
EMPTY = "nothing is in it"
"""Three bytes are an empty list and the end of its line: the export of a day on which nothing happened."""
_BESIDE_LOGS = re.compile(
    r"(^|/)(README(\.\w+)?|ultravires\.yaml|labels/(links|situations)\.json|\.DS_Store|\.git(keep|ignore)|\.localized)$"
)
"""What stands beside logs by custom, and nobody takes for a log."""
_NOTHING_IN_IT = frozenset({EMPTY, "leads to a folder that is read already", "a home of Ultravires"})

_OF_FILES = """
select
    path,
    case when state = 'unrecognised' then state when is_unfinished then 'waiting' else 'damaged' end as state,
    case
        when state = 'unrecognised' and size <= 3 then $empty
        when state <> 'unrecognised' and is_unfinished then $unfinished
        else coalesce(message, '')
    end as reason
from files
left join lines_read using (file_id)
where state = 'unrecognised' or (state = 'loaded' and (message is not null or is_unfinished))
"""


class Unread(NamedTuple):
    """One file or folder; `state` is what became of it."""

    path: str
    state: str
    reason: str


def note_unread(
    warehouse: Warehouse, place: str, listed: Collection[str], told: Collection[Unread], *, now: datetime
) -> None:
    """Bring `unread_files` up to this run over `place`: `told` was passed over in it, and of the `listed` files those
    stand in the manifest that were not read to their end. What lies elsewhere stays as it was.
    """
    con = warehouse.con
    before = con.execute("select path, reason, noticed_at from unread_files").fetchall()
    since = {(path, reason): noticed_at for path, reason, noticed_at in before}
    kept = con.sql("from unread_files").to_arrow_table().to_pylist()
    rows = [row for row in kept if not _is_below(row["path"], place)]
    unread = sorted({(one.path, one.reason, one.state) for one in (*told, *_of_files(con, listed))})
    beside = _recorded_beside(con) if unread else {}
    for path, reason, state in unread:
        noticed_at = since.get((path, reason), now)
        sources = sorted(beside.get(folder_of(path), ()))
        is_evidence = bool(sources) and _may_be_evidence(path, state, reason, now - noticed_at)
        rows.append(
            {
                "path": path,
                "folder": folder_of(path),
                "state": state,
                "reason": reason,
                "sources_beside": sources,
                "is_evidence": is_evidence,
                "noticed_at": noticed_at,
            }
        )
    warehouse.store_reference("unread_files", pa.Table.from_pylist(rows, table_schemas()["unread_files"].arrow()))


def absolute(skipped: Skipped, state: str) -> Unread:
    """The same under the path that the manifest has, in text that every reader takes."""
    path = skipped.path if "://" in skipped.path else str(Path(skipped.path).absolute())
    return Unread(_as_text(path), state, skipped.reason)


def folder_of(path: str) -> str:
    """The folder that a file is in, or the archive."""
    return path[: max(path.rfind("/"), path.rfind("!"), 0)]


def _as_text(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()


def _of_files(con: duckdb.DuckDBPyConnection, listed: Collection[str]) -> Iterator[Unread]:
    for row in con.execute(_OF_FILES, {"unfinished": UNFINISHED, "empty": EMPTY}).fetchall():
        one = Unread(*row)
        if one.path in listed or any(one.path[:at] in listed for at, mark in enumerate(one.path) if mark == "!"):
            yield one


def _recorded_beside(con: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Folder -> the sources as which its files are read, of those whose subject cannot write to them."""
    recorded = {name for name, source in registry.sources().items() if source.voice == "recorded"}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path, source in con.execute("select path, source from files where state = 'loaded'").fetchall():
        if source in recorded:
            found[folder_of(path)].add(source)
    return found


def _may_be_evidence(path: str, state: str, reason: str, age: timedelta) -> bool:
    if _BESIDE_LOGS.search(path) or reason in _NOTHING_IN_IT:
        return False
    return state != "waiting" or age >= LONGEST_WAIT


def _is_below(path: str, place: str) -> bool:
    path = path.removeprefix("bytes:")
    return path == place or path.startswith((place.rstrip("/") + "/", place + "!"))
