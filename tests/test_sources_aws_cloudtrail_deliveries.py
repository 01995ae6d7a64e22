"""One CloudTrail record is one event, whichever way it was delivered."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import claimed_by, cloudtrail, keys, only, quarantined, rows
from ultravires.sources.aws.cloudtrail_deliveries import struct_of

RECORDS = [cloudtrail(), cloudtrail(eventID="e-2", eventName="PutObject", readOnly=False, errorCode="AccessDenied")]
INSIGHT = {
    "eventVersion": "1.11",
    "eventTime": "2026-10-05T10:06:00Z",
    "awsRegion": "eu-central-1",
    "eventID": "insight-end",
    "eventType": "AwsCloudTrailInsight",
    "recipientAccountId": "111122223333",
    "sharedEventID": "insight-1",
    "insightDetails": {
        "state": "End",
        "eventSource": "s3.amazonaws.com",
        "eventName": "DeleteObject",
        "insightType": "ApiCallRateInsight",
        "insightContext": {"statistics": {"baseline": {"average": 0.1}, "insight": {"average": 30}}},
    },
    "eventCategory": "Insight",
}
AGGREGATE = {
    "eventVersion": "1.0",
    "accountId": "111122223333",
    "eventId": "aggregate-1",
    "eventCategory": "Aggregated",
    "eventType": "AwsAggregatedEvent",
    "awsRegion": "eu-central-1",
    "eventSource": "s3.amazonaws.com",
    "timeWindow": {
        "windowStart": "2026-10-05T10:00:00Z",
        "windowEnd": "2026-10-05T10:05:00Z",
        "windowSize": "PT5M",
    },
    "summary": {"primaryDimension": {"dimension": "userIdentity", "statistics": [{"name": "a", "value": 12}]}},
}


def log_events(*records: dict[str, Any], kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    return {
        "messageType": kind,
        "owner": "111122223333",
        "logGroup": "trail/all",
        "logStream": "111122223333_CloudTrail_eu-central-1",
        "subscriptionFilters": ["to-the-archive"],
        "logEvents": [
            {"id": str(number), "timestamp": 1791194400000, "message": json.dumps(record)}
            for number, record in enumerate(records)
        ],
    }


CONTROL = {
    **log_events(kind="CONTROL_MESSAGE"),
    "logEvents": [{"id": "", "timestamp": 1791194400000, "message": "CWL CONTROL MESSAGE: Checking health."}],
}


def envelope(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "6f6d3f0e-0000-0000-0000-000000000000",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-10-05T10:00:09Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": record,
    }


def looked_up(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "true",
        "EventTime": "2026-10-05T12:00:00+02:00",
        "EventSource": record["eventSource"],
        "Resources": [],
        "CloudTrailEvent": json.dumps(record),
    }


def lake_answer(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns are text; objects are written as JSON here, structs otherwise."""
    return {
        "QueryStatus": "FINISHED",
        "QueryStatistics": {"ResultsCount": 2, "TotalResultsCount": 2, "BytesScanned": 5},
        "QueryResultRows": [
            [
                {name: json.dumps(value) if isinstance(value, dict) else str(value)}
                for name, value in record.items()
                if value is not None
            ]
            for record in records
        ],
    }


def glued(*documents: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(document).encode() for document in documents)


def lines(*documents: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(document).encode() for document in documents)


DELIVERIES = {
    "S3": lines({"Records": RECORDS}),
    "lines": lines(*RECORDS),
    "an array": json.dumps(RECORDS).encode(),
    "Firehose without newlines": glued(*RECORDS),
    "CloudWatch Logs": lines(log_events(*RECORDS)),
    "CloudWatch Logs, one record each": lines(*(log_events(record) for record in RECORDS)),
    "CloudWatch Logs through Firehose": glued(*(log_events(record) for record in RECORDS)),
    "CloudWatch Logs, pretty": json.dumps(log_events(*RECORDS), indent=4).encode(),
    "EventBridge": lines(*map(envelope, RECORDS)),
    "EventBridge through Firehose": glued(*map(envelope, RECORDS)),
    "EventBridge into CloudWatch Logs": lines(log_events(*map(envelope, RECORDS))),
    "lookup-events": json.dumps({"Events": list(map(looked_up, RECORDS))}, indent=4).encode(),
    "lookup-events, lines": lines(*map(looked_up, RECORDS)),
    "aws logs": json.dumps(
        {
            "events": [
                {"timestamp": 1791194400000, "message": json.dumps(record), "ingestionTime": 1791194400500}
                for record in RECORDS
            ],
            "nextForwardToken": "f/1",
        }
    ).encode(),
    "CloudTrail Lake": json.dumps(lake_answer(RECORDS), indent=4).encode(),
    "CloudTrail Lake, a page each": lines(*(lake_answer([record]) for record in RECORDS)),
}


def without_provenance(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: row[name] for name in row if name not in ("record_no", "raw", "raw_hash", "voice", "place")}
        for row in found
    ]


