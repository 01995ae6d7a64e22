-- grain: one row per credential or activity, and credential that its holder may have shown
-- build: full
-- why: some logs say whom a caller appeared as and not with which token; the tokens alive then that let one appear so are candidates, never proof

with bearers as (
    select distinct
        stg_keys.key_value,
        stg_credentials.credential_id,
        stg_credentials.issued_at,
        least(stg_credentials.expires_at, stg_credentials.revoked_at) as ends_at
    from stg_keys
    join stg_activities on stg_activities.event_id = stg_keys.event_id
    join stg_credentials on stg_credentials.credential_uid = stg_activities.issued_credential_uid
    where stg_keys.key_kind = 'bearer' and stg_keys.role = 'names' and stg_activities.outcome = 'success'
    union
    -- A session of a role appears in another cloud by its role and its name.
    select
        role_arn || '/' || session_name,
        credential_id,
        issued_at,
        least(expires_at, revoked_at)
    from stg_credentials
    where issued_at is not null and role_arn is not null and session_name is not null and sign_in is null
),

-- The subject of a web identity was shown in a token of its own, whose id the cloud that took it does not log.
shown as (
    select
        stg_activities.activity_id, stg_activities.issued_credential_uid, stg_activities.event_at,
        stg_keys.key_kind, stg_keys.key_value
    from stg_keys
    join stg_activities on stg_activities.event_id = stg_keys.event_id
    where (stg_activities.credential_uid is null and stg_keys.key_kind = 'bearer' and stg_keys.role = 'uses')
        -- Who fetches a credential for somebody else, as a node does for a pod, shows both its own and the other's.
        or (
            (stg_activities.credential_uid is null or stg_activities.issued_credential_uid is not null)
            and stg_keys.key_kind = 'federated_subject' and stg_keys.role = 'carries'
        )
),

bearers_compared as (
    select bearers.* exclude (key_value), coalesce(spelled.compared_as, bearers.key_value) as compared_as
    from bearers
    left join int_names__compared as spelled on spelled.name = bearers.key_value
),

nodes as (
    select activity_id as node_id, event_at, key_kind, key_value from shown
    union
    select 'credential:' || issued_credential_uid, event_at, key_kind, key_value
    from shown
    where issued_credential_uid is not null
),

fitting as (
    select distinct nodes.node_id, bearers_compared.credential_id, nodes.key_kind, nodes.key_value
    from nodes
    left join int_names__compared as spelled on spelled.name = nodes.key_value
    join bearers_compared on bearers_compared.compared_as = coalesce(spelled.compared_as, nodes.key_value)
    cross join run_context
    where nodes.node_id <> bearers_compared.credential_id
        and is_within(nodes.event_at, bearers_compared.issued_at, bearers_compared.ends_at, run_context.clock_tolerance)
),

by_bearer as (select distinct node_id from fitting where key_kind = 'bearer')

-- Whom a caller appeared as says more than whom somebody vouched for at the beginning: a token that was exchanged for another is behind it.
select fitting.*
from fitting
left join by_bearer on by_bearer.node_id = fitting.node_id
where fitting.key_kind = 'bearer' or by_bearer.node_id is null
