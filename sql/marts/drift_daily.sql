-- grain: one row per identity and day on which something changed or was used
-- build: by_key identity_id
-- why: drift over time: how many rights were approved, granted and used, how much drift of each kind was open and what it weighs, and the days on which it began
-- units: select coalesce(identity_id, '') from entitlements
--   union select coalesce(identity_id, '') from drift
--   union select coalesce(identity_id, '') from usage
-- dirty: select coalesce(identity_id, '') from delta_entitlements
-- dirty: select coalesce(identity_id, '') from delta_drift
-- dirty: select coalesce(identity_id, '') from delta_usage
-- dirty: select coalesce(held.identity_id, '') from entitlements as held
--   cross join (select min(date_trunc('day', as_of)) as early, max(date_trunc('day', as_of)) as late from delta_run_context) as run
--   where (held.valid_from >= run.early and held.valid_from < run.late + interval 1 day) or (held.valid_until >= run.early and held.valid_until < run.late + interval 2 day)
-- dirty: select coalesce(held.identity_id, '') from drift as held
--   cross join (select min(date_trunc('day', as_of)) as early, max(date_trunc('day', as_of)) as late from delta_run_context) as run
--   where (held.first_at >= run.early and held.first_at < run.late + interval 1 day) or (held.last_at >= run.early and held.last_at < run.late + interval 1 day)
-- dirty: select coalesce(used.identity_id, '') from usage as used
--   cross join (select min(date_trunc('day', as_of)) as early, max(date_trunc('day', as_of)) as late from delta_run_context) as run
--   where used.first_at >= run.early and used.first_at < run.late + interval 1 day
-- only: run_context(as_of)
-- only: sources(oldest_event_at, state)
-- only: entitlements(identity_id, layer, effect, action_pattern, path, valid_from, valid_until)
-- only: drift(drift_id, identity_id, kind, cause_approval_uid, power, first_at, last_at)
-- only: usage(identity_id, canonical_action, action, first_at, n, n_denied)

-- Nothing is known of the time before the logs: what was there already counts from their first day.
with bounds as (
    select
        (select cast(min(oldest_event_at) as date) from sources where state <> 'absent') as first_day,
        (select cast(as_of as date) from run_context) as last_day
),

used as (
    select identity_id, coalesce(canonical_action, action) as name, cast(first_at as date) as day
    from usage
    join bounds on cast(usage.first_at as date) <= bounds.last_day
    where n > n_denied and coalesce(identity_id, '') in (select id from touched_ids)
    group by identity_id, coalesce(canonical_action, action), cast(first_at as date)
),

used_by_day as (
    select identity_id, day, count(*) as n_used
    from used
    group by identity_id, day
),

first_used as (
    select identity_id, name, min(day) as day
    from used
    group by identity_id, name
),

-- A step of power is about half an order of magnitude: three drifts that give power over permissions weigh as one that
-- gives everything. What is too little used gives nobody more than was approved, and weighs nothing; nor does a change
-- that somebody approved.
drifted as (
    select
        drift.*,
        kind not in ('unused', 'unused_approval') as is_beyond,
        case
            when kind in ('unused', 'unused_approval') or cause_approval_uid is not null and kind <> 'expired_but_held' then 0
            when power = 'admin' then 10
            when power = 'permissions' then 3
            else 1
        end as weight
    from drift
    where coalesce(identity_id, '') in (select id from touched_ids)
),

spans as (
    select
        identity_id,
        if(effect = 'unknown', 'unread', layer) as what,
        if(effect = 'unknown', array_to_string(path, chr(31)), action_pattern) as name,
        0 as weight,
        cast(valid_from as date) as from_day,
        -- An end at midnight is of the day before.
        cast(valid_until - interval 1 microsecond as date) as until_day
    from entitlements
    where layer in ('approved', 'granted') and effect <> 'deny' and coalesce(identity_id, '') in (select id from touched_ids)
    union all
    select identity_id, kind, drift_id, weight, cast(first_at as date), cast(last_at as date)
    from drifted
    union all
    select drifted.identity_id, 'began', drifted.drift_id, 0, cast(drifted.first_at as date), null
    from drifted
    cross join bounds
    where drifted.is_beyond and cast(drifted.first_at as date) >= coalesce(bounds.first_day, cast(drifted.first_at as date))
),

