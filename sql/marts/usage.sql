-- grain: one row per identity, actor, action, resource and hour
-- build: by_key event_hour
-- why: what each identity did, with the denied tries, small enough for a model to read
-- units: select coalesce(moment_text(event_hour), '') from chain_steps
-- dirty: select coalesce(moment_text(event_hour), '') from delta_chain_steps where node_kind = 'activity'
-- dirty: select coalesce(moment_text(stands.event_hour), '') from (
--         select action, access, sum(if(is_new, 1, -1)) as n_more from delta_stg_activities where action is not null group by action, access
--     ) as changed
--     join usage as stands on stands.action = changed.action
--     where changed.n_more < 0
--         or case changed.access when 'write' then 4 when 'secret' then 3 when 'read' then 2 else 1 end > case stands.access when 'write' then 4 when 'secret' then 3 when 'read' then 2 else 1 end
-- only: chain_steps(identity_id, actor_uid, action, canonical_action, resource_uids, event_hour, outcome, step_at, event_id, node_kind, is_counted)
--     where node_kind = 'activity'
-- only: stg_activities(action, access)

with acts as (
    select
        identity_id,
        actor_uid,
        action,
        canonical_action,
        unnest(case when array_length(resource_uids) > 0 then resource_uids else [''] end) as resource_uid,
        event_hour,
        outcome,
        step_at,
        event_id
    from chain_steps
    where node_kind = 'activity' and is_counted and identity_id is not null
        and coalesce(moment_text(event_hour), '') in (select id from touched_ids)
),

-- An action gives the most that any record of it says.
accesses as (
    select
        action,
        case
            when bool_or(access = 'write') then 'write'
            when bool_or(access = 'secret') then 'secret'
            when bool_or(access = 'read') then 'read'
            else 'list'
        end as access
    from stg_activities
    where action is not null
    group by action
)

select
    acts.identity_id,
    acts.actor_uid,
    acts.action,
    acts.resource_uid,
    acts.event_hour,
    count(*) as n,
    count(*) filter (where acts.outcome = 'denied') as n_denied,
    min(acts.canonical_action) as canonical_action,
    count(*) filter (where acts.outcome in ('denied', 'failure')) as n_failed,
    min(accesses.access) as access,
    min(acts.step_at) as first_at,
    max(acts.step_at) as last_at,
    min_by(acts.event_id, {'at': acts.step_at, 'id': acts.event_id}) as first_event_id
from acts
left join accesses on accesses.action = acts.action
group by acts.identity_id, acts.actor_uid, acts.action, acts.resource_uid, acts.event_hour
