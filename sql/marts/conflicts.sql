-- grain: one row per id under which records say different things
-- build: full
-- why: whoever can write to a log can use an id that another record has; each content is judged, and that they disagree is said

with told as (
    select
        *,
        -- A copy in another format may know less; what it does not say contradicts nothing.
        source <> log and bool_or(source = log) over (partition by log, native_id) as is_copy,
        count(*) over (partition by shared_id) > 1 as is_variant,
        -- The state of an approval is told again and again; only what tells the same moment can contradict.
        case when kind = 'approval' then shared_id else log || ' ' || native_id end as conflict_uid
    from shared_ids
),

compared as (
    select
        conflict_uid,
        min(log) as log,
        min(native_id) as native_id,
        min(kind) as kind,
        min(event_at) as first_at,
        count(*) as n_variants,
        list_sort(list(event_id)) as event_ids,
        count(distinct case when is_copy then actor_uid else coalesce(actor_uid, '') end) > 1 as has_actors,
        count(distinct case when is_copy then action else coalesce(action, '') end) > 1 as has_actions,
        count(distinct array_to_string(list_sort(resource_uids), chr(31))) filter (where is_variant or not is_copy) > 1 as has_targets,
        count(distinct case when outcome <> 'unknown' or not (is_copy or kind = 'tool_call') then coalesce(outcome, '') end) > 1 as has_outcomes,
        count(distinct event_at) filter (where not is_copy) > 1 as has_times,
        bool_or(is_variant) as has_variants
    from told
    group by conflict_uid
),

of_records as (
    select
        'record' as conflict_kind,
        * exclude (has_actors, has_actions, has_targets, has_outcomes, has_times, has_variants),
        list_filter(
            [
                case when has_actors then 'actor' end,
                case when has_actions then 'action' end,
                case when has_targets then 'target' end,
                case when has_outcomes then 'outcome' end,
                case when has_times then 'time' end,
                case when has_variants and not (has_actors or has_targets) then 'details' end
            ],
            lambda word: word is not null
        ) as differs
    from compared
),

contested as (
    select
        shared_id,
        min(log) as log,
        min(approval_uid) as native_id,
        min(event_at) as first_at,
        count(distinct approval_id) as n_others,
        list(distinct event_id) as event_ids
    from stg_contested_approvals
    where is_contested
    group by shared_id
),

-- What one system calls an approval another one, or a person's request, calls by the same id.
of_systems as (
    select
        'approval' as conflict_kind,
        contested.shared_id as conflict_uid,
        contested.log,
        contested.native_id,
        'approval' as kind,
        contested.first_at,
        1 + contested.n_others as n_variants,
        list_sort(list_concat(contested.event_ids, bearing.event_ids)) as event_ids,
        ['system'] as differs
    from contested
    join stg_approvals as bearing on bearing.approval_id = contested.shared_id
),

of_states as (
    select
        'states' as conflict_kind,
        approval_id as conflict_uid,
        log,
        approval_uid as native_id,
        'approval' as kind,
        event_at as first_at,
        array_length(event_ids) as n_variants,
        event_ids,
        differs
    from stg_approvals
    where array_length(differs) > 0
),

of_copies as (
    select
        'copy' as conflict_kind,
        key_value as conflict_uid,
        min(log) as log,
        null::varchar as native_id,
        'activity' as kind,
        min(event_at) as first_at,
        1 + count(*) as n_variants,
        list_sort(list_concat(list(distinct child_event_id), list(distinct parent_event_id))) as event_ids,
        list_sort(list_distinct(flatten(list(differs)))) as differs
    from int_copies
    where array_length(differs) > 0
    group by key_value
),

of_stages as (
    select
        'stage' as conflict_kind,
        log || ' ' || request as conflict_uid,
        min(log) as log,
        null::varchar as native_id,
        'activity' as kind,
        min(event_at) as first_at,
        count(*) as n_variants,
        list_sort(list(event_id)) as event_ids,
        list_filter(
            [
                case when bool_or(has_actors) then 'actor' end,
                case when bool_or(has_actions) then 'action' end,
                case when bool_or(has_targets) then 'target' end
            ],
            lambda word: word is not null
        ) as differs
    from stg_disputed_stages
    group by log, request
),

disputed_accounts as (
    select e.tool_call_uid, e.event_id, e.event_at, e.action
    from events as e
    join stg_tool_calls as disputed on disputed.tool_call_uid = e.tool_call_uid and array_length(disputed.differs) > 0
    where e.kind = 'tool_call'
),

of_calls as (
    select
        'tool_call' as conflict_kind,
        disputed.tool_call_id as conflict_uid,
        min(disputed.log) as log,
        null::varchar as native_id,
        'tool_call' as kind,
        min(accounts.event_at) as first_at,
        count(*) as n_variants,
        list_sort(list(accounts.event_id)) as event_ids,
        any_value(disputed.differs) as differs
    from disputed_accounts as accounts
    join stg_tool_calls as disputed on disputed.tool_call_uid = accounts.tool_call_uid
    group by disputed.tool_call_id
),

disagreeing as (
    select * from of_records where array_length(differs) > 0
    union all
    select * from of_systems
    union all
    select * from of_states
    union all
    select * from of_copies
    union all
    select * from of_stages
    union all
    select * from of_calls
),

members as (
    select conflict_kind, conflict_uid, unnest(event_ids) as event_id
    from disagreeing
),

-- An approval gives power, whatever it says.
privileged as (
    select distinct members.conflict_kind, members.conflict_uid
    from members
    left join stg_activities on stg_activities.event_id = members.event_id
    left join stg_tool_calls on stg_tool_calls.event_id = members.event_id
    left join int_tool_calls__privileged as privileged_calls on privileged_calls.tool_call_id = stg_tool_calls.tool_call_id
    where stg_activities.is_privileged or privileged_calls.tool_call_id is not null
    union
    select 'tool_call', privileged_calls.tool_call_id
    from int_tool_calls__privileged as privileged_calls
    union
    select distinct 'tool_call', 'tool_call:' || accounts.tool_call_uid
    from disputed_accounts as accounts
    join privileged_actions on accounts.action ilike privileged_actions.action_like escape '\'
)

select
    disagreeing.conflict_kind,
    disagreeing.conflict_uid,
    disagreeing.log,
    disagreeing.native_id,
    disagreeing.kind,
    disagreeing.first_at,
    date_trunc('hour', disagreeing.first_at) as event_hour,
    disagreeing.n_variants,
    disagreeing.differs,
    first_hundred(disagreeing.event_ids) as event_ids,
    disagreeing.kind = 'approval' or privileged.conflict_uid is not null as is_privileged
from disagreeing
left join privileged
    on privileged.conflict_kind = disagreeing.conflict_kind and privileged.conflict_uid = disagreeing.conflict_uid
