"""Which segment files make up `events`, and which of their rows do not count.

`events` is a view over those Parquet files of `HOME/events/` that `event_segments` names, without the rows in
`deleted_rows`: second deliveries, and copies that a better one replaced. `event_ids` holds the ids of all of them with
their hours, by which such are found. Where rows share an id and say different things, one bears it, and the view shows
the others under the ids in `row_variants`. Files never change; the tables do in the transaction of a load, and the view
with them, so a kill leaves one state or the other. A file that no transaction named is removed when the home is next
opened.
"""

import math
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ultravires.errors import RunError
from ultravires.schema import EVENTS, duckdb_type
from ultravires.store.event_content import DIGESTED, content_digests, native_digests
from ultravires.store.queries import fetch_row, quoted, registered, transaction
from ultravires.store.segment_files import SUFFIX, Kept, Written, read_live_rows, sync_to_disk, write_segment

FOLDER = "events"
DELETED_SHARE = 0.2
"""Of the rows of a segment, from which on it is written anew without them."""
SMALL_ROWS = 4_096
SMALL_FACTOR = 8
"""Small segments become one when there are so many of about one size: files stay few, and a row is rewritten a few
times only (size-tiered compaction, as Bigtable and Cassandra do it).
"""

BOOKKEEPING = """
create table if not exists event_segments(
    segment varchar primary key, n_rows bigint, n_bytes bigint, first_hour timestamptz, last_hour timestamptz);
create table if not exists deleted_rows(segment varchar, row_no bigint);
create table if not exists event_ids(
    segment varchar, row_no bigint, id_high ubigint, id_low ubigint, rank ubigint, event_hour timestamptz,
    content ubigint, native ubigint);
create table if not exists row_variants(
    segment varchar, row_no bigint, id_high ubigint, id_low ubigint, event_id varchar);
"""
SHARED_ID = "lower(lpad(hex(id_high), 16, '0') || lpad(hex(id_low), 16, '0'))"
"""SQL: the id that the rows of a file bear, of a row of `event_ids`."""

# The first bears the id, and which that is follows from what they are, not from when they came.
_NAME_VARIANTS = f"""
insert into row_variants
select segment, row_no, id_high, id_low,
    substr(sha256({SHARED_ID} || chr(31) || lower(lpad(hex(content), 16, '0'))), 1, 32)
from (from event_ids semi join contested_ids using (id_high, id_low)) anti join deleted_rows using (segment, row_no)
qualify row_number() over (partition by id_high, id_low order by rank, content) > 1
"""

_COLUMNS = ", ".join(EVENTS.names)


class Segment(NamedTuple):
    """One that counts, and how many of its rows are deleted."""

    name: str
    n_rows: int
    n_deleted: int

    @property
    def n_live(self) -> int:
        return self.n_rows - self.n_deleted