@pytest.mark.parametrize("name", DELIVERIES)
def test_every_delivery_gives_the_events_of_s3(name: str, tmp_path: Path) -> None:
    """Same ids and columns, nothing in quarantine, recognised by CloudTrail alone; plain and compressed."""
    expected = without_provenance(rows("aws_cloudtrail", DELIVERIES["S3"], tmp_path))
    for data in (DELIVERIES[name], gzip.compress(DELIVERIES[name])):
        assert without_provenance(rows("aws_cloudtrail", data, tmp_path)) == expected
        assert quarantined("aws_cloudtrail", data, tmp_path) == []
    assert claimed_by(DELIVERIES[name]) == ["aws_cloudtrail"]


@pytest.mark.parametrize("name", [name for name in DELIVERIES if not name.startswith("CloudTrail Lake")])
def test_raw_is_the_record_inside(name: str, tmp_path: Path) -> None:
    """The wrapping is no part of the record: a rule over raw sees the same members."""
    assert [json.loads(row["raw"]) for row in rows("aws_cloudtrail", DELIVERIES[name], tmp_path)] == RECORDS


def test_raw_of_a_lake_row_is_read_again_as_a_record(tmp_path: Path) -> None:
    """A row becomes a record once, and stays one."""
    for row in rows("aws_cloudtrail", DELIVERIES["CloudTrail Lake"], tmp_path):
        (again,) = rows("aws_cloudtrail", row["raw"].encode(), tmp_path)
        assert without_provenance([again]) == without_provenance([row])


def test_a_control_message_holds_no_events(tmp_path: Path) -> None:
    """It is counted as ignored, and does not hide what comes behind it."""
    data = glued(CONTROL, log_events(*RECORDS))
    assert len(rows("aws_cloudtrail", data, tmp_path)) == 2
    assert quarantined("aws_cloudtrail", data, tmp_path) == []
    assert claimed_by(data) == ["aws_cloudtrail"]


def test_a_secret_inside_the_wrapping_is_redacted(tmp_path: Path) -> None:
    """The record is redacted as a record, not as a text."""
    record = cloudtrail(requestParameters={"masterUserPassword": "hunter2"})
    for data in (lines(log_events(record)), lines(envelope(record)), lines(looked_up(record))):
        (row,) = rows("aws_cloudtrail", data, tmp_path)
        assert "hunter2" not in row["raw"] and "redacted:" in row["raw"]


@pytest.mark.parametrize("message", ["{", '{"eventVersion": "1.0", ', "plain text", '["a"]', '"x"', "", "{" * 500])
def test_a_message_that_is_no_record_is_put_aside_alone(message: str, tmp_path: Path) -> None:
    """Its neighbours are read."""
    document = log_events(*RECORDS)
    document["logEvents"].insert(1, {"id": "x", "timestamp": 1, "message": message})
    assert len(rows("aws_cloudtrail", lines(document), tmp_path)) == 2
    assert len(quarantined("aws_cloudtrail", lines(document), tmp_path)) == 1


def test_other_logs_in_the_same_wrappings_are_not_claimed() -> None:
    """CloudWatch Logs, EventBridge and Lake carry everybody's records."""
    other = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "verb": "get"}
    assert "aws_cloudtrail" not in claimed_by(lines(log_events(other)))
    assert "aws_cloudtrail" not in claimed_by(lines({**envelope(other), "detail-type": "GuardDuty Finding"}))
    counts = {"QueryStatus": "FINISHED", "QueryResultRows": [[{"eventName": "PutObject"}, {"n": "5"}]]}
    assert "aws_cloudtrail" not in claimed_by(lines(counts))


def test_an_insight_is_an_activity_of_cloudtrail(tmp_path: Path) -> None:
    """It accuses nobody; its beginning and its end share one id."""
    row = only("aws_cloudtrail", INSIGHT, tmp_path)
    assert (row["actor_uid"], row["actor_kind"]) == ("cloudtrail.amazonaws.com", "service")
    assert (row["action"], row["outcome"]) == ("cloudtrail:AwsCloudTrailInsight", "unknown")
    assert (row["native_id"], row["account_uid"]) == ("insight-end", "111122223333")
    assert keys(row) == {("shared_event", "insight-1", "carries")}
    assert claimed_by(lines({"Records": [INSIGHT]})) == ["aws_cloudtrail"]


def test_an_aggregate_is_known_when_its_window_is_over(tmp_path: Path) -> None:
    """It has no event time of its own, and its calls were made by many."""
    row = only("aws_cloudtrail", AGGREGATE, tmp_path)
    assert row["event_at"].isoformat() == "2026-10-05T10:05:00+00:00"
    assert (row["native_id"], row["action"]) == ("aggregate-1", "cloudtrail:AwsAggregatedEvent")
    assert (row["actor_uid"], row["account_uid"]) == ("cloudtrail.amazonaws.com", "111122223333")
    assert claimed_by(lines({"Records": [AGGREGATE]})) == ["aws_cloudtrail"]
    (refused,) = quarantined("aws_cloudtrail", lines({**AGGREGATE, "timeWindow": None}), tmp_path)
    assert refused.reason == "no time"


