"""Guardrails and assignments as the command line of AWS prints them.

Shapes: the examples of https://docs.aws.amazon.com/cli/latest/reference/organizations/describe-policy.html and
https://docs.aws.amazon.com/cli/latest/reference/sso-admin/list-account-assignments.html
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, SAMPLES, batches, claimed_by, quarantined, rows, source

NAME = "aws_organizations_snapshot"
SAMPLE: list[dict[str, Any]] = json.loads(SAMPLES[NAME])
GUARDRAIL, OF_RESOURCES, ASSIGNED = SAMPLE


def grants(folder: Path, *answers: dict[str, Any]) -> list[dict[str, Any]]:
    data = "\n".join(json.dumps(answer, indent=4) for answer in answers).encode()
    return [grant for row in rows(NAME, data, folder) for grant in row["detail"]["grants"]]


def changed(**summary: Any) -> dict[str, Any]:
    policy = GUARDRAIL["Policy"]
    return {**GUARDRAIL, "Policy": {**policy, "PolicySummary": {**policy["PolicySummary"], **summary}}}


def test_a_policy_says_what_its_content_does(tmp_path: Path) -> None:
    """That of services limits who acts, that of resources what is done to them."""
    first, second = grants(tmp_path, GUARDRAIL, OF_RESOURCES)
    assert (first["held"], first["kind"], len(first["statements"])) == ("p-0lrs8kq2", "permissions", 2)
    assert (second["held"], second["kind"]) == ("p-1rcp9zz3", "resource")
    assert second["statements"][0]["principals"] == ["*"]


def test_a_policy_that_limits_nothing_is_counted(tmp_path: Path) -> None:
    (batch,) = batches(NAME, json.dumps(changed(Type="TAG_POLICY")).encode(), tmp_path)
    assert [reason for _, reason in batch.ignored] == ["policy that limits no permission"]


def test_content_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    broken = {**GUARDRAIL, "Policy": {**GUARDRAIL["Policy"], "Content": "{"}}
    assert [each["statements"] for each in grants(tmp_path, broken)] == [None]


def test_who_is_assigned_is_in_a_permission_set_within_an_account(tmp_path: Path) -> None:
    listed = ASSIGNED["AccountAssignments"]
    assert [(each["holder"], each["held"], each["scope"]) for each in grants(tmp_path, ASSIGNED)] == [
        (each["PrincipalId"], each["PermissionSetArn"], each["AccountId"]) for each in listed
    ]
    (refused,) = quarantined(
        NAME, json.dumps({**ASSIGNED, "AccountAssignments": [{"AccountId": "1"}]}).encode(), tmp_path
    )
    assert refused.reason == "no record of such an export"


@pytest.mark.parametrize("answer", [GUARDRAIL, ASSIGNED])
def test_the_answer_itself_has_no_date_and_its_file_says_it(answer: dict[str, Any], tmp_path: Path) -> None:
    plain = {name: value for name, value in answer.items() if name != "captured_at"}
    data = json.dumps(plain, indent=4).encode()
    assert claimed_by(data) == [NAME]
    assert {row.reason.partition(":")[0] for row in quarantined(NAME, data, tmp_path)} == {"no time"}
    named, of = replace(OPTIONS, path="/logs/answer-2026-10-06T0600Z.json"), source(NAME)
    found = [event for frame in of.records(iter([data]), named) for event in of.read(frame.value, named)]
    assert {event.detail["captured_by"] for event in found} == {"name"}


@pytest.mark.parametrize(
    "answer",
    [
        {"Policies": [{"Id": "p-1", "Type": "SERVICE_CONTROL_POLICY"}]},
        {"Targets": [{"TargetId": "r-1", "Type": "ROOT"}]},
        {"InlinePolicy": "{}"},
        {"AttachedManagedPolicies": [{"Name": "x", "Arn": "arn:aws:iam::aws:policy/x"}]},
        {"PermissionSet": {"Name": "x", "PermissionSetArn": "arn:aws:sso:::permissionSet/s/p"}},
        {"Policy": {"PolicyName": "x", "Arn": "arn:aws:iam::1:policy/x"}},
    ],
)
def test_an_answer_that_does_not_say_what_it_is_about_is_not_read(answer: dict[str, Any]) -> None:
    assert claimed_by(json.dumps(answer, indent=4).encode()) == []
