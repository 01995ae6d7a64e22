-- grain: one row per credential and fact of its life
-- build: full
-- why: a key that lasts where none should, that nobody rotates, that several share, or that acts although it was taken away

-- The foundations benchmark for AWS of the Center for Internet Security (recommendation 1.14 of version 2.0) asks for new
-- access keys every 90 days or less.
with rotated_within as (select interval 90 day as wait),

prefixes as (select prefix from vendor_prefixes where names = 'credential' and says = 'static'),

-- What no log calls a session is not yet a key that lasts: its id says so, or the act that made it.
keys as (
    select
        stg_credentials.credential_uid,
        stg_credentials.credential_kind,
        stg_credentials.holder_uid,
        coalesce(resolved.identity_id, stg_credentials.holder_uid) as identity_id,
        stg_credentials.issued_at,
        stg_credentials.issued_event_id,
        coalesce(stg_credentials.issued_at, stg_credentials.first_used_at) as born_at,
        stg_credentials.revoked_at,
        stg_credentials.credential_kind = 'static'
        and (prefixes.prefix is not null or coalesce(making.mints_credential, false)) as is_lasting
    from stg_credentials
    left join prefixes on starts_with(stg_credentials.credential_uid, prefixes.prefix)
    left join stg_activities as making on making.activity_id = 'activity:' || stg_credentials.issued_event_id
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_credentials.holder_uid
        and holds_at(coalesce(stg_credentials.first_used_at, stg_credentials.issued_at), resolved.valid_from, resolved.valid_until)
    where stg_credentials.voice is distinct from 'reported'
),

-- Of a session only its workload is looked at: it may move with whoever signed in.
uses as (
    select
        acts.credential_uid, acts.event_id, acts.event_at, acts.actor_uid, acts.workload_uid, acts.is_privileged,
        case when keys.is_lasting and network_kind(acts.network) <> 'private' then acts.network end as network
    from stg_activities as acts
    join keys on keys.credential_uid = acts.credential_uid
    anti join int_copies on int_copies.child_event_id = acts.event_id
    cross join run_context
    where acts.outcome = 'success' and acts.voice is distinct from 'reported' and not is_from_future(acts.event_at, run_context.future_from)
),

first_uses as (
    select
        uses.credential_uid,
        min_by(uses.event_id, {'at': uses.event_at, 'id': uses.event_id}) as first_event_id,
        min({'at': uses.event_at, 'id': uses.event_id, 'actor': uses.actor_uid}) filter (where uses.event_at >= keys.born_at + rotated_within.wait) as too_old,
        bool_or(uses.is_privileged) as is_privileged
    from uses
    join keys on keys.credential_uid = uses.credential_uid
    cross join rotated_within
    group by uses.credential_uid
),

of_demanded as (
    select distinct keys.credential_uid
    from keys
    join demanded_short_lived as demanded
        on keys.identity_id ilike demanded.pattern_like escape '\' or keys.holder_uid ilike demanded.pattern_like escape '\'
),

places as (
    select credential_uid, 'network' as place_kind, network as place, min({'at': event_at, 'id': event_id}) as came, max(event_at) as last_at
    from uses
    where network is not null
    group by credential_uid, network
    union all
    select credential_uid, 'workload', workload_uid, min({'at': event_at, 'id': event_id}), max(event_at)
    from uses
    where workload_uid is not null
    group by credential_uid, workload_uid
),

-- Two versions of IP do not say that they are two places.
compared as (
    select *, if(place_kind = 'network', network_kind(place), 'workload') as kind
    from places
),

arrivals as (
    select
        later.credential_uid,
        later.place_kind,
        later.place,
        later.came,
        count(*) as n_before,
        -- One move is a move. Whoever is back where it was before, or moves again, is more than one.
        bool_or(earlier.last_at > later.came.at) as is_in_turn,
        min(earlier.came) as first_came
    from compared as later
    join compared as earlier
        on earlier.credential_uid = later.credential_uid and earlier.place_kind = later.place_kind and earlier.came < later.came
        and (earlier.kind = later.kind or earlier.kind = 'zone' or later.kind = 'zone')
    group by later.credential_uid, later.place_kind, later.place, later.came
),

