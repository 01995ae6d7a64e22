-- grain: one row per privileged tool call
-- build: full
-- why: a tool is as powerful as what it makes the cloud do; the configuration may name more

with effects as (
    select distinct links.parent_id as tool_call_id
    from links
    join stg_activities on stg_activities.activity_id = links.child_id
    where links.is_primary and links.kind = 'activity>tool_call' and links.confidence >= 0.5 and stg_activities.is_privileged
),

callers as (
    select links.parent_id as tool_call_id
    from effects
    join stg_tool_calls on stg_tool_calls.tool_call_id = effects.tool_call_id and stg_tool_calls.operation = 'rpc'
    join links on links.child_id = effects.tool_call_id and links.kind = 'tool_call>tool_call'
),

actions as (select distinct action from stg_tool_calls),

privileged as (
    select distinct actions.action
    from actions
    join privileged_actions on actions.action ilike privileged_actions.action_like escape '\'
),

named as (
    select stg_tool_calls.tool_call_id
    from stg_tool_calls
    join privileged on privileged.action = stg_tool_calls.action
)

select tool_call_id from effects
union
select tool_call_id from callers
union
select tool_call_id from named
