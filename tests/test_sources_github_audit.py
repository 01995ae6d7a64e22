"""GitHub's audit log: records in, rows out."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from source_samples import batches, claimed_by, expected_events, keys, only, quarantined, rows
from ultravires.sources.github.runs import runs_named

TIME = 1_791_187_200_000
RUN = {"repo": "example-org/invoices", "workflow_run_id": 41}


def record(action: str, **members: Any) -> dict[str, Any]:
    own = {"@timestamp": TIME, "_document_id": "doc-1", "action": action, "actor": "mira-holm", "org": "example-org"}
    return {**own, **members}


def read(folder: Path, action: str, **members: Any) -> dict[str, Any]:
    return only("github_audit", record(action, **members), folder)


def both(folder: Path, action: str, **members: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The activity and the approval of one record."""
    activity, approval = rows("github_audit", json.dumps(record(action, **members)).encode(), folder)
    assert (activity["kind"], approval["kind"]) == ("activity", "approval")
    return activity, approval


@pytest.mark.parametrize(
    ("members", "actor_kind"),
    [
        ({}, "human"),
        ({"actor": "release-train[bot]"}, "service"),
        ({"actor_is_bot": True}, "service"),
        ({"actor": "deploy_key", "programmatic_access_type": "Public Key (User/Deploy)"}, "service"),
        ({"programmatic_access_type": "GitHub App server-to-server token"}, "service"),
        ({"actor": "github-actions[bot]", "actor_is_bot": True}, "workload"),
        ({"actor_is_bot": True, "actor_is_agent": True}, "agent"),
        ({"actor": ""}, None),
    ],
)
def test_actors_are_what_github_marks_them_as(members: Any, actor_kind: str | None, tmp_path: Path) -> None:
    """An account without a mark is a user's."""
    assert read(tmp_path, "git.push", **members)["actor_kind"] == actor_kind


def test_an_agent_acts_for_the_user_of_the_record(tmp_path: Path) -> None:
    """Elsewhere `user` is to whom it was done."""
    agent = read(tmp_path, "pull_request.create", actor_is_agent=True, user="mira-holm", agent_session_id="s-1")
    assert (agent["on_behalf_of_uid"], agent["resource_uids"]) == ("mira-holm", ["example-org"])
    assert ("conversation", "s-1", "carries") in keys(agent)
    person = read(tmp_path, "org.add_member", user="nora-sand")
    assert (person["on_behalf_of_uid"], person["resource_uids"]) == (None, ["nora-sand"])


def test_a_token_is_the_credential_by_id_or_hash(tmp_path: Path) -> None:
    """Git events write 0 for no id; the hash is then all there is."""
    used = {"programmatic_access_type": "OAuth access token", "hashed_token": "aGFzaA=="}
    assert read(tmp_path, "repo.access", **used, token_id=7)["credential_uid"] == "github:7"
    assert read(tmp_path, "git.push", **used, token_id=0)["credential_uid"] == "github:aGFzaA=="
    assert read(tmp_path, "git.push")["credential_uid"] is None


def test_a_token_made_in_the_browser_is_issued_not_used(tmp_path: Path) -> None:
    """A token made with a token uses that one."""
    made = read(tmp_path, "oauth_access.create", token_id=8)
    assert (made["credential_uid"], made["issued_credential_uid"]) == (None, "github:8")
    deleted = read(tmp_path, "oauth_access.destroy", token_id=8)
    assert (deleted["credential_uid"], deleted["revoked_credential_uid"]) == (None, "github:8")
    by_token = read(tmp_path, "public_key.create", token_id=8, programmatic_access_type="x", fingerprint="SHA256:YWJj")
    assert (by_token["credential_uid"], by_token["issued_credential_uid"]) == ("github:8", "github:YWJj")


def test_an_application_is_authorized_and_not_any_more(tmp_path: Path) -> None:
    """Such a grant has no id of its own: application and user name it."""
    grant = {"oauth_application_id": 5, "oauth_application_name": "planner", "user": "mira-holm"}
    granted, ended = (read(tmp_path, f"oauth_authorization.{verb}", **grant) for verb in ("create", "destroy"))
    assert granted["issued_credential_uid"] == ended["revoked_credential_uid"]
    assert granted["issued_credential_uid"] == "github:oauth_application/5/mira-holm"


def test_a_key_used_later_is_the_key_added_before(tmp_path: Path) -> None:
    """The fingerprint is the same hash without its padding."""
    added = read(tmp_path, "public_key.create", fingerprint="SHA256:" + "A" * 43)
    pushed = read(tmp_path, "git.push", hashed_token="A" * 43 + "=", programmatic_access_type="Public Key")
    assert added["issued_credential_uid"] == pushed["credential_uid"]


