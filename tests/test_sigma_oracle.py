"""Random rules over random records say what plain Python says of each (`sigma_oracle.py`)."""

import random
from collections.abc import Mapping
from typing import Any

import duckdb
import pytest
import yaml
from relations import AWS_CLOUDTRAIL, RELATIONS
from sigma_oracle import matches
from ultravires_models.cases import cloudtrail_row, create_relation
from ultravires_models.packs import Pack, PackFile
from ultravires_models.rulebook import read_book
from ultravires_models.sigma.runner import compile_probe, compile_rules

FIELDS = ("a", "b", "c.d", "c.e", "f.g.h", "t")
TEXTS = ("Alpha", "alpha", "beta", "al", "", "a*b", "a?b", "x\\y", "50%", "a_b", "it's", "tool -enc /x", "7", "true")
TIMES = ("2026-11-02T10:30:00Z", "2026-01-01T23:59:59+02:00", "2025-12-29T00:00:00Z", "no time")
ADDRESSES = ("10.1.2.3", "192.0.2.7", "2001:db8::1", "10.1.2")
VALUES = (*TEXTS, *ADDRESSES, "YWxwaGE=", "eGFscGhheA==", "first\nsecond", 7, 7.5, -1, True, False, None)


def random_record(chance: random.Random) -> dict[str, Any]:
    def value() -> Any:
        if chance.random() < 0.2:  # a list within a list is no value of the field, but one value that is a list
            return [chance.choice(VALUES) for _ in range(chance.randint(0, 3))]
        return chance.choice(VALUES)

    def inner(name: str) -> Any:
        made = {name: value()} if chance.random() < 0.8 else {}
        return [made, {name: value()}] if chance.random() < 0.2 else made

    record = {"a": value(), "b": value(), "c": {**_plain(inner("d")), "e": value()}, "f": {"g": inner("h")}}
    record["t"] = chance.choice(TIMES)
    return {name: each for name, each in record.items() if chance.random() < 0.9}


def _plain(node: Any) -> dict[str, Any]:
    return node[0] if isinstance(node, list) else node


def random_item(chance: random.Random) -> tuple[str, Any]:
    field = chance.choice(FIELDS)
    texts = [chance.choice([text for text in TEXTS if text]) for _ in range(chance.randint(1, 3))]
    wildcards = ["al*", "*a", "?lpha", "a\\*b", "a\\?b", "*", "x\\\\y", "*%*"]
    kinds: list[tuple[str, Any]] = [
        ("", chance.choice([*VALUES[:-1], None])),
        ("", chance.choice(wildcards)),
        ("", [chance.choice(VALUES) for _ in range(2)]),
        *((f"|{chance.choice(['contains', 'startswith', 'endswith'])}", texts) for _ in range(2)),
        ("|contains|all", texts),
        ("|all", texts),
        ("|cased", texts),
        (f"|{chance.choice(['contains', 'startswith', 'endswith'])}|cased", texts),
        ("|exists", chance.random() < 0.5),
        (f"|{chance.choice(['gt', 'gte', 'lt', 'lte'])}", chance.choice([-1, 0, 7, 7.5, 8])),
        ("|neq", chance.choice(["alpha", 7, None])),
        ("|contains|neq", "al"),
        ("|re", chance.choice(["^al", "a+$", "^second", "first.second", "\\d"])),
        (f"|re|{chance.choice(['i', 'm', 's', 'i|m', 'i|s'])}", chance.choice(["^AL", "^second", "first.second"])),
        ("|cidr", chance.choice(["10.0.0.0/8", "192.0.2.0/29", "2001:db8::/32"])),
        ("|fieldref", chance.choice(FIELDS)),
        (f"|fieldref|{chance.choice(['contains', 'startswith', 'endswith'])}", chance.choice(FIELDS)),
        ("|base64", "alpha"),
        ("|base64offset|contains", "alpha"),
        ("|windash|contains", chance.choice([" -enc", " /x"])),
    ]
    suffix, wanted = chance.choice(kinds)
    if chance.random() < 0.1:
        part = chance.choice(["minute", "hour", "day", "week", "month", "year"])
        order = chance.choice(["", "|gte", "|lt"])
        return f"t|{part}{order}", chance.choice([0, 1, 2, 10, 12, 30, 45, 2026])
    return f"{field}{suffix}", wanted


def random_detection(chance: random.Random) -> dict[str, Any]:
    def selection() -> Any:
        made = dict(random_item(chance) for _ in range(chance.randint(1, 2)))
        return [made, dict([random_item(chance)])] if chance.random() < 0.2 else made

    conditions = ("x", "x", "not x", "x and y", "x or y", "x and not y", "not (x or y)", "(x and y) or not z")
    condition = chance.choice(conditions)
    return {**{name: selection() for name in "xyz" if name in condition}, "condition": condition}


@pytest.mark.parametrize("is_told", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_random_rules_say_what_plain_python_says(seed: int, is_told: bool) -> None:
    """Forty rules over sixty records in one statement; and the probe passes over none that a rule matches. `is_told`:
    most rules ask one field for a text, by which records are told apart first.
    """
    chance = random.Random(seed)
    records = [random_record(chance) for _ in range(60)]
    detections = {f"r{n}": random_detection(chance) for n in range(40)}
    if is_told:
        detections = {name: _told(chance, detection) for name, detection in detections.items()}
    expected = {
        (name, f"e{n}")
        for name, detection in detections.items()
        for n, record in enumerate(records)
        if matches(detection, record)
    }
    documents = [_document(name, detection) for name, detection in detections.items()]
    files = [PackFile(f"{n}.yml", yaml.safe_dump(document).encode()) for n, document in enumerate(documents)]
    book = read_book([Pack("random", tuple(files))], RELATIONS)
    assert book.refused() == []
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        rows = [
            {**cloudtrail_row({**record, "eventID": f"e{n}"}), "actor_uid": "x"} for n, record in enumerate(records)
        ]
        create_relation(con, AWS_CLOUDTRAIL, rows)
        hits = con.execute(compile_rules(book.rules, AWS_CLOUDTRAIL)).fetchall()
        found = {(hit[0], hit[9][0]) for hit in hits}
        assert bool(con.execute(compile_probe(book.rules, AWS_CLOUDTRAIL)).fetchall()) or not expected
    for name, detection in detections.items():
        wrong = sorted(event for rule, event in found ^ expected if rule == name)
        shown = [records[int(event[1:])] for event in wrong[:2]]
        assert not wrong, f"{detection}\n{shown}\n{[(name, event) in found for event in wrong[:2]]}"


def _document(name: str, detection: Mapping[str, Any]) -> dict[str, Any]:
    source = {"product": "aws", "service": "cloudtrail"}
    return {"title": name, "name": name, "logsource": source, "detection": dict(detection)}


def _told(chance: random.Random, detection: dict[str, Any]) -> dict[str, Any]:
    if chance.random() < 0.2:
        return detection
    wanted = {chance.choice(["a", "a|contains"]): chance.choice(["al*", "alpha", "b"])}
    joined = chance.choice(["and", "and", "and", "and", "or"])
    return {**detection, "w": wanted, "condition": f"w {joined} ({detection['condition']})"}
