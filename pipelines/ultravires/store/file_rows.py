"""Rows of a packaged Parquet file: too many to be written into every home, so SQL reads them where they lie."""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ultravires.build.table_schemas import table_schemas
from ultravires.errors import ConfigError
from ultravires.store.queries import quoted


class FileRows(NamedTuple):
    """`digest` stands for the content: another one means other rows."""

    path: Path
    digest: str
    num_rows: int

    def as_sql(self) -> str:
        return f"from read_parquet('{quoted(self.path)}')"


@cache
def file_rows(table: str, path: Path) -> FileRows:
    """The rows of `table` in the file that came with the product. ConfigError, one line, where it is not whole or has
    other columns.
    """
    try:
        content = path.read_bytes()
        file = pq.ParquetFile(pa.BufferReader(content))
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{path}: cannot be read ({reason}); install Ultravires anew") from error
    if not file.schema_arrow.equals(table_schemas()[table].arrow()):
        raise ConfigError(f"{path}: has not the columns of {table}; install Ultravires anew")
    return FileRows(path, hashlib.sha256(content).hexdigest(), file.metadata.num_rows)
