"""Correlations over rows given as Python, run as SQL; and what the specification says of them in plain Python."""

import random
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import yaml
from relations import RELATIONS, STEP_FACTS
from ultravires_models.cases import create_relation, table_row
from ultravires_models.packs import Pack, PackFile
from ultravires_models.rulebook import RuleBook, read_book
from ultravires_models.sigma.matches import compile_matches
from ultravires_models.sigma.windows import compile_correlations

BEGIN = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)


def base_rule(name: str, action: str | None = None) -> dict[str, Any]:
    """A rule over `step_facts` that matches an action of its own name."""
    return {
        "title": name,
        "name": name,
        "logsource": {"product": "ultravires", "service": "step_facts"},
        "detection": {"s": {"action": action or name}, "condition": "s"},
    }


def correlation(name: str, kind: str, rules: Sequence[str], **said: Any) -> dict[str, Any]:
    wanted = {"type": kind, "rules": list(rules), "timespan": "10m", "group-by": ["actor_uid"], **said}
    return {"title": name, "name": name, "correlation": {key: value for key, value in wanted.items() if value}}


def book_of(*documents: Mapping[str, Any]) -> RuleBook:
    files = [PackFile(f"{n}.yml", yaml.safe_dump(dict(each)).encode()) for n, each in enumerate(documents)]
    return read_book([Pack("mine", tuple(files))], RELATIONS)


def event(minute: float, action: str, actor: str | None = "ann", **columns: Any) -> dict[str, Any]:
    at = BEGIN + timedelta(minutes=minute)
    uid = columns.pop("event_id", f"{action}-{minute:g}-{actor}")
    return {
        "event_id": uid,
        "step_id": uid,
        "evidence_event_ids": [uid],
        "step_at": at.isoformat(),
        "event_hour": at.replace(minute=0, second=0, microsecond=0).isoformat(),
        "action": action,
        "actor_uid": actor,
        **columns,
    }


def random_log(chance: random.Random) -> list[dict[str, Any]]:
    """An hour of events of three rules and two actors, with ties in time and events without a group or value."""
    return [
        event(
            chance.randint(0, 60),
            chance.choice("abc"),
            chance.choice(["ann", "bob", None]),
            event_id=f"e{n}",
            identity_id=chance.choice(["x", "y", "z", None]),
            confidence=chance.choice([1.0, 2.0, 4.0, 8.0, None]),
        )
        for n in range(chance.randint(5, 60))
    ]


def random_correlation(chance: random.Random) -> dict[str, Any]:
    rules = chance.sample(["a", "b", "c"], chance.randint(1, 3))
    operator = chance.choice(["gte", "gt", "lt", "lte", "eq", "neq"])
    kinds = "event_count value_count value_sum value_avg value_median value_percentile temporal temporal_ordered"
    kind = chance.choice(kinds.split())
    if kind == "event_count":
        return {"type": kind, "rules": rules, "condition": {operator: chance.randint(1, 4)}}
    if kind == "value_count":
        return {"type": kind, "rules": rules, "condition": {operator: chance.randint(1, 3), "field": "identity_id"}}
    if kind == "temporal_ordered":
        return {"type": kind, "rules": rules}
    if kind == "temporal":
        conditions = ["a and not b", "(a or c) and not b", "a and b and not c", "a and (b or c)", {operator: 2}, None]
        condition = chance.choice(conditions)
        named = [rule for rule in "abc" if not isinstance(condition, str) or rule in condition.replace("and", "")]
        return {"type": kind, "rules": named, "condition": condition}
    of_values: dict[str, Any] = {operator: chance.randint(1, 12), "field": "confidence"}
    if kind == "value_percentile":
        of_values["percentile"] = chance.choice([0, 50, 75, 95, 100])
    return {"type": kind, "rules": rules, "condition": of_values}


def find(book: RuleBook, rows: Sequence[Mapping[str, Any]], *, as_of_minute: float = 10_000) -> list[dict[str, Any]]:
    """The findings of all correlations, in the order of rule, group and day."""
    assert book.refused() == []
    fields = book.wanted_fields()
    rules = [rule for rule in book.rules if rule.detector_id in fields]
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        as_of = BEGIN + timedelta(minutes=as_of_minute)
        con.execute("CREATE TEMP TABLE run_context AS SELECT ?::TIMESTAMPTZ AS as_of", [as_of])
        create_relation(con, STEP_FACTS, [table_row(row, STEP_FACTS) for row in rows])
        con.execute(f"CREATE TEMP TABLE matches_steps AS {compile_matches(rules, STEP_FACTS, fields)}")
        statement = compile_correlations(book.correlations, book.silent, ["matches_steps"], fields)
        hits = con.sql(statement).to_arrow_table().to_pylist()
    return sorted(hits, key=lambda hit: (hit["detector_id"], hit["subject_uid"], hit["slot"]))


