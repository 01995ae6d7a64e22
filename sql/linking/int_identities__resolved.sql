-- grain: one row per subject a log names (actor_uid) and validity of its alias
-- build: full
-- why: only a declaration makes two names one identity; a name without one is an identity of its own, however its system lets one spell it

with named as (
    select actor_uid as alias_uid from events where actor_uid is not null
    union
    select subject_uid from stg_approvals where subject_uid is not null
    union
    select credential_uid from stg_credentials where credential_kind = 'static'
    union
    select key_value from stg_keys where key_kind = 'federated_subject'
    union
    select name from int_names__compared
),

undeclared as (
    select named.alias_uid, coalesce(spelled.compared_as, named.alias_uid) as compared_as
    from named
    left join int_names__compared as spelled on spelled.name = named.alias_uid
    left join identity_aliases on identity_aliases.alias_uid = named.alias_uid
    where identity_aliases.alias_uid is null
),

-- A declared name means its identity in every spelling; the configuration refuses two that are one name.
declared as (
    select
        coalesce(spelled.compared_as, identity_aliases.alias_uid) as compared_as,
        identity_aliases.valid_from,
        min(identity_aliases.identity_id) as identity_id,
        min(identity_aliases.valid_until) as valid_until
    from identity_aliases
    left join int_names__compared as spelled on spelled.name = identity_aliases.alias_uid
    group by coalesce(spelled.compared_as, identity_aliases.alias_uid), identity_aliases.valid_from
),

resolved as (
    select alias_uid, identity_id, valid_from, valid_until
    from identity_aliases
    union all
    select undeclared.alias_uid, coalesce(declared.identity_id, undeclared.compared_as), declared.valid_from, declared.valid_until
    from undeclared
    left join declared on declared.compared_as = undeclared.compared_as
)

select
    alias_uid,
    identity_id,
    coalesce(valid_from, '0001-01-01 00:00:00+00'::timestamptz) as valid_from,
    coalesce(valid_until, '9999-12-31 00:00:00+00'::timestamptz) as valid_until
from resolved
