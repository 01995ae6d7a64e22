-- grain: one row per record of a tool call (a span of a trace, or a coding agent's tool result)
-- build: by_hour
-- why: what each record tells of its call, once and for all; the accounts of one call are compared afterwards

with hours as (select event_hour from touched_hours)

select
    e.event_id,
    e.tool_call_uid,
    e.event_at as called_at,
    coalesce(try_cast(json_extract_string(e.detail, '$.ended_at') as timestamptz), e.event_at) as ended_at,
    e.event_hour,
    e.log,
    e.voice,
    e.actor_uid as agent_uid,
    e.actor_name as agent_name,
    json_extract_string(e.detail, '$.operation') as operation,
    json_extract_string(e.detail, '$.tool') as tool,
    e.action,
    e.outcome,
    e.args_hash,
    coalesce(try_cast(json_extract(e.detail, '$.commands') as varchar[]), []) as commands,
    e.workload_uid
from events as e
join hours on hours.event_hour = e.event_hour
where e.kind = 'tool_call' and e.tool_call_uid is not null
