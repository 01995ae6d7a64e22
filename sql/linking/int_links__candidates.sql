-- grain: one row per child, parent, kind, method and key
-- build: by_key child_id
-- why: every way in which two nodes may belong together, in one vocabulary, before any is weighed
-- units: select child_id from int_links__by_key union all select node_id from stg_keys where key_kind = 'trace' union all select activity_id from int_tool_calls__around_activities
--     union all select activity_id from int_activities__retried union all select unnest([activity_id, 'credential:' || issued_credential_uid]) from stg_activities
--     union all select node_id from int_credentials__by_day union all select node_id from int_credentials__presented union all select node_id from int_credentials__of_sessions
--     union all select node_id from int_approvals__carried union all select node_id from int_approvals__in_window union all select request_id from int_approvals__of_runs
--     union all select child_id from int_copies
-- dirty: select child_id from delta_int_links__by_key
-- dirty: select node_id from delta_stg_keys
-- dirty: select carrier.node_id from delta_stg_keys as request join stg_keys as carrier on carrier.key_kind = 'trace' and carrier.key_value = request.key_value
--     where request.key_kind = 'trace' and request.node_kind = 'approval'
-- dirty: select activity_id from delta_int_tool_calls__around_activities
-- dirty: select activity_id from delta_int_activities__retried
-- dirty: select unnest([activity_id, 'credential:' || issued_credential_uid]) from delta_stg_activities
-- dirty: select node_id from delta_int_credentials__by_day
-- dirty: select unnest([act.activity_id, 'credential:' || act.issued_credential_uid]) from delta_int_credentials__by_day as day
--     join stg_activities as act on act.credential_uid = day.credential_uid and date_trunc('day', act.event_at) = day.day
-- dirty: select node_id from delta_int_credentials__presented
-- dirty: select node_id from delta_int_credentials__of_sessions
-- dirty: select node_id from delta_int_approvals__carried
-- dirty: select node_id from delta_int_approvals__in_window
-- dirty: select node_id from delta_int_approvals__standing
-- dirty: select request_id from delta_int_approvals__of_runs
-- dirty: select child_id from delta_int_copies
-- An approval: whoever names it, shares its trace or was judged by it.
-- dirty: select approval_id from delta_stg_approvals
-- dirty: select child_id from delta_stg_approvals join int_links__by_key on parent_id = approval_id
-- dirty: select request_id from delta_stg_approvals join int_approvals__of_runs using (approval_id)
-- dirty: select request_id from delta_stg_approvals as request join int_approvals__of_runs as run on run.request_id = request.approval_id
-- dirty: select carrier.node_id from delta_stg_approvals as changed join stg_keys as request on request.node_id = changed.approval_id and request.key_kind = 'trace'
--     join stg_keys as carrier on carrier.key_kind = 'trace' and carrier.key_value = request.key_value
-- dirty: select child_id from delta_int_approvals__subjects join int_links__by_key on parent_id = approval_id
-- dirty: select node_id from delta_int_corrections
-- dirty: select child_id from delta_int_corrections join int_links__by_key on parent_id = node_id
-- A call: the decisions of those that it called, or that these called, count it as their caller.
-- dirty: select tool_call_id from delta_stg_tool_calls
-- dirty: select parent_id from delta_int_links__by_key where parent_kind = 'decision'
-- dirty: with changed as (select child_id as call_id from delta_int_links__by_key), first as (select child_id as call_id from int_links__by_key where parent_id in (from changed)),
--     second as (select child_id from int_links__by_key where parent_id in (from first))
--     select parent_id from int_links__by_key where child_id in (from changed union all from first union all from second)
-- dirty: with changed as (select tool_call_id as call_id from delta_stg_tool_calls), first as (select child_id as call_id from int_links__by_key where parent_id in (from changed)),
--     second as (select child_id as call_id from int_links__by_key where parent_id in (from first)), third as (select child_id from int_links__by_key where parent_id in (from second))
--     select parent_id from int_links__by_key where child_id in (from changed union all from first union all from second union all from third)
-- dirty: with changed as (select tool_call_id as call_id from delta_int_identities__resolved join stg_tool_calls on agent_uid = alias_uid), first as (select child_id as call_id from int_links__by_key where parent_id in (from changed)),
--     second as (select child_id as call_id from int_links__by_key where parent_id in (from first)), third as (select child_id from int_links__by_key where parent_id in (from second))
--     select parent_id from int_links__by_key where child_id in (from changed union all from first union all from second union all from third)
-- dirty: select decision_id from delta_stg_decisions
-- dirty: select child_id from delta_stg_decisions join int_links__by_key on parent_id = decision_id
-- dirty: select decision_id from delta_int_identities__resolved join stg_decisions on subject_uid = alias_uid
-- dirty: select tool_call_id from delta_int_identities__resolved join stg_tool_calls on agent_uid = alias_uid
-- dirty: select approval_id from delta_int_identities__resolved join stg_approvals on subject_uid = alias_uid
-- dirty: select approval_id from delta_int_identities__resolved join stg_approvals on requested_by = alias_uid
-- only: stg_decisions(decision_id, decided_at, subject_uid, tool)
-- only: stg_tool_calls(tool_call_id, called_at, agent_uid, tool, operation)
-- only: run_context(clock_tolerance)

