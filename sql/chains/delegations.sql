-- grain: one row per tool call or activity of an agent that another agent asked
-- build: full
-- why: an agent that works on its own ticket stands under that, and whoever asked it must not get lost: what it does for a caller may be more than the caller's approval covers

with recursive agents as (
    select
        stg_tool_calls.tool_call_id,
        stg_tool_calls.operation,
        stg_tool_calls.agent_uid,
        -- The service that an agent runs in bears the agent's name.
        regexp_replace(coalesce(resolved.identity_id, stg_tool_calls.agent_uid), '^(agent|service):', '') as agent
    from stg_tool_calls
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_tool_calls.agent_uid
        and holds_at(stg_tool_calls.called_at, resolved.valid_from, resolved.valid_until)
),

-- A span has one parent; of several that are told of one the least counts, whoever tells them.
parents as (
    select child_id, min(parent_id) as parent_id
    from int_links__by_key
    where child_kind = 'tool_call' and parent_kind = 'tool_call' and key_kind = 'span' and n_candidates = 1
    group by child_id
),

spans as (
    select
        parents.child_id,
        parents.parent_id,
        coalesce(asked.agent <> asking.agent, false) and coalesce('invoke_agent' in (asked.operation, asking.operation), false) as is_asked
    from parents
    join agents as asked on asked.tool_call_id = parents.child_id
    join agents as asking on asking.tool_call_id = parents.parent_id
),

beginnings as (
    select agents.tool_call_id
    from agents
    anti join spans on spans.child_id = agents.tool_call_id
),

-- From the top of a run down, each call once: whom the run was asked by last.
walk as (
    select tool_call_id, null::varchar as caller_id, null::varchar as callee_id, 0 as depth
    from beginnings
    union all
    select
        spans.child_id,
        case when spans.is_asked then spans.parent_id else walk.caller_id end,
        case when spans.is_asked then spans.child_id else walk.callee_id end,
        walk.depth + 1
    from walk
    join spans on spans.parent_id = walk.tool_call_id
    where walk.depth < most_hops()
),

walked as (select tool_call_id, caller_id, callee_id from walk where caller_id is not null),

steps as (
    select tool_call_id as step_id, tool_call_id, caller_id, callee_id from walked
    union all
    select links.child_id, walked.tool_call_id, walked.caller_id, walked.callee_id
    from links
    join walked on walked.tool_call_id = links.parent_id
    where links.is_primary and links.kind = 'activity>tool_call' and links.confidence >= 0.5
),

-- The approvals that the asked agent, or an engine, states for its own work.
proven as (
    select child_id, parent_id
    from links
    where confidence >= 0.5 and kind in ('tool_call>approval', 'tool_call>decision', 'decision>approval')
),

stated as (
    select child_id as tool_call_id, parent_id as approval_id
    from proven
    where starts_with(parent_id, 'approval:')
    union
    select of_call.child_id, of_decision.parent_id
    from proven as of_call
    join proven as of_decision on of_decision.child_id = of_call.parent_id
    where starts_with(of_decision.parent_id, 'approval:')
),

stating as (
    select step_id, tool_call_id from steps
    union
    select step_id, callee_id from steps
),

own as (
    select distinct stating.step_id
    from stating
    join int_paths as authority on authority.node_id = stating.step_id and authority.spine = 'authority'
    join stated on stated.tool_call_id = stating.tool_call_id and stated.approval_id = authority.root_id
)

select
    steps.step_id,
    steps.caller_id,
    steps.callee_id,
    caller.agent_uid as caller_uid,
    case when stg_approvals.is_granted then caller_path.root_id end as caller_root_id,
    case when stg_approvals.is_granted then caller_path.approval_id end as caller_approval_id,
    own.step_id is not null as is_on_own_approval
from steps
join agents as caller on caller.tool_call_id = steps.caller_id
left join int_paths as caller_path
    on caller_path.node_id = steps.caller_id and caller_path.spine = 'intent'
    and caller_path.confidence >= 0.5 and not caller_path.is_borrowed and starts_with(caller_path.root_id, 'approval:')
left join stg_approvals on stg_approvals.approval_id = caller_path.root_id
left join own on own.step_id = steps.step_id
