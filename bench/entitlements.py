"""What the tables of entitlements cost: one day more with a year of changes against a month, and many changes at once.

`python bench/entitlements.py [--identities 1000] [--days 30 365] [--a-day 100] [--whole 100000] [--json]`

The events are changes alone, as sources give them (`reading/grants.py`): memberships, policies that are attached and
detached, policies that are written anew, and an export a week. They are stored as a run stores them, and every table
that reads changes or follows from one that does is built, in CPU seconds of all processes. The whole build is printed
against the first build of the shortest history, and has a process of its own, as what made the events leaves memory
behind that no run has; that process is measured (see bench/many_events.py).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from cpu_clock import cpu_seconds
from many_events import watched_memory
from rich.console import Console
from rich.table import Table
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.reference import reference_tables, store_run_context
from ultravires.build.sql_tables import SqlTable, in_build_order, load_tables
from ultravires.reading.grants import Relation, given, statement, taken, whole, written
from ultravires.registry import sources, sql_root
from ultravires.schema import EVENTS
from ultravires.settings import Settings
from ultravires.store.deduplicate import store_events
from ultravires.store.warehouse import open_warehouse
from ultravires_models.describe import DETECTORS
from ultravires_models.hits import HITS

Json = dict[str, Any]
START = datetime(2025, 10, 1, tzinfo=UTC)
ACCOUNT = "111122223333"
N_POLICIES_A_HUNDRED = 10
CHUNK = 50_000
N_SLOWEST = 12
ACTIONS = (
    "s3:Get*",
    "s3:PutObject",
    "kms:Decrypt",
    "sqs:*",
    "dynamodb:Query",
    "iam:PassRole",
    "logs:*",
    "ec2:Describe*",
)


class Estate:
    """Identities in groups in departments, with policies, and who changes what of it from day to day."""

    def __init__(self, identities: int, seed: int) -> None:
        self.rng = Random(seed)  # noqa: S311 - measurements, not secrets
        self.identities = [f"arn:aws:iam::{ACCOUNT}:role/svc-{number}" for number in range(identities)]
        self.groups = [f"arn:aws:iam::{ACCOUNT}:group/g{number}" for number in range(max(identities // 50, 2))]
        n_policies = max(identities * N_POLICIES_A_HUNDRED // 100, 2)
        self.policies = [f"arn:aws:iam::{ACCOUNT}:policy/p{number}" for number in range(n_policies)]
        self.n_events = 0
        self.n_exports = 0
        self.held: dict[str, list[tuple[str, str]]] = {"attached": [], "member": []}
        """Edges that stand: what is taken is one of them, so that as much is held after a year as after a month."""

    def beginning(self) -> Iterator[Json]:
        """What stands on the first day: each policy has a text, each group a few of them, each identity two groups."""
        for policy in self.policies:
            yield self.event(START, written(policy, self.text()))
        for group in self.groups:
            for policy in self.rng.sample(self.policies, k=min(3, len(self.policies))):
                yield self.event(START, given("attached", group, policy))
        for identity in self.identities:
            chosen = self.rng.sample(self.groups, k=2)
            yield self.event(START, *(self.give("member", identity, group) for group in chosen))
            yield self.event(START, self.give("attached", identity, self.rng.choice(self.policies)))

    def day(self, number: int, changes: int) -> Iterator[Json]:
        """So many changes of one day, and on each seventh an export of one policy's holders."""
        day = START + timedelta(days=number)
        for _ in range(changes):
            yield self.event(day + timedelta(seconds=self.rng.randrange(86_400)), *self.change())
        if number % 7 == 0:
            yield self.export(day + timedelta(hours=3))

    def change(self) -> Sequence[Json]:
        identity, policy = self.rng.choice(self.identities), self.rng.choice(self.policies)
        kind = self.rng.random()
        if kind < 0.34:
            return [self.give("attached", identity, policy)]
        if kind < 0.68:
            return [self.take("attached")]
        if kind < 0.83:
            return [self.give("member", identity, self.rng.choice(self.groups))]
        if kind < 0.98:
            return [self.take("member")]
        return [written(policy, self.text())]

    def give(self, relation: Relation, holder: str, held: str) -> Json:
        self.held[relation].append((holder, held))
        return given(relation, holder, held)

    def take(self, relation: Relation) -> Json:
        """One of the edges that stand, any of them; the last takes its place."""
        edges = self.held[relation]
        place = self.rng.randrange(len(edges))
        edges[place], edges[-1] = edges[-1], edges[place]
        return taken(relation, *edges.pop())

    def text(self) -> list[Json]:
        return [
            statement("allow", self.rng.sample(ACTIONS, k=2), [f"arn:aws:s3:::bucket-{self.rng.randrange(50)}/*"]),
            statement("allow", [self.rng.choice(ACTIONS)]),
        ]

    def export(self, at: datetime) -> Json:
        self.n_exports += 1
        policy = self.rng.choice(self.policies)
        holders = self.rng.sample(self.identities, k=min(10, len(self.identities)))
        grants = [whole("attached", held=policy), *(given("attached", holder, policy) for holder in holders)]
        shown = {"snapshot": f"s{self.n_exports}", "captured_by": "name"}
        own = {"log": "aws_iam_snapshot", "kind": "inventory", "voice": "declared", "actor_uid": None, "outcome": None}
        return self.event(at, *grants) | own | {"detail": json.dumps({"grants": grants} | shown)}

    def event(self, at: datetime, *grants: Json) -> Json:
        self.n_events += 1
        return dict.fromkeys(EVENTS.names) | {
            "event_id": f"{self.n_events:032x}",
            "log": "aws_cloudtrail",
            "source": "aws_cloudtrail",
            "native_id": str(self.n_events),
            "source_version": 1,
            "voice": "recorded",
            "event_at": at,
            "event_hour": at.replace(minute=0, second=0),
            "ingested_at": at,
            "file_id": "f",
            "record_no": self.n_events,
            "kind": "activity",
            "class_uid": 6003,
            "activity_id": 1,
            "actor_uid": f"arn:aws:iam::{ACCOUNT}:user/admin-{self.n_events % 20}",
            "actor_kind": "human",
            "account_uid": ACCOUNT,
            "action": "iam:AttachRolePolicy",
            "resource_uids": [],
            "outcome": "success",
            "keys": [],
            "detail": json.dumps({"grants": grants}),
            "raw": "{}",
            "raw_hash": "0" * 32,
        }


