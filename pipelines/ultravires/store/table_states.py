"""What the warehouse knows of each table: its version, and of which code and which versions of its inputs it is."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import duckdb
import pyarrow as pa

from ultravires.store.queries import parsed

BOOKKEEPING = """
create table if not exists table_state(
    table_name varchar primary key, version bigint not null, code_hash varchar, fingerprint varchar,
    n_rows bigint, built_at timestamptz);
create table if not exists built_from(table_name varchar, input_name varchar, input_version bigint);
"""
_INSERT = """
insert into table_state(version, code_hash, fingerprint, n_rows, table_name, built_at) values (?, ?, ?, ?, ?, now())
"""
_UPDATE = """
update table_state set version = ?, code_hash = ?, fingerprint = ?, n_rows = ?, built_at = now() where table_name = ?
"""


class TableState(NamedTuple):
    """`fingerprint` and `n_rows` are of the content; not known ('' and None) where only hours or rows were rewritten.
    `code_hash` of a table that no code builds is the digest of the rows that it was given.
    """

    version: int
    code_hash: str
    fingerprint: str
    n_rows: int | None
    inputs: Mapping[str, int]


NEVER_BUILT = TableState(0, "", "", None, {})


def read_states(con: duckdb.DuckDBPyConnection) -> dict[str, TableState]:
    """Of every table that was ever built."""
    inputs: dict[str, dict[str, int]] = {}
    for table, name, version in con.execute("select table_name, input_name, input_version from built_from").fetchall():
        inputs.setdefault(table, {})[name] = version
    rows = con.execute("select table_name, version, code_hash, fingerprint, n_rows from table_state").fetchall()
    return {
        table: TableState(version, code_hash or "", fingerprint or "", n_rows, inputs.get(table, {}))
        for table, version, code_hash, fingerprint, n_rows in rows
    }


def rows_digest(rows: pa.Table) -> str:
    """Other rows, names or types give another one; the same rows in other pieces may, too, which costs a comparison."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def write_state(con: duckdb.DuckDBPyConnection, table: str, state: TableState, *, before: TableState | None) -> None:
    """Write `state` of a table of which `before` stands there, inside the caller's transaction."""
    # DuckDB takes four times as long to plan `insert or replace`.
    statement = _INSERT if before is None else _UPDATE
    con.execute(parsed(con, statement), [state.version, state.code_hash, state.fingerprint, state.n_rows, table])
    known = before.inputs if before else {}
    if known == state.inputs:
        return
    if known:
        con.execute("delete from built_from where table_name = ?", [table])
    if state.inputs:
        con.execute(
            parsed(con, "insert into built_from select $table, unnest($names), unnest($versions)"),
            {"table": table, "names": list(state.inputs), "versions": list(state.inputs.values())},
        )
