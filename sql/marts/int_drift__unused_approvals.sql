-- grain: one row per identity and approved action pattern
-- build: full
-- why: approved and never used when the approval ended

with subjects as (
    select step_id, approval_id, action, canonical_action
    from step_facts
    where node_kind = 'activity' and approval_id is not null
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
    where entitlements.layer = 'approved' and entitlements.valid_until <= run_context.as_of
        and entitlements.start_by is distinct from 'review'
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
)

select
    approved_patterns.identity_id,
    'unused_approval' as kind,
    approved_patterns.action_pattern as action,
    [approved_patterns.action_pattern] as actions,
    min(approved_patterns.valid_from) as first_at,
    max(approved_patterns.valid_until) as last_at,
    0 as n_events,
    0 as n_denied,
    list_sort(list(distinct substr(approved_patterns.approval_id, 10))) as approval_uids,
    -- Nothing used is sure only where the activity was seen at all, and none of it was pruned.
    coalesce(bool_and(
        sources.state <> 'absent' and sources.complete_until >= approved_patterns.valid_until
        and coalesce(pruned_until.newest_event_at < approved_patterns.valid_from, true)
    ), false) as is_certain,
    first_hundred(list_sort(list(distinct approved_patterns.event_id))) as evidence_event_ids
from approved_patterns
left join touched_patterns
    on touched_patterns.identity_id = approved_patterns.identity_id and touched_patterns.action_pattern = approved_patterns.action_pattern
left join sources on list_contains(sources.evidence_kinds, 'activity')
left join pruned_until on pruned_until.log = sources.log
where touched_patterns.identity_id is null
group by approved_patterns.identity_id, approved_patterns.action_pattern
