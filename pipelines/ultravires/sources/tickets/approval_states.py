"""One state of one approval, whatever system granted it: every approval source ends in `approval_event`.

A system names what it grants in its own words (a catalogue item, a Teleport role, an environment). Those words stay in
`detail.scope`, and `approval_scopes` of ultravires.yaml says which actions, resources, roles and tools they mean.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from ultravires.reading.events import Event, present
from ultravires.reading.options import Options
from ultravires.reading.values import iso
from ultravires.sources.ocsf.classes import USER_ACCESS

"""OCSF User Access Management."""
_ACTIVITY = {"requested": 99, "approved": 1, "denied": 99, "revoked": 2, "expired": 2}
_OUTCOME = {
    "requested": "unknown",
    "approved": "success",
    "denied": "denied",
    "revoked": "success",
    "expired": "success",
}
STATUSES = tuple(_ACTIVITY)


class ApprovalState(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What one record says of one approval; None or empty where it says nothing. Times in microseconds since 1970.

    `subject` is who may act, `scope` what may be done in the system's own words; `actions`, `resources`, `roles` and
    `tools` are what the record itself says in the words of the logs where it is done.
    """

    uid: str
    status: str
    at: int
    native_id: str | None = None
    by: str | None = None
    by_kind: str | None = None
    subject: str | None = None
    requested_by: str | None = None
    approved_by: str | None = None
    requested_at: int | None = None
    approved_at: int | None = None
    valid_from: int | None = None
    valid_until: int | None = None
    revoked_at: int | None = None
    ticket: str | None = None
    task: str | None = None
    risk: str | None = None
    account: str | None = None
    src_ip: str | None = None
    scope: Sequence[str] = ()
    actions: Sequence[str] | None = None
    resources: Sequence[str] | None = None
    roles: Sequence[str] | None = None
    tools: Sequence[str] | None = None


def approval_event(
    state: ApprovalState, source: str, options: Options, keys: Iterable[tuple[str, str, str]] = ()
) -> Event:
    """The event of kind `approval` for this state; `by` is who made it so (else who asked, else who answered)."""
    meant = meaning_of(state.scope, source, options)
    lists = {name: _listed(getattr(state, name), meant.get(name)) for name in _LISTS}
    times = {name: moment for name in _TIMES if (moment := getattr(state, name)) is not None}
    names = [("approval", state.uid, "names"), *([("ticket", state.ticket, "names")] if state.ticket else [])]
    return Event(
        native_id=state.native_id or f"{state.uid}/{state.status}",
        event_at=state.at,
        kind="approval",
        class_uid=USER_ACCESS,
        activity_id=_ACTIVITY[state.status],
        actor_uid=state.by or (state.requested_by if state.status == "requested" else state.approved_by),
        actor_kind=state.by_kind,
        account_uid=state.account,
        src_ip=state.src_ip,
        action=f"approval:{state.status}",
        resource_uids=lists["resources"] or [],
        outcome=_OUTCOME[state.status],
        approval_uid=state.uid,
        task=state.task,
        keys=list(dict.fromkeys([*names, *keys])),
        detail=present(
            status=state.status,
            origin="ticket",
            subject=state.subject,
            requested_by=state.requested_by,
            approved_by=state.approved_by,
            ticket=state.ticket,
            risk=state.risk,
            scope=list(state.scope) or None,
            **lists,
            **{name: iso(moment) for name, moment in times.items()},
        ),
    )


_LISTS = ("actions", "resources", "roles", "tools")
_TIMES = ("requested_at", "approved_at", "valid_from", "valid_until", "revoked_at")


def meaning_of(scope: Iterable[str], source: str, options: Options) -> Mapping[str, Sequence[str]]:
    """What the system's own words mean by `approval_scopes` of ultravires.yaml: lists by name, each entry once."""
    known = options.approval_scopes.get(source, {})
    found: dict[str, list[str]] = {}
    for word in scope:
        for pattern, meaning in known.items():
            if fnmatchcase(word.lower(), pattern.lower()):
                for name, values in meaning.items():
                    found[name] = _joined(found.get(name, ()), values)
    return found


def _listed(own: Sequence[str] | None, meant: Sequence[str] | None) -> list[str] | None:
    """None where neither says anything: an empty list grants nothing, a missing one is unknown."""
    return None if own is None and not meant else _joined(own or (), meant or ())


def _joined(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys((*first, *second)))
