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
        e.action,
        json_extract_string(e.detail, '$.request') as request,
        try_cast(json_extract_string(e.detail, '$.stage_number') as integer) as stage_number
    from events as e
    join hours on hours.event_hour = e.event_hour
    where e.kind in ('activity', 'credential')
),

-- Where a caller may choose the request's id, sources add what it cannot choose: nobody can hide a request behind
-- another one. Stages that lie in two hours both stand.
compared as (
    select *, max(stage_number) over (partition by log, event_hour, request, action) as last_stage_number
    from staged
    where request is not null and stage_number is not null
)

select event_id, event_at, event_hour, log, request, stage_number, last_stage_number
from compared
where stage_number < last_stage_number
