"""From logs to a finding: a role that is handed to a service holds more than the approval of who handed it over.

Records follow CloudTrail's user guide: a service takes a session of its role in its own name (`invokedBy`),
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import Shared
from small_logs import WORKER, approval, assume, at, call, session, write_lines
from ultravires.runs.run import run_once

ADMIN = "arn:aws:iam::111122223333:role/admin"
ADMIN_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
RUNNER = {
    "type": "IAMUser",
    "arn": "arn:aws:iam::111122223333:user/runner",
    "accountId": "111122223333",
    "accessKeyId": "AKIARUNNER",
    "userName": "runner",
}


def deploys(name: str, minutes: float, ticket: str) -> list[dict[str, Any]]:
    """A session under the approval makes a function that runs as the admin role, and the function runs."""
    key, own = f"ASIAWORKER{name.upper()}", f"ASIAFUNCTION{name.upper()}"
    return [
        assume(f"{name}-assume", minutes, RUNNER, key, sourceIdentity=ticket),
        call(
            f"{name}-create",
            minutes + 1,
            "lambda:CreateFunction20150331",
            session(WORKER, key, source_identity=ticket),
            requestParameters={"functionName": name, "role": ADMIN},
            responseElements={"functionArn": f"arn:aws:lambda:eu-central-1:111122223333:function:{name}"},
        ),
        call(
            f"{name}-runs",
            minutes + 2,
            "sts:AssumeRole",
            {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"},
            requestParameters={"roleArn": ADMIN, "roleSessionName": name},
            responseElements={"credentials": {"accessKeyId": own, "expiration": at(minutes + 60)}},
        ),
        call(f"{name}-acts", minutes + 3, "s3:ListBuckets", session(ADMIN, own)),
    ]


def runs_a_job(name: str, minutes: float, ticket: str) -> list[dict[str, Any]]:
    """The same by a job of Glue, all of whose runs take their role under one session name.

    https://docs.aws.amazon.com/glue/latest/dg/create-an-iam-role.html
    """
    key, own = f"ASIAWORKER{name.upper()}", f"ASIARUN{name.upper()}"
    return [
        assume(f"{name}-assume", minutes, RUNNER, key, sourceIdentity=ticket),
        call(
            f"{name}-create",
            minutes + 1,
            "glue:CreateJob",
            session(WORKER, key, source_identity=ticket),
            requestParameters={"name": name, "role": ADMIN, "command": {"name": "glueetl"}},
            responseElements={"name": name},
        ),
        call(
            f"{name}-runs",
            minutes + 2,
            "sts:AssumeRole",
            {"type": "AWSService", "invokedBy": "glue.amazonaws.com"},
            requestParameters={"roleArn": ADMIN, "roleSessionName": "GlueJobRunnerSession"},
            responseElements={"credentials": {"accessKeyId": own, "expiration": at(minutes + 60)}},
        ),
        call(f"{name}-acts", minutes + 3, "s3:ListBuckets", session(ADMIN, own)),
    ]


def in_log_group(group: str, record: dict[str, Any]) -> dict[str, Any]:
    """As CloudWatch Logs delivers what an application wrote to a log group of its own.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
    """
    event = {"id": record["eventID"], "timestamp": 1_791_205_200_000, "message": json.dumps(record)}
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": group,
        "logStream": "one",
        "subscriptionFilters": ["all"],
        "logEvents": [event],
    }


def build(folder: Path) -> None:
    lists = ["lambda:CreateFunction20150331", "sts:AssumeRole"]
    write_lines(
        folder / "logs" / "approvals" / "a.jsonl",
        [
            approval("CHG-MORE", 0, actions=lists, roles=[]),
            approval("CHG-OWN", 0, actions=lists, roles=[WORKER, ADMIN]),
            approval("CHG-TOLD", 0, actions=lists, roles=[]),
            approval("CHG-JOB", 0, actions=["glue:CreateJob", "sts:AssumeRole"], roles=[WORKER, ADMIN]),
        ],
    )
    holds = {"requestParameters": {"roleName": "admin", "policyArn": ADMIN_POLICY}}
    recorded = [call("gives", -60, "iam:AttachRolePolicy", RUNNER, **holds)]
    recorded += [*deploys("more", 10, "CHG-MORE"), *deploys("own", 30, "CHG-OWN"), *runs_a_job("job", 40, "CHG-JOB")]
    write_lines(folder / "logs" / "trail" / "a.jsonl", recorded)
    told = [in_log_group("/app/worker", record) for record in deploys("told", 50, "CHG-TOLD")]
    write_lines(folder / "logs" / "elsewhere" / "b.jsonl", told)
    config = folder / "ultravires.yaml"
    config.write_text(
        "origins:\n  approvals: approvals/**\n  aws_cloudtrail: trail/**\ngoverns:\n  approvals:\n    logs: ['*']\n",
        encoding="utf-8",
    )
    run_once(folder / "logs", folder / "home", config=config, as_of="")


@pytest.fixture(scope="module")
def con(shared: Shared) -> Iterator[duckdb.DuckDBPyConnection]:
    home = shared("privilege_paths_of_logs", build) / "home"
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        yield con


def found(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    sql = """
        select subject_uid, severity, evidence_event_ids from findings
        where detector_id = 'ultravires_privilege_chaining' and state = 'open'"""
    return con.execute(sql).fetchall()


def path(con: duckdb.DuckDBPyConnection, approval_uid: str) -> dict[str, Any] | None:
    cursor = con.execute("select * from privilege_paths where approval_uid = ?", [approval_uid])
    row = cursor.fetchone()
    return dict(zip([column[0] for column in cursor.description or []], row, strict=True)) if row else None


def test_a_role_that_holds_more_than_the_approval_is_one_finding(con: duckdb.DuckDBPyConnection) -> None:
    """About the call that handed the role over; the approval, the session and what the role got are evidence."""
    row = path(con, "CHG-MORE")
    assert row is not None
    assert (row["approved_power"], row["reached_power"], row["reached_by"]) == ("data", "admin", ADMIN)
    assert row["hop_kinds"] == ["assume_role", "pass_role"]
    assert (row["is_proven"], row["severity"]) == (True, "high")
    ((subject, severity, evidence),) = found(con)
    assert (subject, severity) == (row["crossing_event_id"], "high")
    assert len(evidence) == 5


def test_roles_of_the_approval_are_silent(con: duckdb.DuckDBPyConnection) -> None:
    """The same way, where the approval lists the role: what it holds is what the approval gives."""
    row = path(con, "CHG-OWN")
    assert row is not None
    assert (row["approved_power"], row["is_crossing"]) == ("admin", False)


def test_a_job_goes_on_from_the_only_one_who_handed_its_role_over(con: duckdb.DuckDBPyConnection) -> None:
    """Its session bears no name of the job, and nobody else gave Glue that role."""
    row = path(con, "CHG-JOB")
    assert row is not None
    assert row["hop_kinds"] == ["assume_role", "pass_role"]
    assert row["hops"][-1] == "credential:ASIARUNJOB"
    assert (row["approved_power"], row["is_crossing"]) == ("admin", False)


def test_what_lies_where_anybody_writes_proves_and_excuses_nothing(con: duckdb.DuckDBPyConnection) -> None:
    """No finding of it, no approval that it is accounted for by, and no path that is proven."""
    sql = "select chain_id, is_proven, is_accounted from privilege_paths where list_contains(hops, ?)"
    rows = con.execute(sql, ["credential:ASIAFUNCTIONTOLD"]).fetchall()
    assert [(is_proven, is_accounted) for _, is_proven, is_accounted in rows] == [(False, False)]
    assert len(found(con)) == 1
