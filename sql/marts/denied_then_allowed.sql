-- grain: one row per right that an identity gave itself and action that it had been denied before and did afterwards
-- build: full
-- why: each of the three acts is common; that one identity is denied an act, gives itself a right and then does that act is no accident

with given as (
    select identity_id, actor_uid, event_id, event_at, action, chain_id, bool_or(is_approved) as is_approved, max(power_rank(power)) as power_rank
    from activity_effects
    where effect = 'grants_power' and target_kind = 'self' and outcome is not distinct from 'success' and voice is distinct from 'reported'
    group by all
),

acts as (
    select facts.identity_id, facts.canonical_action, facts.event_id, facts.step_at, facts.outcome
    from step_facts as facts
    semi join given on given.identity_id = facts.identity_id
    where facts.node_kind = 'activity' and facts.canonical_action is not null and facts.voice is distinct from 'reported'
),

rights as (
    select *, row_number() over (partition by identity_id order by event_at, event_id) as number
    from given
),

last_of_moment as (select identity_id, event_at, max(number) as number from rights group by identity_id, event_at),

-- What an act that was done can rest on are the rights just before it. All rights by all acts would be pairs without end.
done as (
    select
        acts.identity_id,
        acts.canonical_action,
        last_of_moment.number,
        min(acts.step_at) as allowed_at,
        min_by(acts.event_id, {'at': acts.step_at, 'id': acts.event_id}) as allowed_event_id
    from acts
    asof join last_of_moment
        on last_of_moment.identity_id = acts.identity_id and last_of_moment.event_at <= acts.step_at
    where acts.outcome = 'success'
    group by acts.identity_id, acts.canonical_action, last_of_moment.number
),

resting as (
    select * exclude (number), unnest(generate_series(greatest(number - most_candidates() + 1, 1), number)) as number
    from done
),

-- A day on either side: who comes back next week has had time to ask somebody.
afterwards as (
    select
        rights.event_id as grant_event_id,
        rights.identity_id,
        rights.event_at as granted_at,
        resting.canonical_action,
        min(resting.allowed_at) as allowed_at,
        min_by(resting.allowed_event_id, {'at': resting.allowed_at, 'id': resting.allowed_event_id}) as allowed_event_id
    from resting
    join rights
        on rights.identity_id = resting.identity_id and rights.number = resting.number
        and resting.allowed_at <= rights.event_at + interval 24 hours
    group by rights.event_id, rights.identity_id, rights.event_at, resting.canonical_action
),

denied_and_given as (
    select identity_id, canonical_action, step_at as moment, event_id as denied_event_id, null::varchar as grant_event_id
    from acts
    where outcome = 'denied'
    union all
    select identity_id, canonical_action, granted_at, null, grant_event_id
    from afterwards
),

before as (
    select
        *,
        max_by(denied_event_id, case when denied_event_id is not null then {'at': moment, 'id': denied_event_id} end) over day_before as last_denied_event_id,
        count(denied_event_id) over day_before as n_denied
    from denied_and_given
    window day_before as (
        partition by identity_id, canonical_action order by moment range between interval 24 hours preceding and current row
    )
)

select
    given.event_id as grant_event_id,
    before.canonical_action as action,
    given.identity_id,
    given.actor_uid,
    given.chain_id,
    given.event_at as granted_at,
    afterwards.allowed_at,
    before.n_denied,
    given.is_approved,
    list_sort(list_distinct([before.last_denied_event_id, given.event_id, afterwards.allowed_event_id])) as evidence_event_ids,
    given.actor_uid || ' was denied ' || before.canonical_action || ', gave itself a right by ' || given.action
    || ' and then did it' as sentence
from given
join before on before.grant_event_id = given.event_id and before.n_denied > 0
join afterwards on afterwards.grant_event_id = given.event_id and afterwards.canonical_action = before.canonical_action
