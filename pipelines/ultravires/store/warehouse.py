"""The warehouse: one DuckDB file in the home, one writer at a time, and what it remembers about its tables. Events are
not in it but in files beside it, which it names (`segments`).

`table_state` holds a version per table that grows when its content changes, `built_from` the versions of the
inputs a table was built from, `touched` the hours that an hourly table still has to rewrite. All three change in
the transaction that changes the table, so a kill anywhere leaves work to do and never a stale table.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from ultravires import registry
from ultravires.build.table_schemas import table_schemas
from ultravires.errors import HomeBusy, RunError, UsageError
from ultravires.schema import EVENTS, SCHEMA_VERSION
from ultravires.store.deltas import Deltas
from ultravires.store.file_rows import FileRows
from ultravires.store.home_folder import prepare_home, private_files
from ultravires.store.queries import fetch_row, quoted, registered, transaction
from ultravires.store.segments import BOOKKEEPING as SEGMENT_BOOKKEEPING
from ultravires.store.segments import Segments
from ultravires.store.table_states import BOOKKEEPING as STATE_BOOKKEEPING
from ultravires.store.table_states import NEVER_BUILT, TableState, read_states, rows_digest, write_states

NO_ROWS = (0, "0")
"""The fingerprint of every table without rows."""
MEMORY_LIMIT = "1500MB"
ROW_GROUP_ROWS = 12_288
"""What a thread takes up at once: with DuckDB's own ten times as much, most tables of a home keep one thread busy."""
WAREHOUSE_FILE = "warehouse.duckdb"
_NAME = "warehouse"
FRESH_FILE = "warehouse.fresh"
"""What compacting writes, until it is whole and takes the name of the warehouse."""

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
    "runs",
    "chain_aliases",
    "review_answers",
)
"""Tables of the bookkeeping that the SQL or readers see, too: their columns stand in sql/loaded and sql/runs."""


