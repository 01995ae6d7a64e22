"""Reading what a run published, without touching the warehouse file that a run may hold."""

from pathlib import Path

import duckdb

from ultravires.environment import DEFAULT_HOME
from ultravires.errors import UsageError
from ultravires.store.publish import Damaged, Manifest, foreign_files, published_files, read_manifest
from ultravires.store.published_files import SCHEME, PublishedFiles, holds

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "allow_persistent_secrets": False,  # they are files in the folder of the user
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "temp_directory": "",  # a reader leaves no files behind where it happens to stand
}


def open_published(home: Path | str = DEFAULT_HOME) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the published tables of `home` as views: one snapshot, read-only, no other files.

    Raises UsageError when nothing has been published there yet, RunError when that is damaged or not what a run
    published.
    """
    folder = (Path(home) / "published").absolute()
    manifest = read_manifest(folder)
    if not manifest:
        raise UsageError(f"{home}: nothing is published in this home yet; start with: ultravires run --input DIR")
    _check(folder, manifest)
    con = duckdb.connect(config=_CONFIG)
    try:
        con.execute("set timezone = 'UTC'")
        con.register_filesystem(PublishedFiles(folder, published_files(manifest)))
        for table, entry in manifest["tables"].items():
            files = ", ".join(f"'{SCHEME}://{file}'" for file in entry["files"])
            con.execute(f'create view "{table}" as select * from read_parquet([{files}])')
    except (duckdb.Error, OSError) as error:
        con.close()
        raise Damaged(folder) from error
    con.execute(f"set allowed_directories = ['{SCHEME}://']")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")
    return con


def _check(folder: Path, manifest: Manifest) -> None:
    """Refuse a file that is not as it was published, and one that no run publishes."""
    seals = manifest.get("seals")
    for file in sorted(published_files(manifest)):
        # Ultravires before seals: its next run writes them.
        if seals is not None and not holds(folder / file, seals.get(file)):
            raise Damaged(folder, f"{file} is not what a run published")
    for path in foreign_files(folder):
        raise Damaged(folder, f"no run published {path.relative_to(folder)}")
