"""The grants that what is shown elsewhere needed: who gave the power that was used, by which event, under what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb
from rich.text import Text

from ultravires.lineage.causes import Cause, cause_words, read_causes, under
from ultravires.tracing.rows import Row, fetch_rows, has_table
from ultravires.tracing.visible import visible

_MOST = 5


@dataclass(frozen=True)
class NeededGrant:
    """What one event gave to one holder. `n_acts` of the acts that are shown are of what it gave; None where it is not
    about acts.
    """

    event_id: str
    holder_uid: str
    gave: list[str]
    path: list[str]
    given_at: datetime | None
    actor_uid: str | None
    approval_uid: str | None
    n_acts: int | None
    cause: Cause | None


_LIKE = r"replace(replace(replace(replace(replace({0}, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'), '?', '_')"

_FOR_ACTS = f"""
with acts as (
    select step_id, identity_id, action, canonical_action, coalesce(corrected_at, step_at) as at, resource_uids
    from chain_steps
    where step_id in (select unnest($ids::varchar[])) and node_kind = 'activity' and outcome = 'success'
        and action is not null and identity_id is not null
),

given as (
    select entitlements.*, {_LIKE.format("action_pattern")} as action_like,
        {_LIKE.format("resource_pattern")} as resource_like
    from entitlements
    where layer = 'granted' and effect = 'allow' and start_by = 'event' and event_id is not null
        and identity_id in (select identity_id from acts)
)

select given.event_id, given.holder_uid, list_sort(list(distinct given.action_pattern)) as gave,
    min(given.path) as path, min(given.valid_from) as given_at,
    min(given.cause_actor_uid) as actor_uid, min(given.approval_uid) as approval_uid,
    count(distinct acts.step_id) as n_acts
from given
join acts on acts.identity_id = given.identity_id
    and (acts.action ilike given.action_like escape '\\' or acts.canonical_action ilike given.action_like escape '\\')
    and (given.valid_from is null or given.valid_from <= acts.at)
    and (given.valid_until is null or given.valid_until > acts.at)
    and (coalesce(len(acts.resource_uids), 0) = 0
        or len(list_filter(acts.resource_uids, lambda r: r ilike given.resource_like escape '\\')) > 0)
group by given.event_id, given.holder_uid
order by given_at desc, given.event_id, given.holder_uid
"""

_OF_EVENTS = """
select event_id, holder_uid, list_sort(list(distinct action_pattern)) as gave, min(path) as path,
    min(valid_from) as given_at, min(cause_actor_uid) as actor_uid, min(approval_uid) as approval_uid,
    null as n_acts
from entitlements
where layer = 'granted' and effect = 'allow' and event_id in (select unnest($events::varchar[]))
    and (identity_id in (select unnest($holders::varchar[])) or holder_uid in (select unnest($holders::varchar[])))
group by event_id, holder_uid
order by given_at desc, event_id, holder_uid
"""

_DRIFT = """
select if(kind = 'overreach', null, cause_event_id) as cause_event_id, identity_id, actor_uid
from drift
where drift_id = $subject
    or identity_id = $identity and list_has_any(list_append(evidence_event_ids, cause_event_id), $evidence::varchar[])
"""


def needed_by_acts(con: duckdb.DuckDBPyConnection, step_ids: Iterable[str]) -> list[NeededGrant]:
    """The grants by which acts in these steps were allowed, where one is known: by action, resource and time."""
    if not has_table(con, "entitlements"):
        return []
    return _needed(con, fetch_rows(con, _FOR_ACTS, {"ids": list(step_ids)}))


def needed_by_finding(con: duckdb.DuckDBPyConnection, finding: Mapping[str, object]) -> list[NeededGrant]:
    """The grants that brought about the drift that a finding is about, or without which its acts were not possible;
    none where it is about something else.
    """
    if not (has_table(con, "entitlements") and has_table(con, "drift")):
        return []
    evidence = [str(each) for each in _list(finding["evidence_event_ids"])]
    values: dict[str, object] = {
        "subject": finding["subject_uid"],
        "identity": finding["identity_id"],
        "evidence": evidence,
    }
    drifts = fetch_rows(con, _DRIFT, values)
    events = {row["cause_event_id"] for row in drifts if row["cause_event_id"]}
    if drifts and not events:
        return needed_by_acts(con, [f"activity:{event}" for event in evidence])
    holders = {each for row in drifts for each in (row["identity_id"], row["actor_uid"]) if each}
    return _needed(con, fetch_rows(con, _OF_EVENTS, {"events": sorted(events), "holders": sorted(holders)}))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def needed_lines(needed: list[NeededGrant]) -> list[Text]:
    """One line a grant, and how many more there are."""
    if not needed:
        return []
    lines = [Text("\nNeeded the grant" if len(needed) == 1 else "\nNeeded the grants", style="bold")]
    lines += [Text(f"  {_line(each)}") for each in needed[:_MOST]]
    if len(needed) > _MOST:
        lines.append(Text(f"  and {len(needed) - _MOST:,} more; `ultravires lineage` of the identity has all"))
    return lines


def _line(each: NeededGrant) -> str:
    more = f" and {len(each.gave) - 1:,} more" if len(each.gave) > 1 else ""
    when = f"{each.given_at:%Y-%m-%d %H:%M:%S}" if each.given_at else "before the logs"
    acts = "" if each.n_acts is None else f", for {each.n_acts:,} act{'' if each.n_acts == 1 else 's'} here"
    whom = visible(each.holder_uid, 160)
    what = f"{visible(each.gave[0], 160)}{more}"
    return f"{when} {cause_words(each.cause, each.actor_uid, None)}: {what} to {whom}{under(each.approval_uid)}{acts}"


def _needed(con: duckdb.DuckDBPyConnection, rows: list[Row]) -> list[NeededGrant]:
    causes = read_causes(con, (row["event_id"] for row in rows[:_MOST]))
    return [NeededGrant(**row, cause=causes.get(row["event_id"])) for row in rows]
