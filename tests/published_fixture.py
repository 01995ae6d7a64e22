"""One small published home by hand: a ticket, its run over three role hops and two accounts, what went wrong.

approval APR-1 -> decision DEC-1 -> tool call read -> AssumeRole, GetObject
               -> credential ASIA1 -> ASIA2 -> ASIA3 (second account) -> PutBucketPolicy ...
static key AKIA9 -> GetSecretValue            (no approval anywhere)
a person's request -> tool call send           (no decision)
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from published_putting import create_tables
from published_rows import fill_world


@contextmanager
def published_world() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the filled tables."""
    with empty_world() as con:
        fill_world(con)
        yield con


@contextmanager
def empty_world() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables of a home in which nothing was loaded."""
    with duckdb.connect() as con:
        create_tables(con)
        yield con