@cache
def tables() -> dict[str, SqlTable]:
    """The SQL files by name, in the order in which they are built; those that are made of rules are left out."""
    found = load_tables(sql_root())
    return {name: found[name] for name in in_build_order({name: table.inputs for name, table in found.items()})}


@cache
def follow_changes() -> frozenset[str]:
    """The tables that read what changes say, or what is made of it."""
    found: set[str] = set()
    for name, table in tables().items():
        if name == "stg_grants" or found & table.inputs:
            found.add(name)
    return frozenset(found)


class Home:
    """A warehouse with everything that SQL reads besides events."""

    def __init__(self, engine: DuckDBEngine) -> None:
        self.engine = engine
        for name, rows in reference_tables(Settings(), sources().values()).items():
            engine.warehouse.store_reference(name, rows)
        engine.warehouse.store_reference("hits", HITS.empty_table())
        engine.warehouse.store_reference("detectors", DETECTORS.empty_table())

    def store(self, events: Iterator[Json], as_of: datetime) -> None:
        chunk: list[Json] = []
        for event in events:
            chunk.append(event)
            if len(chunk) == CHUNK:
                self._store(chunk)
                chunk = []
        self._store(chunk)
        store_run_context(self.engine.warehouse, as_of, timedelta(minutes=2))

    def _store(self, chunk: list[Json]) -> None:
        with self.engine.warehouse.transaction():
            store_events(self.engine, Settings(), pa.Table.from_pylist(chunk, schema=EVENTS))

    def build(self) -> dict[str, float]:
        """CPU seconds of each table that follows changes; the others are brought up to date outside of the clock."""
        seconds = {}
        for name, table in tables().items():
            began = cpu_seconds()
            self.engine.build(table)
            if name in follow_changes():
                seconds[name] = cpu_seconds() - began
        return seconds


