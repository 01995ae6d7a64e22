-- grain: one row per chain
-- build: by_key chain_id
-- why: one line an auditor can read: under which root, who, when, how much, and what is missing
-- units: select chain_id from chain_steps
-- dirty: select chain_id from delta_chain_steps
-- dirty: select chain_id from delta_int_nodes join chain_steps on root_id = node_id
-- dirty: select chain_id from delta_stg_approvals as root join chain_steps on root_id = root.approval_id
-- dirty: select chain_id from delta_stg_activities join chain_steps on step_id = activity_id
-- dirty: select chain_id from delta_int_identities__resolved join int_nodes as root on root.actor_uid = alias_uid join chain_steps on root_id = root.node_id
-- only: int_nodes(node_id, actor_uid, node_at)
-- only: stg_activities(activity_id, account_uid)
-- only: stg_approvals(approval_id, approval_uid, task, risk, is_granted)

with steps as (select * from chain_steps where chain_id in (select id from touched_ids)),

tallied as (
    select
        chain_id,
        min(root_id) as root_id,
        min(root_kind) as root_kind,
        min(slice) as slice,
        min(step_at) as started_at,
        max(step_at) as ended_at,
        count(*) as n_steps,
        count(*) filter (where node_kind = 'decision') as n_decisions,
        count(*) filter (where node_kind = 'tool_call') as n_tool_calls,
        -- The days of a key are one credential.
        count(distinct case when node_kind = 'credential' then regexp_replace(step_id, '@[0-9]{4}-[0-9]{2}-[0-9]{2}$', '') end) as n_credentials,
        count(*) filter (where node_kind = 'activity' and is_counted) as n_activities,
        count(*) filter (where is_privileged and is_counted) as n_privileged,
        count(*) filter (where outcome = 'denied' and is_counted) as n_denied,
        max(n_hops) as max_hops,
        min(confidence) as confidence,
        bool_and(is_accounted) filter (where node_kind = 'activity') as is_accounted,
        case when count(actor_uid) > 0 then list_sort(list(distinct actor_uid) filter (where actor_uid is not null)) end as actor_uids,
        list_sort(list(distinct log)) as logs
    from steps
    group by chain_id
),

step_gaps as (
    select chain_id, unnest(gaps) as gap
    from steps
),

-- How many candidates were left out is a number of each step; the largest is said once.
gaps_told as (
    select chain_id, gap
    from step_gaps
    where not starts_with(gap, 'candidates left out: ')
    union all
    select chain_id, 'candidates left out: ' || max(split_part(gap, ': ', 2)::bigint)::varchar
    from step_gaps
    where starts_with(gap, 'candidates left out: ')
    group by chain_id
),

gaps as (
    select chain_id, list_sort(list(distinct gap)) as gaps
    from gaps_told
    group by chain_id
),

accounts as (
    select steps.chain_id, list_sort(list(distinct stg_activities.account_uid)) as account_uids
    from steps
    join stg_activities on stg_activities.activity_id = steps.step_id
    where stg_activities.account_uid is not null
    group by steps.chain_id
)

select
    tallied.chain_id,
    tallied.root_id,
    tallied.root_kind,
    tallied.slice,
    coalesce(resolved.identity_id, root.actor_uid) as identity_id,
    stg_approvals.approval_uid,
    stg_approvals.task,
    stg_approvals.risk,
    tallied.started_at,
    tallied.ended_at,
    tallied.n_steps,
    tallied.n_decisions,
    tallied.n_tool_calls,
    tallied.n_credentials,
    tallied.n_activities,
    tallied.n_privileged,
    tallied.n_denied,
    tallied.max_hops,
    tallied.confidence,
    coalesce(tallied.is_accounted, coalesce(stg_approvals.is_granted, false)) as is_accounted,
    tallied.actor_uids,
    coalesce(accounts.account_uids, []) as account_uids,
    coalesce(gaps.gaps, []) as gaps,
    tallied.logs
from tallied
join int_nodes as root on root.node_id = tallied.root_id
left join stg_approvals on stg_approvals.approval_id = tallied.root_id
left join gaps on gaps.chain_id = tallied.chain_id
left join accounts on accounts.chain_id = tallied.chain_id
left join int_identities__resolved as resolved
    on resolved.alias_uid = root.actor_uid
    and holds_at(root.node_at, resolved.valid_from, resolved.valid_until)
