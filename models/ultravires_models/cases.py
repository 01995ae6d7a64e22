"""Cases: rows beside a rule that must make it fire or must not, run through the compiled SQL in DuckDB.

`<name>.cases.jsonl` holds one object a line: `{"name", "fires", "row": {column: value}}` for a rule over a
table, `{"name", "fires", "event": {the record}}` for one over the raw records of a log, and for a correlation
`{"name", "fires", "rows": [{"table": a table of ours, "row": {column: value}}]}`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from ultravires_models.correlation import Correlation
from ultravires_models.errors import RuleError
from ultravires_models.relation import Relation, find_relation
from ultravires_models.rule import Rule
from ultravires_models.rulebook import RuleBook
from ultravires_models.sigma.matches import compile_matches
from ultravires_models.sigma.runner import compile_rules
from ultravires_models.sigma.sqltext import identifier
from ultravires_models.sigma.windows import compile_correlations

_ANY_TIME = "2026-11-02T10:30:00Z"
_END_OF_TIME = "2026-12-31T00:00:00Z"
"""When correlations are judged, so that what must be absent has had its time."""
TableRows = tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True)
class Case:
    """One row and whether the rule must fire on it."""

    name: str
    fires: bool
    row: Mapping[str, Any]


@dataclass(frozen=True)
class WindowCase:
    """Rows, each with its table, and whether the correlation must fire on them."""

    name: str
    fires: bool
    rows: TableRows


def read_cases(path: Path, relation: Relation) -> list[Case]:
    """The cases of one file. RuleError, naming file and line, for a line that is no case of this relation."""
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            value = json.loads(line)
            row = raw_row(value, relation) if relation.raw_column else table_row(value["row"], relation)
            cases.append(Case(name=value["name"], fires=value["fires"], row=row))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise RuleError(f"{path}:{number}: not a case of {relation.service}: {error!r}") from error
    return cases


def read_window_cases(path: Path, relations: Sequence[Relation]) -> list[WindowCase]:
    """The cases of a correlation, over tables of ours. RuleError, naming file and line, for what is none."""
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            value = json.loads(line)
            rows = tuple(
                (said["table"], table_row(said["row"], find_relation(relations, "ultravires", said["table"])))
                for said in value["rows"]
            )
            cases.append(WindowCase(name=value["name"], fires=value["fires"], rows=rows))
        except (json.JSONDecodeError, KeyError, TypeError, RuleError) as error:
            raise RuleError(f"{path}:{number}: not a case of a correlation: {error!r}") from error
    return cases


def table_row(row: Mapping[str, Any], relation: Relation) -> dict[str, Any]:
    """The row, with a moment for each time that it leaves out. KeyError for a column the table has not."""
    unknown = sorted(set(row) - set(relation.columns))
    if unknown:
        raise KeyError(f"{relation.table} has no column {', '.join(unknown)}")
    times = {name: _ANY_TIME for name, kind in relation.columns.items() if kind == "timestamptz"}
    return {**times, **row}


def raw_row(case: Mapping[str, Any], relation: Relation) -> dict[str, Any]:
    """A record of a log as the row of `events` that its relation reads; of other logs than CloudTrail the case's `row`
    says what the log's reader made of it.
    """
    if relation.log == "aws_cloudtrail":
        return cloudtrail_row(case["event"])
    raw = json.dumps(case["event"], ensure_ascii=False, separators=(",", ":"))
    return table_row({"event_id": "event", "raw": raw, **case.get("row", {})}, relation)


def cloudtrail_row(event: Mapping[str, Any]) -> dict[str, Any]:
    """A CloudTrail record as the row of `events` that the aws relation reads, without the log's reader."""
    at = event.get("eventTime", _ANY_TIME)
    identity = event.get("userIdentity") or {}
    issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
    return {
        "event_id": event.get("eventID", "event"),
        "actor_uid": issuer.get("arn") or identity.get("arn") or identity.get("invokedBy"),
        "action": f"{str(event.get('eventSource', '')).split('.')[0]}:{event.get('eventName')}",
        "error_code": event.get("errorCode"),
        "credential_uid": identity.get("accessKeyId"),
        "event_at": at,
        "event_hour": f"{at[:13]}:00:00Z",
        "detail": json.dumps({"session_name": str(identity.get("arn")).rpartition("/")[2]} if issuer else {}),
        "raw": json.dumps(event, ensure_ascii=False, separators=(",", ":")),
    }


