-- grain: one row per identity, log, account and hour in which it acted
-- build: full
-- why: when an identity was awake and when it paused is asked of hours and not of every act

select
    coalesce(resolved.identity_id, stg_activities.actor_uid) as identity_id,
    stg_activities.log,
    coalesce(stg_activities.account_uid, '') as account_uid,
    stg_activities.event_hour,
    min(stg_activities.event_at) as first_at,
    max(stg_activities.event_at) as last_at,
    min_by(stg_activities.event_id, {'at': stg_activities.event_at, 'id': stg_activities.event_id}) as first_event_id,
    min_by(stg_activities.actor_uid, {'at': stg_activities.event_at, 'id': stg_activities.event_id}) as actor_uid,
    max(stg_activities.event_at) filter (where stg_activities.outcome = 'success') as last_success_at,
    bool_or(stg_activities.is_privileged and stg_activities.outcome = 'success') as is_privileged
from stg_activities
-- Another account sees of the caller only what its provider shows there.
anti join int_copies on int_copies.child_event_id = stg_activities.event_id
left join int_identities__resolved as resolved
    on resolved.alias_uid = stg_activities.actor_uid
    and holds_at(stg_activities.event_at, resolved.valid_from, resolved.valid_until)
cross join run_context
where stg_activities.actor_uid is not null and stg_activities.voice is distinct from 'reported'
    and not is_from_future(stg_activities.event_at, run_context.future_from)
group by all
