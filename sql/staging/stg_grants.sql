-- grain: one row per record and thing that it changes of who may do what
-- build: by_hour
-- why: what each record says of edges and documents of power, once and for all; from when to when they hold is decided with all of them in sight

with hours as (select event_hour from touched_hours),

-- What failed or was denied changed nothing.
changes as (
    select
        e.event_id,
        e.event_at,
        e.event_hour,
        e.ingested_at,
        e.log,
        e.voice,
        e.kind,
        e.actor_uid,
        e.account_uid,
        json_extract_string(e.detail, '$.snapshot') as snapshot_id,
        coalesce(json_extract_string(e.detail, '$.captured_by') = 'lower_bound', false) as is_lower_bound,
        try_cast(json_extract(e.detail, '$.grants') as json[]) as grants
    from events as e
    join hours on hours.event_hour = e.event_hour
    where contains(e.detail, '"grants"') and e.outcome is distinct from 'failure' and e.outcome is distinct from 'denied'
),

numbered as (
    select *, unnest(range(array_length(grants)::bigint)) as grant_no
    from changes
),

each_grant as (
    select * exclude (grants), grants[grant_no + 1] as said
    from numbered
)

select
    event_id,
    grant_no,
    event_at,
    event_hour,
    ingested_at,
    log,
    voice,
    actor_uid,
    account_uid,
    kind = 'inventory' as is_snapshot,
    -- What one export says is one word, in however many records it stands.
    coalesce(snapshot_id, event_id) as batch_id,
    is_lower_bound,
    json_extract_string(said, '$.op') as op,
    json_extract_string(said, '$.relation') as relation,
    json_extract_string(said, '$.holder') as holder_uid,
    json_extract_string(said, '$.held') as held_uid,
    json_extract_string(said, '$.scope') as scope_uid,
    json_extract_string(said, '$.binding') as binding_uid,
    json_extract_string(said, '$.account') as of_account_uid,
    json_extract_string(said, '$.among') as among,
    json_extract(said, '$.condition')::varchar as condition,
    try_cast(json_extract_string(said, '$.expires_at') as timestamptz) as expires_at,
    json_extract_string(said, '$.kind') as document_kind,
    json_extract_string(said, '$.version') as version,
    coalesce(json_extract_string(said, '$.in_force') <> 'false', true) as is_in_force,
    nullif(json_extract(said, '$.statements')::varchar, 'null') as statements
from each_grant
