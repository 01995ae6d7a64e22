-- grain: one row per approval that lists an action or a role whose power is known
-- build: full
-- why: the power that an approval gives: by the actions that it or its kind of task lists, and by what its roles held when it was granted

with of_tasks as (
    select stg_approvals.approval_id, unnest(task_catalog.actions) as action_pattern
    from stg_approvals
    join task_catalog on stg_approvals.task ilike task_catalog.task_like escape '\'
),

written as (
    select approval_id, unnest(actions) as action_pattern
    from stg_approvals
    union
    select approval_id, action_pattern
    from of_tasks
),

-- In the words of the log and in those of a grant; some services write the version of their API after an operation.
spelled as (
    select distinct
        action_pattern,
        lower(regexp_replace(action_pattern, '([0-9]{8}(v[0-9]+)?|[0-9]{4}_[0-9]{2}_[0-9]{2})$', '')) as action_key
    from written
),

listed as (
    select approval_id, action_pattern from written
    union
    select written.approval_id, coalesce(action_words.permission, spelled.action_key)
    from written
    join spelled on spelled.action_pattern = written.action_pattern
    left join action_words on action_words.action_key = spelled.action_key
),

patterns as (
    select distinct action_pattern, as_like(action_pattern) as action_like, contains(action_pattern, '*') or contains(action_pattern, '?') as is_pattern
    from listed
    where action_pattern is not null
),

powers as (
    select lower(permission) as action
    from iam_actions
    where access_level = 'Permissions management'
    union
    select action_lower
    from privileged_actions
    where action_lower is not null and power is distinct from 'data'
),

-- A plain name is looked up; only patterns are compared with each.
powerful as (
    select patterns.action_pattern
    from patterns
    join powers on powers.action = lower(patterns.action_pattern)
    where not patterns.is_pattern
    union
    select patterns.action_pattern
    from patterns
    join powers on powers.action ilike patterns.action_like escape '\'
    where patterns.is_pattern
    union
    select patterns.action_pattern
    from patterns
    join privileged_actions
        on privileged_actions.action_lower is null and privileged_actions.power is distinct from 'data'
        and patterns.action_pattern ilike privileged_actions.action_like escape '\'
),

by_actions as (
    select
        listed.approval_id,
        -- Asking who one is gives nothing.
        case
            when listed.action_pattern = '*' or everything.prefix is not null then 4
            when powerful.action_pattern is not null then 3
            when question.prefix is not null then 1
            else 2
        end as power_rank
    from listed
    left join powerful on powerful.action_pattern = listed.action_pattern
    left join vendor_prefixes as everything on everything.says = 'everything' and everything.prefix = listed.action_pattern
    left join vendor_prefixes as question on question.says = 'identity_question' and lower(question.prefix) = lower(listed.action_pattern)
    where listed.action_pattern is not null
),

by_roles as (
    select roles.approval_id, power_rank(held.power) as power_rank
    from int_approvals__roles as roles
    join stg_approvals on stg_approvals.approval_id = roles.approval_id
    join entitlements as held
        on held.holder_uid = roles.role_arn and held.layer = 'granted' and held.effect = 'allow' and held.power is not null and not held.is_reported
        and coalesce(held.valid_from <= stg_approvals.granted_at, true) and coalesce(held.valid_until > stg_approvals.granted_at, true)
)

select approval_id, max(power_rank) as power_rank
from (select approval_id, power_rank from by_actions union all select approval_id, power_rank from by_roles)
group by approval_id
