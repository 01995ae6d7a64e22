"""Azure's activity log: records in, rows out."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, batches, claimed_by, keys, only, quarantined, rows

RECORDS = json.loads(SAMPLES["azure_activity"])["records"]
STARTED, STARTED_WELL, KEYS_LISTED, REFUSED, BY_AGENT, PIM_ASKED = RECORDS
MIRA = "0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22"
OBJECT = "http://schemas.microsoft.com/identity/claims/objectidentifier"
SUBSCRIPTION = "3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10"


def with_claims(record: dict[str, Any], **claims: Any) -> dict[str, Any]:
    identity = record["identity"]
    return {**record, "identity": {**identity, "claims": {**identity["claims"], **claims}}}


def only_claims(**claims: Any) -> dict[str, Any]:
    return {**KEYS_LISTED, "identity": {"claims": claims}}


def as_rest(record: dict[str, Any]) -> dict[str, Any]:
    """The same event as the REST API answers it."""
    identity = record["identity"]
    return {
        "authorization": {"action": record["operationName"], "scope": record["resourceId"], "role": "Contributor"},
        "caller": identity["claims"].get("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "app"),
        "claims": identity["claims"],
        "correlationId": record["correlationId"],
        "eventDataId": "2f6b1c0e-9d84-4a37-b5e2-7c8f0a1d3e95",
        "eventTimestamp": record["time"],
        "category": {"value": record["category"], "localizedValue": record["category"]},
        "httpRequest": {"clientRequestId": "client-1", "clientIpAddress": record["callerIpAddress"], "method": "POST"},
        "operationName": {"value": "Microsoft.Compute/virtualMachines/start/action", "localizedValue": "Start"},
        "resourceId": record["resourceId"].lower(),
        "status": {"value": "Succeeded", "localizedValue": "Succeeded"},
        "subStatus": {"value": "", "localizedValue": ""},
        "subscriptionId": SUBSCRIPTION,
        "properties": record["properties"],
    }


def test_the_token_is_the_credential_used(tmp_path: Path) -> None:
    """`uti` is what the sign-in log calls uniqueTokenIdentifier."""
    signed_in = json.loads(SAMPLES["entra_signin"])["records"]
    issued = {record["properties"]["uniqueTokenIdentifier"] for record in signed_in}
    for record in (STARTED, KEYS_LISTED):
        assert only("azure_activity", record, tmp_path)["credential_uid"] in issued


def test_what_only_started_is_not_known_to_have_worked(tmp_path: Path) -> None:
    """One operation writes several records; each is an event of its own."""
    started, done = only("azure_activity", STARTED, tmp_path), only("azure_activity", STARTED_WELL, tmp_path)
    assert (started["outcome"], done["outcome"]) == ("unknown", "success")
    assert started["action"] == done["action"] == "azure:microsoft.compute/virtualmachines/start/action"
    assert started["event_id"] != done["event_id"]


def test_a_managed_identity_is_the_workload_it_belongs_to(tmp_path: Path) -> None:
    """`xms_mirid` names the resource."""
    row = only("azure_activity", KEYS_LISTED, tmp_path)
    assert row["actor_kind"] == "workload"
    assert row["workload_uid"].endswith("/virtualMachines/runner-7")


def test_a_refusal_is_denied_with_azure_s_code(tmp_path: Path) -> None:
    """The code stands in JSON inside a string."""
    row = only("azure_activity", REFUSED, tmp_path)
    assert (row["outcome"], row["error_code"], row["actor_kind"]) == ("denied", "AuthorizationFailed", "service")
    assert (row["class_uid"], row["activity_id"]) == (3005, 1)


def test_an_agent_with_a_person_s_delegation_acts_on_their_behalf(tmp_path: Path) -> None:
    """The facets of the token say that its client is an agent and its subject a person."""
    row = only("azure_activity", BY_AGENT, tmp_path)
    claims = BY_AGENT["identity"]["claims"]
    assert (row["actor_uid"], row["actor_kind"], row["on_behalf_of_uid"]) == (claims["appid"], "agent", MIRA)
    own = only("azure_activity", with_claims(BY_AGENT, xms_sub_fct="9 3 11", idtyp="app"), tmp_path)
    assert (own["actor_uid"], own["actor_kind"], own["on_behalf_of_uid"]) == (claims[OBJECT], "agent", None)


@pytest.mark.parametrize(
    ("claims", "actor"),
    [
        ({"appid": "a"}, ("a", "service")),
        ({"name": "Mira"}, ("Mira", "human")),
        ({OBJECT: "o", "appid": "a", "idtyp": "app"}, ("o", "service")),
        ({OBJECT: "o"}, ("o", "unknown")),
        ({OBJECT: "o", "idtyp": "user"}, ("o", "human")),
        ({}, (None, None)),
    ],
)
def test_who_called(claims: dict[str, Any], actor: tuple[str | None, str | None], tmp_path: Path) -> None:
    """The object id, else the best that the claims have."""
    row = only("azure_activity", only_claims(**claims), tmp_path)
    assert (row["actor_uid"], row["actor_kind"]) == actor


def test_asking_pim_for_a_role_carries_the_request(tmp_path: Path) -> None:
    """The resource that was written is the request; a failed one is none."""
    request = ("approval", "7e1c9b46-2d58-4f03-a6b7-9c0d8e5f1a34", "carries")
    assert request in keys(only("azure_activity", PIM_ASKED, tmp_path))
    assert request not in keys(only("azure_activity", {**PIM_ASKED, "resultType": "Failure"}, tmp_path))


def test_rest_answers_the_same_event(tmp_path: Path) -> None:
    """Names wrapped with their translation, the caller at the top, an id of the event."""
    answer = json.dumps({"value": [as_rest(STARTED_WELL)]}).encode()
    assert claimed_by(answer) == ["azure_activity"]
    (found,) = rows("azure_activity", answer, tmp_path)
    expected = only("azure_activity", STARTED_WELL, tmp_path)
    same = ("event_at", "actor_uid", "actor_kind", "action", "outcome", "credential_uid", "account_uid", "src_ip")
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}
    assert found["native_id"] == "2f6b1c0e-9d84-4a37-b5e2-7c8f0a1d3e95"
    assert {("request", "client-1", "names"), ("request", f"{SUBSCRIPTION}/client-1", "names")} <= keys(found)
    refused = {**as_rest(REFUSED), "status": {"value": "Failed"}, "subStatus": {"value": "Forbidden"}, "properties": {}}
    row = only("azure_activity", refused, tmp_path)
    assert (row["outcome"], row["error_code"]) == ("denied", "Forbidden")


@pytest.mark.parametrize("category", ["ServiceHealth", "ResourceHealth", "Alert", "Security", "AuditEvent", 7])
def test_what_nobody_did_is_ignored(category: Any, tmp_path: Path) -> None:
    """How a resource is, and other logs of the same hub."""
    (batch,) = batches("azure_activity", json.dumps({**STARTED, "category": category}).encode(), tmp_path)
    assert (batch.events.num_rows, batch.n_ignored) == (0, 1)


def test_without_a_time_or_an_operation_it_is_put_aside(tmp_path: Path) -> None:
    """Only the vendor's time counts."""
    data = "\n".join(json.dumps({**STARTED, name: None}) for name in ("time", "operationName")).encode()
    assert [row.reason for row in quarantined("azure_activity", data, tmp_path)] == [
        "no time",
        "no operationName: not an activity of Azure",
    ]


