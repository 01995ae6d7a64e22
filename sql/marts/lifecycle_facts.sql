-- grain: one row per fact of the life of an identity or credential that somebody should know
-- build: full
-- why: nobody answers for it, its time is over, it was forgotten, its key lasts too long, is shared or acts after its end; each once, with the event that shows it

-- That no owner stands anywhere means something only where owners are kept: in a register, which is of all, or in the
-- configuration, of those that it declares.
with kept as (
    select
        count(*) filter (where said_in = 'register' and owner is not null) > 0 as is_in_register,
        count(*) filter (where said_in = 'configuration' and owner is not null) > 0 as is_in_configuration
    from identity_facts
),

machines as (
    select * from lifecycles where is_nonhuman and kind_evidence is distinct from 'provider''s own' and first_event_id is not null
),

no_owner as (
    select
        'no_owner' as fact, machines.identity_id, machines.identity_id as subject_uid, machines.actor_uid, null::varchar as credential_uid,
        machines.first_seen_at as first_at, machines.first_event_id as event_id, machines.is_privileged, null::varchar as named, null::timestamptz as since_at,
        kept.is_in_register or (kept.is_in_configuration and machines.kind_evidence is not distinct from 'declared') as is_certain,
        [machines.first_event_id] as event_ids
    from machines
    cross join kept
    where machines.owner is null
),

owner_gone as (
    select
        'owner_gone' as fact, identity_id, identity_id as subject_uid, actor_uid, null::varchar as credential_uid, owner_gone_at as first_at, owner_gone_event_id as event_id,
        is_privileged, owner as named, owner_gone_at as since_at, owner_from <> 'approval' as is_certain, [owner_gone_event_id] as event_ids
    from machines
    where is_owner_gone
),

acts_after_expiry as (
    select
        lifecycles.identity_id,
        min({'at': acts.event_at, 'id': acts.event_id, 'actor': acts.actor_uid}) as used
    from lifecycles
    cross join run_context
    join int_identities__resolved as resolved on resolved.identity_id = lifecycles.identity_id
    join stg_activities as acts on acts.actor_uid = resolved.alias_uid and holds_at(acts.event_at, resolved.valid_from, resolved.valid_until)
    anti join int_copies on int_copies.child_event_id = acts.event_id
    where lifecycles.expires_at is not null and lifecycles.last_seen_at > lifecycles.expires_at
        and acts.event_at > lifecycles.expires_at + run_context.clock_tolerance
        and acts.outcome = 'success' and acts.voice is distinct from 'reported' and not is_from_future(acts.event_at, run_context.future_from)
    group by lifecycles.identity_id
),

expired as (
    select
        'expired_and_acts' as fact, lifecycles.identity_id, lifecycles.identity_id as subject_uid, acts_after_expiry.used.actor as actor_uid, null::varchar as credential_uid,
        acts_after_expiry.used.at as first_at, acts_after_expiry.used.id as event_id, lifecycles.is_privileged, null::varchar as named, lifecycles.expires_at as since_at,
        true as is_certain, [acts_after_expiry.used.id] as event_ids
    from acts_after_expiry
    join lifecycles on lifecycles.identity_id = acts_after_expiry.identity_id
),

-- A person comes back from leave.
woken as (
    select
        'woke_after_pause' as fact, pauses.identity_id, pauses.identity_id as subject_uid, pauses.actor_uid, null::varchar as credential_uid, pauses.woke_at as first_at,
        pauses.event_id, lifecycles.is_privileged, null::varchar as named, pauses.paused_from as since_at, pauses.is_certain, [pauses.event_id] as event_ids
    from int_pauses as pauses
    join lifecycles on lifecycles.identity_id = pauses.identity_id
    where pauses.is_dormant and lifecycles.is_nonhuman is distinct from false and lifecycles.kind_evidence is distinct from 'provider''s own'
    qualify row_number() over (partition by pauses.identity_id order by pauses.is_certain desc, pauses.woke_at desc) = 1
),

