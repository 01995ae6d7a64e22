"""What requests to Microsoft Graph do, by their method and path: https://learn.microsoft.com/en-us/graph/api/overview."""

import fnmatch

import pytest
from ultravires.build.action_effects import action_effects


def effects(action: str) -> set[tuple[str, str]]:
    rows = [row for row in action_effects() if row.system == "msgraph"]
    return {(row.effect, row.target) for row in rows if fnmatch.fnmatchcase(action.lower(), row.action.lower())}


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("POST /applications(appId='{id}')/addPassword", {("issues_credential", "resource")}),
        ("POST /applications(appId='{id}')/removePassword", {("takes_power", "resource")}),
        ("DELETE /users/{id}", {("takes_power", "identity")}),
        ("DELETE /users/{id}/authentication/phoneMethods/{id}", {("weakens_guard", "identity")}),
        ("GET /informationProtection/bitlocker/recoveryKeys/{id}", {("reads_secret", "resource")}),
        ("GET /roleManagement/directory/roleAssignments", {("discovers", "resource")}),
        ("POST /drives/{id}/items/{id}/createLink", {("exposes", "resource")}),
        ("POST /deviceManagement/deviceManagementScripts", {("runs_code", "resource")}),
    ],
)
def test_requests_that_change_power_or_guards(request_line: str, expected: set[tuple[str, str]]) -> None:
    assert effects(f"msgraph:{request_line}") == expected


@pytest.mark.parametrize(
    "request_line", ["DELETE /users/{id}/messages/{id}", "GET /users/{id}", "PATCH /me/messages/{id}"]
)
def test_work_has_no_effect(request_line: str) -> None:
    assert effects(f"msgraph:{request_line}") == set()
