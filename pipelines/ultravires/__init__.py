"""Ultravires follows every action of a non-human identity back to the grant that allowed it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(home: "Path | str" = ".ultravires") -> "duckdb.DuckDBPyConnection":
    """A DuckDB connection with the published tables of `home` as views (see `ultravires.store.snapshot`)."""
    from ultravires.store.snapshot import open_published

    return open_published(home)
