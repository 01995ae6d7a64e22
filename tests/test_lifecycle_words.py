"""What records say of the life of identities and keys: tags, accounts that are gone or back, keys switched on again.

Shapes: https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html and the calls beside it, Okta's
https://developer.okta.com/docs/reference/api/event-types/, Entra's
https://learn.microsoft.com/en-us/graph/api/resources/directoryaudit and Google's
https://developers.google.com/workspace/admin/reports/v1/appendix/activity/admin-user-settings
"""

from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, cloudtrail, only, source
from test_iam_changes_okta import NORA, log_event
from ultravires.reading.lifecycle import tagged, untagged

Json = dict[str, Any]
IAM = "arn:aws:iam::111122223333:"
ODD: tuple[Any, ...] = (None, "", 7, [], {}, [None, 7, {}], [{"key": 7, "value": "x"}])


def of_aws(name: str, request: Any, response: Any = None, **members: Any) -> list[tuple[str, str, str | None]]:
    asked = {"requestParameters": request, "responseElements": response}
    (event,) = source("aws_cloudtrail").read(
        cloudtrail(eventSource="iam.amazonaws.com", eventName=name, readOnly=False, **asked, **members), OPTIONS
    )
    return said(event.detail)


def said(detail: Json) -> list[tuple[str, str, str | None]]:
    return [(word["of"], word["field"], word["value"]) for word in detail.get("lifecycle", [])]


def tags(**named: str) -> list[Json]:
    return [{"key": name, "value": value} for name, value in named.items()]


def test_tags_of_a_role() -> None:
    """A tag is known in any spelling; the team is not the owner, and a day lasts until it is over everywhere."""
    found = of_aws(
        "TagRole",
        {
            "roleName": "exporter",
            "tags": tags(**{"Owned-By": "ana", "team": "data", "expires": "2026-12-31", "x": "y"}),
        },
    )
    role = f"{IAM}role/exporter"
    assert found == [
        (role, "owner", "ana"),
        (role, "team", "data"),
        (role, "expires_at", "2027-01-01T12:00:00.000000Z"),
    ]
    assert of_aws("UntagRole", {"roleName": "exporter", "tagKeys": ["Owner", "other"]}) == [(role, "owner", None)]


def test_a_new_user_is_there_with_its_tags_by_both_names() -> None:
    """One with a path is known without it, too."""
    response = {"user": {"arn": f"{IAM}user/apps/exporter", "userName": "exporter"}}
    found = of_aws("CreateUser", {"userName": "exporter", "tags": tags(purpose="exports")}, response)
    plain, full = f"{IAM}user/exporter", f"{IAM}user/apps/exporter"
    assert found == [
        (plain, "purpose", "exports"),
        (full, "purpose", "exports"),
        (plain, "account", "there"),
        (full, "account", "there"),
    ]
    assert of_aws("DeleteUser", {"userName": "exporter"}) == [(plain, "account", "gone")]


def test_a_key_is_switched_on_again() -> None:
    """Switched off it is revoked, which another column says; what failed says nothing."""
    asked = {"userName": "a", "accessKeyId": "AKIA1"}
    assert of_aws("UpdateAccessKey", {**asked, "status": "Active"}) == [("AKIA1", "credential", "there")]
    assert of_aws("UpdateAccessKey", {**asked, "status": "Inactive"}) == []
    assert of_aws("UpdateAccessKey", {**asked, "status": "Active"}, errorCode="AccessDenied") == []


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["CreateUser", "DeleteUser", "TagUser", "UntagUser", "CreateRole", "UpdateAccessKey"])
def test_odd_values_say_nothing(name: str, odd: Any) -> None:
    """No member is trusted to be there or to be of its type."""
    assert of_aws(name, odd) == []
    assert of_aws(name, {"userName": odd, "roleName": odd, "accessKeyId": odd, "tags": odd, "tagKeys": odd}) == []
    assert of_aws("TagUser", {"userName": "a", "tags": odd}) == of_aws("UntagUser", {"userName": "a", "tagKeys": odd})


def test_what_another_product_wrote_says_nothing_of_iam() -> None:
    """Whoever may write to CloudTrail Lake could name any service."""
    inner = cloudtrail(eventSource="iam.amazonaws.com", eventName="DeleteUser", requestParameters={"userName": "a"})
    (event,) = source("aws_cloudtrail").read(
        {"eventTime": inner["eventTime"], "eventData": inner, "eventCategory": "ActivityAuditLog"}, OPTIONS
    )
    assert said(event.detail) == []


