-- grain: one row per activity or tool call
-- build: by_key step_id
-- why: everything a rule asks of one act, answered once: true, false, or null where the logs cannot tell
-- units: select step_id from chain_steps
-- dirty: select step_id from delta_chain_steps
-- dirty: select step_id from delta_delegations
-- dirty: select step_id from delta_identities join chain_steps using (identity_id)
-- dirty: select step_id from delta_int_approvals__tasks as task join chain_steps on chain_steps.root_id = task.approval_id
-- dirty: select child_id from delta_int_corrections join links on parent_id = node_id
-- dirty: select node_id from delta_int_evidence__of_acts
-- dirty: select step_id from delta_int_steps__fitting
-- dirty: select step_id from delta_int_steps__in_scope
-- dirty: select child_id from delta_links
-- dirty: select other.child_id from delta_links as changed join links as other on other.parent_id = changed.parent_id and other.kind = changed.kind
--     where changed.kind = 'tool_call>decision'
-- dirty: select activity_id from delta_stg_activities
-- dirty: select activity_id from delta_stg_effects
-- dirty: select step_id from delta_stg_approvals join chain_steps using (approval_id)
-- dirty: select activity_id from delta_stg_credentials join stg_activities using (credential_uid)
-- dirty: select child_id from delta_stg_decisions join links on parent_id = decision_id
-- dirty: select tool_call_id from delta_stg_tool_calls
-- dirty: select step_id from delta_stg_tool_calls join chain_steps on intent_parent_id = tool_call_id
-- dirty: select other.child_id from delta_stg_tool_calls as changed join links as own on own.child_id = changed.tool_call_id
--     join links as other on other.parent_id = own.parent_id where own.kind = 'tool_call>decision'
-- dirty: select other.child_id from delta_chain_steps as changed join links as own on own.child_id = changed.step_id
--     join links as other on other.parent_id = own.parent_id where own.kind = 'tool_call>decision'
-- Of whom an engine decides for the first time, of that one all calls about which only it itself told an answer.
-- dirty: select step_id from delta_stg_decisions as judging join chain_steps on chain_steps.identity_id = judging.subject_uid
--     join links as own on own.child_id = step_id and own.kind = 'tool_call>decision' join stg_decisions as told on told.decision_id = own.parent_id and told.voice = 'reported'
-- dirty: select step_id from delta_stg_decisions as judging join int_identities__resolved as resolved on resolved.alias_uid = judging.subject_uid
--     join chain_steps on chain_steps.identity_id = resolved.identity_id join links as own on own.child_id = step_id and own.kind = 'tool_call>decision' join stg_decisions as told on told.decision_id = own.parent_id and told.voice = 'reported'
-- dirty: select step_id from delta_int_identities__resolved join chain_steps using (identity_id)
--     join links as own on own.child_id = step_id and own.kind = 'tool_call>decision' join stg_decisions as told on told.decision_id = own.parent_id and told.voice = 'reported'
-- dirty: select step_id from delta_int_identities__resolved join chain_steps on chain_steps.identity_id = alias_uid
--     join links as own on own.child_id = step_id and own.kind = 'tool_call>decision' join stg_decisions as told on told.decision_id = own.parent_id and told.voice = 'reported'
-- only: identities(identity_id, is_nonhuman)
-- only: run_context(clock_tolerance)
-- only: links(child_id, parent_id, kind, method, confidence, stated_by)
-- only: stg_decisions(decision_id, event_id, result, args_hash, decided_at, voice, is_contradicted, tool, subject_uid)
-- only: stg_approvals(approval_id, event_id, status, risk, tools)
-- only: stg_credentials(credential_uid, issued_event_id, credential_kind, home_network, home_event_id)

with acts as (
    select *
    from chain_steps
    where node_kind in ('activity', 'tool_call') and is_counted and step_id in (select id from touched_ids)
),