with requests as (
    select approval_id
    from stg_approvals
    where origin = 'human_request'
),

by_key as (
    select
        child_id,
        parent_id,
        child_kind || '>' || parent_kind as kind,
        'intent' as spine,
        -- Who asks an agent, or an agent that states its own approval, chooses what it states; an approver or an engine does not.
        -- A caller also chooses the span that it says it comes from.
        case
            when child_kind = 'activity' and key_kind = 'span' then 'caller_stated'
            when (child_kind = 'tool_call' or requests.approval_id is not null) and key_kind in ('approval', 'ticket')
                then 'caller_stated'
            else 'exact_key'
        end as method,
        key_kind,
        key_value,
        n_candidates,
        null::double as seconds_apart,
        voice as said_by
    from int_links__by_key
    left join requests on requests.approval_id = int_links__by_key.child_id
    where child_id in (select id from touched_ids)
),

-- When an agent stated an approval, or a person one under whom to work.
stated_at as (
    select by_key.child_id, by_key.parent_id, stg_tool_calls.called_at as moment, stg_tool_calls.tool, stg_tool_calls.operation
    from by_key
    join stg_tool_calls on stg_tool_calls.tool_call_id = by_key.child_id
    where by_key.method = 'caller_stated'
    union all
    select by_key.child_id, by_key.parent_id, request.event_at, null::varchar, null::varchar
    from by_key
    join stg_approvals as request on request.approval_id = by_key.child_id
    where by_key.method = 'caller_stated'
),

-- The moment and the window by one clock.
stated_by_clock as (
    select
        stated_at.* exclude (moment),
        corrected(stated_at.moment, of_child.seconds_ahead) as moment,
        corrected(stg_approvals.valid_from, of_approval.seconds_ahead) as valid_from,
        corrected(stg_approvals.ends_at, of_approval.seconds_ahead) as ends_at,
        stg_approvals.is_granted,
        stg_approvals.tools
    from stated_at
    join stg_approvals on stg_approvals.approval_id = stated_at.parent_id
    left join int_corrections as of_child on of_child.node_id = stated_at.child_id
    left join int_corrections as of_approval on of_approval.node_id = stated_at.parent_id
),

stated_when as (
    select
        child_id,
        parent_id,
        is_within(moment, valid_from, ends_at, run_context.clock_tolerance)
        and (operation is distinct from 'execute_tool' or array_length(tools) = 0 or list_contains(tools, tool)) as is_inside,
        is_granted and moment > ends_at + run_context.clock_tolerance as is_over
    from stated_by_clock
    cross join run_context
),

