-- grain: one row per identity
-- build: full
-- why: who acts, who answers for it, and under which names the logs know it

with seen as (
    select
        coalesce(resolved.identity_id, events.actor_uid) as identity_id,
        events.actor_kind,
        events.actor_name,
        events.log,
        events.event_at,
        events.credential_uid
    from events
    left join int_identities__resolved as resolved
        on resolved.alias_uid = events.actor_uid
        and holds_at(events.event_at, resolved.valid_from, resolved.valid_until)
    where events.actor_uid is not null
),

observed as (
    select
        identity_id,
        -- The plainest word any log has for it, in this order.
        case
            when bool_or(actor_kind = 'human') then 'human'
            when bool_or(actor_kind = 'agent') then 'agent'
            when bool_or(actor_kind = 'workload') then 'workload'
            when bool_or(actor_kind = 'role') then 'role'
            when bool_or(actor_kind = 'service') then 'service'
            else 'unknown'
        end as observed_kind,
        min(actor_name) as name,
        list_sort(list(distinct log)) as logs,
        min(event_at) as first_seen_at,
        max(event_at) as last_seen_at,
        count(*) as n_events
    from seen
    group by identity_id
),

names as (
    select identity_id, list_sort(list(distinct alias_uid)) as aliases
    from int_identities__resolved
    group by identity_id
),

shown as (select distinct identity_id, credential_uid from seen),

key_holders as (
    select distinct shown.identity_id
    from shown
    join vendor_prefixes
        on vendor_prefixes.names = 'credential' and vendor_prefixes.says = 'static'
        and starts_with(shown.credential_uid, vendor_prefixes.prefix)
),

provider_owned as (
    select distinct observed.identity_id
    from observed
    join provider_services on observed.identity_id ilike provider_services.actor_like escape '\'
    where observed.observed_kind = 'service'
),

everyone as (
    select identity_id from observed
    union
    select identity_id from declared_identities
    union
    select identity_id from names
),

told_by_name as (
    select
        everyone.identity_id,
        bool_or(identity_names.says = 'person') as is_person,
        bool_or(identity_names.says = 'no_service') as is_no_service
    from everyone
    join identity_names on regexp_matches(everyone.identity_id, identity_names.name_pattern)
    group by everyone.identity_id
)

select
    everyone.identity_id,
    coalesce(declared.kind, observed.observed_kind, 'unknown') as identity_kind,
    coalesce(declared.name, observed.name, everyone.identity_id) as name,
    declared.owner,
    coalesce(declared.risk_tier, 'medium') as risk_tier,
    -- The provider's own services act for somebody else and are not judged; a person behind single sign-on is a person.
    case
        when declared.kind is not null then declared.kind <> 'human'
        when told_by_name.is_person then false
        when observed.observed_kind = 'human' then false
        when observed.observed_kind in ('agent', 'workload', 'role') then true
        when observed.observed_kind = 'service' and provider_owned.identity_id is null
            and not coalesce(told_by_name.is_no_service, false) then true
        when observed.observed_kind in ('unknown', 'service') and key_holders.identity_id is not null then true
    end as is_nonhuman,
    coalesce(names.aliases, []) as aliases,
    coalesce(observed.logs, []) as logs,
    observed.first_seen_at,
    observed.last_seen_at,
    coalesce(observed.n_events, 0) as n_events
from everyone
left join declared_identities as declared on declared.identity_id = everyone.identity_id
left join observed on observed.identity_id = everyone.identity_id
left join provider_owned on provider_owned.identity_id = everyone.identity_id
left join key_holders on key_holders.identity_id = everyone.identity_id
left join told_by_name on told_by_name.identity_id = everyone.identity_id
left join names on names.identity_id = everyone.identity_id
