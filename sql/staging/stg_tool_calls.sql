-- grain: one row per tool call (a span of a trace, or a coding agent's tool result)
-- build: by_key tool_call_id
-- why: the agent's own account of what it did; the same span told twice is one call, and what is told later may complete the first account and not replace it
-- units: select 'tool_call:' || tool_call_uid from stg_call_accounts
-- dirty: select 'tool_call:' || tool_call_uid from delta_stg_call_accounts

with spans as (
    select *
    from stg_call_accounts
    where 'tool_call:' || tool_call_uid in (select id from touched_ids)
),

placed as (
    -- What the agent's own telemetry tells does not come before what another system recorded.
    select *, {'is_reported': voice is not distinct from 'reported', 'at': called_at, 'ended': ended_at, 'id': event_id} as place
    from spans
),

first_accounts as (
    select
        tool_call_uid,
        min_by(log, place) as log,
        min_by(agent_uid, place) filter (where agent_uid is not null) as agent_uid,
        min_by(agent_name, place) filter (where agent_name is not null) as agent_name,
        min_by(operation, place) filter (where operation is not null) as operation,
        min_by(tool, place) filter (where tool is not null) as tool,
        min_by(action, place) filter (where action is not null) as action,
        min_by(outcome, place) filter (where outcome <> 'unknown') as outcome,
        min_by(args_hash, place) filter (where args_hash is not null) as args_hash,
        min_by(workload_uid, place) filter (where workload_uid is not null) as workload_uid
    from placed
    group by tool_call_uid
),

compared as (
    select
        placed.tool_call_uid, placed.called_at, placed.ended_at, placed.event_hour, placed.event_id, placed.log,
        placed.voice, placed.outcome,
        -- Another log may call the same agent by another name.
        coalesce(placed.agent_uid <> told.agent_uid, false) and placed.log = told.log as has_other_agent,
        coalesce(placed.tool <> told.tool or placed.action <> told.action, false) as has_other_tool,
        coalesce(placed.args_hash <> told.args_hash, false) as has_other_arguments,
        coalesce(placed.outcome <> 'unknown' and placed.outcome <> told.outcome, false) as has_other_result
    from placed
    join first_accounts as told on told.tool_call_uid = placed.tool_call_uid
),

-- Of the accounts that agree with the first the one that reaches furthest.
ranked as (
    select
        *,
        row_number() over (
            partition by tool_call_uid
            order by has_other_agent or has_other_tool or has_other_arguments or has_other_result, ended_at desc, event_id
        ) as nth
    from compared
),

disputed as (
    select
        tool_call_uid,
        bool_or(has_other_agent) as has_agents,
        bool_or(has_other_tool) as has_tools,
        bool_or(has_other_arguments) as has_arguments,
        bool_or(has_other_result) as has_results
    from compared
    group by tool_call_uid
)

select
    'tool_call:' || ranked.tool_call_uid as tool_call_id,
    ranked.tool_call_uid,
    ranked.called_at,
    ranked.ended_at,
    ranked.event_hour,
    ranked.event_id,
    ranked.log,
    ranked.voice,
    told.agent_uid,
    told.agent_name,
    told.operation,
    told.tool,
    told.action,
    coalesce(told.outcome, ranked.outcome) as outcome,
    told.args_hash,
    told.workload_uid,
    list_filter(
        [
            case when disputed.has_agents then 'actor' end,
            case when disputed.has_tools then 'tool' end,
            case when disputed.has_arguments then 'arguments' end,
            case when disputed.has_results then 'outcome' end
        ],
        lambda word: word is not null
    ) as differs
from ranked
join first_accounts as told on told.tool_call_uid = ranked.tool_call_uid
join disputed on disputed.tool_call_uid = ranked.tool_call_uid
where ranked.nth = 1
