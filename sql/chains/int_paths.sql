-- grain: one row per node and spine
-- build: by_key node_id
-- why: the top of each spine above a node, unless that is deeper than anybody climbs, the least confidence on the way, who vouches for it, the number of credentials passed, the approval by whose words an act is judged, and the nearest one that fits by window alone
-- units: select node_id from int_nodes union all select child_id from links
-- down: select child_id, parent_id from links where is_primary
-- dirty: select node_id from delta_int_nodes
-- dirty: select child_id from delta_links
-- dirty: select node_id from delta_int_windows
-- dirty: select node_id from delta_int_cycles
-- dirty: select node_id from delta_int_corrections
-- dirty: select approval_id from delta_stg_approvals
-- dirty: select child_id from delta_stg_approvals join links on parent_id = approval_id
-- dirty: select decision_id from delta_stg_decisions
-- dirty: select child_id from delta_stg_decisions join links on parent_id = decision_id
-- only: int_nodes(node_id, node_kind)
-- only: links(child_id, parent_id, spine, confidence, method, n_candidates, stated_by, is_primary, kind)
-- only: stg_decisions(decision_id, result, voice, subject_uid)

-- What an approval was given under stands above it, whichever spine leads to it.
with recursive looked_at as (
    select id as node_id from touched_ids
    union
    select links.parent_id
    from looked_at
    join links on links.child_id = looked_at.node_id
    where links.is_primary
),

edges as (
    select child_id, parent_id, spine, confidence, method, n_candidates, stated_by
    from links
    where is_primary and child_id in (select node_id from looked_at)
    union all
    select child_id, parent_id, 'authority', confidence, method, n_candidates, stated_by
    from links
    where is_primary and kind = 'approval>approval' and child_id in (select node_id from looked_at)
),

parents as (
    select
        edges.child_id,
        edges.parent_id,
        edges.spine,
        edges.confidence,
        starts_with(edges.parent_id, 'approval:') and not starts_with(edges.child_id, 'approval:') as is_entry,
        -- What was denied is under no approval, whatever the denial names.
        coalesce(edges.method in ('borrowed', 'ended'), false) or denied.decision_id is not null as is_borrowed,
        coalesce(edges.method = 'ended', false) as is_ended,
        edges.n_candidates = 1 and (edges.confidence >= 0.5 or not starts_with(edges.parent_id, 'approval:')) as is_single,
        -- An approval that only the subject tells of stands where a recorded log repeats its very id.
        coalesce(edges.stated_by = 'reported' or (told.approval_id is not null and edges.confidence < 0.5), false) as is_reported,
        case when stg_decisions.voice is distinct from 'reported' then stg_decisions.subject_uid end as decided_for,
        edges.method,
        int_windows.confidence as window_confidence
    from edges
    -- One that only may fit does not go before a credential that surely was used.
    left join int_windows
        on int_windows.node_id = edges.child_id and edges.spine = 'authority'
        and (int_windows.is_standing or int_windows.confidence >= edges.confidence)
    left join stg_approvals as told on told.approval_id = edges.parent_id and told.voice = 'reported'
    left join stg_decisions as denied on denied.decision_id = edges.parent_id and denied.result = 'deny'
    left join stg_decisions on stg_decisions.decision_id = edges.child_id and starts_with(edges.parent_id, 'approval:')
    left join int_cycles on int_cycles.node_id = edges.child_id and int_cycles.spine = edges.spine
    where int_cycles.node_id is null
),

-- An approval that lists something is what those below it are judged by; one in plain words leaves that to the one above.
words as (
    select
        stg_approvals.approval_id,
        corrected(stg_approvals.ends_at, int_corrections.seconds_ahead) as ends_at,
        corrected(stg_approvals.granted_at, int_corrections.seconds_ahead) as granted_at,
        array_length(actions) > 0 or array_length(resources) > 0 or array_length(roles) > 0 or array_length(tools) > 0 as has_lists
    from stg_approvals
    left join int_corrections on int_corrections.node_id = stg_approvals.approval_id
),

