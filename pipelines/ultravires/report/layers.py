"""What the riskiest identities were approved, hold and use, and since when the three differ, by whose doing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
from ultravires_models.hits import SEVERITIES
from ultravires_models.policies.patterns import action_covers

from ultravires.report.drift_chart import DriftChart, draw_drift
from ultravires.tracing.rows import Row, fetch_rows

MAX_IDENTITIES, MAX_DRIFT, MAX_EXAMPLES = 10, 12, 4
MAX_PATTERNS = 300
"""So many patterns of each layer are compared with one another; of more it is said that they are not."""


@dataclass(frozen=True)
class Layer:
    """One of the three sets: how many it has, and how many of them lie outside of the next one, with some of those."""

    name: str
    n: int | None
    n_outside: int | None
    """Both are None where no log can tell."""
    outside: str
    examples: list[str]


@dataclass(frozen=True)
class LayersView:
    """One identity on the page; `drift` is what is open, the gravest first, and then what has ended."""

    identity_id: str
    name: str
    owner: str | None
    severity: str
    layers: list[Layer]
    n_open: int
    drift: list[Row]
    n_more_drift: int
    chart: DriftChart | None
    unknown: list[str]


@dataclass(frozen=True)
class LayersOverview:
    """`n_more` is how many more identities have drift that gives them more than was approved."""

    views: list[LayersView]
    n_more: int


# What is unused gives nobody more than was approved: it is told with the rest, and puts nobody on the page.
_RISKIEST = """
with asked_at as (select max_by(as_of, started_at) as as_of from runs),
open_drift as (
    select
        drift.*,
        list_position($severities, severity) as rank,
        case
            when cause_approval_uid is not null and kind <> 'expired_but_held' then 0
            when power = 'admin' then 10
            when power = 'permissions' then 3
            else 1
        end as weight
    from drift
    cross join asked_at
    where kind not in ('unused', 'unused_approval') and identity_id <> 'unknown'
        and (kind = 'overreach' or last_at is null or asked_at.as_of is null or last_at > asked_at.as_of)
)
select open_drift.identity_id, any_value(identities.name) as name, any_value(identities.owner) as owner,
    max(rank) as rank, count(*) over () as n_all
from open_drift
left join identities on identities.identity_id = open_drift.identity_id
group by open_drift.identity_id
order by max(rank) desc nulls last, sum(weight) desc, count(*) desc, open_drift.identity_id
limit $limit
"""

_DRIFT = """
with asked_at as (select max_by(as_of, started_at) as as_of from runs),
of_each as (
    select
        drift.*,
        kind = 'overreach' or last_at is null or asked_at.as_of is null or last_at > asked_at.as_of as is_open,
        kind not in ('unused', 'unused_approval') as is_beyond
    from drift
    cross join asked_at
    where identity_id in (select unnest($ids::varchar[]))
),
placed as (
    select
        *,
        count(*) over (partition by identity_id) as n_all,
        count(*) filter (where is_open) over (partition by identity_id) as n_open,
        row_number() over (
            partition by identity_id
            order by is_open desc, list_position($severities, severity) desc nulls last, first_at nulls last, drift_id
        ) as nth
    from of_each
    where is_open or is_beyond
)
select * from placed where nth <= $limit order by identity_id, nth
"""

_HELD = """
with asked_at as (select max_by(as_of, started_at) as as_of from runs),
held as (
    select identity_id, if(effect = 'unknown', 'unread', layer) as layer,
        coalesce(action_pattern, array_to_string(path, ' > ')) as pattern,
        bool_or(coalesce(start_by = 'before', false)) as is_from_before, bool_and(is_conditional) as is_conditional
    from entitlements
    cross join asked_at
    where identity_id in (select unnest($ids::varchar[])) and layer in ('approved', 'granted') and effect <> 'deny'
        and (valid_from is null or asked_at.as_of is null or valid_from <= asked_at.as_of)
        and (valid_until is null or valid_until > asked_at.as_of)
    group by all
)
select *, count(*) over (partition by identity_id, layer) as n_all
from held
qualify row_number() over (partition by identity_id, layer order by pattern) <= $limit
order by identity_id, layer, pattern
"""

_USED = """
select identity_id, coalesce(canonical_action, action) as word, any_value(action) as action, sum(n) as n,
    count(*) over (partition by identity_id) as n_all
