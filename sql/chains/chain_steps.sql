-- grain: one row per node
-- build: full
-- why: every node in its one chain: the root it climbs to, on which spine, how sure that is, and what is missing

with paths as (
    select
        int_paths.node_id,
        int_paths.spine,
        int_paths.root_id,
        int_paths.parent_id,
        int_paths.confidence,
        int_paths.depth,
        int_paths.n_credentials,
        int_paths.approval_id,
        int_paths.approval_ends_at,
        root.node_kind as root_kind,
        root.is_bounded as root_is_bounded,
        coalesce(stg_approvals.is_granted, false) as is_granted
    from int_paths
    join int_nodes as root on root.node_id = int_paths.root_id
    left join stg_approvals on stg_approvals.approval_id = int_paths.root_id
),

both_spines as (
    select
        node.*,
        intent.root_id as intent_root_id,
        intent.parent_id as intent_parent_id,
        intent.confidence as intent_confidence,
        coalesce(intent.is_granted, false) as intent_is_granted,
        authority.root_id as authority_root_id,
        authority.parent_id as authority_parent_id,
        authority.confidence as authority_confidence,
        coalesce(authority.depth, 0) as authority_depth,
        coalesce(authority.is_granted, false) as authority_is_granted,
        coalesce(authority.n_credentials, 0) as n_hops
    from int_nodes as node
    left join paths as intent on intent.node_id = node.node_id and intent.spine = 'intent'
    left join paths as authority on authority.node_id = node.node_id and authority.spine = 'authority'
),

chosen as (
    select
        *,
        case
            when intent_is_granted and intent_confidence >= 0.5 then 'intent'
            when authority_is_granted and authority_confidence >= 0.5 then 'authority'
            when authority_root_id is not null and (authority_depth > 0 or node_kind = 'credential') then 'authority'
            when intent_root_id is not null then 'intent'
        end as spine
    from both_spines
),

rooted as (
    select
        chosen.*,
        coalesce(paths.root_id, chosen.node_id) as root_id,
        coalesce(paths.root_kind, chosen.node_kind) as root_kind,
        coalesce(paths.root_is_bounded, true) as root_is_bounded,
        paths.parent_id,
        coalesce(paths.depth, 0) as depth,
        paths.approval_id,
        paths.approval_ends_at,
        coalesce(paths.confidence, 1.0) as confidence,
        coalesce(paths.is_granted and paths.confidence >= 0.5, false) as is_accounted
    from chosen
    left join paths on paths.node_id = chosen.node_id and paths.spine = chosen.spine
),

sliced as (
    select *, case when root_is_bounded then '' else strftime(node_at, '%Y-%m-%d') end as slice
    from rooted
),

copies as (select distinct child_id from links where kind = 'same_event'),

decided as (select distinct child_id from links where kind = 'tool_call>decision'),

cut as (select distinct node_id from int_cycles),

-- What stands below more links than anybody climbs has parents and no path; it is a root of its own.
too_deep as (
    select distinct links.child_id
    from links
    left join int_paths on int_paths.node_id = links.child_id and int_paths.spine = links.spine
    where links.is_primary and int_paths.node_id is null
),

kept as (
    select child_id, kind, method, key_kind, max(n_candidates) - count(*) as n_left_out
    from links
    where n_candidates > most_candidates()
    group by child_id, kind, method, key_kind
),

left_out as (
    select child_id, max(n_left_out) as n_left_out
    from kept
    where n_left_out > 0
    group by child_id
),

doubts as (
    select
        sliced.node_id,
        coalesce(of_approvals.doubt, case when sliced.node_at > of_approvals.complete_until then 'evidence late' end) as approval_doubt,
        coalesce(of_decisions.doubt, case when sliced.node_at > of_decisions.complete_until then 'evidence late' end) as decision_doubt,
        coalesce(of_tool_calls.doubt, case when sliced.node_at > of_tool_calls.complete_until then 'evidence late' end) as tool_call_doubt
    from sliced
    left join int_evidence__speakers as spoken on spoken.actor_uid = sliced.actor_uid
    left join int_evidence__by_hour as of_approvals
        on of_approvals.event_hour = sliced.event_hour and of_approvals.evidence_kind = 'approval'
        and of_approvals.speakers = coalesce(spoken.approval_speakers, '')
    left join int_evidence__by_hour as of_decisions
        on of_decisions.event_hour = sliced.event_hour and of_decisions.evidence_kind = 'decision'
        and of_decisions.speakers = coalesce(spoken.decision_speakers, '')
    left join int_evidence__by_hour as of_tool_calls
        on of_tool_calls.event_hour = sliced.event_hour and of_tool_calls.evidence_kind = 'tool_call'
        and of_tool_calls.speakers = coalesce(spoken.tool_call_speakers, '')
),

