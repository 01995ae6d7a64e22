-- grain: one row per subject a log names (actor_uid) and validity of its alias
-- build: full
-- why: only a declaration makes two names one identity; a name without one is an identity of its own

with named as (
    select actor_uid as alias_uid from events where actor_uid is not null
    union
    select subject_uid from stg_approvals where subject_uid is not null
    union
    select credential_uid from stg_credentials where credential_kind = 'static'
    union
    select key_value from stg_keys where key_kind = 'federated_subject'
)

select
    alias_uid,
    identity_id,
    coalesce(valid_from, '0001-01-01 00:00:00+00'::timestamptz) as valid_from,
    coalesce(valid_until, '9999-12-31 00:00:00+00'::timestamptz) as valid_until
from identity_aliases
union all
select
    named.alias_uid,
    named.alias_uid as identity_id,
    '0001-01-01 00:00:00+00'::timestamptz as valid_from,
    '9999-12-31 00:00:00+00'::timestamptz as valid_until
from named
left join identity_aliases on identity_aliases.alias_uid = named.alias_uid
where identity_aliases.alias_uid is null