def test_a_call_that_a_vpc_endpoint_refused(tmp_path: Path) -> None:
    """Of a caller in another account CloudTrail gives only the principal."""
    event = cloudtrail(
        eventCategory="NetworkActivity",
        eventType="AwsVpceEvent",
        errorCode="VpceAccessDenied",
        userIdentity={"type": "AWSAccount", "principalId": "AROAEXAMPLE:run-7", "accountId": "444455556666"},
        vpcEndpointId="vpce-0a1b2c3d",
    )
    row = only("aws_cloudtrail", event, tmp_path)
    assert (row["actor_uid"], row["action"], row["outcome"]) == ("AROAEXAMPLE", "s3:GetObject", "denied")
    assert row["detail"]["event_type"] == "AwsVpceEvent"


def test_what_another_product_put_into_lake(tmp_path: Path) -> None:
    """Its own time, actor and operation; CloudTrail's id. A configuration item is no event."""
    outer = {
        "eventVersion": "1.0",
        "eventCategory": "ActivityAuditLog",
        "eventType": "ActivityLog",
        "eventID": "lake-1",
        "eventTime": "2026-10-05T10:00:30Z",
        "awsRegion": "eu-central-1",
        "recipientAccountId": "111122223333",
        "metadata": {"ingestionTime": "2026-10-05T10:01:00Z", "channelARN": "arn:aws:cloudtrail:::channel/1"},
        "eventData": {
            "version": "1",
            "userIdentity": {"type": "User", "principalId": "mira@example.org", "details": {"team": "pay"}},
            "eventSource": "reviews.example.org",
            "eventName": "OpenVault",
            "eventTime": "2026-10-05T10:00:00Z",
            "UID": "own-1",
            "sourceIPAddress": "192.0.2.9",
            "recipientAccountId": "111122223333",
        },
    }
    row = only("aws_cloudtrail", outer, tmp_path)
    assert (row["native_id"], row["actor_uid"]) == ("lake-1", "mira@example.org")
    assert (row["action"], row["event_at"].second, row["src_ip"]) == ("reviews.example.org:OpenVault", 0, "192.0.2.9")
    item = {**outer, "eventCategory": "ConfigurationItem", "eventData": {"configurationItemVersion": "1"}}
    assert rows("aws_cloudtrail", lines(item), tmp_path) == []
    assert quarantined("aws_cloudtrail", lines(item), tmp_path) == []


def test_a_struct_of_lake_is_read_where_it_has_one_meaning() -> None:
    """Names come in lower case; what could be somebody's own text stays text."""
    written = (
        "{type=AssumedRole, principalid=AROAEXAMPLE:run-7, arn=arn:aws:sts::111122223333:assumed-role/Reader/a=b,c, "
        "accountid=111122223333, accesskeyid=ASIAEXAMPLE1, username=null, sessioncontext={attributes={creationdate="
        "2026-10-05 09:00:00.000, mfaauthenticated=false}, sessionissuer={type=Role, arn=arn:aws:iam::1:role/x}, "
        "webidfederationdata=null, sourceidentity=APR-1}, invokedby=null}"
    )
    assert struct_of(written) == {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:run-7",
        "arn": "arn:aws:sts::111122223333:assumed-role/Reader/a=b,c",
        "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLE1",
        "userName": None,
        "sessionContext": {
            "attributes": {"creationDate": "2026-10-05 09:00:00.000", "mfaAuthenticated": "false"},
            "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::1:role/x"},
            "webIdFederationData": None,
            "sourceIdentity": "APR-1",
        },
        "invokedBy": None,
    }


@pytest.mark.parametrize(
    "written",
    [
        "{}",
        "{type=a",
        "{type=a, type=b}",
        "{type=a}, arn=b}",
        "{type=a} ",
        "{type={a=b}, arn={}",
        "{type=a, sessioncontext={sourceidentity=x}, sourceidentity=APR-1}}",
        "{" * 1000,
        "{a=" * 1000,
    ],
)
def test_a_struct_with_two_meanings_is_none(written: str) -> None:
    """A name twice, or a brace too many or too few, may be a member made up by a caller."""
    assert struct_of(written) is None


def test_a_lake_answer_that_is_cut_off_is_put_aside(tmp_path: Path) -> None:
    """The page before it is read; a row that is none is put aside alone."""
    page = lines(lake_answer(RECORDS))
    assert len(rows("aws_cloudtrail", page + b"\n" + page[:-40], tmp_path)) == 2
    assert len(quarantined("aws_cloudtrail", page + b"\n" + page[:-40], tmp_path)) == 1
    odd = lake_answer(RECORDS)
    odd["QueryResultRows"][1:1] = [7, [{"eventID": 1}, "x"]]
    assert len(rows("aws_cloudtrail", lines(odd), tmp_path)) == 2
    assert len(quarantined("aws_cloudtrail", lines(odd), tmp_path)) == 2
