"""Many Sigma rules over a million CloudTrail events: in one statement, and one query for each rule.

Two ratios: how much faster 100 rules are together than one by one (measured over ten of them), and how much longer 500
take than 100. CPU seconds, so that other work on the machine hardly counts.
"""

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import yaml
from cloudtrail_files import records
from cpu_clock import cpu_seconds
from rich.console import Console
from rich.table import Table
from ultravires.build.action_effects import privileged_actions
from ultravires.build.rule_relations import rule_relations
from ultravires_models.packs import Pack, PackFile
from ultravires_models.relation import Relation, find_relation
from ultravires_models.rule import Rule
from ultravires_models.rulebook import read_book
from ultravires_models.sigma.runner import compile_rules

DISTINCT = 20_000
"""So many records are generated; the others are these with a member more, so that no text stands twice."""
ONE_BY_ONE = 10
FREE_EVERY = 25
"""Every so many rules ask nothing of the field that says what was done."""


def make_rules(count: int, relation: Relation) -> list[Rule]:
    """Rules as people write them: a service, some of its calls, a condition deeper in the record, a filter."""
    calls = sorted({action for action in privileged_actions() if ":" in action and "*" not in action})
    files = [PackFile(f"{n}.yml", yaml.safe_dump(_document(n, calls)).encode()) for n in range(count)]
    book = read_book([Pack("bench", tuple(files))], [relation])
    assert not book.refused(), book.refused()[0]
    return list(book.rules)


def _document(number: int, calls: list[str]) -> dict[str, Any]:
    service, _, name = calls[number * 7 % len(calls)].partition(":")
    selection: dict[str, Any] = {"eventSource": f"{service}.amazonaws.com", "eventName": [name, f"{name}2*"]}
    if number % FREE_EVERY == 0:
        selection = {"userIdentity.type": "Root", "userAgent|contains": f"tool-{number}"}
    elif number % 10 == 1:
        selection = {"eventName": "AssumeRole", "requestParameters.roleSessionName|contains": f"run-{number:03}"}
    return {
        "title": f"Rule {number}",
        "name": f"rule_{number}",
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {
            "selection": selection,
            "filter": {"userIdentity.sessionContext.sessionIssuer.userName|startswith": f"svc-{number}"},
            "condition": "selection and not filter",
        },
    }


def write_events(path: Path, count: int, relation: Relation) -> None:
    """A Parquet file with the columns of `events`, of which those that rules over raw records read are filled."""
    rng = Random(7)  # noqa: S311 - records, no secrets
    raws = [
        json.dumps(each, separators=(",", ":")) for each in records(rng, datetime(2026, 11, 2, tzinfo=UTC), DISTINCT)
    ]
    distinct = pa.table({"raw": raws})
    filled = {
        "event_id": "md5(n::VARCHAR)",
        "log": "'aws_cloudtrail'",
        "voice": "'recorded'",
        "event_at": "TIMESTAMPTZ '2026-11-02T10:00:00Z' + to_seconds(n % 3600)",
        "event_hour": "TIMESTAMPTZ '2026-11-02T10:00:00Z'",
        "actor_uid": "'arn:aws:iam::111122223333:role/worker'",
        "detail": "'{}'",
        "raw": "'{\"n\":' || n || ',' || substr(raw, 2)",
    }
    columns = ", ".join(f'({filled.get(name, "NULL")})::{kind} AS "{name}"' for name, kind in relation.columns.items())
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("distinct_records", distinct)
        numbered = f"SELECT raw, row_number() OVER () AS n FROM distinct_records, range({max(1, count // DISTINCT)})"
        con.execute(f"COPY (SELECT {columns} FROM ({numbered})) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def seconds_of(path: Path, rules: list[Rule], relation: Relation) -> tuple[float, int]:
    """(CPU seconds, hits) of one statement for all these rules."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE VIEW events AS FROM '{path}'")
        con.execute("CREATE TABLE touched_hours AS SELECT TIMESTAMPTZ '2026-11-02T10:00:00Z' AS event_hour")
        started = cpu_seconds()
        con.execute(f"CREATE TABLE hits AS {compile_rules(rules, relation)}")
        used = cpu_seconds() - started
        return used, con.execute("SELECT count(*) FROM hits").fetchall()[0][0]


def main(count: int) -> dict[str, float]:
    relation = find_relation(rule_relations(), "aws", "cloudtrail")
    rules = make_rules(500, relation)
    with tempfile.TemporaryDirectory(prefix="ultravires-bench-") as folder:
        path = Path(folder) / "events.parquet"
        write_events(path, count, relation)
        together, n_hits = seconds_of(path, rules[:100], relation)
        alone = [seconds_of(path, [rule], relation)[0] for rule in rules[: 100 : 100 // ONE_BY_ONE]]
        many, _ = seconds_of(path, rules, relation)
    one_by_one = sum(alone) / len(alone) * 100
    return {
        "events": count,
        "hits of 100 rules": n_hits,
        "seconds of 100 rules together": together,
        "seconds of 100 rules one by one": one_by_one,
        "times faster together": one_by_one / together,
        "seconds of 500 rules": many,
        "500 rules against 100": many / together,
    }


def draw(measured: dict[str, float]) -> Table:
    table = Table(title="Sigma rules over CloudTrail", show_header=False, title_justify="left")
    for name, value in measured.items():
        table.add_row(name, f"{value:,.1f}" if isinstance(value, float) else f"{value:,}")
    return table


if __name__ == "__main__":
    Console().print(draw(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)))
