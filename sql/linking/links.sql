-- grain: one row per child, parent, kind and method
-- build: full
-- why: every edge says how it was made, with which key, out of how many candidates and how far to trust it

with weighed as (
    select
        candidates.*,
        -- More than one candidate is never proof, so it stays below the bar of 0.5.
        case
            when candidates.n_candidates = 1 then link_weights.weight
            else least(link_weights.weight / candidates.n_candidates, 0.49)
        end as confidence
    from int_links__candidates as candidates
    join link_weights on link_weights.method = candidates.method
),

numbered as (
    select
        *,
        row_number() over (
            partition by child_id, parent_id, kind, method
            order by confidence desc, n_candidates, key_kind, key_value
        ) as nth
    from weighed
),

distinct_links as (select * from numbered where nth = 1),

placed as (
    select
        distinct_links.* exclude (nth),
        child.node_at as child_at,
        parent.node_at as parent_at,
        child.event_id as child_event_id,
        parent.event_id as parent_event_id,
        child.event_hour,
        child.node_kind as child_kind,
        parent.node_kind as parent_kind
    from distinct_links
    join int_nodes as child on child.node_id = distinct_links.child_id
    join int_nodes as parent on parent.node_id = distinct_links.parent_id
),

-- The credential that a child was issued from or used, to see whether the approval entered before it.
held as (
    select child_id, parent_id as held_id
    from placed
    where kind in ('credential>credential', 'activity>credential')
),

trusted_approvals as (
    select child_id, parent_id, max(confidence) as confidence
    from placed
    where parent_kind = 'approval' and confidence >= 0.5
    group by child_id, parent_id
),

already_above as (
    select distinct held.child_id, trusted_approvals.parent_id
    from held
    join trusted_approvals on trusted_approvals.child_id = held.held_id
),

-- A decision that leads to an approval explains a call better than a calling agent does.
leading_decisions as (
    select distinct child_id as decision_id
    from placed
    where kind = 'decision>approval' and confidence >= 0.5
),

preferred as (
    select
        placed.*,
        -- Where an approval enters the authority spine, it and not the ambient credential is the parent.
        placed.spine = 'authority' and placed.parent_kind = 'approval' and placed.confidence >= 0.5
        and already_above.child_id is null as is_entry,
        leading_decisions.decision_id is not null or placed.parent_kind = 'approval' as leads_to_approval,
        placed.parent_at <= placed.child_at + run_context.clock_tolerance as is_before,
        coalesce(seconds_between(stg_approvals.valid_from, stg_approvals.ends_at), 1e12) as validity
    from placed
    cross join run_context
    left join already_above on already_above.child_id = placed.child_id and already_above.parent_id = placed.parent_id
    left join leading_decisions on leading_decisions.decision_id = placed.parent_id
    left join stg_approvals on stg_approvals.approval_id = placed.parent_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by child_id, spine
            order by
                coalesce(is_entry, false) desc, confidence desc, n_candidates, leads_to_approval desc, parent_kind <> 'decision', validity,
                coalesce(seconds_apart, 0), coalesce(is_before, false) desc, parent_at desc, parent_id, method
        ) as rank
    from preferred
)

select
    substr(sha256(child_id || chr(31) || parent_id || chr(31) || kind || chr(31) || method), 1, 20) as link_id,
    child_id,
    parent_id,
    kind,
    spine,
    method,
    key_kind,
    key_value,
    confidence,
    n_candidates,
    spine is not null and rank = 1 as is_primary,
    child_at,
    parent_at,
    child_event_id,
    parent_event_id,
    event_hour
from ranked