shared as (
    select
        credential_uid,
        min_by(place_kind, came) as place_kind,
        min(came) as came,
        min(first_came) as first_came,
        list_sort(list(distinct came.id)) as event_ids
    from arrivals
    where is_in_turn or n_before > 1
    group by credential_uid
),

-- What is over by its own end was not taken away: who signs out ends its own session.
taken as (
    select acts.revoked_credential_uid as credential_uid, acts.event_at, acts.event_id, acts.actor_uid
    from stg_activities as acts
    join keys on keys.credential_uid = acts.revoked_credential_uid
    where acts.outcome = 'success' and acts.voice is distinct from 'reported'
        and acts.credential_uid is distinct from acts.revoked_credential_uid
        and (keys.credential_kind = 'static' or acts.actor_uid is distinct from keys.holder_uid)
),

given_back as (
    select of_uid as credential_uid, event_at from stg_lifecycle_words where field = 'credential' and value = 'there'
    union
    select issued_credential_uid, event_at from stg_activities where issued_credential_uid is not null and outcome = 'success'
),

used_afterwards as (
    select taken.credential_uid, taken.event_at as taken_at, taken.event_id as taken_event_id, taken.actor_uid as taken_by, uses.event_at, uses.event_id, uses.actor_uid
    from taken
    join uses on uses.credential_uid = taken.credential_uid
    cross join run_context
    where uses.event_at > taken.event_at + run_context.clock_tolerance
        and not exists (
            select 1 from given_back
            where given_back.credential_uid = taken.credential_uid and given_back.event_at >= taken.event_at
                and given_back.event_at <= uses.event_at + run_context.clock_tolerance
        )
),

after_revocation as (
    select
        credential_uid,
        min({'at': event_at, 'id': event_id, 'actor': actor_uid, 'taken_at': taken_at, 'taken': taken_event_id, 'by': taken_by}) as used
    from used_afterwards
    group by credential_uid
),

all_facts as (
    select
        'long_lived_credential' as fact, keys.credential_uid, keys.holder_uid as actor_uid, keys.born_at as first_at,
        coalesce(keys.issued_event_id, first_uses.first_event_id) as event_id, null::varchar as named, null::timestamptz as since_at,
        keys.is_lasting as is_certain, [coalesce(keys.issued_event_id, first_uses.first_event_id)] as event_ids
    from of_demanded
    join keys on keys.credential_uid = of_demanded.credential_uid
    left join first_uses on first_uses.credential_uid = keys.credential_uid
    where keys.credential_kind = 'static' and keys.revoked_at is null and coalesce(keys.issued_event_id, first_uses.first_event_id) is not null
    union all
    select
        'never_rotated', keys.credential_uid, first_uses.too_old.actor, first_uses.too_old.at, first_uses.too_old.id, null, keys.born_at,
        keys.is_lasting, [coalesce(keys.issued_event_id, first_uses.first_event_id), first_uses.too_old.id]
    from keys
    join first_uses on first_uses.credential_uid = keys.credential_uid
    where keys.credential_kind = 'static' and first_uses.too_old is not null
    union all
    select 'shared_credential', shared.credential_uid, keys.holder_uid, shared.came.at, shared.came.id, shared.place_kind, shared.first_came.at, true, list_distinct([shared.first_came.id] || shared.event_ids)
    from shared
    join keys on keys.credential_uid = shared.credential_uid
    union all
    select 'used_after_revocation', credential_uid, used.actor, used.at, used.id, used.by, used.taken_at, true, [used.taken, used.id]
    from after_revocation
)

select
    all_facts.fact,
    all_facts.credential_uid,
    keys.identity_id,
    coalesce(all_facts.actor_uid, keys.holder_uid) as actor_uid,
    all_facts.first_at,
    all_facts.event_id,
    all_facts.named,
    all_facts.since_at,
    coalesce(first_uses.is_privileged, false) as is_privileged,
    all_facts.is_certain,
    list_filter(all_facts.event_ids, lambda id: id is not null) as event_ids
from all_facts
join keys on keys.credential_uid = all_facts.credential_uid
left join first_uses on first_uses.credential_uid = all_facts.credential_uid
