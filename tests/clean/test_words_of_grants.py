"""Situations in which nothing is wrong, each with zero findings, and beside each its twin, which is accused."""

from pathlib import Path
from typing import Any

import ultravires
from small_logs import RUNNER, WORKER, approval, assume, call, session, write_lines
from ultravires.runs.run import run_once

FUNCTION = {"functionName": "tidy", "publish": True}
PASSED = {"instanceType": "t3.micro", "iamInstanceProfile": {"arn": "arn:aws:iam::111122223333:instance-profile/web"}}
APPROVED = [
    ("lambda:UpdateFunctionCode20150331v2", FUNCTION),
    ("monitoring:PutMetricAlarm", {"alarmName": "tidy"}),
    ("s3:ListObjects", {"bucketName": "tidy"}),
    ("s3:ListBuckets", None),
    ("ec2:RunInstances", PASSED),
]
"""Five calls as CloudTrail names them."""
IAM_WORDS = [
    "lambda:UpdateFunctionCode",
    "cloudwatch:PutMetricAlarm",
    "s3:ListBucket",
    "s3:ListAllMyBuckets",
    "ec2:RunInstances",
    "iam:PassRole",
]
"""What IAM grants for them."""


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with ultravires.open(home) as con:
        return con.execute(query).fetchall()


def calls_of_one_task(calls: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """A role that is taken under the approval, and what was done with it, a call a minute."""
    worker = session(WORKER, "ASIAWORKER", source_identity="APR-A")
    done = [
        call(f"c{n}", 6 + n, action, worker, requestParameters=parameters)
        for n, (action, parameters) in enumerate(calls)
    ]
    return [assume("e1", 5, session(RUNNER, "ASIARUNNER"), "ASIAWORKER", sourceIdentity="APR-A"), *done]


def run_task(folder: Path, actions: list[str], calls: list[tuple[str, Any]]) -> Path:
    write_lines(folder / "logs" / "approvals.jsonl", [approval("APR-A", 0, actions=actions)])
    write_lines(folder / "logs" / "trail.json", calls_of_one_task(calls))
    run_once(folder / "logs", folder / "home", config=None, as_of="")
    return folder / "home"


def test_five_approved_calls_in_the_words_of_iam(tmp_path: Path) -> None:
    """An approval that says what IAM grants covers calls that CloudTrail names otherwise, and is used whole."""
    home = run_task(tmp_path, IAM_WORDS, APPROVED)
    assert ask(home, "select detector_id, message from findings") == []
    done = "select action, is_outside_actions from step_facts where action not like 'sts:%' order by step_at"
    assert ask(home, done) == [(action, False) for action, _ in APPROVED]
    assert ask(home, "select action from drift") == []


def test_five_approved_calls_in_the_words_of_the_log(tmp_path: Path) -> None:
    """Whoever writes the approval as CloudTrail writes its events is right, too."""
    assert ask(run_task(tmp_path, [action for action, _ in APPROVED], APPROVED), "select message from findings") == []


def test_a_sixth_call_that_the_approval_does_not_list(tmp_path: Path) -> None:
    """The twin: the sixth call is outside in both words, and it alone is accused."""
    sixth = ("lambda:AddPermission20150331v2", {"functionName": "tidy"})
    home = run_task(tmp_path, IAM_WORDS, [*APPROVED, sixth])
    outside = "select action, canonical_action from step_facts where is_outside_actions"
    assert ask(home, outside) == [(sixth[0], "lambda:AddPermission")]
    found = ask(home, "select distinct detector_id, subject_uid from findings")
    assert "ultravires_activity_outside_approval" in {detector for detector, _ in found}
    assert all("AddPermission" in subject for _, subject in found)
