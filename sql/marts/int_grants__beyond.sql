-- grain: one row per right that was granted while the logs were read and that no approval of its identity covers
-- build: by_key event_id
-- why: granted beyond approved, with what gives the right its weight and the approval that named its holder, group, role or policy before
-- units: select coalesce(event_id, '') from entitlements where layer = 'granted'
--   union select coalesce(event_id, '') from int_grants__limited
--   union select coalesce(event_id, '') from int_grants__released
-- dirty: select coalesce(event_id, '') from delta_entitlements
-- dirty: select end_event_id from delta_entitlements where starts_with(action_pattern, 'tool:')
-- dirty: select coalesce(held.event_id, '') from (select distinct holder_uid from delta_entitlements where layer = 'limit' or effect = 'deny') as told
--   join (select event_id, holder_uid, identity_id, path from entitlements where layer = 'granted' union all select event_id, holder_uid, identity_id, path from int_grants__limited union all select event_id, holder_uid, identity_id, path from int_grants__released) as held on held.holder_uid = told.holder_uid
-- dirty: select coalesce(event_id, '') from delta_int_grants__limited
-- dirty: select coalesce(event_id, '') from delta_int_grants__released
-- dirty: select coalesce(held.event_id, '') from (select identity_id from delta_identities group by identity_id, is_nonhuman, kind_evidence having count(*) = 1) as changed
--   join (select event_id, holder_uid, identity_id, path from entitlements where layer = 'granted' union all select event_id, holder_uid, identity_id, path from int_grants__limited union all select event_id, holder_uid, identity_id, path from int_grants__released) as held on held.identity_id = changed.identity_id
-- dirty: select coalesce(held.event_id, '') from (select distinct identity_id from delta_int_scopes__approved) as changed
--   join (select event_id, holder_uid, identity_id, path from entitlements where layer = 'granted' union all select event_id, holder_uid, identity_id, path from int_grants__limited union all select event_id, holder_uid, identity_id, path from int_grants__released) as held on held.identity_id = changed.identity_id
-- dirty: select held.event_id from (
--     select unnest(roles) as name from delta_stg_approvals union select role_arn from delta_stg_approvals join int_approvals__roles using (approval_id)
--   ) as named
--   join (
--     select distinct event_id, unnest([holder_uid] || path) as name
--     from (select distinct coalesce(event_id, '') as event_id, holder_uid, path from (select event_id, holder_uid, identity_id, path from entitlements where layer = 'granted' union all select event_id, holder_uid, identity_id, path from int_grants__limited union all select event_id, holder_uid, identity_id, path from int_grants__released) as rights) as ways
--   ) as held on held.name = named.name
-- dirty: select held.event_id from (select distinct role_arn as name from delta_int_approvals__roles) as named
--   join (
--     select distinct event_id, unnest([holder_uid] || path) as name
--     from (select distinct coalesce(event_id, '') as event_id, holder_uid, path from (select event_id, holder_uid, identity_id, path from entitlements where layer = 'granted' union all select event_id, holder_uid, identity_id, path from int_grants__limited union all select event_id, holder_uid, identity_id, path from int_grants__released) as rights) as ways
--   ) as held on held.name = named.name
-- dirty: select coalesce(held.event_id, '') from (select distinct identity_id from delta_int_approvals__subjects) as changed
--   join (select event_id, holder_uid, identity_id, path from entitlements where layer = 'granted' union all select event_id, holder_uid, identity_id, path from int_grants__limited union all select event_id, holder_uid, identity_id, path from int_grants__released) as held on held.identity_id = changed.identity_id
-- dirty: select coalesce(held.event_id, '') from (select distinct held_uid from delta_int_statements) as told
--   join entitlements as held on held.document_uid = told.held_uid and held.layer = 'granted'
-- only: identities(identity_id, is_nonhuman, kind_evidence)
-- only: int_scopes__approved(identity_id, action_pattern, resource_pattern, granted_at)
-- only: stg_approvals(approval_id, is_granted, origin, actions, resources, roles, tools, granted_at, ends_at, event_id)