class Warehouse:
    """An open home: its folder and the one connection that may write."""

    def __init__(self, home: Path, con: duckdb.DuckDBPyConnection) -> None:
        self.home = home
        self.con = con
        self._states: dict[str, TableState] | None = None
        """What stands in `table_state`, which nobody else writes while this home is open: a run asks for it hundreds
        of times.
        """
        self._unwritten: dict[str, TableState | None] | None = None
        """In a transaction the tables of which it noted something, and what stands of them; written at its end."""
        self.is_together = False
        """Whether transactions are parts of one, which any error undoes."""
        self.deltas = Deltas(con)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction on the warehouse's connection; what it noted of tables is forgotten where it is rolled back."""
        if self.is_together:
            yield self.con
            return
        try:
            with transaction(self.con) as con:
                self._unwritten = {}
                yield con
                self._write_noted(self._unwritten)
        except BaseException:
            self._states = None
            self.deltas.forget()
            raise
        finally:
            self._unwritten = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """The transactions in the block are one: over few rows to end a hundred costs more than what they do."""
        with self.transaction():
            self.is_together = True
            try:
                yield
            finally:
                self.is_together = False

    @property
    def segments(self) -> Segments:
        """Where the rows of `events` are."""
        return Segments(self.home, self.con)

    def state(self, table: str) -> TableState | None:
        """What is known of this table; None of one that was never built."""
        return self._known_states().get(table)

    def version(self, table: str) -> int:
        return self.versions([table])[table]

    def versions(self, tables: Iterable[str]) -> dict[str, int]:
        """The versions of these tables; 0 of one that was never built."""
        states = {name: self.state(name) for name in sorted(tables)}
        return {name: state.version if state else 0 for name, state in states.items()}

    def store_reference(self, table: str, rows: pa.Table | FileRows) -> bool:
        """Replace a small table by `rows` if its content differs; true when it did."""
        with self.storing_references({table: rows}) as changed:
            return table in changed

    @contextmanager
    def storing_references(self, tables: Mapping[str, pa.Table | FileRows]) -> Iterator[frozenset[str]]:
        """Replace small tables by these rows where they differ from what stands, in one transaction with the block,
        which is given the names of those that changed. Rows that are the very ones of the last time are not written,
        and those of a file never: they are a view.
        """
        digests = {table: _digest(rows) for table, rows in tables.items()}
        others = [table for table, digest in digests.items() if not self._holds(table, digest)]
        with ExitStack() as stack:
            for table in others:
                if not isinstance(tables[table], FileRows):
                    stack.enter_context(registered(self.con, f"incoming_{table}", tables[table]))
            stack.enter_context(self.transaction())
            yield frozenset(table for table in others if self._replace(table, digests[table], tables[table]))

    def _replace(self, table: str, digest: str, rows: pa.Table | FileRows) -> bool:
        """Put the rows of `incoming_<table>`, or those of a file, in the place of those of `table`; true where they are
        others.
        """
        if isinstance(rows, FileRows):
            self.con.execute(f'create or replace view "{table}" as {rows.as_sql()}')
            return self.record_build(table, code_hash=digest, inputs={}, content=(rows.num_rows, rows.digest))
        before = self.state(table)
        is_compared = before is not None and self.deltas.compare(table, table, f"incoming_{table}")
        self.con.execute(f'create or replace table "{table}" as from "incoming_{table}"')
        changed = self.record_build(table, code_hash=digest, inputs={})
        if before is not None and is_compared:
            self.deltas.note(table, before.version, self.version(table))
        return changed

    def _holds(self, table: str, digest: str) -> bool:
        state = self.state(table)
        return state is not None and state.code_hash == digest

    def record_build(
        self, table: str, *, code_hash: str, inputs: Mapping[str, int], content: tuple[int, str] | None = None
    ) -> bool:
        """Note, inside the caller's transaction, that `table` now stands; its version grows only with its content,
        which is looked at where the caller does not know its fingerprint.
        """
        n_rows, fingerprint = content or self.fingerprint(table)
        before = self.state(table)
        changed = before is None or before.fingerprint != fingerprint
        version = (before.version if before else 0) + int(changed)
        self._note(table, TableState(version, code_hash, fingerprint, n_rows, dict(inputs)))
        return changed

    def record_unchanged(self, table: str, *, inputs: Mapping[str, int]) -> None:
        """Note, inside the caller's transaction, that of these versions of its inputs `table` is the same."""
        before = self.state(table)
        assert before is not None
        self._note(table, before._replace(inputs=dict(inputs)))

    def record_delta(self, table: str, *, code_hash: str, inputs: Mapping[str, int], columns: Sequence[str]) -> bool:
        """Note, inside the caller's transaction, that what `delta_<table>` holds was written into `table`; true where
        that is anything.
        """
        before = self.state(table) or NEVER_BUILT
        more, hashes = self.deltas.counted(table, columns)
        changed = bool(more or hashes)
        if before.n_rows is None or not before.fingerprint:
            n_rows, fingerprint = self.fingerprint(table)
        else:
            n_rows, fingerprint = before.n_rows + more, str(int(before.fingerprint) + hashes)
        version = before.version + int(changed)
        self._note(table, TableState(version, code_hash, fingerprint, n_rows, dict(inputs)))
        self.deltas.note(table, before.version, version)
        return changed

    def fingerprint(self, table: str) -> tuple[int, str]:
        """(rows, a hash of the set of rows that does not depend on their order)."""
        row = fetch_row(self.con, f'select count(*), coalesce(sum(hash(t)::hugeint), 0)::varchar from "{table}" as t')
        assert row is not None
        return int(row[0]), str(row[1])

    def published_fingerprint(self, table: str) -> tuple[int, str]:
        """`fingerprint`, as it was noted when the table was built; counted where nothing was noted."""
        state = self.state(table)
        if state is None or state.n_rows is None or not state.fingerprint:
            return self.fingerprint(table)
        return state.n_rows, state.fingerprint

    def bump_version(self, table: str) -> None:
        """Count up the version of a table whose content changed, inside the caller's transaction."""
        before = self.state(table) or NEVER_BUILT
        self._note(table, NEVER_BUILT._replace(version=before.version + 1))

    def _known_states(self) -> dict[str, TableState]:
        if self._states is None:
            self._states = read_states(self.con)
        return self._states

    def _note(self, table: str, state: TableState) -> None:
        states = self._known_states()
        before, states[table] = states.get(table), state
        if self._unwritten is None:
            self._write_noted({table: before})
        else:
            self._unwritten.setdefault(table, before)

    def _write_noted(self, before: Mapping[str, TableState | None]) -> None:
        if before:
            states = self._known_states()
            write_states(self.con, {table: states[table] for table in before}, before=before)

    def size(self) -> int:
        """Bytes of the DuckDB file and of the segments."""
        return (self.home / WAREHOUSE_FILE).stat().st_size + self.segments.n_bytes()

    def compact(self) -> None:
        """Write the file anew without its free blocks, and go on with the new one under a new connection.

        DuckDB gives freed blocks to later rows and never back to the disk. Must be called outside a transaction. The
        new file replaces the old one by rename, so a kill leaves one or the other.
        """
        path, fresh = self.home / WAREHOUSE_FILE, self.home / FRESH_FILE
        try:
            self.con.execute(f"attach '{quoted(fresh)}' as fresh (row_group_size {ROW_GROUP_ROWS})")
            self.con.execute(f"copy from database {_NAME} to fresh")
            self.con.execute("detach fresh")
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise RunError(f"{path}: cannot be written anew ({reason}); its free blocks serve later rows") from error
        self.con.close()
        fresh.chmod(0o600)
        fresh.replace(path)
        self.con = _connect(path)
        self.deltas = Deltas(self.con)


