"""Workflow runs of GitHub Actions: names for a run, its jobs, and the approval that let a job into an environment.

The subject of a job's OIDC token: https://docs.github.com/en/actions/reference/security/oidc#oidc-token-claims
"""

import re
from typing import Any

import msgspec

from ultravires.reading.values import label, text

_REPOSITORY = re.compile(r"repo:([^/:@]+)(?:@\d+)?/([^/:@]+)(?:@\d+)?:")
_RUN_ID = re.compile(r"(?<!\d)\d{8,19}(?!\d)")


class Job(msgspec.Struct, frozen=True, gc=False):
    """A job of a run; `environment` and `subject` None where the record does not tell."""

    repo: str
    run: str
    name: str
    attempt: str
    environment: str | None
    subject: str | None

    @property
    def run_name(self) -> str:
        return run_name(self.repo, self.run)

    @property
    def uid(self) -> str:
        return f"{self.repo}/run/{self.run}/{self.attempt}/{self.name}"


def run_of(record: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """(repository, run id, environment) that an audit record names."""
    environment = next((found for name in _ENVIRONMENT if (found := text(record.get(name)))), None)
    return text(record.get("repo")), label(record.get("workflow_run_id")), environment


_ENVIRONMENT = ("environment_name", "environment", "env_name")


def job_of(record: dict[str, Any]) -> Job | None:
    """The job that an audit record starts; None where it does not name repository, run and job."""
    repo, run, environment = run_of(record)
    name = text(record.get("job_name"))
    if repo is None or run is None or name is None:
        return None
    attempt = label(record.get("run_attempt")) or "1"
    branch, event = text(record.get("head_branch")), text(record.get("event"))
    return Job(repo, run, name, attempt, environment, subject_of(repo, environment, event, branch))


def subject_of(repo: str, environment: str | None, event: str | None = None, branch: str | None = None) -> str | None:
    """The subject that GitHub writes into a job's OIDC token, unless the organization made its own template."""
    if environment:
        return f"repo:{repo}:environment:{environment}"
    if event in ("pull_request", "pull_request_target"):
        return f"repo:{repo}:pull_request"
    return f"repo:{repo}:ref:refs/heads/{branch}" if branch else None


def run_keys(repo: str, run: str, environment: str | None) -> list[tuple[str, str, str]]:
    """The name of an approval that does not tell its environment: the run stands for it as a ticket does. A job names
    both, and so finds the one approval of its environment before what was approved for its run.
    """
    return [] if environment else [("ticket", approval_uid(repo, run, None), "names")]


def approval_uid(repo: str, run: str, environment: str | None) -> str:
    """The approval of a run for one environment; of the run, where the record does not tell which."""
    return f"github:{repo}/run/{run}/{environment}" if environment else f"github:{repo}/run/{run}"


def run_name(repo: str, run: str) -> str:
    """The name by which other clouds' logs find a run: its repository, for which a token vouches, and its number."""
    return f"github:{repo}/run/{run}"


def runs_named(subject: str | None, session_name: str | None) -> list[str]:
    """The runs that a session may be of: its token vouches for the repository, its name holds the run's number."""
    found = _REPOSITORY.match(subject or "")
    numbers = _RUN_ID.findall(session_name or "")[:3] if found else []
    return [run_name(f"{found[1]}/{found[2]}", number) for number in numbers] if found else []
