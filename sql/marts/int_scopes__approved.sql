-- grain: one row per identity, approval, action pattern and resource pattern that it approves for that identity
-- build: full
-- why: what an approval allows to each identity that it names, in the words of the log and in those of a grant

with approvals_of as (
    select
        int_approvals__subjects.identity_id,
        stg_approvals.approval_id,
        stg_approvals.granted_at,
        stg_approvals.valid_from,
        stg_approvals.ends_at,
        stg_approvals.actions,
        stg_approvals.resources,
        stg_approvals.tools,
        -- Who lists neither actions nor roles sets no bounds; a list of roles alone approves what they hold at that time.
        array_length(stg_approvals.actions) = 0 and array_length(stg_approvals.roles) = 0 and array_length(stg_approvals.tools) = 0 as is_unbounded
    from int_approvals__subjects
    join stg_approvals on stg_approvals.approval_id = int_approvals__subjects.approval_id
    where stg_approvals.is_granted and stg_approvals.origin = 'ticket' and not int_approvals__subjects.is_asker
),

each_action as (
    select * exclude (actions, tools, is_unbounded), unnest(if(is_unbounded, ['*'], actions)) as listed
    from approvals_of
),

in_all_words as (
    select each_action.* exclude (listed), each_action.listed as action_pattern
    from each_action
    union
    select each_action.* exclude (listed), action_words.permission
    from each_action
    join action_words on action_words.action_key = lower(each_action.listed)
)

select distinct
    identity_id,
    approval_id,
    granted_at,
    valid_from,
    ends_at,
    action_pattern,
    unnest(case when array_length(resources) > 0 then resources else ['*'] end) as resource_pattern
from in_all_words
union
-- A list of resources is not about tools.
select identity_id, approval_id, granted_at, valid_from, ends_at, 'tool:' || unnest(tools), '*'
from approvals_of
