-- grain: one row per person and machine's role that the person took
-- build: full
-- why: what a person does as a machine is laid to the machine

with machines as (
    select identity_id
    from identities
    where (kind_evidence = 'declared' and identity_kind in ('agent', 'service', 'workload')) or kind_evidence = 'taken by a service'
),

people as (select identity_id from identities where is_nonhuman = false and kind_evidence is distinct from 'reported'),

taken as (
    select
        coalesce(actor.identity_id, acts.actor_uid) as person_id,
        coalesce(role.identity_id, acts.issued_role_arn) as machine_id,
        acts.activity_id, acts.event_id, acts.event_at, acts.actor_uid, acts.issued_role_arn
    from stg_activities as acts
    left join int_identities__resolved as actor
        on actor.alias_uid = acts.actor_uid and holds_at(acts.event_at, actor.valid_from, actor.valid_until)
    left join int_identities__resolved as role
        on role.alias_uid = acts.issued_role_arn and holds_at(acts.event_at, role.valid_from, role.valid_until)
    where acts.issued_role_arn is not null and acts.outcome = 'success' and acts.voice is distinct from 'reported'
),

approval_logs as (select coalesce(bool_or(list_contains(evidence_seen, 'approval')), false) as are_read from sources),

-- Who may have an approval to do so is no stranger there. Where no approvals are read at all, none can excuse it.
unapproved as (
    select taken.*, coalesce(step_facts.has_no_approval, not approval_logs.are_read) as is_certain
    from taken
    cross join approval_logs
    join people on people.identity_id = taken.person_id
    join machines on machines.identity_id = taken.machine_id
    left join step_facts on step_facts.step_id = taken.activity_id
    where step_facts.has_no_approval is distinct from false
)

select
    machine_id as identity_id,
    person_id,
    issued_role_arn as role_arn,
    min_by(actor_uid, {'at': event_at, 'id': event_id}) as actor_uid,
    min(event_at) as first_at,
    min_by(event_id, {'at': event_at, 'id': event_id}) as event_id,
    bool_or(is_certain) as is_certain,
    first_hundred(list(event_id order by event_at, event_id)) as event_ids
from unapproved
group by machine_id, person_id, issued_role_arn
