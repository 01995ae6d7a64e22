"""Which approval of an identity covers what it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import duckdb
from ultravires_models.policies.patterns import action_covers, covers

from ultravires.lineage.entitlement import Entitlement
from ultravires.sources.action_words import action_words
from ultravires.tracing.rows import fetch_rows


@dataclass(frozen=True)
class Approved:
    """An approval that holds at the moment, as far as it says what for. Without actions, roles and tools it sets no
    bounds.
    """

    approval_uid: str
    ticket: str | None
    task: str | None
    approved_by: str | None
    granted_at: datetime | None
    valid_from: datetime | None
    ends_at: datetime | None
    actions: list[str]
    resources: list[str]
    roles: list[str]
    tools: list[str]
    event_id: str | None


_APPROVED = """
select distinct approval_uid, ticket, task, approved_by, granted_at, valid_from, ends_at,
    coalesce(actions, []) as actions,
    coalesce(resources, []) as resources, coalesce(roles, []) as roles, coalesce(tools, []) as tools, event_id
from approvals
where identity_id in (select unnest($ids::varchar[])) and is_granted and origin = 'ticket'
    and (valid_from is null or valid_from <= $at) and (ends_at is null or ends_at > $at)
order by valid_from nulls first, approval_uid
"""


def read_approved(con: duckdb.DuckDBPyConnection, names: Iterable[str], at: datetime) -> list[Approved]:
    return [Approved(**row) for row in fetch_rows(con, _APPROVED, {"ids": list(names), "at": at})]


def covering(row: Entitlement, approved: Iterable[Approved]) -> list[str]:
    """The approvals that cover a row: by actions and resources, or by the name of what gives it, as it was then."""
    return [each.approval_uid for each in approved if _by_words(row, each) or _by_name(row, each)]


def _by_words(row: Entitlement, approval: Approved) -> bool:
    if row.action_pattern is None or row.resource_pattern is None:
        return False
    is_bounded = approval.actions or approval.roles or approval.tools
    actions = [word for each in approval.actions for word in _words(each)] if is_bounded else ["*"]
    resources = approval.resources or ["*"]
    of_action = any(action_covers(each, row.action_pattern) for each in actions)
    return of_action and any(covers(each, row.resource_pattern) for each in resources)


def _by_name(row: Entitlement, approval: Approved) -> bool:
    is_as_then = row.valid_from is None or (approval.granted_at is not None and row.valid_from <= approval.granted_at)
    return is_as_then and not {row.holder_uid, *row.path}.isdisjoint(approval.roles)


def _words(action: str) -> tuple[str, ...]:
    """An action as a log calls it is also granted by these."""
    return (action, *_permissions().get(action.lower(), ()))


@cache
def _permissions() -> dict[str, tuple[str, ...]]:
    return {word.log_word.lower(): tuple(word.permissions) for word in action_words()}
