"""The manifest: of each file its line in `files`, how far it was read, and what its path held before."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

import duckdb
import msgspec
import pyarrow as pa

from ultravires.reading.input_file import InputFile
from ultravires.store.known_files import Known
from ultravires.store.queries import fetch_row, registered
from ultravires.store.warehouse import Warehouse


@dataclass
class FileManifest:
    """What one load writes of its files, inside the transactions in which it stores their rows."""

    warehouse: Warehouse
    input: str
    readers: str
    """A fingerprint of what can be read: what no source recognised is tried again with others."""
    loaded_at: datetime
    replaced: Mapping[str, Known] = field(default_factory=dict)
    """What a path held before, of those that hold another content now."""
    grown: Collection[str] = ()
    pruned: Counter[str] = field(default_factory=Counter)
    """Events that the tombstone keeps out, by file_id, of the open transaction."""

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        return self.warehouse.con

    def write(self, files: list[InputFile]) -> None:
        self._note_lines(files)
        self._note_replaced(files)
        if on := [file for file in files if file.before is not None]:
            self._write_on(on)
        self._write_new([file for file in files if file.before is None])

    def take_back(self, files: list[InputFile]) -> None:
        """What was read behind the last whole line of a file that went on after all is read again with its rest."""
        for file in files:
            if file.before is not None and file.before.lines.n_behind:
                behind = {"file_id": file.file_id, "n_bytes": file.before.lines.n_bytes}
                self.con.execute(_TAKE_BACK, {**behind, "n_behind": file.before.lines.n_behind})
                self.con.execute(_FORGET_BEHIND, behind)
                self.warehouse.bump_version("quarantine")

    def duplicates(self, file: InputFile) -> int:
        """Events of the file that stood already."""
        return file.emitted - file.events - self.pruned[file.file_id]

    def _write_on(self, files: list[InputFile]) -> None:
        """Add to the lines of files in the manifest what was read of them now."""
        for file in files:
            row = fetch_row(self.con, "select ignored_as from files where file_id = ?", [file.file_id])
            ignored_as = Counter(msgspec.json.decode(row[0]) if row and row[0] else {}) + file.ignored_as
            counts = [file.records, file.events, self.duplicates(file), self.pruned[file.file_id], file.quarantined]
            stands = [file.stored_path, *file.stat, file.sha256, file.message, _reasons(ignored_as), _n_bytes(file)]
            self.con.execute(_WRITE_ON, [*counts, file.ignored, *stands, self.input, self.loaded_at, file.file_id])
        self.warehouse.bump_version("files")

    def _write_new(self, files: list[InputFile]) -> None:
        if not files:
            return
        columns = {
            "file_id": [file.file_id for file in files],
            "path": [file.stored_path for file in files],
            "size": [file.stat.size for file in files],
            "modified_ns": [file.stat.modified_ns for file in files],
            "sha256": [file.sha256 for file in files],
            "source": [file.source for file in files],
            "state": [file.state for file in files],
            "n_records": [file.records for file in files],
            "n_events": [file.events for file in files],
            "n_duplicates": [self.duplicates(file) for file in files],
            "n_pruned": [self.pruned[file.file_id] for file in files],
            "n_quarantined": [file.quarantined for file in files],
            "n_ignored": [file.ignored for file in files],
            "loaded_at": [self.loaded_at] * len(files),
            "message": [file.message for file in files],
            "input": [self.input] * len(files),
            "wrapper": pa.array([file.wrapper for file in files], pa.string()),
            "ignored_as": pa.array([_reasons(file.ignored_as) for file in files], pa.string()),
            "n_bytes": pa.array([_n_bytes(file) for file in files], pa.int64()),
        }
        self.con.register("manifest_rows", pa.table(columns))
        self.con.execute(
            "delete from files where state in ('unrecognised', 'archive') and path in (select path from manifest_rows)"
        )
        self.con.execute("delete from unrecognised_by where path in (select path from manifest_rows)")
        self.con.execute(
            "insert into unrecognised_by select path, ? from manifest_rows where state = 'unrecognised'", [self.readers]
        )
        self.con.execute("insert into files by name from manifest_rows")
        self.con.unregister("manifest_rows")
        self.warehouse.bump_version("files")

    def _note_lines(self, files: list[InputFile]) -> None:
        """How far files were read to which lines can be added."""
        rows = [{"file_id": file.file_id, **asdict(file.lines)} for file in files if file.lines is not None]
        if not rows:
            return
        with registered(self.con, "lines_of_files", pa.Table.from_pylist(rows, _LINES_READ)):
            self.con.execute("insert or replace into lines_read by name from lines_of_files")

    def _note_replaced(self, files: list[InputFile]) -> None:
        """What was read under a path that holds another content now."""
        for file in files:
            before = self.replaced.get(file.stored_path)
            if before is None:
                continue
            n_again = self.duplicates(file)
            row = fetch_row(
                self.warehouse.con, "select is_document from lines_read where file_id = ?", [before.file_id]
            )
            is_log = row is not None and not row[0]
            what = ("rewritten" if n_again else "emptied") if is_log else "exported"
            what = "recognised" if is_log and file.stored_path in self.grown else what
            if file.stored_path in self.grown:
                self._forget_refused(before.file_id)
            self.con.execute("update files set state = 'replaced' where file_id = ?", [before.file_id])
            self.con.execute(
                "insert into replaced_files by name select ? as file_id, ? as replaced_by, ? as path, ? as source, "
                "? as what, ? as n_bytes, ? as n_again, ? as noticed_at",
                [
                    before.file_id,
                    file.file_id,
                    before.path,
                    before.source,
                    what,
                    before.n_bytes,
                    n_again,
                    self.loaded_at,
                ],
            )
            self.warehouse.bump_version("replaced_files")

    def _forget_refused(self, file_id: str) -> None:
        """What could not be read of a document that only became longer is told of the whole one, if it still cannot."""
        self.con.execute(_TAKE_BACK, {"file_id": file_id, "n_bytes": 0, "n_behind": 0})
        self.con.execute(_FORGET_BEHIND, {"file_id": file_id, "n_bytes": 0})
        self.warehouse.bump_version("quarantine")


_LINES_READ = pa.schema(
    [
        pa.field("file_id", pa.string()),
        pa.field("n_bytes", pa.int64()),
        pa.field("sha256", pa.string()),
        pa.field("is_wrapped", pa.bool_()),
        pa.field("is_document", pa.bool_()),
        pa.field("is_unfinished", pa.bool_()),
        pa.field("n_behind", pa.int64()),
        pa.field("counts", pa.binary()),
    ]
)
_TAKE_BACK = """
update files set
    n_records = n_records - behind.n - least(n_ignored, greatest($n_behind - behind.n, 0)),
    n_quarantined = n_quarantined - behind.n,
    n_ignored = n_ignored - least(n_ignored, greatest($n_behind - behind.n, 0))
from (select count(*) as n from quarantine where file_id = $file_id and byte_offset >= $n_bytes) as behind
where files.file_id = $file_id
"""
_FORGET_BEHIND = "delete from quarantine where file_id = $file_id and byte_offset >= $n_bytes"
_WRITE_ON = """
update files set
    n_records = n_records + ?, n_events = n_events + ?, n_duplicates = n_duplicates + ?, n_pruned = n_pruned + ?,
    n_quarantined = n_quarantined + ?, n_ignored = n_ignored + ?, path = ?, size = ?, modified_ns = ?, sha256 = ?,
    message = ?, ignored_as = ?, n_bytes = ?, input = ?, loaded_at = ?
where file_id = ?
"""


def _n_bytes(file: InputFile) -> int | None:
    return file.lines.n_bytes if file.lines is not None else None


def _reasons(counts: Mapping[str, int]) -> str | None:
    """Why how many records were ignored, as JSON; None where nothing is to be said."""
    return msgspec.json.encode(dict(sorted(counts.items()))).decode() if counts else None