COMPARE = {
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
}


def expected(
    said: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, span: timedelta, as_of: datetime
) -> dict[tuple[str, str], set[str]]:
    """(group, day) -> the events of all windows that complete on it, judged event by event."""
    groups: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = defaultdict(list)
    for row in rows:
        if row["action"] in said["rules"] and row["actor_uid"] and _is_counted(said, row):
            groups[row["actor_uid"]].append((datetime.fromisoformat(row["step_at"]), row))
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for group, events in groups.items():
        for at, _ in events:
            window = [(when, row) for when, row in events if at - span <= when <= at]
            if _completes(said, window, events, (at, span, as_of)):
                absent = _negated(said.get("condition"))
                shown = {row["event_id"] for _, row in window if row["action"] not in absent}
                found[group, at.date().isoformat()] |= shown
    return dict(found)


def _is_counted(said: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    name = said["condition"].get("field") if isinstance(said.get("condition"), Mapping) else None
    return name is None or row[name] is not None


def _completes(
    said: Mapping[str, Any],
    window: Sequence[tuple[datetime, Mapping[str, Any]]],
    events: Sequence[tuple[datetime, Mapping[str, Any]]],
    moments: tuple[datetime, timedelta, datetime],
) -> bool:
    kind, condition = said["type"], said.get("condition")
    at = moments[0]
    if kind == "temporal_ordered":
        return _in_order(said["rules"], window, at)
    if isinstance(condition, str):
        return _holds(condition, window, events, moments)
    if kind == "temporal" and condition is None:
        return {row["action"] for _, row in window} == set(said["rules"])
    ((operator, bound),) = [(key, value) for key, value in condition.items() if key in COMPARE]
    values = [row[condition["field"]] for _, row in window] if "field" in condition else []
    if kind == "value_percentile":
        measured = _percentile(values, condition["percentile"])
    else:
        measured = {
            "event_count": lambda: len(window),
            "value_count": lambda: len(set(values)),
            "value_sum": lambda: sum(values),
            "value_avg": lambda: statistics.fmean(values),
            "value_median": lambda: statistics.median(values),
            "temporal": lambda: len({row["action"] for _, row in window}),
        }[kind]()
    return bool(COMPARE[operator](measured, bound))


def _percentile(values: Sequence[float], percent: float) -> float:
    """With linear interpolation between the two nearest."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _in_order(rules: Sequence[str], window: Sequence[tuple[datetime, Mapping[str, Any]]], at: datetime) -> bool:
    """A sequence that ends at this moment with the last rule, each not before the one before it."""
    if not any(row["action"] == rules[-1] and when == at for when, row in window):
        return False
    begin = min(when for when, _ in window)
    for rule in rules:
        times = [when for when, row in window if row["action"] == rule and when >= begin]
        if not times:
            return False
        begin = min(times)
    return True


def _holds(
    condition: str,
    window: Sequence[tuple[datetime, Mapping[str, Any]]],
    events: Sequence[tuple[datetime, Mapping[str, Any]]],
    moments: tuple[datetime, timedelta, datetime],
) -> bool:
    """A condition of `and`, `or` and `not` before a name."""
    at, span, as_of = moments
    there = {row["action"] for _, row in window}
    around = {row["action"] for when, row in events if at - span <= when <= at + span}
    is_over = at + span <= as_of
    words = []
    for word in condition.replace("(", " ( ").replace(")", " ) ").split():
        if word in ("and", "or", "(", ")"):
            words.append(word)
        elif word == "not":
            words.append("not")
        elif words and words[-1] == "not":
            words[-1] = str(word not in around and is_over)
        else:
            words.append(str(word in there))
    return bool(eval(" ".join(words)))


def _negated(condition: object) -> set[str]:
    words = condition.replace("(", " ").replace(")", " ").split() if isinstance(condition, str) else []
    return {word for before, word in pairwise(words) if before == "not"}
