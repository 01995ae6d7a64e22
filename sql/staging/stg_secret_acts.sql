-- grain: one row per record and secret that it reads or changes
-- build: by_hour
-- why: stores of secrets name them in ways of their own, with a version or without; here each is one name

with hours as (select event_hour from touched_hours),

recent as (
    select e.event_id, e.event_at, e.event_hour, e.log, e.actor_uid, e.action, e.resource_uids, e.credential_uid, e.issued_credential_uid, e.src_ip, e.detail
    from events as e
    join hours on hours.event_hour = e.event_hour
    anti join stg_superseded_stages as superseded on superseded.event_id = e.event_id and superseded.event_hour = e.event_hour
    where e.kind in ('activity', 'credential') and e.outcome = 'success' and e.voice is distinct from 'reported'
),

known as (
    select seen.action, min(secret_actions.does) as does, min(secret_actions.name_pattern) as name_pattern
    from (select distinct action from recent) as seen
    join secret_actions on seen.action ilike secret_actions.action_like escape '\'
    group by seen.action
),

named as (
    select recent.* exclude (resource_uids), known.does, known.name_pattern, unnest(list_distinct(recent.resource_uids)) as resource_uid
    from recent
    join known on known.action = recent.action
    -- Without plain text nothing was read.
    where known.does <> 'decrypt' or coalesce(try_cast(json_extract_string(recent.detail, '$.decrypts') as boolean), false)
)

select distinct
    named.event_id,
    regexp_extract(named.resource_uid, named.name_pattern, 1) as secret_uid,
    named.event_at,
    named.event_hour,
    named.log,
    if(named.does = 'decrypt', 'read', named.does) as does,
    named.actor_uid,
    named.credential_uid,
    named.issued_credential_uid,
    named.src_ip,
    address_networks.network
from named
left join address_networks on address_networks.src_ip = named.src_ip
where regexp_extract(named.resource_uid, named.name_pattern, 1) <> ''
