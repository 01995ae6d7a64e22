"""Odd CloudTrail records say the same whether they are taken as they are written or as dictionaries."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from both_forms import decoded_records, n_plain, plainly_written, same_file_in_both_forms, same_in_both_forms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, cloudtrail, source
from ultravires.formats.decompressing import FileBytes

Json = dict[str, Any]
SOURCE = source("aws_cloudtrail")


def third_party_records(folder: Path) -> list[Json]:
    """Real records that others have published, and those of their rules' tests."""
    found: list[Json] = []
    for path in sorted((folder / "stratus_cloudtrail").glob("*.json")):
        found += decoded_records(path.read_bytes(), SOURCE)
    for name in ("traildiscover_cloudtrail.jsonl.gz", "panther_tests.jsonl.gz"):
        for line in b"".join(FileBytes(folder / name, OPTIONS).chunks()).splitlines():
            test = msgspec.json.decode(line)
            if test.get("log_type", "AWS.CloudTrail") == "AWS.CloudTrail":
                found.append(test["event"])
    return found


def test_real_records_of_others_are_the_same(third_party: Path, tmp_path: Path) -> None:
    """As their files are, and written plainly, as which most of them are taken."""
    for path in sorted((third_party / "stratus_cloudtrail").glob("*.json")):
        same_file_in_both_forms(path, SOURCE)
    records = third_party_records(third_party)
    data = b"\n".join(plainly_written(record, SOURCE) for record in records)
    assert same_in_both_forms(data, SOURCE, tmp_path).rows
    assert n_plain(data, SOURCE) > 0.5 * len(records) > 300


def test_a_usual_record_is_plain() -> None:
    """So that the odd ones here are changed from one that is."""
    assert n_plain(plainly_written(cloudtrail(), SOURCE), SOURCE) == 1


UNUSUAL: list[Json] = [
    {"eventID": None},
    {"eventID": ""},
    {"eventID": 7},
    {"eventTime": "yesterday"},
    {"eventTime": 1_790_000_000},
    {"eventName": ""},
    {"eventName": None},
    {"eventSource": ".amazonaws.com"},
    {"eventSource": 7},
    {"eventType": "AwsCloudTrailInsight"},
    {"eventCategory": "Insight"},
    {"eventName": "ConsoleLogin"},
    {"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Failure"}},
    {"eventName": "DeleteAccessKey"},
    {"eventName": "AssumeRole", "responseElements": "a text"},
    {"eventName": "AssumeRole", "responseElements": {"a": 1}, "requestParameters": {"tags": []}},
    {"eventSource": "verifiedpermissions.amazonaws.com", "eventName": "IsAuthorized"},
    {"readOnly": None, "eventType": None},
    {"userIdentity": {"type": "IAMUser"}},
    {"userIdentity": None, "requestID": None, "requestParameters": None},
]


@pytest.mark.parametrize("members", UNUSUAL, ids=str)
def test_an_unusual_record_is_the_same(members: Json, tmp_path: Path) -> None:
    """Among usual ones, and without the member that tells it from what is inside of a wrapping."""
    record = cloudtrail(**members)
    bare = {name: value for name, value in record.items() if name != "eventVersion"}
    data = b"\n".join(plainly_written(each, SOURCE) for each in (cloudtrail(), record, bare, cloudtrail()))
    assert same_in_both_forms(data, SOURCE, tmp_path).n_records == 4