-- Of whom an engine decides.
judged as (
    select distinct coalesce(resolved.identity_id, stg_decisions.subject_uid) as identity_id
    from stg_decisions
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_decisions.subject_uid
        and holds_at(stg_decisions.decided_at, resolved.valid_from, resolved.valid_until)
    where stg_decisions.voice is distinct from 'reported' and stg_decisions.subject_uid is not null
),

decisions_of_calls as (
    select
        links.child_id as tool_call_id,
        links.parent_id as decision_id,
        stg_decisions.event_id as decision_event_id,
        stg_decisions.result,
        stg_decisions.args_hash,
        corrected(stg_decisions.decided_at, int_corrections.seconds_ahead) as decided_at,
        links.confidence,
        acts.corrected_at as step_at,
        stg_decisions.voice is not distinct from 'reported' as is_reported,
        stg_decisions.is_contradicted,
        -- It was about these arguments, as far as both are known; what the call itself points at also names its tool. And an
        -- agent of which an engine decides does not decide for itself.
        not coalesce(stg_decisions.args_hash <> stg_tool_calls.args_hash, false)
        and (links.stated_by is distinct from 'reported' or stg_decisions.tool is not null)
        and not (stg_decisions.voice is not distinct from 'reported' and judged.identity_id is not null) as is_of_call
    from links
    join stg_decisions on stg_decisions.decision_id = links.parent_id
    left join int_corrections on int_corrections.node_id = links.parent_id
    join acts on acts.step_id = links.child_id
    left join stg_tool_calls on stg_tool_calls.tool_call_id = links.child_id
    left join judged on judged.identity_id = acts.identity_id
    where links.kind = 'tool_call>decision' and links.method = 'exact_key'
),

ranked_decisions as (
    select
        decisions_of_calls.*,
        bool_or(is_contradicted) over (partition by tool_call_id)
        or min(result) over (partition by tool_call_id) <> max(result) over (partition by tool_call_id) as is_disputed,
        row_number() over (
            partition by tool_call_id
            -- A denial stands whatever else was said, and what an engine said before what its caller says. Of the rest the
            -- answer that stood when the call was made; an allow that came afterwards excuses nothing.
            order by
                result is not distinct from 'deny' desc,
                is_of_call desc,
                is_reported,
                confidence desc,
                decided_at <= step_at + run_context.clock_tolerance desc,
                decided_at desc,
                decision_id
        ) as nth
    from decisions_of_calls
    cross join run_context
),

-- One answer to several calls that are not the same call.
shared_decisions as (
    select links.parent_id as decision_id
    from links
    join stg_tool_calls on stg_tool_calls.tool_call_id = links.child_id
    semi join chain_steps on chain_steps.step_id = links.child_id
    where links.kind = 'tool_call>decision' and links.method = 'exact_key' and stg_tool_calls.operation = 'execute_tool'
        and links.parent_id in (select decision_id from decisions_of_calls)
    group by links.parent_id
    having min(stg_tool_calls.args_hash) <> max(stg_tool_calls.args_hash)
        or not is_same_tool(min(stg_tool_calls.tool), max(stg_tool_calls.tool))
),

decided as (select * from ranked_decisions where nth = 1),

-- With whose name a new credential lets somebody act: another's, unless it is the actor's own or names nobody.
minted as (
    select
        effects.activity_id,
        bool_and(
            effects.target_kind in ('self', 'resource')
            or (array_length(effects.target_uids) = 1 and coalesce(effects.target_uids[1] = activity.actor_uid, false))
        ) as is_for_no_other
    from stg_effects as effects
    join stg_activities as activity on activity.activity_id = effects.activity_id
    where effects.effect = 'issues_credential' and activity.mints_credential
        and effects.activity_id in (select step_id from acts)
    group by effects.activity_id
),

