-- grain: one row per credential (session, token, key)
-- build: by_key credential_id
-- why: what was issued and what was used, in one row, also for keys whose issue no log ever showed
-- units: select 'credential:' || unnest([credential_uid, issued_credential_uid, revoked_credential_uid]) from stg_activities
-- dirty: select 'credential:' || unnest([credential_uid, issued_credential_uid, revoked_credential_uid]) from delta_stg_activities

with touched as (select substr(id, 12) as credential_uid from touched_ids),

issues as (
    select
        issued_credential_uid as credential_uid,
        event_id,
        event_at,
        actor_uid,
        credential_uid as issuer_credential_uid,
        coalesce(issued_role_arn, issued_holder, actor_uid) as holder_uid,
        issued_role_arn as role_arn,
        issued_session_name as session_name,
        issued_expires_at as expires_at,
        issues_session,
        case when issued_kind in ('console', 'portal') then issued_kind end as sign_in,
        issued_role_pattern as role_pattern,
        session_created_at,
        src_ip,
        network,
        program,
        account_uid,
        log,
        voice,
        -- The copy of a cross-account event that knows the caller's credential says more than the other.
        row_number() over (
            partition by issued_credential_uid
            order by voice is not distinct from 'reported', credential_uid is null, event_at, event_id
        ) as nth
    from stg_activities
    where issued_credential_uid in (select credential_uid from touched)
),

issued as (select * from issues where nth = 1),

used as (
    select
        credential_uid,
        min(event_at) as first_used_at,
        max(event_at) as last_used_at,
        count(*) as n_uses,
        -- Who impersonates another shows a credential of their own.
        min_by(coalesce(credential_holder, actor_uid), {'at': event_at, 'id': event_id}) as actor_uid,
        bool_or(credential_kind is not distinct from 'session' or session_name is not null) as is_session,
        min_by(role_arn, {'at': event_at, 'id': event_id}) as role_arn,
        min_by(session_name, {'at': event_at, 'id': event_id}) as session_name,
        min(session_created_at) as session_created_at,
        min_by(account_uid, {'at': event_at, 'id': event_id}) as account_uid,
        min(log) as log,
        case when bool_and(voice is not distinct from 'reported') then 'reported' else 'recorded' end as voice
    from stg_activities
    where credential_uid in (select credential_uid from touched)
    group by credential_uid
),

-- What its holder did with it, as far as a log says so that the holder cannot write to; a failed try shows no home.
lived as (
    select
        credential_uid,
        {'at': event_at, 'id': event_id} as nth,
        network,
        workload_uid,
        program,
        network is not null and network_kind(network) <> 'private' as is_placed
    from stg_activities
    where credential_uid in (select credential_uid from touched)
        and voice is distinct from 'reported'
        and outcome is distinct from 'denied' and outcome is distinct from 'failure'
),

homes as (
    select
        credential_uid,
        -- A place that can be compared is the better home; a private address is one only where there is no other.
        coalesce(
            min_by(network, nth) filter (where is_placed),
            min_by(network, nth) filter (where network is not null)
        ) as network,
        coalesce(min(nth) filter (where is_placed), min(nth) filter (where network is not null)) as nth,
        min_by(workload_uid, nth) filter (where workload_uid is not null) as workload_uid,
        min_by(program, nth) filter (where program is not null) as program
    from lived
    group by credential_uid
),

revoked as (
    select
        revoked_credential_uid as credential_uid,
        min(event_at) as revoked_at,
        min_by(event_id, {'at': event_at, 'id': event_id}) as revoked_event_id,
        case when bool_and(voice is not distinct from 'reported') then 'reported' else 'recorded' end as voice
    from stg_activities
    where revoked_credential_uid in (select credential_uid from touched) and outcome = 'success'
    group by revoked_credential_uid
),

-- The program that asked for a session goes on with it, or its own subject does: then it was at home where it asked. A key
-- that lasts is made by one and used by another.
asked_for_itself as (
    select issued.credential_uid
    from issued
    left join homes on homes.credential_uid = issued.credential_uid
    where issued.issues_session
        and issued.voice is distinct from 'reported'
        and issued.network is not null and network_kind(issued.network) <> 'private'
        and (issued.holder_uid = issued.actor_uid or issued.program = homes.program)
),

known as (
    select credential_uid from issued
    union
    select credential_uid from used
    union
    select credential_uid from revoked
)

select
    'credential:' || known.credential_uid as credential_id,
    known.credential_uid,
    case
        when issued.issues_session or issued.expires_at is not null or issued.role_arn is not null then 'session'
        -- Its log calls it a session or says when it began, or its id says which it is.
        when used.is_session or id_of.says = 'session' then 'session'
        when used.session_created_at is not null and id_of.says is null then 'session'
        else 'static'
    end as credential_kind,
    issued.event_id as issued_event_id,
    issued.event_at as issued_at,
    issued.actor_uid as issued_by_uid,
    issued.issuer_credential_uid,
    -- Who signs in holds the session; of a key made for somebody else only its use says whose it is.
    coalesce(case when issued.issues_session then issued.holder_uid end, used.actor_uid, issued.holder_uid) as holder_uid,
    coalesce(issued.role_arn, used.role_arn) as role_arn,
    coalesce(issued.session_name, used.session_name) as session_name,
    issued.sign_in,
    issued.role_pattern,
    coalesce(used.session_created_at, case when issued.sign_in is not null then issued.session_created_at end) as session_created_at,
    issued.expires_at,
    revoked.revoked_at,
    revoked.revoked_event_id,
    used.first_used_at,
    used.last_used_at,
    coalesce(used.n_uses, 0) as n_uses,
    issued.src_ip as issue_ip,
    issued.network as issue_network,
    case when asked_for_itself.credential_uid is not null then issued.network else homes.network end as home_network,
    homes.workload_uid as home_workload_uid,
    homes.program as home_program,
    case when asked_for_itself.credential_uid is not null then issued.event_at else homes.nth.at end as home_at,
    case when asked_for_itself.credential_uid is not null then issued.event_id else homes.nth.id end as home_event_id,
    coalesce(used.account_uid, issued.account_uid) as account_uid,
    coalesce(issued.log, used.log, 'unknown') as log,
    coalesce(issued.voice, used.voice, revoked.voice) as voice
from known
left join issued on issued.credential_uid = known.credential_uid
left join used on used.credential_uid = known.credential_uid
left join homes on homes.credential_uid = known.credential_uid
left join asked_for_itself on asked_for_itself.credential_uid = known.credential_uid
left join revoked on revoked.credential_uid = known.credential_uid
left join vendor_prefixes as id_of
    on id_of.names = 'credential' and id_of.says in ('session', 'static') and starts_with(known.credential_uid, id_of.prefix)
