-- grain: one row per machine identity and service or region that it used for the first time after two weeks of others
-- build: full
-- why: a machine does what it did before; a service or a region that is new after weeks is a change that somebody made, and before that nothing is new

with named as (
    select
        coalesce(resolved.identity_id, uses.actor_uid) as identity_id,
        uses.*
    from int_uses__by_hour as uses
    left join int_identities__resolved as resolved
        on resolved.alias_uid = uses.actor_uid and holds_at(uses.first_at, resolved.valid_from, resolved.valid_until)
),

machines as (
    select named.*, min(named.first_at) over (partition by named.identity_id, named.log) as known_since
    from named
    join identities on identities.identity_id = named.identity_id and identities.is_nonhuman
),

used as (
    select identity_id, log, actor_uid, known_since, 'service' as kind, service as value, first_at, first_event_id from machines
    union all
    select identity_id, log, actor_uid, known_since, 'region', region, first_at, first_event_id from machines where region <> ''
),

firsts as (
    select
        identity_id,
        log,
        kind,
        value,
        min(known_since) as known_since,
        min(first_at) as first_at,
        min_by(first_event_id, {'at': first_at, 'id': first_event_id}) as event_id,
        min_by(actor_uid, {'at': first_at, 'id': first_event_id}) as actor_uid
    from used
    group by identity_id, log, kind, value
)

select
    firsts.identity_id,
    firsts.log,
    firsts.kind,
    firsts.value,
    firsts.actor_uid,
    firsts.first_at,
    firsts.known_since,
    firsts.event_id,
    facts.chain_id,
    facts.approval_id is not null and not coalesce(
        facts.is_outside_actions or facts.is_outside_resources or facts.is_outside_roles or facts.is_after_approval_end, false
    ) as is_approved,
    -- A region has its own of everything; a service more is what work grows by.
    if(firsts.kind = 'region', 'medium', 'low') as severity,
    firsts.actor_uid || ' used the ' || firsts.kind || ' ' || firsts.value || ' for the first time, '
    || date_diff('day', firsts.known_since, firsts.first_at) || ' days after it was first seen' as sentence
from firsts
left join step_facts as facts on facts.event_id = firsts.event_id and facts.node_kind = 'activity'
where firsts.first_at >= firsts.known_since + interval 14 days
