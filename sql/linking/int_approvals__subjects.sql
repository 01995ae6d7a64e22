-- grain: one row per approval and identity that may act under it
-- build: full
-- why: an approval accounts for whom it names and for the roles it lists; where it names only the person who asked, it says what is done and not by whom

with subjects as (
    select
        stg_approvals.approval_id,
        stg_approvals.subject_uid,
        coalesce(resolved.identity_id, stg_approvals.subject_uid) as identity_id,
        coalesce(stg_approvals.subject_uid = stg_approvals.requested_by, false) and array_length(stg_approvals.roles) = 0 as is_asker
    from stg_approvals
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_approvals.subject_uid
        and holds_at(stg_approvals.event_at, resolved.valid_from, resolved.valid_until)
    where stg_approvals.subject_uid is not null
),

-- A machine that asks for itself is who will act.
machines as (
    select identity_id
    from declared_identities
    where kind <> 'human'
    union
    select coalesce(resolved.identity_id, stg_activities.actor_uid)
    from stg_activities
    left join int_identities__resolved as resolved on resolved.alias_uid = stg_activities.actor_uid
    where stg_activities.actor_kind in ('agent', 'role', 'service', 'workload')
    union
    select coalesce(resolved.identity_id, stg_tool_calls.agent_uid)
    from stg_tool_calls
    left join int_identities__resolved as resolved on resolved.alias_uid = stg_tool_calls.agent_uid
),

listed as (
    select approval_id, unnest(roles) as role, event_at
    from stg_approvals
    union
    select approved.approval_id, approved.role_arn, stg_approvals.event_at
    from int_approvals__roles as approved
    join stg_approvals on stg_approvals.approval_id = approved.approval_id
),

named as (
    select subjects.approval_id, subjects.identity_id, subjects.is_asker and machines.identity_id is null as is_asker
    from subjects
    left join machines on machines.identity_id = subjects.identity_id
    union all
    select listed.approval_id, coalesce(resolved.identity_id, listed.role), false
    from listed
    left join int_identities__resolved as resolved
        on resolved.alias_uid = listed.role and holds_at(listed.event_at, resolved.valid_from, resolved.valid_until)
)

select approval_id, identity_id, bool_and(is_asker) as is_asker
from named
group by approval_id, identity_id