-- What a boundary or a deny keeps from its holder was not given to it, and what their end lets through was given then.
with rights as (
    select *
    from entitlements
    where layer = 'granted' and coalesce(event_id, '') in (select id from touched_ids)
),

-- What limits those who hold them, and what they are denied, whichever events brought that about.
limits as (
    select *
    from entitlements
    where (layer = 'limit' or effect = 'deny') and not is_reported and holder_uid in (select holder_uid from rights)
),

limited as (
    select distinct holder_uid
    from limits
    where layer = 'limit' and effect in ('allow', 'unknown')
),

effective as (
    select
        rights.entitlement_id,
        rights.identity_id,
        rights.holder_uid,
        rights.action_pattern,
        rights.resource_pattern,
        rights.scope_uid,
        rights.path,
        rights.document_uid,
        rights.valid_from,
        rights.valid_until,
        rights.start_by,
        rights.event_id,
        rights.cause_actor_uid,
        rights.approval_uid,
        rights.is_conditional,
        rights.is_certain,
        rights.power
    from rights
    anti join limited on limited.holder_uid = rights.holder_uid
    where rights.effect = 'allow'
        -- Which tools there are only those tell who have them; and nobody invents what accuses himself.
        and (not rights.is_reported or starts_with(rights.action_pattern, 'tool:'))
    union all
    select
        entitlement_id, identity_id, holder_uid, action_pattern, resource_pattern, scope_uid, path, document_uid, valid_from, valid_until,
        start_by, event_id, cause_actor_uid, approval_uid, is_conditional, is_certain, power
    from int_grants__limited
    where coalesce(event_id, '') in (select id from touched_ids)
),

denies as (
    select
        holder_uid, as_like(action_pattern) as action_like, as_like(resource_pattern) as resource_like, coalesce(valid_from, first_moment()) as from_at,
        coalesce(valid_until, last_moment()) as until_at
    from limits
    where effect = 'deny' and not is_conditional and principal is null and array_length(except_actions) = 0 and array_length(except_resources) = 0
),

denied as (
    select distinct effective.entitlement_id, effective.holder_uid
    from effective
    join denies on denies.holder_uid = effective.holder_uid
        and denies.from_at <= effective.valid_from and denies.until_at > effective.valid_from
        and effective.action_pattern ilike denies.action_like escape '\'
        and effective.resource_pattern ilike denies.resource_like escape '\'
),

in_effect as (
    select effective.*
    from effective
    anti join denied on denied.entitlement_id = effective.entitlement_id and denied.holder_uid = effective.holder_uid
    union all
    select
        entitlement_id, identity_id, holder_uid, action_pattern, resource_pattern, null, path, null, valid_from, valid_until,
        start_by, event_id, cause_actor_uid, approval_uid, is_conditional, is_certain, power
    from int_grants__released
    where coalesce(event_id, '') in (select id from touched_ids)
),

-- Principals that only a provider can be are left out: their power is the provider's to change.
given as (
    select in_effect.*
    from in_effect
    left join identities on identities.identity_id = in_effect.identity_id
    where in_effect.start_by in ('event', 'vendor') and in_effect.valid_from is not null
        and identities.is_nonhuman is distinct from false
        and identities.kind_evidence is distinct from 'provider''s own'
),

providers as (
    select holders.holder_uid
    from (select distinct holder_uid from given) as holders
    semi join identity_names on identity_names.says = 'provider' and holders.holder_uid like identity_names.name_like escape '\' and regexp_matches(holders.holder_uid, identity_names.name_pattern)
),

judged as (
    select given.*
    from given
    anti join providers on providers.holder_uid = given.holder_uid
),

patterns as (select distinct identity_id, action_pattern, resource_pattern, scope_uid from judged),

