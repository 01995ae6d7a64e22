-- grain: one row per actor, service, region and hour
-- build: by_hour
-- why: when an identity first used a service or a region is asked of a few rows an hour and not of every act

with hours as (select event_hour from touched_hours),

acts as (
    select
        activity.event_id,
        activity.event_at,
        activity.event_hour,
        activity.log,
        activity.actor_uid,
        -- Before the first colon, and where a provider of a cloud's resources follows, with it.
        coalesce(
            nullif(regexp_extract(lower(activity.action), '^([^:/ ]+:[^:/ ]+)/', 1), ''), regexp_extract(lower(activity.action), '^[^:/ ]+')
        ) as service,
        coalesce(json_extract_string(e.detail, '$.region'), '') as region
    from stg_activities as activity
    join hours on hours.event_hour = activity.event_hour
    join events as e on e.event_id = activity.event_id and e.event_hour = activity.event_hour
    where activity.actor_uid is not null and activity.action is not null and activity.outcome is not distinct from 'success'
        and activity.voice is distinct from 'reported' and not activity.is_providers_own
        -- What a service of the provider does in somebody's name was not begun by that name's holder.
        and activity.via_service is null
)

select
    event_hour,
    log,
    actor_uid,
    service,
    region,
    count(*) as n_acts,
    min(event_at) as first_at,
    min_by(event_id, {'at': event_at, 'id': event_id}) as first_event_id,
    max(event_at) as last_at
from acts
group by event_hour, log, actor_uid, service, region
