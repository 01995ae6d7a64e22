-- grain: one row per credential, issuing activity or activity that shows no credential, and approval whose subject, role and window fit it
-- build: full
-- why: the last resort, where no id travels: it names a candidate and is never proof

with windows as (
    select
        stg_approvals.approval_id,
        stg_approvals.roles,
        stg_approvals.actions,
        stg_approvals.valid_from,
        coalesce(stg_approvals.ends_at, '9999-12-31 00:00:00+00'::timestamptz) as ends_at,
        coalesce(resolved.identity_id, stg_approvals.subject_uid) as identity_id
    from stg_approvals
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_approvals.subject_uid
        and holds_at(stg_approvals.event_at, resolved.valid_from, resolved.valid_until)
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

-- Many logs never show a credential, and some show that of whoever acted as somebody else; there the actor alone says
-- who stands in the window.
bare as (
    select activity_id as node_id, role_arn, actor_uid as alias_uid, event_at as from_at, event_at as until_at, action
    from stg_activities
    where (credential_uid is null or credential_holder is not null) and issued_credential_uid is null and actor_uid is not null
),

carriers as (
    select credential_id as node_id, role_arn, alias_uid, from_at, until_at, null::varchar as action from subjects
    union
    select node_id, role_arn, alias_uid, from_at, until_at, null::varchar from issuing
    union
    select node_id, role_arn, alias_uid, from_at, until_at, action from bare
),

identified as (
    select distinct
        carriers.node_id, carriers.role_arn, carriers.from_at, carriers.until_at, carriers.action, resolved.identity_id
    from carriers
    join int_identities__resolved as resolved
        on resolved.alias_uid = carriers.alias_uid
        and holds_at(carriers.from_at, resolved.valid_from, resolved.valid_until)
),

-- A credential may serve many acts, but one act that the approval does not list is none of the approved.
patterns as (
    select approval_id, identity_id, unnest(actions) as pattern
    from windows
),

listed as (
    select approval_id, identity_id, as_like(pattern) as pattern_like
    from patterns
),

acted as (select distinct identity_id, action from identified where action is not null),

approved_actions as (
    select distinct listed.approval_id, acted.action
    from acted
    join listed on listed.identity_id = acted.identity_id and acted.action ilike listed.pattern_like escape '\'
)

select distinct
    identified.node_id,
    windows.approval_id,
    identified.identity_id as key_value
from identified
join windows on windows.identity_id = identified.identity_id
left join int_approvals__roles as approved_roles
    on approved_roles.approval_id = windows.approval_id and approved_roles.role_arn = identified.role_arn
left join approved_actions
    on approved_actions.approval_id = windows.approval_id and approved_actions.action = identified.action
cross join run_context
where identified.until_at >= windows.valid_from - run_context.clock_tolerance
    and identified.from_at <= windows.ends_at + run_context.clock_tolerance
    and (identified.role_arn is null or array_length(windows.roles) = 0 or approved_roles.role_arn is not null)
    and (identified.action is null or array_length(windows.actions) = 0 or approved_actions.action is not null)
