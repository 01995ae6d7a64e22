"""What a review looks at, from the published tables: rights, use, drift and owners, identity by identity."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import duckdb

from ultravires.errors import UsageError
from ultravires.store.queries import fetch_row
from ultravires.tracing.rows import Row, fetch_rows

_AS_OF = "(select max_by(as_of, started_at) from runs)"

RIGHT_COLUMNS = (
    "entitlement_id, identity_id, holder_uid, layer, effect, action_pattern, resource_pattern, except_actions, "
    "except_resources, scope_uid, condition, valid_from, valid_until, path, start_by, event_id, cause_actor_uid, "
    "approval_uid, is_reported, is_certain, power"
)

# An approval of roles or tools alone lists no action and approves none beside theirs.
# What is held today. An answer of a review counts from when it was given, which is later than what the logs reach.
_RIGHTS = f"""
select {RIGHT_COLUMNS}
from entitlements
where (valid_until is null or valid_until > {_AS_OF})
    and not (start_by = 'approval' and action_pattern = '*' and 'approval:' || approval_uid in (
        select approval_id from approvals where len(actions) = 0 and len(roles) + len(tools) > 0
    ))
order by identity_id, layer, holder_uid, path, action_pattern, resource_pattern, effect, entitlement_id
"""

_APPROVED_ROLES = f"""
select identity_id, unnest(roles) as role, approval_id, approved_by, granted_at
from approvals
where is_granted and origin = 'ticket' and len(actions) = 0 and (ends_at is null or ends_at > {_AS_OF})
order by identity_id, role, granted_at desc nulls last, approval_id
"""

# Who is held through is reviewed in those who hold; the provider's own services are the provider's to review.
_IDENTITIES = """
with through as (select distinct unnest(path) as uid from entitlements),
holders as (
    select distinct identity_id
    from entitlements
    where identity_id not in (select uid from through)
)
select
    coalesce(identities.identity_id, holders.identity_id) as identity_id,
    identities.name, identities.owner, identities.identity_kind, identities.risk_tier, identities.last_seen_at
from identities
full join holders on holders.identity_id = identities.identity_id
where identities.kind_evidence is distinct from 'provider''s own'
    and ($identity_owner is null or identities.owner = $identity_owner)
    and (
        holders.identity_id is not null or identities.is_nonhuman
        or identities.identity_id in (select identity_id from entitlements)
    )
order by identities.owner nulls last, identity_id
"""

_USES = """
select
    identity_id, action, coalesce(canonical_action, action) as permission, nullif(resource_uid, '') as resource_uid,
    sum(n)::bigint as n, sum(n - n_failed)::bigint as n_done, max(last_at) as last_at
from usage
group by all
order by all
"""

# What a call needs beside, such as to pass a role, is no call of its own.
_USES_BESIDE = """
with acts as (
    select
        chain_steps.identity_id, chain_steps.outcome, chain_steps.step_at,
        unnest(try_cast(json_extract(events.detail, '$.further_permissions') as varchar[])) as permission
    from chain_steps
    join events on events.event_id = chain_steps.event_id
    where chain_steps.node_kind = 'activity' and chain_steps.is_counted and chain_steps.identity_id is not null
        and contains(events.detail, '"further_permissions"')
)
select
    identity_id, permission as action, permission, null::varchar as resource_uid, count(*) as n,
    count(*) filter (where outcome is distinct from 'denied' and outcome is distinct from 'failure') as n_done,
    max(step_at) as last_at
