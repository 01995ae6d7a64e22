-- grain: one row per identity
-- build: full
-- why: who answers for an identity, for what it is there, when somebody last looked, until when it may be, and whether it lives

with aliases as (
    select alias_uid, max_by(identity_id, {'until': valid_until, 'from': valid_from}) as identity_id
    from int_identities__resolved
    group by alias_uid
),

facts_said as (
    select coalesce(aliases.identity_id, facts.identity) as identity_id, facts.said_in, min(facts.owner) as owner, min(facts.purpose) as purpose, max(facts.reviewed_at) as reviewed_at, min(facts.expires_at) as expires_at
    from identity_facts as facts
    left join aliases on aliases.alias_uid = facts.identity
    group by coalesce(aliases.identity_id, facts.identity), facts.said_in
),

-- An identity that could write its own tag has not said who answers for it; nor has one that nobody knows.
by_others as (
    select coalesce(of_alias.identity_id, words.of_uid) as identity_id, words.*
    from stg_lifecycle_words as words
    left join aliases as of_alias on of_alias.alias_uid = words.of_uid
    left join aliases as actor on actor.alias_uid = words.actor_uid
    where words.field in ('owner', 'team', 'purpose', 'reviewed_at', 'expires_at') and words.actor_uid is not null
        and coalesce(actor.identity_id, words.actor_uid) <> coalesce(of_alias.identity_id, words.of_uid)
),

last_tags as (
    select identity_id, field, max_by({'value': value}, {'at': event_at, 'id': event_id, 'no': word_no}).value as value
    from by_others
    group by identity_id, field
),

tags as (
    select
        identity_id,
        coalesce(min(value) filter (where field = 'owner'), min(value) filter (where field = 'team')) as owner,
        min(value) filter (where field = 'purpose') as purpose,
        try_cast(min(value) filter (where field = 'reviewed_at') as timestamptz) as reviewed_at,
        try_cast(min(value) filter (where field = 'expires_at') as timestamptz) as expires_at
    from last_tags
    group by identity_id
),

-- Who asked for its newest approval knows of it, which is less than to answer for it.
asked as (
    select subjects.identity_id, max_by(approvals_of.requested_by, {'at': approvals_of.granted_at, 'id': approvals_of.approval_id}) as owner
    from int_approvals__subjects as subjects
    join stg_approvals as approvals_of on approvals_of.approval_id = subjects.approval_id
    left join aliases on aliases.alias_uid = approvals_of.requested_by
    where approvals_of.is_granted and approvals_of.origin = 'ticket' and not subjects.is_asker and approvals_of.requested_by is not null
        and coalesce(aliases.identity_id, approvals_of.requested_by) <> subjects.identity_id
    group by subjects.identity_id
),

everyone as (
    select identity_id from identities
    union
    select identity_id from facts_said
),

owned as (
    select
        everyone.identity_id,
        coalesce(configured.owner, registered.owner, tags.owner, asked.owner) as owner,
        case
            when configured.owner is not null then 'configuration'
            when registered.owner is not null then 'register'
            when tags.owner is not null then 'tag'
            when asked.owner is not null then 'approval'
        end as owner_from,
        coalesce(configured.purpose, registered.purpose, tags.purpose) as purpose,
        coalesce(configured.reviewed_at, registered.reviewed_at, tags.reviewed_at) as reviewed_at,
        coalesce(configured.expires_at, registered.expires_at, tags.expires_at) as expires_at
    from everyone
    left join facts_said as configured on configured.identity_id = everyone.identity_id and configured.said_in = 'configuration'
    left join facts_said as registered on registered.identity_id = everyone.identity_id and registered.said_in = 'register'
    left join tags on tags.identity_id = everyone.identity_id
    left join asked on asked.identity_id = everyone.identity_id
),

awake as (
    select
        identity_id,
        min(first_at) as first_act_at,
        max(last_at) as last_act_at,
        min_by(first_event_id, {'at': first_at, 'id': first_event_id}) as first_event_id,
        min_by(actor_uid, {'at': first_at, 'id': first_event_id}) as actor_uid,
        bool_or(is_privileged) as has_acted_privileged
    from int_identities__hours
    group by identity_id
),

holds_power as (
    select distinct identity_id
    from entitlements
    where layer = 'granted' and effect = 'allow' and power in ('admin', 'permissions') and valid_until is null and not is_reported
),

longest as (select identity_id, length from int_pauses where is_longest),

woken as (
    select identity_id, max(woke_at) as woke_at, max_by(event_id, woke_at) as event_id, max_by(actor_uid, woke_at) as actor_uid, max_by(paused_from, woke_at) as paused_from
    from int_pauses
    where is_certain
    group by identity_id
),

static_keys as (
    select
        coalesce(aliases.identity_id, stg_credentials.holder_uid) as identity_id,
        count(*) filter (where stg_credentials.revoked_at is null) as n_static_keys,
        min(coalesce(stg_credentials.issued_at, stg_credentials.first_used_at)) filter (where stg_credentials.revoked_at is null) as oldest_key_at
    from stg_credentials
    left join aliases on aliases.alias_uid = stg_credentials.holder_uid
    where stg_credentials.credential_kind = 'static' and stg_credentials.holder_uid is not null and stg_credentials.voice is distinct from 'reported'
    group by coalesce(aliases.identity_id, stg_credentials.holder_uid)
)

select
    owned.identity_id,
    identities.is_nonhuman,
    identities.kind_evidence,
    owned.owner,
    owned.owner_from,
    owners.is_gone as is_owner_gone,
    owners.gone_at as owner_gone_at,
    owners.event_id as owner_gone_event_id,
    owned.purpose,
    owned.reviewed_at,
    owned.expires_at,
    awake.first_act_at as first_seen_at,
    awake.last_act_at as last_seen_at,
    awake.first_event_id,
    awake.actor_uid,
    longest.length as longest_pause,
    woken.paused_from,
    woken.woke_at,
    woken.event_id as woke_event_id,
    woken.actor_uid as woke_actor_uid,
    coalesce(static_keys.n_static_keys, 0) as n_static_keys,
    static_keys.oldest_key_at,
    coalesce(awake.has_acted_privileged, false) or holds_power.identity_id is not null as is_privileged
from owned
left join identities on identities.identity_id = owned.identity_id
left join int_owners as owners on owners.name = owned.owner
left join awake on awake.identity_id = owned.identity_id
left join holds_power on holds_power.identity_id = owned.identity_id
left join longest on longest.identity_id = owned.identity_id
left join woken on woken.identity_id = owned.identity_id
left join static_keys on static_keys.identity_id = owned.identity_id
