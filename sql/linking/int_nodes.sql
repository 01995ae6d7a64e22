-- grain: one row per node: approval, decision, tool call, credential, activity
-- build: full
-- why: links, roots and steps need one list of everything that can stand in a chain

select
    approval_id as node_id, 'approval' as node_kind, event_at as node_at, event_hour, event_id,
    subject_uid as actor_uid, coalesce(task, approval_uid) as label, 'approval:' || status as action,
    resources as resource_uids, case when is_granted then 'success' when status = 'denied' then 'denied' else 'unknown' end as outcome,
    coalesce(seconds_between(valid_from, valid_until) <= 7 * 86400, false) as is_bounded, log
from stg_approvals
union all
select
    decision_id, 'decision', decided_at, event_hour, event_id, subject_uid,
    coalesce(result, 'unknown') || ' ' || coalesce(tool, action, ''), action, resource_uids,
    case result when 'allow' then 'success' when 'deny' then 'denied' else 'unknown' end, true, log
from stg_decisions
union all
select
    tool_call_id, 'tool_call', called_at, event_hour, event_id, agent_uid,
    coalesce(tool, action), action, []::varchar[], outcome, true, log
from stg_tool_calls
union all
select
    credential_id, 'credential', coalesce(issued_at, first_used_at, revoked_at),
    date_trunc('hour', coalesce(issued_at, first_used_at, revoked_at)), issued_event_id, holder_uid,
    coalesce(role_arn || '/' || session_name, role_arn, credential_uid), 'credential:' || credential_kind,
    []::varchar[], 'success', coalesce(seconds_between(issued_at, expires_at) <= 7 * 86400, credential_kind = 'session'), log
from stg_credentials
union all
select activity_id, 'activity', event_at, event_hour, event_id, actor_uid, action, action, resource_uids, outcome, true, log
from stg_activities