ARN = "arn:aws:s3:::data/in"
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    st.just(1.5),
    st.sampled_from(
        [
            "",
            "true",
            "false",
            "TRUE",
            "AKIA*EXAMPLE",
            "::1",
            "fe80::1%eth0",
            "fe80::1%.amazonaws.com",
            "10.0.0.7",
            "x/y:z",
            'q"\\',
        ]
    ),
    st.sampled_from(["ec2.amazonaws.com", "AWSService", "AssumedRole", "IAMUser", "Root", "i-0123456789", "é"]),
    st.sampled_from(
        [ARN, "arn:aws:sts::111122223333:assumed-role/R/i-0123456789ab", "arn:", "alias/a", "/a", "AccessDenied"]
    ),
    st.sampled_from([[], {}, [ARN, None, 7, "i-1"], {"ARN": ARN}, {"items": [{"instanceId": "i-1"}, 7]}]),
    st.lists(
        st.sampled_from(
            [{"ARN": ARN}, {"ARN": ARN + "2"}, {"ARN": 7}, {"ARN": ""}, [{"ARN": ARN}], {}, None, 1.5, ARN]
        ),
        max_size=3,
    ),
)
CALLS = st.sampled_from(
    [
        ("s3", "GetObject", {"bucketName": "data", "key": "k", "instanceIds": ["i-1"]}),
        ("s3", "HeadObject", {"bucketName": ARN, "key": {"a": 1}}),
        ("kms", "Decrypt", {"keyId": "alias/a", "encryptionContext": {"aws:s3:arn": ARN}, "keyArn": ARN}),
        ("ec2", "DescribeInstances", {"instancesSet": {"items": [{"instanceId": "i-1"}]}, "vpcId": "vpc-1"}),
        ("ec2", "StopInstances", {"instanceId": "i-2", "volumeSet": {"items": [{"volumeId": "v"}]}, "groupSet": 7}),
        ("sqs", "SendMessage", {"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/q", "queueName": "q"}),
        ("ssm", "StartSession", {"target": "mi-1", "documentName": "/d", "instanceId": "i-3"}),
        ("iam", "AttachUserPolicy", {"userName": "u", "policyArn": ARN, "x": ARN}),
        ("iam", "UpdateAccessKey", {"userName": "u", "accessKeyId": "AKIAEXAMPLE", "status": "Inactive"}),
        ("iam", "CreateAccessKey", {"userName": "u"}),
        ("sts", "GetSessionToken", {"tags": [{"key": "a", "value": "b"}], "durationSeconds": 900}),
        ("sts", "AssumeRoleWithSAML", {"durationSeconds": "900", "sourceIdentity": "APR-2"}),
        ("sts", "AssumeRole", {"roleArn": ARN, "roleSessionName": "s", "durationSeconds": 900}),
        ("bedrock", "InvokeModel", {"modelId": ARN, "instanceIds": ["i-1", "x", 2]}),
        ("logs", "CreateLogStream", {"logGroupName": "/a", "bucketName": "b"}),
        ("signin", "ConsoleLogin", {}),
        ("verifiedpermissions", "IsAuthorized", {}),
    ]
)


ANSWERS: list[Json | None] = [
    None,
    {},
    {"accessKey": {"accessKeyId": "AKIAEXAMPLE2"}},
    {
        "credentials": {"accessKeyId": "ASIANEXT", "expiration": "Oct 5, 2026, 11:00:00 PM"},
        "assumedRoleUser": {"arn": "arn:aws:sts::111122223333:assumed-role/R/s"},
        "sourceIdentity": "APR-1",
        "subject": "a subject",
    },
]


@st.composite
def records(draw: st.DrawFn) -> Json:
    """A usual record with a few members dropped, added or holding something else, at any depth."""
    service, name, request = draw(CALLS)
    record = cloudtrail(
        eventSource=f"{service}.amazonaws.com",
        eventName=name,
        requestParameters=deepcopy(request),
        resources=[{"ARN": ARN, "type": "AWS::S3::Object"}],
        errorCode=draw(st.sampled_from([None, "AccessDenied", "Throttled"])),
        sharedEventID="S-1",
    )
    identity = record["userIdentity"]
    context = identity["sessionContext"]
    record["responseElements"] = answer = deepcopy(draw(st.sampled_from(ANSWERS)))
    context["attributes"] = {"mfaAuthenticated": "true"}
    identity |= {"inScopeOf": {"credentialsIssuedTo": "arn:aws:ec2:::x"}, "onBehalfOf": {"userId": "u"}}
    places = [record, record, identity, context, record["requestParameters"], *record["resources"]]
    places += [context["sessionIssuer"], context["attributes"], identity["inScopeOf"], identity["onBehalfOf"]]
    if answer:
        places += [answer, *(part for part in answer.values() if type(part) is dict)]
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.sampled_from(places))
        member = draw(
            st.sampled_from([*place, "invokedBy", "userName", "Arn", "keyName", "instanceIds", "eventCategory"])
        )
        if draw(st.booleans()):
            place[member] = deepcopy(draw(ODD))
        else:
            place.pop(member, None)
    return record


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(records(), st.booleans()), min_size=1, max_size=12))
def test_odd_records_are_the_same(tmp_path: Path, found: list[tuple[Json, bool]]) -> None:
    """Written in the order of CloudTrail or in another."""
    lines = [plainly_written(record, SOURCE) if in_order else msgspec.json.encode(record) for record, in_order in found]
    assert same_in_both_forms(b"\n".join(lines), SOURCE, tmp_path).n_records == len(lines)
