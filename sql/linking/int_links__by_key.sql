-- grain: one row per child, parent and key that names both
-- build: by_key child_id
-- why: the exact joins: an id that one record defines and another refers to
-- units: select node_id from stg_keys
-- dirty: select node_id from delta_stg_keys
-- dirty: select child.node_id from delta_stg_keys as parent join stg_keys as child on child.key_kind = parent.key_kind and child.key_value = parent.key_value
--     where (parent.role = 'names' and child.role = 'uses') or (parent.role = 'uses' and child.role = 'names') or parent.key_kind = 'mcp_request'
-- dirty: select child.node_id from delta_stg_decisions as changed join stg_keys as parent on parent.node_id = changed.decision_id
--     join stg_keys as child on child.key_kind = parent.key_kind and child.key_value = parent.key_value and child.role <> parent.role
-- dirty: select decision_id from delta_stg_decisions
-- dirty: select child.node_id from delta_stg_approvals as changed join stg_keys as parent on parent.node_id = changed.approval_id
--     join stg_keys as child on child.key_kind = parent.key_kind and child.key_value = parent.key_value and child.role <> parent.role
-- dirty: select approval_id from delta_stg_approvals
-- dirty: select child.node_id from delta_stg_tool_calls as changed join stg_keys as parent on parent.node_id = changed.tool_call_id
--     join stg_keys as child on child.key_kind = parent.key_kind and child.key_value = parent.key_value and child.role <> parent.role
-- dirty: select tool_call_id from delta_stg_tool_calls
-- only: stg_decisions(decision_id, result, decided_at, tool)
-- only: stg_approvals(approval_id, is_granted, origin, status, event_at)
-- only: stg_tool_calls(tool_call_id, operation, tool, called_at)

-- Of every key of theirs all who state it: how many there are, and in which order, decides who counts.
with own_keys as (
    select distinct key_kind, key_value
    from stg_keys
    where role in ('names', 'uses') and node_id in (select id from touched_ids)
),

stated as (
    select
        stg_keys.node_id, stg_keys.node_kind, stg_keys.key_kind, stg_keys.key_value, stg_keys.role, min(stg_keys.event_at) as stated_at,
        bool_and(coalesce(stg_keys.voice = 'reported', false)) as is_reported
    from stg_keys
    semi join own_keys on own_keys.key_kind = stg_keys.key_kind and own_keys.key_value = stg_keys.key_value
    where stg_keys.role in ('names', 'uses')
    group by stg_keys.node_id, stg_keys.node_kind, stg_keys.key_kind, stg_keys.key_value, stg_keys.role
),

-- A key that so many state joins all of them with all of them: of those the first count, so that none who comes later
-- takes their place; what an approver granted or an engine denied comes before them.
crowded as (
    select node_kind, key_kind, key_value, role, count(*) as n_stated
    from stated
    group by node_kind, key_kind, key_value, role
    having count(*) > most_candidates() + 1
),

in_crowds as (
    select
        stated.node_id, stated.node_kind, stated.key_kind, stated.key_value, stated.role, stated.is_reported,
        row_number() over (
            partition by stated.node_kind, stated.key_kind, stated.key_value, stated.role
            order by coalesce(stg_decisions.result = 'deny' or stg_approvals.is_granted, false) desc, stated.stated_at, stated.node_id
        ) as nth
    from stated
    join crowded
        on crowded.node_kind = stated.node_kind and crowded.key_kind = stated.key_kind
        and crowded.key_value = stated.key_value and crowded.role = stated.role
    left join stg_decisions on stg_decisions.decision_id = stated.node_id
    left join stg_approvals on stg_approvals.approval_id = stated.node_id
),

-- Whoever names itself is no candidate, so one more than counts is kept.
first_of_all as (
    select stated.node_id, stated.node_kind, stated.key_kind, stated.key_value, stated.role, stated.is_reported
    from stated
    anti join crowded
        on crowded.node_kind = stated.node_kind and crowded.key_kind = stated.key_kind
        and crowded.key_value = stated.key_value and crowded.role = stated.role
    union all
    select node_id, node_kind, key_kind, key_value, role, is_reported
    from in_crowds
    where nth <= most_candidates() + 1
),

names as (select * from stated where role = 'names'),

uses as (select * from stated where role = 'uses'),

first_names as (select * from first_of_all where role = 'names'),

first_uses as (select * from first_of_all where role = 'uses'),

-- An approval that was given under another names it, and so does what a person asks of an agent; what nobody granted
-- leads nowhere.
granted as (
    select approval_id
    from stg_approvals
    where is_granted or (origin = 'human_request' and status = 'approved')
),

-- The reference stands in the child: the child's record names its parent's id.
upward as (
    select
        uses.node_id as child_id, uses.node_kind as child_kind,
        names.node_id as parent_id, names.node_kind as parent_kind,
        uses.key_kind, uses.key_value, uses.is_reported
    from uses
    join first_names as names on names.key_kind = uses.key_kind and names.key_value = uses.key_value
    left join granted on granted.approval_id = uses.node_id
    where (uses.node_kind, names.node_kind) in (
        ('approval', 'approval'), ('decision', 'approval'), ('tool_call', 'approval'), ('tool_call', 'decision'), ('tool_call', 'tool_call'),
        ('activity', 'tool_call')
    )
        and (uses.node_kind <> 'approval' or granted.approval_id is not null)
),

