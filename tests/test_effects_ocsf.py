"""What OCSF events of any product do by their class and activity: https://schema.ocsf.io/1.8.0/classes"""

from typing import Any

import pytest
from source_samples import OPTIONS
from ultravires.reading.events import Event
from ultravires.sources.ocsf.ocsf import events

MIRA, TOM = {"uid": "mira@example.org", "type_id": 1}, {"uid": "tom@example.org", "type_id": 1}


def of(class_uid: int, activity_id: int, **members: Any) -> Event:
    own = {
        "class_uid": class_uid,
        "activity_id": activity_id,
        "activity_name": "Something",
        "type_uid": class_uid * 100 + activity_id,
        "metadata": {"product": {"name": "Paperhouse Vault"}, "uid": "v-1"},
        "actor": {"user": MIRA},
        "time": 1791195000123,
        "status_id": 1,
    }
    (event,) = events({**own, **members}, OPTIONS)
    return event


def effects(event: Event) -> list[tuple[str, str, Any, str | None]]:
    return [
        (one["effect"], one["target"], one.get("uids"), one.get("power")) for one in event.detail.get("effects", [])
    ]


@pytest.mark.parametrize(
    ("class_uid", "activity_id", "expected"),
    [
        (3001, 4, "issues_credential"),
        (3001, 6, "takes_power"),
        (3001, 7, "grants_power"),
        (3001, 11, "weakens_guard"),
        (3003, 1, "grants_power"),
        (3005, 1, "grants_power"),
        (3005, 2, "takes_power"),
        (3006, 3, "grants_power"),
    ],
)
def test_what_is_done_to_an_account(class_uid: int, activity_id: int, expected: str) -> None:
    group = {"group": {"uid": "tom@example.org"}} if class_uid == 3006 else {"user": TOM}
    assert effects(of(class_uid, activity_id, **group)) == [(expected, "identity", ["tom@example.org"], None)]


@pytest.mark.parametrize(
    ("class_uid", "activity_id"), [(3001, 1), (3001, 12), (3002, 1), (3006, 6), (6003, 1), (6005, 1)]
)
def test_other_activities_say_nothing(class_uid: int, activity_id: int) -> None:
    assert "effects" not in of(class_uid, activity_id, user=TOM).detail


def test_what_somebody_does_to_the_own_account() -> None:
    assert effects(of(3001, 11, user=MIRA)) == [("weakens_guard", "self", ["mira@example.org"], None)]


def test_privileges_that_are_everything() -> None:
    assert effects(of(3005, 1, user=TOM, privileges=["read", "Administrator"]))[0][3] == "admin"
    assert effects(of(3005, 1, user=TOM, privileges=["read"]))[0][3] is None


def test_data_that_is_shared_or_gone() -> None:
    assert effects(of(6005, 7, database={"uid": "db-7"})) == [("destroys", "resource", ["db-7"], None)]
    assert effects(of(6006, 12, file={"uid": "f-1"})) == [("exposes", "resource", ["f-1"], None)]


def test_an_operation_says_more_than_its_class() -> None:
    named = of(3005, 1, user=TOM, api={"operation": "AddGrant", "service": {"name": "paperhouse"}})
    assert named.action == "paperhouse:AddGrant" and "effects" not in named.detail


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"is_mfa": True}, "passed"),
        ({"is_mfa": False}, "none"),
        ({}, None),
        ({"is_mfa": True, "status_id": 2}, None),
    ],
)
def test_second_factors(members: dict[str, Any], expected: str | None) -> None:
    assert of(3002, 1, **members).detail.get("second_factor") == expected


@pytest.mark.parametrize("odd", [None, 7, "text", [], [[]], {}, {"a": 3}, [None, 1], True])
@pytest.mark.parametrize("class_uid", [3001, 3002, 3003, 3005, 3006, 6001, 6005, 6006])
def test_odd_content_costs_no_event(class_uid: int, odd: Any) -> None:
    names = ("user", "group", "actor", "privileges", "api", "database", "file", "is_mfa", "web_resources")
    for activity_id in (1, 3, 7, 11):
        assert of(class_uid, activity_id, **dict.fromkeys(names, odd)).class_uid == class_uid
