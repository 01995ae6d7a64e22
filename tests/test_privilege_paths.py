"""Long ways of privilege: a hundred hops end, keep their crossing and are told in fifteen nodes."""

from typing import Any

import duckdb
import pytest
from sql_cases import give, tables

CHAIN = "ch_1"


def hop(n: int) -> dict[str, Any]:
    """The nth hop of one chain."""
    return {
        "child_id": f"k{n}",
        "from_id": f"k{n - 1}" if n > 1 else None,
        "act_id": f"a{n}",
        "event_id": f"e{n}",
        "event_ids": [f"e{n}"],
        "hop_at": f"2026-10-05 10:{n // 60:02}:{n % 60:02}",
        "hop_kind": "assume_role",
        "from_uid": f"R{n - 1}",
        "to_uid": f"R{n}",
        "confidence": 1.0,
        "is_reported": False,
        "is_derived": False,
        "own_chain_id": CHAIN,
        "chain_id": CHAIN,
        "approval_id": "approval:A",
        "is_accounted": True,
    }


def power(n: int, rank: int) -> dict[str, Any]:
    return {"child_id": f"k{n}", "power_rank": rank, "unlisted_rank": rank, "crown_jewels": []}


def paths(hops: list[dict[str, Any]], powers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the table over these hops, under an approval of data."""
    table = tables()["privilege_paths"]
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set timezone = 'UTC'")
        con.execute(table.macros)
        given = {
            "int_hops": hops,
            "int_hops__powers": powers,
            "stg_approvals": [{"approval_id": "approval:A", "approval_uid": "A", "is_granted": True}],
            "int_approvals__powers": [{"approval_id": "approval:A", "power_rank": 2}],
        }
        give(con, table, given)
        cursor = con.execute(table.sql)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize(("crossing", "n_shown"), [(1, 14), (50, 15), (100, 14)])
def test_a_hundred_hops_are_told_in_fifteen(crossing: int, n_shown: int) -> None:
    """The way has its whole number of hops; its beginning, its end and its crossing are named."""
    powers = [power(n, 3 if n >= crossing else 2) for n in range(1, 100)] + [power(100, 4)]
    (row,) = paths([hop(n) for n in range(1, 101)], powers)
    assert row["n_hops"] == 100
    assert (row["crossing_step_id"], row["crossing_hop_id"]) == (f"a{crossing}", f"k{crossing}")
    assert row["reached_power"] == "admin"
    assert row["is_crossing"] and row["crossing_hop_id"] in row["hops"]
    assert row["hops"][0] == "k1" and row["hops"][-1] == "k100"
    assert n_shown <= len(row["hops"]) <= 15 and len(row["hop_kinds"]) == len(row["hops"])
    assert row["sentence"].endswith(
        "97 more hops; what the approval gives was left by assume role of R" + str(crossing - 1)
    )


def test_a_circle_of_a_hundred_hops_ends() -> None:
    """Nobody stands above it; a way beside it is found."""
    circle = [hop(n) for n in range(1, 101)]
    circle[0]["from_id"] = "k100"
    beside = hop(201) | {"from_id": None, "chain_id": "ch_2", "own_chain_id": "ch_2"}
    assert [row["chain_id"] for row in paths([*circle, beside], [])] == ["ch_2"]


def test_of_many_ways_in_one_chain_the_one_that_crossed_is_told() -> None:
    """A fan of a hundred holders below one: one row, by the nearest that reached the most."""
    fan = [hop(1), *({**hop(n), "from_id": "k1"} for n in range(2, 102))]
    (row,) = paths(fan, [*(power(n, 2) for n in range(1, 101)), power(101, 3)])
    assert (row["hops"], row["crossing_step_id"], row["severity"]) == (["k1", "k101"], "a101", "medium")
