-- grain: one row per non-human identity and day
-- build: full
-- why: the share of what non-human identities did that an approval accounts for

select
    chain_steps.identity_id,
    cast(chain_steps.step_at as date) as day,
    count(*) as n_activities,
    count(*) filter (where chain_steps.is_accounted) as n_accounted,
    count(*) filter (where chain_steps.is_accounted and chain_steps.accounted_by <> 'standing') as n_by_task,
    count(*) filter (where chain_steps.is_accounted and chain_steps.accounted_by = 'standing') as n_by_standing,
    count(*) filter (where chain_steps.is_accounted) / count(*) as share
from chain_steps
join identities on identities.identity_id = chain_steps.identity_id
where chain_steps.node_kind = 'activity' and chain_steps.is_counted and identities.is_nonhuman
group by chain_steps.identity_id, cast(chain_steps.step_at as date)
