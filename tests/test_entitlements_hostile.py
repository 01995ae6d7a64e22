"""Changes that nobody makes and anybody can write are bounded; what is not followed is unknown and never allowed."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import duckdb
import pytest
from entitlement_histories import START, Record, as_stg_grants, made_of
from ultravires.reading.grants import given, statement, whole, written

MOST_SECONDS = 10
ADMIN = statement("allow", ["*"])


def record(number: int, *grants: dict[str, Any]) -> Record:
    name = f"e{number:06}"
    return Record(name, name, START + timedelta(minutes=number), grants, "1")


def circle() -> Sequence[Record]:
    """10,000 groups, each in the next and the last in the first."""
    groups = [record(i, given("member", f"g{i}", f"g{(i + 1) % 10_000}")) for i in range(10_000)]
    own = [given("member", "user", "g0"), given("attached", "g5", "near"), given("attached", "g50", "far")]
    return [*groups, record(0, *own, written("near", [ADMIN]), written("far", [ADMIN]))]


def crowd(n: int) -> Sequence[Record]:
    """A group of so many that has 100 policies."""
    members = [record(i, given("member", f"user{i}", "group")) for i in range(n)]
    policies = [record(i, given("attached", "group", f"p{i}"), written(f"p{i}", [ADMIN])) for i in range(100)]
    return [*members, *policies]


def layers() -> Sequence[Record]:
    """12 layers of 10 groups, each in all of the next: a million of millions of paths."""
    edges = [given("member", f"g{i}-{a}", f"g{i + 1}-{b}") for i in range(12) for a in range(10) for b in range(10)]
    own = [given("member", "user", f"g0-{a}") for a in range(10)]
    return [record(0, *edges, *own, given("attached", "g11-0", "p"), written("p", [ADMIN]))]


def everybody_in_everybody() -> Sequence[Record]:
    return [record(0, *(given("member", f"g{a}", f"g{b}") for a in range(100) for b in range(100) if a != b))]


def one_holder() -> Sequence[Record]:
    return [record(0, *(given("attached", "user", f"p{i}") for i in range(100_000)))]


def policy_of_a_project(distance: int) -> Callable[[], Sequence[Record]]:
    """The whole policy of a project is written 10,000 times, each time with another of its five members."""

    def records() -> Sequence[Record]:
        return [
            record(
                number * distance,
                whole("attached", scope="project"),
                *(given("attached", f"user{number + i}", "viewer", scope="project") for i in range(5)),
            )
            for number in range(10_000)
        ]

    return records


def texts(*texts: Any) -> Callable[[], Sequence[Record]]:
    """The user has a policy with each of these lists of statements."""
    return lambda: [
        record(i, given("attached", "user", f"p{i}"), written(f"p{i}", text)) for i, text in enumerate(texts)
    ]


LONG_NAMES = [f"arn:aws:s3:::bucket-{i}/{'x' * 180}" for i in range(10_000)]
BIG = {"actions": [f"s3:Get{i}" for i in range(200)], "resources": LONG_NAMES}
WORLDS: dict[str, tuple[Callable[[], Sequence[Record]], int, int]] = {
    "10,000 groups in a circle": (circle, 121_000, 1),
    "1,000 in a group with 100 policies": (lambda: crowd(1_000), 102_000, 100),
    "12 layers of 10 groups": (layers, 121 * 3_100, 0),
    "everybody in everybody": (everybody_in_everybody, 100 * 3_100, 0),
    "100,000 edges of one holder": (one_holder, 100_000, 0),
    "a policy that is written whole 10,000 times": (policy_of_a_project(1), 10_004, 0),
    "the same within one moment": (policy_of_a_project(0), 10_004, 0),
    "a text of 2 MB": (texts([statement("allow", BIG["actions"], BIG["resources"])]), 1, 0),
    "one action of 2 MB": (texts([statement("allow", ["s3:" + "a" * 2_000_000])]), 1, 1),
    "5,000 statements": (texts([statement("allow", [f"s3:Get{i}"]) for i in range(5_000)]), 1, 5_000),
    "a text that crosses itself": (texts([statement("allow", BIG["actions"] * 50, ["r"] * 9_000)]), 1, 0),
    "exceptions of 10,000 patterns": (
        texts([statement("allow", not_actions=LONG_NAMES, resources=LONG_NAMES[:1_000])]),
        1,
        0,
    ),
    "statements that are none": (texts([1, None, "x", [], {"effect": "allow", "actions": {"*": 1}}]), 1, 0),
    "no list": (texts({"effect": "allow", "actions": ["*"]}), 1, 0),
}
"""Name -> the records, the most holdings that they may come to, and how many things the user may do for sure."""


@pytest.mark.parametrize("name", WORLDS)
def test_it_is_bounded_and_nothing_is_allowed_that_is_not_followed(name: str) -> None:
    """In time, with no more rows than are promised; what is allowed is what can be read and followed."""
    records, most_holdings, n_allowed = WORLDS[name]
    told = as_stg_grants(records())
    began = time.process_time()
    with closing(made_of(told)) as con:
        assert time.process_time() - began < MOST_SECONDS
        assert count(con, "int_holdings", "true") <= most_holdings
        user = "user0" if "in a group" in name else "user"
        assert count(con, "entitlements", f"holder_uid = '{user}' and effect = 'allow'") == n_allowed
        assert count(con, "entitlements", "effect = 'allow' and action_pattern is null") == 0
        cut = "select distinct holder_uid from int_holdings where is_cut"
        unknown = "select holder_uid from entitlements where effect = 'unknown' and not is_certain"
        assert con.execute(f"({cut}) except ({unknown})").fetchall() == []


@pytest.mark.stress
def test_ten_thousand_in_a_group_with_a_hundred_policies() -> None:
    """A million rights are a million rows, and nothing of it is cut."""
    with closing(made_of(as_stg_grants(crowd(10_000)))) as con:
        assert count(con, "entitlements", "effect = 'allow'") == 1_000_100
        assert count(con, "int_holdings", "is_cut") == 0


def test_what_cannot_be_read_is_unknown() -> None:
    """A text that is too much or is none is kept under its name."""
    for name in ("a text of 2 MB", "a text that crosses itself", "exceptions of 10,000 patterns", "no list"):
        with closing(made_of(as_stg_grants(WORLDS[name][0]()))) as con:
            rows = con.execute("select effect, action_pattern, resource_pattern, path from entitlements").fetchall()
        assert rows == [("unknown", None, None, ["p0"])], name


def test_the_same_paths_are_followed_however_they_arrive() -> None:
    """Where a part of the paths is followed, which part does not depend on the order of the rows."""
    edges = list(layers()[0].grants)
    found = []
    for seed in (1, 2):
        random.Random(seed).shuffle(edges)
        with closing(made_of(as_stg_grants([record(0, *edges)]))) as con:
            found.append(con.execute("select bit_xor(hash(h)), count(*) from int_holdings as h").fetchone())
    assert found[0] == found[1]


def count(con: duckdb.DuckDBPyConnection, table: str, where: str) -> int:
    row = con.execute(f"select count(*) from {table} where {where}").fetchone()
    assert row is not None
    return int(row[0])
