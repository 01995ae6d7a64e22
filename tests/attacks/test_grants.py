"""Attacks by who may do what: records that give, take or hide power, written by those who want it so."""

import json
from typing import Any

from agent_world import CONFIG
from small_logs import RUNNER, WORKER, approval, at, call, session
from stories import Stories, Story

ACCOUNT = "111122223333"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
BOSS = {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/boss", "accountId": ACCOUNT, "accessKeyId": "AKIABOSS"}
OF_RUNNER = {"subject": RUNNER, "roles": [RUNNER]}
# The log of approvals speaks around the story, and of others, so that what is missing is missing.
AROUND = [approval("APR-0", -30, **OF_RUNNER), approval("APR-9", 230, **OF_RUNNER)]
told = Stories(config=CONFIG, as_of=at(300), words=("helper", "thief"))
HELD = "select action_pattern from entitlements where layer = 'granted' and valid_until is null and not is_reported"
DRIFT = "select kind, actor_uid, cause_actor_uid, severity from drift where cause_event_id is not null"


def attach(event_id: str, minutes: float, who: dict[str, Any], name: str, **more: Any) -> dict[str, Any]:
    wanted = {"roleName": name, "policyArn": ADMIN}
    return call(event_id, minutes, "iam:AttachRolePolicy", who, requestParameters=wanted, **more)


def detach(event_id: str, minutes: float, who: dict[str, Any], name: str) -> dict[str, Any]:
    wanted = {"roleName": name, "policyArn": ADMIN}
    return call(event_id, minutes, "iam:DetachRolePolicy", who, requestParameters=wanted)


def told_by_function(record: dict[str, Any]) -> dict[str, Any]:
    """The record as a line that a function printed, as CloudWatch Logs delivers it."""
    line = {"id": "1", "timestamp": 1_791_187_200_000, "message": json.dumps(record)}
    group = {"messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": "/aws/lambda/orders", "logStream": "s"}
    return {**group, "subscriptionFilters": ["all"], "logEvents": [line]}


@told(
    trail=[attach("e1", 10, BOSS, "worker")],
    function=[told_by_function(detach("e2", 20, BOSS, "worker"))],
    approvals=AROUND,
)
def test_a_function_prints_that_a_right_was_taken(story: Story) -> None:
    """The role goes on holding what the trail shows it was given, and the drift stands."""
    assert story.ask(HELD) == [("*",)]
    assert story.ask(DRIFT) == [("over_grant", WORKER, BOSS["arn"], "high")]


@told(
    trail=[call("e1", 10, "s3:GetObject", BOSS)],
    function=[told_by_function(attach("e2", 20, BOSS, "worker"))],
    approvals=AROUND,
)
def test_a_function_prints_that_somebody_was_given_a_right(story: Story) -> None:
    """It is shown as told, and accuses neither who is said to have given it nor who is said to have it."""
    assert story.ask(HELD) == [] and story.ask(DRIFT) == []
    assert story.ask("select action_pattern from entitlements where layer = 'granted' and is_reported") == [("*",)]


@told(trail=[attach("e1", 10, BOSS, "worker", errorCode="AccessDenied", errorMessage="no")], approvals=AROUND)
def test_a_try_that_was_denied_gives_nothing(story: Story) -> None:
    """Who tries to make somebody an administrator has not done it."""
    assert story.ask("select outcome from events where native_id = 'e1'") == [("denied",)]
    assert story.ask(HELD) == [] and story.ask(DRIFT) == []


ME = session(WORKER, "ASIAME")


@told(trail=[attach("e1", 10, ME, "worker"), detach("e2", 11, ME, "worker")], approvals=AROUND)
def test_a_role_gives_itself_everything_and_takes_it_back(story: Story) -> None:
    """What was held for a minute was held, by whose doing, from when to when."""
    assert story.ask(DRIFT)[0][2] == WORKER
    held = story.ask("select valid_from::varchar, valid_until::varchar from entitlements where layer = 'granted'")
    assert held == [("2026-10-05 08:10:00+00", "2026-10-05 08:11:00+00")]


BROKEN = {"roleName": "worker", "policyName": "p", "policyDocument": '{"Statement": [{"Effect": "Allow"'}


@told(trail=[call("e1", 10, "iam:PutRolePolicy", BOSS, requestParameters=BROKEN)], approvals=AROUND)
def test_a_policy_that_cannot_be_read_is_held_and_unknown(story: Story) -> None:
    """Neither broken text nor a request too large to be logged hides that there is a policy, or allows anything."""
    assert story.ask("select effect, holder_uid from entitlements where layer = 'granted'") == [("unknown", WORKER)]


@told(
    trail=[attach("e1", 10, BOSS, "worker")],
    approvals=[*AROUND, approval("APR-1", 0, subject=RUNNER, roles=[RUNNER], actions=["*"])],
)
def test_an_approval_for_somebody_else_covers_nothing(story: Story) -> None:
    """A ticket that gives the runner everything is no cover for what the worker is given."""
    assert story.ask(DRIFT) == [("over_grant", WORKER, BOSS["arn"], "high")]


@told(
    trail=[attach("e1", 10, BOSS, "worker")],
    approvals=[*AROUND, approval("APR-1", 0, subject="helper", actions=[])],
)
def test_a_role_that_an_approval_names_is_widened(story: Story) -> None:
    """The approval was given when the role held less; what came later is drift of that approval, from that moment."""
    assert [row[0] for row in story.ask(DRIFT)] == ["widened_after_approval"]
    said = story.ask(
        "select approval_uids, first_at::varchar, sentence from drift where kind = 'widened_after_approval'"
    )
    assert said[0][:2] == (["APR-1"], "2026-10-05 08:10:00+00")
    assert at(10)[:10] in said[0][2] and str(BOSS["arn"]) in said[0][2]
