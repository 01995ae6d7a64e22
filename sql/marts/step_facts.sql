-- grain: one row per activity or tool call
-- build: full
-- why: everything a rule asks of one act, answered once: true, false, or null where the logs cannot tell

with acts as (
    select *
    from chain_steps
    where node_kind in ('activity', 'tool_call') and is_counted
),

decisions_of_calls as (
    select
        links.child_id as tool_call_id,
        links.parent_id as decision_id,
        stg_decisions.event_id as decision_event_id,
        stg_decisions.result,
        stg_decisions.args_hash,
        stg_decisions.decided_at,
        row_number() over (
            partition by links.child_id
            -- The answer that stood when the call was made; an allow that came afterwards excuses nothing.
            order by
                links.confidence desc,
                stg_decisions.decided_at <= acts.step_at + run_context.clock_tolerance desc,
                stg_decisions.decided_at desc,
                links.parent_id
        ) as nth
    from links
    join stg_decisions on stg_decisions.decision_id = links.parent_id
    join acts on acts.step_id = links.child_id
    cross join run_context
    where links.kind = 'tool_call>decision' and links.method = 'exact_key'
),

decided as (select * from decisions_of_calls where nth = 1),

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
        call.args_hash as called_args_hash,
        call.operation,
        activity.actor_kind,
        activity.credential_uid,
        coalesce(activity.issued_credential_uid, activity.credential_uid) as held_credential_uid,
        activity.network,
        activity.src_ip,
        activity.mints_credential,
        credential.issued_event_id,
        credential.issue_network,
        tasks.task_ended_at,
        scope.role_arn,
        scope.is_outside_actions,
        scope.is_outside_resources,
        scope.is_outside_roles,
        approval_evidence.doubt is not null or acts.step_at > approval_evidence.complete_until as is_approval_log_doubtful,
        decision_evidence.doubt is not null or acts.step_at > decision_evidence.complete_until as is_decision_log_doubtful,
        tool_call_evidence.doubt is not null or acts.step_at > tool_call_evidence.complete_until as is_tool_call_log_doubtful,
        identities.is_nonhuman,
        run_context.clock_tolerance
    from acts
    cross join run_context
    left join stg_approvals as approval on approval.approval_id = acts.approval_id and acts.is_accounted
    left join stg_tool_calls as call on call.tool_call_id = acts.step_id
    left join stg_tool_calls as parent_call on parent_call.tool_call_id = acts.intent_parent_id
    left join decided on decided.tool_call_id = acts.step_id
    left join stg_activities as activity on activity.activity_id = acts.step_id
    left join stg_credentials as credential on credential.credential_uid = activity.credential_uid
    left join int_approvals__tasks as tasks on tasks.approval_id = acts.root_id and acts.is_accounted
    left join int_steps__in_scope as scope on scope.step_id = acts.step_id
    left join int_evidence__speakers as spoken on spoken.actor_uid = acts.actor_uid
    left join int_evidence__by_hour as approval_evidence
        on approval_evidence.event_hour = acts.event_hour and approval_evidence.evidence_kind = 'approval'
        and approval_evidence.speakers = coalesce(spoken.approval_speakers, '')
    left join int_evidence__by_hour as decision_evidence
        on decision_evidence.event_hour = acts.event_hour and decision_evidence.evidence_kind = 'decision'
        and decision_evidence.speakers = coalesce(spoken.decision_speakers, '')
    left join int_evidence__by_hour as tool_call_evidence
        on tool_call_evidence.event_hour = acts.event_hour and tool_call_evidence.evidence_kind = 'tool_call'
        and tool_call_evidence.speakers = coalesce(spoken.tool_call_speakers, '')
    left join identities on identities.identity_id = acts.identity_id
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
    resource_uids,
    outcome,
    is_privileged,
    approval_id,
    approval_event_id,
    approval_status,
    risk,
    confidence,
    gaps,
    case
        when node_kind <> 'activity' then null
        when not list_contains(list_transform(gaps, lambda gap: split_part(gap, ':', 1)), 'no approval') then false
        when coalesce(is_approval_log_doubtful, true) then null
        else true
    end as has_no_approval,
    step_at > approval_ends_at + clock_tolerance as is_after_approval_end,
    is_outside_actions,
    is_outside_resources,
    is_outside_roles,
    case when decision_id is not null then decision_result = 'deny' and outcome <> 'denied' end as is_denied_by_decision,
    case
        when node_kind <> 'tool_call' or operation <> 'execute_tool' then null
        when decision_id is not null then false
        when coalesce(is_decision_log_doubtful, true) then null
        else true
    end as has_no_decision,
    case
        when decided_args_hash is not null and called_args_hash is not null then decided_args_hash <> called_args_hash
    end as has_changed_arguments,
    case
        when node_kind = 'activity' and task_ended_at is not null and not coalesce(is_tool_call_log_doubtful, true)
            then parent_tool_call_id is null and step_at > task_ended_at + clock_tolerance
                and (approval_ends_at is null or step_at <= approval_ends_at + clock_tolerance)
    end as is_after_task_end,
    case
        when issue_network is not null and network is not null then network <> issue_network
    end as is_other_network,
    coalesce(mints_credential and outcome = 'success', false) as mints_credential,
    case
        when intent_confidence >= 0.5 and authority_confidence >= 0.5
            and starts_with(intent_root_id, 'approval:') and starts_with(authority_root_id, 'approval:')
            then intent_root_id <> authority_root_id
    end as is_confused_deputy,
    decision_id,
    decision_event_id,
    tool_call_id,
    tool_call_event_id,
    credential_uid,
    held_credential_uid,
    issued_event_id,
    task_ended_at,
    approval_ends_at,
    role_arn,
    src_ip,
    network,
    list_sort(
        list_distinct(
            list_filter([event_id, approval_event_id, decision_event_id, tool_call_event_id, issued_event_id], lambda id: id is not null)
        )
    ) as evidence_event_ids
from joined
