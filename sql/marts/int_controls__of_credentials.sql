-- grain: one row per chain with at least one credential
-- build: by_key chain_id
-- why: short-lived, bound to the workload that asked, and gone when the task was over: three controls with their evidence
-- units: select chain_id from chains
-- dirty: select chain_id from delta_chains
-- dirty: select chain_id from delta_chain_steps
-- dirty: select chain_id from delta_step_facts
-- dirty: select chain_id from delta_stg_approvals as root join chains on root_id = root.approval_id
-- dirty: select chain_id from delta_int_approvals__tasks as root join chains on root_id = root.approval_id
-- dirty: select chain_id from delta_int_credentials__by_day as changed join chain_steps on step_id = changed.node_id
-- dirty: select chain_id from delta_int_credentials__by_day as changed join chain_steps on step_id = changed.credential_id
-- dirty: select chain_id from delta_stg_credentials as changed join chain_steps on step_id = changed.credential_id
-- dirty: select chain_id from delta_stg_credentials as changed join int_credentials__by_day as by_day on by_day.credential_id = changed.credential_id
--     join chain_steps on step_id = by_day.node_id
-- only: chains(chain_id, root_id)
-- only: chain_steps(chain_id, step_id)
-- only: step_facts(chain_id, event_id, is_other_network) where is_other_network is not null
-- only: stg_approvals(approval_id, ends_at)
-- only: int_approvals__tasks(approval_id, task_ended_at)
-- only: int_credentials__by_day(node_id, credential_id)
-- only: stg_credentials(credential_id, credential_kind, issued_at, issued_event_id, expires_at, revoked_at, revoked_event_id)
-- only: run_context(clock_tolerance)

with ends as (
    select
        chains.chain_id,
        coalesce(int_approvals__tasks.task_ended_at, stg_approvals.ends_at) as task_ended_at,
        stg_approvals.ends_at as approval_ends_at
    from chains
    left join stg_approvals on stg_approvals.approval_id = chains.root_id
    left join int_approvals__tasks on int_approvals__tasks.approval_id = chains.root_id
    where chains.chain_id in (select id from touched_ids)
),

-- Of a key that lasts its days are judged, and the key itself by its issue.
days as (select distinct credential_id from int_credentials__by_day),

held as (
    select
        chain_steps.chain_id,
        stg_credentials.*,
        least(stg_credentials.expires_at, stg_credentials.revoked_at) as over_at,
        ends.task_ended_at,
        ends.approval_ends_at
    from chain_steps
    left join int_credentials__by_day as by_day on by_day.node_id = chain_steps.step_id
    join stg_credentials on stg_credentials.credential_id = coalesce(by_day.credential_id, chain_steps.step_id)
    left join days on days.credential_id = chain_steps.step_id
    join ends on ends.chain_id = chain_steps.chain_id
    where chain_steps.chain_id in (select id from touched_ids)
        and (days.credential_id is null or stg_credentials.issued_event_id is not null)
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

-- Before what is of the chain is joined: a list beside each credential would be the chain's length by itself.
tallied as (
    select
        chain_id,
        case when bool_or(not is_short) then 'fail' when bool_and(coalesce(is_short, false)) then 'pass' else 'unknown' end as short_lived,
        case when bool_or(not is_ended) then 'fail' when bool_and(coalesce(is_ended, false)) then 'pass' else 'unknown' end as ended,
        coalesce(list_sort(list(distinct issued_event_id) filter (where issued_event_id is not null)), []) as issue_event_ids,
        coalesce(list_sort(list(distinct revoked_event_id) filter (where revoked_event_id is not null)), []) as revoke_event_ids
    from judged
    group by chain_id
),

bound as (
    select
        chain_id,
        bool_or(is_other_network) as is_moved,
        list_sort(list(distinct event_id) filter (where is_other_network)) as moved_event_ids,
        list_sort(list(distinct event_id) filter (where not is_other_network)) as stayed_event_ids
    from step_facts
    where is_other_network is not null and chain_id in (select id from touched_ids)
    group by chain_id
)

select
    tallied.chain_id,
    tallied.short_lived,
    tallied.ended,
    case when bound.is_moved then 'fail' when bound.is_moved is not null then 'pass' else 'unknown' end as bound,
    tallied.issue_event_ids,
    tallied.revoke_event_ids,
    case when bound.is_moved then bound.moved_event_ids else coalesce(bound.stayed_event_ids, []) end as network_event_ids
from tallied
left join bound on bound.chain_id = tallied.chain_id
