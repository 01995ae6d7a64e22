"""Role assignments and definitions as the Azure command line and its API answer.

Shapes: https://learn.microsoft.com/en-us/cli/azure/role/assignment#az-role-assignment-list and
https://learn.microsoft.com/en-us/rest/api/authorization/role-assignments/list-for-scope
"""

import json
from pathlib import Path
from typing import Any

from source_samples import SAMPLES, claimed_by, quarantined, rows

NAME = "azure_role_snapshot"
VALUES: list[dict[str, Any]] = json.loads(SAMPLES[NAME])["value"]
CONTRIBUTOR, CONDITIONAL, DEFINITION = VALUES
SUBSCRIPTION = "3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10"
ROLES = "/providers/microsoft.authorization/roledefinitions"


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """A resource as the API answers, whose properties stand apart."""
    outer = {name: flat[name] for name in ("id", "name", "type")}
    return {**outer, "properties": {name: value for name, value in flat.items() if name not in outer}}


def grants(folder: Path, *resources: dict[str, Any]) -> list[list[dict[str, Any]]]:
    data = json.dumps(list(resources), indent=2).encode()
    return [row["detail"].get("grants", []) for row in rows(NAME, data, folder)]


def test_the_lists_that_the_command_prints_are_recognised() -> None:
    for listed in (VALUES, [CONTRIBUTOR], [DEFINITION]):
        assert claimed_by(json.dumps(listed, indent=2).encode()) == [NAME]
        assert claimed_by(json.dumps({"value": [nested(each) for each in listed]}).encode()) == [NAME]


def test_an_assignment_gives_a_role_within_its_scope(tmp_path: Path) -> None:
    ((whole, edge),) = grants(tmp_path, CONTRIBUTOR)
    assert whole["binding"] == edge["binding"] == CONTRIBUTOR["id"].lower()
    assert (edge["holder"], edge["held"]) == (
        CONTRIBUTOR["principalId"],
        f"{ROLES}/b24988ac-6180-42a0-ab88-20f7382dd24c",
    )
    assert edge["scope"] == f"/subscriptions/{SUBSCRIPTION}/resourcegroups/harbor"
    assert "condition" not in edge


def test_a_condition_is_kept(tmp_path: Path) -> None:
    ((_, edge),) = grants(tmp_path, CONDITIONAL)
    assert edge["condition"]["expression"].startswith("@Resource[")


def test_a_definition_says_what_its_role_allows(tmp_path: Path) -> None:
    ((document,),) = grants(tmp_path, DEFINITION)
    assert (document["held"], len(document["statements"])) == (f"{ROLES}/{DEFINITION['name']}", 2)
    ((broken,),) = grants(tmp_path, {**DEFINITION, "permissions": "x"})
    assert broken["statements"] is None


def test_the_answer_of_the_api_says_the_same(tmp_path: Path) -> None:
    assert grants(tmp_path, *map(nested, VALUES)) == grants(tmp_path, *VALUES)


def test_an_assignment_that_names_nobody_states_nothing(tmp_path: Path) -> None:
    assert grants(tmp_path, {**CONTRIBUTOR, "principalId": None}) == [[]]


def test_the_newest_change_is_a_lower_bound_and_without_one_there_is_no_time(tmp_path: Path) -> None:
    (row, *_) = rows(NAME, json.dumps(VALUES).encode(), tmp_path)
    assert (row["event_at"].isoformat()[:19], row["detail"]["captured_by"]) == ("2026-09-14T09:12:44", "lower_bound")
    undated = {**CONTRIBUTOR, "createdOn": None, "updatedOn": None}
    (refused,) = quarantined(NAME, json.dumps([undated]).encode(), tmp_path)
    assert refused.reason.startswith("no time: ")


def test_another_resource_is_no_record_of_it(tmp_path: Path) -> None:
    vault = {"id": "/subscriptions/s/providers/x/y", "name": "y", "type": "Microsoft.KeyVault/vaults"}
    (refused,) = quarantined(NAME, json.dumps([CONTRIBUTOR, vault]).encode(), tmp_path)
    assert refused.reason == "no record of such an export"