def test_an_address_loses_its_port(tmp_path: Path) -> None:
    """Some services append it; what is no address is none."""
    for written, expected in (("192.0.2.7:443", "192.0.2.7"), ("[2001:db8::7]:443", "2001:db8::7"), ("here", None)):
        row = only("azure_activity", {**KEYS_LISTED, "callerIpAddress": written}, tmp_path)
        assert row["src_ip"] == expected


def test_real_activities_are_read_by_type(third_party: Path, tmp_path: Path) -> None:
    """Every real record with a time gives one event, also where logs of storage and clusters are in the same stream."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [json.loads(line) for line in file]
    every = [line["event"] for line in lines if line["log_type"] == "Azure.MonitorActivity"]
    ours = [event for event in every if event["category"] in ("Administrative", "Policy")]
    timed = [event for event in ours if "time" in event]
    assert Counter(event["category"] for event in ours) == {"Administrative": 88, "Policy": 3}
    whole = batches("azure_activity", "\n".join(map(json.dumps, every)).encode(), tmp_path)
    logs = Counter(log for batch in whole for log in batch.events["log"].to_pylist())
    assert logs == {"azure_activity": len(timed), "azure_storage": 5} and len(timed) == 90
    untimed = Counter((row.log, row.reason) for batch in whole for row in batch.quarantined)
    assert untimed == {("azure_activity", "no time"): 1, ("kubernetes_audit", "no time"): 16}
    assert sum(batch.n_ignored for batch in whole) == 0
    read = rows("azure_activity", "\n".join(map(json.dumps, timed)).encode(), tmp_path)
    for event, row in zip(timed, read, strict=True):
        assert claimed_by(json.dumps(event).encode()) == ["azure_activity"]
        assert row["action"] == "azure:" + event["operationName"].lower()
        assert row["resource_uids"] == [event["resourceId"]]
        assert row["account_uid"] == event["resourceId"].split("/")[2]
        assert row["src_ip"] == event["callerIpAddress"]
        assert row["outcome"] == ("success" if event["resultType"].startswith("Succe") else "denied")
        claims = event.get("identity", {}).get("claims", {})
        assert (row["actor_uid"] is None) == (not claims)
        assert row["actor_uid"] is None or row["actor_uid"] in claims.values()
    assert sum(row["actor_uid"] is not None for row in read) == 5
