"""Approvals that GitHub's audit log records: reviews of deployments, and grants of fine-grained tokens."""

from typing import Any

from ultravires.reading.events import Event
from ultravires.reading.options import Options
from ultravires.reading.values import label, text, texts
from ultravires.sources.github.runs import approval_uid, run_keys, run_of, subject_of
from ultravires.sources.tickets.approval_states import ApprovalState, approval_event

ENVIRONMENTS = "github_environment_approvals"
"""The source whose `approval_scopes` say what an environment means, wherever its approval was recorded."""
_REVIEWS = {"workflows.approve_workflow_job": "approved", "workflows.reject_workflow_job": "denied"}
_TOKENS = {
    "personal_access_token.request_created": "requested",
    "personal_access_token.access_granted": "approved",
    "personal_access_token.request_denied": "denied",
    "personal_access_token.access_revoked": "revoked",
}


def approval_of(record: dict[str, Any], action: str, at: int, actor_kind: str | None, options: Options) -> Event | None:
    """The approval that this action made, besides the activity that it is; None where it made none."""
    if action in _REVIEWS:
        return _review(record, _REVIEWS[action], at, actor_kind, options)
    state = _token(record, _TOKENS[action], at, actor_kind) if action in _TOKENS else None
    return approval_event(state, "github_audit", options) if state else None


def carried_approvals(record: dict[str, Any], action: str) -> list[tuple[str, str, str]]:
    """The approvals behind what was done: of a job for its environment, of a token for its organization.

    The audit log may not say for which environment a run was approved, so a job names the run as well, as a ticket:
    under one kind of key, what the webhook and the audit log both tell would be two candidates, and neither proof.
    """
    if action == "personal_access_token.access_granted":
        return [("approval", uid, "carries")] if (uid := _token_approval_uid(record)) else []
    if action in _REVIEWS or not action.startswith("workflows."):
        return []
    repo, run, environment = run_of(record)
    if repo is None or run is None or environment is None:
        return []
    return [
        ("approval", approval_uid(repo, run, environment), "carries"),
        ("ticket", approval_uid(repo, run, None), "carries"),
    ]


def _review(record: dict[str, Any], status: str, at: int, actor_kind: str | None, options: Options) -> Event | None:
    repo, run, environment = run_of(record)
    if repo is None or run is None:
        return None
    state = ApprovalState(
        uid=approval_uid(repo, run, environment),
        status=status,
        at=at,
        native_id=_native_id(record),
        by_kind=actor_kind,
        approved_by=text(record.get("actor")),
        approved_at=at,
        subject=subject_of(repo, environment),
        task=text(record.get("name")),
        account=text(record.get("org")),
        scope=(f"{repo}/{environment}",) if environment else (repo,),
    )
    return approval_event(state, ENVIRONMENTS, options, run_keys(repo, run, environment))


def _token(record: dict[str, Any], status: str, at: int, actor_kind: str | None) -> ApprovalState | None:
    uid = _token_approval_uid(record)
    if uid is None:
        return None
    actor, owner = text(record.get("actor")), text(record.get("user"))
    is_request, repositories = status == "requested", _repositories(record)
    return ApprovalState(
        uid=uid,
        status=status,
        at=at,
        native_id=_native_id(record),
        by_kind=actor_kind,
        by=actor,
        subject=owner or (actor if is_request else None),
        requested_by=(actor if is_request else owner),
        approved_by=actor if status in ("approved", "denied") else None,
        requested_at=at if is_request else None,
        approved_at=at if status in ("approved", "denied") else None,
        revoked_at=at if status == "revoked" else None,
        account=text(record.get("org")),
        scope=repositories or (),
        resources=repositories,
    )


def _repositories(record: dict[str, Any]) -> list[str] | None:
    org = text(record.get("org"))
    if record.get("repository_selection") == "all" and org:
        return [f"{org}/*"]
    return texts(record.get("repositories")) or None


def _token_approval_uid(record: dict[str, Any]) -> str | None:
    org = text(record.get("org")) or text(record.get("business"))
    access = label(record.get("user_programmatic_access_id"))
    request = label(record.get("user_programmatic_access_request_id"))
    named = f"pat/{access}" if access else f"pat_request/{request}" if request else None
    return f"github:{org}/{named}" if org and named else None


def _native_id(record: dict[str, Any]) -> str | None:
    document = text(record.get("_document_id"))
    return f"{document}/approval" if document else None