inner_nodes as (
    select node_id, node_kind, 'intent' as spine
    from int_nodes
    where node_kind in ('approval', 'decision', 'tool_call') and node_id in (select node_id from looked_at)
    union all
    select node_id, node_kind, 'authority' as spine
    from int_nodes
    where node_kind in ('approval', 'credential') and node_id in (select node_id from looked_at)
),

tops as (
    select inner_nodes.node_id, inner_nodes.spine, inner_nodes.node_kind, words.approval_id, words.ends_at, words.granted_at
    from inner_nodes
    left join parents on parents.child_id = inner_nodes.node_id and parents.spine = inner_nodes.spine
    left join words on words.approval_id = inner_nodes.node_id
    where parents.child_id is null
),

climbed as (
    select
        node_id, spine, node_id as root_id, null::varchar as parent_id,
        1.0::double as confidence, 0 as depth, case when node_kind = 'credential' then 1 else 0 end as n_credentials,
        approval_id, ends_at as approval_ends_at, granted_at as approval_granted_at,
        case when node_kind = 'approval' then node_id end as entry_id,
        false as is_reported, false as is_borrowed, false as is_ended, node_kind = 'approval' as is_single, null::varchar as decided_for,
        null::varchar as method,
        null::varchar as window_node_id, null::double as window_confidence
    from tops
    union all
    select
        parents.child_id, climbed.spine, climbed.root_id, parents.parent_id,
        least(climbed.confidence, parents.confidence), climbed.depth + 1,
        -- A day of a credential is no other credential.
        climbed.n_credentials + case when starts_with(parents.child_id, 'credential:') and parents.method is distinct from 'same_credential' then 1 else 0 end,
        case when words.has_lists then words.approval_id else climbed.approval_id end,
        least(climbed.approval_ends_at, words.ends_at),
        greatest(climbed.approval_granted_at, words.granted_at),
        case when words.approval_id is not null then words.approval_id else climbed.entry_id end,
        -- Of what an agent did only its own account tells; what counts is who says that it was under this approval. Of
        -- credentials every hop counts.
        climbed.is_reported
        or (parents.is_reported and (parents.is_entry or parents.spine = 'authority' or starts_with(parents.child_id, 'approval:'))),
        climbed.is_borrowed or parents.is_borrowed,
        climbed.is_ended or parents.is_ended,
        climbed.is_single and parents.is_single,
        case when parents.is_entry then parents.decided_for else climbed.decided_for end,
        case
            when climbed.method = 'standing' or not (parents.is_entry or starts_with(parents.child_id, 'approval:')) then climbed.method
            when parents.is_entry or parents.method = 'standing' then parents.method
        end,
        case when parents.window_confidence is not null then parents.child_id when not parents.is_reported then climbed.window_node_id end,
        case
            when parents.window_confidence is not null then parents.window_confidence
            when climbed.window_confidence is not null and not parents.is_reported then least(climbed.window_confidence, parents.confidence)
        end
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
        climbed.approval_id, climbed.approval_ends_at, climbed.approval_granted_at,
        climbed.entry_id,
        climbed.is_reported or (parents.is_reported and (parents.is_entry or parents.spine = 'authority')) as is_reported,
        climbed.is_borrowed or parents.is_borrowed as is_borrowed,
        climbed.is_ended or parents.is_ended as is_ended,
        climbed.is_single and parents.is_single as is_single,
        climbed.decided_for,
        case
            when climbed.method = 'standing' or not (parents.is_entry or starts_with(parents.child_id, 'approval:')) then climbed.method
            when parents.is_entry or parents.method = 'standing' then parents.method
        end as method,
        case when parents.window_confidence is not null then parents.child_id when not parents.is_reported then climbed.window_node_id end as window_node_id,
        case
            when parents.window_confidence is not null then parents.window_confidence
            when climbed.window_confidence is not null and not parents.is_reported then least(climbed.window_confidence, parents.confidence)
        end as window_confidence
    from parents
    join climbed on climbed.node_id = parents.parent_id and climbed.spine = parents.spine
    where starts_with(parents.child_id, 'activity:')
)

select * from climbed where node_id in (select id from touched_ids)
union all
select * from leaves where node_id in (select id from touched_ids)
