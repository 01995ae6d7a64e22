-- grain: one row per tool call
-- build: by_key tool_call_id
-- why: the tool calls as published, with the identity that called
-- units: select tool_call_id from stg_tool_calls
-- dirty: select tool_call_id from delta_stg_tool_calls
-- dirty: select step_id from delta_chain_steps
-- only: chain_steps(step_id, identity_id, chain_id, is_privileged)

select chain_steps.identity_id, chain_steps.chain_id, chain_steps.is_privileged, stg_tool_calls.*
from stg_tool_calls
join chain_steps on chain_steps.step_id = stg_tool_calls.tool_call_id
where stg_tool_calls.tool_call_id in (select id from touched_ids)
