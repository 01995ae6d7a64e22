-- grain: one row per node
-- build: by_key step_id
-- why: every node in its one chain: the root it climbs to, on which spine, how sure that is, and what is missing
-- units: select node_id from int_nodes
-- dirty: select node_id from delta_int_nodes
-- dirty: select below.node_id from delta_int_nodes as root join int_paths as below on below.root_id = root.node_id
-- dirty: select node_id from delta_int_paths
-- dirty: select below.node_id from delta_int_paths as above join int_windows as held on held.approval_id = above.node_id join int_paths as below on below.window_node_id = held.node_id
-- dirty: select below.node_id from delta_int_windows as held join int_paths as below on below.window_node_id = held.node_id
-- dirty: select below.node_id from delta_stg_approvals as root join int_paths as below on below.root_id = root.approval_id
-- dirty: select step_id from delta_stg_approvals as judging join chain_steps on chain_steps.approval_id = judging.approval_id
-- dirty: select below.node_id from delta_int_approvals__subjects as named join int_paths as below on below.root_id = named.approval_id
-- dirty: select below.node_id from delta_int_approvals__subjects as named join int_paths as below on below.entry_id = named.approval_id
-- dirty: select activity_id from delta_stg_activities
-- dirty: select node_id from delta_int_identities__resolved join int_nodes on actor_uid = alias_uid
-- dirty: select activity_id from delta_int_identities__resolved join stg_activities on role_arn = alias_uid
-- dirty: select activity_id from delta_int_identities__resolved join stg_activities on issued_role_arn = alias_uid
-- dirty: select activity_id from delta_int_identities__resolved join stg_activities on issued_holder = alias_uid
-- dirty: select node_id from delta_int_identities__resolved join int_paths on decided_for = alias_uid
-- dirty: select node_id from delta_int_approvals__in_window
-- dirty: select activity_id from delta_int_tool_calls__around_activities
-- dirty: select child_id from delta_links
-- dirty: select node_id from delta_int_cycles
-- dirty: select node_id from delta_int_evidence__of_acts
-- dirty: select node_id from delta_int_credentials__by_day
-- dirty: select credential_id from delta_stg_credentials
-- dirty: select node_id from delta_stg_credentials join int_credentials__by_day using (credential_id)
-- dirty: select tool_call_id from delta_int_tool_calls__privileged
-- only: run_context(clock_tolerance, future_from)
-- only: stg_credentials(credential_id, revoked_at, expires_at)
-- only: int_approvals__in_window(node_id, n_left_out)
-- only: int_tool_calls__around_activities(activity_id, n_left_out)
-- only: links(child_id, kind, method, key_kind, n_candidates, is_primary, spine)

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
        int_paths.approval_granted_at,
        int_paths.entry_id,
        int_paths.decided_for,
        int_paths.is_reported,
        int_paths.is_borrowed,
        int_paths.is_ended,
        int_paths.window_node_id,
        int_paths.window_confidence,
        -- Who asks an agent for something grants nothing, and the run is one piece of work all the same.
        case when stg_approvals.origin is distinct from 'human_request' then int_paths.method end as method,
        coalesce(stg_approvals.origin = 'human_request', false) as is_request,
        root.node_kind as root_kind,
        root.is_bounded as root_is_bounded,
        coalesce(stg_approvals.is_granted, false) as is_granted
    from int_paths
    join int_nodes as root on root.node_id = int_paths.root_id
    left join stg_approvals on stg_approvals.approval_id = int_paths.root_id
    where int_paths.node_id in (select id from touched_ids)
),

-- Whose an act is: who acted, in which role, and who holds what it issued. On the way over what an agent did, this has to
-- be whom the approval names; over credentials that was asked where the approval was carried.
claims as (
    select paths.node_id, paths.root_id, paths.entry_id, paths.method, paths.decided_for
    from paths
    where paths.spine = 'intent' and paths.is_granted and starts_with(paths.node_id, 'activity:')
),

claimed as (
    select node_id, entry_id as approval_id from claims
    union
    select node_id, root_id from claims
),

act_names as (
    select activity_id, event_at, unnest([actor_uid, role_arn, issued_role_arn, issued_holder]) as alias_uid
    from stg_activities
    semi join claims on claims.node_id = stg_activities.activity_id
),

act_identities as (
    select act_names.activity_id, coalesce(resolved.identity_id, act_names.alias_uid) as identity_id
    from act_names
    left join int_identities__resolved as resolved
        on resolved.alias_uid = act_names.alias_uid and holds_at(act_names.event_at, resolved.valid_from, resolved.valid_until)
    where act_names.alias_uid is not null
),

addressed as (
    select approval_id
    from int_approvals__subjects
    group by approval_id
    having not bool_and(is_asker)
),

