"""Whether an identity may do something, by which statements, and which changes would end it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from ultravires.lineage.changes import Change, grants_of, lost, takes_from_anybody
from ultravires.lineage.covering import Approved, covering
from ultravires.lineage.entitlement import AT, Entitlement, read_entitlements
from ultravires.lineage.held_paths import Statement
from ultravires.lineage.judging import Asked, Rows, account_of, judge, may_lie_in, put_to, speaks_of_action
from ultravires.lineage.revocation import Others, Revocation, all_changes, answer, revoke, ways_of
from ultravires.lineage.who import Who
from ultravires.tracing.rows import fetch_rows

_MOST_RESOURCES = 200


@dataclass(frozen=True)
class Asking:
    """May `who` do this at this moment? Without a resource: to anything."""

    who: Who
    at: datetime
    action: str
    resource: str | None


@dataclass(frozen=True)
class Proposed:
    """A change of the revocation path: how many others lose something by it (None: anybody), and what else."""

    change: Change
    sentence: str
    n_others: int | None
    n_statements: int


@dataclass(frozen=True)
class Decision:
    """The answer, and what would end it. `assumed_account` is where the resource is taken to lie, as nothing tells."""

    action: str
    resource: str | None
    on_resources: list[str]
    result: str
    reason: str
    assumed_account: str | None
    decided_by: list[Statement]
    revocation: Revocation | None
    proposed: list[Proposed]
    to_be_sure: list[Proposed]


def decide_on(con: duckdb.DuckDBPyConnection, asking: Asking, own: Rows, approved: Sequence[Approved]) -> Decision:
    """The answer; `own` is what the identity holds at that moment, and what limits it."""
    action = asking.action
    rows = _with_resources(con, asking, own)
    accounts, assumed = _accounts(con, asking, rows)
    questions = _questions(asking, rows, accounts)
    found, of_which = answer(rows, questions)
    others = _others(con, asking, rows, questions) if found.result != "deny" else {}
    revocation = revoke(rows, questions, others)
    decided_by = [row for row in rows if speaks_of_action(row, action) and _decides(row, of_which, found.result, rows)]

    def proposed(changes: Iterable[Change]) -> list[Proposed]:
        return [
            Proposed(each, each.sentence(action), others.get(each), len(lost(rows, each, action))) for each in changes
        ]

    return Decision(
        action=action,
        resource=asking.resource,
        on_resources=[each.resource for each in of_which],
        result=found.result,
        reason=found.reason,
        assumed_account=assumed,
        decided_by=[Statement(row, covering(row, approved)) for row in decided_by],
        revocation=revocation,
        proposed=proposed(revocation.changes or []) if revocation else [],
        to_be_sure=proposed(revocation.to_be_sure) if revocation else [],
    )


def _decides(row: Entitlement, questions: Sequence[Asked], result: str, rows: Rows) -> bool:
    """Whether the row by itself speaks for the answer: it denies, or within what limits it allows or may."""
    if row.effect == "deny":
        alone = [row]
        return result != "allow" and any(
            judge(alone, each).reason.endswith(("deny", "may apply")) for each in questions
        )
    if row.layer == "limit" or result == "deny":
        return False
    limits = [each for each in rows if each.layer == "limit"]
    return any(judge([*limits, row], each).result != "deny" for each in questions)


def _with_resources(con: duckdb.DuckDBPyConnection, asking: Asking, own: Rows) -> list[Entitlement]:
    """The rows, and the documents of the resources that speak of the action, and the guardrails of other systems."""
    uid = "split_part(document_uid, '#', 1)"
    about = f"($resource is null or {uid} = $resource or starts_with($resource, {uid} || '/'))"
    guards = "document_uid in (select document_uid from entitlements where layer = 'limit')"
    of_resources = f"(document_kind in ('resource', 'trust') and ({about} or {guards}))"
    elsewhere = "(layer = 'limit' and effect = 'deny' and relations[-1] = 'guardrail' and principal is not null)"
    is_pattern = "regexp_matches(action_pattern, '[*?]')"
    may_speak = f"(action_pattern is null or lower(action_pattern) = lower($action) or {is_pattern})"
    found = read_entitlements(
        con,
        f"layer <> 'approved' and ({of_resources} or {elsewhere}) and {may_speak} and {AT}",
        {"resource": asking.resource, "action": asking.action, "at": asking.at},
    )
    more = [row for row in found if speaks_of_action(row, asking.action)]
    return list({row.entitlement_id: row for row in [*own, *more]}.values())


def _accounts(con: duckdb.DuckDBPyConnection, asking: Asking, rows: Rows) -> tuple[dict[str, str], str | None]:
    """Account by resource whose name has none: that in which its policy was written. Where that is not known, the
    resource is taken to lie in the identity's own, which is given beside it so that it can be said.
    """
    sql = """select event_id, account_uid from events
        where event_id in (select unnest($ids::varchar[])) and account_uid is not null"""
    events = {row.event_id for row in rows if row.resource and row.event_id}
    found = fetch_rows(con, sql, {"ids": sorted(events)}) if events else []
    written_in = {row["event_id"]: row["account_uid"] for row in found}
    known = {row.resource: written_in[row.event_id] for row in rows if row.resource and row.event_id in written_in}
    resource = asking.resource
    if resource is None or not resource.startswith("arn:") or _account(resource, known):
        return known, None
    return known, next((account for name in asking.who.names if (account := account_of(name))), None)


def _account(resource: str, known: dict[str, str]) -> str | None:
    parts = resource.split(":", 5)
    if len(parts) == 6 and parts[0] == "arn" and parts[4].isdigit():
        return parts[4]
    return next((account for each, account in known.items() if may_lie_in(each, resource)), None)


def _questions(asking: Asking, rows: Rows, accounts: dict[str, str]) -> list[Asked]:
    """The question, or without a resource one for each pattern of resources on which something may allow the action."""
    resources = [asking.resource] if asking.resource is not None else _patterns(rows, asking.action)
    asked = Asked(asking.who.names, asking.action, "*")
    return [put_to(asked, each, _account(each, accounts)) for each in resources]


def _patterns(rows: Rows, action: str) -> list[str]:
    giving = [row for row in rows if row.layer == "granted" and row.effect != "deny" and speaks_of_action(row, action)]
    named = {row.resource if row.resource_pattern == row.document_uid else row.resource_pattern for row in giving}
    return sorted(each or "*" for each in named)[:_MOST_RESOURCES]


_SHARING = """
with others as (
    select identity_id, holder_uid, grant_ids, document_uid, action_pattern, resource_pattern, principal, effect
    from entitlements
    where layer = 'granted' and {at}
        and identity_id not in (select unnest($names::varchar[]))
        and holder_uid not in (select unnest($names::varchar[]))
)
select 'grant' as kind, g as name, null as action_pattern, null as resource_pattern, null as principal,
    list_sort(list(distinct identity_id)) as ids
