-- grain: one row per tool call (a span of a trace, or a coding agent's tool result)
-- build: full
-- why: the agent's own account of what it did; the same span exported twice is one call, the longest account wins

with spans as (
    select
        tool_call_uid,
        event_at as called_at,
        coalesce(try_cast(json_extract_string(detail, '$.ended_at') as timestamptz), event_at) as ended_at,
        event_hour,
        event_id,
        log,
        actor_uid as agent_uid,
        actor_name as agent_name,
        json_extract_string(detail, '$.operation') as operation,
        json_extract_string(detail, '$.tool') as tool,
        action,
        outcome,
        args_hash,
        workload_uid
    from events
    where kind = 'tool_call' and tool_call_uid is not null
),

ranked as (
    select *, row_number() over (partition by tool_call_uid order by ended_at desc, event_id) as nth
    from spans
)

select 'tool_call:' || tool_call_uid as tool_call_id, * exclude (nth)
from ranked
where nth = 1