own as (
    select distinct claimed.node_id
    from claimed
    join act_identities on act_identities.activity_id = claimed.node_id
    join int_approvals__subjects as subjects
        on subjects.approval_id = claimed.approval_id and subjects.identity_id = act_identities.identity_id
    union
    -- An engine let somebody act under an approval of somebody else, who had called.
    select claims.node_id
    from claims
    join stg_activities on stg_activities.activity_id = claims.node_id
    join act_identities on act_identities.activity_id = claims.node_id
    left join int_identities__resolved as resolved
        on resolved.alias_uid = claims.decided_for
        and holds_at(stg_activities.event_at, resolved.valid_from, resolved.valid_until)
    where coalesce(resolved.identity_id, claims.decided_for) = act_identities.identity_id
        and claims.method is distinct from 'standing'
),

foreign_claims as (
    select distinct claims.node_id
    from claims
    join addressed on addressed.approval_id = claims.entry_id
    anti join own on own.node_id = claims.node_id
),

-- An approval that fits by window alone ends with those that it stands under.
windows as (
    select
        int_windows.node_id,
        int_windows.is_begun_within,
        int_windows.valid_from,
        least(int_windows.ends_at, above.approval_ends_at) as ends_at,
        coalesce(above.approval_id, int_windows.approval_id) as approval_id,
        above.approval_ends_at,
        above.approval_granted_at
    from int_windows
    left join int_paths as above on above.node_id = int_windows.approval_id and above.spine = 'authority'
),

both_spines as (
    select
        node.*,
        intent.root_id as intent_root_id,
        intent.parent_id as intent_parent_id,
        intent.confidence as intent_confidence,
        intent.method as intent_method,
        coalesce(intent.is_granted or intent.is_request, false) as intent_is_rooted,
        -- What only the subject tells excuses its own account of what it did, and nothing that others recorded.
        coalesce(
            intent.is_granted and not coalesce(intent.is_borrowed, false)
            and not (coalesce(intent.is_reported, false) and node.voice is distinct from 'reported'),
            false
        ) as intent_is_told,
        foreign_claims.node_id is not null as is_foreign_claim,
        authority.root_id as authority_root_id,
        authority.parent_id as authority_parent_id,
        authority.confidence as authority_confidence,
        coalesce(authority.depth, 0) as authority_depth,
        authority.method as authority_method,
        coalesce(
            authority.is_granted and coalesce(authority.method, '') not in ('standing', 'attribute_window')
            and not coalesce(authority.is_borrowed, false)
            and not (coalesce(authority.is_reported, false) and node.voice is distinct from 'reported'),
            false
        ) as authority_is_joined,
        authority.window_confidence,
        windows.approval_id as window_approval_id,
        windows.approval_ends_at as window_ends_at,
        windows.approval_granted_at as window_granted_at,
        coalesce(is_within(node.node_at, windows.valid_from, windows.ends_at, run_context.clock_tolerance), false) as is_in_window,
        coalesce(
            windows.is_begun_within and authority.window_confidence >= 0.5
            and node.node_at > windows.ends_at + run_context.clock_tolerance,
            false
        ) as is_past_window,
        coalesce(authority.n_credentials, 0) as n_hops
    from int_nodes as node
    cross join run_context
    left join paths as intent on intent.node_id = node.node_id and intent.spine = 'intent'
    left join paths as authority on authority.node_id = node.node_id and authority.spine = 'authority'
    left join foreign_claims on foreign_claims.node_id = node.node_id
    left join windows on windows.node_id = authority.window_node_id
    where node.node_id in (select id from touched_ids)
),

-- By an id of the approval that came with it, or by an approval that nothing names and that fits.
authorised as (
    select
        *,
        authority_is_joined or is_in_window as authority_excuses,
        coalesce(authority_is_joined and authority_confidence >= 0.5, false) as is_joined_by_proof,
        coalesce(is_in_window and window_confidence >= 0.5, false) as is_standing
    from both_spines
),

judged as (
    select
        *,
        is_joined_by_proof or is_standing as authority_accounts,
        intent_is_told
        and (
            not is_foreign_claim
            or coalesce(is_joined_by_proof and authority_root_id = intent_root_id, false)
            or coalesce(is_standing and window_approval_id = intent_root_id, false)
        ) as intent_excuses
    from authorised
),

chosen as (
    select
        *,
        case
            when intent_excuses and intent_confidence >= 0.5 then 'intent'
            when authority_accounts then 'authority'
            -- It stands where it is said to stand, accounted for or not.
            when intent_is_rooted and intent_confidence >= 0.5 then 'intent'
            when authority_root_id is not null and (authority_depth > 0 or node_kind = 'credential') then 'authority'
            when intent_root_id is not null then 'intent'
        end as spine
    from judged
),