of_keys as (
    select
        keys.fact, keys.identity_id, keys.credential_uid as subject_uid, keys.actor_uid, keys.credential_uid, keys.first_at, keys.event_id, keys.is_privileged,
        keys.named, keys.since_at,
        -- A person carries a key from place to place.
        keys.is_certain and not (keys.fact = 'shared_credential' and coalesce(not lifecycles.is_nonhuman, false)) as is_certain,
        keys.event_ids
    from int_lifecycle__keys as keys
    left join lifecycles on lifecycles.identity_id = keys.identity_id
),

as_machines as (
    select
        'person_as_machine' as fact, identity_id, role_arn as subject_uid, actor_uid, null::varchar as credential_uid, first_at, event_id, false as is_privileged,
        role_arn as named, first_at as since_at, is_certain, event_ids
    from int_lifecycle__people
),

from_secrets as (
    select
        'secret_then_used' as fact, identity_id, secret_uid as subject_uid, actor_uid, credential_uid, first_at, event_id, false as is_privileged,
        secret_uid as named, read_at as since_at, is_certain, event_ids
    from int_lifecycle__secrets
),

all_facts as (
    select * from no_owner
    union all
    select * from owner_gone
    union all
    select * from expired
    union all
    select * from woken
    union all
    select * from of_keys
    union all
    select * from as_machines
    union all
    select * from from_secrets
)

select
    'lf_' || substr(sha256(fact || chr(31) || identity_id || chr(31) || subject_uid || chr(31) || coalesce(actor_uid, '') || chr(31) || coalesce(credential_uid, '')), 1, 20) as fact_id,
    fact,
    identity_id,
    subject_uid,
    actor_uid,
    credential_uid,
    case fact
        when 'no_owner' then if(is_privileged, 'low', 'informational')
        when 'woke_after_pause' then if(is_privileged, 'medium', 'low')
        when 'never_rotated' then 'low'
        when 'used_after_revocation' then 'high'
        else 'medium'
    end as severity,
    first_at,
    since_at,
    event_id,
    coalesce(is_privileged, false) as is_privileged,
    coalesce(is_certain, false) as is_certain,
    case fact
        when 'no_owner' then 'nobody answers for ' || identity_id || ', which acts since ' || strftime(first_at, '%Y-%m-%d')
        when 'owner_gone' then named || ', who answers for ' || identity_id || ', is gone since ' || strftime(since_at, '%Y-%m-%d %H:%M')
        when 'expired_and_acts' then identity_id || ' was to end on ' || strftime(since_at, '%Y-%m-%d') || ' and acts after that'
        when 'woke_after_pause' then identity_id || ' acts again after ' || datediff('day', since_at, first_at) || ' days without an act'
        when 'long_lived_credential' then credential_uid || ' of ' || identity_id || ' does not end by itself, although such an identity is to have credentials that do'
        when 'never_rotated' then credential_uid || ' of ' || identity_id || ' is used more than 90 days after ' || strftime(since_at, '%Y-%m-%d')
        when 'shared_credential' then credential_uid || ' of ' || identity_id || if(named = 'network', ' is used from several networks', ' is used in several workloads')
        when 'used_after_revocation' then credential_uid || ' of ' || identity_id || ' is used after ' || coalesce(named, 'somebody') || ' revoked it on ' || strftime(since_at, '%Y-%m-%d %H:%M')
        when 'person_as_machine' then actor_uid || ', a person, acts as ' || named || ' of the machine ' || identity_id || ', which no approval allows'
        when 'secret_then_used' then actor_uid || ' read ' || named || ' for the first time on ' || strftime(since_at, '%Y-%m-%d %H:%M') || ', and ' || credential_uid || ' from it is used then'
    end as sentence,
    event_ids as evidence_event_ids
from all_facts
where first_at is not null
