-- grain: one row per privileged activity that no approval accounts for and that one fits
-- build: full
-- why: a standing approval that lists what was done needs no id in every record; whoever acts under it is not accused

with weak as (
    select
        chain_steps.step_id,
        chain_steps.step_at,
        chain_steps.action,
        chain_steps.canonical_action,
        chain_steps.is_foreign_claim,
        chain_steps.is_excused,
        coalesce(by_day.node_id, 'credential:' || stg_activities.credential_uid) as credential_id,
        stg_activities.issued_role_arn,
        stg_activities.role_arn
    from chain_steps
    join stg_activities on stg_activities.activity_id = chain_steps.step_id
    left join int_credentials__by_day as by_day
        on by_day.credential_uid = stg_activities.credential_uid and by_day.day = date_trunc('day', stg_activities.event_at)
    where chain_steps.is_privileged and not chain_steps.is_accounted
),

ways as (
    select weak.step_id, paths.spine, paths.approval_id, paths.entry_id, paths.is_single
    from weak
    join int_paths as paths on paths.node_id = weak.step_id
    where not coalesce(paths.is_borrowed, false) and not coalesce(paths.is_reported, false) and not (paths.spine = 'intent' and coalesce(weak.is_foreign_claim, false))
),

-- Whoever showed a token is known by name only, but whose token it was stands under its approval by proof.
held as (
    select step_id, entry_id as approval_id
    from ways
    where spine = 'authority' and is_single
),

in_windows as (
    select weak.step_id, in_window.node_id, in_window.approval_id
    from weak
    join int_approvals__in_window as in_window on in_window.node_id = weak.step_id
    union
    select weak.step_id, in_window.node_id, in_window.approval_id
    from weak
    join int_approvals__in_window as in_window on in_window.node_id = weak.credential_id
),

other_subjects as (
    select distinct identity_id
    from int_approvals__subjects
    where not is_asker
),

-- Who has approvals of its own and takes the role of another is not whom that one's approval fits; a machine that takes
-- roles for all and has none of its own may be.
taken_by_others as (
    select in_windows.step_id, in_windows.approval_id
    from in_windows
    join int_credentials__takers as takers on takers.node_id = in_windows.node_id
    left join int_approvals__subjects as named
        on named.approval_id = in_windows.approval_id and named.identity_id = takers.identity_id
    left join other_subjects on other_subjects.identity_id = takers.identity_id
    group by in_windows.step_id, in_windows.approval_id
    having count(named.approval_id) = 0 and count(other_subjects.identity_id) > 0
),

all_possible as (
    select step_id, approval_id from ways
    union
    select step_id, approval_id from in_windows
),

possible as (
    select all_possible.step_id, all_possible.approval_id
    from all_possible
    anti join taken_by_others
        on taken_by_others.step_id = all_possible.step_id and taken_by_others.approval_id = all_possible.approval_id
),

pairs as (
    select distinct possible.approval_id, weak.action, weak.canonical_action
    from possible
    join weak on weak.step_id = possible.step_id
),

patterns as (
    select approval_id, unnest(actions) as pattern
    from stg_approvals
),

listed as (
    select distinct pairs.approval_id, pairs.action, pairs.canonical_action
    from pairs
    join patterns
        on patterns.approval_id = pairs.approval_id
        and (pairs.action ilike as_like(patterns.pattern) escape '\' or pairs.canonical_action ilike as_like(patterns.pattern) escape '\')
),

fitting as (
    select step_id, approval_id from held
    union
    select possible.step_id, possible.approval_id
    from possible
    join weak on weak.step_id = possible.step_id
    left join listed
        on listed.approval_id = possible.approval_id and listed.action = weak.action
        and listed.canonical_action is not distinct from weak.canonical_action
    -- Taking a role is judged by the approved roles.
    left join int_approvals__roles as approved_roles
        on approved_roles.approval_id = possible.approval_id and approved_roles.role_arn = weak.issued_role_arn
    where listed.approval_id is not null or approved_roles.approval_id is not null
)

select distinct fitting.step_id
from fitting
join weak on weak.step_id = fitting.step_id
join stg_approvals on stg_approvals.approval_id = fitting.approval_id
-- What is done in a role that the approval does not list is none of it.
left join int_approvals__roles as acting_role
    on acting_role.approval_id = fitting.approval_id and acting_role.role_arn in (weak.role_arn, weak.issued_role_arn)
cross join run_context
where weak.is_excused
    and (weak.role_arn is null or coalesce(array_length(stg_approvals.roles), 0) = 0 or acting_role.approval_id is not null)
    and stg_approvals.is_granted and stg_approvals.voice is distinct from 'reported'
    and is_within(weak.step_at, stg_approvals.valid_from, stg_approvals.ends_at, run_context.clock_tolerance)
    and coalesce(stg_approvals.granted_at <= weak.step_at + run_context.clock_tolerance, true)