from acts
where permission is not null
group by identity_id, permission
order by identity_id, permission
"""

_DRIFT = """
select identity_id, kind, severity, sentence, first_at, is_certain, reviewed_by
from drift
order by identity_id, first_at nulls last, drift_id
"""

# From when until when a missing act means that there was none: as in the drift that is called unused.
_WINDOW = """
select max(oldest_event_at), min(complete_until)
from sources
where list_contains(evidence_kinds, 'activity') and state <> 'absent' and voice = 'recorded'
"""


@dataclass(frozen=True)
class Right:
    """One row of `entitlements` that stands today."""

    entitlement_id: str
    identity_id: str
    holder_uid: str
    layer: str
    effect: str
    action_pattern: str | None
    resource_pattern: str | None
    except_actions: list[str]
    except_resources: list[str]
    scope_uid: str | None
    condition: str | None
    valid_from: datetime | None
    valid_until: datetime | None
    path: list[str]
    start_by: str | None
    event_id: str | None
    cause_actor_uid: str | None
    approval_uid: str | None
    is_reported: bool | None
    is_certain: bool | None
    power: str | None

    @property
    def is_to_decide(self) -> bool:
        """What a reviewer answers for; what only denies or limits takes nothing away by being there."""
        return self.layer == "granted" and self.effect in ("allow", "unknown")


@dataclass(frozen=True)
class Use:
    """An action on a resource, how often it was tried and how often done; `permission` is the word that grants it."""

    action: str
    permission: str
    resource_uid: str | None
    n: int
    n_done: int
    last_at: datetime


@dataclass(frozen=True)
class ApprovedRole:
    """A role, group or policy that an approval names: it approves what that gave on the day of the approval."""

    role: str
    approval_id: str
    approved_by: str | None
    granted_at: datetime | None

    def approves(self, right: Right) -> bool:
        """Whether the right came through it and was there by then."""
        if self.role != right.holder_uid and self.role not in right.path:
            return False
        return right.valid_from is None or (self.granted_at is not None and right.valid_from <= self.granted_at)


@dataclass(frozen=True)
class Window:
    """From when until when every log of activity was read to the end; None where there is none."""

    seen_from: datetime | None = None
    complete_until: datetime | None = None


@dataclass(frozen=True)
class Reviewed:
    """One identity with all that is known of it."""

    identity_id: str
    name: str | None = None
    owner: str | None = None
    identity_kind: str | None = None
    risk_tier: str | None = None
    last_seen_at: datetime | None = None
    rights: list[Right] = field(default_factory=list)
    approved_roles: list[ApprovedRole] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    drift: list[Row] = field(default_factory=list)

    @cached_property
    def uses_by_action(self) -> dict[tuple[str, str], list[Use]]:
        """By what grants it and what its log calls it: a right is asked once for each, however much was used."""
        found: defaultdict[tuple[str, str], list[Use]] = defaultdict(list)
        for use in self.uses:
            found[use.permission, use.action].append(use)
        return dict(found)

    @cached_property
    def approved(self) -> list[Right]:
        return [right for right in self.rights if right.layer == "approved"]

    @property
    def granted(self) -> list[Right]:
        return [right for right in self.rights if right.is_to_decide]


@dataclass(frozen=True)
class Facts:
    """`shown` are the actions that the logs show of anybody, in their words and in those that grant them."""

    as_of: datetime | None
    window: Window
    shown: frozenset[str]
    identities: list[Reviewed]


def read_facts(con: duckdb.DuckDBPyConnection, owner: str | None = None) -> Facts:
    """The identities that `owner` answers for, or all, those of nobody last. UsageError for a home whose tables are of
    another version.
    """
    try:
        return _read(con, owner)
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise UsageError("review: an older version published this home; run it once with this one") from error


def _read(con: duckdb.DuckDBPyConnection, owner: str | None) -> Facts:
    rights = _by_identity(fetch_rows(con, _RIGHTS))
    roles = _by_identity(fetch_rows(con, _APPROVED_ROLES))
    uses = _by_identity([*fetch_rows(con, _USES), *fetch_rows(con, _USES_BESIDE)])
    drift = _by_identity(fetch_rows(con, _DRIFT))
    as_of = fetch_row(con, f"select {_AS_OF}")
    window = fetch_row(con, _WINDOW)
    shown = {row[name] for of_one in uses.values() for row in of_one for name in ("action", "permission")}
    identities = [
        Reviewed(
            **row,
            rights=[Right(**right) for right in rights[row["identity_id"]]],
            approved_roles=[ApprovedRole(**_without_identity(role)) for role in roles[row["identity_id"]]],
            uses=[Use(**_without_identity(use)) for use in uses[row["identity_id"]]],
            drift=drift[row["identity_id"]],
        )
        for row in fetch_rows(con, _IDENTITIES, {"identity_owner": owner})
    ]
    return Facts(as_of[0] if as_of else None, Window(*(window or (None, None))), frozenset(shown), identities)


def _by_identity(rows: list[Row]) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["identity_id"]].append(row)
    return found


def _without_identity(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "identity_id"}
