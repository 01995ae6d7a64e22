-- grain: one row per log, kind of evidence and hour that holds a node
-- build: full
-- why: says of one log why what is missing in it may be missing: it had not begun, was silent, could not be read, was pruned, or is not here yet

with hours as (select distinct event_hour from int_nodes),

expected as (
    select source_expectations.*, sources.oldest_event_at, sources.complete_until
    from source_expectations
    join sources on sources.log = source_expectations.log
    where source_expectations.evidence_kind in ('approval', 'decision', 'tool_call')
        and sources.state <> 'absent' and list_contains(sources.evidence_seen, source_expectations.evidence_kind)
),

first_records as (
    select expected.log, expected.evidence_kind, min(events.event_at) as first_at
    from expected
    join events on events.log = expected.log and events.kind = expected.evidence_kind
    cross join run_context
    where speaks_for_log(events.voice, expected.voice) and not is_from_future(events.event_at, run_context.future_from)
    group by expected.log, expected.evidence_kind
),

-- What a prune took would still explain what came after it, up to this time; and the log had begun by then.
pruned as (
    select evidence_kind, max(until_at) as until_at
    from pruned_reach
    group by evidence_kind
),

pruned_logs as (
    select log, min(oldest_event_at) as first_at
    from pruned_hours
    group by log
),

reach as (
    select
        expected.log,
        expected.evidence_kind,
        least(
            first_records.first_at,
            -- Who names a log in the configuration says that it is delivered; all that it says counts.
            case when expected.is_scoped or expected.is_named or first_records.first_at is null then expected.oldest_event_at end,
            case when pruned.evidence_kind is not null then pruned_logs.first_at end
        ) as complete_from,
        expected.complete_until,
        pruned.until_at as pruned_until
    from expected
    left join first_records
        on first_records.log = expected.log and first_records.evidence_kind = expected.evidence_kind
    left join pruned on pruned.evidence_kind = expected.evidence_kind
    left join pruned_logs on pruned_logs.log = expected.log
),

silent as (
    select distinct int_silences.log, hours.event_hour
    from int_silences
    join hours on hours.event_hour > int_silences.silent_from and hours.event_hour < int_silences.silent_until
),

-- Of nothing but an unread file nobody knows when it was written; it counts where only the log's own system can have put it.
unread as (
    select log, from_at, until_at
    from unread_records
    where is_believed and (is_bound or from_at is not null or until_at is not null)
),

beside_unread as (
    select log, from_at, until_at, unnest([from_at, until_at]) as beside_at
    from unread
),

-- An approval that cannot be read may have been good for as long as those beside it are, if they end within a week.
lasting as (
    select beside_unread.log, beside_unread.from_at, beside_unread.until_at, max(stg_approvals.ends_at) as ends_at
    from beside_unread
    join stg_approvals on stg_approvals.log = beside_unread.log and stg_approvals.event_at = beside_unread.beside_at
    where seconds_between(stg_approvals.valid_from, stg_approvals.ends_at) <= 7 * 86400
    group by beside_unread.log, beside_unread.from_at, beside_unread.until_at
),

unread_stretches as (
    select
        unread.log,
        'decision' as evidence_kind,
        date_trunc('hour', unread.from_at) as from_hour,
        date_trunc('hour', unread.until_at) as until_hour
    from unread
    union
    select
        unread.log,
        'approval',
        date_trunc('hour', unread.from_at),
        case when unread.until_at is not null then date_trunc('hour', greatest(unread.until_at, lasting.ends_at)) end
    from unread
    left join lasting
        on lasting.log = unread.log
        and lasting.from_at is not distinct from unread.from_at and lasting.until_at is not distinct from unread.until_at
),

unreadable as (
    select distinct unread_stretches.log, unread_stretches.evidence_kind, hours.event_hour
    from unread_stretches
    join hours
        on (unread_stretches.from_hour is null or hours.event_hour >= unread_stretches.from_hour)
        and (unread_stretches.until_hour is null or hours.event_hour <= unread_stretches.until_hour)
)

select
    reach.log,
    reach.evidence_kind,
    hours.event_hour,
    case
        when silent.log is not null then 'source silent'
        when unreadable.log is not null then 'record unreadable'
        when hours.event_hour <= reach.pruned_until then 'pruned'
        when hours.event_hour < date_trunc('hour', reach.complete_from) then 'before the log begins'
    end as doubt,
    reach.complete_from,
    reach.complete_until
from reach
cross join hours
left join silent on silent.log = reach.log and silent.event_hour = hours.event_hour
left join unreadable
    on unreadable.log = reach.log and unreadable.evidence_kind = reach.evidence_kind and unreadable.event_hour = hours.event_hour