missing as (
    select
        sliced.node_id,
        list_filter(
            [
                case
                    -- A request that nobody granted is no approval, however surely an act names it.
                    when sliced.node_kind = 'activity' and not sliced.intent_is_granted and not sliced.authority_is_granted
                        then 'no approval' || coalesce(': ' || doubts.approval_doubt, '')
                end,
                case
                    when sliced.node_kind = 'tool_call' and sliced.action like 'tool:%' and decided.child_id is null
                        then 'no decision' || coalesce(': ' || doubts.decision_doubt, '')
                end,
                case
                    -- Taking a role and asking who one is are no acts of a tool.
                    when sliced.node_kind = 'activity' and sliced.intent_parent_id is null
                        and array_length(judging.tools) > 0 and token_service.prefix is null
                        then 'no tool call' || coalesce(': ' || doubts.tool_call_doubt, '')
                end,
                case
                    when sliced.node_kind = 'credential' and sliced.approval_ends_at is not null
                        and stg_credentials.revoked_at is null and stg_credentials.expires_at > sliced.approval_ends_at + run_context.clock_tolerance
                        then 'credential not revoked'
                end,
                case when cut.node_id is not null then 'cycle' end,
                case when is_from_future(sliced.node_at, run_context.future_from) then 'from the future' end,
                case when too_deep.child_id is not null then 'too deep' end,
                'candidates left out: ' || left_out.n_left_out::varchar
            ],
            lambda gap: gap is not null
        ) as gaps
    from sliced
    cross join run_context
    left join doubts on doubts.node_id = sliced.node_id
    left join decided on decided.child_id = sliced.node_id
    left join stg_approvals as judging on judging.approval_id = sliced.approval_id
    left join stg_credentials on stg_credentials.credential_id = sliced.node_id
    left join cut on cut.node_id = sliced.node_id
    left join too_deep on too_deep.child_id = sliced.node_id
    left join left_out on left_out.child_id = sliced.node_id
    left join vendor_prefixes as token_service
        on token_service.says = 'token_service' and starts_with(sliced.action, token_service.prefix)
)

select
    'ch_' || substr(sha256(sliced.root_id || chr(31) || sliced.slice), 1, 20) as chain_id,
    sliced.node_id as step_id,
    sliced.node_kind,
    sliced.node_at as step_at,
    sliced.event_hour,
    sliced.event_id,
    sliced.log,
    sliced.root_id,
    sliced.root_kind,
    sliced.slice,
    sliced.spine,
    sliced.depth,
    sliced.parent_id,
    sliced.intent_root_id,
    sliced.intent_confidence,
    sliced.intent_parent_id,
    sliced.authority_root_id,
    sliced.authority_confidence,
    sliced.authority_parent_id,
    sliced.n_hops,
    sliced.approval_id,
    sliced.approval_ends_at,
    sliced.confidence,
    sliced.is_accounted,
    sliced.actor_uid,
    coalesce(resolved.identity_id, sliced.actor_uid) as identity_id,
    sliced.label,
    sliced.action,
    sliced.resource_uids,
    sliced.outcome,
    coalesce(stg_activities.is_privileged, false) or privileged_calls.tool_call_id is not null as is_privileged,
    sliced.node_kind <> 'activity' or copies.child_id is null as is_counted,
    missing.gaps
from sliced
join missing on missing.node_id = sliced.node_id
left join copies on copies.child_id = sliced.node_id
left join stg_activities on stg_activities.activity_id = sliced.node_id
left join int_tool_calls__privileged as privileged_calls on privileged_calls.tool_call_id = sliced.node_id
left join int_identities__resolved as resolved
    on resolved.alias_uid = sliced.actor_uid
    and holds_at(sliced.node_at, resolved.valid_from, resolved.valid_until)