def test_a_fine_grained_token_is_approved_used_and_revoked(tmp_path: Path) -> None:
    """The owner's grant is an approval, and issues the credential that carries it."""
    token = {"user": "mira-holm", "user_programmatic_access_id": 9, "repositories": ["example-org/invoices"]}
    _, asked = both(tmp_path, "personal_access_token.request_created", **token)
    issued, granted = both(tmp_path, "personal_access_token.access_granted", actor="otto-lind", **token)
    assert asked["approval_uid"] == granted["approval_uid"] == "github:example-org/pat/9"
    assert (asked["detail"]["requested_by"], granted["detail"]["approved_by"]) == ("mira-holm", "otto-lind")
    assert granted["detail"]["resources"] == ["example-org/invoices"]
    assert issued["issued_credential_uid"] == "github:9"
    assert ("approval", "github:example-org/pat/9", "carries") in keys(issued)
    ended, revoked = both(tmp_path, "personal_access_token.access_revoked", actor="otto-lind", **token)
    assert (ended["revoked_credential_uid"], revoked["detail"]["status"]) == ("github:9", "revoked")


@pytest.mark.parametrize(
    ("action", "status"), [("approve_workflow_job", "approved"), ("reject_workflow_job", "denied")]
)
def test_a_review_is_an_activity_and_an_approval(action: str, status: str, tmp_path: Path) -> None:
    """Of the environment, where the record names it; else of the run."""
    activity, approval = both(tmp_path, f"workflows.{action}", **RUN, env_name="production")
    assert not any(kind == "approval" for kind, *_ in keys(activity))
    assert approval["approval_uid"] == "github:example-org/invoices/run/41/production"
    assert (approval["detail"]["status"], approval["detail"]["approved_by"]) == (status, "mira-holm")
    assert approval["detail"]["subject"] == "repo:example-org/invoices:environment:production"
    _, of_run = both(tmp_path, f"workflows.{action}", **RUN)
    assert ("ticket", "github:example-org/invoices/run/41", "names") in keys(of_run)
    assert not any(kind == "ticket" for kind, *_ in keys(approval))
    assert (of_run["approval_uid"], "subject" in of_run["detail"]) == ("github:example-org/invoices/run/41", False)


def test_a_review_of_no_run_is_no_approval(tmp_path: Path) -> None:
    """Without repository and run nothing could ever carry it."""
    assert read(tmp_path, "workflows.approve_workflow_job")["kind"] == "activity"


def test_a_job_is_issued_a_token_under_the_approval_of_its_environment(tmp_path: Path) -> None:
    """As whom it appears elsewhere is the subject of its OIDC token."""
    row = read(tmp_path, "workflows.prepared_workflow_job", **RUN, job_name="deploy", environment_name="production")
    assert row["issued_credential_uid"] == "github:example-org/invoices/run/41/1/deploy"
    assert keys(row) == {
        ("approval", "github:example-org/invoices/run/41/production", "carries"),
        ("ticket", "github:example-org/invoices/run/41", "carries"),
        ("bearer", "repo:example-org/invoices:environment:production", "names"),
        ("run", "github:example-org/invoices/run/41", "names"),
    }
    assert row["detail"] == {"issued_role_arn": "repo:example-org/invoices:environment:production"}


@pytest.mark.parametrize(
    ("members", "subject"),
    [
        ({"head_branch": "main", "event": "push"}, "repo:example-org/invoices:ref:refs/heads/main"),
        ({"head_branch": "fix", "event": "pull_request"}, "repo:example-org/invoices:pull_request"),
        ({}, None),
    ],
)
def test_a_job_without_environment_carries_no_approval(members: Any, subject: str | None, tmp_path: Path) -> None:
    """Its subject follows from the branch."""
    row = read(tmp_path, "workflows.prepared_workflow_job", **RUN, job_name="build", **members)
    run = ("run", "github:example-org/invoices/run/41", "names")
    assert keys(row) == {run} | ({("bearer", subject, "names")} if subject else set())


def test_a_run_that_begins_is_known_by_its_number(tmp_path: Path) -> None:
    """Where no job of it is told, a session in a cloud that names the run hangs on it."""
    row = read(tmp_path, "workflows.created_workflow_run", **RUN)
    assert row["issued_credential_uid"] == "github:example-org/invoices/run/41"
    assert keys(row) == {("run", "github:example-org/invoices/run/41", "names")}
    assert row["detail"] == {"issued_kind": "session"}


