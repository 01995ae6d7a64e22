-- grain: one row per chain with at least one credential
-- build: full
-- why: short-lived, bound to the workload that asked, and gone when the task was over: three controls with their evidence

with ends as (
    select
        chains.chain_id,
        coalesce(int_approvals__tasks.task_ended_at, stg_approvals.ends_at) as task_ended_at,
        stg_approvals.ends_at as approval_ends_at
    from chains
    left join stg_approvals on stg_approvals.approval_id = chains.root_id
    left join int_approvals__tasks on int_approvals__tasks.approval_id = chains.root_id
),

held as (
    select
        chain_steps.chain_id,
        stg_credentials.*,
        least(stg_credentials.expires_at, stg_credentials.revoked_at) as over_at,
        ends.task_ended_at,
        ends.approval_ends_at
    from chain_steps
    join stg_credentials on stg_credentials.credential_id = chain_steps.step_id
    join ends on ends.chain_id = chain_steps.chain_id
),

judged as (
    select
        held.*,
        case
            when credential_kind = 'static' then false
            -- Twelve hours is the longest that AWS lets an assumed role live.
            when expires_at is not null and issued_at is not null then seconds_between(issued_at, expires_at) <= 12 * 3600
        end as is_short,
        case
            when over_at is null and credential_kind = 'static' then false
            when over_at is null or coalesce(approval_ends_at, task_ended_at) is null then null
            else over_at <= greatest(coalesce(approval_ends_at, task_ended_at), coalesce(task_ended_at, approval_ends_at)) + run_context.clock_tolerance
        end as is_ended
    from held
    cross join run_context
),

uses as (
    select chain_id, event_id, is_other_network
    from step_facts
    where is_other_network is not null
),

moved as (select distinct chain_id from uses where is_other_network),

-- What shows it: the uses from elsewhere, and where there is none, those from where it was issued.
bound as (
    select uses.chain_id, bool_or(uses.is_other_network) as is_moved, list_sort(list(distinct uses.event_id)) as event_ids
    from uses
    left join moved on moved.chain_id = uses.chain_id
    where uses.is_other_network or moved.chain_id is null
    group by uses.chain_id
)

select
    judged.chain_id,
    case when bool_or(not is_short) then 'fail' when bool_and(coalesce(is_short, false)) then 'pass' else 'unknown' end as short_lived,
    case when bool_or(not is_ended) then 'fail' when bool_and(coalesce(is_ended, false)) then 'pass' else 'unknown' end as ended,
    case when any_value(bound.is_moved) then 'fail' when any_value(bound.is_moved) is not null then 'pass' else 'unknown' end as bound,
    coalesce(list_sort(list(distinct issued_event_id) filter (where issued_event_id is not null)), []) as issue_event_ids,
    coalesce(list_sort(list(distinct revoked_event_id) filter (where revoked_event_id is not null)), []) as revoke_event_ids,
    coalesce(any_value(bound.event_ids), []) as network_event_ids
from judged
left join bound on bound.chain_id = judged.chain_id
group by judged.chain_id
