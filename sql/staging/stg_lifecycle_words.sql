-- grain: one row per record and word that it says of the life of an identity or key
-- build: by_hour
-- why: tags, accounts that are gone or back, and keys that are switched on again, in the words that all sources share

with hours as (select event_hour from touched_hours),

-- What failed or was denied changed nothing, and what its subject may have written says nothing of it.
telling as (
    select
        e.event_id,
        e.event_at,
        e.event_hour,
        e.log,
        e.actor_uid,
        try_cast(json_extract(e.detail, '$.lifecycle') as json[]) as words
    from events as e
    join hours on hours.event_hour = e.event_hour
    where contains(e.detail, '"lifecycle"') and e.outcome is distinct from 'failure' and e.outcome is distinct from 'denied'
        and e.voice is distinct from 'reported'
),

numbered as (
    select *, unnest(range(array_length(words)::bigint)) as word_no
    from telling
)

select
    event_id,
    word_no,
    event_at,
    event_hour,
    log,
    actor_uid,
    json_extract_string(words[word_no + 1], '$.of') as of_uid,
    json_extract_string(words[word_no + 1], '$.field') as field,
    json_extract_string(words[word_no + 1], '$.value') as value
from numbered
where json_extract_string(words[word_no + 1], '$.of') is not null
