"""Correlations find what pySigma's backend for SQLite finds, run in sqlite3, over random logs.

`make oracles` installs that backend (`pysigma-backend-sqlite`); it is used in tests only.
"""

import importlib.util
import json
import random
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from sigma_correlations import base_rule, book_of, event, find, random_correlation, random_log

HAS_BACKEND = importlib.util.find_spec("sigma.backends.sqlite") is not None
NAMES = ("a", "b", "c")
needs_backend = pytest.mark.skipif(not HAS_BACKEND, reason="pySigma's SQLite backend comes with `make oracles`")
COLUMNS = {
    "event_id": "text",
    "at": "real",
    "action": "text",
    "actor_uid": "text",
    "identity_id": "text",
    "confidence": "real",
}
Found = set[tuple[str, str]]
"""(group, UTC day on which a window completes)"""


def as_sigma(said: Mapping[str, Any]) -> dict[str, Any]:
    """The correlation under a name of its own, as a document."""
    return {"title": "one", "name": "one", "correlation": dict(said)}


def found_by_ours(said: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Found:
    book = book_of(*map(base_rule, NAMES), as_sigma(said))
    return {(hit["subject_uid"], hit["slot"]) for hit in find(book, rows)}


def found_by_sqlite(said: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Found:
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection

    documents = [*map(base_rule, NAMES), as_sigma(said)]
    rules = SigmaCollection.from_yaml("\n---\n".join(map(yaml.safe_dump, documents)))
    backend = sqliteBackend(table="logs", timestamp_field="at", timestamp_format="unix", event_id_field="event_id")
    query = backend.convert(rules)[-1]
    with sqlite3.connect(":memory:") as con:
        con.execute(f"create table logs ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
        con.executemany(
            "insert into logs values (?, ?, ?, ?, ?, ?)", [[plain(row)[name] for name in COLUMNS] for row in rows]
        )
        alerts = con.execute(f"select group_keys, occurrence_time from ({query})").fetchall()
    return {
        (json.loads(group)["actor_uid"], datetime.fromtimestamp(at, UTC).date().isoformat()) for group, at in alerts
    }


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    at = datetime.fromisoformat(row["step_at"]).timestamp()
    return {"identity_id": None, "confidence": None, **row, "at": at, "actor_uid": row["actor_uid"] or None}


def apart(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """No two at one moment: of those that backend calls neither the earlier, and here either may be."""
    moments = [datetime.fromisoformat(row["step_at"]) + timedelta(seconds=n) for n, row in enumerate(rows)]
    return [{**row, "step_at": at.isoformat()} for row, at in zip(rows, moments, strict=True)]


def with_value(said: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that have what is counted: here no other event is one of the window, there it counts as nothing."""
    field = (said.get("condition") or {}).get("field")
    return [row for row in rows if field is None or row[field] is not None]


@needs_backend
@pytest.mark.parametrize("seed", range(20))
def test_windows_are_those_of_another_implementation(seed: int) -> None:
    """Ten random correlations over one random log: the same groups on the same days."""
    chance = random.Random(seed)
    rows = apart(random_log(chance))
    for drawn in (random_correlation(chance) for _ in range(10)):
        if isinstance(drawn.get("condition"), str):
            continue  # absence is judged by the time that the run has reached, which that backend does not know
        wanted = {**drawn, "timespan": "5m", "group-by": ["actor_uid"]}
        said = {name: value for name, value in wanted.items() if value is not None}
        counted = with_value(said, rows)
        assert found_by_ours(said, counted) == found_by_sqlite(said, counted), said


@needs_backend
def test_the_two_differ_where_they_should() -> None:
    """The comparison would see a window that is too long, or a group that is left out."""
    said = {
        "type": "event_count",
        "rules": ["a"],
        "timespan": "10m",
        "group-by": ["actor_uid"],
        "condition": {"gte": 2},
    }
    rows = [event(0, "a"), event(9, "a")]
    assert found_by_ours(said, rows) == found_by_sqlite(said, rows) == {("ann", "2026-11-02")}
    assert found_by_ours({**said, "timespan": "8m"}, rows) == set()