-- Who states an approval by its id or ticket: whom the engine was asked about, the agent that calls, or the person who
-- asks it for something.
statements as (
    select child_id, parent_id, kind from by_key where key_kind in ('approval', 'ticket')
),

stating as (
    select statements.child_id, statements.parent_id, stg_decisions.subject_uid as alias_uid, stg_decisions.decided_at as stated_at
    from statements
    join stg_decisions on stg_decisions.decision_id = statements.child_id
    union all
    select statements.child_id, statements.parent_id, stg_tool_calls.agent_uid, stg_tool_calls.called_at
    from statements
    join stg_tool_calls on stg_tool_calls.tool_call_id = statements.child_id
    union all
    -- What an approver wrote beside a grant is no word of its subject.
    select statements.child_id, statements.parent_id, unnest([request.subject_uid, request.requested_by]), request.event_at
    from statements
    join stg_approvals as request on request.approval_id = statements.child_id
    where request.voice = 'reported'
),

stating_identities as (
    select stating.child_id, stating.parent_id, coalesce(resolved.identity_id, stating.alias_uid) as identity_id
    from stating
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stating.alias_uid and holds_at(stating.stated_at, resolved.valid_from, resolved.valid_until)
    where stating.alias_uid is not null
),

-- An agent that was called by another works under the approval of that one, where an engine lets it.
spans_above as (
    select child_id, parent_id
    from int_links__by_key
    where child_kind = 'tool_call' and parent_kind = 'tool_call' and key_kind = 'span' and n_candidates = 1
),

callers as (
    select distinct decided.parent_id as decision_id, spans_above.parent_id as caller_id
    from int_links__by_key as decided
    join spans_above on spans_above.child_id = decided.child_id
    where decided.child_kind = 'tool_call' and decided.parent_kind = 'decision' and decided.parent_id in (select id from touched_ids)
),

callers_above as (
    select decision_id, caller_id from callers
    union
    select callers.decision_id, first.parent_id
    from callers
    join spans_above as first on first.child_id = callers.caller_id
    union
    select callers.decision_id, second.parent_id
    from callers
    join spans_above as first on first.child_id = callers.caller_id
    join spans_above as second on second.child_id = first.parent_id
),

delegating as (
    select callers_above.decision_id, coalesce(resolved.identity_id, stg_tool_calls.agent_uid) as identity_id
    from callers_above
    join stg_tool_calls on stg_tool_calls.tool_call_id = callers_above.caller_id
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_tool_calls.agent_uid
        and holds_at(stg_tool_calls.called_at, resolved.valid_from, resolved.valid_until)
    where stg_tool_calls.agent_uid is not null
),

entitled as (
    select stating_identities.child_id, stating_identities.parent_id
    from stating_identities
    join int_approvals__subjects as subjects
        on subjects.approval_id = stating_identities.parent_id and subjects.identity_id = stating_identities.identity_id
    union
    select statements.child_id, statements.parent_id
    from statements
    join delegating on delegating.decision_id = statements.child_id
    join int_approvals__subjects as subjects
        on subjects.approval_id = statements.parent_id and subjects.identity_id = delegating.identity_id
),

addressed as (
    select approval_id
    from int_approvals__subjects
    group by approval_id
    having not bool_and(is_asker)
),

-- Somebody else's approval, or an answer about another tool, says nothing for who states it.
misapplied as (
    select distinct stating_identities.child_id, stating_identities.parent_id
    from stating_identities
    join addressed on addressed.approval_id = stating_identities.parent_id
    anti join entitled on entitled.child_id = stating_identities.child_id and entitled.parent_id = stating_identities.parent_id
    union
    select by_key.child_id, by_key.parent_id
    from by_key
    join stg_tool_calls on stg_tool_calls.tool_call_id = by_key.child_id
    join stg_decisions on stg_decisions.decision_id = by_key.parent_id
    where by_key.kind = 'tool_call>decision' and not coalesce(is_same_tool(stg_decisions.tool, stg_tool_calls.tool), true)
),

