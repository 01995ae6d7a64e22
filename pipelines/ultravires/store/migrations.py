"""What a home of an earlier schema lacks: each step brings it to the next one, in a transaction of its own."""

from collections.abc import Callable

import pyarrow as pa

from ultravires import registry
from ultravires.build.table_schemas import table_schemas
from ultravires.errors import RunError
from ultravires.schema import EVENTS, SCHEMA_VERSION
from ultravires.store.queries import fetch_row, transaction
from ultravires.store.segments import BOOKKEEPING as SEGMENT_BOOKKEEPING
from ultravires.store.segments import Segments
from ultravires.store.table_states import BOOKKEEPING as STATE_BOOKKEEPING

_BOOKKEEPING = """
create table if not exists warehouse_schema(version integer not null);
create table if not exists touched(table_name varchar, event_hour timestamptz);
create table if not exists unrecognised_by(path varchar, readers varchar);
create table if not exists judged_by(verdicts varchar);
create table if not exists lines_read(
    file_id varchar primary key, n_bytes bigint, sha256 varchar, is_wrapped boolean, is_document boolean,
    is_unfinished boolean, n_behind bigint, counts blob);
create table if not exists findings_of_prunes(finding_id varchar, last_at timestamptz);
"""

_KEPT = (
    "files",
    "replaced_files",
    "unread_files",
    "unread_records",
    "quarantine",
    "shared_ids",
    "address_networks",
    "tombstones",
    "pruned_hours",
    "pruned_reach",
    "pruned_subjects",
    "runs",
    "chain_aliases",
    "review_answers",
)
"""Tables of the bookkeeping that the SQL or readers see, too: their columns stand in sql/loaded and sql/runs."""


def migrate(segments: Segments) -> None:
    """Make what a home keeps of itself, or bring it to this schema; RunError where a newer version wrote it."""
    con = segments.con
    con.execute(STATE_BOOKKEEPING + _BOOKKEEPING)
    for name in _KEPT:
        con.execute(table_schemas()[name].create_sql())
    con.execute(SEGMENT_BOOKKEEPING)
    row = fetch_row(con, "select max(version) from warehouse_schema")
    found = row[0] if row else None
    if found is None:
        con.execute("insert into warehouse_schema values (?)", [SCHEMA_VERSION])
        found = SCHEMA_VERSION
    while found in _MIGRATIONS:
        with transaction(con):
            _MIGRATIONS[found](segments)
            found += 1
            con.execute("update warehouse_schema set version = ?", [found])
    if found != SCHEMA_VERSION:
        raise RunError(
            f"this home was written with schema {found}, this Ultravires writes schema {SCHEMA_VERSION}; "
            "use the matching version, or a new --home and load the logs again"
        )


def _count_pruned(segments: Segments) -> None:
    segments.con.execute("alter table files add column if not exists n_pruned bigint default 0")


def _events_to_segments(segments: Segments) -> None:
    """Events were a table of the warehouse."""
    segments.folder.mkdir(mode=0o700, exist_ok=True)
    rows = segments.con.sql("from events").to_arrow_reader(_SEGMENT_ROWS)
    written = [segments.write([_with_voices(pa.Table.from_batches([batch])).cast(EVENTS)]) for batch in rows]
    if written:
        segments.add(written)
    segments.con.execute("drop table events")


def _hours_of_ids(segments: Segments) -> None:
    """Ids were looked for among those of all history."""
    if "event_hour" not in segments.con.sql("from event_ids").columns:
        segments.check()
        segments.index_hours()


def _rename_quarantine_and_deleted(segments: Segments) -> None:
    """`quarantine.log` was called `source`, and `deleted_rows` was called `struck_rows`."""
    if "source" in segments.con.sql("from quarantine").columns:
        segments.con.execute("alter table quarantine rename column source to log")
    if fetch_row(segments.con, "select 1 from duckdb_tables() where table_name = 'struck_rows'"):
        segments.con.execute("insert into deleted_rows from struck_rows")
        segments.con.execute("drop table struck_rows")


def _name_wrappers(segments: Segments) -> None:
    for column in ("wrapper", "ignored_as"):
        segments.con.execute(f"alter table files add column if not exists {column} varchar")


def _voices_of_events(segments: Segments) -> None:
    """Events did not say who speaks in them, nor where they lay."""
    for table, column in (("files", "input"), ("quarantine", "place")):
        segments.con.execute(f"alter table {table} add column if not exists {column} varchar")
    segments.check()
    for name in sorted(segments.names()):
        if "voice" not in segments.columns_of(name):  # else an earlier step wrote it just now
            segments.replace_rows(name, _with_voices)
    segments.con.execute("update table_state set version = version + 1 where table_name = 'events'")


def _with_voices(events: pa.Table) -> pa.Table:
    """Old events with the voice of their source. Nobody knows a source that is gone, and nobody vouches for it."""
    if "voice" in events.column_names:
        return events.select(EVENTS.names)
    sources = registry.sources()
    names = events["source"].to_pylist()
    voices = [sources[name].voice if name in sources else "reported" for name in names]
    whole = events.append_column("voice", pa.array(voices, pa.string()))
    return whole.append_column("place", pa.nulls(len(voices), pa.string())).select(EVENTS.names)


def _contents_of_ids(segments: Segments) -> None:
    """Of two rows with one id the smaller hash stood, whatever the other said."""
    if "content" not in segments.con.sql("from event_ids").columns:
        segments.check()
        segments.index_contents()


def _files_that_grow(segments: Segments) -> None:
    """A file was read once, and whole; and alerts did not note which facts they told."""
    segments.con.execute("alter table files add column if not exists n_bytes bigint")
    for table in ("findings", "alerts"):
        if fetch_row(segments.con, "select 1 from duckdb_tables() where table_name = ?", [table]):
            segments.con.execute(f"alter table {table} add column if not exists facts varchar[]")


def _say_who_tells(segments: Segments) -> None:
    """Every finding was told of its own, whoever else told of the same act."""
    for table, column in (("findings", "told_by"), ("alerts", "act_event_ids")):
        if fetch_row(segments.con, "select 1 from duckdb_tables() where table_name = ?", [table]):
            segments.con.execute(f"alter table {table} add column if not exists {column} varchar[]")


_SEGMENT_ROWS = 61_440
_MIGRATIONS: dict[int, Callable[[Segments], None]] = {
    1: _count_pruned,
    2: _events_to_segments,
    3: _hours_of_ids,
    4: _rename_quarantine_and_deleted,
    5: _name_wrappers,
    6: _contents_of_ids,
    7: _voices_of_events,
    8: _files_that_grow,
    9: _say_who_tells,
}
"""What brings a home of that schema to the next one; a schema that is not named here is refused."""
