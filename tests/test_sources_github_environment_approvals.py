"""GitHub's webhook deployment_review: payloads in, states of approvals out."""

import json
from pathlib import Path
from typing import Any

from source_samples import SAMPLES, claimed_by, quarantined, rows
from ultravires.reading.options import Options

REQUESTED, APPROVED, REJECTED = (json.loads(line) for line in SAMPLES["github_environment_approvals"].splitlines())


def read(payload: dict[str, Any], folder: Path, options: Options | None = None) -> list[dict[str, Any]]:
    data = json.dumps(payload).encode()
    return rows("github_environment_approvals", data, folder, *([options] if options else []))


def test_asked_and_answered_is_one_approval(tmp_path: Path) -> None:
    """Both states name the run and the environment; an answer may be for several environments."""
    (asked,) = read(REQUESTED, tmp_path)
    answered = read(APPROVED, tmp_path)
    assert asked["approval_uid"] == "github:example-org/invoices/run/18250000041/production"
    assert [row["approval_uid"].rpartition("/")[2] for row in answered] == ["production", "invoices-eu"]
    assert asked["approval_uid"] == answered[0]["approval_uid"]
    assert (asked["outcome"], answered[0]["outcome"]) == ("unknown", "success")
    assert (asked["actor_uid"], answered[0]["actor_uid"]) == ("mira-holm", "otto-lind")
    assert {row["detail"]["requested_by"] for row in (asked, *answered)} == {"mira-holm"}
    assert len({row["event_id"] for row in answered}) == 2


def test_who_may_act_is_the_job_in_the_environment(tmp_path: Path) -> None:
    """By the subject that its OIDC token carries to the clouds."""
    (asked,) = read(REQUESTED, tmp_path)
    assert asked["detail"]["subject"] == "repo:example-org/invoices:environment:production"
    assert (asked["task"], asked["actor_kind"]) == ("Send October invoices", "human")


def test_rejected_is_denied(tmp_path: Path) -> None:
    """With who said no, and when."""
    (row,) = read(REJECTED, tmp_path)
    assert (row["outcome"], row["detail"]["status"]) == ("denied", "denied")
    assert (row["detail"]["approved_by"], row["detail"]["approved_at"]) == ("otto-lind", "2026-10-09T15:20:00.000000Z")


def test_configuration_says_what_an_environment_means(tmp_path: Path) -> None:
    """The scope is `<repository>/<environment>`."""
    meaning = {"*/production": {"roles": ("arn:aws:iam::111122223333:role/Deploy",)}}
    options = Options(hash_key=b"k", approval_scopes={"github_environment_approvals": meaning})
    (row,) = read(REQUESTED, tmp_path, options)
    assert row["detail"]["scope"] == ["example-org/invoices/production"]
    assert row["detail"]["roles"] == ["arn:aws:iam::111122223333:role/Deploy"]


def test_a_second_attempt_is_another_state(tmp_path: Path) -> None:
    """A run that is run again is reviewed again."""
    again = {**REQUESTED, "workflow_run": {**REQUESTED["workflow_run"], "run_attempt": 2}}
    assert read(again, tmp_path)[0]["native_id"] != read(REQUESTED, tmp_path)[0]["native_id"]


def test_the_review_history_of_the_api_is_no_approval(tmp_path: Path) -> None:
    """It holds neither run nor time."""
    history = [{"state": "approved", "comment": "ok", "environments": [{"name": "production"}], "user": {"login": "a"}}]
    assert claimed_by(json.dumps(history).encode()) == []
    found = quarantined("github_environment_approvals", json.dumps(history).encode(), tmp_path)
    assert [row.reason for row in found] == ["no deployment_review: action, repository or workflow_run is missing"]


def test_an_answer_without_any_time_is_put_aside(tmp_path: Path) -> None:
    """Nothing is guessed."""
    timeless = {**APPROVED, "since": None, "workflow_job_runs": [{"environment": "production"}]}
    data = json.dumps(timeless).encode()
    assert [row.reason for row in quarantined("github_environment_approvals", data, tmp_path)] == ["no time"]


def test_other_webhooks_are_nobodys() -> None:
    """A job's own event has neither since nor the run."""
    job = {"action": "completed", "workflow_job": {"id": 1}, "repository": {"full_name": "example-org/invoices"}}
    assert claimed_by(json.dumps(job).encode()) == []
