-- grain: one row per non-human identity, period, day, aspect and value
-- build: full
-- why: what an identity's first weeks under an approval were made of and what its last ones are, so that a model can tell whether its purpose drifted

-- Four weeks: each day of the week four times on either side, which is as few as give a permutation of days room.
with length as (select 28 as n_days),

approved as (
    select identity_id, min(cast(granted_at as date)) as day
    from approvals
    where is_granted and origin = 'ticket'
    group by identity_id
),

-- Days begin with the first use under the first approval, or with the first use of whom nobody approved.
begun as (
    select usage.identity_id, min(cast(usage.first_at as date)) as first_day
    from usage
    join identities on identities.identity_id = usage.identity_id and identities.is_nonhuman
    left join approved on approved.identity_id = usage.identity_id
    where approved.day is null or cast(usage.first_at as date) >= approved.day
    group by usage.identity_id
),

-- The day of the run is not over. Only whole periods count, so that nothing changes from one day to the next but once in four weeks.
periods as (
    select
        begun.identity_id,
        begun.first_day,
        begun.first_day + cast(floor(date_diff('day', begun.first_day, cast(run_context.as_of as date)) / length.n_days) - 1 as integer) * length.n_days as last_day,
        length.n_days
    from begun
    cross join run_context
    cross join length
    where date_diff('day', begun.first_day, cast(run_context.as_of as date)) >= 2 * length.n_days
),

both_periods as (
    select identity_id, 'first' as period, first_day as from_day, first_day + n_days as until_day
    from periods
    union all
    select identity_id, 'last', last_day, last_day + n_days
    from periods
),

used as (
    select
        usage.identity_id, both_periods.period, cast(usage.first_at as date) as day, usage.actor_uid, usage.action, usage.access,
        cast(extract(hour from usage.event_hour) as varchar) as hour_of_day, usage.n, usage.first_at as moment, usage.first_event_id as event_id
    from usage
    join both_periods on both_periods.identity_id = usage.identity_id
        and cast(usage.first_at as date) >= both_periods.from_day and cast(usage.first_at as date) < both_periods.until_day
),

acts as (
    select
        step_facts.identity_id, both_periods.period, cast(step_facts.step_at as date) as day, step_facts.actor_uid, step_facts.node_kind,
        step_facts.action, step_facts.network, step_facts.step_at as moment, step_facts.event_id
    from step_facts
    join both_periods on both_periods.identity_id = step_facts.identity_id
        and cast(step_facts.step_at as date) >= both_periods.from_day and cast(step_facts.step_at as date) < both_periods.until_day
),

aspects as (
    select identity_id, period, day, actor_uid, 'action' as aspect, action as value, n, moment, event_id from used
    union all
    select identity_id, period, day, actor_uid, 'access', access, n, moment, event_id from used
    union all
    select identity_id, period, day, actor_uid, 'hour', hour_of_day, n, moment, event_id from used
    union all
    select identity_id, period, day, actor_uid, 'network', network, 1, moment, event_id from acts where node_kind = 'activity'
    union all
    select identity_id, period, day, actor_uid, 'tool', action, 1, moment, event_id from acts where node_kind = 'tool_call'
)

select
    identity_id,
    period,
    day,
    aspect,
    value,
    cast(sum(n) as bigint) as n,
    min(actor_uid) as actor_uid,
    min(moment) as first_at,
    min_by(event_id, {'at': moment, 'id': event_id}) as first_event_id
from aspects
where value is not null and value <> ''
group by identity_id, period, day, aspect, value
