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
        path = (
            {"path": [self.target, "p"], "relations": ["member", "attached"]} if self.path.target == "own group" else {}
        )
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

    def limited(self, without: int | None) -> Iterator[Row]:
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


def test_a_boundary_that_lets_all_of_it_through_ends_nothing() -> None:
    worlds = [World(path, nth) for nth, path in enumerate(PATHS.values(), 1) if path.system == "aws"]
    found = open_ways(row for world in worlds for row in [*world.rows(), *world.limited(None)])
    open_to = {(row["holder_uid"], row["path_id"]) for row in found}
    assert {(world.holder, world.path.path_id) for world in worlds} <= open_to


IAM = "arn:aws:iam::111122223333:"
BOT, DEPLOY, ADMIN = f"{IAM}role/bot", f"{IAM}role/deploy", f"{IAM}role/admin"
LAMBDA = "Service:lambda.amazonaws.com"
UNREAD: Row = {"action_pattern": None, "resource_pattern": None}


def passing(holder: str, role: str = ADMIN, **columns: Any) -> list[Row]:
    actions = ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction")
    return [
        right(f"{holder} {nth}", holder, action, "*" if nth else role, **columns) for nth, action in enumerate(actions)
    ]


def admin(role: str = ADMIN, **columns: Any) -> Row:
    return right(f"{role} all", role, "*", power="admin", **columns)


def one(rows: Iterable[Row], path_id: str, holder: str = BOT) -> Row | None:
    found = [row for row in open_ways(rows) if (row["holder_uid"], row["path_id"]) == (holder, path_id)]
    assert len(found) <= 1
    return found[0] if found else None


def test_it_is_open_since_the_last_of_it_came_and_by_who_brought_that() -> None:
    last = right(
        "last", BOT, "lambda:InvokeFunction", valid_from="2026-10-05 12:00", cause_actor_uid="eve", approval_uid="CHG-1"
    )
    row = one([*passing(BOT)[:2], last, admin(), trust("t", ADMIN, LAMBDA)], "lambda-001")
    assert row is not None
    assert (row["gives"], row["is_certain"]) == ("admin", True)
    assert (str(row["valid_from"])[:16], row["cause_event_id"]) == ("2026-10-05 12:00", "event of last")
    assert (row["cause_actor_uid"], row["approval_uid"]) == ("eve", "CHG-1")


def test_a_trust_that_came_last_opened_it() -> None:
    late = trust("t", ADMIN, LAMBDA, valid_from="2026-10-06 12:00", cause_actor_uid="eve")
    row = one([*passing(BOT), admin(), late], "lambda-001")
    assert row is not None and row["cause_event_id"] == "event of t"


@pytest.mark.parametrize(
    "trusted", [[], [trust("t", ADMIN, "Service:ec2.amazonaws.com")], [trust("t", DEPLOY, LAMBDA)]]
)
def test_a_role_of_which_no_trust_was_seen_is_not_reached(trusted: list[Row]) -> None:
    assert one([*passing(BOT), admin(), *trusted], "lambda-001") is None


@pytest.mark.parametrize(
    "unsure",
    [
        passing(BOT, is_conditional=True, condition="[{}]"),
        [*passing(BOT), right("deny", BOT, "lambda:*", effect="deny", is_conditional=True, condition="[{}]")],
        [
            *passing(BOT),
            right("unread", BOT, "x", effect="unknown") | {"action_pattern": None, "resource_pattern": None},
        ],
        [
            *passing(BOT),
            right("b", BOT, "x", effect="unknown", layer="limit", relations=["boundary"]) | {"action_pattern": None},
        ],
        [*passing(BOT), right("b", ADMIN, "s3:*", layer="limit", relations=["boundary"], power=None)],
    ],
)
def test_what_nobody_can_tell_is_not_certain(unsure: list[Row]) -> None:
    row = one([*unsure, admin(), trust("t", ADMIN, LAMBDA)], "lambda-001")
    assert row is not None and not row["is_certain"]


