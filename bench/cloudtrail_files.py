"""CloudTrail deliveries of realistic shape for measurements: what matters is sizes, variety and repetition.

It shares no code with the reader that is measured. The same seed writes the same records.
"""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from cloudtrail_calls import CALLS, Call

Json = dict[str, Any]

ACCOUNTS = tuple(f"{number:012d}" for number in range(210_000_000_017, 210_000_000_017 + 6 * 7_919, 7_919))
REGIONS = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2")
AGENTS = (
    "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.2 md/GOOS#linux md/GOARCH#amd64 api/s3#1.79.2 m/E,G,Z",
    "Boto3/1.40.21 md/Botocore#1.40.21 ua/2.1 os/linux#6.1.141 lang/python#3.12.11 cfg/retry-mode#standard",
    "aws-sdk-java/2.31.77 md/io#sync md/http#Apache ua/2.1 os/Linux#5.10 lang/java#21.0.7 md/OpenJDK_64-Bit",
    "APN/1.0 HashiCorp/1.0 Terraform/1.12.2 (+https://www.terraform.io) terraform-provider-aws/6.2.0",
)
START = datetime(2026, 10, 5, tzinfo=UTC)
REDELIVERED = 0.02
"""Share of records that a second trail delivers again, in the next file."""


def write_cloudtrail(folder: Path, megabytes: float, seed: int) -> int:
    """Write `{"Records": [...]}` files, gzip level 6, until `megabytes` (of 10^6 bytes) before compression
    are there; returns those bytes. Files hold 2,000 to 10,000 records, a twentieth of that in a small bench.
    """
    rng = Random(seed)  # noqa: S311 - measurements, not secrets
    written, again, at = 0, list[str](), START
    shrink = 1 if megabytes >= 50 else 20
    while written < megabytes * 1e6:
        records = again + [_line(rng, at) for _ in range(rng.randrange(2_000, 10_000) // shrink)]
        again = [record for record in records if rng.random() < REDELIVERED]
        data = b'{"Records":[' + ",".join(records).encode() + b"]}"
        _write(folder, rng, at, data)
        written += len(data)
        at += timedelta(minutes=5)
    return written


def records(rng: Random, at: datetime, count: int) -> Iterator[Json]:
    """`count` distinct records of the five minutes after `at`."""
    for _ in range(count):
        yield _record(rng, at)


def _line(rng: Random, at: datetime) -> str:
    return json.dumps(_record(rng, at), separators=(",", ":"))


def _write(folder: Path, rng: Random, at: datetime, data: bytes) -> None:
    account, region = rng.choice(ACCOUNTS), rng.choice(REGIONS)
    place = folder / "AWSLogs" / account / "CloudTrail" / region / at.strftime("%Y/%m/%d")
    place.mkdir(parents=True, exist_ok=True)
    name = f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{letters(rng, 16)}.json.gz"
    (place / name).write_bytes(gzip.compress(data, compresslevel=6, mtime=0))


def _record(rng: Random, at: datetime) -> Json:
    call = rng.choices(CALLS, weights=[call.weight for call in CALLS])[0]
    account, region = rng.choice(ACCOUNTS), rng.choice(REGIONS)
    moment = at + timedelta(seconds=rng.randrange(300))
    is_denied = rng.random() < 0.06
    request, response = call.bodies(rng, account, region)
    record: Json = {
        "eventVersion": "1.11",
        "userIdentity": _identity(rng, account, moment),
        "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.name,
        "awsRegion": region,
        "sourceIPAddress": f"10.{rng.randrange(20, 24)}.{rng.randrange(250)}.{rng.randrange(2, 250)}",
        "userAgent": rng.choice(AGENTS),
        **(_denial(call, account) if is_denied else {}),
        "requestParameters": request,
        "responseElements": None if is_denied else response,
        "requestID": uuid(rng),
        "eventID": uuid(rng),
        "readOnly": call.is_read,
        "resources": [{"accountId": account, "type": call.resource_type, "ARN": call.resource(rng, account, region)}],
        "eventType": "AwsApiCall",
        "managementEvent": not call.is_data,
        "recipientAccountId": account,
        "eventCategory": "Data" if call.is_data else "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{call.service}.{region}.amazonaws.com",
        },
    }
    return record


def _identity(rng: Random, account: str, moment: datetime) -> Json:
    if rng.random() < 0.1:
        user = f"deploy-{rng.randrange(20)}"
        named = {
            "principalId": f"AIDA{user.upper():0<17}"[:21],
            "accessKeyId": f"AKIA{account}{user[-1]}XQZ",
            "userName": user,
        }
        return {
            "type": "IAMUser",
            "arn": f"arn:aws:iam::{account}:user/ci/{user}",
            "accountId": account,
            **named,
        }
    number = rng.randrange(60)
    role, principal = f"svc-{number:02d}-worker", f"AROA{number:02d}{account[:9]}QWERTZ"
    # Sessions last an hour: so keys repeat within it, as they do in real deliveries.
    session = f"i-{(number * 2_654_435_761 + moment.hour) % 16**12:012x}{account[:5]}"
    key = f"ASIA{account[-6:]}{number:02d}{moment:%d%H}{rng.randrange(4)}XYZ"
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": f"arn:aws:iam::{account}:role/{role}",
                "accountId": account,
                "userName": role,
            },
            "attributes": {
                "creationDate": moment.strftime("%Y-%m-%dT%H:00:00Z"),
                "mfaAuthenticated": "false",
            },
            "ec2RoleDelivery": "2.0",
        },
        "inScopeOf": {
            "issuerType": "AWS::EC2::Instance",
            "credentialsIssuedTo": f"arn:aws:ec2:eu-west-1:{account}:instance/{session}",
        },
    }


def _denial(call: Call, account: str) -> Json:
    return {
        "errorCode": "AccessDenied",
        "errorMessage": f"User: arn:aws:sts::{account}:assumed-role/worker is not authorized to perform: "
        f"{call.service}:{call.name} because no identity-based policy allows it",
    }


def uuid(rng: Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def letters(rng: Random, count: int) -> str:
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghkmnpqrstuvwxyz0123456789", k=count))
