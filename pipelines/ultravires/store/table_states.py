"""What the warehouse knows of each table: its version, and of which code and which versions of its inputs it is."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from ultravires.store.queries import parsed

BOOKKEEPING = """
create table if not exists table_state(
    table_name varchar primary key, version bigint not null, code_hash varchar, fingerprint varchar,
    n_rows bigint, built_at timestamptz);
create table if not exists built_from(table_name varchar, input_name varchar, input_version bigint);
"""
_GIVEN = """
(select unnest($tables) as table_name, unnest($versions) as version, unnest($code_hashes) as code_hash,
 unnest($fingerprints) as fingerprint, unnest($n_rows::bigint[]) as n_rows) as given
"""
_INSERT = f"insert into table_state by name select given.*, now() as built_at from {_GIVEN}"
_UPDATE = f"""
update table_state set version = given.version, code_hash = given.code_hash, fingerprint = given.fingerprint,
n_rows = given.n_rows, built_at = now() from {_GIVEN} where given.table_name = table_state.table_name
"""
_INSERT_INPUTS = "insert into built_from select unnest($tables), unnest($names), unnest($versions)"
_DELETE_INPUTS = "delete from built_from where list_contains($tables, table_name)"


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


def write_states(
    con: duckdb.DuckDBPyConnection, states: Mapping[str, TableState], *, before: Mapping[str, TableState | None]
) -> None:
    """Write the states of tables of which those of `before` stand there, inside the caller's transaction."""
    # DuckDB takes four times as long to plan `insert or replace`.
    for statement, tables in (
        (_INSERT, [table for table in states if before[table] is None]),
        (_UPDATE, [table for table in states if before[table] is not None]),
    ):
        if tables:
            con.execute(parsed(con, statement), _columns({table: states[table] for table in tables}))
    _write_inputs(con, states, before)


def _columns(states: Mapping[str, TableState]) -> dict[str, list[Any]]:
    return {
        "tables": list(states),
        "versions": [state.version for state in states.values()],
        "code_hashes": [state.code_hash for state in states.values()],
        "fingerprints": [state.fingerprint for state in states.values()],
        "n_rows": [state.n_rows for state in states.values()],
    }


def _write_inputs(
    con: duckdb.DuckDBPyConnection, states: Mapping[str, TableState], before: Mapping[str, TableState | None]
) -> None:
    known = {table: (state.inputs if state else {}) for table, state in before.items()}
    others = [table for table, state in states.items() if state.inputs != known[table]]
    if outdated := [table for table in others if known[table]]:
        con.execute(parsed(con, _DELETE_INPUTS), {"tables": outdated})
    rows = [(table, name, version) for table in others for name, version in states[table].inputs.items()]
    if rows:
        tables, names, versions = map(list, zip(*rows, strict=True))
        con.execute(parsed(con, _INSERT_INPUTS), {"tables": tables, "names": names, "versions": versions})
