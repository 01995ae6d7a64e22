-- grain: one row per sign-in that was tried
-- build: by_hour
-- why: who tried to sign in from where, how that ended and what the second factor said, in one shape for all logs

with hours as (select event_hour from touched_hours)

select
    e.event_id,
    e.event_at,
    e.event_hour,
    e.log,
    e.voice,
    e.actor_uid,
    e.actor_kind,
    e.action,
    e.account_uid,
    e.outcome,
    e.error_code,
    e.src_ip,
    address_networks.network,
    nullif(lower(regexp_extract(e.user_agent, '^\W*(\w[\w.-]*)', 1)), '') as program,
    coalesce(e.resource_uids[1], '') as application,
    json_extract_string(e.detail, '$.second_factor') as second_factor
from events as e
join hours on hours.event_hour = e.event_hour
left join address_networks on address_networks.src_ip = e.src_ip
where e.class_uid = 3002 and e.kind in ('activity', 'credential')