from usage
where identity_id in (select unnest($ids::varchar[])) and n > n_denied and action is not null
group by identity_id, word
qualify row_number() over (partition by identity_id order by sum(n) desc, word) <= $limit
order by identity_id, n desc, word
"""

_DAILY = """
select * from drift_daily where identity_id in (select unnest($ids::varchar[])) order by identity_id, day
"""

_UNSEEN_KINDS = """
select kind
from (select state, unnest(evidence_kinds) as kind from sources)
where kind in ('approval', 'activity')
group by kind
having bool_and(state = 'absent')
"""


def read_layers(con: duckdb.DuckDBPyConnection) -> LayersOverview:
    """The identities whose open drift is gravest, each with its three sets and its drift over time."""
    ranked = fetch_rows(con, _RISKIEST, {"severities": list(SEVERITIES), "limit": MAX_IDENTITIES})
    ids = [row["identity_id"] for row in ranked]
    of_each: dict[str, object] = {"ids": ids}
    gravest: dict[str, object] = {"severities": list(SEVERITIES), "limit": MAX_DRIFT}
    drift = _by_identity(fetch_rows(con, _DRIFT, of_each | gravest))
    held = _by_identity(fetch_rows(con, _HELD, of_each | {"limit": MAX_PATTERNS}))
    used = _by_identity(fetch_rows(con, _USED, of_each | {"limit": MAX_PATTERNS}))
    daily = _by_identity(fetch_rows(con, _DAILY, of_each))
    unseen = {row["kind"] for row in fetch_rows(con, _UNSEEN_KINDS)}
    as_of = fetch_rows(con, "select max_by(as_of, started_at) as as_of from runs")[0]["as_of"]
    views = [
        LayersView(
            identity_id=key,
            name=row["name"] or key,
            owner=row["owner"],
            severity=SEVERITIES[row["rank"] - 1] if row["rank"] else "informational",
            layers=layers_of(held[key], used[key], unseen),
            n_open=drift[key][0]["n_open"],
            drift=drift[key],
            n_more_drift=drift[key][0]["n_all"] - len(drift[key]),
            chart=draw_drift(daily[key], drift[key], as_of) if daily[key] and as_of else None,
            unknown=unknown_of(held[key], used[key], unseen),
        )
        for key, row in ((row["identity_id"], row) for row in ranked)
    ]
    return LayersOverview(views, ranked[0]["n_all"] - len(ranked) if ranked else 0)


def layers_of(held: Sequence[Row], used: Sequence[Row], unseen: Iterable[str]) -> list[Layer]:
    """Approved, granted and used, by their action patterns: what was approved on one resource only counts as approved
    here, and what goes beyond the resource is told by its drift.
    """
    approved, granted = _patterns(held, "approved"), _patterns(held, "granted")
    unneeded = [pattern for pattern in approved if not _is_used(pattern, used)]
    unapproved = [pattern for pattern in granted if not _is_covered([pattern], approved)]
    overused = [row["word"] for row in used if not _is_covered([row["word"], row["action"]], approved)]
    has_approvals, has_activity = "approval" not in unseen, "activity" not in unseen
    beyond = "beyond what is approved"
    return [
        _layer("approved", _number(held, "approved") if has_approvals else None, unneeded, "never used", has_activity),
        _layer("granted", _number(held, "granted") or None, unapproved, beyond, has_approvals),
        _layer("used", (used[0]["n_all"] if used else 0) if has_activity else None, overused, beyond, has_approvals),
    ]


def unknown_of(held: Sequence[Row], used: Sequence[Row], unseen: Iterable[str]) -> list[str]:
    """What the logs leave open of this identity, in sentences."""
    granted, unread = _patterns(held, "granted"), _patterns(held, "unread")
    lines = []
    if "approval" in unseen:
        lines.append("There is no log of approvals: what was approved is unknown.")
    if "activity" in unseen:
        lines.append("There is no log of activity: what is used is unknown.")
    if not granted and not unread:
        lines.append("No log and no export shows what it holds: what it is granted is unknown, and not nothing.")
    if unread:
        lines.append(f"What {_listed(unread)} allows could not be read, and is counted nowhere.")
    unexplained = [row["word"] for row in used if not _is_covered([row["word"], row["action"]], granted)]
    if granted and unexplained:
        lines.append(f"By what it may do {_listed(unexplained)} no log shows.")
    before = [row["pattern"] for row in held if row["layer"] == "granted" and row["is_from_before"]]
    if before:
        lines.append(f"It held {_listed(before)} before the logs began: since when, and by whom, is unknown.")
    conditional = [row["pattern"] for row in held if row["layer"] == "granted" and row["is_conditional"]]
    if conditional:
        lines.append(f"It holds {_listed(conditional)} under conditions that the logs may not answer.")
    if any(row["n_all"] > MAX_PATTERNS for row in (*held, *used)):
        lines.append(f"Of each layer the first {MAX_PATTERNS} patterns are compared, and not the others.")
    return lines


def _layer(name: str, n: int | None, outside: Sequence[str], words: str, can_tell: bool) -> Layer:
    if n is None or not can_tell:
        return Layer(name, n, None, words, [])
    return Layer(name, n, len(outside), words, list(outside[:MAX_EXAMPLES]))


def _patterns(held: Sequence[Row], layer: str) -> list[str]:
    return [row["pattern"] or "" for row in held if row["layer"] == layer]


def _number(held: Sequence[Row], layer: str) -> int:
    return next((row["n_all"] for row in held if row["layer"] == layer), 0)


def _is_covered(words: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(action_covers(pattern, word) for pattern in patterns for word in words)


def _is_used(pattern: str, used: Sequence[Row]) -> bool:
    return any(action_covers(pattern, word) for row in used for word in (row["word"], row["action"]))


def _listed(names: Sequence[str]) -> str:
    """The first two of them, each clipped: they are names from logs."""
    first = ", ".join(name if len(name) <= 90 else f"{name[:89]}…" for name in names[:2])
    return first if len(names) <= 2 else f"{first} and {len(names) - 2:,} more"


def _by_identity(rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    of_each: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_each[row["identity_id"]].append(row)
    return of_each
