-- grain: one row per approval
-- build: by_key approval_id
-- why: the states of one approval (requested, approved, revoked ...) arrive as separate records of one system, in any order and in any file
-- units: select coalesce(contested.approval_id, 'approval:' || told.approval_uid) from stg_approval_states as told left join stg_contested_approvals as contested on contested.event_id = told.event_id
-- dirty: select 'approval:' || approval_uid from delta_stg_approval_states
-- dirty: select contested.approval_id from delta_stg_approval_states as changed join stg_contested_approvals as contested on contested.event_id = changed.event_id
-- dirty: select unnest([approval_id, 'approval:' || approval_uid]) from delta_stg_contested_approvals

with named as (
    select coalesce(contested.approval_id, 'approval:' || told.approval_uid) as approval_id, told.*
    from stg_approval_states as told
    left join stg_contested_approvals as contested on contested.event_id = told.event_id
),

states as (
    select *
    from named
    where approval_id in (select id from touched_ids)
    -- Who tells of an approval that its own system records does not change it.
    qualify voice is distinct from 'reported' or bool_and(voice is not distinct from 'reported') over (partition by approval_id)
),

ordered as (
    select
        *,
        case status when 'requested' then 1 when 'approved' then 2 when 'denied' then 3 when 'revoked' then 4 when 'expired' then 5 else 0 end as stage
    from states
),

placed as (
    select *, {'at': event_at, 'stage': stage, 'id': event_id} as place
    from ordered
),

merged as (
    select
        approval_id,
        min(approval_uid) as approval_uid,
        max_by(status, place) filter (where status is not null) as status,
        max_by(origin, place) filter (where origin is not null) as origin,
        -- What was granted, was granted to whom the record of the grant names; a later word names nobody else.
        coalesce(
            min_by(subject_uid, place) filter (where subject_uid is not null and status = 'approved'),
            max_by(subject_uid, place) filter (where subject_uid is not null)
        ) as subject_uid,
        max_by(requested_by, place) filter (where requested_by is not null) as requested_by,
        max_by(approved_by, place) filter (where approved_by is not null) as approved_by,
        max_by(requested_at, place) filter (where requested_at is not null) as requested_at,
        -- The time at which somebody denied it is no time of approval.
        max_by(approved_at, place) filter (where approved_at is not null and status is distinct from 'denied') as approved_at,
        max_by(valid_from, place) filter (where valid_from is not null) as valid_from,
        max_by(valid_until, place) filter (where valid_until is not null) as valid_until,
        max_by(revoked_at, place) filter (where revoked_at is not null) as revoked_at,
        max_by(actions, place) filter (where array_length(actions) > 0) as actions,
        max_by(resources, place) filter (where array_length(resources) > 0) as resources,
        max_by(roles, place) filter (where array_length(roles) > 0) as roles,
        max_by(tools, place) filter (where array_length(tools) > 0) as tools,
        coalesce(
            min_by(ticket, place) filter (where ticket is not null and status = 'approved'),
            max_by(ticket, place) filter (where ticket is not null)
        ) as ticket,
        max_by(risk, place) filter (where risk is not null) as risk,
        max_by(task, place) filter (where task is not null) as task,
        -- A system that keeps only the last state says of an ended grant who gave it, and no longer when.
        coalesce(bool_or(status in ('approved', 'revoked', 'expired') and approved_by is not null), false) as has_approver,
        min(event_at) filter (where status = 'revoked') as first_revoked_at,
        min(event_at) filter (where status = 'expired') as first_expired_at,
        min(event_at) filter (where status = 'requested') as first_asked_at,
        min(event_at) filter (where status = 'approved') as first_approved_at,
        min_by(event_id, place) filter (where status = 'approved') as approving_event_id,
        max_by(event_id, place) as last_event_id,
        max_by(event_at, place) as last_event_at,
        min_by(log, place) as log,
        -- Only grants contradict each other; a request and an end may call the same person by another name.
        count(distinct subject_uid) filter (where status = 'approved') > 1 as has_subjects,
        count(distinct ticket) filter (where status = 'approved') > 1 as has_tickets,
        min_by(voice, place) as voice,
        list_sort(list(distinct event_id)) as event_ids
    from placed
    group by approval_id
)

select
    approval_id,
    approval_uid,
    coalesce(origin, 'ticket') as origin,
    status,
    subject_uid,
    requested_by,
    approved_by,
    requested_at,
    coalesce(approved_at, first_approved_at) as approved_at,
    -- What was asked for later was not approved before, whatever its record says.
    greatest(coalesce(approved_at, first_approved_at), first_asked_at) as granted_at,
    coalesce(valid_from, approved_at, first_approved_at) as valid_from,
    valid_until,
    coalesce(revoked_at, first_revoked_at) as revoked_at,
    least(valid_until, coalesce(revoked_at, first_revoked_at), first_expired_at) as ends_at,
    coalesce(actions, []) as actions,
    coalesce(resources, []) as resources,
    coalesce(roles, []) as roles,
    coalesce(tools, []) as tools,
    ticket,
    risk,
    task,
    -- What only a place that is not the system's own tells is stated: it is shown, and grants nothing. What a person asks
    -- of an agent narrows what the agent was granted, and grants nothing either.
    voice is distinct from 'reported' and origin is distinct from 'human_request'
    and coalesce(
        status = 'approved'
        or (status in ('revoked', 'expired') and (coalesce(approved_at, first_approved_at) is not null or has_approver)),
        false
    ) as is_granted,
    coalesce(approving_event_id, last_event_id) as event_id,
    event_ids,
    coalesce(first_approved_at, last_event_at) as event_at,
    date_trunc('hour', coalesce(first_approved_at, last_event_at)) as event_hour,
    log,
    voice,
    list_filter(
        [case when has_subjects then 'subject' end, case when has_tickets then 'ticket' end], lambda word: word is not null
    ) as differs
from merged
