"""Teleport's access requests as states of one approval.

Who approves may annotate the answer (`--annotations=ticket=...`): that ticket is another system's approval, under which
this one was given. The reason of the request is its author's free text and stays the task.

create: requested; update and review: the state the request is in after it; expire: expired; delete: revoked, for a
deleted request gives nobody a certificate any more. A review that leaves the request pending decides nothing and is an
activity of the reviewer, no state of the approval.
"""

from typing import Any

from ultravires.reading.events import Event, NotParsed
from ultravires.reading.options import Options
from ultravires.reading.values import mapping, micros, sequence, text, texts
from ultravires.sources.teleport.records import Actor, roles_of, source_of
from ultravires.sources.tickets.approval_states import ApprovalState, approval_event

SOURCE_NAME = "teleport_audit"
_STATES = {"PENDING": "requested", "APPROVED": "approved", "DENIED": "denied", "PROMOTED": "approved"}
_ENDS = {"access_request.expire": "expired", "access_request.delete": "revoked"}
_TICKETS = ("ticket", "ticket_id")
_ANSWERS = frozenset({"access_request.update", "access_request.review"})


def status_of(record: dict[str, Any], event: str) -> str | None:
    """The state of the approval after this record; None where the record changes none."""
    if event in _ENDS:
        return _ENDS[event]
    state = text(record.get("state"))
    status = _STATES.get(state.removeprefix("RequestState_")) if state else None
    if event == "access_request.create":
        return status or "requested"
    return status if event in _ANSWERS and status != "requested" else None


def request_event(
    record: dict[str, Any], event: str, status: str, *, at: int, actor: Actor, options: Options
) -> tuple[Event]:
    """The state of an access request as an approval. Raises NotParsed where the request has no id."""
    uid = text(record.get("id"))
    if uid is None:
        raise NotParsed("no id of the access request")
    is_asked, is_answered = event == "access_request.create", status in ("approved", "denied")
    by = (text(record.get("reviewer")) or text(record.get("delegator"))) if not is_asked else None
    by = by or (text(record.get("updated_by")) if event == "access_request.update" else None) or actor.uid
    roles, resources = texts(record.get("roles")), _resources(record)
    promoted = text(record.get("promoted_access_list_name"))
    state = ApprovalState(
        uid=uid,
        status=status,
        at=at,
        native_id=text(record.get("uid")),
        by=by,
        by_kind=actor.kind if by == actor.uid else None,
        subject=actor.uid if is_asked else None,
        requested_by=(actor.impersonator or actor.uid) if is_asked else None,
        approved_by=by if is_answered else None,
        requested_at=at if is_asked else None,
        approved_at=at if is_answered else None,
        valid_from=micros(record.get("assume_start_time")),
        valid_until=None if event in _ENDS else micros(record.get("expires")) or micros(record.get("max_duration")),
        revoked_at=at if status == "revoked" else None,
        task=text(record.get("reason")) if is_asked else None,
        account=text(record.get("cluster_name")),
        src_ip=source_of(record),
        scope=[*roles, *resources, *([f"access_list/{promoted}"] if promoted else [])],
        roles=roles_of(roles) or None,
        resources=[pattern for resource in resources for pattern in _patterns(resource)] or None,
    )
    return (approval_event(state, SOURCE_NAME, options, _tickets(record) if is_answered else ()),)


def _tickets(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    annotations = mapping(record.get("annotations"))
    return [("ticket", ticket, "uses") for name in _TICKETS for ticket in texts(annotations.get(name))]


def _resources(record: dict[str, Any]) -> list[str]:
    return [written for item in sequence(record.get("resource_ids")) if (written := _written(mapping(item)))]


def _written(resource: dict[str, Any]) -> str | None:
    kind, name = text(resource.get("kind")), text(resource.get("name"))
    inner = text(resource.get("sub_resource"))
    whole = f"/{text(resource.get('cluster')) or ''}/{kind}/{name}"
    return (f"{whole}/{inner}" if inner else whole) if kind and name else None


def _patterns(resource: str) -> list[str]:
    """Who may use a Kubernetes cluster or a namespace may use what is in it."""
    _, cluster, kind, name = resource.split("/", 3)
    return [resource, f"/{cluster}/*/{name}/*"] if kind in ("kube_cluster", "namespace") else [resource]
