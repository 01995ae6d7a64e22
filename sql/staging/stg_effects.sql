-- grain: one row per activity, effect and kind of target
-- build: by_hour
-- why: what each act does to power, evidence and data, by what its record says, what it changes of who holds what, and what its action is known to do, once and for all

with hours as (select event_hour from touched_hours),

-- A call of a tool does what the commands are known to do that it is to run.
acts as (
    select
        acts.activity_id, acts.event_id, acts.event_at, acts.event_hour, acts.action, acts.actor_uid, acts.further_permissions,
        acts.canonical_action, acts.resource_uids, acts.issued_credential_uid, acts.issued_role_arn, acts.issued_holder
    from stg_activities as acts
    join hours on hours.event_hour = acts.event_hour
    union all
    select
        'tool_call:' || calls.tool_call_uid, calls.event_id, calls.called_at, calls.event_hour, calls.action, calls.agent_uid, calls.commands,
        null, null, null, null, null
    from stg_call_accounts as calls
    join hours on hours.event_hour = calls.event_hour
    where array_length(calls.commands) > 0
),

-- What the record says was asked of it beside, such as to pass a role, has its effects too.
called as (
    select distinct action, canonical_action, coalesce(array_to_string(further_permissions, chr(31)), '') as further
    from acts
    where action is not null
),

names as (
    select distinct action, canonical_action, further, name
    from (
        select *, unnest(list_concat([action, canonical_action], string_split(further, chr(31)))) as name
        from called
    )
    where name <> ''
),

-- By what the action is called in its log, or where it is granted.
known_effects as (
    select distinct names.action, names.canonical_action, names.further, known.effect, known.target_kind, known.power
    from names
    join action_effects as known on known.action_lower = lower(names.name)
    union
    select distinct names.action, names.canonical_action, names.further, known.effect, known.target_kind, known.power
    from names
    join action_effects as known on known.action_lower is null and names.name ilike known.action_like escape '\'
),

by_action as (
    select
        acts.event_id,
        known_effects.effect,
        known_effects.target_kind,
        case
            when known_effects.target_kind = 'self' then if(acts.actor_uid is null, [], [acts.actor_uid])
            else coalesce(acts.resource_uids, [])
        end as target_uids,
        known_effects.power,
        'action' as said_by,
        false as is_offer
    from acts
    join known_effects
        on known_effects.action = acts.action and known_effects.canonical_action is not distinct from acts.canonical_action
        and known_effects.further = coalesce(array_to_string(acts.further_permissions, chr(31)), '')
),

told as (
    select e.event_id, unnest(try_cast(json_extract(e.detail, '$.effects') as json[])) as said
    from events as e
    join hours on hours.event_hour = e.event_hour
    where contains(e.detail, '"effects"')
),

by_record as (
    select
        acts.event_id,
        json_extract_string(told.said, '$.effect') as effect,
        json_extract_string(told.said, '$.target') as target_kind,
        coalesce(try_cast(json_extract(told.said, '$.uids') as varchar[]), acts.resource_uids, []) as target_uids,
        json_extract_string(told.said, '$.power') as power,
        if(coalesce(json_extract_string(told.said, '$.absent') = 'true', false), 'absent', 'record') as said_by,
        coalesce(json_extract_string(told.said, '$.offer') = 'true', false) as is_offer
    from told
    join acts on acts.event_id = told.event_id
),

-- A record that lists all edges of a kind does not say which of them are new.
listings as (
    select distinct grants.event_id, grants.relation
    from stg_grants as grants
    join hours on hours.event_hour = grants.event_hour
    where grants.op = 'whole'
),

grants as (
    select grants.*
    from stg_grants as grants
    join hours on hours.event_hour = grants.event_hour
    where not grants.is_snapshot
),

-- What gives everything is told by its name, whatever else is known of it.
admin_grants as (
    select distinct grants.event_id, grants.grant_no
    from grants
    join admin_roles
        on regexp_matches(lower(grants.held_uid), admin_roles.held_pattern)
        and regexp_matches(lower(coalesce(grants.scope_uid, '')), admin_roles.scope_pattern)
    where grants.op = 'add' and grants.relation in ('attached', 'member')
),

