-- grain: one row per event and key, of the stages of one request those of the last
-- build: by_hour
-- why: the link SQL joins these rows and never looks into a vendor's record; a new source only adds rows

with hours as (select event_hour from touched_hours),

recent as (
    select
        e.event_id, e.log, e.voice, e.event_at, e.event_hour, e.kind, e.decision_uid, e.tool_call_uid, e.keys,
        coalesce(contested.approval_id, 'approval:' || e.approval_uid) as approval_id
    from events as e
    join hours on hours.event_hour = e.event_hour
    left join stg_contested_approvals as contested on contested.event_id = e.event_id
    anti join stg_superseded_stages as superseded on superseded.event_id = e.event_id and superseded.event_hour = e.event_hour
),

unnested as (
    select
        event_id,
        log,
        voice,
        event_at,
        event_hour,
        case
            when kind = 'approval' and approval_id is not null then approval_id
            when kind = 'decision' and decision_uid is not null then 'decision:' || decision_uid
            when kind = 'tool_call' and tool_call_uid is not null then 'tool_call:' || tool_call_uid
            else 'activity:' || event_id
        end as node_id,
        case when kind = 'credential' then 'activity' else kind end as node_kind,
        unnest(keys) as entry
    from recent
)

select distinct
    event_id,
    node_id,
    node_kind,
    event_at,
    event_hour,
    log,
    voice,
    entry.kind as key_kind,
    entry.value as key_value,
    entry.role as role
from unnested
where entry.value is not null