def _digest(rows: pa.Table | FileRows) -> str:
    """Of a file also where it lies: the same rows in another place are no other rows, but another view."""
    return f"{rows.digest} {rows.path}" if isinstance(rows, FileRows) else rows_digest(rows)


@contextmanager
def open_warehouse(
    home: Path, *, wait_seconds: float = 600, say: Callable[[str], None] | None = None
) -> Iterator[Warehouse]:
    """Take the home's lock, open its DuckDB file and bring its bookkeeping up to date.

    Raises HomeBusy when another run holds the home for longer than `wait_seconds`, UsageError when `home` is no
    folder of ours, RunError when the file was written by a newer Ultravires or cannot be read.
    """
    prepare_home(home)
    with private_files(), _lock(home, wait_seconds, say):
        for name in (FRESH_FILE, f"{FRESH_FILE}.wal"):  # of a compacting that was killed
            (home / name).unlink(missing_ok=True)
        warehouse = Warehouse(home, _connect(home / WAREHOUSE_FILE))
        try:
            _migrate(warehouse)
            warehouse.segments.open()
            yield warehouse
        finally:
            warehouse.con.close()


@contextmanager
def _lock(home: Path, wait_seconds: float, say: Callable[[str], None] | None) -> Iterator[None]:
    with _open_lock(home) as handle:
        deadline = time.monotonic() + wait_seconds
        told = False
        while not _try_lock(handle):
            holder = _holder(handle)
            if time.monotonic() >= deadline:
                raise HomeBusy(f"{home}: another run{holder} is using this home; try again when it has finished")
            if say is not None and not told:
                say(f"another run{holder} is using {home}; waiting for it to finish")
                told = True
            time.sleep(0.2)
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _open_lock(home: Path) -> IO[str]:
    try:
        return (home / "lock").open("a+")
    except OSError as error:
        raise UsageError(f"{home}: cannot lock this home ({error.strerror}); choose another --home") from error


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: IO[str]) -> str:
    handle.seek(0)
    pid = handle.read(20).strip()
    return f" (process {pid})" if pid.isdigit() else ""


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    try:
        con = duckdb.connect()
        con.execute(f"attach '{quoted(path)}' as {_NAME} (type duckdb, row_group_size {ROW_GROUP_ROWS})")
        con.execute(f"use {_NAME}")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{path}: cannot open the warehouse ({reason}); move it away to start anew") from error
    path.chmod(0o600)
    con.execute(f"set temp_directory = '{quoted(path)}.tmp'")
    con.execute("set timezone = 'UTC'")
    con.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
    con.execute("set preserve_insertion_order = false")
    con.execute("set parquet_metadata_cache = true")  # segments never change, and every query over events asks for it
    con.execute("set enable_progress_bar = false")
    return con


def _migrate(warehouse: Warehouse) -> None:
    con = warehouse.con
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
            _MIGRATIONS[found](warehouse)
            found += 1
            con.execute("update warehouse_schema set version = ?", [found])
    if found != SCHEMA_VERSION:
        raise RunError(
            f"this home was written with schema {found}, this Ultravires writes schema {SCHEMA_VERSION}; "
            "use the matching version, or a new --home and load the logs again"
        )


