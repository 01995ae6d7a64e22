"""The packaged table of what issues credentials: every log's issuing actions, and every row an issue."""

import csv
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, cloudtrail, keys, only, rows
from ultravires import registry
from ultravires.sources.gcp import credentials as gcp
from ultravires.sources.issuing import TABLE, Issuing, issuing, issuing_of

ISSUES = {"session", "key", "console", "portal"}
LATER = 1_791_205_200
"""Seconds since 1970, an hour after the event."""
CALLER = {
    "type": "AssumedRole",
    "principalId": "AROA1:mara",
    "arn": "arn:aws:sts::111122223333:assumed-role/Caller/mara",
    "accountId": "111122223333",
    "sessionContext": {
        "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/Caller"},
        "attributes": {"creationDate": "2026-10-05T09:00:00Z"},
    },
}


def test_the_table_is_whole() -> None:
    """Known words in every cell, each action once, and only logs that are read."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == list(Issuing._fields)
    assert {row.log for row in issuing()} <= {source.log for source in registry.sources().values()}
    assert {row.issues for row in issuing()} == ISSUES
    assert len({(row.log, row.action) for row in issuing()}) == len(issuing())
    assert all(row.credential and row.page.startswith("https://") for row in issuing())


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_whatever_issues_a_credential_is_in_the_table(name: str, tmp_path: Path) -> None:
    """An event of a sample that issues one has an action of its log's rows; copies are of the log they copy."""
    for row in rows(name, SAMPLES[name], tmp_path):
        if row["issued_credential_uid"] and row["log"] != "ocsf":
            assert any(fnmatchcase(row["action"], action) for action in issuing_of(row["log"])), row["action"]


def nested(place: str, value: str) -> Any:
    """A response that has the value there, as AWS writes one, with the end of a session beside it."""
    found: Any = value
    for part in reversed(place.split(".")):
        found = [found] if part.isdigit() else {part: found}
        if part == "accessKeyId":
            found["expiration"] = LATER
    return found


@pytest.mark.parametrize("row", [row for row in issuing() if row.log == "aws_cloudtrail"], ids=lambda row: row.action)
def test_every_row_of_aws_issues(row: Issuing, tmp_path: Path) -> None:
    """The key of the response, or for a sign-in the event; neither refusals nor other services issue any."""
    service, name = row.action.split(":")
    is_sign_in = row.issues in ("console", "portal")
    response = None if is_sign_in else nested(row.credential, "ASIANEW")
    members = {
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "eventID": "e-1",
        "userIdentity": CALLER,
        "requestParameters": None,
        "responseElements": response,
    }
    event = only("aws_cloudtrail", cloudtrail(**members), tmp_path)
    assert event["action"] == row.action
    assert event["issued_credential_uid"] == (f"aws:{row.issues}:e-1" if is_sign_in else "ASIANEW")
    assert event["issued_expires_at"] is None if is_sign_in or row.issues == "key" else event["issued_expires_at"]
    refused = cloudtrail(**{**members, "errorCode": "AccessDenied", "responseElements": None})
    assert only("aws_cloudtrail", refused, tmp_path)["issued_credential_uid"] is None
    elsewhere = cloudtrail(**{**members, "eventSource": "other.amazonaws.com"})
    assert only("aws_cloudtrail", elsewhere, tmp_path)["issued_credential_uid"] is None


def test_the_rows_of_google_are_what_its_reader_reads() -> None:
    """By the last word of the method."""
    words = {row.action.rpartition("*")[2].lower() for row in issuing() if row.log == "gcp_audit"}
    assert words == set(gcp._ISSUES)


def aws(tmp_path: Path, action: str, **members: Any) -> dict[str, Any]:
    service, name = action.split(":")
    own = {"eventSource": f"{service}.amazonaws.com", "eventName": name, "eventID": "e-1", "requestParameters": None}
    return only("aws_cloudtrail", cloudtrail(**{**own, **members}), tmp_path)


