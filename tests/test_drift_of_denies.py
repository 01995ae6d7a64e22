"""Who takes away what stood in the way of a right gave that right then: a deny, a boundary, a guardrail.

Records follow https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html and
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import ultravires
from conftest import Shared
from small_logs import WORKER, approval, at, call, write_lines
from ultravires.runs.run import run_once

Json = dict[str, Any]
ACCOUNT, MANAGEMENT = "111122223333", "999988887777"
FREE, BOUND, LINKED = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("free", "bound", "aws-service-role/x/Linked"))
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/edge"
CREATED = {"policySummary": {"id": "p-deny0001", "type": "SERVICE_CONTROL_POLICY"}}


def by(who: str, uid: str, minutes: float, action: str, account: str = ACCOUNT, **parameters: Any) -> Json:
    arn = f"arn:aws:iam::{account}:user/{who}"
    identity = {"type": "IAMUser", "arn": arn, "accountId": account, "accessKeyId": f"AKIA{who}", "userName": who}
    answer = parameters.pop("answer", None)
    record = call(uid, minutes, action, identity, requestParameters=parameters, responseElements=answer)
    return record | {"recipientAccountId": account}


def policy(effect: str, *actions: str) -> str:
    return json.dumps({"Statement": [{"Effect": effect, "Action": [*actions], "Resource": "*"}]})


def puts(uid: str, minutes: float, role: str, name: str, document: str) -> Json:
    return by(
        "ana",
        uid,
        minutes,
        "iam:PutRolePolicy",
        roleName=role.rpartition("/")[2],
        policyName=name,
        policyDocument=document,
    )


RECORDS = [
    puts("deny", 1, WORKER, "no", policy("Deny", "sqs:*")),
    puts("allow", 60, WORKER, "yes", policy("Allow", "sqs:SendMessage", "s3:GetObject")),
    by("ben", "undeny", 120, "iam:DeleteRolePolicy", roleName="worker", policyName="no"),
    by("ana", "edge", 1, "iam:CreatePolicy", policyName="edge", policyDocument=policy("Allow", "s3:*"))
    | {"responseElements": {"policy": {"arn": BOUNDARY, "policyName": "edge", "defaultVersionId": "v1"}}},
    by("ana", "bind", 2, "iam:PutRolePermissionsBoundary", roleName="bound", permissionsBoundary=BOUNDARY),
    puts("wide", 3, BOUND, "wide", policy("Allow", "ec2:RunInstances")),
    by("cy", "unbind", 130, "iam:DeleteRolePermissionsBoundary", roleName="bound"),
    puts("free", 4, FREE, "free", policy("Allow", "kms:Decrypt")),
    by(
        "olga",
        "scp",
        5,
        "organizations:CreatePolicy",
        MANAGEMENT,
        type="SERVICE_CONTROL_POLICY",
        content=policy("Deny", "kms:*"),
        answer={"policy": CREATED},
    ),
    by("olga", "scp-on", 6, "organizations:AttachPolicy", MANAGEMENT, policyId="p-deny0001", targetId=ACCOUNT),
    by("eve", "scp-off", 140, "organizations:DetachPolicy", MANAGEMENT, policyId="p-deny0001", targetId=ACCOUNT),
    puts("linked", 7, LINKED, "x", policy("Allow", "iam:*"))
    | {"requestParameters": {"roleName": LINKED, "policyName": "x", "policyDocument": policy("Allow", "iam:*")}},
]


def one_run(folder: Path) -> None:
    write_lines(folder / "logs" / "trail.jsonl", sorted(RECORDS, key=lambda record: record["eventTime"]))
    named = approval("APR-W", 30, actions=["s3:GetObject"], roles=[WORKER], valid_until=at(100_000))
    write_lines(folder / "logs" / "approvals.jsonl", [named])
    run_once(folder / "logs", folder / "home", config=None, as_of="")


@pytest.fixture(scope="module")
def home(shared: Shared) -> Path:
    return shared("drift-of-denies", one_run) / "home"


def drift_of(home: Path, holder: str) -> list[tuple[Any, ...]]:
    query = """
        select
            drift.kind, drift.actions, epoch(first_at)::bigint, cause_event.native_id,
            split_part(cause_actor_uid, '/', 2)
        from drift
        join events as cause_event on cause_event.event_id = drift.cause_event_id
        where drift.actor_uid = ? and drift.kind in ('over_grant', 'widened_after_approval')
        order by first_at
    """
    with ultravires.open(home) as con:
        return con.execute(query, [holder]).fetchall()


def moment(minutes: float) -> int:
    return int(datetime.fromisoformat(at(minutes)).timestamp())


@pytest.mark.parametrize(
    ("holder", "expected"),
    [
        pytest.param(
            WORKER,
            [("widened_after_approval", ["sqs:SendMessage"], 120, "undeny", "ben")],
            id="a deny of its own, and no word of the day on which it was held under it",
        ),
        pytest.param(BOUND, [("over_grant", ["ec2:RunInstances"], 130, "unbind", "cy")], id="a boundary"),
        pytest.param(
            FREE,
            [("over_grant", ["kms:Decrypt"], 4, "free", "ana"), ("over_grant", ["kms:Decrypt"], 140, "scp-off", "eve")],
            id="a policy of the organization",
        ),
        pytest.param(LINKED, [], id="a role that only its service can take"),
    ],
)
def test_what_stood_in_the_way_is_gone(home: Path, holder: str, expected: list[tuple[Any, ...]]) -> None:
    """The row says since when, by which event and by whom."""
    found = drift_of(home, holder)
    assert found == [(kind, actions, moment(minutes), event, who) for kind, actions, minutes, event, who in expected]