class Segments:
    """The segments of one home; `con` is the connection that may write to its warehouse."""

    def __init__(self, home: Path, con: duckdb.DuckDBPyConnection) -> None:
        self.folder = home.absolute() / FOLDER
        self.con = con

    def open(self) -> None:
        """Bring folder and view to what the tables say. Raises RunError where a file is missing or is not as it was."""
        self.check()
        self.delete_orphans()
        try:
            self.refresh_view()
        except duckdb.Error as error:
            raise RunError(f"{self.folder}: cannot be read ({str(error).splitlines()[0]})") from error

    def check(self) -> None:
        """Raise RunError where a file is missing or is not as it was."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        found = {path.name: path.stat().st_size for path in self.folder.glob(f"*{SUFFIX}")}
        written = dict(self.con.execute("select segment, n_bytes from event_segments order by segment").fetchall())
        damaged = [name for name, size in written.items() if found.get(name) != size]
        if damaged:
            what = "is missing" if damaged[0] not in found else "is not what was written"
            more = f", and {len(damaged) - 1:,} more files of events" if len(damaged) > 1 else ""
            raise RunError(
                f"{self.folder / damaged[0]} {what}{more}; restore it from a backup, or load the logs into a new --home"
            )

    def delete_orphans(self) -> None:
        """Remove the files that nothing names any more; not for inside of a transaction."""
        names = self.names()
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path.name not in names:
                path.unlink()

    def n_rows(self) -> int:
        """Events in all files, those that were struck included."""
        row = fetch_row(self.con, "select coalesce(sum(n_rows), 0) from event_segments")
        return int(row[0]) if row else 0

    def n_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob(f"*{SUFFIX}"))

    def write(self, tables: Iterable[pa.Table]) -> Written:
        """Write events (EVENTS) to a new file of the folder; they count when it is added."""
        return write_segment(self._new_path(), tables)

    def adopt(self, written: Written) -> Written:
        """Take a file over that another process wrote on this disk."""
        path = self._new_path()
        written.path.rename(path)
        return written._replace(path=path)

    def add(self, written: Sequence[Written]) -> None:
        """Let finished files of the folder count, inside the caller's transaction; seen after `refresh_view`."""
        for one in written:
            sync_to_disk(one.path)
        sync_to_disk(self.folder)
        rows = [(one.path.name, one.n_rows, one.n_bytes, one.first_hour, one.last_hour) for one in written]
        self.con.executemany("insert into event_segments values (?, ?, ?, ?, ?)", rows)
        with registered(self.con, "index_of_written", index_of(written)):
            self.con.execute(
                "insert into event_ids select segment, row_no, id_high, id_low, rank, event_hour, content, native "
                "from index_of_written"
            )

    def index_hours(self) -> None:
        """Write `event_ids` anew where it had no hours; inside the caller's transaction."""
        of_rows = self.rows(self._paths(self.names()), ("event_hour",)) if self.names() else _NO_ROWS
        self.con.execute(
            "create table ids_with_hours as select ids.segment, ids.row_no, id_high, id_low, rank, event_hour "
            f"from event_ids as ids join {of_rows} as of_rows using (segment, row_no)"
        )
        self.con.execute("drop table event_ids")
        self.con.execute("alter table ids_with_hours rename to event_ids")

    def index_contents(self) -> None:
        """Write into `event_ids` what it did not hold of its rows yet; inside the caller's transaction."""
        self.con.execute(
            "create or replace temp table told(segment varchar, row_no bigint, content ubigint, native ubigint)"
        )
        for path in self._paths(self.names()):
            rows = pq.read_table(path, columns=[*DIGESTED])
            columns = {
                "segment": pa.repeat(path.name, rows.num_rows),
                "row_no": np.arange(rows.num_rows),
                "content": content_digests(rows),
                "native": native_digests(rows),
            }
            with registered(self.con, "told_by_segment", pa.table(columns)):
                self.con.execute("insert into told from told_by_segment")
        self.con.execute(
            "create table ids_with_contents as select segment, row_no, id_high, id_low, rank, event_hour, "
            "told.content, told.native from event_ids join told using (segment, row_no)"
        )
        self.con.execute("drop table event_ids")
        self.con.execute("alter table ids_with_contents rename to event_ids")
        self.con.execute("drop table told")

    def stored_ids(self, first_hour: datetime, last_hour: datetime) -> str:
        """SQL of a table: the rows of `event_ids` of these hours."""
        return f"(from event_ids where {_is_between(first_hour, last_hour)})"

    def mark_deleted(self, rows: str) -> None:
        """Let rows not count any more, inside the caller's transaction: SQL of a table with `segment` and `row_no`."""
        self.con.execute(f"insert into deleted_rows select distinct segment, row_no from {rows}")
        if self._has_variants():
            self.name_variants(
                "(from event_ids semi join row_variants using (id_high, id_low)) "
                f"semi join (select segment, row_no from {rows}) as gone using (segment, row_no)"
            )

    def name_variants(self, rows: str) -> None:
        """Let of the rows that share an id one bear it, and the others ids of their own.

        Inside the caller's transaction; `rows` is SQL of a table with `id_high` and `id_low`.
        """
        self.con.execute(f"create or replace temp table contested_ids as select distinct id_high, id_low from {rows}")
        self.con.execute(
            "delete from row_variants where (id_high, id_low) in (select id_high, id_low from contested_ids)"
        )
        self.con.execute(_NAME_VARIANTS)

    def replace_rows(self, name: str, rewritten: Callable[[pa.Table], pa.Table]) -> None:
        """Write a segment anew with other values in its rows, which stay in their places; inside the caller's
        transaction, and seen after `refresh_view`. `rewritten` makes EVENTS of each of its row groups.
        """
        with pq.ParquetFile(self.folder / name) as file:
            groups = (rewritten(file.read_row_group(n)) for n in range(file.num_row_groups))
            written = self.write(group.cast(EVENTS) for group in groups)
        self.add([written])
        self.con.execute("update deleted_rows set segment = ? where segment = ?", [written.path.name, name])
        self.con.execute("update row_variants set segment = ? where segment = ?", [written.path.name, name])
        for table in ("event_segments", "event_ids"):
            self.con.execute(f"delete from {table} where segment = ?", [name])
        if self._has_variants():  # other values may make another row the one that bears the id
            self.name_variants("row_variants")

    def columns_of(self, name: str) -> list[str]:
        """The columns that a segment was written with."""
        return list(pq.read_schema(self.folder / name).names)

    def rows(self, paths: Iterable[Path], columns: Iterable[str] = EVENTS.names) -> str:
        """SQL of a table: all rows of some files, with the `segment` and `row_no` of each."""
        read = f"read_parquet([{_listed(paths)}], filename = true, file_row_number = true)"
        wanted = ", ".join(columns)
        return f"(select {wanted}, parse_filename(filename) as segment, file_row_number as row_no from {read})"

    def live_rows(self, paths: Sequence[Path]) -> str:
        """SQL of a table as `rows`, without those that are deleted, and variants under their own ids."""
        if not paths:
            return _NO_ROWS
        shown, named = "stored.*", ""
        if self._with_variants().intersection(path.name for path in paths):
            shown = "stored.* replace (coalesce(row_variants.event_id, stored.event_id) as event_id)"
            named = (
                "left join row_variants "
                "on row_variants.segment = stored.segment and row_variants.row_no = stored.row_no "
            )
        return (
            f"(select {shown} from {self.rows(paths)} as stored {named}anti join deleted_rows "
            "on deleted_rows.segment = stored.segment and deleted_rows.row_no = stored.row_no)"
        )

    def live_rows_between(self, first_hour: datetime, last_hour: datetime) -> str:
        """SQL of a table: the live rows of these hours, out of no more files than may hold some."""
        return (
            f"(from {self.live_rows(self._between(first_hour, last_hour))} where {_is_between(first_hour, last_hour)})"
        )

    def refresh_view(self) -> None:
        """Let the view `events` be what the tables say; inside the caller's transaction."""
        altered = {segment.name for segment in self._segments() if segment.n_deleted} | self._with_variants()
        parts = [f"select {_COLUMNS} from {self.live_rows(self._paths(altered))}"]
        if clean := self._paths(self.names() - altered):
            parts = [f"select {_COLUMNS} from read_parquet([{_listed(clean)}])", *(parts if altered else ())]
        self.con.execute(f"create or replace view events as {' union all '.join(parts)}")

    def compact(self) -> None:
        """Write anew what holds many deleted rows, and join small segments where there are many of them."""
        alone = [[segment] for segment in self._segments() if segment.n_deleted >= DELETED_SHARE * segment.n_rows]
        done = {segment.name for (segment,) in alone}
        joined = _alike(segment for segment in self._segments() if segment.name not in done)
        if alone or joined:
            with transaction(self.con):
                self._rewrite([*alone, *joined])
        self.delete_orphans()

    def rewrite_without_deleted(self, names: Iterable[str] | None = None) -> None:
        """Rewrite the files (of `names`) without deleted rows, inside the caller's transaction."""
        wanted = None if names is None else set(names)
        deleted = [found for found in self._segments() if found.n_deleted]
        self._rewrite([found] for found in deleted if wanted is None or found.name in wanted)

    def _rewrite(self, groups: Iterable[Sequence[Segment]]) -> None:
        for group in groups:
            if any(segment.n_live for segment in group):
                self.add([self.write(read_live_rows((self.folder / one.name, self._kept(one)) for one in group))])
            names = [segment.name for segment in group]
            moved = self._with_variants().intersection(names)
            if moved:
                self.con.execute(
                    "create or replace temp table moved_variants as "
                    "select id_high, id_low from row_variants where segment in (select unnest(?))",
                    [[*moved]],
                )
            for table in ("event_segments", "deleted_rows", "event_ids", "row_variants"):
                self.con.execute(f"delete from {table} where segment in (select unnest(?))", [names])
            if moved:
                self.name_variants("moved_variants")
        self.refresh_view()

    def _has_variants(self) -> bool:
        return fetch_row(self.con, "select 1 from row_variants limit 1") is not None

    def _with_variants(self) -> set[str]:
        return {name for (name,) in self.con.execute("select distinct segment from row_variants").fetchall()}

    def _kept(self, segment: Segment) -> Kept | None:
        if not segment.n_deleted:
            return None
        kept = np.ones(segment.n_rows, dtype=bool)
        found = self.con.execute("select row_no from deleted_rows where segment = ?", [segment.name])
        kept[found.fetchnumpy()["row_no"]] = False
        return kept

    def _between(self, first_hour: datetime, last_hour: datetime) -> list[Path]:
        found = self.con.execute(
            "select segment from event_segments where last_hour >= $first and first_hour <= $last",
            {"first": first_hour, "last": last_hour},
        ).fetchall()
        return self._paths(name for (name,) in found)

    def _paths(self, names: Iterable[str]) -> list[Path]:
        return [self.folder / name for name in sorted(names)]

    def paths(self) -> list[Path]:
        """Their files."""
        return self._paths(self.names())

    def names(self) -> set[str]:
        """The segments that count."""
        return {name for (name,) in self.con.execute("select segment from event_segments").fetchall()}

    def _segments(self) -> list[Segment]:
        found = self.con.execute(
            "select segment, any_value(n_rows), count(row_no) "
            "from event_segments left join deleted_rows using (segment) group by segment order by segment"
        )
        return [Segment(*row) for row in found.fetchall()]

    def _new_path(self) -> Path:
        return self.folder / f"{uuid.uuid4().hex}{SUFFIX}"


