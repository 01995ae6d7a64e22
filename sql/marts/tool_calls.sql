-- grain: one row per tool call
-- build: full
-- why: the tool calls as published, with the identity that called

select chain_steps.identity_id, chain_steps.chain_id, chain_steps.is_privileged, stg_tool_calls.*
from stg_tool_calls
join chain_steps on chain_steps.step_id = stg_tool_calls.tool_call_id