-- What counts in one place reaches no farther, whatever its resources are: the place as approvals name it, and all that lies in it.
places as (
    select named.scope_uid, unnest([named.place, named.place || '/*']) as place_pattern
    from (
        select scopes.scope_uid, coalesce(vendor_prefixes.says, '') || substr(scopes.scope_uid, 1 + length(coalesce(vendor_prefixes.prefix, ''))) as place
        from (select distinct scope_uid from patterns where scope_uid is not null) as scopes
        left join vendor_prefixes on vendor_prefixes.names = 'scope' and starts_with(scopes.scope_uid, vendor_prefixes.prefix)
    ) as named
),

ranges as (
    select patterns.*, patterns.resource_pattern as range_pattern
    from patterns
    union
    select patterns.*, places.place_pattern
    from patterns
    join places on places.scope_uid = patterns.scope_uid
),

approved as (
    select
        identity_id, action_pattern, resource_pattern, as_like(action_pattern) as action_like, as_like(resource_pattern) as resource_like,
        max(granted_at) as granted_at
    from int_scopes__approved
    group by identity_id, action_pattern, resource_pattern
),

-- A pattern lies within another where it reads as one of its names: `s3:Get*` within `s3:*`. A `?` is one letter, and no `*`.
covered as (
    select ranges.identity_id, ranges.action_pattern, ranges.resource_pattern, ranges.scope_uid, max(approved.granted_at) as granted_at
    from ranges
    join approved on approved.identity_id = ranges.identity_id
        and ranges.action_pattern ilike approved.action_like escape '\'
        and ranges.range_pattern ilike approved.resource_like escape '\'
        and not (contains(approved.action_pattern, '?') and contains(ranges.action_pattern, '*'))
        and not (contains(approved.resource_pattern, '?') and contains(ranges.range_pattern, '*'))
    group by ranges.identity_id, ranges.action_pattern, ranges.resource_pattern, ranges.scope_uid
),

-- A tool that is described anew under its old name is not the one that was approved before.
described_anew as (
    select distinct judged.entitlement_id, judged.holder_uid
    from judged
    join (
        select holder_uid, end_event_id, action_pattern, resource_pattern, path
        from entitlements
        where starts_with(action_pattern, 'tool:') and end_event_id in (select id from touched_ids)
    ) as before
        on before.holder_uid = judged.holder_uid and before.end_event_id = judged.event_id
        and before.action_pattern = judged.action_pattern and before.resource_pattern = judged.resource_pattern and before.path = judged.path
    where starts_with(judged.action_pattern, 'tool:')
),

-- Approvals name a role, a group, a policy or a tool; whatever was on the way then was approved as it was.
named as (
    select
        approval_id, unnest(roles) as name, granted_at, ends_at, event_id, resources,
        array_length(actions) = 0 and array_length(tools) = 0 as is_of_roles_alone
    from stg_approvals
    where is_granted and origin = 'ticket'
    union
    select
        stg_approvals.approval_id, int_approvals__roles.role_arn, stg_approvals.granted_at, stg_approvals.ends_at, stg_approvals.event_id,
        stg_approvals.resources, array_length(stg_approvals.actions) = 0 and array_length(stg_approvals.tools) = 0
    from int_approvals__roles
    join stg_approvals on stg_approvals.approval_id = int_approvals__roles.approval_id
    where stg_approvals.is_granted and stg_approvals.origin = 'ticket'
),

-- Who is approved to have a role, in these places or in any, has what it gave when that was approved.
approved_roles as (
    select distinct subjects.identity_id, named.name, named.granted_at, named.ends_at, as_like(named.place) as place_like
    from (
        select *, unnest(case when array_length(resources) > 0 then resources else ['*'] end) as place
        from named
        where is_of_roles_alone
    ) as named
    join int_approvals__subjects as subjects on subjects.approval_id = named.approval_id and not subjects.is_asker
),

