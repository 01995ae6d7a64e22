"""Answers of Microsoft Graph on who holds what.

Shapes: https://learn.microsoft.com/en-us/graph/api/rbacapplication-list-roleassignments, directoryrole-list,
group-list, serviceprincipal-list-approleassignedto and oauth2permissiongrant-list beside it.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, claimed_by, quarantined, rows

NAME = "msgraph_snapshot"
SAMPLE: dict[str, Any] = json.loads(SAMPLES[NAME])
ASSIGNED, IN_UNIT, ROLE, GROUP, APP_ROLE, FOR_ALL, FOR_ONE = SAMPLE["value"]
API = APP_ROLE["resourceId"]


def grants(folder: Path, item: dict[str, Any]) -> list[dict[str, Any]]:
    (row,) = rows(NAME, json.dumps({**SAMPLE, "value": [item]}, indent=2).encode(), folder)
    return list(row["detail"].get("grants", []))


def edges(folder: Path, item: dict[str, Any]) -> list[tuple[str, str, str, str | None]]:
    found = [each for each in grants(folder, item) if each["op"] == "add"]
    return [(each["relation"], each["holder"], each["held"], each.get("scope")) for each in found]


@pytest.mark.parametrize("item", SAMPLE["value"])
def test_an_answer_with_each_of_them_is_recognised(item: dict[str, Any]) -> None:
    answer = {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#x", "value": [item]}
    assert claimed_by(json.dumps(answer, indent=2).encode()) == [NAME]
    assert claimed_by(json.dumps([item]).encode()) == [NAME]


def test_a_role_counts_in_the_directory_or_in_a_unit(tmp_path: Path) -> None:
    assert edges(tmp_path, ASSIGNED) == [
        ("attached", ASSIGNED["principalId"], "62e90394-69f5-4237-9190-012177145e10", "/")
    ]
    assert edges(tmp_path, IN_UNIT)[0][3] == IN_UNIT["directoryScopeId"]


def test_requests_and_schedules_of_roles_are_none_of_it() -> None:
    """They are read by the log of PIM, or not at all."""
    assert NAME not in claimed_by(json.dumps({"value": [{**ASSIGNED, "status": "Provisioned"}]}).encode())


def test_members_hold_a_role_by_its_template_and_belong_to_a_group(tmp_path: Path) -> None:
    assert edges(tmp_path, ROLE) == [("attached", ROLE["members"][0]["id"], ROLE["roleTemplateId"], "/")]
    assert edges(tmp_path, GROUP) == [("member", each["id"], GROUP["id"], None) for each in GROUP["members"]]
    assert edges(tmp_path, {**GROUP, "members": [7, {"id": None}]}) == []


def test_an_app_role_is_that_of_its_api(tmp_path: Path) -> None:
    assert edges(tmp_path, APP_ROLE) == [("attached", APP_ROLE["principalId"], f"{API}/{APP_ROLE['appRoleId']}", None)]


def test_a_consent_is_for_everybody_or_for_one_person(tmp_path: Path) -> None:
    client = FOR_ALL["clientId"]
    assert edges(tmp_path, FOR_ALL) == [
        ("attached", client, f"{API}/Mail.Read", "/"),
        ("attached", client, f"{API}/User.Read", "/"),
    ]
    assert edges(tmp_path, FOR_ONE) == [("attached", client, f"{API}/Files.Read.All", FOR_ONE["principalId"])]
    assert edges(tmp_path, {**FOR_ONE, "scope": 'Files.Read "x"'}) == []


def test_nothing_is_said_to_be_gone(tmp_path: Path) -> None:
    """Of expanded members there are twenty at most, and a list may be of one principal."""
    assert all(each["op"] != "whole" for item in SAMPLE["value"] for each in grants(tmp_path, item))


def test_without_a_date_there_is_no_time(tmp_path: Path) -> None:
    (refused,) = quarantined(NAME, json.dumps({"value": [ASSIGNED]}).encode(), tmp_path)
    assert refused.reason.startswith("no time: ")
    (row,) = rows(NAME, json.dumps({"value": [APP_ROLE]}).encode(), tmp_path)
    assert row["detail"]["captured_by"] == "lower_bound"
