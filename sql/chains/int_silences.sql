-- grain: one row per log and stretch of time in which it said nothing for longer than its max_silence
-- build: full
-- why: "nothing was approved" means something only where the approvals log was speaking

with heard as (
    select events.log, events.event_hour
    from events
    cross join run_context
    where not is_from_future(events.event_at, run_context.future_from)
    union
    select log, event_hour from pruned_hours
),

expected as (
    select distinct log, max_silence
    from source_expectations
),

stretches as (
    select
        heard.log,
        heard.event_hour as silent_from,
        coalesce(lead(heard.event_hour) over (partition by heard.log order by heard.event_hour), run_context.as_of) as silent_until
    from heard
    cross join run_context
)

select stretches.log, stretches.silent_from, stretches.silent_until
from stretches
join expected on expected.log = stretches.log
where stretches.silent_until - stretches.silent_from > expected.max_silence
