"""Records of Teleport's audit log that change who may do what.

Events and their members: https://goteleport.com/docs/reference/audit-events (a code that ends in I tells of a success).
The members of access lists and the roles of bots are assumed and were not seen in real records.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import only, rows
from ultravires.reading.grants import given, gone, made, taken, unwritten, whole, written

NO_TIME = "0001-01-01T00:00:00Z"
LIST = "teleport:access_list/payroll"
IN_LIST = {"access_list_name": "payroll", "updated_by": "otto"}


def record(event: str, **members: Any) -> dict[str, Any]:
    own = {"ei": 0, "event": event, "code": "T0000I", "uid": "u-1", "time": "2026-10-05T08:00:00Z"}
    return {**own, "cluster_name": "teleport.northwind.example", "user": "otto", "expires": NO_TIME, **members}


def grants(folder: Path, event: str, **members: Any) -> Any:
    return only("teleport_audit", record(event, **members), folder)["detail"].get("grants")


FIRING: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("role.created", {"name": "dba"}, [written("teleport:dba", None)]),
    ("role.updated", {"name": "dba"}, [written("teleport:dba", None)]),
    ("role.deleted", {"name": "dba"}, [unwritten("teleport:dba")]),
    (
        "user.create",
        {"name": "mira", "roles": ["access", "dba"], "expires": "2026-10-05T20:00:00Z", "connector": "okta"},
        [
            whole("attached", holder="mira"),
            given("attached", "mira", "teleport:access", expires_at="2026-10-05T20:00:00.000000Z"),
            given("attached", "mira", "teleport:dba", expires_at="2026-10-05T20:00:00.000000Z"),
        ],
    ),
    (
        "user.update",
        {"name": "mira", "roles": ["access"]},
        [whole("attached", holder="mira"), given("attached", "mira", "teleport:access")],
    ),
    ("user.update", {"name": "mira", "roles": []}, [whole("attached", holder="mira")]),
    ("user.delete", {"name": "mira"}, [gone("mira")]),
    (
        "bot.create",
        {"name": "deployer", "roles": ["ci"]},
        [whole("attached", holder="bot-deployer"), given("attached", "bot-deployer", "teleport:ci")],
    ),
    ("bot.update", {"name": "deployer", "roles": []}, [whole("attached", holder="bot-deployer")]),
    ("bot.delete", {"name": "deployer"}, [gone("bot-deployer")]),
    ("access_list.create", {"name": "payroll"}, [made(LIST), written(LIST, None)]),
    ("access_list.update", {"name": "payroll"}, [written(LIST, None)]),
    ("access_list.delete", {"name": "payroll"}, [gone(LIST)]),
    (
        "access_list.member.create",
        {**IN_LIST, "members": [{"member_name": "mira"}, {"member_name": "finance", "membership_kind": 2}]},
        [given("member", "mira", LIST), given("member", "teleport:access_list/finance", LIST)],
    ),
    (
        "access_list.member.update",
        {**IN_LIST, "members": [{"member_name": "mira", "membership_kind": 1}, 7, {}, {"member_name": 7}]},
        [given("member", "mira", LIST)],
    ),
    ("access_list.member.delete", {**IN_LIST, "members": [{"member_name": "mira"}]}, [taken("member", "mira", LIST)]),
    ("access_list.member.delete_all_for_access_list", IN_LIST, [whole("member", held=LIST)]),
]


@pytest.mark.parametrize(("event", "members", "said"), FIRING)
def test_a_record_says_what_it_changes(tmp_path: Path, event: str, members: dict[str, Any], said: list[Any]) -> None:
    assert grants(tmp_path, event, **members) == said


@pytest.mark.parametrize(("event", "members"), [case[:2] for case in FIRING])
def test_what_failed_or_names_nobody_says_nothing(tmp_path: Path, event: str, members: dict[str, Any]) -> None:
    assert grants(tmp_path, event, **{**members, "code": "T0000E", "success": False}) is None
    names = ("name", "access_list_name", "members", "roles")
    for odd in (None, 7, "", [], {"a": []}, [[]]):
        assert grants(tmp_path, event, **{**members, **dict.fromkeys(names, odd)}) is None


@pytest.mark.parametrize(
    ("event", "members"),
    [
        ("user.create", {"name": "mira"}),
        ("user.update", {"name": "mira", "roles": ["access", 7]}),
        ("user.update", {"name": "mira", "roles": "access"}),
        ("user.update", {"name": "mira", "roles": ["a"] * 2_001}),
        ("bot.create", {"name": "deployer"}),
        ("access_list.member.create", {"members": [{"member_name": "mira"}]}),
        ("access_list.review", {"name": "payroll"}),
        ("lock.created", {"name": "l", "target": {"user": "mira"}}),
        ("join_token.create", {"name": "t", "roles": ["Bot"]}),
        ("user.login", {"success": True}),
    ],
)
def test_what_a_record_does_not_say_is_left_out(tmp_path: Path, event: str, members: dict[str, Any]) -> None:
    assert grants(tmp_path, event, **members) is None


def test_real_records_are_read(third_party: Path, tmp_path: Path) -> None:
    """None was lost for what it might have changed, and the one of a role says it."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        every = [line for line in map(json.loads, file) if line["log_type"] == "Gravitational.TeleportAudit"]
    lines = [{**line["event"], "time": "2026-10-05T08:00:00Z"} for line in every]
    found = rows("teleport_audit", "\n".join(map(json.dumps, lines)).encode(), tmp_path)
    assert len(found) == len(lines) > 0
    said = {row["action"]: row["detail"]["grants"] for row in found if "grants" in row["detail"]}
    assert said == {"teleport:role.created": [written("teleport:teleport-event-handler", None)]}
