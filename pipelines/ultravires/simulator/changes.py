"""Changes as ServiceNow exports them: rows of change_request and of their approvers, from one day on and up to another.

Before the system was taken into use, and after its export stopped, changes are approved all the same; no log says so.
"""

from ultravires.simulator import ids
from ultravires.simulator.agent_plans import approved_actions
from ultravires.simulator.cast import Worker
from ultravires.simulator.extent import Extent
from ultravires.simulator.grants import Grant, Json
from ultravires.simulator.moments import DAY, DAYS, HOUR, MINUTE, SECOND, to_database
from ultravires.simulator.stage import Stage
from ultravires.simulator.worker_grants import approved_resources

LOG = "servicenow_approvals"
MAX_SILENCE = "1d"
"""What a company may expect that makes changes every night."""

_FROM, _UNTIL = 2, 6
_HOST = "https://acme.service-now.example/api/now/table"


def is_recorded(extent: Extent, at: int) -> bool:
    """Whether a change of that moment is in the export: of ten days, from the third to the sixth."""
    begins, ends = (extent.n_days * day // DAYS * DAY + extent.first_day for day in (_FROM, _UNTIL))
    return begins <= at < ends


def change_grant(stage: Stage, worker: Worker, at: int) -> Grant:
    """The approval of one night's change: for four hours, by the change board in the afternoon before."""
    approved_at = at // DAY * DAY - stage.rng.randrange(4, 8) * HOUR
    number = ids.hexadecimal(stage.rng, 32)
    asked, answered = stage.people()
    return Grant(
        uid=number,
        ticket=f"CHG{int(number[:6], 16) % 10_000_000:07d}",
        task=worker.task,
        subject=worker.subject,
        requested_by=asked,
        approved_by=answered,
        requested_at=approved_at - stage.rng.randrange(30, 200) * MINUTE,
        approved_at=approved_at,
        valid_until=at + 3 * HOUR,
        valid_from=at - HOUR,
        actions=approved_actions(worker.calls),
        resources=approved_resources(worker),
        roles=tuple(role.arn for role in worker.roles),
    )


def rows(grant: Grant, worker: Worker) -> list[tuple[int, Json]]:
    """(time, row): the change as it was asked for, the approver's answer, and the change as it was approved."""
    asked = grant.requested_at
    return [
        (asked, _change(grant, worker, "requested", asked)),
        (grant.approved_at, _answer(grant)),
        (grant.approved_at + SECOND, _change(grant, worker, "approved", grant.approved_at + SECOND)),
    ]


def item_of(worker: Worker) -> str:
    """What the change is about, in the system's own words."""
    return f"Nightly {worker.name}"


def _reference(table: str, name: str, shown: str) -> Json:
    uid = ids.hexadecimal(ids.stream("servicenow", table, name), 32)
    return {"link": f"{_HOST}/{table}/{uid}", "value": uid, "display_value": shown}


def _change(grant: Grant, worker: Worker, approval: str, at: int) -> Json:
    user = f"svc-{worker.name}"
    return {
        "number": grant.ticket,
        "sys_id": grant.uid,
        "sys_class_name": "change_request",
        "type": "standard",
        "approval": approval,
        "approval_set": to_database(grant.approved_at) if approval == "approved" else "",
        "state": "-2" if approval == "approved" else "-4",
        "risk": "3",
        "short_description": grant.task,
        "cmdb_ci": _reference("cmdb_ci", worker.name, item_of(worker)),
        "opened_by": _reference("sys_user", grant.requested_by, grant.requested_by),
        "opened_by.email": grant.requested_by,
        "requested_by": _reference("sys_user", user, user),
        "requested_by.user_name": user,
        "opened_at": to_database(grant.requested_at),
        "start_date": to_database(grant.valid_from or grant.approved_at),
        "end_date": to_database(grant.valid_until),
        "sys_created_on": to_database(grant.requested_at),
        "sys_updated_on": to_database(at),
    }


def _answer(grant: Grant) -> Json:
    change = {"link": f"{_HOST}/change_request/{grant.uid}", "value": grant.uid, "display_value": grant.ticket}
    return {
        "sys_id": ids.hexadecimal(ids.stream("approver row", grant.uid), 32),
        "state": "approved",
        "approver": _reference("sys_user", grant.approved_by, grant.approved_by),
        "approver.email": grant.approved_by,
        "sysapproval": change,
        "document_id": change,
        "source_table": "change_request",
        "sys_created_on": to_database(grant.requested_at),
        "sys_updated_on": to_database(grant.approved_at),
        "sys_updated_by": grant.approved_by,
    }
