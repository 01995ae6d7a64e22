-- grain: one row per activity and tool call that could have made it
-- build: full
-- why: without a request id, the session's name, the common approval or, as the least, the common identity says which calls were under way when the cloud recorded the effect

-- By the clock of whoever recorded the effects: the agent's own may be wrong.
with in_time as (
    select
        stg_tool_calls.tool_call_id,
        corrected(stg_tool_calls.called_at, int_corrections.seconds_ahead) as called_at,
        corrected(stg_tool_calls.ended_at, int_corrections.seconds_ahead) as ended_at
    from stg_tool_calls
    left join int_corrections on int_corrections.node_id = stg_tool_calls.tool_call_id
    where stg_tool_calls.operation = 'execute_tool'
),

calls as (
    select
        in_time.tool_call_id,
        in_time.called_at,
        in_time.ended_at,
        in_time.called_at - run_context.clock_tolerance as from_at,
        in_time.ended_at + run_context.clock_tolerance as until_at
    from in_time
    cross join run_context
    -- What ended before it began was never under way.
    where in_time.ended_at + 2 * run_context.clock_tolerance >= in_time.called_at
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

-- One approval on both sides: the credential carries it, and the tool call was decided under it.
activity_approvals as (
    select distinct stg_activities.activity_id, stg_activities.event_at, carried.approval_id
    from stg_activities
    left join int_credentials__by_day as by_day
        on by_day.credential_uid = stg_activities.credential_uid and by_day.day = date_trunc('day', stg_activities.event_at)
    join int_approvals__carried as carried
        on carried.node_id = coalesce(by_day.node_id, 'credential:' || stg_activities.credential_uid)
    where stg_activities.issued_credential_uid is null
),

-- An agent's call and what its own identity did in that second, where no request id and nothing else joins the two.
by_request as (
    select distinct child_id as activity_id
    from int_links__by_key
    where child_kind = 'activity' and parent_kind = 'tool_call'
),

call_identities as (
    select stg_tool_calls.tool_call_id, resolved.identity_id
    from stg_tool_calls
    join int_identities__resolved as resolved
        on resolved.alias_uid = stg_tool_calls.agent_uid
        and holds_at(stg_tool_calls.called_at, resolved.valid_from, resolved.valid_until)
    where stg_tool_calls.operation = 'execute_tool'
),

activity_identities as (
    select stg_activities.activity_id, stg_activities.event_at, resolved.identity_id
    from stg_activities
    join int_identities__resolved as resolved
        on resolved.alias_uid = stg_activities.actor_uid
        and holds_at(stg_activities.event_at, resolved.valid_from, resolved.valid_until)
    anti join by_request on by_request.activity_id = stg_activities.activity_id
    where stg_activities.issued_credential_uid is null
),

-- The calls that an activity could belong to by a session's name or by an approval, whatever the time.
members as (
    select 'session_name' as key_kind, call_sessions.session_name as group_value, calls.*
    from call_sessions
    join calls on calls.tool_call_id = call_sessions.tool_call_id
    union all
    select 'approval', of_call.approval_id, calls.*
    from int_approvals__of_tool_calls as of_call
    join calls on calls.tool_call_id = of_call.tool_call_id
    union all
    select
        'identity', call_identities.identity_id, calls.tool_call_id, calls.called_at, calls.ended_at,
        calls.called_at - interval 1 second, calls.ended_at + interval 1 second
    from call_identities
    join calls on calls.tool_call_id = call_identities.tool_call_id
    -- To the second, and none that ended before it began.
    where calls.ended_at >= calls.called_at
),

moments as (
    select 'session_name' as key_kind, session_name as group_value, activity_id, event_at, role_arn, key_value
    from activity_sessions
    union all
    select 'approval', approval_id, activity_id, event_at, null::varchar, approval_id
    from activity_approvals
    union all
    select 'identity', identity_id, activity_id, event_at, null::varchar, identity_id
    from activity_identities
),

-- A group with many calls joins all of them with all of its activities, so there each activity looks only at the calls that
-- began and that ended nearest to it.
crowded as (
    select key_kind, group_value
    from members
    group by key_kind, group_value
    having count(*) > 2 * most_candidates()
),

crowd as (
    select
        members.*,
        row_number() over (partition by members.key_kind, members.group_value order by members.called_at, members.tool_call_id) as nth_begun,
        row_number() over (partition by members.key_kind, members.group_value order by members.ended_at, members.tool_call_id) as nth_ended
    from members
    join crowded on crowded.key_kind = members.key_kind and crowded.group_value = members.group_value
),

asked as (
    select distinct moments.key_kind, moments.group_value, moments.event_at
    from moments
    join crowded on crowded.key_kind = moments.key_kind and crowded.group_value = moments.group_value
),

-- What happens at one time, in the order in which it counts there.
ticks as (
    select key_kind, group_value, called_at as moment, 1 as turn, 1 as n_begun, 0 as n_ended, 0 as n_under_way from crowd
    union all
    select key_kind, group_value, ended_at, 1, 0, 1, 0 from crowd
    union all
    select key_kind, group_value, from_at, 1, 0, 0, 1 from crowd
    union all
    select key_kind, group_value, event_at, 2, 0, 0, 0 from asked
    union all
    select key_kind, group_value, until_at, 3, 0, 0, -1 from crowd
),

counted as (
    select
        key_kind,
        group_value,
        moment,
        turn,
        sum(n_begun) over in_time as n_begun,
        sum(n_ended) over in_time as n_ended,
        sum(n_under_way) over in_time as n_under_way
    from ticks
    window in_time as (partition by key_kind, group_value order by moment, turn rows between unbounded preceding and current row)
),

steps as (select unnest([-9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) as step),

places as (
    select counted.key_kind, counted.group_value, counted.moment, counted.n_under_way, counted.n_begun + steps.step as nth_begun, counted.n_ended + steps.step as nth_ended
    from counted
    cross join steps
    where counted.turn = 2
),

nearby as (
    select places.key_kind, places.group_value, places.moment, places.n_under_way, crowd.tool_call_id, crowd.called_at, crowd.ended_at, crowd.from_at, crowd.until_at
    from places
    join crowd
        on crowd.key_kind = places.key_kind and crowd.group_value = places.group_value and crowd.nth_begun = places.nth_begun
    union
    select places.key_kind, places.group_value, places.moment, places.n_under_way, crowd.tool_call_id, crowd.called_at, crowd.ended_at, crowd.from_at, crowd.until_at
    from places
    join crowd
        on crowd.key_kind = places.key_kind and crowd.group_value = places.group_value and crowd.nth_ended = places.nth_ended
),

ranked as (
    select
        key_kind,
        group_value,
        moment,
        tool_call_id,
        n_under_way,
        row_number() over (
            partition by key_kind, group_value, moment
            order by greatest(0, seconds_between(moment, called_at), seconds_between(ended_at, moment)), called_at desc, tool_call_id
        ) as nth,
        count(*) over (partition by key_kind, group_value, moment) as n_nearby
    from nearby
    where moment between from_at and until_at
),

around as (
    select moments.activity_id, moments.event_at, moments.role_arn, members.tool_call_id, moments.key_kind, moments.key_value, 0 as n_left_out
    from moments
    join members on members.key_kind = moments.key_kind and members.group_value = moments.group_value
    anti join crowded on crowded.key_kind = moments.key_kind and crowded.group_value = moments.group_value
    where moments.event_at between members.from_at and members.until_at
    union all
    select
        moments.activity_id, moments.event_at, moments.role_arn, ranked.tool_call_id, moments.key_kind, moments.key_value,
        ranked.n_under_way - least(ranked.n_nearby, most_candidates())
    from moments
    join ranked
        on ranked.key_kind = moments.key_kind and ranked.group_value = moments.group_value and ranked.moment = moments.event_at
    where ranked.nth <= most_candidates()
),

by_session as (select * from around where key_kind = 'session_name'),

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

combined as (
    select
        by_session.activity_id,
        by_session.event_at,
        by_session.tool_call_id,
        by_session.key_kind,
        by_session.key_value,
        by_session.n_left_out,
        case when session_approvals.is_inside then 'caller_chosen' else 'caller_chosen_outside' end as method
    from by_session
    left join session_approvals
        on session_approvals.activity_id = by_session.activity_id and session_approvals.tool_call_id = by_session.tool_call_id
    union all
    select activity_id, event_at, tool_call_id, key_kind, key_value, n_left_out, 'attribute_window'
    from around
    where key_kind = 'approval'
),

all_around as (
    select * from combined
    union all
    select around.activity_id, around.event_at, around.tool_call_id, around.key_kind, around.key_value, around.n_left_out, 'attribute_window'
    from around
    anti join combined on combined.activity_id = around.activity_id
    where around.key_kind = 'identity'
)

select
    all_around.activity_id,
    all_around.tool_call_id,
    all_around.key_kind,
    all_around.key_value,
    all_around.method,
    all_around.n_left_out::bigint as n_left_out,
    greatest(
        0, seconds_between(all_around.event_at, calls.called_at), seconds_between(calls.ended_at, all_around.event_at)
    ) as seconds_apart
from all_around
join calls on calls.tool_call_id = all_around.tool_call_id
