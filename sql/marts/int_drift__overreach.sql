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
),

acts as (
    select
        identity_id,
        actor_uid,
        action,
        if(bool_or(is_privileged), 'permissions', 'data') as power,
        min(step_at) as first_at,
        max(step_at) as last_at,
        count(*) as n_events,
        count(*) filter (where outcome = 'denied') as n_denied,
        min_by(event_id, {'at': step_at, 'id': event_id}) as cause_event_id,
        list_sort(list(distinct substr(approval_id, 10))) as approval_uids,
        first_hundred(list_sort(list(distinct event_id))) as evidence_event_ids
    from beyond
    group by identity_id, actor_uid, action
)

-- Joined when both are one row: whoever uses one action 100,000 times would have each act carry all resources.
select
    acts.identity_id,
    acts.actor_uid,
    'overreach' as kind,
    acts.action,
    [acts.action] as actions,
    coalesce(beyond_resources.resource_uids, []) as resource_uids,
    acts.power,
    acts.first_at,
    acts.last_at,
    acts.n_events,
    acts.n_denied,
    acts.cause_event_id,
    acts.actor_uid as cause_actor_uid,
    acts.approval_uids,
    true as is_certain,
    acts.evidence_event_ids
from acts
left join beyond_resources
    on beyond_resources.identity_id = acts.identity_id and beyond_resources.actor_uid = acts.actor_uid and beyond_resources.action = acts.action
