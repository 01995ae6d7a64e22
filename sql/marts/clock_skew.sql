-- grain: one row per log of the child, log of the parent and kind of link
-- build: full
-- why: where an exact key says that two records belong together, their times say how far the clocks of two logs are apart

with pairs as (
    select
        child.log as child_log,
        parent.log as parent_log,
        links.kind,
        -- An effect cannot precede its cause; copies of one event should bear one time.
        case
            when links.kind = 'same_event' then abs(seconds_between(links.parent_at, links.child_at))
            else greatest(seconds_between(links.child_at, links.parent_at), 0)
        end as apart_seconds,
        links.kind <> 'same_event' and not links.is_in_order as is_left_apart
    from links
    join int_nodes as child on child.node_id = links.child_id
    join int_nodes as parent on parent.node_id = links.parent_id
    where links.method = 'exact_key' and links.n_candidates = 1
        and (
            links.kind in ('same_event', 'tool_call>decision')
            or (links.kind = 'activity>tool_call' and links.key_kind = 'request')
            or (links.kind = 'tool_call>tool_call' and child.log <> parent.log)
        )
),

apart as (
    select
        child_log,
        parent_log,
        kind,
        apart_seconds,
        row_number() over (partition by child_log, parent_log, kind order by apart_seconds) as nth,
        count(*) over (partition by child_log, parent_log, kind) as n_apart
    from pairs
    where apart_seconds > 0
),

quantiles as (
    select
        child_log,
        parent_log,
        kind,
        min(case when nth >= 0.5 * n_apart then apart_seconds end) as median_apart_seconds,
        min(case when nth >= 0.95 * n_apart then apart_seconds end) as p95_apart_seconds,
        max(apart_seconds) as max_apart_seconds
    from apart
    group by child_log, parent_log, kind
),

counted as (
    select
        child_log, parent_log, kind, count(*) as n_pairs,
        sum(case when apart_seconds > 0 then 1 else 0 end)::bigint as n_apart,
        sum(case when is_left_apart then 1 else 0 end)::bigint as n_left_apart
    from pairs
    group by child_log, parent_log, kind
)

select
    counted.child_log,
    counted.parent_log,
    counted.kind,
    counted.n_pairs,
    counted.n_apart,
    counted.n_left_apart,
    quantiles.median_apart_seconds,
    quantiles.p95_apart_seconds,
    quantiles.max_apart_seconds
from counted
left join quantiles
    on quantiles.child_log = counted.child_log and quantiles.parent_log = counted.parent_log and quantiles.kind = counted.kind
