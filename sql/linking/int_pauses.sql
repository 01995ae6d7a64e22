-- grain: one row per identity that acted again after a pause, and pause: its longest, and all of at least 90 days
-- build: full
-- why: an identity that nobody missed for a quarter and that acts again was forgotten, or is somebody else's now

-- So long nothing has to be used before it is called unused, as the analyzers of the clouds do by default.
with dormant_after as (select interval 90 day as wait),

awake as (
    select
        identity_id, event_hour, min_by(log, {'at': first_at, 'log': log}) as log, min_by(account_uid, {'at': first_at, 'log': log}) as account_uid,
        min(first_at) as first_at, max(last_at) as last_at, min_by(first_event_id, {'at': first_at, 'log': log}) as event_id,
        min_by(actor_uid, {'at': first_at, 'log': log}) as actor_uid
    from int_identities__hours
    group by identity_id, event_hour
),

-- Who has one name acted last when an export says so, and not again until four hours before the export: IAM takes that long
-- to tell. It may have acted by any other name that it has.
last_uses as (
    select coalesce(resolved.identity_id, words.of_uid) as identity_id, try_cast(words.value as timestamptz) as used_at, max(words.event_at) - interval 4 hour as idle_until
    from stg_lifecycle_words as words
    left join (select identity_id, min(alias_uid) as alias_uid from int_identities__resolved group by identity_id having count(distinct alias_uid) = 1) as resolved
        on resolved.alias_uid = words.of_uid
    where words.field = 'used_at'
        and (resolved.identity_id is not null or words.of_uid not in (select alias_uid from int_identities__resolved))
    group by coalesce(resolved.identity_id, words.of_uid), try_cast(words.value as timestamptz)
),

in_order as (
    select
        *,
        lag(last_at) over (partition by identity_id order by first_at, last_at, event_hour) as paused_from,
        lag(idle_until) over (partition by identity_id order by first_at, last_at, event_hour) as idle_until_before
    from (
        select *, null::timestamptz as idle_until
        from awake
        union all
        select identity_id, null, null, null, used_at, used_at, null, null, idle_until
        from last_uses
        where used_at is not null
    ) as moments
),

ranked as (
    select
        in_order.*,
        greatest(in_order.paused_from, coalesce(in_order.idle_until_before, in_order.paused_from)) as unheard_from,
        in_order.first_at - in_order.paused_from as length,
        in_order.first_at >= in_order.paused_from + dormant_after.wait as is_dormant,
        row_number() over (
            partition by in_order.identity_id order by in_order.first_at - in_order.paused_from desc, in_order.first_at
        ) as nth
    from in_order
    cross join dormant_after
    where in_order.paused_from is not null and in_order.event_id is not null
),

pauses as (select * from ranked where nth = 1 or is_dormant),

-- Others went on acting in that account all the while, as far apart as the log may be silent: then it was read. Before an
-- export that says when it acted last the log is not needed.
heard as (
    select pauses.identity_id, pauses.first_at, spoken.event_hour
    from pauses
    join (select distinct log, account_uid, event_hour from int_identities__hours) as spoken
        on spoken.log = pauses.log and spoken.account_uid = pauses.account_uid
        and spoken.event_hour >= date_trunc('hour', pauses.unheard_from) and spoken.event_hour <= pauses.event_hour
    where pauses.is_dormant
    union
    select identity_id, first_at, date_trunc('hour', unheard_from)
    from pauses
    where is_dormant
),

gaps as (
    select
        identity_id, first_at,
        lead(event_hour) over (partition by identity_id, first_at order by event_hour) - event_hour as gap
    from heard
),

longest_gaps as (select identity_id, first_at, max(gap) as gap from gaps group by identity_id, first_at),

expected as (select log, max(max_silence) as max_silence from source_expectations group by log)

select
    pauses.identity_id,
    pauses.paused_from,
    pauses.first_at as woke_at,
    pauses.length,
    pauses.nth = 1 as is_longest,
    pauses.is_dormant,
    pauses.is_dormant and coalesce(longest_gaps.gap <= expected.max_silence, false) as is_certain,
    pauses.log,
    pauses.actor_uid,
    pauses.event_id
from pauses
left join longest_gaps on longest_gaps.identity_id = pauses.identity_id and longest_gaps.first_at = pauses.first_at
left join expected on expected.log = pauses.log