-- The reference stands in the parent: a decision names the call it answers, a tool call the request it sent.
downward as (
    select
        names.node_id as child_id, names.node_kind as child_kind,
        uses.node_id as parent_id, uses.node_kind as parent_kind,
        names.key_kind, names.key_value, uses.is_reported
    from names
    join first_uses as uses on uses.key_kind = names.key_kind and uses.key_value = names.key_value
    where (names.key_kind, names.node_kind, uses.node_kind) in (
        ('tool_call', 'tool_call', 'decision'), ('request', 'activity', 'tool_call')
    )
),

-- An engine that is asked within the span of a call decides on that call, unless it says that it was about another tool.
-- One span is one call; where many claim it, the first calls of all stand for it, however many decisions there are.
decided_in_span as (
    select
        names.node_id as child_id, names.node_kind as child_kind,
        uses.node_id as parent_id, uses.node_kind as parent_kind,
        names.key_kind, names.key_value, uses.is_reported
    from first_names as names
    join uses on uses.key_kind = names.key_kind and uses.key_value = names.key_value
    join stg_tool_calls on stg_tool_calls.tool_call_id = names.node_id
    join stg_decisions on stg_decisions.decision_id = uses.node_id
    where names.key_kind = 'span' and stg_tool_calls.operation = 'execute_tool'
        and coalesce(is_same_tool(stg_decisions.tool, stg_tool_calls.tool), true)
),

-- Between the client and the server of a request there may be a gateway that logs it too; then the server's call hangs on that.
-- In a crowd nobody is the nearest.
requested as (
    select upward.child_id, upward.parent_id, upward.key_kind, upward.key_value
    from upward
    anti join crowded on crowded.key_kind = upward.key_kind and crowded.key_value = upward.key_value
    where upward.key_kind = 'mcp_request'
),

past_the_nearest as (
    select distinct far.child_id, far.parent_id, far.key_kind, far.key_value
    from requested as far
    join requested as near on near.child_id = far.child_id and near.key_kind = far.key_kind and near.key_value = far.key_value
    join requested as beyond on beyond.child_id = near.parent_id and beyond.parent_id = far.parent_id and beyond.key_kind = far.key_kind and beyond.key_value = far.key_value
    where near.parent_id <> far.parent_id and near.parent_id <> near.child_id
),

pairs as (
    select upward.*
    from upward
    anti join past_the_nearest as past
        on past.child_id = upward.child_id and past.parent_id = upward.parent_id
        and past.key_kind = upward.key_kind and past.key_value = upward.key_value
    union
    select * from downward
    union
    select * from decided_in_span
),

paired as (
    select
        *,
        count(*) over (partition by child_id, parent_kind, key_kind, key_value) as n_paired
    from pairs
    where child_id <> parent_id
),

-- How many stated a key as a parent would, and were passed over.
passed_over as (
    select node_kind, key_kind, key_value, max(n_stated) - most_candidates() - 1 as n_passed_over
    from crowded
    where role = 'names' or key_kind <> 'span'
    group by node_kind, key_kind, key_value
),

in_order as (
    select
        paired.child_id, paired.parent_id, paired.key_kind, paired.key_value,
        row_number() over (
            partition by paired.child_id, paired.parent_kind, paired.key_kind, paired.key_value
            order by
                coalesce(stg_decisions.result = 'deny' or stg_approvals.is_granted, false) desc,
                coalesce(stg_decisions.decided_at, stg_approvals.event_at, stg_tool_calls.called_at), paired.parent_id
        ) as nth
    from paired
    left join stg_decisions on stg_decisions.decision_id = paired.parent_id
    left join stg_approvals on stg_approvals.approval_id = paired.parent_id
    left join stg_tool_calls on stg_tool_calls.tool_call_id = paired.parent_id
    where paired.n_paired > most_candidates()
),

beyond as (
    select child_id, parent_id, key_kind, key_value
    from in_order
    where nth > most_candidates()
),

counted as (
    select
        paired.child_id, paired.child_kind, paired.parent_id, paired.parent_kind, paired.key_kind, paired.key_value, paired.is_reported,
        paired.n_paired + coalesce(passed_over.n_passed_over, 0) as n_candidates
    from paired
    anti join beyond
        on beyond.child_id = paired.child_id and beyond.parent_id = paired.parent_id
        and beyond.key_kind = paired.key_kind and beyond.key_value = paired.key_value
    left join passed_over
        on passed_over.node_kind = paired.parent_kind and passed_over.key_kind = paired.key_kind
        and passed_over.key_value = paired.key_value
),

-- Several keys may prove the same pair; the one with the fewest candidates speaks for it.
ranked as (
    select
        *,
        row_number() over (
            partition by child_id, parent_id
            order by n_candidates, is_reported, key_kind, key_value
        ) as nth
    from counted
)

select
    child_id, child_kind, parent_id, parent_kind, key_kind, key_value, n_candidates,
    case when is_reported then 'reported' else 'recorded' end as voice
from ranked
where nth = 1 and child_id in (select id from touched_ids)