def test_a_pods_credential_names_its_service_account(tmp_path: Path) -> None:
    """In the answer to the node, and in the tags where EKS takes the role for it; tags of others say nothing."""
    subject = ("federated_subject", "system:serviceaccount:billing:dunning", "carries")
    role = "arn:aws:sts::111122223333:assumed-role/dunning/eks-main-pod-1"
    fetched = aws(
        tmp_path,
        "eks-auth:AssumeRoleForPodIdentity",
        userIdentity={**CALLER, "accessKeyId": "ASIANODE"},
        responseElements={
            "subject": {"namespace": "billing", "serviceAccount": "dunning"},
            "assumedRoleUser": {"arn": role, "assumeRoleId": "AROA2:eks-main-pod-1"},
            "credentials": {"accessKeyId": "ASIAPOD", "expiration": LATER},
        },
    )
    assert subject in keys(fetched) and fetched["credential_uid"] == "ASIANODE"
    assert fetched["detail"]["issued_role_arn"] == "arn:aws:iam::111122223333:role/dunning"
    assert fetched["detail"]["issued_session_name"] == "eks-main-pod-1"
    tags = [
        {"key": "kubernetes-namespace", "value": "billing"},
        {"key": "kubernetes-service-account", "value": "dunning"},
    ]
    request = {"roleArn": "arn:aws:iam::111122223333:role/dunning", "roleSessionName": "eks-main-pod-1", "tags": tags}
    response = {"credentials": {"accessKeyId": "ASIAPOD", "expiration": LATER}}
    taken = {"requestParameters": request, "responseElements": response}
    by_eks = aws(
        tmp_path, "sts:AssumeRole", userIdentity={"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"}, **taken
    )
    assert subject in keys(by_eks)
    assert subject not in keys(aws(tmp_path, "sts:AssumeRole", userIdentity=CALLER, **taken))


def test_a_workload_outside_aws_is_known_by_its_certificate(tmp_path: Path) -> None:
    """Roles Anywhere names the certificate's subject, and puts its name into the session as source identity."""
    event = aws(
        tmp_path,
        "rolesanywhere:CreateSession",
        userIdentity={"type": "Unknown", "accountId": "111122223333"},
        requestParameters={"roleArn": "arn:aws:iam::111122223333:role/batch", "durationSeconds": 3600},
        responseElements={
            "credentialSet": [
                {
                    "assumedRoleUser": {"arn": "arn:aws:sts::111122223333:assumed-role/batch/00aabb"},
                    "credentials": {"accessKeyId": "ASIARA", "expiration": "2026-10-05T12:00:00Z"},
                    "roleArn": "arn:aws:iam::111122223333:role/batch",
                    "sourceIdentity": "CN=batch-7",
                }
            ],
            "subjectArn": "arn:aws:rolesanywhere:eu-central-1:111122223333:subject/s1",
        },
    )
    assert event["issued_credential_uid"] == "ASIARA"
    assert event["detail"]["issued_role_arn"] == "arn:aws:iam::111122223333:role/batch"
    assert {
        ("source_identity", "CN=batch-7", "carries"),
        ("session_name", "arn:aws:iam::111122223333:role/batch/00aabb", "carries"),
        ("federated_subject", "arn:aws:rolesanywhere:eu-central-1:111122223333:subject/s1", "carries"),
    } <= keys(event)


def test_a_portal_names_the_permission_set_wherever_it_writes_it(tmp_path: Path) -> None:
    """Account and set make the role's pattern; what could not be AWS's makes none; a token is shown."""
    person = {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}, "credentialId": "AAAA"}
    portal = "sso:GetRoleCredentials"
    events = [
        aws(tmp_path, portal, userIdentity=person, serviceEventDetails={"account_id": "1" * 12, "role_name": "Admin"}),
        aws(tmp_path, portal, userIdentity=person, requestParameters={"accountId": "1" * 12, "roleName": "Admin"}),
        aws(tmp_path, portal, userIdentity=person, requestParameters={"accountId": "1" * 12, "roleName": "*"}),
    ]
    pattern = "arn:aws*:iam::111111111111:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Admin_*"
    assert [event["detail"].get("issued_role_pattern") for event in events] == [pattern, pattern, None]
    assert {event["credential_uid"] for event in events} == {"aws:bearer:AAAA"}
    assert {event["issued_credential_uid"] for event in events} == {"aws:portal:e-1"}


def test_a_federated_user_holds_what_was_issued_for_it(tmp_path: Path) -> None:
    """The user who asked is not as whom the token's holder appears."""
    bob = "arn:aws:sts::111122223333:federated-user/bob"
    response = {"credentials": {"accessKeyId": "ASIAFED"}, "federatedUser": {"arn": bob}}
    event = aws(tmp_path, "sts:GetFederationToken", responseElements=response)
    assert event["detail"]["issued_holder"] == bob
    assert "issued_role_arn" not in event["detail"]
