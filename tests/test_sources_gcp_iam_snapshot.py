"""Allow policies as `gcloud asset search-all-iam-policies` prints them.

Shape: https://cloud.google.com/asset-inventory/docs/reference/rest/v1/TopLevel/searchAllIamPolicies
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from source_samples import OPTIONS, SAMPLES, claimed_by, quarantined, rows, source

NAME = "gcp_iam_snapshot"
RESULTS: list[dict[str, Any]] = json.loads(SAMPLES[NAME])["results"]
PROJECT, FOLDER, BUCKET = RESULTS
NAMED = replace(OPTIONS, path="/logs/policies-2026-10-06T0600Z.json")


def events(results: list[dict[str, Any]]) -> list[Any]:
    of = source(NAME)
    frames = of.records(iter([json.dumps(results, indent=2).encode()]), NAMED)
    return [event for frame in frames for event in of.read(frame.value, NAMED)]


def grants(result: dict[str, Any]) -> list[dict[str, Any]]:
    (event,) = events([result])
    return list(event.detail.get("grants", []))


def test_the_list_that_the_command_prints_is_recognised_and_dated_by_its_name() -> None:
    assert claimed_by(json.dumps(RESULTS, indent=2).encode()) == [NAME]
    assert claimed_by(json.dumps(RESULTS).encode()) == [NAME]
    assert [event.detail["captured_by"] for event in events(RESULTS)] == ["name"] * 3


def test_without_a_name_nothing_dates_it(tmp_path: Path) -> None:
    found = quarantined(NAME, json.dumps(RESULTS).encode(), tmp_path)
    assert [row.reason.partition(":")[0] for row in found] == ["no time"] * 3
    assert rows(NAME, json.dumps(RESULTS).encode(), tmp_path) == []


def test_members_are_named_as_they_act_and_hold_roles_at_the_resource() -> None:
    edges = [grant for grant in grants(PROJECT) if grant["relation"] == "attached"]
    assert [(each["holder"], each["held"], each["scope"]) for each in edges] == [
        ("mira@example.org", "roles/owner", "projects/harbor-prod"),
        ("deployer@harbor-prod.iam.gserviceaccount.com", "roles/run.admin", "projects/harbor-prod"),
        ("group:platform@example.org", "roles/run.admin", "projects/harbor-prod"),
        ("jon@example.org", "roles/iam.securityAdmin", "projects/harbor-prod"),
    ]
    assert edges[3]["expires_at"] == "2026-12-01T00:00:00.000000Z"


def test_only_a_project_is_of_an_account() -> None:
    assert [event.account_uid for event in events(RESULTS)] == ["harbor-prod", None, None]


def test_a_bucket_is_named_as_in_the_audit_log() -> None:
    (edge,) = grants(BUCKET)
    assert edge["scope"] == "//storage.googleapis.com/projects/_/buckets/harbor-invoices"


def test_a_project_lies_where_one_folder_or_none_is_named() -> None:
    def within(**changes: Any) -> list[tuple[str, str]]:
        found = grants({**PROJECT, **changes})
        return [(each["holder"], each["held"]) for each in found if each["relation"] == "within"]

    organization = "organizations/330044005500"
    assert within() == [("projects/harbor-prod", FOLDER["folders"][0]), (FOLDER["folders"][0], organization)]
    assert within(folders=[]) == [("projects/harbor-prod", organization)]
    assert within(folders=["folders/1", "folders/2"]) == []
    assert within(folders=[7]) == []


def test_what_a_query_may_have_left_out_is_not_said_to_be_gone() -> None:
    assert [grant["op"] for result in RESULTS for grant in grants(result)].count("whole") == 0
