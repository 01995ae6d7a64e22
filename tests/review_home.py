"""A small company of 150 days: CloudTrail's calls and one approval, with who was given what and what they did with it.

Records follow https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import json
from pathlib import Path
from typing import Any

from small_logs import approval, call
from ultravires.runs.run import run_once

ACCOUNT = "arn:aws:iam::111122223333"
ADMIN, ROBOT, SLEEPER, FORMULA = (f"{ACCOUNT}:user/{name}" for name in ("admin", "robot", "sleeper", "=1+cmd"))
DAYS = 150
KEPT_BY_TICKET = "APR-9"
CONFIG = """
identities:
- {id: robot, kind: service, owner: team-blue, aliases: ["arn:aws:iam::111122223333:user/robot"]}
- {id: sleeper, kind: service, owner: team-red, aliases: ["arn:aws:iam::111122223333:user/sleeper"]}
"""


def user(arn: str) -> dict[str, Any]:
    return {
        "type": "IAMUser",
        "arn": arn,
        "accountId": "111122223333",
        "userName": arn.rsplit("/", 1)[1],
        "accessKeyId": "AKIAREVIEWHOME000001",
    }


def minute(day: float) -> float:
    """Days of the story count up to the day on which the small logs begin."""
    return (day - DAYS) * 24 * 60


def given(event_id: str, day: float, whom: str, *statements: dict[str, Any], policy: str = "p") -> dict[str, Any]:
    """Somebody writes an inline policy of a user."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})
    request = {"userName": whom.rsplit("/", 1)[1], "policyName": policy, "policyDocument": document}
    return call(event_id, minute(day), "iam:PutUserPolicy", user(ADMIN), requestParameters=request, readOnly=False)


def taken(event_id: str, day: float, whom: str, policy: str = "p") -> dict[str, Any]:
    request = {"userName": whom.rsplit("/", 1)[1], "policyName": policy}
    return call(event_id, minute(day), "iam:DeleteUserPolicy", user(ADMIN), requestParameters=request, readOnly=False)


def read(event_id: str, day: float, who: str, key: str) -> dict[str, Any]:
    """An object is read: a data event."""
    resources = [{"ARN": f"arn:aws:s3:::data/{key}", "type": "AWS::S3::Object"}]
    request = {"bucketName": "data", "key": key}
    return call(
        event_id, minute(day), "s3:GetObject", user(who), requestParameters=request, resources=resources, readOnly=True
    )


def story() -> list[dict[str, Any]]:
    """Robot may do anything in S3 and reads, and asks SQS with an approval; the sleeper does nothing."""
    daily = [read(f"d{day}", day, ROBOT, f"in/{day % 3}.csv") for day in range(2, DAYS)]
    queues = [
        call(f"q{day}", minute(day + 0.1), "sqs:ListQueues", user(ADMIN), readOnly=True) for day in range(1, DAYS)
    ]
    passed = {"functionName": "f", "role": "arn:aws:iam::111122223333:role/f", "runtime": "python3.13"}
    return [
        given("g5", 1, ROBOT, {"Action": ["lambda:*", "iam:Pass*"], "Resource": "*"}, policy="functions"),
        call("f1", minute(140), "lambda:CreateFunction20150331", user(ROBOT), requestParameters=passed, readOnly=False),
        given("g1", 1, ROBOT, {"Action": "s3:*", "Resource": "*"}),
        given("g2", 1, ROBOT, {"Action": "sqs:ListQueues", "Resource": "*"}, policy="asked"),
        given("g3", 1, SLEEPER, {"Action": ["iam:PutUserPolicy", "s3:GetObject"], "Resource": "*"}),
        given("g4", 1, FORMULA, {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/=HYPERLINK*"}),
        *daily,
        *queues,
    ]


def write_logs(folder: Path, records: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trail.json").write_text(json.dumps({"Records": records}), encoding="utf-8")


def build(tmp_path: Path) -> tuple[Path, Path, Path]:
    """(home, logs, configuration), after a first run."""
    home, logs, config = tmp_path / "home", tmp_path / "logs", tmp_path / "ultravires.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    write_logs(logs, story())
    asked = approval(KEPT_BY_TICKET, minute(0.5), subject=ROBOT, roles=[], actions=["sqs:ListQueues"], valid_until=None)
    (logs / "approvals.jsonl").write_text(json.dumps(asked) + "\n", encoding="utf-8")
    run_once(logs, home, config=config, as_of="")
    return home, logs, config
