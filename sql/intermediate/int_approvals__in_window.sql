-- grain: one row per credential or issuing activity, and approval whose subject, role and window fit it
-- build: full
-- why: the last resort, where no id travels: it names a candidate and is never proof

with windows as (
    select
        stg_approvals.approval_id,
        stg_approvals.roles,
        stg_approvals.valid_from,
        coalesce(stg_approvals.ends_at, '9999-12-31 00:00:00+00'::timestamptz) as ends_at,
        coalesce(resolved.identity_id, stg_approvals.subject_uid) as identity_id
    from stg_approvals
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_approvals.subject_uid
        and resolved.valid_from <= stg_approvals.event_at and resolved.valid_until > stg_approvals.event_at
    where stg_approvals.is_granted and stg_approvals.origin = 'ticket' and stg_approvals.subject_uid is not null
),

-- Whoever asked for the credential, whoever it makes its holder, and the web identity behind it may be the subject.
subjects as (
    select credential_id, credential_uid, role_arn, holder_uid as alias_uid, coalesce(issued_at, first_used_at) as from_at, coalesce(issued_at, last_used_at) as until_at
    from stg_credentials
    union
    select credential_id, credential_uid, role_arn, issued_by_uid, coalesce(issued_at, first_used_at), coalesce(issued_at, last_used_at)
    from stg_credentials
    where issued_by_uid is not null
    union
    select
        stg_credentials.credential_id, stg_credentials.credential_uid, stg_credentials.role_arn, stg_keys.key_value,
        stg_credentials.issued_at, stg_credentials.issued_at
    from stg_credentials
    join stg_keys on stg_keys.event_id = stg_credentials.issued_event_id and stg_keys.key_kind = 'federated_subject'
),

-- Who was given a credential without showing one (a web identity) stands in this window by the issuing event itself.
issuing as (
    select stg_activities.activity_id as node_id, subjects.role_arn, subjects.alias_uid, subjects.from_at, subjects.until_at
    from subjects
    join stg_activities on stg_activities.issued_credential_uid = subjects.credential_uid
),

carriers as (
    select credential_id as node_id, role_arn, alias_uid, from_at, until_at from subjects
    union
    select node_id, role_arn, alias_uid, from_at, until_at from issuing
),

identified as (
    select distinct carriers.node_id, carriers.role_arn, carriers.from_at, carriers.until_at, resolved.identity_id
    from carriers
    join int_identities__resolved as resolved
        on resolved.alias_uid = carriers.alias_uid
        and resolved.valid_from <= carriers.from_at and resolved.valid_until > carriers.from_at
)

select distinct
    identified.node_id,
    windows.approval_id,
    identified.identity_id as key_value
from identified
join windows on windows.identity_id = identified.identity_id
left join int_approvals__roles as approved_roles
    on approved_roles.approval_id = windows.approval_id and approved_roles.role_arn = identified.role_arn
cross join run_context
where identified.until_at >= windows.valid_from - run_context.clock_tolerance
    and identified.from_at <= windows.ends_at + run_context.clock_tolerance
    and (identified.role_arn is null or array_length(windows.roles) = 0 or approved_roles.role_arn is not null)
