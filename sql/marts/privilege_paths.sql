-- grain: one row per chain in which power was passed on
-- build: full
-- why: how far power went in one chain: what its approval gives, the greatest power that was reached, by which hops, and where it left what was approved

-- A hop goes on from the one before it where both stand in one chain, or where what was passed begins a chain of its own.
with recursive edges as (
    select hops.child_id, before.child_id as before_id
    from int_hops as hops
    join int_hops as before on before.child_id = hops.from_id and before.child_id <> hops.child_id
    where hops.is_derived or hops.own_chain_id = before.own_chain_id
),

-- From the first hop down each hop is reached once, so that circles end by themselves.
walk as (
    select child_id, child_id as first_id, chain_id, 1 as depth, confidence, is_reported
    from int_hops
    where chain_id is not null and child_id not in (select child_id from edges)
    union all
    select
        edges.child_id, walk.first_id, walk.chain_id, walk.depth + 1,
        least(walk.confidence, hops.confidence), walk.is_reported or hops.is_reported
    from walk
    join edges on edges.before_id = walk.child_id
    join int_hops as hops on hops.child_id = edges.child_id
    where walk.depth < most_hops()
),

-- By the words of the approval that surely stands above the first hop.
judged as (
    select
        walk.*,
        hops.hop_at,
        coalesce(powers.unlisted_rank > approved.power_rank, false) as is_more,
        case when powers.unlisted_rank > approved.power_rank then powers.unlisted_rank else powers.power_rank end as power_rank,
        approvals.approval_id,
        approvals.approval_uid,
        approvals.event_id as approval_event_id,
        approved.power_rank as approved_rank,
        walk.confidence >= 0.5 and not walk.is_reported as is_proven
    from walk
    join int_hops as hops on hops.child_id = walk.child_id
    join int_hops as first_hop on first_hop.child_id = walk.first_id
    left join int_hops__powers as powers on powers.child_id = walk.child_id
    left join stg_approvals as approvals
        on approvals.approval_id = first_hop.approval_id and first_hop.is_accounted and approvals.is_granted
    left join int_approvals__powers as approved on approved.approval_id = approvals.approval_id
),

-- The nearest of what reached the most; where nothing was more than approved, the longest way.
ends as (
    select *
    from judged
    qualify row_number() over (
        partition by chain_id
        order by
            is_proven and is_more desc, is_more desc, is_proven desc, power_rank desc nulls last,
            case when is_more then depth else -depth end, hop_at, child_id
    ) = 1
),

-- One way a chain, so that all ways together are no longer than all hops.
way as (
    select chain_id, child_id, depth
    from ends
    union all
    select way.chain_id, edges.before_id, way.depth - 1
    from way
    join edges on edges.child_id = way.child_id
    where way.depth > 1
),

hops_of as (
    select
        way.chain_id, way.depth, hops.child_id, hops.from_uid, hops.from_identity, hops.to_uid, hops.to_identity, hops.hop_kind,
        hops.act_id, hops.event_id, hops.event_ids, hops.hop_at, hops.is_accounted, hops.is_outside_approval, hops.confidence, hops.is_reported,
        hops.n_days_before, hops.n_others_before,
        powers.crown_jewels, powers.is_outside_approval as is_done_outside, powers.shown_by_event_id, powers.last_at,
        coalesce(powers.unlisted_rank > ends.approved_rank, false) as is_more
    from way
    join ends on ends.chain_id = way.chain_id
    join int_hops as hops on hops.child_id = way.child_id
    left join int_hops__powers as powers on powers.child_id = way.child_id
),

crossings as (
    select *
    from hops_of
    where is_more
    qualify row_number() over (partition by chain_id order by depth) = 1
),

-- A long way keeps its beginning, its end and where it crossed.
placed as (
    select
        hops_of.*,
        ends.depth as n_hops,
        hops_of.depth <= 7 or hops_of.depth > ends.depth - 7 or (hops_of.depth = coalesce(crossings.depth, 8)) as is_shown
    from hops_of
    join ends on ends.chain_id = hops_of.chain_id
    left join crossings on crossings.chain_id = hops_of.chain_id
),

