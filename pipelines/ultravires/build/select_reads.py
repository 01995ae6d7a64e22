"""Which tables a SELECT reads, and which of them must have rows for it to give any.

To parse all of them takes a fifth of a small run, so a home remembers what was read from each text.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec

from ultravires.build import needed_rows
from ultravires.build.needed_rows import Needed
from ultravires.errors import ConfigError
from ultravires.store.atomic_file import write_bytes_atomically
from ultravires.store.queries import fetch_row

REMEMBERED = "select_reads.json"
_BRANCHES = frozenset({dict, list})


class Reads(NamedTuple):
    """Its own CTEs are left out of the tables (no CTE may shadow a table)."""

    tables: frozenset[str]
    needed: Needed


_known: dict[str, Reads] = {}
"""By the digest of a SELECT and of its macros what it reads: all that this process has asked for or was told."""
_asked: set[str] = set()
"""Of these those that it has asked for: what a home was told by older versions is not kept for ever."""


def reads_of(name: str, sql: str, macros: str = "") -> Reads:
    """Of the single SELECT `sql`; ConfigError, which calls it `name`, where it is none."""
    digest = hashlib.sha256(f"{_reader()}\n{macros}\n{sql}".encode()).hexdigest()
    _asked.add(digest)
    if digest not in _known:
        statement = _parsed(name, sql)
        _known[digest] = Reads(_tables_of(statement), needed_rows.needed_rows(statement, macros))
    return _known[digest]


def recall(home: Path) -> None:
    """Take what the home remembers, if it has begun; what is not whole is read from the SELECTs again."""
    with suppress(OSError, msgspec.MsgspecError):
        _known.update(msgspec.json.decode((home / REMEMBERED).read_bytes(), type=dict[str, Reads]))


def remember(home: Path) -> None:
    """Let the next process that builds in this home recall what this one asked for."""
    path = home / REMEMBERED
    known = msgspec.json.encode({digest: _known[digest] for digest in _asked}, order="sorted")
    with suppress(OSError):  # where the disk has no room left, the next run does this work again
        if not path.exists() or path.read_bytes() != known:
            write_bytes_atomically(path, known)


@cache
def _reader() -> str:
    """Changes with what reads a SELECT: DuckDB's parser, and ours of its syntax."""
    ours = b"".join(Path(file).read_bytes() for file in (__file__, needed_rows.__file__))
    return f"{duckdb.__version__} {hashlib.sha256(ours).hexdigest()}"


def _parsed(name: str, sql: str) -> dict[str, Any]:
    row = fetch_row(_parser(), "select json_serialize_sql(?::varchar)", [sql])
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        raise ConfigError(f"{name}.sql: not a single SELECT: {tree.get('error_message', 'no statement')}")
    statement: dict[str, Any] = tree["statements"][0]
    return statement


def _tables_of(statement: Mapping[str, Any]) -> frozenset[str]:
    nodes = list(_walk(statement))
    ctes = {entry["key"] for node in nodes for entry in _cte_entries(node)}
    ctes |= {str(node["cte_name"]) for node in nodes if "cte_name" in node}
    tables = {str(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE"}
    return frozenset(tables - ctes)


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """An empty in-memory database that only parses; opening one for every file costs more than the parsing."""
    return duckdb.connect()


def _cte_entries(node: Mapping[str, object]) -> list[dict[str, str]]:
    cte_map = node.get("cte_map")
    entries = cte_map.get("map", []) if isinstance(cte_map, dict) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _walk(tree: object) -> Iterable[dict[str, object]]:
    """All objects of the tree. By a list of what is left, for there are a million of values in what a run parses."""
    left = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += [child for child in part.values() if type(child) in _BRANCHES]
        elif isinstance(part, list):
            left += part
