-- grain: one row per node and spine
-- build: full
-- why: the top of each spine above a node, unless that is deeper than anybody climbs, the least confidence on the way, the number of credentials passed, and the approval by whose words an act is judged

-- What an approval was given under stands above it, whichever spine leads to it.
with recursive edges as (
    select child_id, parent_id, spine, confidence
    from links
    where is_primary
    union all
    select child_id, parent_id, 'authority', confidence
    from links
    where is_primary and kind = 'approval>approval'
),

parents as (
    select edges.child_id, edges.parent_id, edges.spine, edges.confidence
    from edges
    left join int_cycles on int_cycles.node_id = edges.child_id and int_cycles.spine = edges.spine
    where int_cycles.node_id is null
),

-- An approval that lists something is what those below it are judged by; one in plain words leaves that to the one above.
words as (
    select
        approval_id,
        ends_at,
        array_length(actions) > 0 or array_length(resources) > 0 or array_length(roles) > 0 or array_length(tools) > 0 as has_lists
    from stg_approvals
),

inner_nodes as (
    select node_id, node_kind, 'intent' as spine
    from int_nodes
    where node_kind in ('approval', 'decision', 'tool_call')
    union all
    select node_id, node_kind, 'authority' as spine
    from int_nodes
    where node_kind in ('approval', 'credential')
),

tops as (
    select inner_nodes.node_id, inner_nodes.spine, inner_nodes.node_kind, words.approval_id, words.ends_at
    from inner_nodes
    left join parents on parents.child_id = inner_nodes.node_id and parents.spine = inner_nodes.spine
    left join words on words.approval_id = inner_nodes.node_id
    where parents.child_id is null
),

climbed as (
    select
        node_id, spine, node_id as root_id, null::varchar as parent_id,
        1.0::double as confidence, 0 as depth, case when node_kind = 'credential' then 1 else 0 end as n_credentials,
        approval_id, ends_at as approval_ends_at
    from tops
    union all
    select
        parents.child_id, climbed.spine, climbed.root_id, parents.parent_id,
        least(climbed.confidence, parents.confidence), climbed.depth + 1,
        climbed.n_credentials + case when starts_with(parents.child_id, 'credential:') then 1 else 0 end,
        case when words.has_lists then words.approval_id else climbed.approval_id end,
        least(climbed.approval_ends_at, words.ends_at)
    from climbed
    join parents on parents.parent_id = climbed.node_id and parents.spine = climbed.spine
    left join words on words.approval_id = parents.child_id
    where not starts_with(parents.child_id, 'activity:') and climbed.depth < most_hops()
),

-- Activities are leaves: one step up and they stand on their parent's path.
leaves as (
    select
        parents.child_id as node_id, parents.spine, climbed.root_id, parents.parent_id,
        least(climbed.confidence, parents.confidence) as confidence, climbed.depth + 1 as depth, climbed.n_credentials,
        climbed.approval_id, climbed.approval_ends_at
    from parents
    join climbed on climbed.node_id = parents.parent_id and climbed.spine = parents.spine
    where starts_with(parents.child_id, 'activity:')
)

select * from climbed
union all
select * from leaves