exact_intent as (
    select
        by_key.child_id,
        by_key.parent_id,
        by_key.kind,
        by_key.spine,
        case
            when misapplied.child_id is not null then 'borrowed'
            when by_key.method = 'exact_key' then 'exact_key'
            when stated_when.is_inside then 'caller_chosen'
            when stated_when.is_over then 'ended'
            else 'caller_chosen_outside'
        end as method,
        by_key.key_kind,
        by_key.key_value,
        by_key.n_candidates,
        by_key.seconds_apart,
        by_key.said_by
    from by_key
    left join misapplied on misapplied.child_id = by_key.child_id and misapplied.parent_id = by_key.parent_id
    left join stated_when on stated_when.child_id = by_key.child_id and stated_when.parent_id = by_key.parent_id
),

-- A trace alone says that a person's request and a call belong to one run, not which led to which.
trace_names as (
    select stg_keys.node_id as approval_id, stg_keys.key_value,
        coalesce(bool_or(stg_approvals.is_granted), false) as is_granted, min(stg_keys.event_at) as stated_at
    from stg_keys
    left join stg_approvals on stg_approvals.approval_id = stg_keys.node_id
    where stg_keys.node_kind = 'approval' and stg_keys.key_kind = 'trace'
    group by stg_keys.node_id, stg_keys.key_value
),

-- Of many requests in one trace the first that were granted count.
trace_ranked as (
    select
        approval_id,
        key_value,
        row_number() over (partition by key_value order by is_granted desc, stated_at, approval_id) as nth,
        count(*) over (partition by key_value) as n_requests
    from trace_names
),

trace_first as (
    select approval_id, key_value, case when nth = 1 then greatest(n_requests - most_candidates(), 0) else 0 end as n_passed_over
    from trace_ranked
    where nth <= most_candidates()
),

trace_carriers as (
    select
        node_id, node_kind, key_value,
        case when bool_and(coalesce(voice = 'reported', false)) then 'reported' else 'recorded' end as voice
    from stg_keys
    where node_kind in ('tool_call', 'decision') and key_kind = 'trace' and node_id in (select id from touched_ids)
    group by node_id, node_kind, key_value
),

by_trace as (
    select
        trace_carriers.node_id as child_id,
        trace_first.approval_id as parent_id,
        trace_carriers.node_kind || '>approval' as kind,
        'intent' as spine,
        'trace' as method,
        'trace' as key_kind,
        trace_carriers.key_value,
        (count(*) over (partition by trace_carriers.node_id) + sum(trace_first.n_passed_over) over (partition by trace_carriers.node_id))::bigint as n_candidates,
        null::double as seconds_apart,
        trace_carriers.voice as said_by
    from trace_carriers
    join trace_first on trace_first.key_value = trace_carriers.key_value
),

around as (
    select
        activity_id as child_id,
        tool_call_id as parent_id,
        'activity>tool_call' as kind,
        -- That somebody was at work when it happened puts an act under nothing.
        case when key_kind <> 'identity' then 'intent' end as spine,
        method,
        key_kind,
        key_value,
        count(*) over (partition by activity_id, key_kind, method) + n_left_out as n_candidates,
        seconds_apart,
        null::varchar as said_by
    from int_tool_calls__around_activities
    where activity_id in (select id from touched_ids)
),

-- An earlier try of what a call's telemetry tells is of that call.
retried as (
    select
        activity_id as child_id,
        tool_call_id as parent_id,
        'activity>tool_call' as kind,
        'intent' as spine,
        'retried' as method,
        'request' as key_kind,
        key_value,
        1 as n_candidates,
        seconds_apart,
        voice as said_by
    from int_activities__retried
    where activity_id in (select id from touched_ids)
),

