"""Exports that write a record in words of their own: the same event as the vendor's record, in every such export."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, cloudtrail, export, rows, tool_span
from test_exports import comparable, events, read
from ultravires import registry
from ultravires.sources.aws.athena_rows import record_of as record_of_athena

CALL = cloudtrail(
    resources=[{"ARN": "arn:aws:s3:::data/in/a.csv", "accountId": "111122223333", "type": "AWS::S3::Object"}],
    requestParameters={"bucketName": "data", "key": "in/a, b={c}.csv"},
)
ATHENA_IDENTITY = (
    "{type=AssumedRole, principalid=AROAEXAMPLE:run-7, arn=arn:aws:sts::111122223333:assumed-role/Reader/run-7, "
    "accountid=111122223333, invokedby=null, accesskeyid=ASIAEXAMPLE1, username=null, sessioncontext={sessionissuer="
    "{type=Role, arn=arn:aws:iam::111122223333:role/team/Reader}, sourceidentity=APR-1}}"
)


def table(rows_: list[dict[str, str]]) -> bytes:
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows_[0]))
    writer.writeheader()
    writer.writerows(rows_)
    return written.getvalue().encode()


def athena() -> bytes:
    texts = {name.lower(): value for name, value in CALL.items() if isinstance(value, str)}
    return table(
        [
            {
                **texts,
                "useridentity": ATHENA_IDENTITY,
                "requestparameters": json.dumps(CALL["requestParameters"]),
                "responseelements": "null",
                "readonly": "true",
                "resources": "[{arn=arn:aws:s3:::data/in/a.csv, accountid=111122223333, type=AWS::S3::Object}]",
                "day": "05",
            }
        ]
    )


def elastic() -> bytes:
    own = {
        "event_version": "1.11",
        "event_type": "AwsApiCall",
        "request_id": "REQ-1",
        "recipient_account_id": "111122223333",
        "read_only": True,
        "flattened": {"request_parameters": CALL["requestParameters"]},
        "resources": CALL["resources"],
        "user_identity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/Reader/run-7",
            "access_key_id": "ASIAEXAMPLE1",
            "session_context": {
                "session_issuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/team/Reader"},
                "source_identity": "APR-1",
            },
        },
    }
    document = {
        "@timestamp": "2026-10-05T10:00:00.000Z",
        "aws": {"cloudtrail": own},
        "event": {
            "id": CALL["eventID"],
            "action": "GetObject",
            "provider": "s3.amazonaws.com",
            "dataset": "aws.cloudtrail",
        },
        "cloud": {"region": "eu-central-1", "account": {"id": "111122223333"}},
        "source": {"address": "192.0.2.7", "ip": "192.0.2.7"},
        "user": {"id": "AROAEXAMPLE:run-7"},
        "user_agent": {"original": "aws-cli/2"},
    }
    return json.dumps({"hits": {"hits": [{"_index": "i", "_source": document}]}}).encode()


@pytest.mark.parametrize("written", [athena, elastic])
def test_cloudtrail_is_the_same_event(written: Any, tmp_path: Path) -> None:
    expected = comparable(rows("aws_cloudtrail", json.dumps(CALL).encode(), tmp_path))
    _, batches = read(written(), tmp_path)
    assert events(batches) == expected


@pytest.mark.parametrize(
    "identity",
    [
        "{type=AssumedRole, arn=a, arn=b}",
        "{type=AssumedRole, arn={a}",
        "{type=AssumedRole, arn=a, type=Root}",
    ],
)
def test_a_struct_that_can_be_read_in_two_ways_is_no_identity(identity: str) -> None:
    row = {"eventsource": "s3", "eventname": "x", "eventtime": "t", "useridentity": identity}
    record = record_of_athena(row)
    assert record is not None and record["userIdentity"] == identity


def snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {"".join(f"_{c.lower()}" if c.isupper() else c for c in k): snake(v) for k, v in value.items()}
    return [snake(one) for one in value] if isinstance(value, list) else value


def test_otlp_in_snake_case_is_the_same_event(tmp_path: Path) -> None:
    whole = export(tool_span(**{"gen_ai.tool.call.id": "call_1"}))
    expected = comparable(rows("otel_genai", json.dumps(whole).encode(), tmp_path))
    _, batches = read(json.dumps(snake(whole)).encode(), tmp_path)
    assert events(batches) == expected != []


def bigquery(entry: dict[str, Any]) -> dict[str, Any]:
    audit = {name: value for name, value in entry["protoPayload"].items() if name != "@type"}
    for name, column in (("request", "requestJson"), ("response", "responseJson"), ("metadata", "metadataJson")):
        if name in audit:
            audit[column] = json.dumps(audit.pop(name))
    return {**{name: value for name, value in entry.items() if name != "protoPayload"}, "protopayload_auditlog": audit}


def test_rows_of_bigquery_are_the_same_events(tmp_path: Path) -> None:
    entries = [json.loads(line) for line in SAMPLES["gcp_audit"].splitlines()]
    entries = [entry for entry in entries if "protoPayload" in entry]
    expected = comparable(rows("gcp_audit", "\n".join(map(json.dumps, entries)).encode(), tmp_path))
    as_rows = [bigquery(entry) for entry in entries]
    _, batches = read(json.dumps(as_rows).encode(), tmp_path)
    assert events(batches) == expected
    cells = [
        {name: value if isinstance(value, str) else json.dumps(value) for name, value in row.items()} for row in as_rows
    ]
    names = list(dict.fromkeys(name for row in cells for name in row))
    _, batches = read(table([{name: row.get(name, "") for name in names} for row in cells]), tmp_path)
    assert events(batches) == expected


def pascal(properties: dict[str, Any]) -> dict[str, Any]:
    names = {"ipAddress": "IPAddress", "resourceId": "ResourceIdentity", "operationType": "AADOperationType"}
    return {names.get(name, name[:1].upper() + name[1:]): value for name, value in properties.items()}


def of_directory(record: dict[str, Any]) -> dict[str, Any]:
    """A row of SigninLogs or AuditLogs."""
    return {
        **pascal(record["properties"]),
        "TimeGenerated": record["time"],
        "Category": record["properties"].get("category", record["category"]),
        "OperationName": record["operationName"],
        "ResultType": record.get("resultType", ""),
        "AADTenantId": record["tenantId"],
        "TenantId": "the workspace",
        **({"IPAddress": record["callerIpAddress"]} if "callerIpAddress" in record else {}),
    }


def of_activity(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "TimeGenerated": record["time"],
        "OperationNameValue": record["operationName"],
        "CategoryValue": record["category"],
        "ActivityStatusValue": record.get("resultType", ""),
        "ActivitySubstatusValue": record.get("resultSignature", ""),
        "CallerIpAddress": record.get("callerIpAddress", ""),
        "CorrelationId": record["correlationId"],
        "Authorization": json.dumps(record.get("identity", {}).get("authorization", {})),
        "Claims": json.dumps(record.get("identity", {}).get("claims", {})),
        "Properties": json.dumps(record.get("properties", {})),
        "_ResourceId": record["resourceId"],
        "TenantId": "the workspace",
    }


@pytest.mark.parametrize(
    ("name", "row_of"), [("entra_signin", of_directory), ("entra_audit", of_directory), ("azure_activity", of_activity)]
)
@pytest.mark.parametrize("is_table", [False, True])
def test_rows_of_log_analytics_say_the_same(name: str, row_of: Any, is_table: bool, tmp_path: Path) -> None:
    """What a row holds no more (the directory's own resource, an id that the envelope has not) may be missing."""
    found = json.loads(SAMPLES[name])["records"]
    of_log = [record for record in found if rows(name, json.dumps(record).encode(), tmp_path)]
    of_log = [record for record in of_log if rows(name, json.dumps(record).encode(), tmp_path)[0]["log"] == name]
    expected = rows(name, json.dumps({"records": of_log}).encode(), tmp_path)
    data = json.dumps([row_of(record) for record in of_log]).encode()
    if is_table:
        cells = [
            {k: v if isinstance(v, str) else json.dumps(v) for k, v in row_of(record).items()} for record in of_log
        ]
        names = list(dict.fromkeys(column for row in cells for column in row))
        data = table([{column: row.get(column, "") for column in names} for row in cells])
    _, batches = read(data, tmp_path)
    said = ("event_at", "action", "outcome", "actor_uid", "actor_kind", "resource_uids", "credential_uid", "src_ip")
    same = [{column: row[column] for column in said} for row in events(batches)]
    assert sorted(map(str, same)) == sorted(str({column: row[column] for column in said}) for row in expected)


def test_every_renaming_is_of_known_sources_and_leaves_other_objects() -> None:
    for renaming in registry.renamings().values():
        assert set(renaming.sources) <= set(registry.sources())
        assert renaming.record_of({}) is None
        assert renaming.record_of({"message": "x", "time": 1, "aws": [], "TimeGenerated": None}) is None
