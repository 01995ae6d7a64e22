-- grain: one row per event that tells an earlier stage of a request of which a later stage is known too
-- build: by_hour
-- why: some logs tell one request in several records (received, answered, completed), in any order and any file; only the last of them is the activity

with hours as (select event_hour from touched_hours),

staged as (
    select
        e.event_id,
        e.event_at,
        e.event_hour,
        e.log,
        e.voice,
        e.action,
        e.actor_uid,
        nullif(array_to_string(list_sort(e.resource_uids), chr(31)), '') as targets,
        json_extract_string(e.detail, '$.request') as request,
        try_cast(json_extract_string(e.detail, '$.stage_number') as integer) as stage_number
    from events as e
    join hours on hours.event_hour = e.event_hour
    where e.kind in ('activity', 'credential')
),

-- Where a caller may choose the request's id, sources add what it cannot choose; and stages that name two actors or
-- targets are not of one request: nobody can hide a request behind another one, nor a recorded one behind what others
-- tell. Stages that lie in two hours both stand.
-- An earlier stage may know less, where all that know more agree.
compared as (
    select
        *,
        max(stage_number) over (partition by log, voice, event_hour, request, action, actor_uid, targets) as last_of_equals,
        max(stage_number) over (partition by log, voice, event_hour, request, action) as last_of_all,
        min(actor_uid) over (partition by log, voice, event_hour, request, action)
        is not distinct from max(actor_uid) over (partition by log, voice, event_hour, request, action)
        and min(targets) over (partition by log, voice, event_hour, request, action)
        is not distinct from max(targets) over (partition by log, voice, event_hour, request, action) as is_one_request
    from staged
    where request is not null and stage_number is not null
),

placed as (
    select
        event_id, event_at, event_hour, log, request, stage_number,
        case when is_one_request then last_of_all else last_of_equals end as last_stage_number
    from compared
)

select event_id, event_at, event_hour, log, request, stage_number, last_stage_number
from placed
where stage_number < last_stage_number
