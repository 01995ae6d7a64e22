-- grain: one row per node and spine whose primary link is cut because it closes a circle
-- build: full
-- why: forged or broken records can make a credential its own ancestor; the circle is cut at its least node and nothing is lost

with recursive parents as (
    select child_id, parent_id, spine
    from links
    where is_primary and not starts_with(child_id, 'activity:')
    union all
    select child_id, parent_id, 'authority' as spine
    from links
    where is_primary and kind = 'approval>approval'
),

-- From the tops downwards every node is reached but those on a circle or below one.
reached as (
    select distinct parents.parent_id as node_id, parents.spine
    from parents
    left join parents as above on above.child_id = parents.parent_id and above.spine = parents.spine
    where above.child_id is null
    union all
    select parents.child_id, reached.spine
    from reached
    join parents on parents.parent_id = reached.node_id and parents.spine = reached.spine
),

endless as (
    select parents.child_id, parents.parent_id, parents.spine
    from parents
    left join reached on reached.node_id = parents.child_id and reached.spine = parents.spine
    where reached.node_id is null
),

endless_count as (select count(*) as n_nodes from endless),

-- Who climbs further than there are nodes goes round a circle that he stands below.
ancestors as (
    select child_id as node_id, parent_id as ancestor_id, spine, 1 as n_steps
    from endless
    union all
    select ancestors.node_id, endless.parent_id, ancestors.spine, ancestors.n_steps + 1
    from ancestors
    join endless on endless.child_id = ancestors.ancestor_id and endless.spine = ancestors.spine
    cross join endless_count
    where ancestors.ancestor_id <> ancestors.node_id and ancestors.n_steps < endless_count.n_nodes
),

circles as (
    select distinct node_id, spine
    from ancestors
    where node_id = ancestor_id
)

select distinct min(ancestors.ancestor_id) as node_id, ancestors.spine
from circles
join ancestors on ancestors.node_id = circles.node_id and ancestors.spine = circles.spine
group by circles.node_id, ancestors.spine
