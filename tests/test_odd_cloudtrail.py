"""AWS CloudTrail by the column: of every record that it takes it says what `events` says."""

import gzip
import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from fields_by_python import all_fields, is_scanned
from hypothesis import given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, SAMPLES, cloudtrail
from ultravires.reading.framing import json_records
from ultravires.reading.source import Event
from ultravires.sources.aws import cloudtrail as aws_cloudtrail
from ultravires.sources.aws.cloudtrail_columns import COLUMNAR

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "bench"))
import cloudtrail_files  # noqa: E402 - the generator of the benchmark

THIRD_PARTY = ROOT.parent / "shared" / "data"
IN_TREE = [ROOT / "data" / "samples" / "aws_cloudtrail", ROOT / "data" / "investigation" / "aws_cloudtrail"]
Json = dict[str, Any]


def by_record(record: Json) -> Json:
    """The one event of a record as a row."""
    (event,) = aws_cloudtrail.events(record, OPTIONS)
    row = msgspec.structs.asdict(event)
    keys = [{"kind": kind, "value": value, "role": role} for kind, value, role in event.keys]
    return {**row, "keys": keys, "detail": msgspec.json.encode(event.detail).decode()}


def plain(values: pa.Array) -> list[Any]:
    return (values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values).to_pylist()


def rows_of(records: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """The records that are taken, and their rows."""
    paths = COLUMNAR.paths(OPTIONS)
    scanned = [data for record in records if is_scanned(data := msgspec.json.encode(record), paths)]
    if not scanned:
        return [], []
    fields = all_fields(scanned, paths)
    mask = COLUMNAR.takes(fields)
    taken = [msgspec.json.decode(data) for data, is_taken in zip(scanned, mask, strict=True) if is_taken]
    if not taken:
        return [], []
    columns = {name: plain(values) for name, values in COLUMNAR.columns(fields.where(mask), OPTIONS).items()}
    assert columns.keys() <= set(Event.__struct_fields__)
    left_out = [name for name in Event.__struct_fields__ if name not in columns]
    cells = zip(*columns.values(), strict=True)
    return taken, [{**dict.fromkeys(left_out), **dict(zip(columns, row, strict=True))} for row in cells]


def agreeing(records: Sequence[Json]) -> int:
    """How many records are taken; each says the same by the column."""
    taken, rows = rows_of(records)
    for record, row in zip(taken, rows, strict=True):
        assert row == by_record(record), record
    return len(taken)


def values_in(path: Path) -> Iterator[Json]:
    """The records of a file as `events` takes them."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for frame in json_records(iter([data]), OPTIONS, arrays=COLUMNAR.arrays):
        yield frame.value


def third_party() -> Iterator[Json]:
    for path in sorted((THIRD_PARTY / "stratus_cloudtrail").glob("*.json")):
        yield from values_in(path)
    for name in ("traildiscover_cloudtrail.jsonl.gz", "panther_tests.jsonl.gz"):
        for line in values_in(THIRD_PARTY / name):
            if line.get("log_type", "AWS.CloudTrail") == "AWS.CloudTrail":
                yield line["event"]


def generated(count: int) -> list[Json]:
    return list(cloudtrail_files.records(Random(7), cloudtrail_files.START, count))


def test_all_generated_records_are_taken_and_agree() -> None:
    records = generated(4_000)
    assert agreeing(records) == len(records)


def test_samples_agree() -> None:
    in_samples = list(json_records(iter([SAMPLES["aws_cloudtrail"]]), OPTIONS, arrays=COLUMNAR.arrays))
    records = [frame.value for frame in in_samples]
    for folder in IN_TREE:
        for path in sorted(folder.rglob("*.json*")):
            records += values_in(path)
    assert agreeing(records) > 0.5 * len(records) > 100


@pytest.mark.skipif(not THIRD_PARTY.is_dir(), reason="the folder of third-party data is absent")
def test_real_records_of_others_agree() -> None:
    records = list(third_party())
    assert agreeing(records) > 0.5 * len(records) > 300


def test_no_record_and_no_key_is_no_exception() -> None:
    record = cloudtrail(requestID=None, userIdentity=None, requestParameters=None)
    assert agreeing([]) == 0
    fields = all_fields([], COLUMNAR.paths(OPTIONS))
    assert {len(values) for values in COLUMNAR.columns(fields, OPTIONS).values()} == {0}
    assert agreeing([record]) == 1
    assert agreeing([record, cloudtrail()]) == 2


def test_details_of_actor_and_call_are_there_or_not() -> None:
    nothing = {"readOnly": None, "eventType": None}
    nobody = {"userIdentity": {"type": "IAMUser"}}
    assert agreeing([cloudtrail(), cloudtrail(**nothing), cloudtrail(**nobody), cloudtrail(**nothing, **nobody)]) == 4


@pytest.mark.parametrize(
    "members",
    [
        {"eventID": None},
        {"eventID": ""},
        {"eventID": 7},
        {"eventTime": "yesterday"},
        {"eventTime": 1_790_000_000},
        {"eventName": ""},
        {"eventSource": ".amazonaws.com"},
        {"eventType": "AwsCloudTrailInsight"},
        {"eventCategory": "Insight"},
        {"eventName": "ConsoleLogin"},
        {"eventName": "DeleteAccessKey"},
        {"eventName": "AssumeRole", "responseElements": "a text"},
        {"eventName": "AssumeRole", "responseElements": {"a": 1}, "requestParameters": {"tags": []}},
        {"eventSource": "verifiedpermissions.amazonaws.com", "eventName": "IsAuthorized"},
    ],
)
def test_what_is_unusual_is_left_to_events(members: Json) -> None:
    assert agreeing([cloudtrail(**members)]) == 0


def test_a_record_in_a_wrapping_is_left_to_events() -> None:
    record = cloudtrail()
    del record["eventVersion"]
    assert agreeing([record]) == 0


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


@settings(max_examples=250, deadline=None)
@given(st.lists(records(), min_size=1, max_size=12))
def test_odd_records_agree(found: list[Json]) -> None:
    agreeing([cloudtrail(), *found])