@pytest.mark.parametrize(("asks", "expected"), [(True, True), (False, None), ("x", None)])
def test_a_parameter_is_read_in_plain_text_where_it_was_asked_for(asks: Any, expected: bool | None) -> None:
    asked = {"name": "/db/password", "withDecryption": asks}
    (event,) = source("aws_cloudtrail").read(
        cloudtrail(eventSource="ssm.amazonaws.com", eventName="GetParameter", requestParameters=asked), OPTIONS
    )
    assert event.detail.get("decrypts") is expected


@pytest.mark.parametrize(
    ("event_type", "state"),
    [
        ("user.lifecycle.suspend", "gone"),
        ("user.lifecycle.deactivate", "gone"),
        ("user.lifecycle.delete.initiated", "gone"),
        ("user.lifecycle.unsuspend", "there"),
        ("user.lifecycle.reactivate", "there"),
        ("user.lifecycle.update", None),
    ],
)
def test_accounts_of_okta(event_type: str, state: str | None, tmp_path: Path) -> None:
    """By the login and by Okta's id; an attempt that failed says nothing."""
    found = said(only("okta_system", log_event(event_type, [NORA]), tmp_path)["detail"])
    assert found == ([("nora@example.org", "account", state), ("00u2", "account", state)] if state else [])
    failed = log_event(event_type, [NORA], outcome={"result": "FAILURE", "reason": "x"})
    assert said(only("okta_system", failed, tmp_path)["detail"]) == []


def entra(operation: str, *targets: Json) -> Json:
    return {
        "id": "Directory_1",
        "category": "UserManagement",
        "activityDisplayName": operation,
        "activityDateTime": "2026-10-05T08:00:00Z",
        "loggedByService": "Core Directory",
        "operationType": "Delete",
        "result": "success",
        "initiatedBy": {"user": {"id": "0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22"}},
        "targetResources": list(targets),
        "additionalDetails": [],
    }


def test_accounts_of_entra(tmp_path: Path) -> None:
    """By object id and principal name, which a deletion writes behind the id; groups are no people."""
    uid, name = "5e2b9f60-7d14-48ac-b3f7-90c6d8a1e433", "jon@example.org"
    jon = {"id": uid, "type": "User", "userPrincipalName": f"{uid.replace('-', '')}{name}"}
    group = {"id": "3a4b5c6d-7e8f-4091-a2b3-c4d5e6f70819", "type": "Group"}
    found = said(only("entra_audit", entra("Delete user", jon, group, {}), tmp_path)["detail"])
    assert found == [(uid, "account", "gone"), (name, "account", "gone")]
    back = entra("Restore user", {**jon, "userPrincipalName": name})
    assert said(only("entra_audit", back, tmp_path)["detail"]) == [
        (uid, "account", "there"),
        (name, "account", "there"),
    ]
    assert said(only("entra_audit", entra("Update user", jon), tmp_path)["detail"]) == []


@pytest.mark.parametrize(
    ("name", "state"), [("SUSPEND_USER", "gone"), ("UNSUSPEND_USER", "there"), ("MOVE_USER", None)]
)
def test_accounts_of_google(name: str, state: str | None, tmp_path: Path) -> None:
    parameters = [{"name": "USER_EMAIL", "value": "jon@example.org"}]
    activity = {
        "kind": "admin#reports#activity",
        "id": {"time": "2026-10-05T08:00:00Z", "uniqueQualifier": "-1", "applicationName": "admin", "customerId": "C1"},
        "actor": {"email": "mira@example.org", "profileId": "1"},
        "events": [{"type": "USER_SETTINGS", "name": name, "parameters": parameters}],
    }
    found = said(only("google_workspace_audit", activity, tmp_path)["detail"])
    assert found == ([("jon@example.org", "account", state)] if state else [])


def test_hostile_tags_are_bounded() -> None:
    """Of very many, very long or empty tags little is kept; a time that is none says nothing."""
    assert tagged("r", (("owner", str(n)) for n in range(100_000))) == [{"of": "r", "field": "owner", "value": "199"}]
    assert tagged("r", [("owner", " "), ("team", "x" * 1_000), ("o" * 100_000, "y"), ("expires", "soon")]) == []
    assert untagged("r", ["OWNER", "owner", "x"]) == [{"of": "r", "field": "owner", "value": None}]