told as (
    select
        chain_id,
        list(child_id order by depth) filter (where is_shown) as hops,
        list(hop_kind order by depth) filter (where is_shown) as hop_kinds,
        bool_and(is_accounted and confidence >= 0.5 and not is_reported) as is_accounted,
        min(n_days_before) as rarest_days_before,
        min(n_others_before) as rarest_others_before,
        min(hop_at) as first_at,
        max(greatest(hop_at, last_at)) as last_at,
        list_sort(list_distinct(flatten(list(crown_jewels)))) as crown_jewels,
        list_distinct(flatten(list(event_ids order by depth) filter (where is_shown))) as event_ids,
        min_by(coalesce(from_identity, from_uid), depth) as began_by,
        max_by(coalesce(to_uid, to_identity), depth) as reached_by,
        max_by(shown_by_event_id, depth) as shown_by_event_id,
        string_agg(replace(hop_kind, '_', ' '), ', ' order by depth) filter (where is_shown and depth <= 3) as first_words
    from placed
    group by chain_id
),

shaped as (
    select
        ends.chain_id,
        ends.is_proven,
        ends.confidence,
        ends.depth as n_hops,
        ends.approval_id,
        ends.approval_uid,
        ends.approval_event_id,
        ends.approved_rank,
        ends.power_rank,
        told.* exclude (chain_id),
        crossings.act_id as crossing_step_id,
        crossings.event_id as crossing_event_id,
        crossings.hop_kind as crossing_kind,
        crossings.from_uid as crossing_uid,
        crossings.child_id as crossing_hop_id,
        coalesce(crossings.is_outside_approval or crossings.is_done_outside, false) as is_said_of_act,
        coalesce(chains.root_id, ends.first_id) as root_id,
        coalesce(chains.identity_id, told.began_by) as identity_id
    from ends
    join told on told.chain_id = ends.chain_id
    left join crossings on crossings.chain_id = ends.chain_id
    left join chains on chains.chain_id = ends.chain_id
),

named as (
    select
        *,
        case power_rank when 4 then 'admin' when 3 then 'permissions' when 2 then 'data' when 1 then 'none' end as reached_power,
        case approved_rank when 4 then 'admin' when 3 then 'permissions' when 2 then 'data' when 1 then 'none' end as approved_power,
        list_sort(list_distinct(list_filter(list_concat(event_ids, [approval_event_id, shown_by_event_id]), lambda id: id is not null))) as evidence_event_ids
    from shaped
)

select
    chain_id,
    root_id,
    identity_id,
    approval_id,
    approval_uid,
    approved_power,
    reached_power,
    reached_by,
    crossing_hop_id is not null as is_crossing,
    crossing_step_id,
    crossing_event_id,
    crossing_kind,
    crossing_uid,
    crossing_hop_id,
    is_said_of_act,
    hops,
    n_hops,
    hop_kinds,
    first_hundred(crown_jewels) as crown_jewels,
    is_accounted,
    is_proven,
    confidence,
    rarest_days_before,
    rarest_others_before,
    -- What left the approval first, what is proven before what may be; then the rarest hop, the widest leap and crown jewels.
    row_number() over (
        order by
            crossing_hop_id is not null desc, is_proven desc, rarest_days_before, rarest_others_before,
            power_rank - approved_rank desc nulls last, array_length(crown_jewels) desc, power_rank desc nulls last, first_at, chain_id
    ) as path_rank,
    first_at,
    last_at,
    first_hundred(evidence_event_ids) as evidence_event_ids,
    case
        when crossing_hop_id is null or not is_proven then 'informational'
        when power_rank = 4 and array_length(crown_jewels) > 0 then 'critical'
        when power_rank = 4 or (power_rank = 3 and array_length(crown_jewels) > 0) then 'high'
        when power_rank = 3 then 'medium'
        else 'low'
    end as severity,
    coalesce(identity_id, began_by, 'somebody')
    || coalesce(', under ' || approval_uid || coalesce(' (' || approved_power || ')', ''), ', under no approval')
    || if(is_proven, ', reached ', ', may have reached ')
    || coalesce('the power ' || reached_power, 'a power that no log shows')
    || coalesce(' as ' || reached_by, '')
    || ' by ' || first_words
    || if(n_hops > 3, ' and ' || (n_hops - 3)::varchar || ' more hops', '')
    || coalesce('; what the approval gives was left by ' || replace(crossing_kind, '_', ' ') || coalesce(' of ' || crossing_uid, ''), '')
    || if(array_length(crown_jewels) > 0, '; touched ' || crown_jewels[1], '') as sentence
from named