in_logs as (
    select
        spans.identity_id, spans.what, spans.name, spans.weight, spans.until_day, bounds.last_day,
        greatest(coalesce(spans.from_day, bounds.first_day), coalesce(bounds.first_day, spans.from_day)) as from_day
    from spans
    cross join bounds
),

moves as (
    select identity_id, what, name, weight, from_day as day, 1 as step
    from in_logs
    where from_day <= last_day and (until_day is null or from_day <= until_day)
    union all
    select identity_id, what, name, weight, until_day + 1, -1
    from in_logs
    where from_day <= until_day and until_day < last_day
),

-- One name may be held by several ways at once; it is lost with the last of them. A drift is one by itself.
by_name as (
    select identity_id, what, name, day, sum(step) as step
    from moves
    where what in ('approved', 'granted', 'unread')
    group by identity_id, what, name, day
),

levels as (
    select *, sum(step) over (partition by identity_id, what, name order by day rows between unbounded preceding and current row) as level
    from by_name
),

turns as (
    select identity_id, what, day, 0 as weight, cast(level > 0 as integer) - cast(level - step > 0 as integer) as turn
    from levels
    union all
    select identity_id, what, day, weight, step
    from moves
    where what not in ('approved', 'granted', 'unread')
    union all
    select identity_id, 'used', day, 0, n_used
    from used_by_day
    union all
    select used_by_day.identity_id, 'used', used_by_day.day + 1, 0, -used_by_day.n_used
    from used_by_day
    join bounds on used_by_day.day < bounds.last_day
    union all
    select identity_id, 'ever used', day, 0, 1
    from first_used
),

changes as (
    select
        identity_id,
        day,
        coalesce(sum(turn) filter (where what = 'approved'), 0) as approved,
        coalesce(sum(turn) filter (where what = 'granted'), 0) as granted,
        coalesce(sum(turn) filter (where what = 'unread'), 0) as unread,
        coalesce(sum(turn) filter (where what = 'used'), 0) as used,
        coalesce(sum(turn) filter (where what = 'ever used'), 0) as ever_used,
        coalesce(sum(turn) filter (where what = 'over_grant'), 0) as over_grant,
        coalesce(sum(turn) filter (where what = 'widened_after_approval'), 0) as widened_after_approval,
        coalesce(sum(turn) filter (where what = 'overreach'), 0) as overreach,
        coalesce(sum(turn) filter (where what = 'unused'), 0) as unused,
        coalesce(sum(turn) filter (where what = 'unused_approval'), 0) as unused_approval,
        coalesce(sum(turn) filter (where what = 'expired_but_held'), 0) as expired_but_held,
        coalesce(sum(turn) filter (where what = 'changed_without_log'), 0) as changed_without_log,
        coalesce(sum(turn) filter (where what = 'began'), 0) as began,
        sum(turn * weight) as weight
    from turns
    where turn <> 0
    group by identity_id, day
    having sum(turn) filter (where what = 'used') <> 0 or count(*) filter (where what <> 'used') > 0
)

select
    identity_id,
    day,
    cast(sum(approved) over so_far as bigint) as n_approved,
    cast(sum(granted) over so_far as bigint) as n_granted,
    cast(sum(unread) over so_far as bigint) as n_unread,
    cast(sum(used) over so_far as bigint) as n_used,
    cast(sum(ever_used) over so_far as bigint) as n_ever_used,
    cast(sum(over_grant) over so_far as bigint) as n_over_grant,
    cast(sum(widened_after_approval) over so_far as bigint) as n_widened_after_approval,
    cast(sum(overreach) over so_far as bigint) as n_overreach,
    cast(sum(unused) over so_far as bigint) as n_unused,
    cast(sum(unused_approval) over so_far as bigint) as n_unused_approval,
    cast(sum(expired_but_held) over so_far as bigint) as n_expired_but_held,
    cast(sum(changed_without_log) over so_far as bigint) as n_changed_without_log,
    cast(sum(weight) over so_far as bigint) as weight,
    cast(began as bigint) as n_began,
    began > 0 as is_change_point
from changes
window so_far as (partition by identity_id order by day rows between unbounded preceding and current row)
