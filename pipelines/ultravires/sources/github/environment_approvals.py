"""GitHub's `deployment_review` webhook: a run waits for an environment, and a reviewer lets it in or not.

Payload: https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_review
The answer of `GET .../actions/runs/{run_id}/approvals` holds neither the run nor the time of the review, so it is no
approval that could be read.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from ultravires.reading.events import Event, NotParsed, logged_at
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, micros, sequence, text
from ultravires.sources.github.approvals import ENVIRONMENTS
from ultravires.sources.github.runs import approval_uid, run_keys, subject_of
from ultravires.sources.tickets.approval_states import ApprovalState, approval_event

_STATUS = {"requested": "requested", "approved": "approved", "rejected": "denied"}
_KINDS = {"User": "human", "Bot": "service"}
_RUNS = frozenset({"workflow_job_run", "workflow_job_runs"})


def recognise(head: Head) -> bool:
    """Objects with since, workflow_run, repository, the job runs of a review, and one of its three actions."""
    is_like = any(
        keys.issuperset(("action", "since", "workflow_run", "repository")) and keys & _RUNS
        for keys in head.first_keys()
    )
    return is_like and bool(values_at(head, "action").intersection(_STATUS))


def events(record: dict[str, Any], options: Options) -> list[Event]:
    """One delivery to the state of one approval for each environment. Raises NotParsed for other deliveries, and
    without a time.
    """
    status = _STATUS.get(text(record.get("action")) or "")
    run = mapping(record.get("workflow_run"))
    repo, run_id = text(mapping(record.get("repository")).get("full_name")), label(run.get("id"))
    if status is None or repo is None or run_id is None:
        raise NotParsed("no deployment_review: action, repository or workflow_run is missing")
    jobs = list(_jobs(record))
    at = logged_at(_time_of(record, status, jobs))
    places = dict.fromkeys(named for job in jobs if (named := text(job.get("environment"))))
    environments: list[str | None] = [*places] or [text(record.get("environment"))]
    review = _review(record, run, status, at)
    attempt = label(run.get("run_attempt")) or "1"
    return [
        approval_event(
            _of_environment(review, (repo, run_id, attempt), environment),
            ENVIRONMENTS,
            options,
            run_keys(repo, run_id, environment),
        )
        for environment in environments
    ]


def _jobs(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The jobs that were reviewed: a request names one, an answer may name several."""
    many = [job for job in sequence(record.get("workflow_job_runs")) if type(job) is dict]
    yield from many or [mapping(record.get("workflow_job_run"))]


def _time_of(record: dict[str, Any], status: str, jobs: list[dict[str, Any]]) -> int | None:
    """An answer is as old as the last change of the jobs it moved; a request has waited `since`."""
    since = micros(record.get("since"))
    if status == "requested":
        return since or next((moment for job in jobs if (moment := micros(job.get("created_at")))), None)
    return max((moment for job in jobs if (moment := micros(job.get("updated_at")))), default=since)


def _review(record: dict[str, Any], run: dict[str, Any], status: str, at: int) -> ApprovalState:
    """What is said of all environments of one delivery; the approval's own id is still missing."""
    asked = next((named for party in _asking(record, run) if (named := _login(party))), None)
    is_answer = status != "requested"
    by = mapping(record.get("approver") if is_answer else record.get("requestor"))
    return ApprovalState(
        uid="",
        status=status,
        at=at,
        by_kind=_KINDS.get(text(by.get("type")) or ""),
        requested_by=asked,
        approved_by=_login(by) if is_answer else None,
        requested_at=None if is_answer else at,
        approved_at=at if is_answer else None,
        task=text(run.get("display_title")) or text(run.get("name")),
        account=_login(record.get("organization")),
    )


def _of_environment(review: ApprovalState, run: tuple[str, str, str], environment: str | None) -> ApprovalState:
    """The state for one environment; `run` is repository, run id and attempt."""
    repo, run_id, attempt = run
    uid = approval_uid(repo, run_id, environment)
    return msgspec.structs.replace(
        review,
        uid=uid,
        native_id=f"{uid}/{attempt}/{review.status}",
        subject=subject_of(repo, environment),
        scope=(f"{repo}/{environment}",) if environment else (repo,),
    )


def _asking(record: dict[str, Any], run: dict[str, Any]) -> tuple[Any, ...]:
    return record.get("requestor"), run.get("triggering_actor"), run.get("actor")


def _login(party: Any) -> str | None:
    return text(mapping(party).get("login"))


SOURCE = Source(
    name="github_environment_approvals",
    log="github_environment_approvals",
    approval_system="github",
    version=3,
    title="GitHub environment approvals",
    reads="deliveries of the webhook deployment_review, a payload a line or in arrays",
    recognised_by="action, since, workflow_run, repository and the job runs of a deployment review",
    grade="documentation",
    documentation="https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_review",
    documented_at="2026-11-25",
    evidence_kinds=("approval",),
    voice="recorded",
    governs=("github",),
    join_keys=("approval", "ticket"),
    recognise=recognise,
    records=json_records,
    events=events,
    objects=(
        "requestor",
        "approver",
        "reviewers",
        "sender",
        "repository",
        "organization",
        "workflow_run",
        "workflow_job_run",
        "workflow_job_runs",
    ),
    never_text=frozenset({"requestor", "approver", "repository", "workflow_run"}),
)
