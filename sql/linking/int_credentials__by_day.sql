-- grain: one row per credential without an end and UTC day on which it was used
-- build: full
-- why: a key that lasts serves one task today and another tomorrow; each day of it stands under what was approved then

with lasting as (
    select credential_id, credential_uid
    from stg_credentials
    where not is_bounded_credential(credential_kind, issued_at, expires_at)
),

shown as (
    select
        lasting.credential_id,
        lasting.credential_uid,
        date_trunc('day', stg_activities.event_at) as day,
        stg_activities.event_at,
        stg_activities.event_hour,
        stg_activities.log,
        stg_activities.voice,
        stg_activities.role_arn,
        coalesce(stg_activities.credential_holder, stg_activities.actor_uid) as holder_uid,
        {'at': stg_activities.event_at, 'id': stg_activities.event_id} as nth
    from stg_activities
    join lasting on lasting.credential_uid = stg_activities.credential_uid
)

select
    credential_id || '@' || strftime(day, '%Y-%m-%d') as node_id,
    credential_id,
    credential_uid,
    day,
    min(event_at) as first_used_at,
    max(event_at) as last_used_at,
    min_by(holder_uid, nth) as holder_uid,
    min_by(role_arn, nth) as role_arn,
    min(log) as log,
    case when bool_and(voice is not distinct from 'reported') then 'reported' else 'recorded' end as voice
from shown
group by credential_id, credential_uid, day
