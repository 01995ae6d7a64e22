-- grain: one row per credential that was issued, or activity that issued it, and identity behind it
-- build: full
-- why: who takes a role may be somebody else than whom the role's approval names

with takers as (
    -- A provider's own service only passes a role on.
    select stg_credentials.credential_id, stg_credentials.credential_uid, stg_credentials.issued_by_uid as alias_uid, stg_credentials.issued_at
    from stg_credentials
    left join stg_activities as issuing on issuing.event_id = stg_credentials.issued_event_id
    where stg_credentials.issued_by_uid is not null and not coalesce(issuing.is_providers_own, false)
    union
    select stg_credentials.credential_id, stg_credentials.credential_uid, stg_keys.key_value, stg_credentials.issued_at
    from stg_credentials
    join stg_keys on stg_keys.event_id = stg_credentials.issued_event_id and stg_keys.key_kind = 'federated_subject'
),

known as (
    select takers.credential_id, takers.credential_uid, coalesce(resolved.identity_id, takers.alias_uid) as identity_id
    from takers
    left join int_identities__resolved as resolved
        on resolved.alias_uid = takers.alias_uid and holds_at(takers.issued_at, resolved.valid_from, resolved.valid_until)
)

select credential_id as node_id, identity_id
from known
union
select stg_activities.activity_id, known.identity_id
from known
join stg_activities on stg_activities.issued_credential_uid = known.credential_uid
