"""From a deployment's approval over the job of its run to what its session did in the cloud."""

from pathlib import Path
from typing import Any

import pytest
from agent_world import World
from small_logs import DAY, approval, at, call, session

DEPLOYER = "arn:aws:iam::111122223333:role/deployer"
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
RUN, OTHER_RUN = 18250000041, 18250000042
AROUND = [approval("APR-0", -30), approval("APR-9", 230)]
CONFIG: dict[str, Any] = {}


def audit(action: str, minutes: float, run: int = RUN, **named: Any) -> dict[str, Any]:
    return {
        "@timestamp": int(DAY.timestamp() * 1000 + minutes * 60_000),
        "_document_id": f"{action}-{run}-{minutes}",
        "action": action,
        "actor": "mira-holm",
        "actor_is_bot": False,
        "org": "o",
        "operation_type": "modify",
        "repo": "o/r",
        "workflow_run_id": run,
        "run_attempt": 1,
        **named,
    }


def prepared(minutes: float, run: int, **named: Any) -> dict[str, Any]:
    return audit("workflows.prepared_workflow_job", minutes, run, job_name="deploy", **named)


PROD = {"environment_name": "prod"}


def deploys(subject: str, session_name: str) -> list[dict[str, Any]]:
    """The session that a job takes with its token, and one act of it."""
    taken = call(
        "e1",
        3,
        "sts:AssumeRoleWithWebIdentity",
        {
            "type": "WebIdentityUser",
            "principalId": f"{PROVIDER}:sts.amazonaws.com:{subject}",
            "userName": subject,
            "identityProvider": PROVIDER,
        },
        requestParameters={"roleArn": DEPLOYER, "roleSessionName": session_name},
        responseElements={
            "credentials": {"accessKeyId": "ASIADEPLOY", "expiration": at(63)},
            "subjectFromWebIdentityToken": subject,
            "provider": PROVIDER,
        },
    )
    return [taken, call("e2", 4, "lambda:UpdateFunctionCode20150331v2", session(DEPLOYER, "ASIADEPLOY"))]


def links_of(world: World) -> list[tuple[Any, ...]]:
    above = "child_id = 'credential:ASIADEPLOY' and kind = 'credential>credential'"
    return world.ask(f"select parent_id, method, confidence, is_primary from links where {above} order by all")


def job(run: int) -> str:
    return f"credential:github:o/r/run/{run}/1/deploy"


def test_a_session_that_names_its_run_is_of_that_job(tmp_path: Path) -> None:
    """Two runs of one environment are under way; the session's name says which, its token vouches for the subject."""
    log = [prepared(1, RUN, **PROD), prepared(2, OTHER_RUN, **PROD)]
    trail = deploys("repo:o/r:environment:prod", f"deploy-{RUN}")
    world = World(tmp_path, config=CONFIG, audit=log, trail=trail, approvals=AROUND)
    assert links_of(world) == [(job(RUN), "caller_chosen", 0.6, True)]
    reviewed = "select root_id from chain_steps join events using (event_id) where native_id = 'e2'"
    assert world.ask(reviewed) == [(job(RUN),)]


def test_a_session_that_names_no_run(tmp_path: Path) -> None:
    """Of two runs of one environment either may have taken it."""
    log = [prepared(1, RUN, **PROD), prepared(2, OTHER_RUN, **PROD)]
    world = World(
        tmp_path, config=CONFIG, audit=log, trail=deploys("repo:o/r:environment:prod", "deploy"), approvals=AROUND
    )
    assert {(row[0], row[1], row[2] < 0.5) for row in links_of(world)} == {
        (job(RUN), "attribute_window", True),
        (job(OTHER_RUN), "attribute_window", True),
    }


@pytest.mark.parametrize("subject", ["repo:o/r:ref:refs/heads/mine", "repo:o/r:pull_request"])
def test_a_branch_names_the_run_of_an_environment(tmp_path: Path, subject: str) -> None:
    """Whoever may choose a session's name is not therefore the job that was approved: it is no proof."""
    world = World(
        tmp_path,
        config=CONFIG,
        audit=[prepared(1, RUN, **PROD)],
        trail=deploys(subject, f"deploy-{RUN}"),
        approvals=AROUND,
    )
    assert [row[2] < 0.5 for row in links_of(world)] == [True]


def test_another_repository_names_the_run(tmp_path: Path) -> None:
    """A number says nothing without the repository that its token vouches for."""
    trail = deploys("repo:o/other:environment:prod", f"deploy-{RUN}")
    world = World(tmp_path, config=CONFIG, audit=[prepared(1, RUN, **PROD)], trail=trail, approvals=AROUND)
    assert links_of(world) == []


def test_a_run_whose_jobs_nobody_tells_of(tmp_path: Path) -> None:
    """It is a candidate by its number."""
    log = [audit("workflows.created_workflow_run", 1)]
    trail = deploys("repo:o/r:environment:prod", f"deploy-{RUN}")
    world = World(tmp_path, config=CONFIG, audit=log, trail=trail, approvals=AROUND)
    assert links_of(world) == [(f"credential:github:o/r/run/{RUN}", "attribute_window", 0.3, True)]
