"""Azure Key Vault audit events: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, batches, claimed_by, keys, only, quarantined

LINES = [json.loads(line) for line in SAMPLES["azure_key_vault"].splitlines()]
RECORDS = [line.get("records", [line])[0] for line in LINES]
SECRET_GET, KEY_UNWRAP, REFUSED, BY_PERSON = RECORDS[1], RECORDS[2], RECORDS[3], RECORDS[4]
VAULT = "https://fjordsecrets.vault.azure.net"


def test_reading_a_secret_says_who_which_and_under_which_request(tmp_path: Path) -> None:
    """An application reads one version of a secret; the request's id joins it to other logs."""
    row = only("azure_key_vault", SECRET_GET, tmp_path)
    assert (row["actor_uid"], row["actor_kind"]) == ("d05b7c3e-8f62-41a9-b4e7-3c9a1d6f2b99", "service")
    assert (row["action"], row["class_uid"], row["activity_id"]) == ("azure-keyvault:SecretGet", 6003, 2)
    assert row["resource_uids"] == [f"{VAULT}/secrets/ledger-db/9d3f1c7be2a84a0c9a51d6e0b7f34c22"]
    assert (row["outcome"], row["error_code"], row["detail"]["read_only"]) == ("success", None, True)
    request, account = SECRET_GET["correlationId"], row["account_uid"]
    assert account == "3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10"
    assert keys(row) == {("request", request, "names"), ("request", f"{account}/{request}", "names")}


def test_a_managed_identity_is_a_workload_and_a_user_a_person(tmp_path: Path) -> None:
    """The claims say which; a managed identity's name its resource."""
    assert only("azure_key_vault", KEY_UNWRAP, tmp_path)["actor_kind"] == "workload"
    person = only("azure_key_vault", BY_PERSON, tmp_path)
    assert (person["actor_kind"], person["actor_name"]) == ("human", "mira@fjordline.example")


def test_what_was_refused_is_denied_and_its_collection_the_target(tmp_path: Path) -> None:
    """A listing names no secret; the query of its address is left out."""
    row = only("azure_key_vault", REFUSED, tmp_path)
    assert (row["outcome"], row["error_code"], row["resource_uids"]) == ("denied", "Forbidden", [f"{VAULT}/secrets"])


@pytest.mark.parametrize(
    ("properties", "words", "expected"),
    [
        ({"httpStatusCode": 404}, ("Success", "OK"), ("failure", "OK")),
        ({}, ("Success", "OK"), ("success", None)),
        ({}, ("Failed", "Forbidden"), ("denied", "Forbidden")),
        ({}, ("Failed", "Conflict"), ("failure", "Conflict")),
        ({}, ("Pending", "OK"), ("unknown", None)),
    ],
)
def test_the_status_decides_and_else_the_words(
    properties: dict[str, Any], words: tuple[str, str], expected: tuple[str, str | None], tmp_path: Path
) -> None:
    """What neither says is unknown."""
    record = {**SECRET_GET, "properties": properties, "resultType": words[0], "resultSignature": words[1]}
    row = only("azure_key_vault", record, tmp_path)
    assert (row["outcome"], row["error_code"]) == expected
    assert row["resource_uids"] == [SECRET_GET["resourceId"]]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("SecretListVersions", (6003, 2)),
        ("KeyGetDeleted", (6003, 2)),
        ("SecretSet", (6003, 3)),
        ("CertificateImport", (6003, 1)),
        ("KeyPurge", (6003, 4)),
        ("KeySign", (6003, 99)),
        ("Authentication", (3002, 1)),
        ("VaultAccessPolicyChangedEventGridNotification", (3005, 1)),
        ("RoleAssignmentCreate", (3005, 1)),
        ("RoleAssignmentDelete", (3005, 2)),
        ("RoleAssignmentList", (6003, 2)),
    ],
)
def test_operations_have_a_class(operation: str, expected: tuple[int, int], tmp_path: Path) -> None:
    """What says who may use a vault is user access, signing in authentication, all else API activity."""
    row = only("azure_key_vault", {**SECRET_GET, "operationName": operation}, tmp_path)
    assert (row["class_uid"], row["activity_id"]) == expected


def test_audit_events_of_another_service_are_not_ours(tmp_path: Path) -> None:
    """Many services call their category AuditEvent; only of a vault the record is read."""
    other = {**SECRET_GET, "resourceId": "/SUBSCRIPTIONS/1/PROVIDERS/MICROSOFT.COGNITIVESERVICES/ACCOUNTS/A"}
    assert claimed_by(json.dumps(other).encode()) == []
    (batch,) = batches("azure_key_vault", json.dumps(other).encode(), tmp_path)
    assert (batch.events.num_rows, batch.n_ignored) == (0, 1)


@pytest.mark.parametrize(
    ("change", "reason"), [({"time": None}, "no time"), ({"operationName": ""}, "no operationName")]
)
def test_what_cannot_be_read_is_put_aside(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """Without a time or an operation there is no activity."""
    (row,) = quarantined("azure_key_vault", json.dumps({**SECRET_GET, **change}).encode(), tmp_path)
    assert row.reason.startswith(reason)
