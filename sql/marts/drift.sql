-- grain: one row per identity, actor, action and kind of drift
-- build: full
-- why: approved against used: what went beyond and since when (overreach), and what was approved and never used (unused)

-- Whose drift it is: who acted, not who asked for the approval.
with subjects as (
    select * exclude (identity_id), coalesce(identity_id, 'unknown') as identity_id
    from step_facts
    where node_kind = 'activity' and approval_id is not null
),

beyond as (
    select *
    from subjects
    where is_outside_actions or is_outside_resources
),

resources_beyond as (
    select identity_id, actor_uid, action, unnest(resource_uids) as resource_uid
    from beyond
),

beyond_resources as (
    select identity_id, actor_uid, action, list_sort(list(distinct resource_uid)) as resource_uids
    from resources_beyond
    group by identity_id, actor_uid, action
),

overreach as (
    select
        beyond.identity_id,
        beyond.actor_uid,
        'overreach' as kind,
        beyond.action,
        min(beyond.step_at) as first_at,
        max(beyond.step_at) as last_at,
        count(*) as n_events,
        count(*) filter (where beyond.outcome = 'denied') as n_denied,
        list_sort(list(distinct substr(beyond.approval_id, 10))) as approval_uids,
        true as is_certain,
        first_hundred(list_sort(list(distinct beyond.event_id))) as evidence_event_ids
    from beyond
    group by beyond.identity_id, beyond.actor_uid, beyond.action
),

-- An approval lists an act in the words of its log or of a grant, and what it needs beside, such as passing a role.
used as (
    select distinct approval_id, action
    from subjects
    union
    select approval_id, canonical_action
    from subjects
    union
    select subjects.approval_id, unnest(stg_activities.further_permissions)
    from subjects
    join stg_activities on stg_activities.activity_id = subjects.step_id
),

approved_patterns as (
    select
        entitlements.identity_id,
        entitlements.action_pattern,
        'approval:' || entitlements.approval_uid as approval_id,
        entitlements.event_id,
        entitlements.valid_from,
        entitlements.valid_until,
        as_like(entitlements.action_pattern) as pattern_like
    from entitlements
    cross join run_context
    where entitlements.valid_until <= run_context.as_of
),

touched_patterns as (
    select distinct approved_patterns.identity_id, approved_patterns.action_pattern
    from approved_patterns
    join used on used.approval_id = approved_patterns.approval_id and used.action ilike approved_patterns.pattern_like escape '\'
),

pruned_until as (
    select log, max(newest_event_at) as newest_event_at
    from pruned_hours
    group by log
),

unused as (
    select
        approved_patterns.identity_id,
        null::varchar as actor_uid,
        'unused' as kind,
        approved_patterns.action_pattern as action,
        min(approved_patterns.valid_from) as first_at,
        max(approved_patterns.valid_until) as last_at,
        0 as n_events,
        0 as n_denied,
        list_sort(list(distinct substr(approved_patterns.approval_id, 10))) as approval_uids,
        -- Nothing used is sure only where the activity was seen at all, and none of it was pruned.
        bool_and(
            sources.state <> 'absent' and sources.complete_until >= approved_patterns.valid_until
            and coalesce(pruned_until.newest_event_at < approved_patterns.valid_from, true)
        ) as is_certain,
        first_hundred(list_sort(list(distinct approved_patterns.event_id))) as evidence_event_ids
    from approved_patterns
    left join touched_patterns
        on touched_patterns.identity_id = approved_patterns.identity_id and touched_patterns.action_pattern = approved_patterns.action_pattern
    left join sources on list_contains(sources.evidence_kinds, 'activity')
    left join pruned_until on pruned_until.log = sources.log
    where touched_patterns.identity_id is null
    group by approved_patterns.identity_id, approved_patterns.action_pattern
),

both_kinds as (
    select * from overreach
    union all
    select * from unused
)

select
    'dr_' || substr(sha256(both_kinds.identity_id || chr(31) || coalesce(both_kinds.actor_uid, '') || chr(31) || both_kinds.kind || chr(31) || both_kinds.action), 1, 20) as drift_id,
    both_kinds.identity_id,
    both_kinds.actor_uid,
    both_kinds.kind,
    both_kinds.action,
    both_kinds.first_at,
    both_kinds.last_at,
    both_kinds.n_events,
    both_kinds.n_denied,
    coalesce(beyond_resources.resource_uids, []) as resource_uids,
    both_kinds.approval_uids,
    coalesce(both_kinds.is_certain, false) as is_certain,
    both_kinds.evidence_event_ids
from both_kinds
left join beyond_resources
    on beyond_resources.identity_id = both_kinds.identity_id
    and beyond_resources.actor_uid = both_kinds.actor_uid and beyond_resources.action = both_kinds.action
    and both_kinds.kind = 'overreach'