-- The node of the credential that an act showed: of one without an end that of the day.
shown as (
    select
        stg_activities.activity_id,
        stg_activities.issued_credential_uid,
        stg_activities.credential_uid,
        coalesce(by_day.node_id, 'credential:' || stg_activities.credential_uid) as credential_node
    from stg_activities
    left join int_credentials__by_day as by_day
        on by_day.credential_uid = stg_activities.credential_uid and by_day.day = date_trunc('day', stg_activities.event_at)
    where stg_activities.credential_uid is not null
        and (
            stg_activities.activity_id in (select id from touched_ids)
            or 'credential:' || stg_activities.issued_credential_uid in (select id from touched_ids)
        )
),

issuing_pairs as (
    select distinct issued_credential_uid, credential_uid, credential_node
    from shown
    where issued_credential_uid is not null and issued_credential_uid <> credential_uid
        and 'credential:' || issued_credential_uid in (select id from touched_ids)
),

issued as (
    select
        'credential:' || issued_credential_uid as child_id,
        credential_node as parent_id,
        'credential>credential' as kind,
        'authority' as spine,
        'exact_key' as method,
        'credential' as key_kind,
        credential_uid as key_value,
        count(*) over (partition by issued_credential_uid) as n_candidates,
        null::double as seconds_apart,
        null::varchar as said_by
    from issuing_pairs
),

used as (
    select
        activity_id as child_id,
        credential_node as parent_id,
        'activity>credential' as kind,
        'authority' as spine,
        'exact_key' as method,
        'credential' as key_kind,
        credential_uid as key_value,
        1 as n_candidates,
        null::double as seconds_apart,
        null::varchar as said_by
    from shown
    where activity_id in (select id from touched_ids)
),

days as (
    select
        node_id as child_id,
        credential_id as parent_id,
        'credential>credential' as kind,
        'authority' as spine,
        'same_credential' as method,
        'credential' as key_kind,
        credential_uid as key_value,
        1 as n_candidates,
        null::double as seconds_apart,
        null::varchar as said_by
    from int_credentials__by_day
    where node_id in (select id from touched_ids)
),

-- Which token was shown is not logged, so one that fits is a candidate like an approval that fits.
fitting_credentials as (
    select node_id, credential_id, key_kind, key_value, method, n_left_out
    from int_credentials__presented
    where node_id in (select id from touched_ids)
    union all
    select node_id, credential_id, key_kind, key_value, 'attribute_window', n_left_out
    from int_credentials__of_sessions
    where node_id in (select id from touched_ids)
),

presented_counts as (
    select node_id, count(distinct credential_id) + max(n_left_out) as n_candidates
    from fitting_credentials
    group by node_id
),

presented as (
    select
        fitting.node_id as child_id,
        fitting.credential_id as parent_id,
        split_part(fitting.node_id, ':', 1) || '>credential' as kind,
        'authority' as spine,
        fitting.method,
        fitting.key_kind,
        fitting.key_value,
        presented_counts.n_candidates,
        null::double as seconds_apart,
        null::varchar as said_by
    from fitting_credentials as fitting
    join presented_counts on presented_counts.node_id = fitting.node_id
),

-- Two names of one approval (its id and its ticket) are one candidate.
carried_counts as (
    select node_id, key_kind, method = 'borrowed' as is_borrowed, count(distinct approval_id) + max(n_left_out) as n_candidates
    from int_approvals__carried
    group by node_id, key_kind, method = 'borrowed'
),

carried as (
    select
        carrying.node_id as child_id,
        carrying.approval_id as parent_id,
        split_part(carrying.node_id, ':', 1) || '>approval' as kind,
        'authority' as spine,
        carrying.method,
        carrying.key_kind,
        carrying.key_value,
        carried_counts.n_candidates,
        null::double as seconds_apart,
        carrying.voice as said_by
    from int_approvals__carried as carrying
    join carried_counts
        on carried_counts.node_id = carrying.node_id and carried_counts.key_kind = carrying.key_kind
        and carried_counts.is_borrowed = (carrying.method = 'borrowed')
    where carrying.node_id in (select id from touched_ids)
),