from (select identity_id, unnest(grant_ids) as g from others)
where g in (select unnest($grants::varchar[]))
group by g
union all
select 'document', document_uid, action_pattern, resource_pattern, principal, list_sort(list(distinct identity_id))
from others
where document_uid in (select unnest($documents::varchar[])) and effect = 'allow'
group by document_uid, action_pattern, resource_pattern, principal
"""


def _others(con: duckdb.DuckDBPyConnection, asking: Asking, rows: Rows, questions: Sequence[Asked]) -> Others:
    """How many others would lose something by each change that is open; groups and roles on the way are none."""
    changes = all_changes(ways_of(rows, questions, ("allow", "unknown")))
    grants = {change: grants_of(rows, change) for change in changes}
    on_the_way = {each for row in rows if row.layer == "granted" for each in row.path}
    values: dict[str, object] = {
        "names": sorted({*asking.who.names, *on_the_way}),
        "grants": sorted({grant for found in grants.values() for grant in found}),
        "documents": sorted({change.document for change in changes if change.document}),
        "at": asking.at,
    }
    found = fetch_rows(con, _SHARING.format(at=AT), values)
    by_grant = {row["name"]: set(row["ids"]) for row in found if row["kind"] == "grant"}
    by_row = {
        (row["name"], row["action_pattern"], row["resource_pattern"], row["principal"]): set(row["ids"])
        for row in found
        if row["kind"] == "document"
    }
    counted: Others = {}
    for change in changes:
        taken = lost(rows, change, asking.action)
        keys = {(row.document_uid, row.action_pattern, row.resource_pattern, row.principal) for row in taken}
        ids = [by_row.get(key, set()) for key in keys] if change.document else []
        ids += [by_grant.get(grant, set()) for grant in grants[change]]
        counted[change] = None if takes_from_anybody(change) else len(set().union(*ids))
    return counted
