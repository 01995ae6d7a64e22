-- grain: one row per failed activity and tool call whose telemetry names a later try of the same
-- build: full
-- why: an SDK tries again under a new request id, and its telemetry tells that of the last try only

with named as (
    select child_id as activity_id, min(parent_id) as tool_call_id, min(key_value) as key_value, min(voice) as voice
    from int_links__by_key
    where child_kind = 'activity' and parent_kind = 'tool_call' and key_kind = 'request'
    group by child_id
    having count(*) = 1 and max(n_candidates) = 1
),

failed as (
    select distinct stg_activities.credential_uid, stg_activities.action
    from stg_activities
    anti join named on named.activity_id = stg_activities.activity_id
    where stg_activities.outcome = 'failure' and stg_activities.credential_uid is not null
),

tries as (
    select
        stg_activities.activity_id, stg_activities.event_at, stg_activities.outcome, stg_activities.credential_uid, stg_activities.action,
        stg_activities.resource_uids, stg_activities.user_agent, stg_activities.src_ip, named.activity_id as named_id
    from stg_activities
    join failed on failed.credential_uid = stg_activities.credential_uid and failed.action = stg_activities.action
    left join named on named.activity_id = stg_activities.activity_id
),

followed as (
    select
        activity_id, event_at, outcome, named_id,
        -- Within one second, which is all that many logs can tell, the try that is told of is the last.
        first_value(named_id ignore nulls) over later_tries as told_id
    from tries
    window later_tries as (
        partition by credential_uid, action, resource_uids, user_agent, src_ip
        order by event_at, named_id is not null, activity_id
        rows between current row and unbounded following
    )
)

select
    followed.activity_id,
    named.tool_call_id,
    named.key_value,
    named.voice,
    seconds_between(followed.event_at, stg_activities.event_at) as seconds_apart
from followed
join named on named.activity_id = followed.told_id
join stg_activities on stg_activities.activity_id = followed.told_id
where followed.outcome = 'failure' and followed.named_id is null
    -- So long does an SDK wait at most (AWS SDKs, retry mode standard).
    and seconds_between(followed.event_at, stg_activities.event_at) <= 20
