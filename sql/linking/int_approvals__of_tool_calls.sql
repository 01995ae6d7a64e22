-- grain: one row per tool call and approval that its own keys, or its decision's, lead to, and the approval that one was given under
-- build: full
-- why: an activity can be placed under a tool call of the same approval when no request id joins them

with direct as (
    select child_id as tool_call_id, parent_id as approval_id
    from int_links__by_key
    where child_kind = 'tool_call' and parent_kind = 'approval'
),

through_decision as (
    select call.child_id as tool_call_id, answer.parent_id as approval_id
    from int_links__by_key as call
    join int_links__by_key as answer on answer.child_id = call.parent_id
    where call.child_kind = 'tool_call' and call.parent_kind = 'decision' and answer.parent_kind = 'approval'
),

nearest as (
    select * from direct
    union
    select * from through_decision
)

select * from nearest
union
select nearest.tool_call_id, above.parent_id
from nearest
join int_links__by_key as above on above.child_id = nearest.approval_id
where above.child_kind = 'approval' and above.parent_kind = 'approval'
