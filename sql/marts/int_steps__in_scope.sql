-- grain: one row per activity or tool call and approval that it is under, or that the agent was under that asked for it
-- build: by_key step_id
-- why: compares each act with the words of its approval: actions (in the words of the log or of a grant), resources, tools and roles, by case-insensitive patterns
-- units: select step_id from chain_steps
-- dirty: select step_id from delta_chain_steps
-- dirty: select step_id from delta_delegations
-- dirty: select step_id from delta_stg_approvals join chain_steps using (approval_id)
-- dirty: select step_id from delta_stg_approvals join delegations on caller_approval_id = approval_id
-- dirty: select step_id from delta_int_approvals__roles join chain_steps using (approval_id)
-- dirty: select step_id from delta_int_approvals__roles join delegations on caller_approval_id = approval_id
-- dirty: select activity_id from delta_stg_activities
-- only: stg_approvals(approval_id, actions, resources, tools, roles)
-- only: chain_steps(step_id, approval_id, is_accounted, node_kind, action, canonical_action, resource_uids)
-- only: stg_activities(activity_id, issued_role_arn, role_arn)

with under as (
    select step_id, approval_id
    from chain_steps
    where is_accounted and step_id in (select id from touched_ids)
    union
    select delegations.step_id, delegations.caller_approval_id
    from delegations
    join chain_steps on chain_steps.step_id = delegations.step_id
    where chain_steps.is_accounted and chain_steps.node_kind = 'activity' and chain_steps.step_id in (select id from touched_ids)
),

acts as (
    select
        chain_steps.step_id,
        under.approval_id,
        chain_steps.node_kind,
        chain_steps.action,
        chain_steps.canonical_action,
        chain_steps.resource_uids,
        coalesce(stg_activities.issued_role_arn, stg_activities.role_arn) as role_arn,
        -- Taking a role is judged by the approved roles; asking who one is gives no power.
        stg_activities.issued_role_arn is not null or identity_question.prefix is not null as is_role_taking,
        stg_approvals.actions,
        stg_approvals.resources,
        stg_approvals.tools,
        stg_approvals.roles
    from under
    join chain_steps on chain_steps.step_id = under.step_id
    join stg_approvals on stg_approvals.approval_id = under.approval_id
    left join stg_activities on stg_activities.activity_id = chain_steps.step_id
    left join vendor_prefixes as identity_question
        on identity_question.says = 'identity_question' and identity_question.prefix = chain_steps.action
    where chain_steps.node_kind = 'activity' or (chain_steps.node_kind = 'tool_call' and starts_with(chain_steps.action, 'tool:'))
),

own_approvals as (
    select *
    from stg_approvals
    where approval_id in (select approval_id from under)
),

listed as (
    select approval_id, 'action' as pattern_kind, unnest(actions) as pattern from own_approvals
    union all
    select approval_id, 'resource', unnest(resources) from own_approvals
    union all
    select approval_id, 'tool', unnest(tools) from own_approvals
),

patterns as (
    select approval_id, pattern_kind, pattern, as_like(pattern) as pattern_like
    from listed
),

distinct_actions as (
    select distinct
        approval_id,
        case node_kind when 'activity' then 'action' else 'tool' end as pattern_kind,
        case node_kind when 'activity' then action else substr(action, 6) end as value
    from acts
    union
    select approval_id, 'action', canonical_action
    from acts
    where node_kind = 'activity'
),

distinct_resources as (
    select distinct approval_id, 'resource' as pattern_kind, unnest(resource_uids) as value
    from acts
    where node_kind = 'activity'
),

distinct_values as (
    select * from distinct_actions
    union all
    select * from distinct_resources
),

approved_values as (
    select distinct distinct_values.approval_id, distinct_values.pattern_kind, distinct_values.value
    from distinct_values
    join patterns
        on patterns.approval_id = distinct_values.approval_id
        and patterns.pattern_kind = distinct_values.pattern_kind
        and distinct_values.value ilike patterns.pattern_like escape '\'
),

named_resources as (
    select step_id, approval_id, unnest(resource_uids) as value
    from acts
    where node_kind = 'activity'
),

