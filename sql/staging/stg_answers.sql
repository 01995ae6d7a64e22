-- grain: one row per record of a decision
-- build: by_hour
-- why: what each record says of its decision, once and for all; two answers under one id are compared afterwards

with hours as (select event_hour from touched_hours)

select
    e.event_id,
    e.decision_uid,
    e.event_at as decided_at,
    e.event_hour,
    e.log,
    e.voice,
    e.actor_uid as subject_uid,
    e.action,
    json_extract_string(e.detail, '$.tool') as tool,
    e.resource_uids,
    json_extract_string(e.detail, '$.result') as result,
    json_extract_string(e.detail, '$.approver') as approver,
    coalesce(json_extract_string(e.detail, '$.is_human') = 'true', false) as is_human,
    e.args_hash
from events as e
join hours on hours.event_hour = e.event_hour
where e.kind = 'decision' and e.decision_uid is not null
