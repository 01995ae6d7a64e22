"""Four months of a small account in which rights grow, for tests of what shows drift: who, by what and when.

A role is approved to read. Ana, Ben and Cy widen it one after the other; it uses the last of it, and that one is taken
back. A second role holds a right that it never uses and a policy that no log shows. A third one has all that it holds
approved, and at the end does nothing but what it seldom did.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from small_logs import approval, call, write_lines

START = datetime(2026, 6, 1, 8, tzinfo=UTC)
N_DAYS = 120
WIDENED, IDLE, STEADY = (f"arn:aws:iam::111122223333:role/{name}" for name in ("worker", "archiver", "steady"))
HIDDEN_POLICY = "arn:aws:iam::111122223333:policy/hidden"
SQS = "arn:aws:iam::aws:policy/AmazonSQSFullAccess"
WIDENED_ON = (20, 41, 62)
OTHER_WORK_FROM = 85
"""The first day of the last four whole weeks since the first use."""

Record = dict[str, Any]


def moment(day: float) -> str:
    return (START + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_drift_world(folder: Path) -> None:
    """The logs of the story: CloudTrail, and approvals."""
    write_lines(folder / "cloudtrail.jsonl", sorted(_records(), key=lambda record: record["eventTime"]))
    write_lines(folder / "approvals.jsonl", [_approval(name, role) for name, role in (("A1", WIDENED), ("A3", STEADY))])


def _records() -> list[Record]:
    records = [_creates(role, day) for role, day in ((WIDENED, 0.0), (IDLE, 0.001), (STEADY, 0.002))]
    reads = ["s3:GetObject", "s3:ListBucket"]
    records += [_allows(role, "read", reads, 0.01, "ops") for role in (WIDENED, STEADY)]
    records += [_allows(IDLE, "queue", ["sqs:*"], 0.02, "ops"), _attaches(IDLE, HIDDEN_POLICY, 0.03, "ops")]
    first, second, third = WIDENED_ON
    records += [_allows(WIDENED, "more", ["s3:PutObject"], first, "ana"), _attaches(WIDENED, SQS, second, "ben")]
    records += [_allows(WIDENED, "all", ["*"], third, "cy")]
    taken = {"roleName": "worker", "policyName": "all"}
    records += [_by("cy", "del-all", third + 20, "iam:DeleteRolePolicy", requestParameters=taken)]
    for day in range(1, N_DAYS):
        steady = "s3:ListBucket" if day >= OTHER_WORK_FROM or day % 7 == 0 else "s3:GetObject"
        records += [_used(WIDENED, day, "s3:GetObject"), _used(STEADY, day, steady)]
        records += [_used(IDLE, day, "sts:GetCallerIdentity")]
        if third < day < third + 20 and day % 5 == 0:
            records += [_used(WIDENED, day + 0.1, "iam:CreateAccessKey")]
    return records


def _by(person: str, event_id: str, day: float, action: str, **members: Any) -> Record:
    arn = f"arn:aws:iam::111122223333:user/{person}"
    who = {"type": "IAMUser", "arn": arn, "accountId": "111122223333", "userName": person}
    return call(event_id, 0, action, who | {"accessKeyId": f"AKIA{person}"}, eventTime=moment(day), **members)


def _creates(role: str, day: float) -> Record:
    name = role.rsplit("/", 1)[-1]
    allowed = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    request = {"roleName": name, "assumeRolePolicyDocument": json.dumps({"Statement": [allowed]})}
    answer = {"role": {"arn": role, "roleName": name}}
    event_id = f"create-{name}"
    return _by("ops", event_id, day, "iam:CreateRole", requestParameters=request, responseElements=answer)


def _allows(role: str, policy: str, actions: list[str], day: float, person: str) -> Record:
    name = role.rsplit("/", 1)[-1]
    document = json.dumps({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
    request = {"roleName": name, "policyName": policy, "policyDocument": document}
    return _by(person, f"put-{name}-{policy}", day, "iam:PutRolePolicy", requestParameters=request)


def _attaches(role: str, policy: str, day: float, person: str) -> Record:
    name = role.rsplit("/", 1)[-1]
    request = {"roleName": name, "policyArn": policy}
    event_id = f"attach-{name}-{policy.rsplit('/', 1)[-1]}"
    return _by(person, event_id, day, "iam:AttachRolePolicy", requestParameters=request)


def _used(role: str, day: float, action: str) -> Record:
    name = role.rsplit("/", 1)[-1]
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::111122223333:assumed-role/{name}/s1",
        "accountId": "111122223333",
        "accessKeyId": f"ASIA{name}{int(day)}",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role, "userName": name}},
    }
    return call(f"use-{name}-{action}-{day}", 0, action, identity, eventTime=moment(day))


def _approval(name: str, role: str) -> Record:
    until = moment(365)
    return approval(
        name,
        0,
        task="read invoices",
        subject=role,
        roles=[role],
        actions=["s3:GetObject", "s3:ListBucket"],
        requested_at=moment(0.04),
        approved_at=moment(0.05),
        valid_from=moment(0.05),
        valid_until=until,
        updated_at=moment(0.05),
    )
