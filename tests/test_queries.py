"""Statements that a process parses once."""

import duckdb
import pytest
from ultravires.store import queries
from ultravires.store.queries import fetch_row, parsed


def test_a_statement_parsed_on_one_connection_runs_on_any() -> None:
    """Over the tables and with the parameters of that connection, as often as it is asked."""
    query = "select n + ? from numbers"
    with duckdb.connect() as one, duckdb.connect() as other:
        one.execute("create table numbers as select 1 as n")
        other.execute("create table numbers as select 10 as n")
        assert parsed(one, query) is parsed(other, query)
        assert [fetch_row(con, query, [more]) for con in (one, other) for more in (1, 2)] == [(2,), (3,), (11,), (12,)]


def test_a_table_that_was_made_anew_is_read_as_it_is() -> None:
    """Only the text is remembered, and nothing of what it was about."""
    with duckdb.connect() as con:
        con.execute("create table t as select 1 as n")
        assert fetch_row(con, "from t") == (1,)
        con.execute("create or replace table t as select 'a' as x, 'b' as y")
        assert fetch_row(con, "from t") == ("a", "b")


def test_what_is_parsed_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that watches logs asks for months."""
    monkeypatch.setattr(queries, "_PARSED", {})
    monkeypatch.setattr(queries, "_MOST_PARSED", 3)
    with duckdb.connect() as con:
        assert [fetch_row(con, f"select {n}") for n in range(10)] == [(n,) for n in range(10)]
    assert len(queries._PARSED) <= 3
