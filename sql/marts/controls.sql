-- grain: one row per chain
-- build: by_key chain_id
-- why: eight questions an auditor asks of every chain: pass, fail, or unknown where a log is silent, late or absent; each with the events that show it
-- units: select chain_id from chains
-- dirty: select chain_id from delta_chains
-- dirty: select chains.chain_id from delta_approval_facts as root join chains on chains.root_id = root.approval_id
-- dirty: select chain_id from delta_stg_approvals as root join chains on root_id = root.approval_id
-- dirty: select chain_id from delta_identities as changed join chains on chains.identity_id = changed.identity_id
-- dirty: select chain_id from delta_identities as changed join stg_approvals as root on root.approved_by = changed.identity_id
--     join chains on chains.root_id = root.approval_id
-- dirty: select chain_id from delta_identities as changed join int_identities__resolved as alias on alias.identity_id = changed.identity_id
--     join stg_approvals as root on root.approved_by = alias.alias_uid join chains on chains.root_id = root.approval_id
-- dirty: select chain_id from delta_int_identities__resolved join stg_approvals as root on root.approved_by = alias_uid
--     join chains on chains.root_id = root.approval_id
-- dirty: select chain_id from delta_step_facts
-- dirty: select chain_id from delta_int_controls__of_credentials
-- only: chains(chain_id, identity_id, root_id, root_kind, n_activities, n_decisions, n_tool_calls, gaps)
-- only: identities(identity_id, identity_kind, risk_tier)
-- only: sources(evidence_seen)
-- only: approval_facts(approval_id, is_self_approved, is_high_risk)
-- only: stg_approvals(approval_id, event_ids, event_at, is_granted, task, actions, tools, roles, origin, approved_by)
-- only: step_facts(chain_id, node_kind, action, is_privileged, has_no_decision, decision_event_id, event_id, has_no_approval)

with touched as (select * from chains where chain_id in (select id from touched_ids)),

approved as (
    select
        chains.chain_id,
        approval.approval_id,
        approval.event_ids,
        approval.is_granted,
        approval.task is not null
        and array_length(approval.actions) + array_length(approval.tools) + array_length(approval.roles) > 0 as has_task_scope,
        approval.origin,
        approval_facts.is_self_approved,
        approval_facts.is_high_risk or coalesce(tier.human_approval, false) as needs_human,
        approver.identity_kind as approver_kind,
        approval.approved_by
    from touched as chains
    left join stg_approvals as approval on approval.approval_id = chains.root_id
    left join approval_facts on approval_facts.approval_id = chains.root_id
    left join identities on identities.identity_id = chains.identity_id
    left join risk_tiers as tier on tier.tier = identities.risk_tier
    left join int_identities__resolved as alias on alias.alias_uid = approval.approved_by
        and holds_at(approval.event_at, alias.valid_from, alias.valid_until)
    left join identities as approver on approver.identity_id = coalesce(alias.identity_id, approval.approved_by)
),

decided as (
    select
        chain_id,
        bool_or(has_no_decision) as is_missing,
        bool_or(has_no_decision is null) as is_doubtful,
        list_sort(list(distinct coalesce(decision_event_id, event_id)) filter (where coalesce(decision_event_id, event_id) is not null)) as event_ids
    from step_facts
    where chain_id in (select id from touched_ids)
        and node_kind = 'tool_call' and is_privileged and starts_with(action, 'tool:')
    group by chain_id
),

unapproved as (
    select
        chain_id,
        bool_or(has_no_approval) as is_missing,
        bool_or(has_no_approval is null) as is_doubtful,
        first_hundred(list_sort(list(distinct event_id) filter (where has_no_approval))) as event_ids
    from step_facts
    where chain_id in (select id from touched_ids) and node_kind = 'activity'
    group by chain_id
),

logs as (
    select
        bool_or(list_contains(evidence_seen, 'decision')) as has_decisions,
        bool_or(list_contains(evidence_seen, 'approval')) as has_approvals,
        bool_or(list_contains(evidence_seen, 'tool_call')) as has_tool_calls
    from sources
),

judged as (
    select
        chains.chain_id,
        chains.identity_id,
        case
            when approved.is_granted and approved.has_task_scope then 'pass'
            when approved.is_granted then 'fail'
            when unapproved.is_missing then 'fail'
            else 'unknown'
        end as approved_for_task,
        case
            when decided.is_missing then 'fail'
            when decided.is_doubtful or (decided.chain_id is null and not coalesce(logs.has_decisions, false)) then 'unknown'
            else 'pass'
        end as decided_at_run_time,
        coalesce(held.short_lived, 'unknown') as credential_short_lived,
        coalesce(held.bound, 'unknown') as credential_bound,
        coalesce(held.ended, 'unknown') as credential_ended,
        case
            when chains.root_kind = 'approval' and chains.n_activities > 0 and (chains.n_decisions > 0 or chains.n_tool_calls > 0) then 'pass'
            when not (coalesce(logs.has_decisions, false) and coalesce(logs.has_approvals, false) and coalesce(logs.has_tool_calls, false)) then 'unknown'
            when unapproved.is_missing or array_length(list_filter(chains.gaps, lambda gap: gap in ('no approval', 'no tool call', 'no decision'))) > 0 then 'fail'
            else 'unknown'
        end as logs_joined,
        case
            when approved.is_self_approved then 'fail'
            when approved.is_self_approved is not null then 'pass'
            else 'unknown'
        end as approver_distinct,
        case
            when not coalesce(approved.is_granted, false) then 'unknown'
            when not approved.needs_human then 'pass'
            when approved.approver_kind = 'human' or approved.approved_by like '%_@_%' then 'pass'
            when approved.approver_kind in ('agent', 'service', 'workload', 'role') then 'fail'
            else 'unknown'
        end as human_approval,
        coalesce(approved.event_ids, unapproved.event_ids, []) as approval_evidence,
        coalesce(decided.event_ids, []) as decision_evidence,
        coalesce(held.issue_event_ids, []) as issue_evidence,
        coalesce(held.revoke_event_ids, []) as revoke_evidence,
        coalesce(held.network_event_ids, []) as network_evidence
    from touched as chains
    cross join logs
    join approved on approved.chain_id = chains.chain_id
    left join decided on decided.chain_id = chains.chain_id
    left join unapproved on unapproved.chain_id = chains.chain_id
    left join int_controls__of_credentials as held on held.chain_id = chains.chain_id
)

select
    chain_id,
    identity_id,
    approved_for_task,
    decided_at_run_time,
    credential_short_lived,
    credential_bound,
    credential_ended,
    logs_joined,
    approver_distinct,
    human_approval,
    array_length(
        list_filter(
            [
                approved_for_task, decided_at_run_time, credential_short_lived, credential_bound, credential_ended,
                logs_joined, approver_distinct, human_approval
            ],
            lambda answer: answer = 'fail'
        )
    ) as n_failed,
    to_json(
        {
            'approved_for_task': first_hundred(approval_evidence),
            'decided_at_run_time': first_hundred(decision_evidence),
            'credential_short_lived': first_hundred(issue_evidence),
            'credential_bound': first_hundred(network_evidence),
            'credential_ended': first_hundred(list_concat(issue_evidence, revoke_evidence)),
            'logs_joined': first_hundred(list_concat(approval_evidence, decision_evidence)),
            'approver_distinct': first_hundred(approval_evidence),
            'human_approval': first_hundred(approval_evidence)
        }
    )::varchar as evidence
from judged