joined as (
    select
        acts.* exclude (approval_id, approval_ends_at),
        approval.approval_id,
        approval.event_id as approval_event_id,
        approval.status as approval_status,
        case when approval.approval_id is not null then acts.approval_ends_at end as approval_ends_at,
        approval.risk,
        approval.tools as approved_tools,
        case when acts.node_kind = 'tool_call' then acts.step_id else acts.intent_parent_id end as tool_call_id,
        case when acts.node_kind = 'tool_call' then acts.event_id else parent_call.event_id end as tool_call_event_id,
        parent_call.tool_call_id as parent_tool_call_id,
        decided.decision_id,
        decided.decision_event_id,
        decided.result as decision_result,
        decided.args_hash as decided_args_hash,
        decided.is_of_call,
        coalesce(decided.is_disputed, false) as is_disputed,
        shared_decisions.decision_id is not null as shares_decision,
        fitting.step_id is not null as is_fitting,
        call.args_hash as called_args_hash,
        call.operation,
        activity.actor_kind,
        activity.credential_uid,
        coalesce(activity.issued_credential_uid, activity.credential_uid) as held_credential_uid,
        activity.network,
        activity.src_ip,
        activity.mints_credential,
        coalesce(minted.is_for_no_other, false) as is_minted_for_no_other,
        credential.issued_event_id,
        credential.credential_kind,
        credential.home_network,
        credential.home_event_id,
        activity.is_providers_own,
        tasks.task_ended_at,
        scope.role_arn,
        scope.is_outside_actions,
        scope.is_outside_resources,
        scope.is_outside_roles,
        delegations.caller_id,
        delegations.caller_uid,
        delegations.caller_approval_id,
        -- Who acts on its own ticket for another agent is one delegation with it; both tickets stand in it.
        coalesce(delegations.is_on_own_approval and delegations.caller_root_id = acts.intent_root_id, false) as is_delegated,
        coalesce(of_caller.is_outside_actions or of_caller.is_outside_resources, false) as is_beyond_caller,
        evidence.node_id is null or evidence.approval_doubt is not null as is_approval_log_doubtful,
        evidence.node_id is null or evidence.decision_doubt is not null as is_decision_log_doubtful,
        evidence.node_id is null or evidence.tool_call_doubt is not null as is_tool_call_log_doubtful,
        identities.is_nonhuman,
        run_context.clock_tolerance
    from acts
    cross join run_context
    left join stg_approvals as approval on approval.approval_id = acts.approval_id and (acts.is_accounted or acts.is_under_ended)
    left join stg_tool_calls as call on call.tool_call_id = acts.step_id
    left join stg_tool_calls as parent_call on parent_call.tool_call_id = acts.intent_parent_id
    left join decided on decided.tool_call_id = acts.step_id
    left join shared_decisions on shared_decisions.decision_id = decided.decision_id
    left join int_steps__fitting as fitting on fitting.step_id = acts.step_id
    left join stg_activities as activity on activity.activity_id = acts.step_id
    left join minted on minted.activity_id = acts.step_id
    left join stg_credentials as credential on credential.credential_uid = activity.credential_uid
    left join int_approvals__tasks as tasks on tasks.approval_id = acts.root_id and acts.is_accounted and acts.accounted_by is distinct from 'standing'
    left join int_steps__in_scope as scope on scope.step_id = acts.step_id and scope.approval_id = acts.approval_id and acts.is_accounted
    left join delegations on delegations.step_id = acts.step_id
    left join int_steps__in_scope as of_caller
        on of_caller.step_id = acts.step_id and of_caller.approval_id = delegations.caller_approval_id
        and acts.node_kind = 'activity'
        and delegations.caller_root_id <> case
            when acts.authority_confidence >= 0.5 and starts_with(acts.authority_root_id, 'approval:') then acts.authority_root_id
            else acts.intent_root_id
        end
    left join int_evidence__of_acts as evidence on evidence.node_id = acts.step_id
    left join identities on identities.identity_id = acts.identity_id
),

