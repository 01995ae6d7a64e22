-- grain: one row per holder, kind and change that gave it something
-- build: full
-- why: granted beyond approved, and granted later through what an approval had named before

-- What was not approved is sure only where the log of approvals was read up to the change.
with approvals_seen as (
    select min(complete_until) as complete_until
    from sources
    where list_contains(evidence_kinds, 'approval') and state <> 'absent'
),

granted_beyond as (
    select
        *,
        if(widened_approval_id is null, 'over_grant', 'widened_after_approval') as kind,
        coalesce(event_id, 'vendor ' || array_to_string(path, ' ') || ' ' || valid_from::varchar) as cause
    from int_grants__beyond
)

select
    granted_beyond.identity_id,
    granted_beyond.holder_uid as actor_uid,
    granted_beyond.kind,
    granted_beyond.cause,
    case when count(distinct granted_beyond.action_pattern) = 1 then min(granted_beyond.action_pattern) end as action,
    first_hundred(list_sort(list(distinct granted_beyond.action_pattern))) as actions,
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
    bool_and(granted_beyond.is_certain and coalesce(approvals_seen.complete_until >= granted_beyond.valid_from, false)) as is_certain,
    -- A list of distinct values holds no null.
    first_hundred(list_sort(list_distinct(list(granted_beyond.event_id) || list(granted_beyond.widened_approval_event_id)))) as evidence_event_ids
from granted_beyond
cross join approvals_seen
group by granted_beyond.identity_id, granted_beyond.holder_uid, granted_beyond.kind, granted_beyond.cause
