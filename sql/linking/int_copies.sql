-- grain: one row per activity that claims to be the same event as another one
-- build: full
-- why: two accounts, or two records of one operation, tell one act under one id; who writes such a record of something else hides an act behind it

with shared as (
    select distinct
        keyed.node_id, keyed.key_value, activity.event_id, activity.event_at, activity.log, activity.voice, activity.account_uid,
        activity.credential_uid, activity.actor_uid, activity.action, coalesce(activity.resource_uids, []) as resource_uids,
        activity.stage_number, activity.is_privileged
    from stg_keys as keyed
    join stg_activities as activity on activity.activity_id = keyed.node_id
    where keyed.key_kind = 'shared_event'
),

-- The copy that knows the caller stands for all copies; of the records of one operation the last, which says how it ended.
numbered as (
    select
        *,
        row_number() over (
            partition by key_value
            order by voice is not distinct from 'reported', credential_uid is null, actor_uid is null, event_at desc, node_id
        ) as nth
    from shared
),

pairs as (
    select
        copy.*,
        chosen.node_id as parent_id,
        chosen.event_id as parent_event_id,
        chosen.is_privileged as is_parent_privileged,
        -- Another account sees of the caller only what its provider shows there.
        copy.actor_uid <> chosen.actor_uid
        and (copy.credential_uid is not null or coalesce(copy.account_uid = chosen.account_uid, true)) as has_other_actor,
        copy.log = chosen.log and copy.action <> chosen.action as has_other_action,
        not list_has_all(chosen.resource_uids, copy.resource_uids) as has_other_target,
        -- What is told when it begins and when it ends lasts; a copy is made of one moment.
        copy.stage_number is null
        and abs(seconds_between(copy.event_at, chosen.event_at)) > seconds_of(run_context.clock_tolerance) as has_other_time
    from numbered as copy
    join numbered as chosen on chosen.key_value = copy.key_value and chosen.nth = 1
    cross join run_context
    where copy.nth > 1
        -- Two ends of what a caller calls one operation are two acts: nobody hides one behind the other.
        and not coalesce(copy.stage_number = chosen.stage_number, false)
)

select
    node_id as child_id,
    parent_id,
    event_id as child_event_id,
    parent_event_id,
    key_value,
    event_at,
    date_trunc('hour', event_at) as event_hour,
    log,
    is_privileged or is_parent_privileged as is_privileged,
    list_filter(
        [
            case when has_other_actor then 'actor' end,
            case when has_other_action then 'action' end,
            case when has_other_target then 'target' end,
            case when has_other_time then 'time' end
        ],
        lambda word: word is not null
    ) as differs
from pairs
