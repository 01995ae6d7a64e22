-- grain: one row per event that states an approval by an id that belongs to another system
-- build: full
-- why: an id means something within one system only; what another one says of it, or a person's request that bears it, is no later state of that approval

with systems as (
    select log, min(approval_system) as approval_system, min(voice) as voice
    from source_expectations
    group by log
),

stated as (
    select
        e.event_id,
        e.event_at,
        e.event_hour,
        e.log,
        e.approval_uid,
        e.origin is not distinct from 'human_request' as is_request,
        coalesce(systems.approval_system, e.log)
        || case when e.origin = 'human_request' then '/human_request' else '' end as approval_system,
        coalesce(systems.voice, 'recorded') as voice
    from stg_approval_states as e
    left join systems on systems.log = e.log
),

-- Of those that use one id it is the approver's system before a person's request, and a log that its subject cannot
-- write before one that it can; never who came first, which who writes a log may choose.
claims as (
    select
        approval_uid,
        approval_system,
        row_number() over (
            partition by approval_uid
            order by bool_and(is_request), bool_and(voice <> 'recorded'), approval_system
        ) as nth
    from stated
    group by approval_uid, approval_system
)

-- Ids with this sign in them are always written with their system, so that none can be taken for another one's.
select
    stated.event_id,
    stated.event_at,
    stated.event_hour,
    stated.log,
    stated.approval_uid,
    stated.approval_system,
    'approval:' || stated.approval_uid || ' @ ' || stated.approval_system as approval_id,
    'approval:' || stated.approval_uid as shared_id,
    claims.nth > 1 as is_contested
from stated
join claims on claims.approval_uid = stated.approval_uid and claims.approval_system = stated.approval_system
where claims.nth > 1 or contains(stated.approval_uid, ' @ ')
