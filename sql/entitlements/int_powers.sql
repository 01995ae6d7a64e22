-- grain: one row per action pattern that somebody holds
-- build: full
-- why: whether a pattern lets its holder manage permissions or credentials or take evidence away is asked once for each pattern and not for each holder

with patterns as (
    select distinct action_pattern, as_like(action_pattern) as action_like
    from int_statements
    where action_pattern is not null
),

powers as (
    select permission as action
    from iam_actions
    where access_level = 'Permissions management'
    union
    select action_lower
    from privileged_actions
    where action_lower is not null and power is distinct from 'data'
),

powerful as (
    select patterns.action_pattern
    from patterns
    join powers on powers.action ilike patterns.action_like escape '\'
    union
    select patterns.action_pattern
    from patterns
    join privileged_actions
        on privileged_actions.action_lower is null and privileged_actions.power is distinct from 'data'
        and patterns.action_pattern ilike privileged_actions.action_like escape '\'
)

select
    patterns.action_pattern,
    case
        when patterns.action_pattern = '*' or everything.prefix is not null then 'admin'
        when powerful.action_pattern is not null then 'permissions'
        else 'data'
    end as power
from patterns
left join vendor_prefixes as everything on everything.says = 'everything' and everything.prefix = patterns.action_pattern
left join powerful on powerful.action_pattern = patterns.action_pattern
