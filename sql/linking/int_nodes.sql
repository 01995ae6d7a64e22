-- grain: one row per node: approval, decision, tool call, credential, activity
-- build: by_key node_id
-- why: links, roots and steps need one list of everything that can stand in a chain
-- units: select approval_id from stg_approvals union all select decision_id from stg_decisions union all select tool_call_id from stg_tool_calls
--     union all select credential_id from stg_credentials union all select node_id from int_credentials__by_day union all select activity_id from stg_activities
-- dirty: select approval_id from delta_stg_approvals
-- dirty: select decision_id from delta_stg_decisions
-- dirty: select tool_call_id from delta_stg_tool_calls
-- dirty: select credential_id from delta_stg_credentials
-- dirty: select node_id from delta_int_credentials__by_day
-- dirty: select activity_id from delta_stg_activities
-- dirty: select node_id from delta_int_corrections

with nodes as (
    select
        approval_id as node_id, 'approval' as node_kind, event_at as node_at, event_hour, event_id,
        subject_uid as actor_uid, coalesce(task, approval_uid) as label,
        case when origin = 'human_request' then 'request:' else 'approval:' end || status as action,
        resources as resource_uids, case when is_granted then 'success' when status = 'denied' then 'denied' else 'unknown' end as outcome,
        coalesce(seconds_between(valid_from, valid_until) <= 7 * 86400, false) as is_bounded, log, voice
    from stg_approvals
    where approval_id in (select id from touched_ids)
    union all
    select
        decision_id, 'decision', decided_at, event_hour, event_id, subject_uid,
        coalesce(result, 'unknown') || ' ' || coalesce(tool, action, ''), action, resource_uids,
        case result when 'allow' then 'success' when 'deny' then 'denied' else 'unknown' end, true, log, voice
    from stg_decisions
    where decision_id in (select id from touched_ids)
    union all
    select
        tool_call_id, 'tool_call', called_at, event_hour, event_id, agent_uid,
        coalesce(tool, action), action, []::varchar[], outcome, true, log, voice
    from stg_tool_calls
    where tool_call_id in (select id from touched_ids)
    union all
    select
        credential_id, 'credential', coalesce(issued_at, first_used_at, revoked_at),
        date_trunc('hour', coalesce(issued_at, first_used_at, revoked_at)), issued_event_id, holder_uid,
        coalesce(role_arn || '/' || session_name, role_arn, credential_uid), 'credential:' || credential_kind,
        []::varchar[], 'success', is_bounded_credential(credential_kind, issued_at, expires_at), log, voice
    from stg_credentials
    where credential_id in (select id from touched_ids)
    union all
    select
        node_id, 'credential', first_used_at, date_trunc('hour', first_used_at), null::varchar, holder_uid,
        coalesce(role_arn, credential_uid) || ' on ' || strftime(day, '%Y-%m-%d'), 'credential:static',
        []::varchar[], 'success', true, log, voice
    from int_credentials__by_day
    where node_id in (select id from touched_ids)
    union all
    select activity_id, 'activity', event_at, event_hour, event_id, actor_uid, action, action, resource_uids, outcome, true, log, voice
    from stg_activities
    where activity_id in (select id from touched_ids)
)

select nodes.*, corrected(nodes.node_at, int_corrections.seconds_ahead) as corrected_at
from nodes
left join int_corrections on int_corrections.node_id = nodes.node_id
