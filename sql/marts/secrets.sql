-- grain: one row per secret that was read or changed
-- build: full
-- why: which secrets there are, who reads them since when, when they changed last, and which credentials came out of them

with acts as (
    select stg_secret_acts.*
    from stg_secret_acts
    anti join int_copies on int_copies.child_event_id = stg_secret_acts.event_id
),

changed as (
    select
        secret_uid,
        min(log) as log,
        max(event_at) filter (where does in ('change', 'rotate')) as changed_at,
        max(event_at) filter (where does = 'rotate') as rotated_at,
        max(event_at) filter (where does = 'delete') as deleted_at,
        count(*) filter (where does in ('change', 'rotate')) as n_changes
    from acts
    group by secret_uid
),

read_by as (
    select
        secret_uid,
        min(first_at) as first_read_at,
        max(last_at) as last_read_at,
        sum(n)::bigint as n_reads,
        count(*) as n_readers,
        first_hundred(list_sort(list(identity_id))) as readers
    from secret_readers
    group by secret_uid
),

came_out as (
    select secret_uid, issued_credential_uid as credential_uid
    from acts
    where issued_credential_uid is not null
    union
    select secret_uid, credential_uid from secret_contents
),

credentials_of as (select secret_uid, first_hundred(list_sort(list(credential_uid))) as credential_uids from came_out group by secret_uid)

select
    changed.secret_uid,
    changed.log,
    read_by.first_read_at,
    read_by.last_read_at,
    coalesce(read_by.n_reads, 0) as n_reads,
    coalesce(read_by.n_readers, 0) as n_readers,
    coalesce(read_by.readers, []) as readers,
    changed.changed_at,
    changed.n_changes,
    changed.rotated_at,
    changed.deleted_at,
    coalesce(credentials_of.credential_uids, []) as credential_uids
from changed
left join read_by on read_by.secret_uid = changed.secret_uid
left join credentials_of on credentials_of.secret_uid = changed.secret_uid