def _count_pruned(warehouse: Warehouse) -> None:
    warehouse.con.execute("alter table files add column if not exists n_pruned bigint default 0")


def _events_to_segments(warehouse: Warehouse) -> None:
    """Events were a table of the warehouse."""
    con, segments = warehouse.con, warehouse.segments
    segments.folder.mkdir(mode=0o700, exist_ok=True)
    rows = con.sql("from events").to_arrow_reader(_SEGMENT_ROWS)
    written = [segments.write([_with_voices(pa.Table.from_batches([batch])).cast(EVENTS)]) for batch in rows]
    if written:
        segments.add(written)
    con.execute("drop table events")


def _hours_of_ids(warehouse: Warehouse) -> None:
    """Ids were looked for among those of all history."""
    if "event_hour" not in warehouse.con.sql("from event_ids").columns:
        warehouse.segments.check()
        warehouse.segments.index_hours()


def _rename_quarantine_and_deleted(warehouse: Warehouse) -> None:
    """`quarantine.log` was called `source`, and `deleted_rows` was called `struck_rows`."""
    con = warehouse.con
    if "source" in con.sql("from quarantine").columns:
        con.execute("alter table quarantine rename column source to log")
    if fetch_row(con, "select 1 from duckdb_tables() where table_name = 'struck_rows'"):
        con.execute("insert into deleted_rows from struck_rows")
        con.execute("drop table struck_rows")


def _name_wrappers(warehouse: Warehouse) -> None:
    for column in ("wrapper", "ignored_as"):
        warehouse.con.execute(f"alter table files add column if not exists {column} varchar")


def _voices_of_events(warehouse: Warehouse) -> None:
    """Events did not say who speaks in them, nor where they lay."""
    for table, column in (("files", "input"), ("quarantine", "place")):
        warehouse.con.execute(f"alter table {table} add column if not exists {column} varchar")
    segments = warehouse.segments
    segments.check()
    for name in sorted(segments.names()):
        if "voice" not in segments.columns_of(name):  # else an earlier step wrote it just now
            segments.replace_rows(name, _with_voices)
    warehouse.con.execute("update table_state set version = version + 1 where table_name = 'events'")


def _with_voices(events: pa.Table) -> pa.Table:
    """Old events with the voice of their source. Nobody knows a source that is gone, and nobody vouches for it."""
    if "voice" in events.column_names:
        return events.select(EVENTS.names)
    sources = registry.sources()
    names = events["source"].to_pylist()
    voices = [sources[name].voice if name in sources else "reported" for name in names]
    whole = events.append_column("voice", pa.array(voices, pa.string()))
    return whole.append_column("place", pa.nulls(len(voices), pa.string())).select(EVENTS.names)


def _contents_of_ids(warehouse: Warehouse) -> None:
    """Of two rows with one id the smaller hash stood, whatever the other said."""
    if "content" not in warehouse.con.sql("from event_ids").columns:
        warehouse.segments.check()
        warehouse.segments.index_contents()


def _files_that_grow(warehouse: Warehouse) -> None:
    """A file was read once, and whole; and alerts did not note which facts they told."""
    _say_how_far_files_were_read(warehouse)
    _note_what_was_told(warehouse)


def _say_how_far_files_were_read(warehouse: Warehouse) -> None:
    warehouse.con.execute("alter table files add column if not exists n_bytes bigint")


def _note_what_was_told(warehouse: Warehouse) -> None:
    """An alert said which classes of evidence its finding had, and nothing of what makes it worse."""
    for table in ("findings", "alerts"):
        if fetch_row(warehouse.con, "select 1 from duckdb_tables() where table_name = ?", [table]):
            warehouse.con.execute(f"alter table {table} add column if not exists facts varchar[]")


def _say_who_tells(warehouse: Warehouse) -> None:
    """Every finding was told of its own, whoever else told of the same act."""
    for table, column in (("findings", "told_by"), ("alerts", "act_event_ids")):
        if fetch_row(warehouse.con, "select 1 from duckdb_tables() where table_name = ?", [table]):
            warehouse.con.execute(f"alter table {table} add column if not exists {column} varchar[]")


_SEGMENT_ROWS = 61_440
_MIGRATIONS = {
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