-- Against the home of the credential: null where addresses cannot tell.
placed as (
    select
        *,
        case
            when network is null or home_network is null then null
            when network = home_network then false
            when network_kind(network) = 'private' or network_kind(home_network) = 'private' then null
            when network_kind(network) = 'zone' or network_kind(home_network) = 'zone' then true
            when network_kind(network) = network_kind(home_network) then true
        end as is_other_network
    from joined
)

select
    chain_id,
    step_id,
    node_kind,
    step_at,
    event_hour,
    event_id,
    log,
    actor_uid,
    actor_kind,
    identity_id,
    is_nonhuman,
    action,
    canonical_action,
    resource_uids,
    outcome,
    voice,
    is_privileged,
    approval_id,
    approval_event_id,
    approval_status,
    risk,
    confidence,
    gaps,
    case
        when node_kind <> 'activity' then null
        when not list_contains(list_transform(gaps, lambda gap: split_part(gap, ':', 1)), 'no approval') or is_fitting then false
        when coalesce(is_approval_log_doubtful, true) then null
        else true
    end as has_no_approval,
    case
        when node_kind <> 'activity' then null
        when is_accounted or not is_excused or is_under_ended or is_fitting then false
        when coalesce(is_approval_log_doubtful, true) then null
        else true
    end as has_weak_approval,
    is_accounted and corrected_at < approval_granted_at - clock_tolerance as is_approved_afterwards,
    corrected_at > approval_ends_at + clock_tolerance as is_after_approval_end,
    is_outside_actions,
    is_outside_resources,
    is_outside_roles,
    case when decision_id is not null then decision_result = 'deny' and outcome <> 'denied' end as is_denied_by_decision,
    case
        when node_kind <> 'tool_call' or operation <> 'execute_tool' then null
        when decision_id is not null and (is_of_call or decision_result is not distinct from 'deny') then false
        when coalesce(is_decision_log_doubtful, true) then null
        else true
    end as has_no_decision,
    case
        when decided_args_hash is not null and called_args_hash is not null then decided_args_hash <> called_args_hash
    end as has_changed_arguments,
    case when node_kind = 'tool_call' then is_disputed end as is_disputed,
    case when decision_id is not null then shares_decision end as shares_decision,
    case
        when node_kind = 'activity' and task_ended_at is not null and not coalesce(is_tool_call_log_doubtful, true)
            then parent_tool_call_id is null and step_at > task_ended_at + clock_tolerance
                and (approval_ends_at is null or step_at <= approval_ends_at + clock_tolerance)
    end as is_after_task_end,
    is_other_network,
    coalesce(mints_credential and outcome = 'success', false) as mints_credential,
    -- To a machine any key is a way to stay; of others one more of their own, or one that names nobody, gives nothing new.
    case
        when mints_credential and outcome = 'success'
            then if(is_minted_for_no_other and is_nonhuman is distinct from true, 'low', 'high')
    end as mint_severity,
    case
        when intent_confidence >= 0.5 and authority_confidence >= 0.5
            and starts_with(intent_root_id, 'approval:') and starts_with(authority_root_id, 'approval:')
            -- What fits by window alone is no other task, and a person's request no other approval.
            then (
                intent_root_id <> authority_root_id and not is_delegated
                and intent_method not in ('standing', 'attribute_window') and authority_method not in ('standing', 'attribute_window')
            ) or is_beyond_caller
        when is_beyond_caller then true
    end as is_confused_deputy,
    caller_id,
    caller_uid,
    caller_approval_id,
    decision_id,
    decision_event_id,
    tool_call_id,
    tool_call_event_id,
    coalesce(is_providers_own, false) as is_providers_own,
    credential_uid,
    credential_kind,
    home_network,
    held_credential_uid,
    issued_event_id,
    task_ended_at,
    approval_ends_at,
    role_arn,
    src_ip,
    network,
    list_sort(
        list_distinct(
            list_filter(
                [
                    event_id, approval_event_id, decision_event_id, tool_call_event_id, issued_event_id,
                    case when is_other_network then home_event_id end
                ],
                lambda id: id is not null
            )
        )
    ) as evidence_event_ids
from placed
