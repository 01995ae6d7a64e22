-- grain: one row per holder, kind and change that gave it something
-- build: by_key cause
-- why: granted beyond approved, and granted later through what an approval had named before
-- units: select cause_of_change(event_id, path, valid_from) from int_grants__beyond
-- dirty: select cause_of_change(event_id, path, valid_from) from delta_int_grants__beyond
-- dirty: select cause_of_change(given.event_id, given.path, given.valid_from) from (select min(complete_until) as earliest from delta_sources where list_contains(evidence_kinds, 'approval') and state <> 'absent') as seen
--   join int_grants__beyond as given on given.valid_from >= seen.earliest
-- dirty: select cause_of_change(given.event_id, given.path, given.valid_from) from (
--   select sum(if(is_new, 1, -1)) as more from delta_sources where list_contains(evidence_kinds, 'approval') and state <> 'absent' and complete_until is not null
--   ) as seen join int_grants__beyond as given on seen.more <> 0
-- dirty: select cause_of_change(given.event_id, given.path, given.valid_from) from delta_int_evidence__of_acts as judged join int_grants__beyond as given on given.event_id = substr(judged.node_id, 10)
-- dirty: select cause_of_change(given.event_id, given.path, given.valid_from) from (select distinct actor_uid from delta_int_evidence__governed where evidence_kind = 'approval') as told join int_grants__beyond as given on given.holder_uid = told.actor_uid
-- dirty: select cause_of_change(given.event_id, given.path, given.valid_from) from delta_int_evidence__by_hour as by_hour
--   join int_evidence__governed as governed on governed.log = by_hour.log and governed.evidence_kind = by_hour.evidence_kind
--   join int_grants__beyond as given on given.holder_uid = governed.actor_uid and date_trunc('hour', given.valid_from) = by_hour.event_hour
--   where by_hour.evidence_kind = 'approval'
-- only: sources(evidence_kinds, state, complete_until)
-- only: int_evidence__of_acts(node_id, approval_doubt)

-- A change that no act shows could have been approved in any of the logs.
with approvals_seen as (
    select min(complete_until) as complete_until
    from sources
    where list_contains(evidence_kinds, 'approval') and state <> 'absent'
),

granted_beyond as (
    select
        *,
        if(widened_approval_id is null, 'over_grant', 'widened_after_approval') as kind,
        cause_of_change(event_id, path, valid_from) as cause
    from int_grants__beyond
    where cause_of_change(event_id, path, valid_from) in (select id from touched_ids)
),

-- What was not approved is sure only where those logs were whole then that could have approved the change, and those that speak
-- of the holder.
of_changes as (
    select distinct
        granted_beyond.event_id,
        granted_beyond.valid_from,
        acts.node_id is null as is_without_act,
        case
            when acts.node_id is not null then acts.approval_doubt is not null
            else coalesce(approvals_seen.complete_until < granted_beyond.valid_from, true)
        end as is_doubtful
    from granted_beyond
    cross join approvals_seen
    left join int_evidence__of_acts as acts on acts.node_id = 'activity:' || granted_beyond.event_id
),

-- Of what came to a holder of whom some log of approvals speaks, without an act that could have been approved, that log alone
-- could tell.
spoken_of as (
    select distinct actor_uid
    from int_evidence__governed
    where evidence_kind = 'approval' and actor_uid in (select holder_uid from granted_beyond)
),

doubtful_holders as (
    select distinct granted_beyond.holder_uid, granted_beyond.valid_from
    from (select distinct holder_uid, valid_from from granted_beyond) as granted_beyond
    join int_evidence__governed as governed on governed.actor_uid = granted_beyond.holder_uid and governed.evidence_kind = 'approval'
    join int_evidence__by_hour as by_hour
        on by_hour.log = governed.log and by_hour.evidence_kind = 'approval'
        and by_hour.event_hour = date_trunc('hour', granted_beyond.valid_from)
    where by_hour.doubt is not null or granted_beyond.valid_from < by_hour.complete_from or granted_beyond.valid_from > by_hour.complete_until
)

select
    granted_beyond.identity_id,
    granted_beyond.holder_uid as actor_uid,
    granted_beyond.kind,
    granted_beyond.cause,
    case when count(distinct granted_beyond.action_pattern) = 1 then min(granted_beyond.action_pattern) end as action,
    first_hundred(list_sort(list(distinct granted_beyond.action_pattern))) as actions,
    count(distinct granted_beyond.action_pattern) as n_actions,
    case when bool_or(granted_beyond.power = 'admin') then 'admin' when bool_or(granted_beyond.power = 'permissions') then 'permissions' else 'data' end as power,
    first_hundred(list_sort(list(distinct granted_beyond.resource_pattern))) as resource_uids,
    coalesce(first_hundred(list_sort(list(distinct granted_beyond.resource_pattern) filter (where granted_beyond.touches_crown_jewels))), []) as crown_jewels,
    min(granted_beyond.valid_from) as first_at,
    nullif(max(coalesce(granted_beyond.valid_until, last_moment())), last_moment()) as last_at,
    1 as n_events,
    0 as n_denied,
    min(granted_beyond.event_id) as cause_event_id,
    min(granted_beyond.cause_actor_uid) as cause_actor_uid,
    min(granted_beyond.approval_uid) as cause_approval_uid,
    coalesce(list_sort(list(distinct substr(granted_beyond.widened_approval_id, 10)) filter (where granted_beyond.widened_approval_id is not null)), []) as approval_uids,
    bool_and(granted_beyond.is_certain and not (of_changes.is_doubtful and not (of_changes.is_without_act and spoken_of.actor_uid is not null)) and doubtful_holders.holder_uid is null) as is_certain,
    -- A list of distinct values holds no null.
    first_hundred(list_sort(list_distinct(list(granted_beyond.event_id) || list(granted_beyond.widened_approval_event_id)))) as evidence_event_ids
from granted_beyond
left join of_changes
    on of_changes.event_id is not distinct from granted_beyond.event_id and of_changes.valid_from = granted_beyond.valid_from
left join spoken_of on spoken_of.actor_uid = granted_beyond.holder_uid
left join doubtful_holders
    on doubtful_holders.holder_uid = granted_beyond.holder_uid and doubtful_holders.valid_from = granted_beyond.valid_from
group by granted_beyond.identity_id, granted_beyond.holder_uid, granted_beyond.kind, granted_beyond.cause
