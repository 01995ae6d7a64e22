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

-- From the tops downwards every node is reached but those on a circle, below one, or deeper than anybody climbs.
reached as (
    select distinct parents.parent_id as node_id, parents.spine, 0 as depth
    from parents
    left join parents as above on above.child_id = parents.parent_id and above.spine = parents.spine
    where above.child_id is null
    union all
    select parents.child_id, reached.spine, reached.depth + 1
    from reached
    join parents on parents.parent_id = reached.node_id and parents.spine = reached.spine
    where reached.depth < most_hops()
),

endless as (
    select parents.child_id, parents.parent_id, parents.spine
    from parents
    left join reached on reached.node_id = parents.child_id and reached.spine = parents.spine
    where reached.node_id is null
),

-- Who has no parent among them, a line that is only too deep, is led to itself.
jumps_1 as (
    select endless.child_id as node_id, endless.spine, coalesce(above.child_id, endless.child_id) as ancestor_id,
        endless.child_id as least_id, above.child_id is not null as is_endless
    from endless
    left join endless as above on above.child_id = endless.parent_id and above.spine = endless.spine
),

-- Every jump is four of those before: twelve of them go further than any circle is long, where a climb would take n * n steps.
-- Written out, because a recursion that reads itself four times is not portable.
jumps_4 as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_1 as a
    join jumps_1 as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_1 as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_1 as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_16 as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_4 as a
    join jumps_4 as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_4 as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_4 as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_64 as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_16 as a
    join jumps_16 as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_16 as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_16 as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_256 as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_64 as a
    join jumps_64 as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_64 as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_64 as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_1k as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_256 as a
    join jumps_256 as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_256 as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_256 as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_4k as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_1k as a
    join jumps_1k as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_1k as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_1k as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_16k as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_4k as a
    join jumps_4k as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_4k as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_4k as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_64k as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_16k as a
    join jumps_16k as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_16k as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_16k as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_256k as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_64k as a
    join jumps_64k as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_64k as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_64k as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_1m as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_256k as a
    join jumps_256k as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_256k as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_256k as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_4m as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_1m as a
    join jumps_1m as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_1m as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_1m as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

jumps_16m as (
    select a.node_id, a.spine, d.ancestor_id, least(a.least_id, b.least_id, c.least_id, d.least_id) as least_id, d.is_endless
    from jumps_4m as a
    join jumps_4m as b on b.node_id = a.ancestor_id and b.spine = a.spine
    join jumps_4m as c on c.node_id = b.ancestor_id and c.spine = a.spine
    join jumps_4m as d on d.node_id = c.ancestor_id and d.spine = a.spine
),

-- Who goes so far from anywhere below a circle stands on the circle, and has been round it.
circles as (
    select distinct ancestor_id as node_id, spine
    from jumps_16m
    where is_endless
)

select distinct jumps_16m.least_id as node_id, jumps_16m.spine
from circles
join jumps_16m on jumps_16m.node_id = circles.node_id and jumps_16m.spine = circles.spine