roles_as_approved as (
    select distinct judged.entitlement_id, judged.holder_uid
    from judged
    join approved_roles
        on approved_roles.identity_id = judged.identity_id and approved_roles.name = judged.document_uid
        and approved_roles.granted_at <= judged.valid_from and (approved_roles.ends_at is null or approved_roles.ends_at > judged.valid_from)
    left join places on places.scope_uid = judged.scope_uid
    left join int_statements as said
        on said.held_uid = judged.document_uid and said.document_kind = 'permissions' and said.effect = 'allow'
        -- A boundary lets a part of it through.
        and judged.action_pattern ilike as_like(said.action_pattern) escape '\'
        and judged.resource_pattern ilike as_like(said.resource_pattern) escape '\'
        and coalesce(said.valid_from, first_moment()) <= approved_roles.granted_at and coalesce(said.valid_until, last_moment()) > approved_roles.granted_at
    left join described_anew
        on described_anew.entitlement_id = judged.entitlement_id and described_anew.holder_uid = judged.holder_uid
    where coalesce(places.place_pattern, judged.resource_pattern) ilike approved_roles.place_like escape '\'
        and (said.held_uid is not null or judged.document_uid not in (select held_uid from int_statements))
        and described_anew.entitlement_id is null
),

beyond as (
    select judged.*
    from judged
    left join described_anew
        on described_anew.entitlement_id = judged.entitlement_id and described_anew.holder_uid = judged.holder_uid
    anti join covered
        on covered.identity_id = judged.identity_id
        and covered.action_pattern = judged.action_pattern and covered.resource_pattern = judged.resource_pattern
        and covered.scope_uid is not distinct from judged.scope_uid
        and (described_anew.entitlement_id is null or covered.granted_at >= judged.valid_from)
    anti join roles_as_approved
        on roles_as_approved.entitlement_id = judged.entitlement_id and roles_as_approved.holder_uid = judged.holder_uid
),

ways as (
    select entitlement_id, identity_id, holder_uid, holder_uid as name, valid_from from beyond
    union all
    select entitlement_id, identity_id, holder_uid, unnest(path), valid_from from beyond
),

-- An approval that names whom it is for approved nothing for others who have the same role.
named_for as (
    select named.approval_id, named.name, named.granted_at, named.ends_at, named.event_id, subjects.identity_id
    from named
    left join int_approvals__subjects as subjects on subjects.approval_id = named.approval_id
),

widened as (
    select
        ways.entitlement_id,
        ways.holder_uid,
        arg_max(named.approval_id, {'at': named.granted_at, 'id': named.approval_id}) as approval_id,
        arg_max(named.event_id, {'at': named.granted_at, 'id': named.approval_id}) as event_id
    from ways
    join named_for as named on named.name = ways.name and named.granted_at < ways.valid_from and (named.ends_at is null or named.ends_at > ways.valid_from)
        and (ways.name = ways.holder_uid or named.identity_id is null or named.identity_id = ways.identity_id)
    group by ways.entitlement_id, ways.holder_uid
),

resource_patterns as (select distinct resource_pattern, as_like(resource_pattern) as resource_like from beyond),

-- A jewel lies within what is granted, or what is granted within a jewel.
jewels as (
    select distinct resource_patterns.resource_pattern
    from resource_patterns
    join crown_jewels
        on resource_patterns.resource_pattern ilike crown_jewels.resource_like escape '\'
        or crown_jewels.resource_like ilike resource_patterns.resource_like escape '\'
)

select
    beyond.* exclude (scope_uid, document_uid),
    jewels.resource_pattern is not null as touches_crown_jewels,
    widened.approval_id as widened_approval_id,
    widened.event_id as widened_approval_event_id
from beyond
left join widened on widened.entitlement_id = beyond.entitlement_id and widened.holder_uid = beyond.holder_uid
left join jewels on jewels.resource_pattern = beyond.resource_pattern
-- What the vendor adds to a policy of its own is drift where an approval rests on that policy.
where beyond.start_by = 'event' or widened.approval_id is not null
