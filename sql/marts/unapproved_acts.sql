-- grain: one row per identity that no log shows to be a person and whether its privileged acts stand under no approval or under one that is joined too weakly
-- build: full
-- why: an identity that simply has no approval is one thing to mend, however often it acts; what it did last and worst is said with it

with acts as (
    select
        identity_id,
        coalesce(has_weak_approval, false) as is_weak,
        actor_uid,
        action,
        event_id,
        step_at,
        outcome,
        mints_credential,
        -- What was refused or failed gave nobody anything.
        outcome is null or outcome not in ('denied', 'failure') as has_effect,
        action || coalesce(' on ' || nullif(array_to_string(resource_uids, ', '), ''), '') || ' (' || coalesce(outcome, 'unknown') || ')' as told
    from step_facts
    where is_privileged and (has_no_approval or has_weak_approval)
        and not is_providers_own
        -- A long-lived key may be in anybody's hands, unless a log shows the person.
        and (is_nonhuman or (credential_kind = 'static' and is_nonhuman is distinct from false))
),

-- Each action has its place in the evidence, so that a new one is seen as new under a finding that is open.
turns as (
    select
        *,
        row_number() over (
            partition by identity_id, is_weak, action
            order by has_effect desc, step_at desc, event_id
        ) as turn,
        row_number() over (
            partition by identity_id, is_weak
            order by has_effect desc, mints_credential desc, step_at, event_id
        ) as badness
    from acts
),

shown as (
    select *, row_number() over (partition by identity_id, is_weak order by turn, has_effect desc, step_at desc, event_id) as nth
    from turns
)

select
    identity_id,
    is_weak,
    -- As the configuration calls it, else the log.
    identity_id as subject_uid,
    min_by(actor_uid, {'at': step_at, 'id': event_id}) as actor_uid,
    case when bool_or(has_effect) then 'high' else 'medium' end as severity,
    count(*) as n_acts,
    max(case when badness = 1 then told end) as worst_act,
    list_sort(list(distinct action)) as actions,
    min(step_at) as first_at,
    max(step_at) as last_at,
    list_sort(list(distinct event_id) filter (where nth <= 100)) as evidence_event_ids
from shown
group by identity_id, is_weak
