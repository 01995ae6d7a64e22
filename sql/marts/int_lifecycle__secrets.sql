-- grain: one row per secret, new reader of it and credential from it that was used then
-- build: full
-- why: somebody comes late to a secret, and what lies in it is used from there

with approval_logs as (select coalesce(bool_or(list_contains(evidence_seen, 'approval')), false) as are_read from sources),

-- Who may have an approval to read it is no stranger. Where no approvals are read at all, none can excuse it.
strangers as (
    select readers.*, coalesce(step_facts.has_no_approval, not approval_logs.are_read) as is_certain
    from secret_readers as readers
    cross join approval_logs
    left join step_facts on step_facts.step_id = 'activity:' || readers.first_event_id
    where readers.is_new_reader and step_facts.has_no_approval is distinct from false
),

-- A credential that was made in the act of reading is the reader's, wherever it is used. What the configuration says lies
-- in it is used by all readers: it is the stranger who is first to use it from the network of that read.
given_out as (
    select secret_uid, identity_id, unnest(credential_uids) as credential_uid, null::varchar as network
    from strangers
    union
    select strangers.secret_uid, strangers.identity_id, secret_contents.credential_uid, strangers.first_network
    from strangers
    join secret_contents on secret_contents.secret_uid = strangers.secret_uid
    where strangers.first_network is not null and network_kind(strangers.first_network) <> 'private'
),

uses as (
    select given_out.secret_uid, given_out.identity_id, given_out.credential_uid, acts.event_id, acts.event_at
    from given_out
    join stg_activities as acts on acts.credential_uid = given_out.credential_uid and (given_out.network is null or acts.network = given_out.network)
    where acts.voice is distinct from 'reported' and acts.outcome = 'success'
),

first_uses as (
    select secret_uid, identity_id, credential_uid, min({'at': event_at, 'id': event_id}) as used
    from uses
    group by secret_uid, identity_id, credential_uid
)

select
    strangers.secret_uid,
    strangers.identity_id,
    first_uses.credential_uid,
    strangers.actor_uid,
    strangers.first_at as read_at,
    first_uses.used.at as first_at,
    first_uses.used.id as event_id,
    strangers.is_certain,
    [strangers.first_event_id, first_uses.used.id] as event_ids
from strangers
join first_uses on first_uses.secret_uid = strangers.secret_uid and first_uses.identity_id = strangers.identity_id
where first_uses.used.at >= strangers.first_at
