-- grain: one row per node and spine
-- build: full
-- why: the top of each spine above a node, the least confidence on the way and the number of credentials passed

with recursive parents as (
    select links.child_id, links.parent_id, links.spine, links.confidence
    from links
    left join int_cycles on int_cycles.node_id = links.child_id and int_cycles.spine = links.spine
    where links.is_primary and int_cycles.node_id is null
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
    select inner_nodes.node_id, inner_nodes.spine, inner_nodes.node_kind
    from inner_nodes
    left join parents on parents.child_id = inner_nodes.node_id and parents.spine = inner_nodes.spine
    where parents.child_id is null
),

climbed as (
    select
        node_id, spine, node_id as root_id, null::varchar as parent_id,
        1.0::double as confidence, 0 as depth, case when node_kind = 'credential' then 1 else 0 end as n_credentials
    from tops
    union all
    select
        parents.child_id, climbed.spine, climbed.root_id, parents.parent_id,
        least(climbed.confidence, parents.confidence), climbed.depth + 1,
        climbed.n_credentials + case when starts_with(parents.child_id, 'credential:') then 1 else 0 end
    from climbed
    join parents on parents.parent_id = climbed.node_id and parents.spine = climbed.spine
    where not starts_with(parents.child_id, 'activity:')
),

-- Activities are leaves: one step up and they stand on their parent's path.
leaves as (
    select
        parents.child_id as node_id, parents.spine, climbed.root_id, parents.parent_id,
        least(climbed.confidence, parents.confidence) as confidence, climbed.depth + 1 as depth, climbed.n_credentials
    from parents
    join climbed on climbed.node_id = parents.parent_id and climbed.spine = parents.spine
    where starts_with(parents.child_id, 'activity:')
)

select * from climbed
union all
select * from leaves
