-- grain: one row per identity, actor and action
-- build: full
-- why: used beyond approved: what an identity did that its approvals do not give, since when

-- Whose drift it is: who acted, not who asked for the approval.
with subjects as (
    select * exclude (identity_id), coalesce(identity_id, 'unknown') as identity_id
    from step_facts
    where node_kind = 'activity' and approval_id is not null
),

beyond as (
    select *
    from subjects
    where is_outside_actions or is_outside_resources
),

resources_beyond as (
    select identity_id, actor_uid, action, unnest(resource_uids) as resource_uid
    from beyond
),

beyond_resources as (
    select identity_id, actor_uid, action, list_sort(list(distinct resource_uid)) as resource_uids
    from resources_beyond
    group by identity_id, actor_uid, action
)

select
    beyond.identity_id,
    beyond.actor_uid,
    'overreach' as kind,
    beyond.action,
    [beyond.action] as actions,
    coalesce(min(beyond_resources.resource_uids), []) as resource_uids,
    if(bool_or(beyond.is_privileged), 'permissions', 'data') as power,
    min(beyond.step_at) as first_at,
    max(beyond.step_at) as last_at,
    count(*) as n_events,
    count(*) filter (where beyond.outcome = 'denied') as n_denied,
    min_by(beyond.event_id, {'at': beyond.step_at, 'id': beyond.event_id}) as cause_event_id,
    beyond.actor_uid as cause_actor_uid,
    list_sort(list(distinct substr(beyond.approval_id, 10))) as approval_uids,
    true as is_certain,
    first_hundred(list_sort(list(distinct beyond.event_id))) as evidence_event_ids
from beyond
left join beyond_resources
    on beyond_resources.identity_id = beyond.identity_id and beyond_resources.actor_uid = beyond.actor_uid and beyond_resources.action = beyond.action
group by beyond.identity_id, beyond.actor_uid, beyond.action
