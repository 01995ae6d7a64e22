-- grain: one row per record and thing that it changes of who may do what, under one name for each holder, group and role
-- build: by_key event_id
-- why: calls name a user or role without its path and acts with it; what it holds and does has to be of one identity
-- units: select event_id from stg_grants
-- dirty: select event_id from delta_stg_grants
-- dirty: select given.event_id from (
--     select distinct regexp_replace(names.name, identity_names.name_pattern, '\1\2') as name
--     from (select holder_uid as name from delta_stg_grants union select held_uid from delta_stg_grants) as names
--     join identity_names on identity_names.says = 'has_path' and names.name like identity_names.name_like escape '\' and regexp_matches(names.name, identity_names.name_pattern)
--   ) as told
--   join (select event_id, holder_uid as name from stg_grants union all select event_id, held_uid from stg_grants) as given on given.name = told.name
-- dirty: select given.event_id from (
--     select distinct regexp_replace(names.name, identity_names.name_pattern, '\1\2') as name
--     from (select alias_uid as name from delta_int_identities__resolved) as names
--     join identity_names on identity_names.says = 'has_path' and names.name like identity_names.name_like escape '\' and regexp_matches(names.name, identity_names.name_pattern)
--   ) as told
--   join (select event_id, holder_uid as name from stg_grants union all select event_id, held_uid from stg_grants) as given on given.name = told.name
-- only: int_identities__resolved(alias_uid)

with names as (
    select holder_uid as name from stg_grants
    union
    select held_uid from stg_grants
    union
    select alias_uid from int_identities__resolved
),

-- Such a name is unique in its account at a time; of several with a path none is meant for sure.
full_names as (
    select
        regexp_replace(names.name, identity_names.name_pattern, '\1\2') as plain_name,
        min(names.name) as full_name
    from names
    join identity_names on identity_names.says = 'has_path' and names.name like identity_names.name_like escape '\' and regexp_matches(names.name, identity_names.name_pattern)
    group by plain_name
    having count(*) = 1
)

select
    stg_grants.event_id,
    stg_grants.grant_no,
    stg_grants.event_at,
    stg_grants.event_hour,
    stg_grants.ingested_at,
    stg_grants.log,
    stg_grants.voice,
    stg_grants.actor_uid,
    stg_grants.account_uid,
    stg_grants.is_snapshot,
    stg_grants.batch_id,
    stg_grants.is_lower_bound,
    stg_grants.op,
    stg_grants.relation,
    coalesce(holders.full_name, stg_grants.holder_uid) as holder_uid,
    coalesce(held.full_name, stg_grants.held_uid) as held_uid,
    stg_grants.scope_uid,
    stg_grants.binding_uid,
    stg_grants.of_account_uid,
    stg_grants.among,
    stg_grants.condition,
    stg_grants.expires_at,
    stg_grants.document_kind,
    stg_grants.version,
    stg_grants.is_in_force,
    stg_grants.statements
from stg_grants
left join full_names as holders on holders.plain_name = stg_grants.holder_uid
left join full_names as held on held.plain_name = stg_grants.held_uid
-- A name that is its own group after all is no edge; a word that leaves both out speaks of all.
where stg_grants.event_id in (select id from touched_ids)
    and (
        stg_grants.relation <> 'member' or stg_grants.holder_uid is null or stg_grants.held_uid is null
        or coalesce(holders.full_name, stg_grants.holder_uid) is distinct from coalesce(held.full_name, stg_grants.held_uid)
    )
