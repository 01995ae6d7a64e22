-- grain: one row per child, parent, kind, method and key
-- build: full
-- why: every way in which two nodes may belong together, in one vocabulary, before any is weighed

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
        null::double as seconds_apart
    from int_links__by_key
    left join requests on requests.approval_id = int_links__by_key.child_id
),

stated_inside as (
    select by_key.child_id, by_key.parent_id
    from by_key
    join stg_tool_calls on stg_tool_calls.tool_call_id = by_key.child_id
    join stg_approvals on stg_approvals.approval_id = by_key.parent_id
    cross join run_context
    where by_key.method = 'caller_stated'
        and (array_length(stg_approvals.tools) = 0 or list_contains(stg_approvals.tools, stg_tool_calls.tool) or stg_tool_calls.operation <> 'execute_tool')
        and is_within(stg_tool_calls.called_at, stg_approvals.valid_from, stg_approvals.ends_at, run_context.clock_tolerance)
    union
    select by_key.child_id, by_key.parent_id
    from by_key
    join stg_approvals as request on request.approval_id = by_key.child_id
    join stg_approvals on stg_approvals.approval_id = by_key.parent_id
    cross join run_context
    where by_key.method = 'caller_stated'
        and is_within(request.event_at, stg_approvals.valid_from, stg_approvals.ends_at, run_context.clock_tolerance)
),

exact_intent as (
    select
        by_key.child_id,
        by_key.parent_id,
        by_key.kind,
        by_key.spine,
        case
            when by_key.method = 'exact_key' then 'exact_key'
            when stated_inside.child_id is not null then 'caller_chosen'
            else 'caller_chosen_outside'
        end as method,
        by_key.key_kind,
        by_key.key_value,
        by_key.n_candidates,
        by_key.seconds_apart
    from by_key
    left join stated_inside on stated_inside.child_id = by_key.child_id and stated_inside.parent_id = by_key.parent_id
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
    select distinct node_id, node_kind, key_value
    from stg_keys
    where node_kind in ('tool_call', 'decision') and key_kind = 'trace'
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
        null::double as seconds_apart
    from trace_carriers
    join trace_first on trace_first.key_value = trace_carriers.key_value
),

around as (
    select
        activity_id as child_id,
        tool_call_id as parent_id,
        'activity>tool_call' as kind,
        'intent' as spine,
        method,
        key_kind,
        key_value,
        count(*) over (partition by activity_id, key_kind, method) + n_left_out as n_candidates,
        seconds_apart
    from int_tool_calls__around_activities
),

issuing_pairs as (
    select distinct issued_credential_uid, credential_uid
    from stg_activities
    where issued_credential_uid is not null and credential_uid is not null and issued_credential_uid <> credential_uid
),

issued as (
    select
        'credential:' || issued_credential_uid as child_id,
        'credential:' || credential_uid as parent_id,
        'credential>credential' as kind,
        'authority' as spine,
        'exact_key' as method,
        'credential' as key_kind,
        credential_uid as key_value,
        count(*) over (partition by issued_credential_uid) as n_candidates,
        null::double as seconds_apart
    from issuing_pairs
),

used as (
    select
        activity_id as child_id,
        'credential:' || credential_uid as parent_id,
        'activity>credential' as kind,
        'authority' as spine,
        'exact_key' as method,
        'credential' as key_kind,
        credential_uid as key_value,
        1 as n_candidates,
        null::double as seconds_apart
    from stg_activities
    where credential_uid is not null
),

-- Which token was shown is not logged, so one that fits is a candidate like an approval that fits.
fitting_credentials as (
    select node_id, credential_id, key_kind, key_value, n_left_out from int_credentials__presented
    union all
    select node_id, credential_id, key_kind, key_value, n_left_out from int_credentials__of_sessions
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
        'attribute_window' as method,
        fitting.key_kind,
        fitting.key_value,
        presented_counts.n_candidates,
        null::double as seconds_apart
    from fitting_credentials as fitting
    join presented_counts on presented_counts.node_id = fitting.node_id
),

-- Two names of one approval (its id and its ticket) are one candidate.
carried_counts as (
    select node_id, key_kind, count(distinct approval_id) + max(n_left_out) as n_candidates
    from int_approvals__carried
    group by node_id, key_kind
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
        null::double as seconds_apart
    from int_approvals__carried as carrying
    join carried_counts on carried_counts.node_id = carrying.node_id and carried_counts.key_kind = carrying.key_kind
),

in_window as (
    select
        node_id as child_id,
        approval_id as parent_id,
        split_part(node_id, ':', 1) || '>approval' as kind,
        'authority' as spine,
        'attribute_window' as method,
        'identity' as key_kind,
        key_value,
        count(*) over (partition by node_id) + n_left_out as n_candidates,
        null::double as seconds_apart
    from int_approvals__in_window
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
        null::double as seconds_apart
    from stg_activities
    where issued_credential_uid is not null
),

shared as (
    select distinct keyed.node_id, keyed.key_value, stg_activities.credential_uid, stg_activities.actor_uid, stg_activities.event_at,
        stg_activities.stage_number
    from stg_keys as keyed
    join stg_activities on stg_activities.activity_id = keyed.node_id
    where keyed.key_kind = 'shared_event'
),

-- The copy that knows the caller stands for all copies; of the records of one operation the last, which says how it ended.
numbered as (
    select
        node_id,
        key_value,
        stage_number,
        row_number() over (
            partition by key_value order by credential_uid is null, actor_uid is null, event_at desc, node_id
        ) as nth
    from shared
),

copies as (
    select
        numbered.node_id as child_id,
        chosen.node_id as parent_id,
        'same_event' as kind,
        null::varchar as spine,
        'exact_key' as method,
        'shared_event' as key_kind,
        numbered.key_value,
        1 as n_candidates,
        null::double as seconds_apart
    from numbered
    join numbered as chosen on chosen.key_value = numbered.key_value and chosen.nth = 1
    where numbered.nth > 1
        -- Two ends of what a caller calls one operation are two acts: nobody hides one behind the other.
        and not coalesce(numbered.stage_number = chosen.stage_number, false)
)

select * from exact_intent
union all
select * from by_trace
union all
select * from around
union all
select * from issued
union all
select * from used
union all
select * from presented
union all
select * from carried
union all
select * from in_window
union all
select * from issuance
union all
select * from copies
