"""Azure Storage's resource logs: records in, rows out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, batches, claimed_by, keys, only, quarantined, rows

RECORDS = [json.loads(line) for line in SAMPLES["azure_storage"].splitlines()]
BY_TOKEN, BY_KEY, BY_SIGNATURE, BY_PERSON = RECORDS


def test_a_token_names_who_it_was_issued_to(tmp_path: Path) -> None:
    """With a user's name it is a person."""
    service, person = only("azure_storage", BY_TOKEN, tmp_path), only("azure_storage", BY_PERSON, tmp_path)
    assert (service["actor_uid"], service["actor_kind"]) == ("d05b7c3e-8f62-41a9-b4e7-3c9a1d6f2b99", "service")
    assert (person["actor_kind"], person["actor_name"]) == ("human", "mira@fjordline.example")
    assert person["detail"] == {"read_only": True, "event_type": "OAuth", "credential_kind": "session"}


def test_a_key_names_nobody_but_is_known_again(tmp_path: Path) -> None:
    """Azure writes the hash of what was used, never itself."""
    row = only("azure_storage", BY_KEY, tmp_path)
    assert row["actor_uid"] is None
    assert row["credential_uid"] == f"azure-storage:{BY_KEY['identity']['tokenHash']}"


def test_a_refusal_says_why(tmp_path: Path) -> None:
    """The status decides, the text explains."""
    row = only("azure_storage", BY_SIGNATURE, tmp_path)
    assert (row["outcome"], row["error_code"], row["activity_id"]) == ("denied", "AuthorizationPermissionMismatch", 4)
    absent = only("azure_storage", {**BY_SIGNATURE, "statusCode": "404", "statusText": None}, tmp_path)
    assert (absent["outcome"], absent["error_code"]) == ("failure", "404")


def test_a_signature_in_the_address_is_kept_nowhere(tmp_path: Path) -> None:
    """Azure masks it; a record that came another way is masked here."""
    record = {**BY_SIGNATURE, "properties": {}, "uri": "https://a.blob.core.windows.net/c/b?sig=SECRET"}
    row = only("azure_storage", record, tmp_path)
    assert row["resource_uids"] == ["https://a.blob.core.windows.net/c/b"]
    assert "SECRET" not in str(row) and "sig=XXXXX" in row["raw"]


def test_the_request_has_two_ids_in_the_subscription(tmp_path: Path) -> None:
    """The service's and the client's."""
    named = keys(only("azure_storage", BY_TOKEN, tmp_path))
    for request in (BY_TOKEN["correlationId"], BY_TOKEN["properties"]["clientRequestId"]):
        assert ("request", request, "names") in named
        assert ("request", f"3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10/{request}", "names") in named


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"time": None}, "no time"), ({"operationName": 3}, "no operationName: not a request to Azure Storage")],
)
def test_what_a_request_needs(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """A time and what was done; logs that nobody reads are ignored."""
    found = quarantined("azure_storage", json.dumps({**BY_TOKEN, **change}).encode(), tmp_path)
    assert [row.reason for row in found] == [reason]
    (batch,) = batches("azure_storage", json.dumps({**BY_TOKEN, "category": "StorageMetrics"}).encode(), tmp_path)
    assert (batch.events.num_rows, batch.n_ignored) == (0, 1)


def test_real_requests_are_read_by_type(third_party: Path, tmp_path: Path) -> None:
    """Every real record gives one event with what, on what, from where and how it ended; these name no actor."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [json.loads(line) for line in file]
    found = [line["event"] for line in lines if line["log_type"] == "Azure.MonitorActivity"]
    found = [event for event in found if event["category"].startswith("Storage")]
    data = "\n".join(map(json.dumps, found)).encode()
    assert quarantined("azure_storage", data, tmp_path) == []
    read = rows("azure_storage", data, tmp_path)
    assert len(read) == len(found) == 5
    for event, row in zip(found, read, strict=True):
        assert claimed_by(json.dumps(event).encode()) == ["azure_storage"]
        assert row["action"] == "azure-storage:" + event["operationName"]
        assert row["resource_uids"] == [event["properties"]["objectKey"]]
        assert event["callerIpAddress"].startswith(row["src_ip"] + ":")
        assert row["outcome"] == ("denied" if event["statusCode"] == 403 else "success")
        assert row["actor_uid"] is None and not event.get("identity", {}).get("requester")