def create_relation(con: duckdb.DuckDBPyConnection, relation: Relation, rows: Sequence[Mapping[str, Any]]) -> None:
    """Create the relation's table with these rows, and `touched_hours` with all their hours."""
    types = relation.columns
    _create_table(con, relation)
    marks = ", ".join("?" for _ in types)
    for row in rows:
        full = {"log": relation.log, **row}
        con.execute(f"INSERT INTO {identifier(relation.table)} VALUES ({marks})", [full.get(name) for name in types])
    if relation.is_by_hour:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE touched_hours AS "
            f"SELECT DISTINCT event_hour FROM {identifier(relation.table)}"
        )


def failed_cases(rule: Rule, cases: Sequence[Case], relations: Sequence[Relation]) -> list[str]:
    """Names of the cases in which the rule did not do what the case says. All `relations` but the rule's are empty."""
    fired = fired_in([rule], cases, relations)
    return [case.name for case, names in zip(cases, fired, strict=True) if bool(names) != case.fires]


def fired_in(rules: Sequence[Rule], cases: Sequence[Case], relations: Sequence[Relation]) -> list[frozenset[str]]:
    """Of each case the ids of those that fire on its row; `rules` are of one relation, and all others are empty."""
    statement = compile_rules(rules, rules[0].relation)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        for relation in relations:
            _create_table(con, relation)
        return [_fired(con, rules[0].relation, statement, case) for case in cases]


def failed_window_cases(book: RuleBook, correlation: Correlation, cases: Sequence[WindowCase]) -> list[str]:
    """Names of the cases in which the correlation, with what it names, did not do what the case says."""
    part = _needed_by(book, correlation)
    fields = part.wanted_fields()
    members: dict[str, list[Rule]] = {}
    for rule in part.rules:
        members.setdefault(rule.relation.table_name, []).append(rule)
    matches = {f"matches_{name}": compile_matches(rules, rules[0].relation, fields) for name, rules in members.items()}
    statement = compile_correlations(part.correlations, part.silent, sorted(matches), fields)
    failed = []
    for case in cases:
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            con.execute(f"CREATE TEMP TABLE run_context AS SELECT TIMESTAMPTZ '{_END_OF_TIME}' AS as_of")
            for rules in members.values():
                table = rules[0].relation.table
                create_relation(con, rules[0].relation, [row for name, row in case.rows if name == table])
            for name, select in matches.items():
                con.execute(f"CREATE TEMP TABLE {identifier(name)} AS {select}")
            found = {row[0] for row in con.execute(f"SELECT detector_id FROM ({statement})").fetchall()}
        if (correlation.detector_id in found) != case.fires:
            failed.append(case.name)
    return failed


def _needed_by(book: RuleBook, correlation: Correlation) -> RuleBook:
    """The part of the rules that a correlation is made of."""
    by_name = {each.detector_id: each for each in book.correlations}
    names, waiting = {correlation.detector_id}, [correlation]
    while waiting:
        named = set(waiting.pop().rules) - names
        names |= named
        waiting += [by_name[name] for name in named if name in by_name]
    return replace(
        book,
        rules=tuple(rule for rule in book.rules if rule.detector_id in names),
        correlations=tuple(each for each in book.correlations if each.detector_id in names),
    )


def _create_table(con: duckdb.DuckDBPyConnection, relation: Relation) -> None:
    con.execute(f"CREATE TEMP TABLE IF NOT EXISTS run_context AS SELECT TIMESTAMPTZ '{_ANY_TIME}' AS as_of")
    columns = ", ".join(f"{identifier(name)} {sql_type}" for name, sql_type in relation.columns.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(relation.table)} ({columns})")


def _fired(con: duckdb.DuckDBPyConnection, relation: Relation, statement: str, case: Case) -> frozenset[str]:
    create_relation(con, relation, [case.row])
    return frozenset(name for (name,) in con.execute(f"SELECT DISTINCT detector_id FROM ({statement})").fetchall())
