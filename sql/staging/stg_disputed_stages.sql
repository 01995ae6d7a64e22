-- grain: one row per activity that tells a stage of a request whose other stages name another actor, action or target
-- build: by_hour
-- why: whoever can write to a log can write one more stage of a request; such a stage is an act of its own, and is said

with hours as (select event_hour from touched_hours),

staged as (
    select
        activity.event_id, activity.event_at, activity.event_hour, activity.log, activity.request, activity.actor_uid,
        activity.action, activity.is_privileged,
        nullif(array_to_string(list_sort(activity.resource_uids), chr(31)), '') as targets
    from stg_activities as activity
    join hours on hours.event_hour = activity.event_hour
    where activity.request is not null and activity.stage_number is not null
),

compared as (
    select
        *,
        min(actor_uid) over (partition by log, event_hour, request)
        is distinct from max(actor_uid) over (partition by log, event_hour, request) as has_actors,
        min(action) over (partition by log, event_hour, request)
        is distinct from max(action) over (partition by log, event_hour, request) as has_actions,
        min(targets) over (partition by log, event_hour, request)
        is distinct from max(targets) over (partition by log, event_hour, request) as has_targets
    from staged
)

select event_id, event_at, event_hour, log, request, is_privileged, has_actors, has_actions, has_targets
from compared
where has_actors or has_actions or has_targets
