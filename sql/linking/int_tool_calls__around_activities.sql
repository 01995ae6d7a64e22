-- grain: one row per activity and tool call that could have made it
-- build: full
-- why: without a request id, the session's name or the common approval says which calls were under way when the cloud recorded the effect

with calls as (
    select
        stg_tool_calls.tool_call_id,
        stg_tool_calls.called_at,
        stg_tool_calls.ended_at,
        stg_tool_calls.called_at - run_context.clock_tolerance as from_at,
        stg_tool_calls.ended_at + run_context.clock_tolerance as until_at
    from stg_tool_calls
    cross join run_context
    where stg_tool_calls.operation = 'execute_tool'
),

call_sessions as (
    select distinct node_id as tool_call_id, key_value as session_name
    from stg_keys
    where node_kind = 'tool_call' and role = 'carries' and key_kind in ('trace', 'conversation')
),

activity_sessions as (
    select distinct
        stg_activities.activity_id, stg_activities.event_at, stg_activities.role_arn, stg_keys.key_value,
        regexp_replace(stg_keys.key_value, '^.*/', '') as session_name
    from stg_keys
    join stg_activities on stg_activities.event_id = stg_keys.event_id
    where stg_keys.key_kind = 'session_name' and starts_with(stg_keys.key_value, stg_activities.role_arn || '/')
),

by_session as (
    select
        activity_sessions.activity_id, activity_sessions.event_at, activity_sessions.role_arn,
        call_sessions.tool_call_id, 'session_name' as key_kind, activity_sessions.key_value
    from activity_sessions
    join call_sessions on call_sessions.session_name = activity_sessions.session_name
    join calls on calls.tool_call_id = call_sessions.tool_call_id
    where activity_sessions.event_at between calls.from_at and calls.until_at
),

session_approvals as (
    select
        by_session.activity_id,
        by_session.tool_call_id,
        bool_or(
            approved_roles.role_arn is not null
            and is_within(by_session.event_at, stg_approvals.valid_from, stg_approvals.ends_at, run_context.clock_tolerance)
        ) as is_inside
    from by_session
    join int_approvals__of_tool_calls as of_call on of_call.tool_call_id = by_session.tool_call_id
    join stg_approvals on stg_approvals.approval_id = of_call.approval_id
    left join int_approvals__roles as approved_roles
        on approved_roles.approval_id = of_call.approval_id and approved_roles.role_arn = by_session.role_arn
    cross join run_context
    group by by_session.activity_id, by_session.tool_call_id
),

-- One approval on both sides: the credential carries it, and the tool call was decided under it.
activity_approvals as (
    select distinct stg_activities.activity_id, stg_activities.event_at, carried.approval_id
    from stg_activities
    join int_approvals__carried as carried on carried.node_id = 'credential:' || stg_activities.credential_uid
    where stg_activities.issued_credential_uid is null
),

by_approval as (
    select
        activity_approvals.activity_id, activity_approvals.event_at, of_call.tool_call_id, 'approval' as key_kind,
        activity_approvals.approval_id as key_value, 'attribute_window' as method
    from activity_approvals
    join int_approvals__of_tool_calls as of_call on of_call.approval_id = activity_approvals.approval_id
    join calls on calls.tool_call_id = of_call.tool_call_id
    where activity_approvals.event_at between calls.from_at and calls.until_at
),

combined as (
    select
        by_session.activity_id,
        by_session.event_at,
        by_session.tool_call_id,
        by_session.key_kind,
        by_session.key_value,
        case when session_approvals.is_inside then 'caller_chosen' else 'caller_chosen_outside' end as method
    from by_session
    left join session_approvals
        on session_approvals.activity_id = by_session.activity_id and session_approvals.tool_call_id = by_session.tool_call_id
    union all
    select activity_id, event_at, tool_call_id, key_kind, key_value, method
    from by_approval
)

select
    combined.* exclude (event_at),
    greatest(
        0, seconds_between(combined.event_at, calls.called_at), seconds_between(calls.ended_at, combined.event_at)
    ) as seconds_apart
from combined
join calls on calls.tool_call_id = combined.tool_call_id