edges as (
    select
        grants.event_id,
        case
            when grants.op = 'add' and grants.relation in ('member', 'attached') then 'grants_power'
            when grants.op = 'remove' and grants.relation in ('member', 'attached') then 'takes_power'
            when grants.op = 'remove' and grants.relation in ('boundary', 'guardrail') then 'weakens_guard'
        end as effect,
        grants.holder_uid as target_uid,
        case when admin_grants.event_id is not null then 'admin' end as power
    from grants
    left join admin_grants on admin_grants.event_id = grants.event_id and admin_grants.grant_no = grants.grant_no
    anti join listings on grants.op = 'add' and listings.event_id = grants.event_id and listings.relation = grants.relation
    where grants.relation in ('member', 'attached', 'boundary', 'guardrail')
),

each_statement as (
    select event_id, document_kind, held_uid, unnest(try_cast(statements as json[])) as said
    from grants
    where op = 'write' and is_in_force
),

allowed as (
    select
        * exclude (said),
        coalesce(try_cast(json_extract(said, '$.actions') as varchar[]), []) as actions,
        case
            when json_extract(said, '$.not_principals') is not null then ['*']
            else coalesce(try_cast(json_extract(said, '$.principals') as varchar[]), [])
        end as principals
    from each_statement
    where json_extract_string(said, '$.effect') = 'allow'
),

documents as (
    select
        event_id,
        case document_kind when 'permissions' then 'grants_power' when 'trust' then 'opens_trust' else 'exposes' end as effect,
        unnest(if(document_kind = 'permissions', [held_uid], principals)) as named,
        if(document_kind = 'permissions' and list_contains(actions, '*'), 'admin', null) as power
    from allowed
),

-- Under the word for what it is a policy names who it is.
by_grant as (
    select event_id, effect, 'identity' as target_kind, target_uid, power
    from edges
    where effect is not null
    union all
    select
        documents.event_id,
        documents.effect,
        'identity',
        substr(documents.named, coalesce(length(prefixes.prefix), 0) + 1),
        documents.power
    from documents
    left join vendor_prefixes as prefixes
        on prefixes.names = 'principal' and starts_with(documents.named, prefixes.prefix)
),

by_change as (
    select
        event_id,
        effect,
        target_kind,
        list_sort(list_distinct(list(target_uid))) as target_uids,
        case when bool_or(power = 'admin') then 'admin' end as power,
        'grant' as said_by,
        false as is_offer
    from by_grant
    group by event_id, effect, target_kind
),

by_issue as (
    select
        event_id,
        'issues_credential' as effect,
        'identity' as target_kind,
        list_filter([coalesce(issued_role_arn, issued_holder)], lambda uid: uid is not null) as target_uids,
        null as power,
        'grant' as said_by,
        false as is_offer
    from acts
    where issued_credential_uid is not null
),

-- What the record says of an effect counts, else what it changes, else what the action is known to do, else that a credential
-- came out of it.
ranked as (
    select *, 1 as rank from by_record
    union all
    select *, 2 from by_change
    union all
    select *, 3 from by_action
    union all
    select *, 4 from by_issue
),

best as (
    select event_id, effect, min(rank) as rank
    from ranked
    group by event_id, effect
),

-- The uids are those of an identity where the effect is on one: which identity that is, is asked of each.
counted as (
    select ranked.event_id, ranked.effect, ranked.target_kind, ranked.target_uids, ranked.power, ranked.said_by, ranked.is_offer
    from ranked
    join best on best.event_id = ranked.event_id and best.effect = ranked.effect and best.rank = ranked.rank
    where ranked.said_by <> 'absent' and ranked.effect is not null
)

select
    acts.activity_id,
    counted.event_id,
    acts.event_at,
    acts.event_hour,
    counted.effect,
    coalesce(counted.target_kind, 'resource') as target_kind,
    list_sort(list_distinct(flatten(list(counted.target_uids)))) as target_uids,
    min_by(counted.power, case counted.power when 'admin' then 1 when 'permissions' then 2 when 'data' then 3 else 4 end) as power,
    min(counted.said_by) as said_by,
    bool_and(counted.is_offer) as is_offer
from counted
join acts on acts.event_id = counted.event_id
group by all
