-- grain: one row per log, hour and step of lateness
-- build: by_hour
-- why: how late records arrive, in steps fine enough for a median and few enough that a year of them is small

with hours as (select event_hour from touched_hours),

arrived as (
    select e.log, e.event_hour, seconds_between(e.event_at, e.ingested_at) as late_seconds
    from events as e
    join hours on hours.event_hour = e.event_hour
),

stepped as (
    select
        log,
        event_hour,
        late_seconds,
        -- Whole seconds within the first minute, whole minutes within the first hour, whole hours beyond; the same ahead.
        case
            when abs(late_seconds) < 60 then floor(late_seconds)
            when abs(late_seconds) < 3600 then floor(late_seconds / 60) * 60
            else floor(late_seconds / 3600) * 3600
        end as step_seconds
    from arrived
)

select
    log,
    event_hour,
    step_seconds,
    count(*) as n_events,
    min(late_seconds) as least_seconds,
    max(late_seconds) as most_seconds
from stepped
group by log, event_hour, step_seconds