-- An act on an account as a whole names nothing that an approval could list: nothing can be said about it.
resource_acts as (
    select named_resources.step_id, named_resources.approval_id, named_resources.value
    from named_resources
    left join vendor_prefixes as whole_account
        on whole_account.says = 'whole_account' and starts_with(named_resources.value, whole_account.prefix)
    where whole_account.prefix is null
),

resource_steps as (select distinct step_id, approval_id from resource_acts),

judged_resources as (
    select
        resource_acts.step_id,
        resource_acts.approval_id,
        resource_acts.value,
        approved_values.value is not null as is_approved,
        -- arn:aws:ecs:eu-central-1:1:cluster/main -> arn:aws:ecs:eu-central-1:1: and main
        case
            when owned_name.prefix is null then ''
            else regexp_extract(resource_acts.value, '^[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:')
        end as owner,
        regexp_extract(resource_acts.value, '[^:/]+$') as last_name
    from resource_acts
    left join approved_values
        on approved_values.approval_id = resource_acts.approval_id
        and approved_values.pattern_kind = 'resource' and approved_values.value = resource_acts.value
    left join vendor_prefixes as owned_name
        on owned_name.says = 'owned_name' and starts_with(resource_acts.value, owned_name.prefix)
),

-- A record also names what holds the thing acted on (the cluster of a service, the database of a table).
holders as (
    select distinct holder.step_id, holder.approval_id, holder.value
    from judged_resources as holder
    join judged_resources as held on held.step_id = holder.step_id and held.approval_id = holder.approval_id
    where not holder.is_approved and held.is_approved and holder.owner <> '' and held.owner = holder.owner
        and (
            starts_with(held.value, holder.value || '/')
            or contains(substr(held.value, length(held.owner) + 1), '/' || holder.last_name || '/')
        )
    union
    -- Where the record names only the holder of what the approval speaks of, nothing can be said about the thing itself.
    select distinct holder.step_id, holder.approval_id, holder.value
    from judged_resources as holder
    join patterns on patterns.approval_id = holder.approval_id and patterns.pattern_kind = 'resource'
    where not holder.is_approved and holder.owner <> ''
        and starts_with(patterns.pattern, holder.owner)
        and contains(substr(patterns.pattern, length(holder.owner) + 1), '/' || holder.last_name || '/')
),

outside_resources as (
    select distinct judged_resources.step_id, judged_resources.approval_id
    from judged_resources
    left join holders
        on holders.step_id = judged_resources.step_id and holders.approval_id = judged_resources.approval_id
        and holders.value = judged_resources.value
    where not judged_resources.is_approved and holders.value is null
)

select
    acts.step_id,
    acts.approval_id,
    acts.role_arn,
    case
        when acts.is_role_taking then false
        when acts.node_kind = 'activity' and array_length(acts.actions) > 0
            then approved_values.value is null and approved_words.value is null
        when acts.node_kind = 'tool_call' and array_length(acts.tools) > 0 then approved_values.value is null
    end as is_outside_actions,
    case
        when acts.node_kind <> 'activity' or acts.is_role_taking then false
        when array_length(acts.resources) > 0 and resource_steps.step_id is not null then outside_resources.step_id is not null
    end as is_outside_resources,
    case
        when acts.role_arn is not null and array_length(acts.roles) > 0 then approved_roles.role_arn is null
    end as is_outside_roles
from acts
left join approved_values
    on approved_values.approval_id = acts.approval_id
    and approved_values.pattern_kind = case acts.node_kind when 'activity' then 'action' else 'tool' end
    and approved_values.value = case acts.node_kind when 'activity' then acts.action else substr(acts.action, 6) end
left join approved_values as approved_words
    on approved_words.approval_id = acts.approval_id and approved_words.pattern_kind = 'action'
    and acts.node_kind = 'activity' and approved_words.value = acts.canonical_action
left join resource_steps on resource_steps.step_id = acts.step_id and resource_steps.approval_id = acts.approval_id
left join outside_resources on outside_resources.step_id = acts.step_id and outside_resources.approval_id = acts.approval_id
left join int_approvals__roles as approved_roles
    on approved_roles.approval_id = acts.approval_id and approved_roles.role_arn = acts.role_arn
