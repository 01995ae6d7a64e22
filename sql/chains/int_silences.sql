-- grain: one row per log and stretch of time in which it said nothing for longer than its max_silence
-- build: full
-- why: "nothing was approved" means something only where the approvals log was speaking

with named_files as (
    select
        source,
        state,
        size,
        regexp_replace(path, '[/!][^/!]*$', '') as folder,
        regexp_extract(
            path, '^(?:.*[^0-9])?(20[0-9][0-9][-_/]?(?:0[1-9]|1[0-2])[-_/]?(?:0[1-9]|[12][0-9]|3[01]))(?:[^0-9].*)?$', 1
        ) as day
    from files
),

folders as (
    select folder, min(source) as source
    from named_files
    where state = 'loaded'
    group by folder
    having min(source) = max(source)
),

-- An export that is named after its day was made that day, also where it brought nothing: three bytes are an empty list.
exports as (
    select
        coalesce(case when dated.state = 'loaded' then dated.source end, folders.source) as log,
        try_cast(
            substr(dated.digits, 1, 4) || '-' || substr(dated.digits, 5, 2) || '-' || substr(dated.digits, 7, 2)
            || ' 00:00:00+00' as timestamptz
        ) as event_hour
    from (select *, replace(replace(replace(day, '-', ''), '_', ''), '/', '') as digits from named_files) as dated
    left join folders on folders.folder = dated.folder
    where dated.state = 'loaded' or dated.size <= 3
),

heard as (
    select events.log, events.event_hour
    from events
    cross join run_context
    where not is_from_future(events.event_at, run_context.future_from)
    union
    select log, event_hour from pruned_hours
    union
    select exports.log, exports.event_hour
    from exports
    cross join run_context
    where exports.log is not null and exports.event_hour <= run_context.as_of
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
