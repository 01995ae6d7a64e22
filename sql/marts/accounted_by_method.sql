-- grain: one row per kind of identity and method by which its activities are accounted for, or not
-- build: full
-- why: which part of what people, agents, services and workloads did an approval accounts for, and by what it was joined

select
    coalesce(identities.identity_kind, 'unknown') as identity_kind,
    case when chain_steps.is_accounted then chain_steps.accounted_by else 'none' end as method,
    coalesce(chain_steps.is_accounted and chain_steps.accounted_by = 'standing', false) as is_standing,
    count(*) as n_activities
from chain_steps
left join identities on identities.identity_id = chain_steps.identity_id
where chain_steps.node_kind = 'activity' and chain_steps.is_counted
group by
    coalesce(identities.identity_kind, 'unknown'),
    case when chain_steps.is_accounted then chain_steps.accounted_by else 'none' end,
    coalesce(chain_steps.is_accounted and chain_steps.accounted_by = 'standing', false)
