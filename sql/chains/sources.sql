-- grain: one row per log that Ultravires can read
-- build: full
-- why: absence is evidence only when the log was complete; this says how far each one was

with expected as (
    select
        log,
        case when count(evidence_kind) > 0 then list_sort(list(distinct evidence_kind) filter (where evidence_kind is not null)) end as evidence_kinds,
        max(expected_delay) as expected_delay,
        max(max_silence) as max_silence,
        max(voice) as voice,
        -- Who names a log in the configuration says that it is delivered.
        case
            when bool_or(is_scoped or is_named)
                then list_sort(list(distinct evidence_kind) filter (where evidence_kind is not null))
        end as named_kinds
    from source_expectations
    group by log
),

-- What a prune took of a log of one kind was of that kind.
kinds_heard as (
    select events.log, events.kind as evidence_kind
    from events
    join source_expectations on source_expectations.log = events.log and source_expectations.evidence_kind = events.kind
    cross join run_context
    where speaks_for_log(events.voice, source_expectations.voice) and not is_from_future(events.event_at, run_context.future_from)
    union
    select pruned_hours.log, array_to_string(expected.evidence_kinds, '')
    from pruned_hours
    join expected on expected.log = pruned_hours.log
    where array_length(expected.evidence_kinds) = 1
),

seen as (
    select log, list_sort(list(distinct evidence_kind)) as evidence_kinds
    from kinds_heard
    group by log
),

-- What was pruned was heard all the same: a log whose records are all gone is not one that was never seen.
spoken as (
    select
        events.log,
        max(events.event_at) filter (where not is_from_future(events.event_at, run_context.future_from)) as newest_event_at,
        min(events.event_at) filter (where not is_from_future(events.event_at, run_context.future_from)) as oldest_event_at,
        count(*) as n_events,
        count(*) filter (where is_from_future(events.event_at, run_context.future_from)) as n_from_future
    from events
    cross join run_context
    group by events.log
    union all
    select log, max(newest_event_at), min(oldest_event_at), 0, 0
    from pruned_hours
    group by log
),

heard as (
    select
        log,
        max(newest_event_at) as newest_event_at,
        min(oldest_event_at) as oldest_event_at,
        sum(n_events)::bigint as n_events,
        sum(n_from_future)::bigint as n_from_future
    from spoken
    group by log
),

broken as (
    select log, count(*) as n_quarantined
    from quarantine
    group by log
),

silent_now as (
    select distinct int_silences.log
    from int_silences
    cross join run_context
    where int_silences.silent_until >= run_context.as_of
)

select
    expected.log,
    expected.evidence_kinds,
    case
        when heard.newest_event_at is null then 'absent'
        when silent_now.log is not null then 'silent'
        when heard.newest_event_at < run_context.as_of - expected.expected_delay then 'late'
        else 'complete'
    end as state,
    heard.oldest_event_at,
    heard.newest_event_at,
    case
        when silent_now.log is not null then heard.newest_event_at
        else greatest(heard.newest_event_at, case when heard.newest_event_at is not null then run_context.as_of - expected.expected_delay end)
    end as complete_until,
    coalesce(heard.n_events, 0) as n_events,
    coalesce(broken.n_quarantined, 0) as n_quarantined,
    expected.expected_delay,
    expected.max_silence,
    expected.voice,
    coalesce(heard.n_from_future, 0) as n_from_future,
    case
        when heard.newest_event_at is null then []
        else coalesce(expected.named_kinds, seen.evidence_kinds, [])
    end as evidence_seen
from expected
cross join run_context
left join seen on seen.log = expected.log
left join heard on heard.log = expected.log
left join broken on broken.log = expected.log
left join silent_now on silent_now.log = expected.log
