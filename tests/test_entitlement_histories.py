"""Who held what at a moment is what a plain replay of the history says, however its records arrive."""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import pytest
from entitlement_histories import MADE, N_HOURS, START, Held, Record, Replay, as_stg_grants, made_of, random_history

N_HISTORIES = 200
N_MOMENTS = 6
MORE_SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(1, 20))]
FIRST, LAST = datetime.min, datetime.max
Histories = Mapping[str, list[Record]]


@cache
def histories(seed: int, events_only: bool = False) -> Histories:
    """By name; each with names of its own, so that the tables of all are made at once."""
    rng = random.Random(seed)
    names = [f"h{number}" for number in range(N_HISTORIES)]
    return {name: random_history(rng, name, events_only=events_only) for name in names}


@pytest.fixture(scope="module", params=MORE_SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def world(seed: int) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(made_of(as_stg_grants(all_records(histories(seed).values())))) as con:
        yield con


def all_records(of: Iterable[Sequence[Record]]) -> list[Record]:
    return [record for records in of for record in records]


def test_who_holds_what_is_what_a_replay_says(seed: int, world: duckdb.DuckDBPyConnection) -> None:
    """At moments of records and between them: every holder, pattern and path, and nothing else."""
    rng = random.Random(f"moments {seed}")
    rows = held_by_history(world)
    n_held = 0
    for name, records in histories(seed).items():
        replay = Replay(records)
        for _ in range(N_MOMENTS):
            at = START + timedelta(hours=rng.randrange(-1, N_HOURS), minutes=rng.choice((0, 30)))
            found = {held for held, since, until in rows[name] if since <= at.replace(tzinfo=None) < until}
            told = replay.holds(at)
            n_held += len(told)
            assert found == told, f"{name} at {at}: {sorted(map(str, found ^ told))}"
    assert n_held > N_HISTORIES * N_MOMENTS


def held_by_history(con: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Held, datetime, datetime]]]:
    """By history what is held, from when, until when."""
    found: dict[str, list[tuple[Held, datetime, datetime]]] = defaultdict(list)
    rows = con.execute(
        "select holder_uid, layer, effect, action_pattern, resource_pattern, scope_uid, condition, path, is_reported, "
        "valid_from::timestamp, valid_until::timestamp from entitlements"
    ).fetchall()
    for holder, layer, effect, action, resource, scope, condition, path, is_reported, since, until in rows:
        conditions = tuple(sorted(_compact(each) for each in json.loads(condition or "[]")))
        held = Held(holder, layer, effect, action, resource, scope, conditions, tuple(path), is_reported)
        name = path[-1].split(" of ")[-1].split("/")[0]
        found[name].append((held, since or FIRST, until or LAST))
    return found


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def test_the_order_of_arrival_changes_nothing(seed: int, world: duckdb.DuckDBPyConnection) -> None:
    """The rows in another order and some of them twice: every table is the same."""
    records = all_records(histories(seed).values())
    rng = random.Random(f"order {seed}")
    again = [*records, *rng.sample(records, k=len(records) // 5)]
    rng.shuffle(again)
    with closing(made_of(as_stg_grants(again))) as shuffled:
        for name in MADE[1:]:
            assert rows_of(shuffled, name) == rows_of(world, name), name


def rows_of(con: duckdb.DuckDBPyConnection, name: str) -> list[Any]:
    return con.execute(f'from "{name}" order by all').fetchall()


@pytest.mark.parametrize("hours", [15, 40])
def test_what_was_known_at_a_past_time_is_what_is_known_of_it_now(seed: int, hours: int) -> None:
    """Built of the records before a moment, each stretch is one that stands now and began before it, cut there. What
    nobody saw begin is left out: that it was there is learned later, from what takes it.
    """
    cut = START + timedelta(hours=hours)
    records = all_records(histories(seed, events_only=True).values())
    known = [record for record in records if record.at < cut]
    with closing(made_of(as_stg_grants(records))) as now, closing(made_of(as_stg_grants(known))) as then:
        for name in ("int_grants", "int_documents", "int_statements", "int_holdings"):
            past, present = (stretches(con, name, cut) for con in (then, now))
            assert len(past) > N_HISTORIES / 2
            assert past == present, name


def stretches(con: duckdb.DuckDBPyConnection, name: str, cut: datetime) -> list[Any]:
    """Rows of a table that began before the cut, without the ends that came after it."""
    until = "until_at" if name == "int_holdings" else "valid_until"
    seen = "select list(grant_id) from int_grants where known_from < $cut"
    began = {
        "int_grants": "known_from < $cut",
        "int_holdings": f"from_at < $cut and list_has_all(({seen}), grant_ids)",
    }
    columns = [row[0] for row in con.execute(f'describe "{name}"').fetchall()]
    kept = [
        f"if({until} < $cut, {column}, null)" if column == until or column.startswith("end_") else column
        for column in columns
        # the least of all accounts that ever gave it
        if column != "account_uid"
    ]
    where = began.get(name, "valid_from < $cut")
    return con.execute(f'select {", ".join(kept)} from "{name}" where {where} order by all', {"cut": cut}).fetchall()
