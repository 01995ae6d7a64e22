-- grain: one row per child, parent, kind and method
-- build: by_key child_id
-- why: every edge says how it was made, with which key, out of how many candidates and how far to trust it
-- units: select child_id from int_links__candidates
-- dirty: select child_id from delta_int_links__candidates
-- dirty: select below.child_id from delta_int_links__candidates as changed join int_links__candidates as below on below.parent_id = changed.child_id
-- dirty: select node_id from delta_int_nodes
-- dirty: select child_id from delta_int_nodes join int_links__candidates on parent_id = node_id
-- dirty: select below.child_id from delta_int_nodes as changed join int_links__candidates as above on above.parent_id = changed.node_id
--     join int_links__candidates as below on below.parent_id = above.child_id
-- dirty: select child_id from delta_stg_approvals join int_links__candidates on parent_id = approval_id
-- only: int_nodes(node_id, node_kind, node_at, corrected_at, event_id, event_hour, voice)
-- only: stg_approvals(approval_id, valid_from, ends_at)
-- only: run_context(clock_tolerance)

-- What stands above a parent decides how a child stands below it.
with looked_at as (
    select id as child_id from touched_ids
    union
    select parent_id from int_links__candidates where child_id in (select id from touched_ids)
),

weighed as (
    select
        candidates.*,
        -- More than one candidate is never proof, so it stays below the bar of 0.5.
        case
            when candidates.n_candidates = 1 then link_weights.weight
            else least(link_weights.weight / candidates.n_candidates, 0.49)
        end as confidence
    from int_links__candidates as candidates
    join link_weights on link_weights.method = candidates.method
    where candidates.child_id in (select child_id from looked_at)
),

-- The best of what joins a child to a parent by more than an approval that fits it. That a day of a key is the key's own
-- puts it under nothing.
best as (
    select child_id, spine, max(confidence) as confidence
    from weighed
    where spine is not null and method <> 'same_credential'
        and not (ends_with(kind, '>approval') and method in ('standing', 'attribute_window'))
    group by child_id, spine
),

-- What fits by identity and time alone says nothing beside a better link; whoever acts much has twenty of those for each act.
-- The credential that may have been used stays: an approval that fits stands above it.
compared as (
    select
        weighed.*,
        coalesce(
            weighed.method = 'attribute_window' and not ends_with(weighed.kind, '>credential')
            and weighed.confidence < best.confidence,
            false
        ) as is_outdone
    from weighed
    left join best on best.child_id = weighed.child_id and best.spine = weighed.spine
),

outdone_by_key as (
    select child_id, spine, kind, key_kind, max(n_candidates) as n_candidates
    from compared
    where is_outdone
    group by child_id, spine, kind, key_kind
),

outdone as (
    select child_id, spine, sum(n_candidates)::bigint as n_weaker
    from outdone_by_key
    group by child_id, spine
),

numbered as (
    select
        * exclude (is_outdone),
        row_number() over (
            partition by child_id, parent_id, kind, method
            order by confidence desc, n_candidates, coalesce(said_by = 'reported', false), key_kind, key_value
        ) as nth
    from compared
    where not is_outdone
),

distinct_links as (
    select numbered.*, coalesce(outdone.n_weaker, 0) as n_weaker
    from numbered
    left join outdone on outdone.child_id = numbered.child_id and outdone.spine = numbered.spine
    where numbered.nth = 1
),

placed as (
    select
        distinct_links.* exclude (nth, said_by),
        child.node_at as child_at,
        parent.node_at as parent_at,
        child.corrected_at as child_corrected_at,
        parent.corrected_at as parent_corrected_at,
        child.event_id as child_event_id,
        parent.event_id as parent_event_id,
        child.event_hour,
        child.node_kind as child_kind,
        parent.node_kind as parent_kind,
        case when 'recorded' in (child.voice, parent.voice) then 'recorded' else 'reported' end as voice,
        -- A join that no record states is made from what the child's record shows.
        coalesce(distinct_links.said_by, child.voice) as stated_by
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
    where parent_kind = 'approval' and confidence >= 0.5 and method <> 'standing'
    group by child_id, parent_id
),

already_above as (
    select distinct held.child_id, trusted_approvals.parent_id
    from held
    join trusted_approvals on trusted_approvals.child_id = held.held_id
),

-- What is more above a credential than approvals that fit it.
known_above as (
    select distinct child_id
    from placed
    where spine = 'authority' and method not in ('standing', 'attribute_window')
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
        placed.spine = 'authority' and placed.parent_kind = 'approval' and placed.confidence >= 0.5 and placed.method <> 'standing'
        and already_above.child_id is null as is_entry,
        -- An approval that only fits stands above the credentials that were used, not in the place of one. A day of a key
        -- above which nothing more is known is itself the uppermost.
        case
            when placed.method = 'same_credential' then known_above.child_id is null
            when placed.parent_kind = 'approval' and placed.method in ('standing', 'attribute_window') then
                bool_or(placed.parent_kind = 'credential' and (placed.method <> 'same_credential' or known_above.child_id is not null))
                    over (partition by placed.child_id, placed.spine)
            else false
        end as gives_way,
        leading_decisions.decision_id is not null or placed.parent_kind = 'approval' as leads_to_approval,
        placed.parent_corrected_at <= placed.child_corrected_at + run_context.clock_tolerance as is_before,
        coalesce(seconds_between(stg_approvals.valid_from, stg_approvals.ends_at), 1e12) as validity
    from placed
    cross join run_context
    left join known_above on known_above.child_id = placed.parent_id and placed.method = 'same_credential'
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
                coalesce(is_entry, false) desc, coalesce(gives_way, false), confidence desc, n_candidates, leads_to_approval desc, parent_kind <> 'decision', coalesce(stated_by = 'reported', false), validity,
                coalesce(seconds_apart, 0), coalesce(is_before, false) desc, parent_corrected_at desc, parent_id, method
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
    n_weaker,
    spine is not null and rank = 1 as is_primary,
    child_at,
    parent_at,
    -- Within a second, which is all that many logs can tell.
    parent_corrected_at <= child_corrected_at + interval 1 second as is_in_order,
    child_event_id,
    parent_event_id,
    event_hour,
    voice,
    stated_by
from ranked
where child_id in (select id from touched_ids)