def measure(folder: Path, identities: int, days: int, a_day: int, seed: int) -> Json:
    """A history of so many days, built, then a day more."""
    estate = Estate(identities, seed)
    with open_warehouse(folder / f"home-{days}") as warehouse:
        home = Home(DuckDBEngine(warehouse, tables()))
        home.store(estate.beginning(), START)
        history = (event for number in range(1, days) for event in estate.day(number, a_day))
        home.store(history, START + timedelta(days=days))
        first = home.build()
        n_events = estate.n_events
        home.store(estate.day(days, a_day), START + timedelta(days=days + 1))
        return {"days": days, "events": n_events, "first": first, "day": home.build()}


def measure_whole(folder: Path, identities: int, changes: int, seed: int) -> Json:
    """So many changes, built at once, and the most memory on the way."""
    home = folder / "home-whole"
    n_events = _alone(_store_whole, home, identities, changes, seed)
    return {"events": n_events, **_alone(_build_whole, home)}


def _alone(measured: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measured, *arguments).result()


def _store_whole(path: Path, identities: int, changes: int, seed: int) -> int:
    estate, a_day = Estate(identities, seed), max(changes // 365, 1)
    with open_warehouse(path) as warehouse:
        home = Home(DuckDBEngine(warehouse, tables()))
        home.store(estate.beginning(), START)
        home.store((event for day in range(1, 366) for event in estate.day(day, a_day)), START + timedelta(days=366))
    return estate.n_events


def _build_whole(path: Path) -> Json:
    with open_warehouse(path) as warehouse, watched_memory() as memory:
        seconds = Home(DuckDBEngine(warehouse, tables())).build()
    return {"first": seconds, "peak_mb": memory.peak >> 20}


def draw(homes: Sequence[Json], at_once: Json | None) -> Sequence[Table]:
    day = Table(title="a day more of changes, CPU seconds")
    day.add_column("table")
    for home in homes:
        day.add_column(f"{home['days']} days, {home['events']:,} changes", justify="right")
    day.add_column("ratio", justify="right")
    slowest = sorted(homes[-1]["day"], key=lambda name: -homes[-1]["day"][name])[:N_SLOWEST]
    _add(day, "all that follow changes", [sum(home["day"].values()) for home in homes])
    for name in slowest:
        _add(day, name, [home["day"][name] for home in homes])
    drawn = [day]
    if at_once:
        title = f"{at_once['events']:,} changes at once, peak {at_once['peak_mb']:,} MB"
        built = Table(title=title)
        for heading in ("table", f"{homes[0]['events']:,} changes", "at once"):
            built.add_column(heading, justify="right")
        built.add_column("growth for each change", justify="right")
        more = at_once["events"] / homes[0]["events"]
        rows = [("all that follow changes", sum(homes[0]["first"].values()), sum(at_once["first"].values()))]
        for name in sorted(at_once["first"], key=lambda name: -at_once["first"][name])[:N_SLOWEST]:
            rows.append((name, homes[0]["first"][name], at_once["first"][name]))
        for name, before, after in rows:
            built.add_row(name, f"{before:.2f}", f"{after:.2f}", f"{after / before / more:.2f}" if before else "")
        drawn.append(built)
    return drawn


def _add(table: Table, label: str, seconds: Sequence[float]) -> None:
    ratio = f"{seconds[-1] / seconds[0]:.2f}" if seconds[0] else ""
    table.add_row(label, *(f"{each:.2f}" for each in seconds), ratio)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=1_000)
    parser.add_argument("--days", type=int, nargs="+", default=[30, 365], help="of history")
    parser.add_argument("--a-day", type=int, default=100, help="changes a day")
    parser.add_argument("--whole", type=int, default=100_000, help="changes that are built at once; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as scratch:
        folder = Path(scratch)
        homes = [measure(folder, chosen.identities, days, chosen.a_day, chosen.seed) for days in sorted(chosen.days)]
        at_once = measure_whole(folder, chosen.identities, chosen.whole, chosen.seed) if chosen.whole else None
    if chosen.json:
        sys.stdout.write(json.dumps({"homes": homes, "at_once": at_once}) + "\n")
    else:
        for table in draw(homes, at_once):
            Console().print(table)


if __name__ == "__main__":
    main()
