-- grain: one row per approval with at least one tool call under it
-- build: full
-- why: a task is over when the last agent run under its approval has ended, which may be long before the approval ends

select
    chain_steps.root_id as approval_id,
    min(corrected(stg_tool_calls.called_at, int_corrections.seconds_ahead)) as task_started_at,
    max(corrected(stg_tool_calls.ended_at, int_corrections.seconds_ahead)) filter (where not is_from_future(stg_tool_calls.ended_at, run_context.future_from)) as task_ended_at
from chain_steps
cross join run_context
join stg_tool_calls on stg_tool_calls.tool_call_id = chain_steps.step_id
left join int_corrections on int_corrections.node_id = chain_steps.step_id
where chain_steps.root_kind = 'approval' and chain_steps.is_accounted and chain_steps.accounted_by is distinct from 'standing'
group by chain_steps.root_id
