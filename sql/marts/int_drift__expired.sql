-- grain: one row per holder and change that gave it something
-- build: full
-- why: held although the approval under which it was given is over

-- Granted under an approval of the holder's own, which is over, and still held. A ticket for the change itself is none.
select
    entitlements.identity_id,
    entitlements.holder_uid as actor_uid,
    'expired_but_held' as kind,
    entitlements.event_id as cause,
    case when count(distinct entitlements.action_pattern) = 1 then min(entitlements.action_pattern) end as action,
    first_hundred(list_sort(list(distinct entitlements.action_pattern))) as actions,
    count(distinct entitlements.action_pattern) as n_actions,
    case when bool_or(entitlements.power = 'admin') then 'admin' when bool_or(entitlements.power = 'permissions') then 'permissions' else 'data' end as power,
    first_hundred(list_sort(list(distinct entitlements.resource_pattern))) as resource_uids,
    min(stg_approvals.ends_at) as first_at,
    nullif(max(coalesce(entitlements.valid_until, last_moment())), last_moment()) as last_at,
    1 as n_events,
    0 as n_denied,
    entitlements.event_id as cause_event_id,
    min(entitlements.cause_actor_uid) as cause_actor_uid,
    min(entitlements.approval_uid) as cause_approval_uid,
    list_sort(list(distinct entitlements.approval_uid)) as approval_uids,
    bool_and(entitlements.is_certain) as is_certain,
    first_hundred(list_sort(list_distinct(list(entitlements.event_id) || list(stg_approvals.event_id)))) as evidence_event_ids
from entitlements
cross join run_context
join stg_approvals on stg_approvals.approval_id = 'approval:' || entitlements.approval_uid
semi join int_approvals__subjects
    on int_approvals__subjects.approval_id = stg_approvals.approval_id and int_approvals__subjects.identity_id = entitlements.identity_id
where entitlements.layer = 'granted' and entitlements.effect = 'allow' and entitlements.start_by = 'event' and not entitlements.is_reported
    and stg_approvals.ends_at + run_context.clock_tolerance < least(coalesce(entitlements.valid_until, last_moment()), run_context.as_of)
    and entitlements.valid_from <= stg_approvals.ends_at
group by entitlements.identity_id, entitlements.holder_uid, entitlements.event_id
