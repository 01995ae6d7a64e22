-- grain: one row per node and spine whose primary link is cut because it closes a circle
-- build: full
-- why: forged or broken records can make a credential its own ancestor; the circle is cut at its least node and nothing is lost

with recursive parents as (
    select child_id, parent_id, spine
    from links
    where is_primary and not starts_with(child_id, 'activity:')
    union all
    select child_id, parent_id, 'authority'
    from links
    where is_primary and kind = 'approval>approval'
),

ancestors as (
    select child_id as node_id, parent_id as ancestor_id, spine
    from parents
    union
    select ancestors.node_id, parents.parent_id, ancestors.spine
    from ancestors
    join parents on parents.child_id = ancestors.ancestor_id and parents.spine = ancestors.spine
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
