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

-- A day on either side: who comes back next week has had time to ask somebody.
before as (
    select given.event_id as grant_event_id, acts.canonical_action, max_by(acts.event_id, {'at': acts.step_at, 'id': acts.event_id}) as denied_event_id, count(*) as n_denied
    from given
    join acts
        on acts.identity_id = given.identity_id and acts.outcome = 'denied'
        and acts.step_at <= given.event_at and acts.step_at >= given.event_at - interval 24 hours
    group by given.event_id, acts.canonical_action
),

afterwards as (
    select
        given.event_id as grant_event_id,
        acts.canonical_action,
        min(acts.step_at) as allowed_at,
        min_by(acts.event_id, {'at': acts.step_at, 'id': acts.event_id}) as allowed_event_id
    from given
    join acts
        on acts.identity_id = given.identity_id and acts.outcome = 'success'
        and acts.step_at >= given.event_at and acts.step_at <= given.event_at + interval 24 hours
    group by given.event_id, acts.canonical_action
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
    list_sort(list_distinct([before.denied_event_id, given.event_id, afterwards.allowed_event_id])) as evidence_event_ids,
    given.actor_uid || ' was denied ' || before.canonical_action || ', gave itself a right by ' || given.action
    || ' and then did it' as sentence
from given
join before on before.grant_event_id = given.event_id
join afterwards on afterwards.grant_event_id = given.event_id and afterwards.canonical_action = before.canonical_action
