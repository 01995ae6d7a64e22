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
        events.credential_uid,
        events.voice is distinct from 'reported' as is_recorded
    from events
    left join int_identities__resolved as resolved
        on resolved.alias_uid = events.actor_uid
        and holds_at(events.event_at, resolved.valid_from, resolved.valid_until)
    where events.actor_uid is not null
),

observed as (
    select
        identity_id,
        -- The plainest word of the logs that it cannot write to, in this order; its own word only where they have none.
        case
            when bool_or(actor_kind = 'human' and is_recorded) then 'human'
            when bool_or(actor_kind = 'agent' and is_recorded) then 'agent'
            when bool_or(actor_kind = 'workload' and is_recorded) then 'workload'
            when bool_or(actor_kind = 'role' and is_recorded) then 'role'
            when bool_or(actor_kind = 'service' and is_recorded) then 'service'
        end as recorded_kind,
        case
            when bool_or(actor_kind = 'agent') then 'agent'
            when bool_or(actor_kind = 'workload') then 'workload'
            when bool_or(actor_kind = 'role') then 'role'
            when bool_or(actor_kind = 'service') then 'service'
            -- Whom a recorded log knows does not become a person by saying so.
            when bool_or(actor_kind = 'human') and not bool_or(is_recorded) then 'human'
        end as reported_kind,
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

-- Services that only a provider can be; a name that anybody may choose in another log counts only where its kind fits.
provider_owned as (
    select distinct observed.identity_id
    from observed
    join provider_services on observed.identity_id ilike provider_services.actor_like escape '\'
    where coalesce(observed.recorded_kind, observed.reported_kind) = 'service'
    union
    select observed.identity_id
    from observed
    join identity_names
        on identity_names.says = 'provider' and identity_names.log is null and observed.identity_id like identity_names.name_like escape '\' and regexp_matches(observed.identity_id, identity_names.name_pattern)
    where observed.recorded_kind is distinct from 'human' and observed.reported_kind is distinct from 'human'
),

recorded_acts as (
    select
        coalesce(resolved.identity_id, stg_activities.actor_uid) as identity_id,
        stg_activities.is_providers_own,
        -- In a role the factor may be of whoever took it; of a sign-in and of a user's own session it is theirs.
        coalesce(
            stg_activities.has_mfa and stg_activities.outcome = 'success'
            and (stg_activities.issued_kind in ('console', 'portal') or stg_activities.actor_kind = 'human'),
            false
        ) as is_sign_in_with_mfa
    from stg_activities
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_activities.actor_uid
        and holds_at(stg_activities.event_at, resolved.valid_from, resolved.valid_until)
    where stg_activities.actor_uid is not null and stg_activities.voice is distinct from 'reported'
),

recorded_as as (
    select
        identity_id,
        bool_and(is_providers_own) as is_providers_own,
        bool_or(is_sign_in_with_mfa) as signs_in_with_mfa
    from recorded_acts
    group by identity_id
),

-- A service of the provider took the role, as it does for functions, instances and tasks.
taken_by_services as (
    select distinct coalesce(resolved.identity_id, stg_activities.issued_role_arn) as identity_id
    from stg_activities
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_activities.issued_role_arn
        and holds_at(stg_activities.event_at, resolved.valid_from, resolved.valid_until)
    where stg_activities.issued_role_arn is not null
        and stg_activities.is_providers_own
        and stg_activities.outcome = 'success'
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
    join identity_names
        on identity_names.says in ('person', 'no_service') and identity_names.log is null
        and everyone.identity_id like identity_names.name_like escape '\' and regexp_matches(everyone.identity_id, identity_names.name_pattern)
    group by everyone.identity_id
),

-- What decides it: the hardest to fake first.
decided as (
    select
        everyone.identity_id,
        case
            when declared.kind is not null then 'declared'
            when recorded_as.is_providers_own or provider_owned.identity_id is not null then 'provider''s own'
            when told_by_name.is_person then 'federated person'
            when taken_by_services.identity_id is not null then 'taken by a service'
            when recorded_as.signs_in_with_mfa then 'signs in with MFA'
            when observed.recorded_kind = 'human' and key_holders.identity_id is not null then 'signs in and uses keys'
            when observed.recorded_kind is not null then 'recorded'
            when observed.reported_kind is not null then 'reported'
        end as kind_evidence
    from everyone
    left join declared_identities as declared on declared.identity_id = everyone.identity_id
    left join observed on observed.identity_id = everyone.identity_id
    left join recorded_as on recorded_as.identity_id = everyone.identity_id
    left join provider_owned on provider_owned.identity_id = everyone.identity_id
    left join told_by_name on told_by_name.identity_id = everyone.identity_id
    left join taken_by_services on taken_by_services.identity_id = everyone.identity_id
    left join key_holders on key_holders.identity_id = everyone.identity_id
),

kinds as (
    select
        decided.identity_id,
        decided.kind_evidence,
        case decided.kind_evidence
            when 'declared' then declared.kind
            when 'federated person' then 'human'
            when 'signs in with MFA' then 'human'
            when 'taken by a service' then coalesce(nullif(observed.recorded_kind, 'human'), 'role')
            when 'signs in and uses keys' then 'unknown'
            when 'provider''s own' then coalesce(observed.recorded_kind, observed.reported_kind)
            -- For whom a service of the provider acted is none itself.
            else case
                when told_by_name.is_no_service and coalesce(observed.recorded_kind, observed.reported_kind) = 'service' then 'unknown'
                else coalesce(observed.recorded_kind, observed.reported_kind, 'unknown')
            end
        end as identity_kind
    from decided
    left join told_by_name on told_by_name.identity_id = decided.identity_id
    left join declared_identities as declared on declared.identity_id = decided.identity_id
    left join observed on observed.identity_id = decided.identity_id
)

select
    everyone.identity_id,
    kinds.identity_kind,
    kinds.kind_evidence,
    coalesce(declared.name, observed.name, everyone.identity_id) as name,
    declared.owner,
    coalesce(declared.risk_tier, 'medium') as risk_tier,
    -- The provider's own services act for somebody else and are not judged.
    case
        when kinds.kind_evidence = 'provider''s own' then null
        when kinds.identity_kind = 'unknown' and kinds.kind_evidence is distinct from 'declared' then null
        else kinds.identity_kind <> 'human'
    end as is_nonhuman,
    coalesce(names.aliases, []) as aliases,
    coalesce(observed.logs, []) as logs,
    observed.first_seen_at,
    observed.last_seen_at,
    coalesce(observed.n_events, 0) as n_events
from everyone
join kinds on kinds.identity_id = everyone.identity_id
left join declared_identities as declared on declared.identity_id = everyone.identity_id
left join observed on observed.identity_id = everyone.identity_id
left join names on names.identity_id = everyone.identity_id