@pytest.mark.parametrize(
    ("subject", "session_name", "runs"),
    [
        ("repo:o/r:environment:prod", "deploy-18250000041", ["github:o/r/run/18250000041"]),
        ("repo:o@11/r@22:ref:refs/heads/main", "18250000041-1", ["github:o/r/run/18250000041"]),
        ("repo:o/r:pull_request", "GitHubActions", []),
        ("system:serviceaccount:o:r", "deploy-18250000041", []),
        (None, "deploy-18250000041", []),
        ("repo:o/r:environment:prod", "deploy-2026", []),
    ],
)
def test_which_run_a_session_names(subject: str | None, session_name: str, runs: list[str]) -> None:
    """The token vouches for the repository; the number is what the workflow put into the session's name."""
    assert runs_named(subject, session_name) == runs


@pytest.mark.parametrize(
    ("action", "members", "outcome", "error"),
    [
        ("repo.create", {}, "success", None),
        ("user.failed_login", {}, "failure", None),
        ("user.two_factor_challenge_failure", {}, "failure", None),
        ("protected_branch.rejected_ref_update", {}, "denied", None),
        ("workflows.actions_policy_violation", {"allowed": False}, "denied", None),
        ("api.request", {"status_code": 403}, "denied", "403"),
        ("api.request", {"status_code": 500}, "failure", "500"),
        ("api.request", {"status_code": 200}, "success", None),
        ("workflows.completed_workflow_run", {"conclusion": "success"}, "success", None),
        ("workflows.completed_workflow_run", {"conclusion": "failure"}, "failure", "failure"),
        ("workflows.completed_workflow_run", {"conclusion": "cancelled"}, "unknown", "cancelled"),
    ],
)
def test_outcomes(action: str, members: Any, outcome: str, error: str | None, tmp_path: Path) -> None:
    """The log holds what was done; some records say that it was refused or failed."""
    row = read(tmp_path, action, **members)
    assert (row["outcome"], row["error_code"]) == (outcome, error)


@pytest.mark.parametrize(
    "time",
    [
        {"@timestamp": TIME},
        {"@timestamp": str(TIME)},
        {"@timestamp": None, "created_at": float(TIME)},
        {"@timestamp": None, "at_sign_timestamp": "2026-10-05 08:00:00.000000000"},
    ],
)
def test_times_in_every_form(time: Any, tmp_path: Path) -> None:
    """Milliseconds as a number or text; pipelines write ISO."""
    assert read(tmp_path, "repo.create", **time)["event_at"].isoformat() == "2026-10-05T08:00:00+00:00"


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        *((time, "no time") for time in (None, 0, "soon", True)),
        *((time, "impossible time") for time in (-5, 1e300, 1 << 90, "9" * 15)),
    ],
)
def test_no_time_is_no_event(time: Any, reason: str, tmp_path: Path) -> None:
    """Nothing is guessed."""
    data = json.dumps(record("repo.create", **{"@timestamp": time})).encode()
    assert [row.reason for row in quarantined("github_audit", data, tmp_path)] == [reason]


def test_another_log_with_actor_and_action_is_not_githubs() -> None:
    """The words are common; the dotted action and the members beside it are not."""
    other = {"action": "user_login", "actor": "mira", "created_at": 1, "org": "a", "org_id": 1}
    assert claimed_by(json.dumps(other).encode()) == []
    assert claimed_by(json.dumps(record("repo.create")).encode()) == ["github_audit"]


def test_the_sample_joins_a_grant_to_its_use() -> None:
    """The credential that the owner's grant issued is the one used later, and the one revoked."""
    found = expected_events("github_audit")
    issued = {row.get("issued_credential_uid") for row in found}
    assert {"github:771001"} == issued & {row.get("credential_uid") for row in found} - {None}
    assert "github:771001" in {row.get("revoked_credential_uid") for row in found}


def test_every_real_event_with_a_time_is_read(third_party: Path, tmp_path: Path) -> None:
    """Read without the reader's help: who, what, how it ended, on what."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [json.loads(line) for line in file]
    found = [line["event"] for line in lines if line["log_type"] == "GitHub.Audit"]
    data = "\n".join(map(json.dumps, found)).encode()
    assert Counter(row.reason for row in quarantined("github_audit", data, tmp_path)) == {"no time": 26}
    # four records say "2024-12-17 00:00:00000000", which is no time
    times = ("@timestamp", "created_at")
    timed = [event for event in found if any(event.get(t) and ":00000000" not in str(event[t]) for t in times)]
    read_ = [row for batch in batches("github_audit", data, tmp_path) for row in batch.events.to_pylist()]
    assert len(read_) == len(timed) == 24
    for event, row in zip(timed, read_, strict=True):
        assert row["actor_uid"] == (event["actor"] or None)
        assert row["action"] == "github:" + event["action"] and row["outcome"] == "success"
        assert set(row["resource_uids"]) & {event.get("repo"), event.get("user"), event.get("org")}
        assert row["event_at"].year in (2021, 2022)
