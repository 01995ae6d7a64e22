-- grain: one row per identity, actor, action, resource and hour
-- build: full
-- why: what each identity did, with the denied tries, small enough for a model to read

with acts as (
    select
        identity_id,
        actor_uid,
        action,
        unnest(case when array_length(resource_uids) > 0 then resource_uids else [''] end) as resource_uid,
        event_hour,
        outcome,
        step_at,
        event_id
    from chain_steps
    where node_kind = 'activity' and is_counted and identity_id is not null
)

select
    identity_id,
    actor_uid,
    action,
    resource_uid,
    event_hour,
    count(*) as n,
    count(*) filter (where outcome = 'denied') as n_denied,
    min(step_at) as first_at,
    max(step_at) as last_at,
    min_by(event_id, {'at': step_at, 'id': event_id}) as first_event_id
from acts
group by identity_id, actor_uid, action, resource_uid, event_hour
