"""Reading what a run published, without touching the warehouse file that a run may hold."""

from pathlib import Path

import duckdb

from ultravires.errors import UsageError
from ultravires.settings import DEFAULT_HOME
from ultravires.store.publish import Damaged, read_manifest
from ultravires.store.queries import quoted


def open_published(home: Path | str = DEFAULT_HOME) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the published tables of `home` as views: one snapshot, read-only, no other files.

    Raises UsageError when nothing has been published there yet, RunError when that is damaged.
    """
    folder = (Path(home) / "published").absolute()
    manifest = read_manifest(folder)
    if not manifest:
        raise UsageError(f"{home}: nothing is published in this home yet; start with: ultravires run --input DIR")
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    con.execute("set temp_directory = ''")  # a reader leaves no files behind where it happens to stand
    for table, entry in manifest["tables"].items():
        files = ", ".join(f"'{quoted(folder / file)}'" for file in entry["files"])
        try:
            con.execute(f'create view "{table}" as select * from read_parquet([{files}])')
        except duckdb.Error as error:
            con.close()
            raise Damaged(folder) from error
    con.execute(f"set allowed_directories = ['{quoted(folder)}']")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")
    return con
