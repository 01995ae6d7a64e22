-- grain: one row per child, parent and key that names both
-- build: full
-- why: the exact joins: an id that one record defines and another refers to

with names as (
    select distinct node_id, node_kind, key_kind, key_value
    from stg_keys
    where role = 'names'
),

uses as (
    select distinct node_id, node_kind, key_kind, key_value
    from stg_keys
    where role = 'uses'
),

-- An approval that was given under another names it; a request that nobody granted leads nowhere.
granted as (
    select approval_id
    from stg_approvals
    where is_granted
),

-- The reference stands in the child: the child's record names its parent's id.
upward as (
    select
        uses.node_id as child_id, uses.node_kind as child_kind,
        names.node_id as parent_id, names.node_kind as parent_kind,
        uses.key_kind, uses.key_value
    from uses
    join names on names.key_kind = uses.key_kind and names.key_value = uses.key_value
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
        names.key_kind, names.key_value
    from names
    join uses on uses.key_kind = names.key_kind and uses.key_value = names.key_value
    where (names.key_kind, names.node_kind, uses.node_kind) in (
        ('tool_call', 'tool_call', 'decision'), ('request', 'activity', 'tool_call')
    )
),

-- An engine that is asked within the span of a call decides on that call, unless it says that it was about another tool.
decided_in_span as (
    select
        names.node_id as child_id, names.node_kind as child_kind,
        uses.node_id as parent_id, uses.node_kind as parent_kind,
        names.key_kind, names.key_value
    from names
    join uses on uses.key_kind = names.key_kind and uses.key_value = names.key_value
    join stg_tool_calls on stg_tool_calls.tool_call_id = names.node_id
    join stg_decisions on stg_decisions.decision_id = uses.node_id
    where names.key_kind = 'span' and stg_tool_calls.operation = 'execute_tool'
        -- Servers put names of their own before a tool's.
        and coalesce(ends_with(stg_decisions.tool, stg_tool_calls.tool) or ends_with(stg_tool_calls.tool, stg_decisions.tool), true)
),

-- Between the client and the server of a request there may be a gateway that logs it too; then the server's call hangs on that.
past_the_nearest as (
    select distinct far.child_id, far.parent_id, far.key_kind, far.key_value
    from upward as far
    join upward as near on near.child_id = far.child_id and near.key_kind = far.key_kind and near.key_value = far.key_value
    join upward as beyond on beyond.child_id = near.parent_id and beyond.parent_id = far.parent_id and beyond.key_kind = far.key_kind and beyond.key_value = far.key_value
    where far.key_kind = 'mcp_request' and near.parent_id <> far.parent_id and near.parent_id <> near.child_id
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

counted as (
    select
        *,
        count(*) over (partition by child_id, parent_kind, key_kind, key_value) as n_candidates
    from pairs
    where child_id <> parent_id
),

-- Several keys may prove the same pair; the one with the fewest candidates speaks for it.
ranked as (
    select
        *,
        row_number() over (
            partition by child_id, parent_id
            order by n_candidates, key_kind, key_value
        ) as nth
    from counted
)

select child_id, child_kind, parent_id, parent_kind, key_kind, key_value, n_candidates
from ranked
where nth = 1
