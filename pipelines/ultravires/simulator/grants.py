"""Approvals as the ticket system exports them: each state of an approval is a line of its own."""

from dataclasses import dataclass
from typing import Any

from ultravires.simulator.moments import to_seconds

Json = dict[str, Any]

_IAM_WORDS = {
    "lambda:GetFunction20150331v2": "lambda:GetFunction",
    "lambda:UpdateFunctionCode20150331v2": "lambda:UpdateFunctionCode",
    "monitoring:PutMetricData": "cloudwatch:PutMetricData",
    "s3:ListObjects": "s3:ListBucket",
}
"""How IAM calls what CloudTrail records under another name."""


@dataclass(frozen=True)
class Grant:
    """One approval through its life; times in milliseconds."""

    uid: str
    ticket: str
    task: str
    subject: str
    requested_by: str
    approved_by: str
    requested_at: int
    approved_at: int
    valid_until: int
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    roles: tuple[str, ...]
    tools: tuple[str, ...] = ()
    risk: str = "medium"
    revoked_at: int | None = None
    valid_from: int | None = None
    """Where the approver dates it back; else it is valid from the moment it is given."""
    recorded_after: int = 0
    """How long after the answer the ticket system writes it down."""

    @property
    def node(self) -> str:
        return f"approval:{self.uid}"


def state_lines(grant: Grant) -> list[tuple[int, Json]]:
    """(time of the state, record) for requested, approved and, where it happened, revoked."""
    states = [(grant.requested_at, "requested"), (grant.approved_at + grant.recorded_after, "approved")]
    if grant.revoked_at is not None:
        states.append((grant.revoked_at, "revoked"))
    return [(at, _state(grant, at, status)) for at, status in states]


def _state(grant: Grant, at: int, status: str) -> Json:
    is_answered = status != "requested"
    return {
        "approval_id": grant.uid,
        "task": grant.task,
        "subject": grant.subject,
        "requested_by": grant.requested_by,
        "approved_by": grant.approved_by if is_answered else None,
        "requested_at": to_seconds(grant.requested_at),
        "approved_at": to_seconds(grant.approved_at) if is_answered else None,
        "valid_from": to_seconds(grant.valid_from or grant.approved_at) if is_answered else None,
        "valid_until": to_seconds(grant.valid_until),
        "revoked_at": to_seconds(at) if status == "revoked" else None,
        "updated_at": to_seconds(at),
        "status": status,
        "actions": _written_actions(grant),
        "resources": list(grant.resources),
        "roles": list(grant.roles),
        "tools": list(grant.tools),
        "ticket": grant.ticket,
        "risk": grant.risk,
    }


def _written_actions(grant: Grant) -> list[str]:
    """Every second ticket is written by somebody who thinks in IAM's words and not in CloudTrail's."""
    number = grant.uid.rpartition("-")[2]
    is_in_iams_words = number.isdigit() and int(number) % 2 == 0
    return sorted({_IAM_WORDS.get(action, action) if is_in_iams_words else action for action in grant.actions})
