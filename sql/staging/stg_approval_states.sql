-- grain: one row per record of an approval
-- build: by_hour
-- why: what each record says of its approval, once and for all; which approval is made of them is decided with all of its states in sight

with hours as (select event_hour from touched_hours)

select
    e.event_id,
    e.approval_uid,
    e.event_at,
    e.event_hour,
    e.ingested_at,
    e.log,
    e.voice,
    e.task,
    json_extract_string(e.detail, '$.status') as status,
    json_extract_string(e.detail, '$.origin') as origin,
    json_extract_string(e.detail, '$.subject') as subject_uid,
    json_extract_string(e.detail, '$.requested_by') as requested_by,
    json_extract_string(e.detail, '$.approved_by') as approved_by,
    try_cast(json_extract_string(e.detail, '$.requested_at') as timestamptz) as requested_at,
    try_cast(json_extract_string(e.detail, '$.approved_at') as timestamptz) as approved_at,
    try_cast(json_extract_string(e.detail, '$.valid_from') as timestamptz) as valid_from,
    try_cast(json_extract_string(e.detail, '$.valid_until') as timestamptz) as valid_until,
    try_cast(json_extract_string(e.detail, '$.revoked_at') as timestamptz) as revoked_at,
    try_cast(json_extract(e.detail, '$.actions') as varchar[]) as actions,
    try_cast(json_extract(e.detail, '$.resources') as varchar[]) as resources,
    try_cast(json_extract(e.detail, '$.roles') as varchar[]) as roles,
    try_cast(json_extract(e.detail, '$.tools') as varchar[]) as tools,
    json_extract_string(e.detail, '$.ticket') as ticket,
    json_extract_string(e.detail, '$.risk') as risk
from events as e
join hours on hours.event_hour = e.event_hour
where e.kind = 'approval' and e.approval_uid is not null
