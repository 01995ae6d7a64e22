-- grain: one row per secret and identity that read it
-- build: full
-- why: who reads a secret since when, and who came to it late

-- Work that is done once a month has been seen by then.
with known_after as (select interval 31 day as wait),

read_by as (
    select acts.*, coalesce(resolved.identity_id, acts.actor_uid) as identity_id
    from stg_secret_acts as acts
    anti join int_copies on int_copies.child_event_id = acts.event_id
    left join int_identities__resolved as resolved
        on resolved.alias_uid = acts.actor_uid and holds_at(acts.event_at, resolved.valid_from, resolved.valid_until)
    where acts.does = 'read' and acts.actor_uid is not null
),

per_reader as (
    select
        secret_uid,
        identity_id,
        min(log) as log,
        min_by(actor_uid, {'at': event_at, 'id': event_id}) as actor_uid,
        min(event_at) as first_at,
        max(event_at) as last_at,
        count(*) as n,
        min_by(event_id, {'at': event_at, 'id': event_id}) as first_event_id,
        min_by({'network': network}, {'at': event_at, 'id': event_id}).network as first_network,
        list_sort(list(distinct network) filter (where network is not null)) as networks,
        list_sort(list(distinct issued_credential_uid) filter (where issued_credential_uid is not null)) as credential_uids,
        list(event_id order by event_at, event_id) as event_ids
    from read_by
    group by secret_uid, identity_id
),

known as (select secret_uid, min(first_at) as known_from from per_reader group by secret_uid)

select
    per_reader.secret_uid,
    per_reader.identity_id,
    per_reader.log,
    per_reader.actor_uid,
    per_reader.first_at,
    per_reader.last_at,
    per_reader.n,
    per_reader.first_event_id,
    per_reader.first_network,
    coalesce(per_reader.networks, []) as networks,
    first_hundred(coalesce(per_reader.credential_uids, [])) as credential_uids,
    per_reader.first_at >= known.known_from + known_after.wait as is_new_reader,
    first_hundred(per_reader.event_ids) as event_ids
from per_reader
join known on known.secret_uid = per_reader.secret_uid
cross join known_after
