"""The warehouse: one DuckDB file in the home, one writer at a time, and what it remembers about its tables. Events are
not in it but in files beside it, which it names (`segments`).

`table_state` holds a version per table that grows when its content changes, `built_from` the versions of the
inputs a table was built from, `touched` the hours that an hourly table still has to rewrite. All three change in
the transaction that changes the table, so a kill anywhere leaves work to do and never a stale table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from ultravires.errors import RunError
from ultravires.store.deltas import Deltas
from ultravires.store.file_rows import FileRows
from ultravires.store.home_folder import prepare_home, private_files
from ultravires.store.home_lock import home_lock
from ultravires.store.migrations import migrate
from ultravires.store.queries import fetch_row, quoted, registered, transaction
from ultravires.store.segments import Segments
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
    with private_files(), home_lock(home, wait_seconds, say):
        for name in (FRESH_FILE, f"{FRESH_FILE}.wal"):  # of a compacting that was killed
            (home / name).unlink(missing_ok=True)
        warehouse = Warehouse(home, _connect(home / WAREHOUSE_FILE))
        try:
            migrate(warehouse.segments)
            warehouse.segments.open()
            yield warehouse
        finally:
            warehouse.con.close()


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
