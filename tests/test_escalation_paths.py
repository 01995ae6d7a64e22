"""Ways to more power: each is open to who holds all that it needs, and to nobody who lacks, is denied or limited."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import duckdb
import pytest
from sql_cases import empty_columns, fill, give, tables
from ultravires.build.escalation_paths import EscalationPath, Needed, escalation_paths

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "aws_escalation_paths.json"
PATHS = {path.path_id: path for path in escalation_paths()}
Row = dict[str, Any]


def right(uid: str, holder: str, action: str, resource: str = "*", **columns: Any) -> Row:
    """A standing row of `entitlements`; not said: a granted allow by a policy that is attached."""
    return {
        "entitlement_id": uid,
        "identity_id": holder,
        "holder_uid": holder,
        "layer": "granted",
        "effect": "allow",
        "action_pattern": action,
        "resource_pattern": resource,
        "except_actions": [],
        "except_resources": [],
        "is_conditional": False,
        "valid_from": "2026-10-01 09:00",
        "path": ["p"],
        "relations": ["attached"],
        "document_uid": "p",
        "document_kind": "permissions",
        "event_id": f"event of {uid}",
        "cause_actor_uid": "boss",
        "is_certain": True,
        "power": "data",
        **columns,
    }


def trust(uid: str, role: str, principal: str, **columns: Any) -> Row:
    named = principal.removeprefix("AWS:")
    said = {"document_uid": role, "document_kind": "trust", "principal": principal, "path": [], "relations": []}
    return right(uid, named, "sts:AssumeRole", role, **(said | {"power": None} | columns))


def open_ways(rows: Iterable[Row], table: str = "int_escalations") -> list[Row]:
    """The rows of the table over these rights."""
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set timezone = 'UTC'")
        sql = tables()["int_escalations"]
        con.execute(sql.macros)
        give(con, sql, {"entitlements": list(rows)})
        con.execute(f"create table int_escalations as {sql.sql}")
        if table != "int_escalations":
            after = tables()[table]
            for name in sorted(after.inputs - {"int_escalations", "entitlements"}):
                fill(con, name, empty_columns()[name], [])
            con.execute(after.macros)
            con.execute(f"create table {table} as {after.sql}")
        found = con.execute(f"from {table} order by all")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class World:
    """One way alone in an account of its own: who goes it, whom it reaches, and exactly what it needs."""

    def __init__(self, path: EscalationPath, nth: int) -> None:
        self.path, self.iam = path, f"arn:aws:iam::{nth:012}:"
        is_of_aws = path.system == "aws"
        kind = "user" if "user" in (path.holder_pattern or "") else "role"
        self.holder = f"{self.iam}{kind}/walker" if is_of_aws else f"walker-{nth}"
        kind = {"own group": "group", "none": "role", "self": kind}.get(path.target, path.target)
        self.target = self.holder if path.target == "self" else f"{self.iam}{kind}/target"
        self.policy = f"{self.iam}policy/written"

    def on(self, needed: Needed) -> str:
        return {"target": self.target, "policy": self.policy, "any": "*"}[needed.on]

    def rows(self, without: int | None = None) -> Iterator[Row]:
        """The rights, but for one of those that are needed."""
        uid = f"{self.holder} {self.path.path_id}"
        # A user's rights over its group come by that group.
        path = {"path": [self.target, "p"], "relations": ["member", "attached"]} if self.path.target == "own group" else {}
        for nth, needed in enumerate(self.path.needed):
            if nth != without:
                yield right(f"{uid} {nth}", self.holder, needed.permission, self.on(needed), **path)
        if self.path.system == "aws":
            yield right(f"{uid} written", self.target, "s3:GetObject", document_uid=self.policy, path=[self.policy])
        if self.path.trusts:
            principal = f"AWS:{self.holder}" if self.path.trusts == "holder" else self.path.trusts
            yield trust(f"{uid} trust", self.target, principal)

    def denied(self, nth: int) -> Row:
        needed = self.path.needed[nth]
        return right(f"{self.holder} deny", self.holder, needed.permission, self.on(needed), effect="deny", power=None)

    def limited(self, without: int) -> Iterator[Row]:
        """A boundary that lets all through but one."""
        limit = {"layer": "limit", "relations": ["boundary"], "power": None}
        yield right(f"{self.holder} b", self.holder, "s3:*", **limit)
        for nth, needed in enumerate(self.path.needed):
            if nth != without:
                yield right(f"{self.holder} b{nth}", self.holder, needed.permission, self.on(needed), **limit)


def test_each_way_is_open_to_who_holds_what_it_needs() -> None:
    worlds = [World(path, nth) for nth, path in enumerate(PATHS.values(), 1)]
    found = open_ways(row for world in worlds for row in world.rows())
    open_to = {(row["holder_uid"], row["path_id"], row["target_uid"]) for row in found}
    expected = {
        (world.holder, world.path.path_id, None if world.path.target == "none" else world.target) for world in worlds
    }
    assert expected <= open_to, sorted(map(str, expected - open_to))


@pytest.mark.parametrize("lacking", ["missing", "denied", "limited"])
def test_no_way_is_open_without_any_one_of_them(lacking: str) -> None:
    nth, rows, worlds = 0, [], []
    for path in PATHS.values():
        for each in range(len(path.needed)):
            if lacking != "missing" and path.system != "aws":
                continue
            nth += 1
            worlds.append(world := World(path, nth))
            rows += list(world.rows(without=each if lacking == "missing" else None))
            rows += [world.denied(each)] if lacking == "denied" else []
            rows += list(world.limited(each)) if lacking == "limited" else []
    open_to = {(row["holder_uid"], row["path_id"]) for row in open_ways(rows)}
    assert not [world.path.path_id for world in worlds if (world.holder, world.path.path_id) in open_to]


def test_the_permissions_of_the_published_ways() -> None:
    if not SHARED.exists():
        pytest.skip("the published list of ways is not beside this repository")
    published = {each["id"]: each for each in json.loads(SHARED.read_text(encoding="utf-8"))}
    ours = {path.path_id: path for path in escalation_paths() if path.system == "aws"}
    assert ours.keys() == published.keys()
    for uid, path in ours.items():
        needed = [each["permission"] for each in published[uid]["permissions"]["required"]]
        assert sorted(each.permission for each in path.needed) == sorted(needed)