rooted as (
    select
        chosen.*,
        coalesce(paths.root_id, chosen.node_id) as root_id,
        coalesce(paths.root_kind, chosen.node_kind) as root_kind,
        coalesce(paths.root_is_bounded, true) as root_is_bounded,
        paths.parent_id,
        coalesce(paths.depth, 0) as depth,
        paths.approval_id as path_approval_id,
        paths.approval_ends_at as path_ends_at,
        paths.approval_granted_at as path_granted_at,
        coalesce(paths.confidence, 1.0) as path_confidence,
        coalesce(paths.is_granted and paths.is_ended and paths.confidence >= 0.5, false) as is_path_ended,
        coalesce(
            case chosen.spine
                when 'intent' then chosen.intent_excuses and chosen.intent_confidence >= 0.5
                when 'authority' then chosen.authority_accounts
            end,
            false
        ) as is_accounted,
        coalesce(chosen.spine = 'authority' and chosen.is_standing and not chosen.is_joined_by_proof, false) as is_by_standing
    from chosen
    left join paths on paths.node_id = chosen.node_id and paths.spine = chosen.spine
),

-- What goes on after the end of the approval that fits is judged by that one too.
ended as (
    select *, not is_accounted and not is_path_ended and is_past_window as is_over
    from rooted
),

by_window as (
    select *, is_by_standing or is_over as is_by_window
    from ended
),

sliced as (
    select
        *,
        case when root_is_bounded then '' else strftime(node_at, '%Y-%m-%d') end as slice,
        case when is_by_window then window_approval_id else path_approval_id end as approval_id,
        case when is_by_window then window_ends_at else path_ends_at end as approval_ends_at,
        case when is_by_window then window_granted_at else path_granted_at end as approval_granted_at,
        case when is_by_window then window_confidence else path_confidence end as confidence,
        case when is_by_standing then 'standing' when not is_accounted then null when spine = 'intent' then intent_method else authority_method end
            as accounted_by
    from by_window
),

own_links as (select * from links where child_id in (select id from touched_ids)),

copies as (select distinct child_id from own_links where kind = 'same_event'),

decided as (select distinct child_id from own_links where kind = 'tool_call>decision'),

cut as (select distinct node_id from int_cycles),

-- What stands below more links than anybody climbs has parents and no path; it is a root of its own.
too_deep as (
    select distinct own_links.child_id
    from own_links
    left join int_paths on int_paths.node_id = own_links.child_id and int_paths.spine = own_links.spine
    where own_links.is_primary and int_paths.node_id is null
),

kept as (
    select child_id, kind, method, key_kind, max(n_candidates) - count(*) as n_left_out
    from own_links
    where n_candidates > most_candidates()
    group by child_id, kind, method, key_kind
),

-- What only fits is no link beside a better one, and how many of it were never looked at is said all the same.
not_kept as (
    select child_id, n_left_out from kept
    union all
    select node_id, n_left_out from int_approvals__in_window where not starts_with(node_id, 'approval:')
    union all
    select activity_id, n_left_out from int_tool_calls__around_activities
),

left_out as (
    select child_id, max(n_left_out) as n_left_out
    from not_kept
    where n_left_out > 0
    group by child_id
),

missing as (
    select
        sliced.node_id,
        list_filter(
            [
                case
                    -- A request that nobody granted is no approval, however surely an act names it.
                    when sliced.node_kind = 'activity' and not sliced.intent_excuses and not sliced.authority_excuses and not sliced.is_over
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
    left join int_evidence__of_acts as doubts on doubts.node_id = sliced.node_id
    left join decided on decided.child_id = sliced.node_id
    left join stg_approvals as judging on judging.approval_id = sliced.approval_id
    left join int_credentials__by_day as by_day on by_day.node_id = sliced.node_id
    left join stg_credentials on stg_credentials.credential_id = coalesce(by_day.credential_id, sliced.node_id)
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
    sliced.corrected_at,
    sliced.event_hour,
    sliced.event_id,
    sliced.log,
    sliced.voice,
    sliced.root_id,
    sliced.root_kind,
    sliced.slice,
    sliced.spine,
    sliced.depth,
    sliced.parent_id,
    sliced.intent_root_id,
    sliced.intent_confidence,
    sliced.intent_parent_id,
    sliced.intent_method,
    sliced.authority_root_id,
    sliced.authority_confidence,
    sliced.authority_parent_id,
    sliced.authority_method,
    sliced.n_hops,
    sliced.approval_id,
    sliced.approval_ends_at,
    sliced.approval_granted_at,
    sliced.confidence,
    sliced.is_accounted,
    sliced.accounted_by,
    sliced.is_path_ended or sliced.is_over as is_under_ended,
    sliced.intent_excuses or sliced.authority_excuses as is_excused,
    sliced.is_foreign_claim and sliced.intent_is_told and not sliced.intent_excuses as is_foreign_claim,
    sliced.actor_uid,
    coalesce(resolved.identity_id, sliced.actor_uid) as identity_id,
    sliced.label,
    sliced.action,
    stg_activities.canonical_action,
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
