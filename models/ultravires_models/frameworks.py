"""The framework references that findings may carry: one versioned table, frameworks.csv."""

import csv
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

_TABLE = Path(__file__).with_name("frameworks.csv")
_COLUMNS = ("reference", "framework", "version", "title")


@dataclass(frozen=True)
class Framework:
    """One entry of a published framework; `reference` is the Sigma tag that cites it."""

    reference: str
    framework: str
    version: str
    title: str


@lru_cache(maxsize=1)
def load_frameworks() -> dict[str, Framework]:
    """Every known reference, by its Sigma tag."""
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        return {row["reference"]: Framework(**row) for row in csv.DictReader(lines)}


def frameworks_table() -> pa.Table:
    """The same as an Arrow table with the columns reference, framework, version, title."""
    rows = [dict(zip(_COLUMNS, astuple(entry), strict=True)) for entry in load_frameworks().values()]
    return pa.Table.from_pylist(rows, schema=pa.schema([(column, pa.string()) for column in _COLUMNS]))