def _is_between(first_hour: datetime, last_hour: datetime) -> str:
    """SQL of a condition. Its literals let DuckDB skip what is outside of them; a join would read everything."""
    first, last = (f"'{hour.isoformat()}'::timestamptz" for hour in (first_hour, last_hour))
    return f"event_hour between {first} and {last}"


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(f"'{quoted(path)}'" for path in paths)


def index_of(written: Sequence[Written]) -> pa.Table:
    """The indexes of some files as one, with the `segment` and `row_no` of each row."""
    places = [
        one.index.append_column("segment", pa.repeat(one.path.name, one.n_rows).dictionary_encode()).append_column(
            "row_no", pa.array(np.arange(one.n_rows))
        )
        for one in written
    ]
    return pa.concat_tables(places).unify_dictionaries()


def _alike(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Small segments of about one size, where there are many of them."""
    tiers: defaultdict[int, list[Segment]] = defaultdict(list)
    for segment in segments:
        if segment.n_live < SMALL_ROWS:
            tiers[int(math.log(segment.n_live, SMALL_FACTOR))].append(segment)
    return [tier for tier in tiers.values() if len(tier) >= SMALL_FACTOR]


_NULLS = [
    *(f"null::{duckdb_type(field.type)} as {field.name}" for field in EVENTS),
    "null::varchar as segment",
    "null::bigint as row_no",
]
_NO_ROWS = f"(select {', '.join(_NULLS)} where false)"
"""What `Segments.rows` is of no file."""
