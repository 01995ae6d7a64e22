-- grain: one row per identity, approval, action pattern and resource pattern that it approves for that identity
-- build: by_key approval_id
-- why: what an approval allows to each identity that it names, by its own words and by its kind of task, in the words of the log and in those of a grant
-- units: select approval_id from stg_approvals
-- dirty: select approval_id from delta_stg_approvals
-- dirty: select approval_id from delta_int_approvals__subjects
-- only: stg_approvals(approval_id, granted_at, valid_from, ends_at, task, actions, resources, roles, tools, is_granted, origin)

with approvals_of as (
    select
        int_approvals__subjects.identity_id,
        stg_approvals.approval_id,
        stg_approvals.granted_at,
        stg_approvals.valid_from,
        stg_approvals.ends_at,
        stg_approvals.task,
        stg_approvals.actions,
        stg_approvals.resources,
        stg_approvals.roles,
        stg_approvals.tools
    from int_approvals__subjects
    join stg_approvals on stg_approvals.approval_id = int_approvals__subjects.approval_id
    where stg_approvals.is_granted and stg_approvals.origin = 'ticket' and not int_approvals__subjects.is_asker
        and stg_approvals.approval_id in (select id from touched_ids)
),

by_task as (
    select approvals_of.* exclude (actions, resources, tools), task_catalog.actions, task_catalog.resources, task_catalog.tools
    from approvals_of
    join task_catalog on approvals_of.task ilike task_catalog.task_like escape '\'
),

-- Who lists neither actions nor tools nor roles, and is of no known task, sets no bounds; a list of roles alone approves what they
-- hold at that time.
own_words as (
    select
        identity_id,
        approval_id,
        granted_at,
        valid_from,
        ends_at,
        if(
            array_length(actions) = 0 and array_length(roles) = 0 and array_length(tools) = 0 and approval_id not in (select approval_id from by_task),
            ['*'], actions
        ) as actions,
        resources,
        tools
    from approvals_of
),

both_words as (
    select * from own_words
    union all
    select identity_id, approval_id, granted_at, valid_from, ends_at, actions, resources, tools from by_task
),

each_action as (
    select identity_id, approval_id, granted_at, valid_from, ends_at, resources, unnest(actions) as action_pattern
    from both_words
    union all
    select identity_id, approval_id, granted_at, valid_from, ends_at, [], unnest(list_transform(tools, lambda tool: 'tool:' || tool))
    from both_words
),

in_all_words as (
    select identity_id, approval_id, granted_at, valid_from, ends_at, resources, action_pattern
    from each_action
    union
    select
        each_action.identity_id, each_action.approval_id, each_action.granted_at, each_action.valid_from, each_action.ends_at, each_action.resources,
        action_words.permission
    from each_action
    join action_words on action_words.action_key = lower(each_action.action_pattern)
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
