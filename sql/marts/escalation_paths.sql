-- grain: one row per holder, way to more power and whom it reaches
-- build: full
-- why: which ways to more power are open although nobody goes them, how far they lead, and whether somebody has just set out

with recursive hops as (
    select *, name || if(target_uid is null or target_uid = holder_uid, '', ', ' || target_uid) || ' (' || path_id || ')' as hop
    from int_escalations
),

ends as (
    select holder_uid as uid, [arg_min(hop, (not is_certain)::int::varchar || path_id)] as way, bool_or(is_certain) as is_certain
    from hops
    where gives = 'admin'
    group by holder_uid
),

steps as (
    select holder_uid, target_uid, arg_min(hop, (not is_certain)::int::varchar || path_id) as hop, bool_or(is_certain) as is_certain
    from hops
    where target_uid is not null and target_uid <> holder_uid
    group by holder_uid, target_uid
),

-- Breadth first from the end: who was reached once is not reached by a longer way, so that cycles end.
reaching using key (uid) as (
    select uid, way, is_certain from ends
    union all
    select steps.holder_uid, list_prepend(min(steps.hop), arg_min(found.way, steps.hop)), arg_min(steps.is_certain and found.is_certain, steps.hop)
    from reaching as found
    join steps on steps.target_uid = found.uid
    where steps.holder_uid not in (select uid from recurring.reaching) and array_length(found.way) < 100
    group by steps.holder_uid
),

led as (
    select
        hops.*,
        case
            when hops.gives = 'admin' or further.uid is null then [hops.hop]
            else list_prepend(hops.hop, further.way)
        end as way,
        if(further.uid is not null, 'admin', hops.gives) as reaches,
        hops.is_certain and (hops.gives is not distinct from 'admin' or further.uid is null or further.is_certain) as is_way_certain
    from hops
    left join reaching as own on own.uid = hops.holder_uid
    -- A way over somebody who is as far away leads back, or around.
    left join reaching as further
        on further.uid = hops.target_uid and hops.gives is distinct from 'admin' and hops.target_uid <> hops.holder_uid
        and array_length(further.way) <= array_length(own.way)
),

-- Who does what a way begins with, on whom it reaches, after it opened, has set out.
taken as (
    select
        hops.escalation_id,
        arg_min({'event_id': acts.event_id, 'at': acts.event_at}, (acts.event_at, acts.event_id)) as first
    from hops
    join stg_activities as acts
        on acts.actor_uid = hops.holder_uid and lower(acts.canonical_action) = lower(hops.first_step) and acts.outcome = 'success'
        and acts.event_at >= coalesce(hops.valid_from, first_moment())
    where hops.target_uid is null or list_has_any(acts.resource_uids, hops.things) or contains(acts.request, hops.target_uid)
    group by hops.escalation_id
),

approved_steps as (
    select substr(step_id, 10) as event_id, min(substr(approval_id, 10)) as approval_uid
    from int_steps__in_scope
    where step_id in (select 'activity:' || first.event_id from taken)
        and is_outside_actions is distinct from true and is_outside_resources is distinct from true
    group by step_id
)

select
    led.escalation_id,
    led.identity_id,
    led.holder_uid,
    led.path_id,
    led.system,
    led.kind,
    led.name,
    led.permissions,
    led.first_step,
    led.needs,
    led.target_uid,
    led.scope_uid,
    led.things,
    led.gives,
    led.valid_from,
    led.cause_event_id,
    led.cause_actor_uid,
    led.approval_uid,
    led.is_certain,
    led.n_more,
    coalesce(identities.is_nonhuman, false) as is_nonhuman,
    coalesce(led.reaches, led.gives) as reaches,
    led.way,
    array_length(led.way) as n_hops,
    led.is_way_certain,
    taken.escalation_id is not null as is_taken,
    taken.first.event_id as taken_event_id,
    taken.first.at as taken_at,
    approved_steps.approval_uid as taken_approval_uid,
    list_filter([led.cause_event_id, nullif(taken.first.event_id, led.cause_event_id)], lambda each: each is not null) as evidence_event_ids,
    led.identity_id || if(led.is_way_certain, ' can come to ', ' may come to ')
        || case coalesce(led.reaches, led.gives) when 'admin' then 'power over everything' when 'permissions' then 'power over permissions'
            when 'data' then 'more data' else 'more power' end
        || ': ' || array_to_string(array_slice(led.way, 1, 12), ', then ')
        || if(array_length(led.way) > 12, ', and ' || (array_length(led.way) - 12)::varchar || ' hops more', '')
        || case when led.valid_from is null then '; open since before the logs'
            else '; open since ' || strftime(led.valid_from, '%Y-%m-%d %H:%M') || coalesce(', by a change of ' || led.cause_actor_uid, '')
                || coalesce(' under ' || led.approval_uid, '') end
        || if(taken.escalation_id is not null, '; its first step was done at ' || strftime(taken.first.at, '%Y-%m-%d %H:%M'), '') as sentence
from led
left join identities on identities.identity_id = led.identity_id
left join taken on taken.escalation_id = led.escalation_id
left join approved_steps on approved_steps.event_id = taken.first.event_id
