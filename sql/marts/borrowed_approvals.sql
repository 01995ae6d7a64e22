-- grain: one row per actor, approval that it names and is not its own, and reason
-- build: full
-- why: who carries or states an approval that names somebody else, that had ended or that nobody knows borrows trust

with carried as (
    select
        stg_activities.event_id, stg_activities.event_at, stg_activities.actor_uid, carrying.approval_id, carrying.key_kind,
        coalesce(stg_activities.event_at > stg_approvals.ends_at + run_context.clock_tolerance, false) as is_over
    from int_approvals__carried as carrying
    join stg_activities on stg_activities.event_id = carrying.event_id
    join stg_approvals on stg_approvals.approval_id = carrying.approval_id
    cross join run_context
    where carrying.method in ('borrowed', 'ended')
),

stated as (
    select
        child.event_id, child.node_at as event_at, child.actor_uid, links.parent_id as approval_id, links.key_kind, false as is_over
    from links
    join int_nodes as child on child.node_id = links.child_id
    where links.method = 'borrowed' and links.kind in ('decision>approval', 'tool_call>approval', 'approval>approval')
),

-- What an agent did leads there by its own account; a guess by time accuses nobody.
claimed as (
    select
        chain_steps.event_id, chain_steps.step_at as event_at, chain_steps.actor_uid, int_paths.entry_id as approval_id,
        'tool_call' as key_kind, false as is_over
    from chain_steps
    join int_paths on int_paths.node_id = chain_steps.step_id and int_paths.spine = 'intent'
    where chain_steps.is_foreign_claim and not chain_steps.is_accounted and int_paths.confidence >= 0.5
),

known as (
    select together.*, stg_approvals.approval_uid as named, case when together.is_over then 'ended' else 'somebody else' end as reason
    from (select * from carried union all select * from stated union all select * from claimed) as together
    join stg_approvals on stg_approvals.approval_id = together.approval_id
),

-- The names by which recorded systems call their approvals, and what those of others and of acts look like.
names_given as (
    select distinct key_value as name, log
    from stg_keys
    where node_kind = 'approval' and role = 'names' and key_kind in ('approval', 'ticket') and voice is distinct from 'reported'
),

references_made as (
    select
        event_id, node_id, event_at, key_kind,
        carried_name(key_kind, key_value) as named
    from stg_keys
    where (role = 'carries' and key_kind in ('source_identity', 'transitive_tag', 'session_tag', 'session_name'))
        or (role in ('uses', 'carries') and key_kind in ('approval', 'ticket'))
),

every_name as (
    select name from names_given
    union
    select named from references_made
),

-- What the names of one system have in common: all up to the last mark, else up to the number at the end.
alike as (
    select
        name,
        case
            when not regexp_matches(name, '[A-Za-z]') then null
            when regexp_matches(name, '[-_#/:.][A-Za-z0-9]+$') then regexp_replace(name, '[A-Za-z0-9]+$', '')
            when regexp_matches(name, '[A-Za-z][0-9]+$') then regexp_replace(name, '[0-9]+$', '')
        end as family,
        try_cast(nullif(regexp_extract(name, '[0-9]+$'), '') as bigint) as number
    from every_name
),

approval_names as (
    select names_given.log, alike.family, alike.number
    from names_given
    join alike on alike.name = names_given.name
    where alike.family is not null
),

families as (
    select
        approval_names.family,
        min(approval_names.number) as least_number,
        max(sources.oldest_event_at) as complete_from,
        min(sources.complete_until) as complete_until
    from approval_names
    join sources on sources.log = approval_names.log
    group by approval_names.family
),

doubtful_hours as (
    select distinct approval_names.family, by_hour.event_hour
    from approval_names
    join int_evidence__by_hour as by_hour on by_hour.log = approval_names.log and by_hour.evidence_kind = 'approval'
    where by_hour.doubt is not null
),

approvals_known as (
    select distinct key_value
    from stg_keys
    where node_kind = 'approval' and role = 'names' and key_kind in ('approval', 'ticket')
),

-- A name like theirs that none of them has. One with a lower number than all may be older than the log.
unknown_names as (
    select references_made.event_id, references_made.node_id, references_made.event_at, references_made.key_kind, references_made.named
    from references_made
    join alike on alike.name = references_made.named
    join families on families.family = alike.family
    anti join approvals_known on approvals_known.key_value = references_made.named
    anti join doubtful_hours
        on doubtful_hours.family = families.family and doubtful_hours.event_hour = date_trunc('hour', references_made.event_at)
    where references_made.event_at between families.complete_from and families.complete_until
        and coalesce(alike.number >= families.least_number, true)
),

unknown as (
    select
        unknown_names.event_id, unknown_names.event_at, int_nodes.actor_uid, null::varchar as approval_id,
        unknown_names.key_kind, false as is_over, unknown_names.named, 'unknown' as reason
    from unknown_names
    join int_nodes on int_nodes.node_id = unknown_names.node_id
),

borrowed as (
    select * from known
    union all
    select * from unknown
),

identified as (
    select
        borrowed.* exclude (actor_uid),
        coalesce(borrowed.actor_uid, 'unknown') as actor_uid,
        coalesce(resolved.identity_id, borrowed.actor_uid) as identity_id
    from borrowed
    left join int_identities__resolved as resolved
        on resolved.alias_uid = borrowed.actor_uid
        and holds_at(borrowed.event_at, resolved.valid_from, resolved.valid_until)
)

select
    actor_uid,
    named,
    reason,
    min_by(identity_id, {'at': event_at, 'id': event_id}) as identity_id,
    max(approval_id) as approval_id,
    list_sort(list(distinct key_kind)) as key_kinds,
    count(distinct event_id) as n_events,
    min(event_at) as first_at,
    max(event_at) as last_at,
    first_hundred(list_sort(list(distinct event_id))) as evidence_event_ids
from identified
where event_id is not null
group by actor_uid, named, reason