-- What fits a person's request is its approval where it is the only one; else the request stays for itself. That it
-- fits is known from the approval; who acted under it has to be whom that names.
in_window as (
    select
        fitting.node_id as child_id,
        fitting.approval_id as parent_id,
        split_part(fitting.node_id, ':', 1) || '>approval' as kind,
        case when starts_with(fitting.node_id, 'approval:') then 'intent' else 'authority' end as spine,
        case when standing.node_id is not null then 'standing' else 'attribute_window' end as method,
        'identity' as key_kind,
        fitting.key_value,
        case when standing.node_id is not null then 1 else count(*) over (partition by fitting.node_id) + fitting.n_left_out end as n_candidates,
        null::double as seconds_apart,
        case when starts_with(fitting.node_id, 'approval:') then 'recorded' end as said_by
    from int_approvals__in_window as fitting
    left join int_approvals__standing as standing
        on standing.node_id = fitting.node_id and standing.approval_id = fitting.approval_id
    where (standing.node_id is not null or not starts_with(fitting.node_id, 'approval:'))
        and fitting.node_id in (select id from touched_ids)
),

-- What a person asks of an agent is under the approval that the run which it began was decided under, also where the
-- request does not state it.
of_runs as (
    select
        of_runs.request_id as child_id,
        of_runs.approval_id as parent_id,
        'approval>approval' as kind,
        'intent' as spine,
        case
            when is_within(request.event_at, stg_approvals.valid_from, stg_approvals.ends_at, run_context.clock_tolerance) then 'same_run'
            when stg_approvals.is_granted and request.event_at > stg_approvals.ends_at + run_context.clock_tolerance then 'ended'
            else 'caller_chosen_outside'
        end as method,
        of_runs.key_kind,
        of_runs.key_value,
        count(*) over (partition by of_runs.request_id) + max(of_runs.n_passed_over) over (partition by of_runs.request_id) as n_candidates,
        null::double as seconds_apart,
        of_runs.voice as said_by
    from int_approvals__of_runs as of_runs
    -- What the request states itself is known; that an engine was asked about the same approval is more than its word.
    left join by_key on by_key.child_id = of_runs.request_id and by_key.parent_id = of_runs.approval_id
    join stg_approvals as request on request.approval_id = of_runs.request_id
    join stg_approvals on stg_approvals.approval_id = of_runs.approval_id
    cross join run_context
    where (by_key.child_id is null or of_runs.voice = 'recorded') and of_runs.request_id in (select id from touched_ids)
),

issuance as (
    select
        'credential:' || issued_credential_uid as child_id,
        activity_id as parent_id,
        'issued_by' as kind,
        null::varchar as spine,
        'exact_key' as method,
        'credential' as key_kind,
        issued_credential_uid as key_value,
        1 as n_candidates,
        null::double as seconds_apart,
        null::varchar as said_by
    from stg_activities
    where issued_credential_uid is not null and 'credential:' || issued_credential_uid in (select id from touched_ids)
),

copies as (
    select
        child_id,
        parent_id,
        'same_event' as kind,
        null::varchar as spine,
        'exact_key' as method,
        'shared_event' as key_kind,
        key_value,
        1 as n_candidates,
        null::double as seconds_apart,
        null::varchar as said_by
    from int_copies
    where array_length(differs) = 0 and child_id in (select id from touched_ids)
)

select * from exact_intent
union all
select * from by_trace
union all
select * from around
union all
select * from retried
union all
select * from issued
union all
select * from used
union all
select * from days
union all
select * from presented
union all
select * from carried
union all
select * from in_window
union all
select * from of_runs
union all
select * from issuance
union all
select * from copies
