-- grain: one row per node that an approval may fit by its identity, identity behind it, role, time and action
-- build: by_key node_id
-- why: who asked for a credential, who holds it and who acted without showing one, and when: what the windows of approvals are held against
-- units: select credential_id from stg_credentials union all select node_id from int_credentials__by_day union all select activity_id from stg_activities
--     union all select approval_id from stg_approvals
-- dirty: select credential_id from delta_stg_credentials
-- dirty: select activity_id from delta_stg_credentials as issued join stg_activities on issued_credential_uid = issued.credential_uid
-- dirty: select node_id from delta_int_credentials__by_day
-- dirty: select unnest([activity_id, 'credential:' || issued_credential_uid]) from delta_stg_activities
-- dirty: select approval_id from delta_stg_approvals
-- A web identity: the credential that was issued for it, and the acts that issued that.
-- dirty: select credential_id from delta_stg_keys join stg_credentials on issued_event_id = event_id where key_kind = 'federated_subject'
-- dirty: select activity_id from delta_stg_keys as told join stg_credentials as issued on issued.issued_event_id = told.event_id
--     join stg_activities on issued_credential_uid = issued.credential_uid where told.key_kind = 'federated_subject'
-- dirty: select credential_id from delta_int_identities__resolved join stg_credentials on holder_uid = alias_uid
-- dirty: select credential_id from delta_int_identities__resolved join stg_credentials on issued_by_uid = alias_uid
-- dirty: select activity_id from delta_int_identities__resolved join stg_credentials as issued on issued.holder_uid = alias_uid join stg_activities on issued_credential_uid = issued.credential_uid
-- dirty: select activity_id from delta_int_identities__resolved join stg_credentials as issued on issued.issued_by_uid = alias_uid join stg_activities on issued_credential_uid = issued.credential_uid
-- dirty: select credential_id from delta_int_identities__resolved join stg_keys as told on told.key_kind = 'federated_subject' and told.key_value = alias_uid
--     join stg_credentials on issued_event_id = told.event_id
-- dirty: select activity_id from delta_int_identities__resolved join stg_keys as told on told.key_kind = 'federated_subject' and told.key_value = alias_uid
--     join stg_credentials as issued on issued.issued_event_id = told.event_id join stg_activities on issued_credential_uid = issued.credential_uid
-- dirty: select node_id from delta_int_identities__resolved join int_credentials__by_day on holder_uid = alias_uid
-- dirty: select activity_id from delta_int_identities__resolved join stg_activities on actor_uid = alias_uid
-- dirty: select approval_id from delta_int_identities__resolved join stg_approvals on subject_uid = alias_uid
-- only: stg_credentials(credential_id, credential_uid, credential_kind, role_arn, holder_uid, issued_by_uid, issued_at, issued_event_id, expires_at, first_used_at, last_used_at)
-- only: stg_approvals(approval_id, subject_uid, event_at, origin, status)

with looked_at as (
    select id as credential_id from touched_ids
    union
    select 'credential:' || issued_credential_uid
    from stg_activities
    where activity_id in (select id from touched_ids) and issued_credential_uid is not null
),

-- Whoever asked for the credential, whoever it makes its holder, and the web identity behind it may be the subject.
subjects as (
    select credential_id, credential_uid, role_arn, holder_uid as alias_uid, coalesce(issued_at, first_used_at) as from_at, coalesce(issued_at, last_used_at) as until_at
    from stg_credentials
    where (issued_at is not null or is_bounded_credential(credential_kind, issued_at, expires_at))
        and credential_id in (select credential_id from looked_at)
    union
    select credential_id, credential_uid, role_arn, issued_by_uid, coalesce(issued_at, first_used_at), coalesce(issued_at, last_used_at)
    from stg_credentials
    where issued_by_uid is not null and credential_id in (select credential_id from looked_at)
    union
    -- One without an end fits day by day.
    select node_id, null::varchar, role_arn, holder_uid, first_used_at, last_used_at
    from int_credentials__by_day
    where node_id in (select id from touched_ids)
    union
    select
        stg_credentials.credential_id, stg_credentials.credential_uid, stg_credentials.role_arn, stg_keys.key_value,
        stg_credentials.issued_at, stg_credentials.issued_at
    from stg_credentials
    join stg_keys on stg_keys.event_id = stg_credentials.issued_event_id and stg_keys.key_kind = 'federated_subject'
    where stg_credentials.credential_id in (select credential_id from looked_at)
),

-- Who was given a credential without showing one (a web identity) stands in this window by the issuing event itself.
issuing as (
    select stg_activities.activity_id as node_id, subjects.role_arn, subjects.alias_uid, subjects.from_at, subjects.until_at
    from subjects
    join stg_activities on stg_activities.issued_credential_uid = subjects.credential_uid
    where stg_activities.activity_id in (select id from touched_ids)
),

-- Many logs never show a credential, and some show that of whoever acted as somebody else; there the actor alone says
-- who stands in the window.
bare as (
    select activity_id as node_id, role_arn, actor_uid as alias_uid, event_at as from_at, event_at as until_at, action, canonical_action
    from stg_activities
    where (credential_uid is null or credential_holder is not null) and issued_credential_uid is null and actor_uid is not null
        and activity_id in (select id from touched_ids)
),

-- What a person may ask of an agent is what the agent may do.
requests as (
    select approval_id as node_id, subject_uid as alias_uid, event_at
    from stg_approvals
    where origin = 'human_request' and status = 'approved' and subject_uid is not null
        and approval_id in (select id from touched_ids)
),

carriers as (
    select credential_id as node_id, role_arn, alias_uid, from_at, until_at, null::varchar as action, null::varchar as canonical_action
    from subjects
    where credential_id in (select id from touched_ids)
    union
    select node_id, role_arn, alias_uid, from_at, until_at, null::varchar, null::varchar from issuing
    union
    select node_id, role_arn, alias_uid, from_at, until_at, action, canonical_action from bare
    union
    select node_id, null::varchar, alias_uid, event_at, event_at, null::varchar, null::varchar from requests
)

select distinct
    carriers.node_id, carriers.role_arn, carriers.from_at, carriers.until_at, carriers.action, carriers.canonical_action, resolved.identity_id
from carriers
join int_identities__resolved as resolved
    on resolved.alias_uid = carriers.alias_uid
    and holds_at(carriers.from_at, resolved.valid_from, resolved.valid_until)
