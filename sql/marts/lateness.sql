-- grain: one row per log that has spoken
-- build: full
-- why: how long a log's records are under way before they are read, and whether its clock runs ahead of ours

with steps as (
    select
        log,
        step_seconds,
        sum(n_events) as n_events,
        min(least_seconds) as least_seconds,
        max(most_seconds) as most_seconds
    from int_lateness__by_hour
    group by log, step_seconds
),

-- A record dated after it was read is not late: its clock, or ours, is wrong.
late as (
    select
        log,
        most_seconds,
        sum(n_events) over (
            partition by log order by step_seconds
            rows between unbounded preceding and current row
        ) as n_up_to,
        sum(n_events) over (partition by log) as n_all
    from steps
    where step_seconds >= 0
),

quantiles as (
    select
        log,
        min(case when n_up_to >= 0.5 * n_all then most_seconds end) as median_seconds,
        min(case when n_up_to >= 0.95 * n_all then most_seconds end) as p95_seconds,
        max(most_seconds) as max_seconds
    from late
    group by log
),

counted as (
    select
        log,
        sum(n_events)::bigint as n_events,
        coalesce(sum(case when step_seconds < 0 then n_events end), 0)::bigint as n_ahead,
        max(case when step_seconds < 0 then -least_seconds end) as max_ahead_seconds
    from steps
    group by log
)

select
    counted.log,
    counted.n_events,
    quantiles.median_seconds,
    quantiles.p95_seconds,
    quantiles.max_seconds,
    counted.n_ahead,
    counted.max_ahead_seconds
from counted
left join quantiles on quantiles.log = counted.log