def test_what_came_after_it_had_opened_does_not_make_it_doubtful() -> None:
    later = right("unread", BOT, "x", effect="unknown", valid_from="2026-10-05 09:00") | UNREAD
    row = one([*passing(BOT), admin(), trust("t", ADMIN, LAMBDA), later], "lambda-001")
    assert row is not None and row["is_certain"]


def test_a_guardrail_of_the_account_that_denies_ends_it() -> None:
    guard = right("g", "111122223333", "lambda:*", effect="deny", layer="limit", relations=["guardrail"])
    assert one([*passing(BOT), admin(), trust("t", ADMIN, LAMBDA), guard], "lambda-001") is None


def test_what_ended_and_what_has_not_begun_opens_nothing() -> None:
    world = [admin(), trust("t", ADMIN, LAMBDA)]
    assert one([*passing(BOT, valid_until="2026-10-02 09:00"), *world], "lambda-001") is None
    assert one([*passing(BOT, valid_from="2026-10-20 09:00"), *world], "lambda-001") is None


def test_a_right_on_other_things_is_none() -> None:
    rights = [*passing(BOT)[:2], right("i", BOT, "lambda:InvokeFunction", "arn:aws:s3:::bucket/*")]
    assert one([*rights, admin(), trust("t", ADMIN, LAMBDA)], "lambda-001") is None


def test_who_holds_everything_has_no_way_to_more() -> None:
    assert open_ways([admin(), *passing(ADMIN, DEPLOY), trust("t", DEPLOY, LAMBDA)]) == []


def test_hops_lead_on_to_everything_and_cycles_end() -> None:
    rows = [*passing(BOT, DEPLOY), *passing(DEPLOY, BOT), trust("t1", DEPLOY, LAMBDA), trust("t2", BOT, LAMBDA)]
    rows += [right("a", DEPLOY, "sts:AssumeRole", ADMIN), trust("t3", ADMIN, f"AWS:{DEPLOY}"), admin()]
    found = {(row["holder_uid"], row["path_id"], row["target_uid"]): row for row in open_ways(rows, "escalation_paths")}
    row = found[BOT, "lambda-001", DEPLOY]
    assert (row["reaches"], row["gives"], row["n_hops"]) == ("admin", "data", 2)
    assert [hop.partition(", ")[2] for hop in row["way"]] == [f"{DEPLOY} (lambda-001)", f"{ADMIN} (sts-001)"]
    assert "can come to power over everything" in row["sentence"]
    back = found[DEPLOY, "lambda-001", BOT]
    assert (back["reaches"], back["n_hops"]) == ("data", 1)


def test_ten_thousand_identities_are_bounded() -> None:
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set timezone = 'UTC'")
        sql = tables()["int_escalations"]
        con.execute(sql.macros)
        of_one = [right("p", "H", "iam:PassRole"), right("c", "H", "lambda:*"), trust("t", "H", LAMBDA)]
        give(con, sql, {"entitlements": of_one})
        con.execute("create temp table one as from entitlements")
        con.execute("delete from entitlements")
        con.execute(
            f"""insert into entitlements select one.* replace ('{IAM}role/r' || n as holder_uid, entitlement_id || n as
                entitlement_id, if(document_kind = 'trust', '{IAM}role/r' || n, document_uid) as document_uid)
            from one, range(10000) as numbers(n)"""
        )
        started = process_time()
        con.execute(f"create table found as {sql.sql}")
        seconds = process_time() - started
        kept = con.execute("select holder_uid, path_id, count(*), max(n_more) from found group by all").fetchall()
    assert seconds < 60
    assert len(kept) >= 10_000
    assert max(count for _, _, count, _ in kept) <= 5
    assert max(more for *_, more in kept) == 10_000 - 5


def test_the_permissions_of_the_published_ways() -> None:
    if not SHARED.exists():
        pytest.skip("the published list of ways is not beside this repository")
    published = {each["id"]: each for each in json.loads(SHARED.read_text(encoding="utf-8"))}
    ours = {path.path_id: path for path in escalation_paths() if path.system == "aws"}
    assert ours.keys() == published.keys()
    for uid, path in ours.items():
        needed = [each["permission"] for each in published[uid]["permissions"]["required"]]
        assert sorted(each.permission for each in path.needed) == sorted(needed)
